//! What a verification says. Everything serialises, for `--json`. Next: [`super::verify()`], which fills it in.

use serde::{Deserialize, Serialize};

use super::payloads::PayloadCounts;
use crate::recovery::OpenIntent;

/// The result of a verification.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Whether nothing was found.
    pub ok: bool,
    /// Name of the log.
    pub origin: String,
    /// Verifier key under which signatures were checked.
    pub verifier_key: String,
    /// Whether that key lay beside the log itself: then whoever changed the log could have changed the key too.
    pub self_attested: bool,
    /// Whether checkpoints kept elsewhere were compared.
    pub anchored: bool,
    /// How the log stands.
    pub state: LogState,
    /// Number of records, those that retention removed among them.
    pub records: u64,
    /// How many of them retention removed, from the first on; their hashes stand.
    pub removed: u64,
    /// The log that follows it, where its last record names one.
    pub successor: Option<String>,
    /// Number of checkpoints in the database.
    pub checkpoints: u64,
    /// Records that a checkpoint with a good signature covers.
    pub signed_records: u64,
    /// `@timestamp` of the first and of the last record.
    pub first_at: Option<String>,
    /// See `first_at`.
    pub last_at: Option<String>,
    /// Root of the tree over all records, lower-case hexadecimal.
    pub root: String,
    /// Writes without an outcome; on a running log they may simply be under way.
    pub open_intents: Vec<OpenIntent>,
    /// Sealed payloads (T26).
    pub payloads: PayloadCounts,
    /// The first record that is not as it was written, where one can be named.
    pub first_bad: Option<u64>,
    /// What is wrong, at most 50 findings.
    pub findings: Vec<Finding>,
    /// How many more findings there are.
    pub further_findings: u64,
    /// What an operator should know and what is no proof of tampering.
    pub notes: Vec<String>,
}

/// The result of a verification of all logs of a folder.
#[derive(Debug, Clone, Serialize)]
pub struct Verification {
    /// Whether nothing was found, in no log and between none.
    pub ok: bool,
    /// How the current log stands.
    pub state: LogState,
    /// Records of all logs.
    pub records: u64,
    /// The logs, oldest first; the last one is the current one.
    pub logs: Vec<Report>,
    /// What is wrong between the logs.
    pub findings: Vec<LogFinding>,
    /// What an operator should know of all of them.
    pub notes: Vec<String>,
}

impl Verification {
    pub(super) fn new(logs: Vec<Report>, findings: Vec<LogFinding>, mut notes: Vec<String>, unreadable: usize) -> Self {
        if unreadable > 0 {
            notes.push(format!("the anchors have {unreadable} blocks that are no checkpoints"));
        }
        Self {
            ok: findings.is_empty() && logs.iter().all(|log| log.ok),
            state: logs.last().map_or(LogState::Empty, |log| log.state),
            records: logs.iter().map(|log| log.records).sum(),
            logs,
            findings,
            notes,
        }
    }
}

/// One thing that is wrong with a log as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogFinding {
    /// What sort.
    pub kind: FindingKind,
    /// Which log.
    pub log: String,
    /// In a sentence.
    pub message: String,
}

/// How a log stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogState {
    /// A process writes it now.
    Running,
    /// It was closed in order.
    Closed,
    /// Nobody writes it and it was not closed: the process was killed.
    Unclosed,
    /// It holds no record.
    Empty,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What sort.
    pub kind: FindingKind,
    /// The record or tree size that it concerns.
    pub position: Option<u64>,
    /// In a sentence.
    pub message: String,
}

/// The sorts of findings; their names are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// A record does not fit its hash: record or hash was edited, or a neighbour exchanged.
    RecordChanged,
    /// A record says another position than the one where it stands.
    RecordMoved,
    /// A position has no record.
    RecordMissing,
    /// A record is no canonical JSON record.
    RecordUnreadable,
    /// A signed checkpoint has another root or chain than the records: they were rewritten as a whole.
    HistoryRewritten,
    /// A checkpoint covers more records than there are: the end was cut off, or an old copy put back.
    LogTruncated,
    /// A signature does not verify.
    SignatureInvalid,
    /// A checkpoint is signed by another key than the one given.
    KeyMismatch,
    /// A checkpoint, the anchor or the key belongs to another log.
    OriginMismatch,
    /// A row of the checkpoint table is no checkpoint, or not the one of its size.
    CheckpointUnreadable,
    /// A checkpoint that must exist does not.
    CheckpointMissing,
    /// A sealed payload is not the one that its record was written with.
    PayloadChanged,
    /// A checkpoint elsewhere lacks the countersignature of the given key.
    CountersignatureMissing,
    /// Records are gone, and no record of the log itself says that they were removed.
    RecordsRemoved,
    /// Two histories of one log were signed, or two logs follow one, or a log stands there twice.
    LogForked,
    /// A log that a key, an anchor, the registry or another log knows is not there.
    LogMissing,
    /// A log that was followed or set aside was never closed.
    LogUnclosed,
    /// A log stands under another log's name.
    LogMisplaced,
    /// Nothing that is relied on speaks of this log.
    LogUnvouched,
    /// A table can be changed by ordinary statements: a trigger is gone or was altered.
    TableUnprotected,
    /// The database file is damaged.
    DatabaseDamaged,
}
