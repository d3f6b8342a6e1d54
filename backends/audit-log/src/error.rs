//! What can go wrong with the log, and which refusal of the platform it becomes. Next: [`crate::log`].

use std::path::PathBuf;

use platform::error::{Error, ErrorKind};

/// A failure of the audit log.
#[derive(Debug, thiserror::Error)]
pub enum AuditFault {
    /// The file cannot be read or written now.
    #[error("the audit log cannot be read or written: {0}")]
    Database(#[from] rusqlite::Error),
    /// A file beside the database cannot be read or written now.
    #[error("{path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another process writes this log.
    #[error("another process has the audit log {0} open")]
    Locked(PathBuf),
    /// The log does not hold what it must hold: it was changed, cut or rolled back.
    #[error("the audit log is damaged at position {position}: {reason}")]
    Damaged {
        /// First position that is not as it was written; 0 when it concerns the whole file.
        position: u64,
        /// Why, in one sentence.
        reason: String,
    },
    /// The keys are no keys, or not this log's keys.
    #[error("{0}")]
    Key(&'static str),
    /// The file was laid out by a newer version of the program.
    #[error("the audit log has the layout {0}, which this version does not know")]
    Newer(i64),
    /// A place for checkpoints cannot be used as it is configured.
    #[error("{entry}: {reason}")]
    Anchor {
        /// The entry of `audit.anchors`.
        entry: String,
        /// What is wrong with it, in one sentence.
        reason: String,
    },
    /// No log of the folder has this name.
    #[error("no log of this folder is named as in `{0}`")]
    NoSuchLog(String),
    /// A proof cannot be made or is none.
    #[error("{0}")]
    Proof(String),
    /// The record has no canonical form.
    #[error("a record has no canonical form: {0}")]
    Record(String),
    /// The store or the replica answered so.
    #[error("{0}")]
    Store(Error),
    /// What is here does not continue what was countersigned, or what the replica holds.
    #[error("the audit log {origin} is forked: {reason}")]
    Forked {
        /// The log.
        origin: String,
        /// Why, in one sentence.
        reason: String,
    },
    /// The log holds less than was countersigned.
    #[error("the audit log {origin} holds {here} records and {countersigned} were countersigned")]
    RolledBack {
        /// The log.
        origin: String,
        /// Records that are here.
        here: u64,
        /// Records that the store or the replica knows.
        countersigned: u64,
    },
    /// Another process has the log open, in another place.
    #[error("the audit log {origin} is open at {host} in {folder}")]
    Elsewhere {
        /// The log.
        origin: String,
        /// Name of that machine.
        host: String,
        /// Folder there.
        folder: String,
    },
    /// The writer has ended.
    #[error("the audit log is closed")]
    Closed,
    /// A writer that failed before, said to those who waited with the one that failed.
    #[error("the audit log could not write: {0}")]
    Write(String),
    /// The record stands here, and not yet where the replicas share theirs.
    #[error("the record stands on this machine only: {0}")]
    HereOnly(String),
}

impl AuditFault {
    pub(crate) fn io(path: &std::path::Path, source: std::io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }

    pub(crate) fn damaged(position: u64, reason: impl Into<String>) -> Self {
        Self::Damaged { position, reason: reason.into() }
    }

    /// The same for each of those who waited together.
    pub(crate) fn repeated(&self) -> Self {
        match self {
            Self::Forked { origin, reason } => Self::forked(origin, reason.clone()),
            other => Self::Write(other.to_string()),
        }
    }

    /// The same for those whose records stand here all the same.
    pub(crate) fn here_only(&self) -> Self {
        match self {
            Self::Forked { origin, reason } => Self::forked(origin, reason.clone()),
            other => Self::HereOnly(other.to_string()),
        }
    }

    pub(crate) fn forked(origin: &str, reason: impl Into<String>) -> Self {
        Self::Forked { origin: origin.to_owned(), reason: reason.into() }
    }
}

impl From<AuditFault> for Error {
    fn from(fault: AuditFault) -> Self {
        if let AuditFault::Store(error) = fault {
            return error;
        }
        let (kind, code, message) = match &fault {
            AuditFault::Forked { .. } => (
                ErrorKind::Unavailable,
                "audit_forked",
                "The audit log here is not the one that was countersigned, so nothing is written to it and nothing is done; run `interlock audit verify` and keep the files for the enquiry.",
            ),
            AuditFault::RolledBack { .. } => (
                ErrorKind::Unavailable,
                "audit_rolled_back",
                "The audit log holds less than was countersigned: an old copy was put back, or its end is lost. Put the newest files back, or restore with `interlock restore`, which records the fork.",
            ),
            AuditFault::Elsewhere { .. } => (
                ErrorKind::Conflict,
                "audit_log_elsewhere",
                "Another process has this audit log open in another place; stop it, or wait a minute after it has died.",
            ),
            AuditFault::Locked(_) => (
                ErrorKind::Conflict,
                "audit_locked",
                "Another process writes this audit log; stop it, or give this one a state folder of its own.",
            ),
            AuditFault::Damaged { .. } => (
                ErrorKind::Unavailable,
                "audit_log_damaged",
                "The audit log is not as it was written; run `interlock audit verify` and keep the file for the enquiry.",
            ),
            AuditFault::Key(_) => (
                ErrorKind::Unavailable,
                "audit_key_unusable",
                "The audit log cannot be used with the keys at hand; give it the keys that it was made with.",
            ),
            AuditFault::Newer(_) => (
                ErrorKind::Unavailable,
                "audit_schema_newer",
                "The audit log was written by a newer version of this program; run that version or a later one.",
            ),
            AuditFault::Anchor { entry, reason } => {
                return Self::new(
                    ErrorKind::InvalidInput,
                    "audit_anchor_invalid",
                    format!("The anchor `{entry}` of `audit.anchors` cannot be used: {reason}."),
                );
            }
            AuditFault::NoSuchLog(_) => {
                return Self::new(
                    ErrorKind::NotFound,
                    "audit_not_found",
                    format!("{fault}; `audit verify` lists them."),
                );
            }
            AuditFault::Proof(reason) => {
                return Self::new(ErrorKind::InvalidInput, "audit_proof_impossible", format!("{reason}."));
            }
            AuditFault::Record(_) | AuditFault::Store(_) => return Self::internal(fault),
            AuditFault::Database(_)
            | AuditFault::Io { .. }
            | AuditFault::Closed
            | AuditFault::Write(_)
            | AuditFault::HereOnly(_) => (
                ErrorKind::Unavailable,
                "audit_unavailable",
                "The audit log cannot be written, so nothing is done; try again once the operator has made room for it.",
            ),
        };
        let error = Self::new(kind, code, message);
        let error = if matches!(fault, AuditFault::HereOnly(_)) { platform::audit::recorded(error) } else { error };
        error.with_detail(fault)
    }
}
