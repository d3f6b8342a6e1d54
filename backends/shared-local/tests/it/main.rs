//! The state in this process against its contract.
#![cfg(test)]

use std::sync::Arc;

use interlock_shared_local::LocalShared;

#[tokio::test]
async fn the_local_shared_state_keeps_the_contract() {
    platform_suites::shared::suite(|| Arc::new(LocalShared::default())).await;
}
