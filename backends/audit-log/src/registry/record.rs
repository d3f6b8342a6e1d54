//! What the store knows about a log. The members are those of `docs/audit.md`. Next: [`super::Registry`], which changes them.

use jiff::Timestamp;
use platform::store::{Collection, Index};
use serde::{Deserialize, Serialize};

/// One record per log, by origin: [`LogRecord`].
pub const AUDIT_LOGS: Collection =
    Collection { name: "audit_logs", indexes: &[Index { name: "state", pointer: "/state" }] };

/// The last countersigned note of every hour: [`KeptNote`], by `<origin>@<hour>`.
pub const AUDIT_CHECKPOINTS: Collection =
    Collection { name: "audit_checkpoints", indexes: &[Index { name: "origin", pointer: "/origin" }] };

/// Sessions that a record keeps.
pub(super) const SESSIONS: usize = 16;

/// How a log stands in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RegisteredState {
    /// A process has it open, or had and did not close it.
    Open,
    /// It was closed in order.
    Closed,
    /// It was left behind: what continues it elsewhere is another log.
    Forked,
}

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionEnd {
    /// The process closed the log.
    Closed,
    /// It did not, and the next one found that.
    Crashed,
}

/// One time that a process had the log open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Drawn at random when it was opened.
    pub instance: String,
    /// Name of the machine.
    pub host: String,
    /// The log's folder.
    pub folder: String,
    /// What tells the log's file from a copy of it: inode number and time of birth.
    pub file: String,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// Records that it held then.
    pub opened_size: u64,
    /// When it was closed, or found unclosed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<Timestamp>,
    /// Records that it held then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_size: Option<u64>,
    /// How it ended; absent while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<SessionEnd>,
}

/// The log before this one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Predecessor {
    /// Its origin.
    pub log: String,
    /// Its last tree: of an orderly change the whole log, after a fork the last one that was countersigned.
    pub size: u64,
    /// Root of that tree, lower-case hexadecimal.
    pub root: String,
    /// Chain value of its last record, lower-case hexadecimal.
    pub chain: String,
    /// `keys_rotated`, or `fork: <text>`.
    pub reason: String,
}

/// Why a log was left behind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fork {
    /// Records up to which it is kept.
    pub at_size: u64,
    /// In a sentence.
    pub reason: String,
    /// When that was recorded.
    pub at: Timestamp,
}

/// A log as the store knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogRecord {
    /// `interlock.audit/<32 hexadecimal digits>`.
    pub origin: String,
    /// C2SP verifier key of the log.
    pub verifier_key: String,
    /// C2SP verifier key of the last countersignature; empty before the first.
    pub countersigner: String,
    /// How it stands.
    pub state: RegisteredState,
    /// Records that the last countersigned checkpoint covers; 0 before the first.
    pub size: u64,
    /// Its root, lower-case hexadecimal; empty before the first.
    pub root: String,
    /// Its chain value, lower-case hexadecimal; empty before the first.
    pub chain: String,
    /// The note with both signatures; empty before the first.
    pub note: String,
    /// How many checkpoints were countersigned.
    pub checkpoints: u64,
    /// When the last one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpointed_at: Option<Timestamp>,
    /// When the process that has it open last showed that it lives.
    pub seen_at: Timestamp,
    /// The last times that it was open, oldest first.
    pub sessions: Vec<Session>,
    /// The log before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predecessor: Option<Predecessor>,
    /// The log after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub successor: Option<String>,
    /// Why it was left behind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fork: Option<Fork>,
}

impl LogRecord {
    pub(super) fn new(origin: &str, verifier_key: &str, now: Timestamp) -> Self {
        Self {
            origin: origin.to_owned(),
            verifier_key: verifier_key.to_owned(),
            countersigner: String::new(),
            state: RegisteredState::Open,
            size: 0,
            root: String::new(),
            chain: String::new(),
            note: String::new(),
            checkpoints: 0,
            checkpointed_at: None,
            seen_at: now,
            sessions: Vec::new(),
            predecessor: None,
            successor: None,
            fork: None,
        }
    }

    /// The session that has not ended.
    pub fn running(&self) -> Option<&Session> {
        self.sessions.last().filter(|session| session.end.is_none())
    }

    /// What a log that follows this one after a fork says of it.
    pub(crate) fn as_forked_predecessor(&self) -> Option<Predecessor> {
        let fork = self.fork.as_ref()?;
        Some(Predecessor {
            log: self.origin.clone(),
            size: self.size,
            root: self.root.clone(),
            chain: self.chain.clone(),
            reason: format!("fork: {}", fork.reason),
        })
    }
}

/// A note of the history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptNote {
    /// The log.
    pub origin: String,
    /// Records that it covers.
    pub size: u64,
    /// When it was countersigned.
    pub at: Timestamp,
    /// With both signatures.
    pub note: String,
}
