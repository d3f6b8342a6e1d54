//! Proofs that stand without the log: that a record is in the tree of a signed checkpoint, and that a later tree only
//! extends an earlier one (RFC 6962 section 2.1). A document of proofs is checked with nothing but itself and a key or an
//! anchor. Next: [`crate::tree`], which verifies.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use platform::audit::{AuditFilter, AuditPosition};
use rusqlite::{Connection, OptionalExtension};
use serde::{Deserialize, Serialize};

use super::evidence::{Evidence, VerifyOptions};
use super::folder::{LogPlace, logs};
use super::leaves::each_leaf;
use crate::checkpoint::{SignatureState, SignedCheckpoint};
use crate::cosign::CosignatureState;
use crate::error::AuditFault;
use crate::keys::PublicKey;
use crate::query::{self, Order};
use crate::tree::{
    Hash, RangeRoots, consistency_ranges, inclusion_ranges, leaf_hash, verify_consistency, verify_inclusion,
};

/// The first member of a document.
pub const FORMAT: &str = "interlock.audit.proof/1";

/// A document of proofs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProofDocument {
    /// [`FORMAT`].
    pub format: String,
    /// The proofs.
    pub proofs: Vec<Proof>,
}

/// One proof. Hashes are base64 of 32 bytes, as in the notes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Proof {
    /// A record is in the tree of a checkpoint.
    Inclusion {
        /// The log.
        log: String,
        /// Position of the record, from 1.
        position: u64,
        /// Its index in the tree, from 0.
        leaf_index: u64,
        /// Records that the checkpoint covers.
        tree_size: u64,
        /// The record's line; absent where retention removed it: then an export of it is given to the check.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        record: Option<String>,
        /// `SHA256(0x00 || line)`.
        leaf: String,
        /// The audit path, lowest sibling first.
        path: Vec<String>,
        /// The signed note.
        checkpoint: String,
    },
    /// The tree of `from` records is a prefix of the tree of `to` records.
    Consistency {
        /// The log.
        log: String,
        /// Size of the earlier tree.
        from: u64,
        /// Size of the later tree.
        to: u64,
        /// The proof's hashes.
        path: Vec<String>,
        /// The signed note of the earlier tree.
        earlier: String,
        /// The signed note of the later tree.
        later: String,
    },
}

impl Proof {
    /// Position of the record that it proves; nothing where it is about trees.
    pub(crate) fn position(&self) -> Option<u64> {
        match self {
            Self::Inclusion { position, .. } => Some(*position),
            Self::Consistency { .. } => None,
        }
    }
}

/// Which records to prove.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// The record at a position, as [`super::search::Before`] names one.
    Position(super::search::Before),
    /// All records of a request, by `x-request-id`.
    Request(String),
}

/// What a checked proof shows, or why it shows nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// Whether the proof holds.
    pub ok: bool,
    /// What it shows, or what is wrong with it, in a sentence.
    pub message: String,
}

fn impossible(reason: impl Into<String>) -> AuditFault {
    AuditFault::Proof(reason.into())
}

pub(super) fn encoded(hashes: Vec<Hash>) -> Vec<String> {
    hashes.iter().map(|hash| STANDARD.encode(hash)).collect()
}

fn decoded(hashes: &[String]) -> Option<Vec<Hash>> {
    hashes.iter().map(|hash| STANDARD.decode(hash).ok()?.try_into().ok()).collect()
}

/// Proves records of the logs in `state` against the checkpoint of `size` records, or against the last one.
pub fn prove_inclusion(state: &Path, which: &Which, size: Option<u64>) -> Result<ProofDocument, AuditFault> {
    let logs = logs(state)?;
    let mut proofs = Vec::new();
    match which {
        Which::Position(at) => {
            let named = |log: &&LogPlace| at.log.as_deref().map_or(log.current, |name| log.short() == name);
            let log = logs.iter().find(named).ok_or_else(|| AuditFault::NoSuchLog(at.to_string()))?;
            proofs.push(inclusion(&log.open()?, &log.origin, at.position, size)?);
        }
        Which::Request(id) => {
            let filter = AuditFilter { request_id: Some(id.clone()), ..AuditFilter::default() };
            for log in &logs {
                let connection = log.open()?;
                let mut positions = Vec::new();
                query::each(&connection, &filter, Order::OldestFirst, None, |AuditPosition(position), _| {
                    positions.push(position);
                    Ok(())
                })?;
                for position in positions {
                    proofs.push(inclusion(&connection, &log.origin, position, size)?);
                }
            }
            if proofs.is_empty() {
                return Err(impossible(format!("No record of the request `{id}` is here")));
            }
        }
    }
    Ok(ProofDocument { format: FORMAT.to_owned(), proofs })
}

