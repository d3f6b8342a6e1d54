//! The store, as one of several platforms sees it. Where a test says so, this platform stands still before it does something,
//! as a process does that is stopped there; the others go on.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use platform::Error;
use platform::store::{Collection, Conflict, Op, OpResult, OpenIntent, Query, Record, Store, TransactError};
use platform_suites::MemoryStore;
use tokio::sync::oneshot;

/// Where a platform stands still.
struct Stop {
    before: Box<dyn Fn(&Op) -> bool + Send>,
    reached: oneshot::Sender<()>,
    goes_on: oneshot::Receiver<()>,
}

/// What a test holds of it.
pub(crate) struct Standing {
    reached: oneshot::Receiver<()>,
    goes_on: oneshot::Sender<()>,
}

impl Standing {
    /// Whether the platform stands there now.
    pub(crate) fn is_reached(&mut self) -> bool {
        self.reached.try_recv().is_ok()
    }

    /// Lets it go on.
    pub(crate) fn go_on(self) {
        self.goes_on.send(()).unwrap();
    }
}

/// The store of one platform.
pub(crate) struct WatchedStore {
    store: Arc<MemoryStore>,
    stop: Mutex<Option<Stop>>,
}

impl WatchedStore {
    pub(crate) fn over(store: Arc<MemoryStore>) -> Self {
        Self { store, stop: Mutex::new(None) }
    }

    /// Once, before the next transaction that holds such an operation.
    pub(crate) fn stands_before(&self, what: impl Fn(&Op) -> bool + Send + 'static) -> Standing {
        let ((reached, is_reached), (go, goes_on)) = (oneshot::channel(), oneshot::channel());
        *self.stop.lock().unwrap() = Some(Stop { before: Box::new(what), reached, goes_on });
        Standing { reached: is_reached, goes_on: go }
    }

    fn stop_of(&self, ops: &[Op]) -> Option<Stop> {
        self.stop.lock().unwrap().take_if(|stop| ops.iter().any(|op| (stop.before)(op)))
    }
}

#[async_trait]
impl Store for WatchedStore {
    async fn transact(&self, ops: Vec<Op>) -> Result<Vec<OpResult>, TransactError> {
        if let Some(Stop { reached, goes_on, .. }) = self.stop_of(&ops) {
            // A test that has ended waits for nobody.
            let _told = reached.send(());
            let _went_on = goes_on.await;
        }
        self.store.transact(ops).await
    }

    async fn get(&self, collection: Collection, id: &str) -> Result<Option<Record>, Error> {
        self.store.get(collection, id).await
    }

    async fn list(&self, query: Query<'_>) -> Result<Vec<Record>, Error> {
        self.store.list(query).await
    }

    async fn key_state(&self, scope: &str, key: &str, digest: &str) -> Result<Option<Conflict>, Error> {
        self.store.key_state(scope, key, digest).await
    }

    async fn open_intents(&self) -> Result<Vec<OpenIntent>, Error> {
        self.store.open_intents().await
    }

    async fn release_abandoned(&self) -> Result<u64, Error> {
        self.store.release_abandoned().await
    }
}
