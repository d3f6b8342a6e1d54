//! Verification: every record against its hash and its place, every root against every signed checkpoint in the
//! database, in the file beside it and in the anchor. The key comes from the caller or from the anchor, never from beside
//! the log; without either the report says `self_attested` (T25). Next: [`super::report`].

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use platform::Json;
use rusqlite::Connection;

use super::payloads::{self, PayloadCounts};
use super::report::{Finding, FindingKind, LogState, Report};
use crate::checkpoint::{NoteFile, SignatureState, SignedCheckpoint};
use crate::error::AuditFault;
use crate::file::{self, CHECKPOINTS, LOCK, TRIGGERS, database_at, open_for_reading};
use crate::keys::PublicKey;
use crate::recovery::{self, Edge};
use crate::tree::{Hash, chain_hash, leaf_hash};
use crate::writer::{CHECKPOINT_EVERY, MAX_BATCH};

const MAX_FINDINGS: usize = 50;

/// What a verification may rely on.
#[derive(Debug, Clone, Default)]
pub struct VerifyOptions {
    /// The log's public key, kept elsewhere.
    pub public_key: Option<PublicKey>,
    /// A file of checkpoints kept elsewhere: notes parted by empty lines, optionally the verifier key in its first line.
    pub anchor: Option<PathBuf>,
}

/// Verifies the log in `state` (its folder or its database) without writing to it. An error means that it could not be
/// read at all; what is wrong in it stands in the report.
pub fn verify(state: &Path, options: &VerifyOptions) -> Result<Report, AuditFault> {
    let path = database_at(state);
    // Asked first: a process that ends while we read then only makes the report say `running`.
    let running = is_running(&path.with_file_name(LOCK));
    let connection = open_for_reading(&path)?;
    connection.execute_batch("BEGIN")?;
    let (origin, made_with) = file::identity(&connection)?;
    let beside_path = path.with_file_name(CHECKPOINTS);
    let beside = NoteFile::read(&beside_path).map_err(|e| AuditFault::io(&beside_path, e))?;
    let anchor = match &options.anchor {
        None => None,
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|e| AuditFault::io(path, e))?;
            Some(NoteFile::parse(&text))
        }
    };
    let trusted = options.public_key.clone().or_else(|| anchor.as_ref().and_then(|anchor| anchor.key.clone()));
    let self_attested = trusted.is_none();
    let key = match trusted {
        Some(key) => key,
        None => PublicKey::parse(&made_with)?,
    };

    let mut check = Check { findings: Vec::new(), further: 0, notes: Vec::new(), origin, key };
    check.identity(anchor.as_ref());
    check.database(&connection)?;
    let mut claims = check.stored_checkpoints(&connection)?;
    let stored: Vec<u64> = claims.keys().copied().collect();
    check.published(&beside, "the file beside the log", &mut claims);
    if let Some(anchor) = &anchor {
        check.published(anchor, "the anchor", &mut claims);
    }
    let mut walked = check.records(&connection, &claims)?;
    check.coverage(&stored, &walked, running);
    walked.payloads = check.payloads(&connection)?;
    check.report(&connection, self_attested, anchor.is_some(), running, stored.len() as u64, walked)
}

// What a signed checkpoint claims about the first `size` records, and where it was found.
struct Claim {
    root: Hash,
    chain: Hash,
    place: &'static str,
}

type Claims = BTreeMap<u64, Vec<Claim>>;

#[derive(Default)]
struct Walked {
    records: u64,
    root: Hash,
    signed: u64,
    // Between which records the signed history was left, where no hash shows it more closely.
    rewritten: Option<(u64, u64)>,
    payloads: PayloadCounts,
    first_at: Option<String>,
    last_at: Option<String>,
    last_action: Option<String>,
}

struct Check {
    findings: Vec<Finding>,
    further: u64,
    notes: Vec<String>,
    origin: String,
    key: PublicKey,
}

impl Check {
    fn find(&mut self, kind: FindingKind, position: impl Into<Option<u64>>, message: impl Into<String>) {
        if self.findings.len() < MAX_FINDINGS {
            self.findings.push(Finding { kind, position: position.into(), message: message.into() });
        } else {
            self.further += 1;
        }
    }

    fn identity(&mut self, anchor: Option<&NoteFile>) {
        let named = [self.key.origin.clone(), anchor.and_then(|a| a.key.as_ref()).and_then(|key| key.origin.clone())];
        for name in named.into_iter().flatten() {
            if name != self.origin {
                let message = format!("this log is {}, and the key belongs to {name}", self.origin);
                self.find(FindingKind::OriginMismatch, None, message);
            }
        }
        if let Some(key) = anchor.and_then(|anchor| anchor.key.as_ref())
            && key.bytes != self.key.bytes
        {
            self.find(FindingKind::KeyMismatch, None, "the given key is not the anchor's key");
        }
    }