/// Proves that the tree of `from` records is a prefix of that of `to`, or of the last checkpoint's. `log` is the last part
/// of a log's name; without it, the current one.
pub fn prove_consistency(
    state: &Path,
    log: Option<&str>,
    from: u64,
    to: Option<u64>,
) -> Result<ProofDocument, AuditFault> {
    let logs = logs(state)?;
    let named = |place: &&LogPlace| log.map_or(place.current, |name| place.short() == name);
    let place = logs.iter().find(named).ok_or_else(|| AuditFault::NoSuchLog(log.unwrap_or("current").to_owned()))?;
    let connection = place.open()?;
    let (to, later) = note(&connection, to, from)?;
    let (_, earlier) = note(&connection, Some(from), 0)?;
    let ranges = consistency_ranges(from, to).ok_or_else(|| impossible("The earlier tree must be the smaller one"))?;
    let path = roots(&connection, ranges, to)?.1;
    let proof = Proof::Consistency { log: place.origin.clone(), from, to, path: encoded(path), earlier, later };
    Ok(ProofDocument { format: FORMAT.to_owned(), proofs: vec![proof] })
}

fn inclusion(connection: &Connection, origin: &str, position: u64, size: Option<u64>) -> Result<Proof, AuditFault> {
    let (tree_size, checkpoint) = note(connection, size, position)?;
    let index = position.checked_sub(1).filter(|index| *index < tree_size);
    let ranges = index.and_then(|index| inclusion_ranges(index, tree_size));
    let (Some(leaf_index), Some(mut ranges)) = (index, ranges) else {
        return Err(impossible(format!("The checkpoint of {tree_size} records does not cover position {position}")));
    };
    ranges.push(leaf_index..position);
    let (_, mut path) = roots(connection, ranges, tree_size)?;
    let leaf = path.pop().unwrap_or_default();
    let record: Option<String> = connection
        .query_row("SELECT line FROM audit WHERE seq = ?", [position.cast_signed()], |row| row.get(0))
        .optional()?;
    Ok(Proof::Inclusion {
        log: origin.to_owned(),
        position,
        leaf_index,
        tree_size,
        record,
        leaf: STANDARD.encode(leaf),
        path: encoded(path),
        checkpoint,
    })
}

// The checkpoint of `size` records, or the last one if it covers `least`.
fn note(connection: &Connection, size: Option<u64>, least: u64) -> Result<(u64, String), AuditFault> {
    let least = i64::try_from(least).unwrap_or(i64::MAX);
    let found: Option<(i64, String)> = match size {
        Some(size) => {
            let size = i64::try_from(size).unwrap_or(i64::MAX);
            let sql = "SELECT size, note FROM checkpoint WHERE size = ?";
            connection.query_row(sql, [size], |row| Ok((row.get(0)?, row.get(1)?))).optional()?
        }
        None => {
            let sql = "SELECT size, note FROM checkpoint WHERE size >= ? ORDER BY size DESC LIMIT 1";
            connection.query_row(sql, [least], |row| Ok((row.get(0)?, row.get(1)?))).optional()?
        }
    };
    let (size, note) = found.ok_or_else(|| match size {
        Some(size) => impossible(format!("No checkpoint was signed over exactly {size} records")),
        None => impossible("No checkpoint covers that position so far; the next one does within ten seconds"),
    })?;
    Ok((size.unsigned_abs(), note))
}

fn roots(
    connection: &Connection,
    ranges: Vec<std::ops::Range<u64>>,
    size: u64,
) -> Result<(u64, Vec<Hash>), AuditFault> {
    let mut found = RangeRoots::new(ranges);
    let count = each_leaf(connection, size, |leaf| found.push(leaf))?;
    let roots = found.finish().filter(|_| count == size);
    Ok((count, roots.ok_or_else(|| AuditFault::damaged(count + 1, "a record that the proof needs is missing"))?))
}

