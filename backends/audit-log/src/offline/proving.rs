//! Proofs of many records of one log at once: the leaves are read one time, whatever how many records are proven. Next:
//! [`super::proof`] for the document and who checks it.

use std::collections::BTreeMap;
use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use platform::audit::AuditPosition;
use rusqlite::{Connection, OptionalExtension};

use super::leaves::each_leaf;
use super::proof::{FORMAT, Proof, ProofDocument, encoded};
use crate::error::AuditFault;
use crate::tree::{Hash, inclusion_ranges, node_hash};

/// Proves records against the first checkpoint that covers all of them, or else against the last one there is. Records that
/// it does not cover are left out, so that the document may be empty. As long as that checkpoint is the first of its kind,
/// the same records have the same document.
pub(crate) fn prove(
    connection: &Connection,
    origin: &str,
    positions: &[AuditPosition],
) -> Result<ProofDocument, AuditFault> {
    let mut document = ProofDocument { format: FORMAT.to_owned(), proofs: Vec::new() };
    let last = positions.iter().map(|position| position.0).max().unwrap_or_default();
    let Some((tree_size, checkpoint)) = covering(connection, last)? else { return Ok(document) };
    let mut paths = Vec::new();
    let mut nodes = Nodes::default();
    for AuditPosition(position) in positions {
        let Some(index) = position.checked_sub(1) else { continue };
        let Some(ranges) = inclusion_ranges(index, tree_size) else { continue };
        ranges.iter().chain([&(index..*position)]).for_each(|range| nodes.want(range));
        paths.push((*position, ranges));
    }
    let count = each_leaf(connection, tree_size, |leaf| nodes.push(leaf))?;
    nodes.finish();
    let missing = || AuditFault::damaged(count + 1, "a record that a proof needs is missing");
    if count != tree_size {
        return Err(missing());
    }
    for (position, ranges) in paths {
        let leaf = nodes.root(&(position - 1..position)).ok_or_else(missing)?;
        let path: Option<Vec<Hash>> = ranges.iter().map(|range| nodes.root(range)).collect();
        let sql = "SELECT line FROM audit WHERE seq = ?";
        let record = connection.query_row(sql, [position.cast_signed()], |row| row.get(0)).optional()?;
        document.proofs.push(Proof::Inclusion {
            log: origin.to_owned(),
            position,
            leaf_index: position - 1,
            tree_size,
            record,
            leaf: STANDARD.encode(leaf),
            path: encoded(path.ok_or_else(missing)?),
            checkpoint: checkpoint.clone(),
        });
    }
    Ok(document)
}

// The first checkpoint that covers `position`, or the last one.
fn covering(connection: &Connection, position: u64) -> Result<Option<(u64, String)>, AuditFault> {
    let least = i64::try_from(position).unwrap_or(i64::MAX);
    let one = |sql: &str, least: i64| {
        connection.query_row(sql, [least], |row| Ok((row.get::<_, i64>(0)?, row.get(1)?))).optional()
    };
    let row = match one("SELECT size, note FROM checkpoint WHERE size >= ? ORDER BY size LIMIT 1", least)? {
        Some(row) => Some(row),
        None => one("SELECT size, note FROM checkpoint WHERE size >= ? ORDER BY size DESC LIMIT 1", 0)?,
    };
    Ok(row.map(|(size, note)| (size.unsigned_abs(), note)))
}

// Roots of subtrees, from leaves that pass by. Each subtree of RFC 6962 is a perfect one, or reaches the right edge: the first
// are met on the way, the others are put together at the end.
#[derive(Default)]
struct Nodes {
    wanted: BTreeMap<(u64, u64), Option<Hash>>,
    // Perfect subtrees that no larger one holds so far, from left to right.
    stack: Vec<(u64, u64, Hash)>,
}

impl Nodes {
    fn want(&mut self, range: &Range<u64>) {
        self.wanted.insert((range.start, range.end), None);
    }

    fn push(&mut self, leaf: Hash) {
        let at = self.stack.last().map_or(0, |node| node.1);
        let mut node = (at, at + 1, leaf);
        self.found(&node);
        while let Some(&(start, end, hash)) = self.stack.last()
            && end - start == node.1 - node.0
        {
            self.stack.pop();
            node = (start, node.1, node_hash(&hash, &node.2));
            self.found(&node);
        }
        self.stack.push(node);
    }

    fn finish(&mut self) {
        let Some(mut node) = self.stack.pop() else { return };
        while let Some((start, _, hash)) = self.stack.pop() {
            node = (start, node.1, node_hash(&hash, &node.2));
            self.found(&node);
        }
    }

    fn found(&mut self, (start, end, hash): &(u64, u64, Hash)) {
        if let Some(root) = self.wanted.get_mut(&(*start, *end)) {
            *root = Some(*hash);
        }
    }

    fn root(&self, range: &Range<u64>) -> Option<Hash> {
        self.wanted.get(&(range.start, range.end)).copied().flatten()
    }
}
