//! The walk over a log's records: each against its hash, its place and its form, every tree against what was claimed of it.
//! It is fed from a database or from where replicas keep records, and holds O(log n). Next: [`super::report`].

use std::collections::BTreeMap;

use platform::Json;

use super::check::{Check, Claims};
use super::payloads::PayloadCounts;
use super::report::FindingKind;
use crate::recovery::Edge;
use crate::tree::{Hash, chain_hash, leaf_hash};
use crate::writer::{CHECKPOINT_EVERY, MAX_BATCH};

/// The action of a record that says which records were removed.
pub(crate) const RETAINED: &str = "audit.retained";

/// What a walk found out.
#[derive(Debug, Default)]
pub(super) struct Walked {
    pub(super) records: u64,
    pub(super) root: Hash,
    pub(super) signed: u64,
    // Between which records the signed history was left, where no hash shows it more closely.
    pub(super) rewritten: Option<(u64, u64)>,
    pub(super) payloads: PayloadCounts,
    pub(super) removed: u64,
    pub(super) first_at: Option<String>,
    pub(super) last_at: Option<String>,
    pub(super) last_action: Option<String>,
    pub(super) successor: Option<String>,
}

/// A walk under way.
pub(super) struct Walk<'a> {
    check: &'a mut Check,
    claims: &'a Claims,
    // The tree is over what is there; the chain goes on from each stored hash, so that one edit is one finding.
    edge: Edge,
    chain: Hash,
    position: u64,
    walked: Walked,
    // Root over the removed records, and what the records of the log say of removals: last position, root, when.
    removed_root: Option<String>,
    declared: Option<(u64, Option<String>, Option<String>)>,
    mismatch: Option<Mismatch>,
    // Up to where each place's claims fitted.
    fitted: BTreeMap<&'static str, u64>,
}

// The first claim that does not fit, and up to where claims of its place, and signed ones of any place, did.
struct Mismatch {
    place: &'static str,
    at: u64,
    place_fitted: u64,
    signed: u64,
}

impl<'a> Walk<'a> {
    pub(super) fn new(check: &'a mut Check, claims: &'a Claims) -> Self {
        Self {
            check,
            claims,
            edge: Edge::default(),
            chain: Hash::default(),
            position: 0,
            walked: Walked::default(),
            removed_root: None,
            declared: None,
            mismatch: None,
            fitted: BTreeMap::new(),
        }
    }

    /// Leaves of records that retention removed: the chain and the tree go on over them.
    pub(super) fn removed(&mut self, first: u64, leaves: &[u8]) {
        if first != self.position + 1 {
            let message = format!("the leaves of removed records begin at {first}");
            self.check.find(FindingKind::RecordMissing, self.position + 1, message);
        }
        for leaf in leaves.as_chunks::<32>().0 {
            self.position += 1;
            self.chain = chain_hash(&self.chain, leaf);
            self.edge.push_leaf(*leaf);
            self.hold();
        }
        self.walked.removed = self.position;
        self.removed_root = Some(hex::encode(self.edge.frontier.root()));
    }

    /// The next record as it stands.
    pub(super) fn record(&mut self, stands: u64, line: &str, hash: &[u8]) {
        self.position += 1;
        if stands > self.position {
            let message = format!("positions {} to {} have no record", self.position, stands.saturating_sub(1));
            self.check.find(FindingKind::RecordMissing, self.position, message);
        } else if stands < self.position {
            let message = "a record stands where records were removed";
            self.check.find(FindingKind::RecordsRemoved, stands, message);
        }
        self.position = stands;
        self.chain = chain_hash(&self.chain, &leaf_hash(line.as_bytes()));
        self.edge.push(line);
        if self.chain[..] != *hash {
            let message = "the record does not fit its hash and the one before it";
            self.check.find(FindingKind::RecordChanged, stands, message);
            self.chain = Hash::try_from(hash).unwrap_or(self.chain);
        }
        self.form(line);
        self.hold();
    }

