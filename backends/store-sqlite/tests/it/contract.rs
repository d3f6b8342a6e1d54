//! The suite that every store must pass.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use interlock_store_sqlite::SqliteStore;

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
