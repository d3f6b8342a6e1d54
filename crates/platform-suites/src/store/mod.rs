//! The contract of `platform::store::Store`: [`suite`], [`same_as_in_memory`] for random transactions, [`history`] for what
//! many callers see at a time, [`MemoryStore`], which keeps it without a disk, and [`InterceptedStore`], which breaks it on
//! purpose.

mod differential;
pub mod history;
mod intercepted;
mod memory;
mod records;
mod reservations;
mod restored;
mod writes;

use std::sync::Arc;

use platform::clock::AdjustableClock;
use platform::store::{Collection, Conflict, Index, Op, OpResult, Store, TransactError};
use platform::{Clock, SharedClock};

pub use self::differential::same_as_in_memory;
pub use self::intercepted::{InterceptedStore, Interceptor};
pub use self::memory::MemoryStore;

/// The collection that the suite writes to.
pub const NOTES: Collection = Collection {
    name: "suite_notes",
    indexes: &[Index { name: "owner", pointer: "/owner" }, Index { name: "state", pointer: "/state" }],
};

/// Runs every rule of the contract, each on a store of its own. `factory` makes an empty store that reads this clock.
pub async fn suite(factory: impl Fn(SharedClock) -> Arc<dyn Store>) {
    let fresh = || {
        let clock = Arc::new(AdjustableClock::default());
        Bench { store: factory(clock.clone()), clock }
    };
    records::run(&fresh).await;
    reservations::run(&fresh).await;
    writes::run(&fresh).await;
    restored::run(&fresh).await;
}

/// An empty store and its clock.
struct Bench {
    store: Arc<dyn Store>,
    clock: Arc<AdjustableClock>,
}

impl Bench {
    fn now(&self) -> i64 {
        self.clock.epoch_seconds()
    }

    /// One operation that must work.
    async fn ok(&self, op: Op) -> OpResult {
        let shown = format!("{op:?}");
        match self.store.transact(vec![op]).await {
            Ok(results) => results.into_iter().next().unwrap(),
            Err(error) => panic!("{shown}: {error}"),
        }
    }

    /// Operations that must end in a conflict.
    async fn conflict(&self, ops: Vec<Op>) -> (usize, Conflict) {
        let shown = format!("{ops:?}");
        match self.store.transact(ops).await {
            Err(TransactError::Conflict { index, conflict }) => (index, conflict),
            other => panic!("{shown}: expected a conflict, got {other:?}"),
        }
    }

    /// One operation that must end in a conflict.
    async fn refused(&self, op: Op) -> Conflict {
        let conflict = self.conflict(vec![op.clone()]).await.1;
        // A key tells the same to one who only asks.
        if let Op::ReserveKey { scope, key, digest, .. } = op {
            assert_eq!(self.store.key_state(&scope, &key, &digest).await.unwrap().as_ref(), Some(&conflict));
        }
        conflict
    }

    /// Operations that no caller may ask for.
    async fn defect(&self, op: Op) {
        let shown = format!("{op:?}");
        match self.store.transact(vec![op]).await {
            Err(TransactError::Store(error)) => assert_eq!(error.code(), "internal_error", "{shown}"),
            other => panic!("{shown}: expected a failure, got {other:?}"),
        }
    }
}
