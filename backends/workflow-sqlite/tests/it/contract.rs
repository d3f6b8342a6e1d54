//! The suite that every engine must pass.

use crate::bench::SqliteBench;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_engine_over_sqlite_keeps_the_contract() {
    workflow_suites::suite(async || SqliteBench::new()).await;
}