    // Holds the tree so far against what was claimed of it.
    fn hold(&mut self) {
        for claim in self.claims.get(&self.position).into_iter().flatten() {
            let fits = claim.root == self.edge.frontier.root() && claim.chain.is_none_or(|chain| chain == self.chain);
            if fits && claim.signed {
                self.walked.signed = self.position;
                self.fitted.insert(claim.place, self.position);
            } else if !fits && self.mismatch.is_none() {
                let (place, at, signed) = (claim.place, self.position, self.walked.signed);
                let place_fitted = self.fitted.get(place).copied().unwrap_or(0);
                self.mismatch = Some(Mismatch { place, at, place_fitted, signed });
            }
        }
    }

    fn form(&mut self, line: &str) {
        let position = self.position;
        let record: Option<Json> = serde_json::from_str(line).ok();
        let canonical = record.as_ref().and_then(|record| platform::canonical::to_bytes(record).ok());
        let Some(record) = record.filter(|_| canonical.as_deref() == Some(line.as_bytes())) else {
            return self.check.find(FindingKind::RecordUnreadable, position, "the record is no canonical JSON");
        };
        if record.pointer("/event/sequence").and_then(Json::as_u64) != Some(position) {
            self.check.find(FindingKind::RecordMoved, position, "the record was written for another position");
        }
        let text = |pointer: &str| record.pointer(pointer).and_then(Json::as_str).map(str::to_owned);
        self.walked.last_at = text("/@timestamp");
        self.walked.last_action = text("/event/action");
        self.walked.successor = text("/interlock/successor");
        if self.walked.first_at.is_none() {
            self.walked.first_at.clone_from(&self.walked.last_at);
        }
        let own = text("/interlock/log").as_deref() == Some(&self.check.origin);
        if self.walked.last_action.as_deref() == Some(RETAINED) && own {
            let last = record.pointer("/interlock/removed_last").and_then(Json::as_u64).unwrap_or(0);
            self.declared = Some((last, text("/interlock/removed_root"), text("/@timestamp")));
        }
    }

    /// Ends the walk: what was cut off, rewritten, and removed.
    pub(super) fn finish(mut self) -> Walked {
        if let Some(Mismatch { place, at, place_fitted, signed }) = self.mismatch {
            // Another signed checkpoint of these records or more fits them: then both histories were signed, and parted
            // where the places still agreed.
            let (kind, from, what) = match self.walked.signed > at {
                true => (FindingKind::LogForked, place_fitted + 1, "belong to another history than the one that"),
                false => (FindingKind::HistoryRewritten, signed + 1, "are not those that"),
            };
            self.walked.rewritten = Some((from, at));
            let message = format!("records {from} to {at} {what} the checkpoint in {place} was signed over");
            self.check.find(kind, from, message);
        }
        let position = self.position;
        let beyond = self.claims.range(position + 1..).rev();
        if let Some((size, place)) = beyond.filter_map(|(size, claims)| Some((size, claims.first()?.place))).next() {
            let message = format!(
                "a checkpoint in {place} covers {size} records and the log has {position}: the end was cut off or an old copy put back"
            );
            self.check.find(FindingKind::LogTruncated, position + 1, message);
        }
        self.removals();
        self.walked.records = position;
        self.walked.root = self.edge.frontier.root();
        self.walked
    }

    fn removals(&mut self) {
        let removed = self.walked.removed;
        if removed == 0 {
            return;
        }
        let (last, root, at) = self.declared.take().unwrap_or_default();
        if removed > last {
            let message = format!("records 1 to {removed} are gone, and the log's own records know of 1 to {last}");
            return self.check.find(FindingKind::RecordsRemoved, last + 1, message);
        }
        if removed == last && root != self.removed_root {
            let message = "what is left of the removed records is not what their removal was written down with";
            return self.check.find(FindingKind::RecordsRemoved, 1, message);
        }
        let at = at.unwrap_or_default();
        self.check.notes.push(format!("records 1 to {removed} were removed by retention on {at}"));
    }
}

impl Check {
    // The writer cannot have left more than this without a checkpoint, and an orderly end has one over everything.
    pub(super) fn coverage(&mut self, stored: &[u64], walked: &Walked, running: bool) {
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
}
