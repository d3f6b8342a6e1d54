//! The suite that every store must pass.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use interlock_store_sqlite::SqliteStore;
use platform::store::Store;

#[tokio::test]
async fn the_store_in_sqlite_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let number = AtomicU32::new(0);
    platform_suites::store::suite(|clock| {
        let path = folder.path().join(format!("{}.db", number.fetch_add(1, Ordering::Relaxed)));
        Arc::new(SqliteStore::open(&path, clock).unwrap())
    })
    .await;
}

#[test]
fn the_store_in_sqlite_says_what_the_one_in_memory_says() {
    platform_suites::store::same_as_in_memory(async |clock| {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("store.db"), clock).unwrap();
        (Arc::new(store) as Arc<dyn Store>, folder)
    });
}
