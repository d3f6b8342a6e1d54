//! How a SQLite file can fail, and what callers of the platform read about it.

use platform::{Error, ErrorKind};
use rusqlite::ErrorCode;

/// A failure of the file. It can be cloned because one failed commit fails every job of its group.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// Somebody else holds the file (T24).
    #[error("{path} is held by process {holder}")]
    InUse {
        /// The file.
        path: String,
        /// Process id as that process wrote it down; `?` when it cannot be read.
        holder: String,
    },
    /// The file was migrated by a newer binary.
    #[error("{path} has schema {found}, this binary knows up to {known}")]
    TooNew {
        /// The file.
        path: String,
        /// Schema number in the file.
        found: i64,
        /// Newest schema number of this binary.
        known: i64,
    },
    /// A migration that was applied is not the one that this binary knows under its number.
    #[error("migration {version} of {path} is not the one that was applied")]
    Changed {
        /// The file.
        path: String,
        /// Number of the migration.
        version: i64,
    },
    /// A SQLite file, but of another sort.
    #[error("{path} carries application id {found}, expected {expected}")]
    Foreign {
        /// The file.
        path: String,
        /// Application id in the file.
        found: i32,
        /// Application id expected.
        expected: i32,
    },
    /// Disk full, I/O error, no permission, busy. Nothing happened.
    #[error("{0}")]
    Unavailable(String),
    /// Not a database, or a damaged one.
    #[error("{0}")]
    Corrupt(String),
    /// The commit failed after its bytes may have reached the disk. The file takes no more writes until it is opened
    /// again, because a failed sync may have dropped pages that SQLite believes to be safe.
    #[error("{0}")]
    OutcomeUnknown(String),
    /// A defect of ours: a statement that does not fit the schema, a panic in a job.
    #[error("{0}")]
    Defect(String),
}

impl From<rusqlite::Error> for FileError {
    fn from(error: rusqlite::Error) -> Self {
        let text = error.to_string();
        match error.sqlite_error_code() {
            Some(
                ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen
                | ErrorCode::ReadOnly
                | ErrorCode::PermissionDenied
                | ErrorCode::OutOfMemory
                | ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::FileLockingProtocolFailed
                | ErrorCode::OperationAborted
                | ErrorCode::OperationInterrupted,
            ) => Self::Unavailable(text),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Corrupt(text),
            _ => Self::Defect(text),
        }
    }
}

impl From<std::io::Error> for FileError {
    fn from(error: std::io::Error) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<FileError> for Error {
    fn from(error: FileError) -> Self {
        let refusal = match &error {
            FileError::InUse { .. } => Self::new(
                ErrorKind::Unavailable,
                "store_in_use",
                "Another process uses this state folder; stop it, or start this one with a folder of its own.",
            ),
            FileError::TooNew { .. } => Self::new(
                ErrorKind::Unavailable,
                "store_too_new",
                "A newer version of Interlock has written this state folder; start that version, or restore a backup.",
            ),
            FileError::Changed { .. } => Self::new(
                ErrorKind::Unavailable,
                "store_migration_changed",
                "This store was made by another build of Interlock, whose tables differ; start that build, or restore a backup.",
            ),
            FileError::Foreign { .. } => Self::new(
                ErrorKind::Unavailable,
                "store_foreign",
                "The file is a database of another sort; check the configured state folder.",
            ),
            FileError::Unavailable(_) => Self::new(
                ErrorKind::Unavailable,
                "store_unavailable",
                "The store cannot be used right now, and nothing was changed; try again, and tell the operator if it stays so.",
            ),
            FileError::Corrupt(_) => Self::new(
                ErrorKind::Unavailable,
                "store_corrupt",
                "The store is damaged; the operator must restore a backup before Interlock can go on.",
            ),
            FileError::OutcomeUnknown(_) => Self::new(
                ErrorKind::Unavailable,
                "store_outcome_unknown",
                "The store failed while writing, and it cannot be told whether the write stands; the operator must restart Interlock.",
            ),
            FileError::Defect(_) => return Self::internal(error),
        };
        refusal.with_detail(error)
    }
}
