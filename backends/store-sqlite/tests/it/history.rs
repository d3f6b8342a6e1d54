//! Many callers at a time see what one at a time could have seen (T7).

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;

use interlock_store_sqlite::SqliteStore;
use platform_suites::store::history::{Load, StandingClock, check, record};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn t7_what_eight_clients_see_of_sqlite_is_linearisable() {
    let seed = RandomState::new().build_hasher().finish();
    println!("seed {seed}");
    let (folder, clock) = (tempfile::tempdir().unwrap(), StandingClock::new());
    let store = SqliteStore::open(&folder.path().join("store.db"), clock.clone()).unwrap();
    let history = record(&[Arc::new(store)], clock, Load::seeded(seed)).await;
    check(&history).unwrap_or_else(|violation| panic!("seed {seed}: {violation}"));
}
