//! The audit log: what was asked, by whom, what was decided, what came of it (rule T25). Implementations:
//! `backends/audit-log`.
//!
//! *Writes* have an intent record that is durable before the credential is leased, and an outcome record that is durable
//! before the reply. *Reads and refusals* have one record, durable before the reply. Arguments never enter a record:
//! only their keyed hash does. Field names on disk follow the Elastic Common Schema.

use std::net::IpAddr;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::Json;
use crate::context::CallContext;
use crate::error::{Error, ErrorKind};
use crate::policy::{Decision, Risk};
use crate::principal::Principal;

/// Which record of a call it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The only record of a read or a refusal.
    Call,
    /// Before a write.
    Intent,
    /// After a write.
    Outcome,
    /// Not a tool call: start, stop, sign-in, elevation, policy activation.
    Event,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It worked.
    Success,
    /// It was let through and failed.
    Failure,
    /// It was not let through.
    Refused,
    /// It is about to happen.
    Pending,
    /// It cannot be told (T20): the call was dropped, or the process died.
    Unknown,
}

/// Who, as the log keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditActor {
    /// Issuer.
    pub issuer: String,
    /// Subject.
    pub subject: String,
    /// Name.
    pub name: String,
    /// Groups.
    pub groups: Vec<String>,
    /// OAuth client.
    pub client_id: String,
    /// Actor chain, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub act: Vec<String>,
}

impl From<&Principal> for AuditActor {
    fn from(p: &Principal) -> Self {
        Self {
            issuer: p.issuer.clone(),
            subject: p.subject.clone(),
            name: p.name.clone(),
            groups: p.groups.clone(),
            client_id: p.client_id.clone(),
            act: p.actors.iter().map(|a| a.subject.clone()).collect(),
        }
    }
}

/// The tool of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditedTool {
    /// Server instance as requested.
    pub server: String,
    /// Tool as requested.
    pub tool: String,
    /// Risk, once resolved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub risk: Option<Risk>,
    /// Ids of resolved targets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<String>,
}

/// The decision of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditedDecision {
    /// `allow`, `challenge`, `deny`.
    pub effect: String,
    /// Reasons.
    pub reasons: Vec<String>,
    /// Policy revision.
    pub revision: String,
}

impl From<&Decision> for AuditedDecision {
    fn from(d: &Decision) -> Self {
        let effect = match d.effect {
            crate::policy::Effect::Allow => "allow",
            crate::policy::Effect::Challenge => "challenge",
            crate::policy::Effect::Deny => "deny",
        };
        Self { effect: effect.to_owned(), reasons: d.reasons.clone(), revision: d.revision.clone() }
    }
}

/// One record to append. The log adds sequence number, chain hash and the keyed hash of the arguments.
#[derive(Debug, Clone)]
pub struct AuditEntry {
    /// When it happened.
    pub at: Timestamp,
    /// Which record.
    pub phase: Phase,
    /// What: `tool.call`, `authentication.refused`, `elevation.granted`, `platform.started`, …
    pub action: String,
    /// What came of it.
    pub outcome: Outcome,
    /// Stable code of a refusal or failure.
    pub code: Option<String>,
    /// `x-request-id`; the same on both records of a write.
    pub request_id: Option<String>,
    /// The caller's own request id.
    pub client_request_id: Option<String>,
    /// W3C trace id.
    pub trace_id: Option<String>,
    /// Door.
    pub protocol: Option<String>,
    /// Caller's address.
    pub source: Option<IpAddr>,
    /// Caller; absent when nobody was recognised.
    pub actor: Option<AuditActor>,
    /// Tool.
    pub tool: Option<AuditedTool>,
    /// Arguments: hashed under the log's key, never written.
    pub arguments: Option<Json>,
    /// Decision.
    pub decision: Option<AuditedDecision>,
    /// How long the call took, microseconds.
    pub duration_us: Option<u64>,
    /// More facts, safe to keep in clear; members of `interlock` in the record.
    pub facts: serde_json::Map<String, Json>,
    /// What a replay needs and no reader of the log may see (T26): the full decision input. Sealed beside the record under
    /// the key of its month; the record holds the digest of the sealed bytes.
    pub payload: Option<Json>,
    /// Whether it is of a step that undoes a change. Such a step goes on when the disk is full (T25): the log keeps its
    /// record in room that was taken in advance.
    pub undo: bool,
}

impl AuditEntry {
    /// A record that is not a tool call.
    pub fn event(at: Timestamp, action: &str, outcome: Outcome) -> Self {
        Self {
            at,
            phase: Phase::Event,
            action: action.to_owned(),
            outcome,
            code: None,
            request_id: None,
            client_request_id: None,
            trace_id: None,
            protocol: None,
            source: None,
            actor: None,
            tool: None,
            arguments: None,
            decision: None,
            duration_us: None,
            facts: serde_json::Map::new(),
            payload: None,
            undo: false,
        }
    }

    /// The first form of a tool call's record: who, from where, and the requested name.
    pub fn tool_call(at: Timestamp, cx: &CallContext, server: &str, tool: &str) -> Self {
        let mut entry = Self::event(at, "tool.call", Outcome::Unknown);
        entry.phase = Phase::Call;
        entry.request_id = Some(cx.request_id.to_string());
        entry.client_request_id = cx.client_request_id.clone();
        entry.trace_id = Some(cx.trace.trace_id_hex());
        entry.protocol = Some(cx.protocol.as_str().to_owned());
        entry.source = Some(cx.source);
        entry.actor = Some(AuditActor::from(cx.principal.as_ref()));
        entry.tool =
            Some(AuditedTool { server: server.to_owned(), tool: tool.to_owned(), risk: None, targets: vec![] });
        entry
    }
}

