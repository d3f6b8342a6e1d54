//! What one verification gathers: findings, notes, and what signed checkpoints claim about a log, wherever they were found.
//! Next: [`super::walk`], which holds the claims against the records.

use std::collections::BTreeMap;

use rusqlite::Connection;

use super::evidence::Evidence;
use super::report::{Finding, FindingKind};
use crate::checkpoint::{NoteFile, SignatureState, SignedCheckpoint};
use crate::cosign::CosignatureState;
use crate::error::AuditFault;
use crate::file::{self, TRIGGERS};
use crate::keys::PublicKey;
use crate::tree::Hash;

const MAX_FINDINGS: usize = 50;

/// What a checkpoint, or a record of another log, claims about the first `size` records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) root: Hash,
    pub(super) chain: Option<Hash>,
    pub(super) place: &'static str,
    /// Whether the log's key or a countersigner's vouches for it.
    pub(super) signed: bool,
}

/// Claims by size.
pub(super) type Claims = BTreeMap<u64, Vec<Claim>>;

/// A verification of one log under way.
pub(super) struct Check {
    pub(super) findings: Vec<Finding>,
    pub(super) further: u64,
    pub(super) notes: Vec<String>,
    pub(super) origin: String,
    pub(super) key: PublicKey,
    pub(super) evidence: Evidence,
}

impl Check {
    pub(super) fn new(origin: String, evidence: Evidence) -> Self {
        let key = evidence.key.clone();
        Self { findings: Vec::new(), further: 0, notes: Vec::new(), origin, key, evidence }
    }

    pub(super) fn find(&mut self, kind: FindingKind, position: impl Into<Option<u64>>, message: impl Into<String>) {
        if self.findings.len() < MAX_FINDINGS {
            self.findings.push(Finding { kind, position: position.into(), message: message.into() });
        } else {
            self.further += 1;
        }
    }

    /// Whether key, anchor and registry speak of this log, and of one key.
    pub(super) fn identity(&mut self) {
        if let Some(name) = self.key.origin.clone().filter(|name| *name != self.origin) {
            let message = format!("this log is {}, and the key belongs to {name}", self.origin);
            self.find(FindingKind::OriginMismatch, None, message);
        }
        let registered =
            self.evidence.registered.as_ref().map(|log| ("the registry's", PublicKey::parse(&log.verifier_key)));
        let anchored = self.evidence.anchor_keys.iter().map(|key| ("the anchor's", Ok(key.clone())));
        let others: Vec<&str> = anchored
            .chain(registered)
            .filter(|(_, key)| key.as_ref().map_or(true, |key| key.bytes != self.key.bytes))
            .map(|(whose, _)| whose)
            .collect();
        for whose in others {
            self.find(
                FindingKind::KeyMismatch,
                None,
                format!("the key that is relied on is not {whose} key of this log"),
            );
        }
    }

    pub(super) fn database(&mut self, connection: &Connection) -> Result<(), AuditFault> {
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

    pub(super) fn stored_checkpoints(&mut self, connection: &Connection) -> Result<Claims, AuditFault> {
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

    /// Takes the notes of a place that is not the database.
    pub(super) fn published(&mut self, file: &NoteFile, place: &'static str, claims: &mut Claims) {
        for signed in &file.notes {
            self.claim(signed, place, claims);
        }
        if file.unreadable > 0 {
            self.notes.push(format!("{place} has {} blocks that are no checkpoints", file.unreadable));
        }
    }

    /// Takes the notes of places that whoever wrote the log cannot change: there a countersignature is due, where its key is
    /// known.
    pub(super) fn elsewhere(&mut self, notes: &[SignedCheckpoint], place: &'static str, claims: &mut Claims) {
        let mut bare: Option<u64> = None;
        for signed in notes {
            let size = signed.checkpoint.size;
            match self.evidence.countersignature(signed) {
                None | Some(CosignatureState::Good(_)) => {}
                Some(CosignatureState::Bad) => {
                    let message = format!("the countersignature of a checkpoint in {place} does not verify");
                    self.find(FindingKind::SignatureInvalid, size, message);
                }
                Some(CosignatureState::Missing) => bare = Some(bare.map_or(size, |least| least.min(size))),
            }
            self.claim(signed, place, claims);
        }
        if let Some(size) = bare {
            let message =
                format!("checkpoints in {place}, the first of size {size}, have no countersignature by a given key");
            self.find(FindingKind::CountersignatureMissing, size, message);
        }
    }

    fn claim(&mut self, signed: &SignedCheckpoint, place: &'static str, claims: &mut Claims) {
        let said = &signed.checkpoint;
        if said.origin != self.origin {
            let message = format!("a checkpoint in {place} belongs to the log {}", said.origin);
            return self.find(FindingKind::OriginMismatch, said.size, message);
        }
        let countersigned = matches!(self.evidence.countersignature(signed), Some(CosignatureState::Good(_)));
        match signed.judge(&self.key) {
            SignatureState::Good => {}
            SignatureState::Bad => {
                let message = format!("the signature of a checkpoint in {place} does not verify");
                self.find(FindingKind::SignatureInvalid, said.size, message);
            }
            SignatureState::OtherKey => {
                let message = format!("a checkpoint in {place} is signed by another key");
                self.find(FindingKind::KeyMismatch, said.size, message);
            }
        }
        if countersigned || signed.judge(&self.key) == SignatureState::Good {
            let claim = Claim { root: said.root, chain: Some(said.chain), place, signed: true };
            self.add(said.size, claim, claims);
        }
    }

    /// Adds a claim. Two signed ones of one size with different roots are two histories (RFC 6962: a split view).
    pub(super) fn add(&mut self, size: u64, claim: Claim, claims: &mut Claims) {
        let of_size = claims.entry(size).or_default();
        let other = of_size.iter().find(|other| other.root != claim.root && other.signed && claim.signed);
        if let Some(place) = other.map(|other| other.place) {
            let message =
                format!("two checkpoints of size {size} have different roots: one in {place}, one in {}", claim.place);
            of_size.push(claim);
            return self.find(FindingKind::LogForked, size, message);
        }
        if !of_size.contains(&claim) {
            of_size.push(claim);
        }
    }
}
