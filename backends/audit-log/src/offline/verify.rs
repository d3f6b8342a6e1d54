//! Verification: every record of every log against its hash and its place, every root against every signed checkpoint in
//! the database, in the file beside it, in anchors and in the registry; then the logs against each other. Keys come from
//! the caller or from an anchor, never from beside the log; without either the report says `self_attested` (T25). Next:
//! [`super::walk`], [`super::lineage`], [`super::report`].

use std::fs::{File, TryLockError};
use std::path::Path;

use rusqlite::Connection;

use super::check::{Check, Claim, Claims};
use super::evidence::{Evidence, VerifyOptions};
use super::lineage::{self, Ancestry};
use super::payloads::{self, PayloadCounts};
use super::report::{Finding, FindingKind, LogState, Report, Verification};
use super::walk::{Walk, Walked};
use crate::anchor::AnchorNotes;
use crate::checkpoint::NoteFile;
use crate::error::AuditFault;
use crate::file::{self, CHECKPOINTS, LOCK, database_at, open_for_reading};
use crate::keys::PublicKey;
use crate::recovery;

/// Verifies one log, the current one of the folder `state` or that of the database `state`, without writing to it. An error
/// means that it could not be read at all; what is wrong in it stands in the report.
pub fn verify(state: &Path, options: &VerifyOptions) -> Result<Report, AuditFault> {
    one(&database_at(state), options, &options.read_anchors()?, true, &[])
}

/// Verifies all logs of the folder `state`, and how they follow each other.
pub fn verify_all(state: &Path, options: &VerifyOptions) -> Result<Verification, AuditFault> {
    let anchors = options.read_anchors()?;
    let places = super::folder::logs(state)?;
    let alone = places.len() == 1 && options.public_keys.len() < 2 && options.registry.is_none();
    let alone = alone && anchors.origins().count() < 2;
    let ancestry = Ancestry::read(&places)?;
    let mut reports = Vec::new();
    for place in &places {
        let claims = ancestry.claims(&place.origin);
        reports.push(one(&place.database, options, &anchors, alone, &claims)?);
    }
    let findings = lineage::check(state, &places, &ancestry, &reports, options, &anchors);
    Ok(Verification::new(reports, findings.0, findings.1, anchors.unreadable))
}

fn one(
    path: &Path,
    options: &VerifyOptions,
    anchors: &AnchorNotes,
    alone: bool,
    further: &[(u64, Claim)],
) -> Result<Report, AuditFault> {
    // Asked first: a process that ends while we read then only makes the report say `running`.
    let running = is_running(&path.with_file_name(LOCK));
    // Before the moment of the database that is looked at: a note that comes later must not look like a cut.
    let beside_path = path.with_file_name(CHECKPOINTS);
    let beside = NoteFile::read(&beside_path).map_err(|e| AuditFault::io(&beside_path, e))?;
    let connection = open_for_reading(path)?;
    connection.execute_batch("BEGIN")?;
    let (origin, made_with) = file::identity(&connection)?;
    let evidence = Evidence::of(&origin, &PublicKey::parse(&made_with)?, options, anchors, alone);
    let anchored = !evidence.anchor.is_empty();

    let mut check = Check::new(origin, evidence);
    check.identity();
    check.database(&connection)?;
    let mut claims = check.stored_checkpoints(&connection)?;
    let stored: Vec<u64> = claims.keys().copied().collect();
    check.published(&beside, "the file beside the log", &mut claims);
    check.outside(&mut claims, alone.then_some(anchors));
    for (size, claim) in further {
        check.add(*size, claim.clone(), &mut claims);
    }
    let mut walked = check.records(&connection, &claims)?;
    check.coverage(&stored, &walked, running);
    walked.payloads = check.payloads(&connection)?;
    let intents = recovery::open_intents(&connection, jiff::Timestamp::UNIX_EPOCH);
    // A record that cannot be read is a finding already.
    let open = intents.map(|open| open.into_iter().map(|(intent, _)| intent).collect()).unwrap_or_default();
    Ok(check.report(open, anchored, running, stored.len() as u64, walked))
}

impl Check {
    /// What anchors and the registry say of this log. Where one log is looked at, a note of another one is a finding.
    pub(super) fn outside(&mut self, claims: &mut Claims, all: Option<&AnchorNotes>) {
        let notes = std::mem::take(&mut self.evidence.anchor);
        self.elsewhere(&notes, "the anchor", claims);
        if let Some(all) = all {
            let own = self.origin.clone();
            for (origin, notes) in all.notes.iter().filter(|(origin, _)| **origin != own) {
                let size = notes.first().map(|note| note.checkpoint.size);
                let message = format!("a checkpoint in the anchor belongs to the log {origin}");
                self.find(FindingKind::OriginMismatch, size, message);
            }
        }
        self.evidence.anchor = notes;
        if let Some(note) = self.evidence.registered_note() {
            self.elsewhere(&[note], "the registry", claims);
        }
    }

    fn records(&mut self, connection: &Connection, claims: &Claims) -> Result<Walked, AuditFault> {
        let mut walk = Walk::new(self, claims);
        super::leaves::each_removed(connection, |first, leaves| walk.removed(first, leaves))?;
        let mut statement = connection.prepare("SELECT seq, line, hash FROM audit ORDER BY seq")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let line = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
            let hash = row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?;
            walk.record(row.get::<_, i64>(0)?.unsigned_abs(), line, hash);
        }
        Ok(walk.finish())
    }

    fn payloads(&mut self, connection: &Connection) -> Result<PayloadCounts, AuditFault> {
        let checked = payloads::check(connection, None)?;
        for (position, message) in checked.changed {
            self.find(FindingKind::PayloadChanged, position, message);
        }
        Ok(checked.counts)
    }

    pub(super) fn report(
        self,
        open_intents: Vec<recovery::OpenIntent>,
        anchored: bool,
        running: bool,
        checkpoints: u64,
        walked: Walked,
    ) -> Report {
        let mut notes = self.notes;
        let self_attested = self.evidence.self_attested;
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
                    | FindingKind::RecordsRemoved
                    | FindingKind::PayloadChanged
            )
        };
        let exact = self.findings.iter().filter(broken).filter_map(|finding| finding.position).min();
        let first_bad = match walked.rewritten {
            Some((from, to)) if exact.is_none_or(|exact| exact > to) => Some(from),
            _ => exact,
        };
        Report {
            ok: self.findings.is_empty(),
            successor: walked.successor,
            removed: walked.removed,
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
        }
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
