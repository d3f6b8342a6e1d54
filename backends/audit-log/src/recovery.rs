//! What an opening log finds: where it stands, how the last process ended, and which writes it left open (the restart
//! rule of T25). Next: [`crate::writer`], which goes on from there.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;

use jiff::Timestamp;
use platform::Json;
use platform::audit::{AuditActor, AuditEntry, AuditPosition, AuditedTool, Outcome, Phase};
use platform::policy::Risk;
use rusqlite::{Connection, OptionalExtension};
use serde::{Deserialize, Serialize};

use crate::checkpoint::{NoteFile, SignatureState, SignedCheckpoint};
use crate::error::AuditFault;
use crate::keys::PublicKey;
use crate::tree::{Frontier, Hash, chain_hash, leaf_hash};

/// How the process before this one ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PreviousEnd {
    /// There was none: the log is new.
    None,
    /// It closed the log.
    Closed,
    /// It did not: killed, or the power failed.
    Crashed,
}

/// A write whose outcome nobody recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenIntent {
    /// Where the intent stands.
    pub position: AuditPosition,
    /// When it was written.
    pub at: String,
    /// `x-request-id`.
    pub request_id: Option<String>,
    /// Who.
    pub actor: Option<AuditActor>,
    /// What on what.
    pub tool: Option<AuditedTool>,
}

/// What opening found, for the caller to act on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Opened {
    pub(crate) previous: PreviousEnd,
    pub(crate) last: AuditPosition,
    pub(crate) unknown: Vec<OpenIntent>,
}

impl Opened {
    /// How the last process ended.
    pub fn previous(&self) -> PreviousEnd {
        self.previous
    }

    /// The last position that it wrote; 0 of a new log.
    pub fn last_position(&self) -> AuditPosition {
        self.last
    }

    /// The writes that it left open; each now has an outcome record `outcome_unknown`.
    pub fn unknown_outcomes(&self) -> &[OpenIntent] {
        &self.unknown
    }
}

/// The writing end of the log.
#[derive(Debug, Clone, Default)]
pub(crate) struct Edge {
    pub(crate) frontier: Frontier,
    pub(crate) chain: Hash,
}

impl Edge {
    pub(crate) fn push(&mut self, line: &str) -> Hash {
        let leaf = leaf_hash(line.as_bytes());
        self.frontier.push(leaf);
        self.chain = chain_hash(&self.chain, &leaf);
        self.chain
    }

    /// Adds a leaf whose record is gone.
    pub(crate) fn push_leaf(&mut self, leaf: Hash) {
        self.frontier.push(leaf);
        self.chain = chain_hash(&self.chain, &leaf);
    }

    pub(crate) fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// Goes on over the rows after this edge, handing each line to `seen`. Error: the first row that is not as written.
    pub(crate) fn catch_up(&mut self, connection: &Connection, mut seen: impl FnMut(&str)) -> Result<(), AuditFault> {
        let mut statement =
            connection.prepare_cached("SELECT seq, line, hash FROM audit WHERE seq > ? ORDER BY seq")?;
        let mut rows = statement.query([i64::try_from(self.size()).unwrap_or(i64::MAX)])?;
        while let Some(row) = rows.next()? {
            let position: i64 = row.get(0)?;
            let due = self.size() + 1;
            if position.unsigned_abs() != due {
                return Err(AuditFault::damaged(due, "the record is missing"));
            }
            let line = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
            let hash: Hash = row.get(2)?;
            if self.push(line) != hash {
                return Err(AuditFault::damaged(due, "the record does not fit its hash"));
            }
            seen(line);
        }
        Ok(())
    }
}

