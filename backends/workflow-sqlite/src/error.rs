//! How the journal can fail, and what callers of the platform read about it.

use platform::{Error, ErrorKind};
use sqlite_file::FileError;

/// A failure of the journal. None of them says anything about a body: those park.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum JournalError {
    /// Another driver has taken the lease: this one commits nothing any more.
    #[error("the lease on the journal was taken by another driver")]
    LeaseLost,
    /// The file, the disk: tried again, and reported.
    #[error(transparent)]
    File(#[from] FileError),
    /// A row that this binary cannot read.
    #[error("{0}")]
    Unreadable(String),
    /// What a caller gave does not fit.
    #[error("{0}")]
    Unfit(&'static str),
}

impl From<rusqlite::Error> for JournalError {
    fn from(error: rusqlite::Error) -> Self {
        Self::File(error.into())
    }
}

impl From<JournalError> for Error {
    fn from(error: JournalError) -> Self {
        match error {
            JournalError::LeaseLost => Self::new(
                ErrorKind::Unavailable,
                "workflow_lease_lost",
                "Another process drives the workflows of this state folder; nothing was changed.",
            ),
            JournalError::File(error) => error.into(),
            JournalError::Unreadable(_) | JournalError::Unfit(_) => Self::internal(error),
        }
    }
}