/// Checks every proof of a document against keys and anchors. `record` is a line that was exported, for proofs of records
/// that are gone. Error: the document cannot be read, or nothing was given to rely on.
pub fn check(document: &str, options: &VerifyOptions, record: Option<&str>) -> Result<Vec<Shown>, AuditFault> {
    let document: ProofDocument =
        serde_json::from_str(document).map_err(|e| impossible(format!("This is no document of proofs: {e}")))?;
    if document.format != FORMAT || document.proofs.is_empty() {
        return Err(impossible(format!("This is no document of proofs in the format {FORMAT}")));
    }
    if !options.relies() {
        return Err(impossible("A proof is checked against a public key or an anchor; give one"));
    }
    let anchors = options.read_anchors()?;
    let judge = |proof: &Proof| {
        let said = match proof {
            Proof::Inclusion { log, .. } | Proof::Consistency { log, .. } => {
                let nobody = PublicKey { origin: None, bytes: [0; 32] };
                let evidence = Evidence::of(log, &nobody, options, &anchors, false);
                shown(proof, &Relied { evidence, keys: &options.public_keys }, record)
            }
        };
        match said {
            Ok(message) => Shown { ok: true, message },
            Err(message) => Shown { ok: false, message },
        }
    };
    Ok(document.proofs.iter().map(judge).collect())
}

// What a proof is checked against: what speaks of its log, and keys that may be any log's.
struct Relied<'a> {
    evidence: Evidence,
    keys: &'a [PublicKey],
}

fn shown(proof: &Proof, relied: &Relied<'_>, exported: Option<&str>) -> Result<String, String> {
    const GARBLED: &str = "a hash of the proof is no hash";
    match proof {
        Proof::Inclusion { log, position, leaf_index, tree_size, record, leaf, path, checkpoint } => {
            let note = vouched(checkpoint, log, *tree_size, relied)?;
            let path = decoded(path).ok_or(GARBLED)?;
            let line = record.as_deref().or(exported.map(str::trim_end));
            let line = line.ok_or("the record is not in the proof; give the line that was exported")?;
            let hash = leaf_hash(line.as_bytes());
            if STANDARD.encode(hash) != *leaf {
                return Err("the record is not the one whose leaf the proof has".to_owned());
            }
            let sequence = serde_json::from_str::<platform::Json>(line).ok();
            let sequence =
                sequence.and_then(|record| record.pointer("/event/sequence").and_then(platform::Json::as_u64));
            if leaf_index.checked_add(1) != Some(*position) || sequence != Some(*position) {
                return Err("the record was written for another position".to_owned());
            }
            if !verify_inclusion(hash, *leaf_index, *tree_size, &path, &note.checkpoint.root) {
                return Err(format!("the record is not at position {position} of the signed tree"));
            }
            Ok(format!("the record is at position {position} of {log}, in the signed tree of {tree_size} records"))
        }
        Proof::Consistency { log, from, to, path, earlier, later } => {
            let earlier = vouched(earlier, log, *from, relied)?.checkpoint;
            let later = vouched(later, log, *to, relied)?.checkpoint;
            let path = decoded(path).ok_or(GARBLED)?;
            if !verify_consistency(*from, &earlier.root, *to, &later.root, &path) {
                return Err(format!("the tree of {to} records does not extend the tree of {from}"));
            }
            Ok(format!(
                "{log}: the signed tree of {to} records extends the signed tree of {from}, and nothing in it changed"
            ))
        }
    }
}

// The note, if the log's key or a countersigner vouches for it and no anchor has another one of its size.
fn vouched(note: &str, log: &str, size: u64, relied: &Relied<'_>) -> Result<SignedCheckpoint, String> {
    let signed = SignedCheckpoint::parse(note).ok_or("the checkpoint is no signed note")?;
    let said = &signed.checkpoint;
    if said.origin != log || said.size != size {
        return Err("the checkpoint is of another log or size".to_owned());
    }
    let evidence = &relied.evidence;
    let countersigned = matches!(evidence.countersignature(&signed), Some(CosignatureState::Good(_)));
    let good = |key: &PublicKey| signed.judge(key) == SignatureState::Good;
    let of_log = |key: &&PublicKey| key.origin.as_deref().is_none_or(|origin| origin == log);
    let own = !evidence.self_attested && good(&evidence.key);
    if !countersigned && !own && !relied.keys.iter().filter(of_log).any(good) {
        return Err(format!("the checkpoint of {log} is not signed by a key that is relied on"));
    }
    if evidence.anchor.iter().any(|other| other.checkpoint.size == size && other.checkpoint.root != said.root) {
        return Err(format!("an anchor has another checkpoint of {size} records: the log was forked"));
    }
    Ok(signed)
}