/// Where the log stands, checked from its last checkpoint on. The second value is that checkpoint's size.
pub(crate) fn edge(connection: &Connection, origin: &str, key: &PublicKey) -> Result<(Edge, u64), AuditFault> {
    let last: Option<(String, Vec<u8>)> = connection
        .query_row("SELECT note, frontier FROM checkpoint ORDER BY size DESC LIMIT 1", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    let mut edge = Edge::default();
    if let Some((note, frontier)) = last {
        let signed = SignedCheckpoint::parse(&note)
            .filter(|signed| signed.checkpoint.origin == origin && signed.judge(key) == SignatureState::Good)
            .ok_or_else(|| AuditFault::damaged(0, "the last checkpoint is not signed by this log's key"))?;
        let size = signed.checkpoint.size;
        let frontier = Frontier::from_bytes(size, &frontier)
            .filter(|frontier| frontier.root() == signed.checkpoint.root)
            .ok_or_else(|| AuditFault::damaged(size, "the last checkpoint's tree is not the signed one"))?;
        let stored: Option<Hash> = connection
            .query_row("SELECT hash FROM audit WHERE seq = ?", [i64::try_from(size).unwrap_or(i64::MAX)], |row| {
                row.get(0)
            })
            .optional()?;
        if stored != Some(signed.checkpoint.chain) {
            return Err(AuditFault::damaged(size, "the record of the last checkpoint is missing or changed"));
        }
        edge = Edge { frontier, chain: signed.checkpoint.chain };
    }
    let checkpointed = edge.size();
    edge.catch_up(connection, |_| {})?;
    Ok((edge, checkpointed))
}

/// Compares the file of checkpoints with the database. Returns the notes that the file lacks; an error when the file
/// knows more than the database, which then was rolled back.
pub(crate) fn missing_notes(
    connection: &Connection,
    path: &Path,
    origin: &str,
    key: &PublicKey,
) -> Result<Vec<String>, AuditFault> {
    let file = NoteFile::read_end(path).map_err(|e| AuditFault::io(path, e))?;
    let last = file.notes.iter().rev().find(|note| note.judge(key) == SignatureState::Good);
    let mut known = 0;
    if let Some(last) = last {
        known = last.checkpoint.size;
        if last.checkpoint.origin != origin {
            return Err(AuditFault::damaged(0, "the checkpoints beside the database belong to another log"));
        }
        let stored: Option<String> = connection
            .query_row(
                "SELECT note FROM checkpoint WHERE size = ?",
                [i64::try_from(known).unwrap_or(i64::MAX)],
                |row| row.get(0),
            )
            .optional()?;
        if stored.and_then(|note| SignedCheckpoint::parse(&note)).map(|note| note.checkpoint)
            != Some(last.checkpoint.clone())
        {
            return Err(AuditFault::damaged(
                known,
                "a published checkpoint is not in the database: it was rolled back",
            ));
        }
    }
    let mut statement = connection.prepare("SELECT note FROM checkpoint WHERE size > ? ORDER BY size")?;
    let notes = statement.query_map([i64::try_from(known).unwrap_or(i64::MAX)], |row| row.get(0))?;
    Ok(notes.collect::<Result<_, _>>()?)
}

// The members of a record that an outcome takes over from its intent.
#[derive(Deserialize)]
struct Written {
    #[serde(rename = "@timestamp")]
    at: String,
    event: WrittenEvent,
    user: Option<WrittenUser>,
    source: Option<WrittenSource>,
    trace: Option<WrittenTrace>,
    interlock: WrittenOwn,
}

#[derive(Deserialize)]
struct WrittenEvent {
    action: String,
    sequence: u64,
}

#[derive(Deserialize)]
struct WrittenUser {
    id: String,
    name: String,
    roles: Vec<String>,
}

#[derive(Deserialize)]
struct WrittenSource {
    ip: std::net::IpAddr,
}

#[derive(Deserialize)]
struct WrittenTrace {
    id: String,
}

#[derive(Deserialize)]
struct WrittenOwn {
    phase: Phase,
    request_id: Option<String>,
    client_request_id: Option<String>,
    protocol: Option<String>,
    issuer: Option<String>,
    client_id: Option<String>,
    #[serde(default)]
    act: Vec<String>,
    server: Option<String>,
    tool: Option<String>,
    risk: Option<Risk>,
    #[serde(default)]
    targets: Vec<String>,
}

impl Written {
    fn actor(&self) -> Option<AuditActor> {
        self.user.as_ref().map(|user| AuditActor {
            issuer: self.interlock.issuer.clone().unwrap_or_default(),
            subject: user.id.clone(),
            name: user.name.clone(),
            groups: user.roles.clone(),
            client_id: self.interlock.client_id.clone().unwrap_or_default(),
            act: self.interlock.act.clone(),
        })
    }

    fn tool(&self) -> Option<AuditedTool> {
        Some(AuditedTool {
            server: self.interlock.server.clone()?,
            tool: self.interlock.tool.clone()?,
            risk: self.interlock.risk,
            targets: self.interlock.targets.clone(),
        })
    }

    fn intent(&self) -> OpenIntent {
        OpenIntent {
            position: AuditPosition(self.event.sequence),
            at: self.at.clone(),
            request_id: self.interlock.request_id.clone(),
            actor: self.actor(),
            tool: self.tool(),
        }
    }

    fn unknown_outcome(&self, now: Timestamp) -> AuditEntry {
        let mut entry = AuditEntry::event(now, &self.event.action, Outcome::Unknown);
        entry.phase = Phase::Outcome;
        entry.code = Some("outcome_unknown".to_owned());
        entry.request_id = self.interlock.request_id.clone();
        entry.client_request_id = self.interlock.client_request_id.clone();
        entry.trace_id = self.trace.as_ref().map(|trace| trace.id.clone());
        entry.protocol = self.interlock.protocol.clone();
        entry.source = self.source.as_ref().map(|source| source.ip);
        entry.actor = self.actor();
        entry.tool = self.tool();
        entry.facts.insert("intent_position".to_owned(), Json::from(self.event.sequence));
        entry
    }
}

/// Intents without an outcome since the log was last opened (opening closes all older ones), with the outcome record
/// that closes each.
pub(crate) fn open_intents(
    connection: &Connection,
    now: Timestamp,
) -> Result<Vec<(OpenIntent, AuditEntry)>, AuditFault> {
    let since: i64 =
        connection
            .query_row("SELECT coalesce(max(seq), 0) FROM audit WHERE action = 'audit.opened'", [], |row| row.get(0))?;
    let mut statement = connection
        .prepare("SELECT seq, line FROM audit WHERE phase IN ('intent', 'outcome') AND seq > ? ORDER BY seq")?;
    let mut rows = statement.query([since])?;
    // By request: those without an outcome, oldest first. One request may write more than once.
    let mut open: BTreeMap<Option<String>, VecDeque<Written>> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let position: i64 = row.get(0)?;
        let line = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
        let written: Written = serde_json::from_str(line)
            .map_err(|e| AuditFault::damaged(position.unsigned_abs(), format!("the record cannot be read: {e}")))?;
        let waiting = open.entry(written.interlock.request_id.clone()).or_default();
        match written.interlock.phase {
            Phase::Intent => waiting.push_back(written),
            _ => drop(waiting.pop_front()),
        }
    }
    let mut left: Vec<Written> = open.into_values().flatten().collect();
    left.sort_by_key(|written| written.event.sequence);
    Ok(left.iter().map(|written| (written.intent(), written.unknown_outcome(now))).collect())
}

/// How the last process ended, by the last record.
pub(crate) fn previous_end(connection: &Connection) -> Result<PreviousEnd, AuditFault> {
    let last: Option<String> = connection
        .query_row("SELECT coalesce(action, '') FROM audit ORDER BY seq DESC LIMIT 1", [], |row| row.get(0))
        .optional()?;
    Ok(match last.as_deref() {
        None => PreviousEnd::None,
        Some("audit.closed") => PreviousEnd::Closed,
        Some(_) => PreviousEnd::Crashed,
    })
}
