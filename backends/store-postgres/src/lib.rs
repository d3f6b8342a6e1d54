//! The store of truth for more than one machine: `platform::store::Store` in PostgreSQL (rules T7, T20, T24).
//!
//! Every transaction takes, before it reads anything, one advisory lock for each thing it names, in one order for all, and
//! keeps them until its commit is visible. So transactions on the same thing follow one another, each sees what the last
//! one left, and no two wait for each other; transactions on different things share the disk's syncs.
//!
//! Where next: [`PostgresStore`]; `locks` for what is locked and why that is linearisable; `holder` for the rule that one
//! process alone uses a store that is not shared; `schema` for the tables; `records`, `reservations` and `calls` for the
//! operations; `docs/store.md` for what callers see when the server dies.

mod apply;
mod calls;
mod holder;
mod locks;
mod purge;
mod records;
mod reservations;
mod schema;
mod text;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use platform::error::Error;
use platform::store::{Collection, Conflict, Op, OpResult, OpenIntent, Query, Record, Store, TransactError, Voided};
use platform::{Clock, SharedClock};
use postgres_database::{Database, Transaction, Work};

use self::apply::{Abort, Moment};
use self::holder::Holder;
pub use self::holder::Sharing;
use self::locks::Locks;

/// Transactions between two opportunistic purges.
const PURGE_EVERY: u64 = 256;

/// `platform::store::Store` in PostgreSQL. Clones share its connections.
#[derive(Clone)]
pub struct PostgresStore {
    database: Database,
    clock: SharedClock,
    holder: Option<Arc<Holder>>,
    transactions: Arc<AtomicU64>,
}

impl PostgresStore {
    /// Opens the store: makes or migrates its tables, and removes what has expired. What counts as expired is judged by
    /// `clock`, which every replica must have right to a few seconds.
    ///
    /// Errors: `store_in_use` when it is for one process and another one has it (T24), `store_too_new`,
    /// `store_migration_changed`, `store_denied`, `store_unavailable`.
    pub async fn open(database: Database, sharing: Sharing, clock: SharedClock) -> Result<Self, Error> {
        database.migrate(schema::COMPONENT).await?;
        let holder = match sharing {
            Sharing::Alone => Some(Arc::new(Holder::take(&database).await.map_err(Abort::into_error)?)),
            Sharing::Replicas => None,
        };
        purge::everything(&database, Moment::read(clock.as_ref())).await?;
        Ok(Self { database, clock, holder, transactions: Arc::default() })
    }

    /// A transaction over what `locks` names. The clock is read when they are had, not when they were asked for (T7).
    async fn locked<T, F>(&self, locks: Locks, work: F) -> Result<T, Abort>
    where
        T: Send,
        F: for<'a> Fn(&'a Transaction<'a>, Moment) -> Work<'a, T, Abort> + Send + Sync + 'static,
    {
        let (locks, work, holder, clock) = (Arc::new(locks), Arc::new(work), self.holder.clone(), self.clock.clone());
        let answer = self.database.write(move |transaction| {
            let (locks, work, holder, clock) = (locks.clone(), work.clone(), holder.clone(), clock.clone());
            Box::pin(async move {
                locks.take(transaction).await?;
                if let Some(holder) = &holder {
                    holder.confirm(transaction).await?;
                }
                work(transaction, Moment::read(clock.as_ref())).await
            })
        });
        answer.await
    }

    fn purge_sometimes(&self) {
        if self.transactions.fetch_add(1, Ordering::Relaxed) % PURGE_EVERY != PURGE_EVERY - 1 {
            return;
        }
        let (database, now) = (self.database.clone(), Moment::read(self.clock.as_ref()));
        tokio::spawn(async move {
            // Nobody's answer depends on it: what stays now goes the next time.
            if let Err(error) = purge::some(&database, now).await {
                tracing::warn!(%error, "what has expired could not be removed from the store");
            }
        });
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn transact(&self, ops: Vec<Op>) -> Result<Vec<OpResult>, TransactError> {
        self.purge_sometimes();
        let (locks, ops) = (Locks::of(&ops), Arc::new(ops));
        let answer = self.locked(locks, move |transaction, now| {
            let ops = Arc::clone(&ops);
            Box::pin(async move { apply::all(transaction, now, &ops).await })
        });
        answer.await.map_err(Abort::into_transact_error)
    }

    async fn get(&self, collection: Collection, id: &str) -> Result<Option<Record>, Error> {
        let now = Moment::read(self.clock.as_ref());
        records::get(&self.database, now, collection, id).await.map_err(Abort::into_error)
    }

    async fn list(&self, query: Query<'_>) -> Result<Vec<Record>, Error> {
        let now = Moment::read(self.clock.as_ref());
        records::list(&self.database, now, &query).await.map_err(Abort::into_error)
    }

    async fn key_state(&self, scope: &str, key: &str, digest: &str) -> Result<Option<Conflict>, Error> {
        let now = Moment::read(self.clock.as_ref());
        calls::key_state(&self.database, now, calls::Key { scope, key }, digest).await.map_err(Abort::into_error)
    }

    async fn open_intents(&self) -> Result<Vec<OpenIntent>, Error> {
        calls::open_intents(&self.database).await.map_err(Abort::into_error)
    }

    async fn release_abandoned(&self) -> Result<u64, Error> {
        let answer = self.locked(Locks::everything(), |transaction, _| Box::pin(calls::release_abandoned(transaction)));
        answer.await.map_err(Abort::into_error)
    }

    async fn void_after_restore(&self) -> Result<Voided, Error> {
        let answer =
            self.locked(Locks::everything(), |transaction, now| Box::pin(calls::void_after_restore(transaction, now)));
        answer.await.map_err(Abort::into_error)
    }
}

impl std::fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresStore").field("database", &self.database).finish_non_exhaustive()
    }
}

impl Moment {
    fn read(clock: &dyn Clock) -> Self {
        Self(clock.epoch_seconds())
    }
}
