//! How a database can fail, and what callers of the platform read about it. The codes are those of a SQLite file, where
//! the same thing has happened.

use platform::{Error, ErrorKind};
use tokio_postgres::error::{Severity, SqlState};

/// A failure of the database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseError {
    /// It cannot be reached, is starting or stopping, is full, or took too long. Nothing happened.
    #[error("{0}")]
    Unavailable(String),
    /// The connection ended before the commit was sent. Nothing happened.
    #[error("{0}")]
    Lost(String),
    /// Another transaction was in the way, and ours was taken back: it may be repeated. Nothing happened.
    #[error("{0}")]
    Collision(String),
    /// The commit was sent and its answer was lost: it stands, or it does not.
    #[error("{0}")]
    OutcomeUnknown(String),
    /// The server does not know us, or does not let us do that.
    #[error("{0}")]
    Denied(String),
    /// The server is too old, or the database is not in UTF-8.
    #[error("{0}")]
    Unsuitable(String),
    /// The tables were migrated by a newer program.
    #[error("{component} has schema {found}, this program knows up to {known}")]
    TooNew {
        /// Whose tables.
        component: &'static str,
        /// Schema number in the database.
        found: i32,
        /// Newest schema number of this program.
        known: i32,
    },
    /// A migration that was applied is not the one that this program knows under its number.
    #[error("migration {version} of {component} is not the one that was applied")]
    Changed {
        /// Whose tables.
        component: &'static str,
        /// Number of the migration.
        version: i32,
    },
    /// The database says that it is damaged.
    #[error("{0}")]
    Corrupt(String),
    /// A defect of ours: a statement that does not fit the tables, a value that does not fit its type.
    #[error("{0}")]
    Defect(String),
}

impl DatabaseError {
    /// What an error before the commit was sent means. Whatever it is, the transaction does not stand.
    pub(crate) fn before_commit(error: tokio_postgres::Error) -> Self {
        let text = described(&error);
        let Some(state) = error.code() else { return Self::without_answer(&error, text) };
        match *state {
            SqlState::T_R_SERIALIZATION_FAILURE | SqlState::T_R_DEADLOCK_DETECTED => Self::Collision(text),
            SqlState::DATA_CORRUPTED | SqlState::INDEX_CORRUPTED => Self::Corrupt(text),
            SqlState::QUERY_CANCELED | SqlState::LOCK_NOT_AVAILABLE | SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT => {
                Self::Unavailable(text)
            }
            SqlState::INSUFFICIENT_PRIVILEGE | SqlState::INVALID_CATALOG_NAME => Self::Denied(text),
            SqlState::READ_ONLY_SQL_TRANSACTION | SqlState::CANNOT_CONNECT_NOW => Self::Unavailable(text),
            SqlState::ADMIN_SHUTDOWN | SqlState::CRASH_SHUTDOWN => Self::Lost(text),
            // By class (PostgreSQL, appendix A): 08 connection, 53 resources, 57 operator, 58 system; 28 authorisation.
            _ => match state.code().get(..2) {
                Some("08") => Self::Lost(text),
                Some("53" | "57" | "58") => Self::Unavailable(text),
                Some("28") => Self::Denied(text),
                _ => Self::Defect(text),
            },
        }
    }

    /// What an error means that is not the server's answer. The library has no public kinds; its texts are stable.
    fn without_answer(error: &tokio_postgres::Error, text: String) -> Self {
        let begins = |starts: &[&str]| starts.iter().any(|start| text.starts_with(start));
        if begins(&["error connecting", "error performing TLS handshake", "timeout waiting for server", "db error"]) {
            Self::Unavailable(text)
        } else if begins(&["invalid configuration", "authentication error"]) {
            Self::Denied(text)
        } else if error.is_closed() || begins(&["error communicating with the server", "unexpected message"]) {
            Self::Lost(text)
        } else {
            Self::Defect(text)
        }
    }

    /// What an error in answer to a commit means. An error that the server reports and goes on after (severity ERROR) has
    /// taken the transaction back; without such an answer nobody can tell.
    pub(crate) fn in_commit(error: tokio_postgres::Error) -> Self {
        let taken_back =
            error.as_db_error().is_some_and(|answer| matches!(answer.parsed_severity(), Some(Severity::Error)));
        if taken_back { Self::before_commit(error) } else { Self::OutcomeUnknown(described(&error)) }
    }
}

/// The error with its causes: its own text says little. A server's answer may quote the values of a row (DETAIL), which do
/// not belong in a log.
fn described(error: &tokio_postgres::Error) -> String {
    if let Some(answer) = error.as_db_error() {
        return format!("{} {}: {}", answer.severity(), answer.code().code(), answer.message());
    }
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

impl From<DatabaseError> for Error {
    fn from(error: DatabaseError) -> Self {
        let refusal = match &error {
            DatabaseError::Unavailable(_) | DatabaseError::Lost(_) | DatabaseError::Collision(_) => Self::new(
                ErrorKind::Unavailable,
                "store_unavailable",
                "The store cannot be used right now, and nothing was changed; try again, and tell the operator if it stays so.",
            ),
            DatabaseError::OutcomeUnknown(_) => Self::new(
                ErrorKind::Unavailable,
                "store_outcome_unknown",
                "The store failed while writing, and it cannot be told whether the write stands; look what stands before you repeat it.",
            ),
            DatabaseError::Denied(_) => Self::new(
                ErrorKind::Unavailable,
                "store_denied",
                "The database does not let Interlock in; the operator must check its role, its password and its rights.",
            ),
            DatabaseError::Unsuitable(_) => Self::new(
                ErrorKind::Unavailable,
                "store_unsuitable",
                "The database is not one that Interlock can use: PostgreSQL 13 or newer, in UTF-8.",
            ),
            DatabaseError::TooNew { .. } => Self::new(
                ErrorKind::Unavailable,
                "store_too_new",
                "A newer version of Interlock has written this store; start that version, or restore a backup.",
            ),
            DatabaseError::Changed { .. } => Self::new(
                ErrorKind::Unavailable,
                "store_migration_changed",
                "This store was made by another build of Interlock, whose tables differ; start that build, or restore a backup.",
            ),
            DatabaseError::Corrupt(_) => Self::new(
                ErrorKind::Unavailable,
                "store_corrupt",
                "The store is damaged; the operator must restore a backup before Interlock can go on.",
            ),
            DatabaseError::Defect(_) => return Self::internal(error),
        };
        refusal.with_detail(error)
    }
}
