//! The truth: what must survive anything. Collections of versioned records with declared indexes, and reservations
//! (keys, one-time ids, counters, fenced locks, intents) that change together in one transaction (rules T7, T20, T24).
//!
//! The store knows no domain noun: owners bring the types, as JSON. Implementations: `backends/store-sqlite`.

use async_trait::async_trait;

use crate::Json;
use crate::error::Error;

/// A collection of records. Declare it as a constant beside the type it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Collection {
    /// Stable name, `[a-z_]{1,40}`.
    pub name: &'static str,
    /// Declared indexes; a query may use only these.
    pub indexes: &'static [Index],
}

/// An index over one text member of a record's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Index {
    /// Stable name, `[a-z_]{1,40}`.
    pub name: &'static str,
    /// JSON pointer to the member, for example `/subject`. Records without it are not in the index.
    pub pointer: &'static str,
}

/// A stored record.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Id within its collection, at most 512 characters.
    pub id: String,
    /// 1 for the first version, one more with every write.
    pub revision: u64,
    /// The owner's type as JSON.
    pub body: Json,
    /// After this second since the epoch the record is as good as absent, and is removed at some later time.
    pub expires_at: Option<i64>,
}

/// What a write expects to find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// Whatever is there.
    Any,
    /// No live record.
    Absent,
    /// Exactly this revision.
    Revision(u64),
}

/// One operation of a transaction.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// Writes a record if what is there is what was expected.
    Put {
        /// Collection.
        collection: Collection,
        /// Id.
        id: String,
        /// Expectation.
        expect: Expect,
        /// New body.
        body: Json,
        /// Expiry, seconds since the epoch.
        expires_at: Option<i64>,
    },
    /// Removes a record if what is there is what was expected. Removing an absent record is fine under `Any`.
    Delete {
        /// Collection.
        collection: Collection,
        /// Id.
        id: String,
        /// Expectation.
        expect: Expect,
    },
    /// Uses a one-time id up: the second time is a conflict, until `expires_at`, after which the id may never be
    /// presented again by its owner's own rule.
    ConsumeOnce {
        /// What sort of id.
        namespace: &'static str,
        /// The id.
        id: String,
        /// When the memory of it may go, seconds since the epoch.
        expires_at: i64,
    },
    /// Adds to a counter unless that would pass the limit. The counter starts at 0 in every window.
    AddIfBelow {
        /// Counter.
        counter: String,
        /// Amount, at least 1.
        amount: u64,
        /// Limit.
        limit: u64,
        /// End of the window, seconds since the epoch; another value starts a new window.
        window_ends_at: i64,
    },
    /// Takes a lock that is free or whose lease has run out, and gets a new fencing number.
    TakeLock {
        /// Lock.
        name: String,
        /// Holder, for the message to others.
        holder: String,
        /// Lease end, seconds since the epoch.
        lease_until: i64,
    },
    /// Extends a lock that is still held under this fencing number.
    KeepLock {
        /// Lock.
        name: String,
        /// Fencing number.
        fence: u64,
        /// New lease end.
        lease_until: i64,
    },
    /// Frees a lock held under this fencing number; freeing one that is not held so is fine.
    FreeLock {
        /// Lock.
        name: String,
        /// Fencing number.
        fence: u64,
    },
    /// Reserves an idempotency key (T7). What is already known about the key decides.
    ReserveKey {
        /// Whose key, and for what: principal and tool.
        scope: String,
        /// The caller's key.
        key: String,
        /// Digest of what it was used for; another digest is a conflict.
        digest: String,
        /// The call that reserves.
        call_id: String,
        /// When the key may be forgotten, seconds since the epoch.
        expires_at: i64,
    },
    /// Stores the result of a reserved key.
    CompleteKey {
        /// Scope.
        scope: String,
        /// Key.
        key: String,
        /// Result as the owner seals it.
        result: Vec<u8>,
    },
    /// Gives a reserved key back, unless it has a result or an intent stands for its call.
    ReleaseKey {
        /// Scope.
        scope: String,
        /// Key.
        key: String,
    },
    /// Writes down that a side effect is about to happen.
    OpenIntent {
        /// The call.
        call_id: String,
        /// What will happen, for the one who settles it.
        body: Json,
    },
    /// Stores the target's handle of a side effect that has been started, before the first poll.
    SetHandle {
        /// The call.
        call_id: String,
        /// The handle.
        handle: Json,
    },
    /// Closes an intent with its outcome.
    CloseIntent {
        /// The call.
        call_id: String,
        /// `success`, `failure`, `not_started`, `unknown`.
        outcome: String,
    },
}

/// What an operation brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OpResult {
    /// Nothing to tell.
    Done,
    /// New revision of a record.
    Revision(u64),
    /// New fencing number.
    Fence(u64),
    /// New value of a counter.
    Count(u64),
}

