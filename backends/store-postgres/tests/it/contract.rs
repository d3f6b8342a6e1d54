//! The suite that every store must pass, and random transactions.

use std::sync::{Arc, Mutex};

use engines::Postgres;
use interlock_store_postgres::Sharing;
use platform::store::Store;
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use crate::open;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_store_in_postgresql_keeps_the_contract() {
    let Some(server) = Postgres::for_tests() else { return };
    let databases = Mutex::new(Vec::new());
    platform_suites::store::suite(|clock| {
        let fresh = server.database().unwrap();
        let store = block_in_place(|| Handle::current().block_on(open(&fresh, Sharing::Alone, clock))).unwrap();
        databases.lock().unwrap().push(fresh);
        Arc::new(store) as Arc<dyn Store>
    })
    .await;
}

#[test]
fn the_store_in_postgresql_says_what_the_one_in_memory_says() {
    let Some(server) = Postgres::for_tests() else { return };
    platform_suites::store::same_as_in_memory(async |clock| {
        let fresh = server.database().unwrap();
        let store = open(&fresh, Sharing::Replicas, clock).await.unwrap();
        (Arc::new(store) as Arc<dyn Store>, fresh)
    });
}
