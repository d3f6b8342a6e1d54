//! A store that loses, on demand, the write of a target's handle: what a process does that dies between the target's answer
//! and its own next step.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use platform::Error;
use platform::store::{Collection, Conflict, Op, OpResult, OpenIntent, Query, Record, Store, TransactError};
use platform_suites::MemoryStore;

/// The memory store, behind that switch.
pub struct LossyStore {
    inner: MemoryStore,
    loses_handles: AtomicBool,
}

impl LossyStore {
    /// Over a memory store.
    pub fn new(inner: MemoryStore) -> Self {
        Self { inner, loses_handles: AtomicBool::new(false) }
    }

    /// From now on handles are lost, or kept.
    pub fn lose_handles(&self, lose: bool) {
        self.loses_handles.store(lose, Ordering::SeqCst);
    }

    /// All that it holds, as text: for a search after secrets.
    pub fn text(&self) -> String {
        self.inner.text()
    }
}

#[async_trait]
impl Store for LossyStore {
    async fn transact(&self, ops: Vec<Op>) -> Result<Vec<OpResult>, TransactError> {
        let handle = ops.iter().any(|op| matches!(op, Op::SetHandle { .. }));
        if handle && self.loses_handles.load(Ordering::SeqCst) {
            return Err(TransactError::Store(Error::internal("the handle is lost on purpose")));
        }
        self.inner.transact(ops).await
    }

    async fn get(&self, collection: Collection, id: &str) -> Result<Option<Record>, Error> {
        self.inner.get(collection, id).await
    }

    async fn list(&self, query: Query<'_>) -> Result<Vec<Record>, Error> {
        self.inner.list(query).await
    }

    async fn key_state(&self, scope: &str, key: &str, digest: &str) -> Result<Option<Conflict>, Error> {
        self.inner.key_state(scope, key, digest).await
    }

    async fn open_intents(&self) -> Result<Vec<OpenIntent>, Error> {
        self.inner.open_intents().await
    }

    async fn release_abandoned(&self) -> Result<u64, Error> {
        self.inner.release_abandoned().await
    }
}
