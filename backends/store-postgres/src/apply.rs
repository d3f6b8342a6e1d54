//! A transaction: its operations in order, once everything they name is locked.

use platform::error::{Error, ErrorKind};
use platform::store::{Conflict, Op, OpResult, TransactError};
use postgres_database::types::FromSql;
use postgres_database::{DatabaseError, Failure, Row, Transaction};

use crate::{calls, records, reservations};

/// The time at which a transaction or a read takes place, seconds since the epoch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment(pub(crate) i64);

/// Why a transaction or a read ends without effect.
#[derive(Debug)]
pub(crate) enum Abort {
    /// A condition of the operation at this position does not hold.
    Conflict { index: usize, conflict: Conflict },
    /// The database failed.
    Database(DatabaseError),
    /// Another process holds this store (T24).
    InUse(String),
    /// The caller asked for something that no caller may ask for; the operator reads why.
    Defect(String),
}

impl From<DatabaseError> for Abort {
    fn from(error: DatabaseError) -> Self {
        Self::Database(error)
    }
}

impl From<serde_json::Error> for Abort {
    fn from(error: serde_json::Error) -> Self {
        Self::Defect(error.to_string())
    }
}

impl From<Conflict> for Abort {
    fn from(conflict: Conflict) -> Self {
        Self::Conflict { index: 0, conflict }
    }
}

impl Failure for Abort {
    fn database(&self) -> Option<&DatabaseError> {
        match self {
            Self::Database(error) => Some(error),
            _ => None,
        }
    }
}

impl Abort {
    pub(crate) fn into_transact_error(self) -> TransactError {
        match self {
            Self::Conflict { index, conflict } => TransactError::Conflict { index, conflict },
            other => TransactError::Store(other.into_error()),
        }
    }

    pub(crate) fn into_error(self) -> Error {
        match self {
            Self::Conflict { conflict, .. } => Error::new(
                ErrorKind::Conflict,
                "store_conflict",
                "Another call stands in the way; read again and repeat.",
            )
            .with_detail(conflict),
            Self::InUse(by) => Error::new(
                ErrorKind::Unavailable,
                "store_in_use",
                "Another process uses this store; stop it, or give this one a database of its own.",
            )
            .with_detail(by),
            Self::Database(error) => error.into(),
            Self::Defect(why) => Error::internal(why),
        }
    }

    fn at(self, position: usize) -> Self {
        match self {
            Self::Conflict { conflict, .. } => Self::Conflict { index: position, conflict },
            Self::Defect(why) => Self::Defect(format!("operation {position}: {why}")),
            other => other,
        }
    }
}

pub(crate) async fn all(transaction: &Transaction<'_>, now: Moment, ops: &[Op]) -> Result<Vec<OpResult>, Abort> {
    let mut results = Vec::with_capacity(ops.len());
    for (position, op) in ops.iter().enumerate() {
        results.push(one(transaction, now, op).await.map_err(|abort| abort.at(position))?);
    }
    Ok(results)
}

async fn one(transaction: &Transaction<'_>, now: Moment, op: &Op) -> Result<OpResult, Abort> {
    match op {
        Op::Put { collection, id, expect, body, expires_at } => {
            records::put(transaction, now, *collection, id, *expect, body, *expires_at).await
        }
        Op::Delete { collection, id, expect } => records::delete(transaction, now, *collection, id, *expect).await,
        Op::ConsumeOnce { namespace, id, expires_at } => {
            reservations::consume_once(transaction, now, namespace, id, *expires_at).await
        }
        Op::AddIfBelow { counter, amount, limit, window_ends_at } => {
            reservations::add_if_below(transaction, counter, *amount, *limit, *window_ends_at).await
        }
        Op::TakeLock { name, holder, lease_until } => {
            reservations::take_lock(transaction, now, name, holder, *lease_until).await
        }
        Op::KeepLock { name, fence, lease_until } => {
            reservations::keep_lock(transaction, now, name, *fence, *lease_until).await
        }
        Op::FreeLock { name, fence } => reservations::free_lock(transaction, name, *fence).await,
        Op::ReserveKey { scope, key, digest, call_id, expires_at } => {
            calls::reserve_key(transaction, now, calls::Key { scope, key }, digest, call_id, *expires_at).await
        }
        Op::CompleteKey { scope, key, result } => {
            calls::complete_key(transaction, calls::Key { scope, key }, result).await
        }
        Op::ReleaseKey { scope, key } => calls::release_key(transaction, calls::Key { scope, key }).await,
        Op::OpenIntent { call_id, body } => calls::open_intent(transaction, now, call_id, body).await,
        Op::SetHandle { call_id, handle } => calls::set_handle(transaction, call_id, handle).await,
        Op::CloseIntent { call_id, outcome } => calls::close_intent(transaction, now, call_id, outcome).await,
    }
}

/// A column of a row of ours.
pub(crate) fn column<'a, T: FromSql<'a>>(row: &'a Row, at: usize) -> Result<T, Abort> {
    row.try_get(at).map_err(|error| Abort::Defect(format!("column {at} of a row cannot be read: {error}")))
}

/// PostgreSQL's integers are signed; what does not fit is a defect of the caller, never a silent wrap.
pub(crate) fn signed(number: u64, what: &str) -> Result<i64, Abort> {
    i64::try_from(number).map_err(|_| Abort::Defect(format!("{what} {number} does not fit")))
}

pub(crate) fn unsigned(number: i64, what: &str) -> Result<u64, Abort> {
    u64::try_from(number).map_err(|_| Abort::Defect(format!("{what} {number} is negative")))
}
