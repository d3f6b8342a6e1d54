//! The store of truth on one machine: `platform::store::Store` in one SQLite file (rules T7, T20, T24).
//!
//! Where next: [`SqliteStore`]; `schema` for the tables and what is purged when; `records`, `reservations` and `calls`
//! for the operations.

mod apply;
mod calls;
mod peek;
mod purge;
mod records;
mod reservations;
mod schema;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use platform::error::Error;
use platform::store::{Collection, Conflict, Op, OpResult, OpenIntent, Query, Record, Store, TransactError, Voided};
use platform::{Clock, SharedClock};
use sqlite_file::SqliteFile;

use self::apply::{Abort, Moment};
pub use self::peek::peek;

/// Transactions between two opportunistic purges.
const PURGE_EVERY: u64 = 256;
/// Most rows that one purge takes from one table, so that no caller waits long for somebody else's rubbish.
const PURGE_ROWS: u32 = 512;

/// `platform::store::Store` in a SQLite file. Clones share the file.
#[derive(Clone)]
pub struct SqliteStore {
    file: SqliteFile,
    clock: SharedClock,
    transactions: Arc<AtomicU64>,
}

impl SqliteStore {
    /// Opens or creates the store at `path`, migrates it, and removes what has expired. Blocks; call it at start. What
    /// counts as expired is judged by `clock`.
    ///
    /// Errors: `store_in_use` (T24), `store_too_new`, `store_foreign`, `store_corrupt`, `store_unavailable`.
    pub fn open(path: &Path, clock: SharedClock) -> Result<Self, Error> {
        let now = Moment::read(clock.as_ref());
        let (file, ()) = SqliteFile::open_with(path, schema::LAYOUT, |connection| {
            purge::expired(connection, now, u32::MAX).map_err(sqlite_file::FileError::from)
        })?;
        Ok(Self { file, clock, transactions: Arc::new(AtomicU64::new(0)) })
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn transact(&self, ops: Vec<Op>) -> Result<Vec<OpResult>, TransactError> {
        let clock = Arc::clone(&self.clock);
        let purge = self.transactions.fetch_add(1, Ordering::Relaxed) % PURGE_EVERY == PURGE_EVERY - 1;
        let work = move |connection: &rusqlite::Connection| {
            // The clock is read when the transaction runs, not when it was queued (T7).
            let now = Moment::read(clock.as_ref());
            if purge {
                purge::expired(connection, now, PURGE_ROWS)?;
            }
            apply::all(connection, now, ops)
        };
        self.file.write(work).await.map_err(Abort::into_transact_error)
    }

    async fn get(&self, collection: Collection, id: &str) -> Result<Option<Record>, Error> {
        let (id, now) = (id.to_owned(), Moment::read(self.clock.as_ref()));
        self.file
            .read(move |connection| records::get(connection, now, collection, &id))
            .await
            .map_err(Abort::into_error)
    }

    async fn list(&self, query: Query<'_>) -> Result<Vec<Record>, Error> {
        let page = records::Page::of(&query)?;
        let now = Moment::read(self.clock.as_ref());
        self.file.read(move |connection| records::list(connection, now, &page)).await.map_err(Abort::into_error)
    }

    async fn key_state(&self, scope: &str, key: &str, digest: &str) -> Result<Option<Conflict>, Error> {
        let (scope, key, digest) = (scope.to_owned(), key.to_owned(), digest.to_owned());
        let now = Moment::read(self.clock.as_ref());
        let work = move |connection: &rusqlite::Connection| {
            calls::state(connection, now, calls::Key { scope: &scope, key: &key }, &digest)
        };
        self.file.read(work).await.map_err(Abort::into_error)
    }

    async fn open_intents(&self) -> Result<Vec<OpenIntent>, Error> {
        self.file.read(calls::open_intents).await.map_err(Abort::into_error)
    }

    async fn release_abandoned(&self) -> Result<u64, Error> {
        self.file.write(calls::release_abandoned).await.map_err(Abort::into_error)
    }

    async fn void_after_restore(&self) -> Result<Voided, Error> {
        let now = Moment::read(self.clock.as_ref());
        self.file.write(move |c| calls::void_after_restore(c, now)).await.map_err(Abort::into_error)
    }
}

impl std::fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteStore").field("file", &self.file).finish_non_exhaustive()
    }
}

impl Moment {
    fn read(clock: &dyn Clock) -> Self {
        Self(clock.epoch_seconds())
    }
}