    fn database(&mut self, connection: &Connection) -> Result<(), AuditFault> {
        let sound: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
        if sound != "ok" {
            self.find(FindingKind::DatabaseDamaged, None, sound);
        }
        let laid = file::schema_of(connection)?;
        let due = file::schema_as_made(file::steps_taken(connection)?)?;
        for (name, sql) in &due {
            if laid.get(name) != Some(sql) {
                let what = if TRIGGERS.contains(&name.as_str()) { "trigger" } else { "table or index" };
                let state = if laid.contains_key(name) { "altered" } else { "gone" };
                self.find(FindingKind::TableUnprotected, None, format!("the {what} {name} is {state}"));
            }
        }
        for name in laid.keys().filter(|name| !due.contains_key(*name)) {
            self.find(FindingKind::TableUnprotected, None, format!("{name} does not belong into the database"));
        }
        Ok(())
    }

    fn stored_checkpoints(&mut self, connection: &Connection) -> Result<Claims, AuditFault> {
        let mut claims = Claims::new();
        let mut statement = connection.prepare("SELECT size, note FROM checkpoint ORDER BY size")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let size = row.get::<_, i64>(0)?.unsigned_abs();
            let note: String = row.get(1)?;
            match SignedCheckpoint::parse(&note) {
                Some(signed) if signed.checkpoint.size == size => {
                    self.claim(&signed, "the database", &mut claims);
                    claims.entry(size).or_default();
                }
                _ => {
                    let message = "a row of the checkpoint table is not the checkpoint of its size";
                    self.find(FindingKind::CheckpointUnreadable, size, message);
                }
            }
        }
        Ok(claims)
    }

    fn published(&mut self, file: &NoteFile, place: &'static str, claims: &mut Claims) {
        for signed in &file.notes {
            self.claim(signed, place, claims);
        }
        if file.unreadable > 0 {
            self.notes.push(format!("{place} has {} blocks that are no checkpoints", file.unreadable));
        }
    }

    fn claim(&mut self, signed: &SignedCheckpoint, place: &'static str, claims: &mut Claims) {
        let said = &signed.checkpoint;
        if said.origin != self.origin {
            let message = format!("a checkpoint in {place} belongs to the log {}", said.origin);
            return self.find(FindingKind::OriginMismatch, said.size, message);
        }
        match signed.judge(&self.key) {
            SignatureState::Good => {
                let claim = Claim { root: said.root, chain: said.chain, place };
                claims.entry(said.size).or_default().push(claim);
            }
            SignatureState::Bad => self.find(
                FindingKind::SignatureInvalid,
                said.size,
                format!("the signature of a checkpoint in {place} does not verify"),
            ),
            SignatureState::OtherKey => self.find(
                FindingKind::KeyMismatch,
                said.size,
                format!("a checkpoint in {place} is signed by another key"),
            ),
        }
    }

    fn records(&mut self, connection: &Connection, claims: &Claims) -> Result<Walked, AuditFault> {
        let mut walked = Walked::default();
        // The tree is over what is there; the chain goes on from each stored hash, so that one edit is one finding.
        let mut edge = Edge::default();
        let mut chain = Hash::default();
        let mut position = 0;
        let mut statement = connection.prepare("SELECT seq, line, hash FROM audit ORDER BY seq")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let stands = row.get::<_, i64>(0)?.unsigned_abs();
            position += 1;
            if stands != position {
                let message = format!("positions {position} to {} have no record", stands.saturating_sub(1));
                self.find(FindingKind::RecordMissing, position, message);
                position = stands;
            }
            let line: String = row.get(1)?;
            let hash: Vec<u8> = row.get(2)?;
            chain = chain_hash(&chain, &leaf_hash(line.as_bytes()));
            edge.push(&line);
            if chain[..] != hash[..] {
                self.find(
                    FindingKind::RecordChanged,
                    position,
                    "the record does not fit its hash and the one before it",
                );
                chain = Hash::try_from(hash).unwrap_or(chain);
            }
            self.one_record(position, &line, &mut walked);
            for claim in claims.get(&position).into_iter().flatten() {
                if claim.root == edge.frontier.root() && claim.chain == chain {
                    walked.signed = position;
                } else if walked.rewritten.is_none() {
                    let from = walked.signed + 1;
                    walked.rewritten = Some((from, position));
                    let message = format!(
                        "records {from} to {position} are not those that the checkpoint in {} was signed over",
                        claim.place
                    );
                    self.find(FindingKind::HistoryRewritten, from, message);
                }
            }
        }
        if let Some((size, claim)) =
            claims.range(position + 1..).rev().find_map(|(size, claims)| Some((*size, claims.first()?)))
        {
            let message = format!(
                "a checkpoint in {} covers {size} records and the log has {position}: the end was cut off or an old copy put back",
                claim.place
            );
            self.find(FindingKind::LogTruncated, position + 1, message);
        }
        walked.records = position;
        walked.root = edge.frontier.root();
        Ok(walked)
    }

    fn one_record(&mut self, position: u64, line: &str, walked: &mut Walked) {
        let record: Option<Json> = serde_json::from_str(line).ok();
        let canonical = record.as_ref().and_then(|record| platform::canonical::to_bytes(record).ok());
        let Some(record) = record.filter(|_| canonical.as_deref() == Some(line.as_bytes())) else {
            return self.find(FindingKind::RecordUnreadable, position, "the record is no canonical JSON");
        };
        if record.pointer("/event/sequence").and_then(Json::as_u64) != Some(position) {
            self.find(FindingKind::RecordMoved, position, "the record was written for another position");
        }
        let text = |pointer: &str| record.pointer(pointer).and_then(Json::as_str).map(str::to_owned);
        walked.last_at = text("/@timestamp");
        walked.last_action = text("/event/action");
        if position == 1 {
            walked.first_at.clone_from(&walked.last_at);
        }
    }

    // The writer cannot have left more than this without a checkpoint, and an orderly end has one over everything.
    fn coverage(&mut self, stored: &[u64], walked: &Walked, running: bool) {
        let bound = CHECKPOINT_EVERY + MAX_BATCH as u64;
        let ends = stored.iter().copied().chain([walked.records]);
        let starts = [0].into_iter().chain(stored.iter().copied());
        for (from, to) in starts.zip(ends) {
            if to.saturating_sub(from) > bound {
                let message = format!("no checkpoint stands between {from} and {to}");
                self.find(FindingKind::CheckpointMissing, from + 1, message);
            }
        }
        let closed = walked.last_action.as_deref() == Some("audit.closed");
        if closed && !stored.contains(&walked.records) {
            self.find(FindingKind::CheckpointMissing, walked.records, "the log was closed without a last checkpoint");
        }
        if walked.records > 0 && stored.is_empty() {
            self.find(FindingKind::CheckpointMissing, 1, "the log has records and no checkpoint");
        }
        if walked.signed < walked.records && !closed {
            let covered = walked.signed;
            let when = if running { "the next checkpoint covers them" } else { "their end could be cut off unseen" };
            self.notes.push(format!("records after {covered} are chained and not signed yet: {when}"));
        }
    }

    fn payloads(&mut self, connection: &Connection) -> Result<PayloadCounts, AuditFault> {
        let checked = payloads::check(connection, None)?;
        for (position, message) in checked.changed {
            self.find(FindingKind::PayloadChanged, position, message);
        }
        Ok(checked.counts)
    }

    fn report(
        self,
        connection: &Connection,
        self_attested: bool,
        anchored: bool,
        running: bool,
        checkpoints: u64,
        walked: Walked,
    ) -> Result<Report, AuditFault> {
        let intents = recovery::open_intents(connection, jiff::Timestamp::UNIX_EPOCH);
        let mut notes = self.notes;
        // A record that cannot be read is a finding already.
        let open_intents = intents.map(|open| open.into_iter().map(|(intent, _)| intent).collect()).unwrap_or_default();
        if self_attested {
            notes.push("self-attested: the key lay beside the log; give the public key or the anchor".to_owned());
        }
        let broken = |finding: &&Finding| {
            matches!(
                finding.kind,
                FindingKind::RecordChanged
                    | FindingKind::RecordMoved
                    | FindingKind::RecordMissing
                    | FindingKind::RecordUnreadable
                    | FindingKind::LogTruncated
                    | FindingKind::PayloadChanged
            )
        };
        let exact = self.findings.iter().filter(broken).filter_map(|finding| finding.position).min();
        let first_bad = match walked.rewritten {
            Some((from, to)) if exact.is_none_or(|exact| exact > to) => Some(from),
            _ => exact,
        };
        Ok(Report {
            ok: self.findings.is_empty(),
            verifier_key: self.key.named(&self.origin).to_string(),
            origin: self.origin,
            self_attested,
            anchored,
            state: match walked.last_action.as_deref() {
                _ if running => LogState::Running,
                Some("audit.closed") => LogState::Closed,
                _ if walked.records == 0 => LogState::Empty,
                _ => LogState::Unclosed,
            },
            records: walked.records,
            checkpoints,
            signed_records: walked.signed,
            first_at: walked.first_at,
            last_at: walked.last_at,
            root: hex::encode(walked.root),
            open_intents,
            payloads: walked.payloads,
            first_bad,
            findings: self.findings,
            further_findings: self.further,
            notes,
        })
    }
}

// Whoever writes the log holds its lock.
fn is_running(lock: &Path) -> bool {
    let Ok(file) = File::open(lock) else { return false };
    match file.try_lock_shared() {
        Ok(()) => false,
        Err(TryLockError::WouldBlock) => true,
        Err(TryLockError::Error(_)) => false,
    }
}
