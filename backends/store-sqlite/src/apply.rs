//! A transaction: its operations in order, in the savepoint that the writer has set for it.

use platform::error::{Error, ErrorKind};
use platform::store::{Conflict, Op, OpResult, TransactError};
use rusqlite::Connection;
use sqlite_file::FileError;

use crate::{calls, records, reservations};

/// The time at which a transaction or a read takes place, seconds since the epoch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment(pub(crate) i64);

/// Why a transaction or a read ends without effect.
#[derive(Debug)]
pub(crate) enum Abort {
    /// A condition of the operation at this position does not hold.
    Conflict { index: usize, conflict: Conflict },
    /// The file failed.
    File(FileError),
    /// The caller asked for something that no caller may ask for; the operator reads why.
    Defect(String),
}

impl From<FileError> for Abort {
    fn from(error: FileError) -> Self {
        Self::File(error)
    }
}

impl From<rusqlite::Error> for Abort {
    fn from(error: rusqlite::Error) -> Self {
        Self::File(error.into())
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
            Self::File(error) => error.into(),
            Self::Defect(why) => Error::internal(why),
        }
    }

    fn at(self, position: usize) -> Self {
        match self {
            Self::Conflict { conflict, .. } => Self::Conflict { index: position, conflict },
            Self::Defect(why) => Self::Defect(format!("operation {position}: {why}")),
            file @ Self::File(_) => file,
        }
    }
}

pub(crate) fn all(connection: &Connection, now: Moment, ops: Vec<Op>) -> Result<Vec<OpResult>, Abort> {
    let numbered = ops.into_iter().enumerate();
    numbered.map(|(position, op)| one(connection, now, op).map_err(|abort| abort.at(position))).collect()
}

fn one(connection: &Connection, now: Moment, op: Op) -> Result<OpResult, Abort> {
    match op {
        Op::Put { collection, id, expect, body, expires_at } => {
            records::put(connection, now, collection, &id, expect, &body, expires_at)
        }
        Op::Delete { collection, id, expect } => records::delete(connection, now, collection, &id, expect),
        Op::ConsumeOnce { namespace, id, expires_at } => {
            reservations::consume_once(connection, now, namespace, &id, expires_at)
        }
        Op::AddIfBelow { counter, amount, limit, window_ends_at } => {
            reservations::add_if_below(connection, &counter, amount, limit, window_ends_at)
        }
        Op::TakeLock { name, holder, lease_until } => {
            reservations::take_lock(connection, now, &name, &holder, lease_until)
        }
        Op::KeepLock { name, fence, lease_until } => {
            reservations::keep_lock(connection, now, &name, fence, lease_until)
        }
        Op::FreeLock { name, fence } => reservations::free_lock(connection, &name, fence),
        Op::ReserveKey { scope, key, digest, call_id, expires_at } => {
            calls::reserve_key(connection, now, calls::Key { scope: &scope, key: &key }, &digest, &call_id, expires_at)
        }
        Op::CompleteKey { scope, key, result } => {
            calls::complete_key(connection, calls::Key { scope: &scope, key: &key }, &result)
        }
        Op::ReleaseKey { scope, key } => calls::release_key(connection, calls::Key { scope: &scope, key: &key }),
        Op::OpenIntent { call_id, body } => calls::open_intent(connection, now, &call_id, &body),
        Op::SetHandle { call_id, handle } => calls::set_handle(connection, &call_id, &handle),
        Op::CloseIntent { call_id, outcome } => calls::close_intent(connection, now, &call_id, &outcome),
    }
}

/// SQLite's integers are signed; what does not fit is a defect of the caller, never a silent wrap.
pub(crate) fn signed(number: u64, what: &str) -> Result<i64, Abort> {
    i64::try_from(number).map_err(|_| Abort::Defect(format!("{what} {number} does not fit")))
}

pub(crate) fn unsigned(number: i64, what: &str) -> Result<u64, Abort> {
    u64::try_from(number).map_err(|_| Abort::Defect(format!("{what} {number} is negative")))
}