/// Why nothing of a transaction happened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// A record is not what was expected.
    #[error("the record is not at the expected revision")]
    Revision {
        /// The revision that stands, if any.
        current: Option<u64>,
    },
    /// A one-time id was used before.
    #[error("the one-time id was used before")]
    AlreadyUsed,
    /// A counter would pass its limit.
    #[error("the limit is reached")]
    LimitReached {
        /// The value that stands.
        current: u64,
    },
    /// Somebody else holds the lock.
    #[error("the lock is held")]
    Locked {
        /// Holder.
        holder: String,
        /// Lease end, seconds since the epoch.
        lease_until: i64,
    },
    /// The lock is not held under that fencing number any more.
    #[error("the lock was lost")]
    LockLost,
    /// The key was used for something else.
    #[error("the idempotency key was used with other arguments")]
    KeyMismatch,
    /// The key's call is still running.
    #[error("the idempotency key's call is still running")]
    KeyInProgress,
    /// The key's call is finished; its result.
    #[error("the idempotency key's call is finished")]
    KeyDone {
        /// As stored.
        result: Vec<u8>,
    },
    /// The key's call has an intent without an outcome: it is never executed again (T7).
    #[error("the outcome of the idempotency key's call is unknown")]
    KeyOutcomeUnknown {
        /// The call that left it so.
        call_id: String,
    },
    /// No intent stands under that call id, or it is closed.
    #[error("the intent is not open")]
    NoIntent,
}

/// A transaction failed as a whole.
#[derive(Debug, thiserror::Error)]
pub enum TransactError {
    /// An operation's condition does not hold; nothing happened.
    #[error("operation {index}: {conflict}")]
    Conflict {
        /// Position of the operation.
        index: usize,
        /// Why.
        conflict: Conflict,
    },
    /// The store failed; nothing happened, or (`unknown`) it cannot be told.
    #[error("{0}")]
    Store(Error),
}

/// For a transaction whose conditions hold unless something is broken: what the store says is handed on, and a conflict is a
/// defect. Whoever expects one matches it before.
impl From<TransactError> for Error {
    fn from(error: TransactError) -> Self {
        match error {
            TransactError::Store(error) => error,
            conflict @ TransactError::Conflict { .. } => Self::internal(conflict),
        }
    }
}

/// An intent without an outcome.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenIntent {
    /// The call.
    pub call_id: String,
    /// What was about to happen.
    pub body: Json,
    /// The target's handle, if it was stored.
    pub handle: Option<Json>,
    /// When it was opened, seconds since the epoch.
    pub opened_at: i64,
}

/// What a restored store gave up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Voided {
    /// Reserved keys without a result: they answer that the outcome is unknown.
    pub keys: u64,
    /// Open intents: they are settled as unknown.
    pub intents: u64,
    /// Locks.
    pub locks: u64,
}

/// A page of a collection.
#[derive(Debug, Clone)]
pub struct Query<'a> {
    /// Collection.
    pub collection: Collection,
    /// Only records whose index member equals the text.
    pub filter: Option<(&'static str, &'a str)>,
    /// Only ids after this one, in the order of the page.
    pub after: Option<&'a str>,
    /// At most this many, ordered by id; 1 to 1000.
    pub limit: usize,
    /// The last id first: where ids are ordered by time, the newest.
    pub descending: bool,
}

/// The store of truth. Every transaction is durable when it returns, and linearisable.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Does all operations, or none.
    async fn transact(&self, ops: Vec<Op>) -> Result<Vec<OpResult>, TransactError>;

    /// One live record.
    async fn get(&self, collection: Collection, id: &str) -> Result<Option<Record>, Error>;

    /// Live records, ordered by id.
    async fn list(&self, query: Query<'_>) -> Result<Vec<Record>, Error>;

    /// What is known about an idempotency key, without reserving it. `digest` as in [`Op::ReserveKey`]; `None` when the
    /// key is free.
    async fn key_state(&self, scope: &str, key: &str, digest: &str) -> Result<Option<Conflict>, Error>;

    /// Intents without an outcome, oldest first.
    async fn open_intents(&self) -> Result<Vec<OpenIntent>, Error>;

    /// At start: releases every reserved key that has neither a result nor an intent, and returns how many there were.
    async fn release_abandoned(&self) -> Result<u64, Error>;

    /// In a store that was restored from a backup (T24), before anything is served from it: whatever was under way may have
    /// gone on after the backup. Reserved keys without a result and open intents have an unknown outcome from now on, no
    /// lock is held, and no fencing number that was given out since the backup is given out again.
    async fn void_after_restore(&self) -> Result<Voided, Error> {
        Err(Error::internal("this store is none that is restored from a backup of ours"))
    }
}

/// Removes every live record of a collection and says how many there were. Not one transaction: for a store that nobody else
/// uses.
pub async fn remove_all(store: &dyn Store, collection: Collection) -> Result<u64, Error> {
    const PAGE: usize = 500;
    let mut removed = 0;
    loop {
        let records =
            store.list(Query { collection, filter: None, after: None, limit: PAGE, descending: false }).await?;
        let full = records.len() == PAGE;
        removed += records.len() as u64;
        let delete = |record: Record| Op::Delete { collection, id: record.id, expect: Expect::Any };
        let ops: Vec<Op> = records.into_iter().map(delete).collect();
        if !ops.is_empty() {
            store.transact(ops).await?;
        }
        if !full {
            return Ok(removed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Conflict, TransactError};
    use crate::error::{Error, ErrorKind};

    #[test]
    fn a_store_that_is_away_stays_so_and_a_conflict_that_nobody_expects_is_a_defect() {
        let away = Error::new(ErrorKind::Unavailable, "store_unavailable", "The store does not answer.");
        assert_eq!(Error::from(TransactError::Store(away)).code(), "store_unavailable");
        let defect = Error::from(TransactError::Conflict { index: 2, conflict: Conflict::AlreadyUsed });
        assert_eq!(defect.code(), "internal_error");
        assert!(defect.detail().is_some_and(|detail| detail.starts_with("operation 2: ")), "{:?}", defect.detail());
    }
}