/// Where a record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AuditPosition(pub u64);

/// An append-only, tamper-evident log.
#[async_trait]
pub trait AuditLog: Send + Sync + 'static {
    /// Appends a record; it is durable when this returns. Error: `audit_unavailable`, and then the caller must not act.
    async fn append(&self, entry: AuditEntry) -> Result<AuditPosition, Error>;

    /// Appends from a place that cannot wait (a dropped call). The log keeps it in line and makes it durable.
    fn append_detached(&self, entry: AuditEntry);

    /// The latest records, oldest first, for `audit tail` and `explain_refusal`: at most `limit`, only those that
    /// `filter` admits.
    async fn recent(&self, filter: AuditFilter, limit: usize) -> Result<Vec<Json>, Error>;

    /// Unseals the payload of a record of this log. Errors: `audit_record_unknown`, `audit_payload_absent`,
    /// `audit_payload_destroyed`, `audit_payload_changed`. Who may ask is policy's question; the log does not know.
    async fn payload(&self, position: AuditPosition) -> Result<Json, Error> {
        let _ = position;
        Err(payload_absent())
    }

    /// Proofs that records of this log are in a tree that it has signed, for whoever does not have the log. Nothing where the
    /// log signs none.
    async fn prove(&self, positions: &[AuditPosition]) -> Result<Option<AuditProofs>, Error> {
        let _ = positions;
        Ok(None)
    }
}

/// Proofs of records, made without the log's key.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditProofs {
    /// A document of the log's own form; its verifier reads it.
    pub document: Json,
    /// The records that it proves: those that a signed tree covers so far.
    pub covered: Vec<AuditPosition>,
}

/// The refusal of a position without a record.
pub fn record_unknown() -> Error {
    Error::new(
        ErrorKind::NotFound,
        "audit_record_unknown",
        "The audit log has no record at this position. `search_audit` lists those that there are.",
    )
}

/// The refusal of a log that holds no payload for a record.
pub fn payload_absent() -> Error {
    Error::new(
        ErrorKind::NotFound,
        "audit_payload_absent",
        "Nothing was sealed beside this record. Of a write, the intent has the payload; an event has none, and neither has \
         a call that was refused before policy was asked.",
    )
}

/// Marks a refusal of [`AuditLog::append`] whose record stands in the log nevertheless: on this machine, and not yet where
/// replicas share theirs.
#[must_use]
pub fn recorded(refusal: Error) -> Error {
    refusal.with_details(json!({ RECORDED: true }))
}

/// Whether the record of a refused append stands nevertheless: an intent that does needs its outcome (T25).
pub fn is_recorded(refusal: &Error) -> bool {
    refusal.refusal().details.as_ref().is_some_and(|details| details[RECORDED] == true)
}

const RECORDED: &str = "recorded";

/// Which records to show; what is absent admits every record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Only those with this `x-request-id`.
    pub request_id: Option<String>,
    /// Only those of this (issuer, subject).
    pub actor: Option<(String, String)>,
    /// Only those of a person with this name or subject, whatever the issuer.
    pub person: Option<String>,
    /// Only those of this server instance.
    pub server: Option<String>,
    /// Only those of this tool.
    pub tool: Option<String>,
    /// Only those that name this change.
    pub change: Option<String>,
    /// Only those with this outcome.
    pub outcome: Option<Outcome>,
    /// Only those with this refusal or failure code.
    pub code: Option<String>,
    /// Not before this time.
    pub from: Option<Timestamp>,
    /// Before this time.
    pub until: Option<Timestamp>,
    /// Only those after this position.
    pub after: Option<AuditPosition>,
    /// Only those before this position: the next page of a search goes backwards.
    pub before: Option<AuditPosition>,
}

/// A record as another place keeps it: byte for byte what the chain was taken over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicatedRecord {
    /// Position in its log.
    pub position: u64,
    /// The canonical line.
    pub line: String,
    /// Chain value after it.
    pub hash: [u8; 32],
    /// Its sealed payload, if it has one.
    pub payload: Option<Vec<u8>>,
}

/// The place of all logs' records where replicas share a database (T25): the owning process appends there before the
/// reply, and its local file is then only a spool. Implementation: `backends/audit-postgres`.
#[async_trait]
pub trait AuditReplica: Send + Sync + 'static {
    /// Appends records of the log `origin`, in order, durably, in one transaction. Records that stand there already with
    /// the same hash are passed over; one that differs, or a gap, is refused with `audit_forked`.
    async fn append(&self, origin: &str, records: Vec<ReplicatedRecord>) -> Result<(), Error>;

    /// The last record of a log that stands there: position and chain value.
    async fn last(&self, origin: &str) -> Result<Option<(u64, [u8; 32])>, Error>;

    /// At most `limit` records of a log after `position`, in order.
    async fn read(&self, origin: &str, after: u64, limit: usize) -> Result<Vec<ReplicatedRecord>, Error>;

    /// Origins of all logs that have a record there, sorted.
    async fn origins(&self) -> Result<Vec<String>, Error>;
}
