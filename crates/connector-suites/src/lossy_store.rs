//! A store that loses, on demand, the write of a target's handle: what a process does that dies between the target's answer
//! and its own next step.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use platform::Error;
use platform::store::{Op, OpResult, Store, TransactError};
use platform_suites::MemoryStore;
use platform_suites::store::{InterceptedStore, Interceptor};

/// The memory store, behind that switch.
pub type LossyStore = InterceptedStore<HandleLoss>;

/// The switch.
#[derive(Default)]
pub struct HandleLoss(AtomicBool);

impl HandleLoss {
    /// From now on handles are lost, or kept.
    pub fn lose_handles(&self, lose: bool) {
        self.0.store(lose, Ordering::SeqCst);
    }
}

#[async_trait]
impl Interceptor for HandleLoss {
    async fn transact(&self, inner: &MemoryStore, ops: Vec<Op>) -> Result<Vec<OpResult>, TransactError> {
        let handle = ops.iter().any(|op| matches!(op, Op::SetHandle { .. }));
        if handle && self.0.load(Ordering::SeqCst) {
            return Err(TransactError::Store(Error::internal("the handle is lost on purpose")));
        }
        inner.transact(ops).await
    }
}
