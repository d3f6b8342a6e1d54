//! The hashes of the log: leaf, chain, and the RFC 6962 tree kept as its frontier, with inclusion and consistency proofs
//! (RFC 6962 section 2.1). Next: [`crate::checkpoint`], where roots are signed.

use std::ops::Range;

use aws_lc_rs::digest::{Context, SHA256};

/// A SHA-256 value.
pub type Hash = [u8; 32];

fn sha256(parts: &[&[u8]]) -> Hash {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    let mut out = [0; 32];
    out.copy_from_slice(context.finish().as_ref());
    out
}

/// `SHA256(0x00 || line)`: the leaf of a record, domain-separated from nodes (RFC 6962 section 2.1).
pub fn leaf_hash(line: &[u8]) -> Hash {
    sha256(&[&[0], line])
}

pub(crate) fn node_hash(left: &Hash, right: &Hash) -> Hash {
    sha256(&[&[1], left, right])
}

/// `SHA256(previous || leaf)`: the chain value of a record. The chain begins with 32 zero bytes.
pub fn chain_hash(previous: &Hash, leaf: &Hash) -> Hash {
    sha256(&[previous, leaf])
}

/// The right edge of the tree: O(log n) state from which the root of everything so far follows.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    // One perfect subtree per set bit of `size`; index = height.
    subtrees: Vec<Option<Hash>>,
}

impl Frontier {
    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The perfect subtree of 2^`height` leaves on the edge, if one stands there.
    pub(crate) fn subtree(&self, height: usize) -> Option<Hash> {
        self.subtrees.get(height).copied().flatten()
    }

    /// Adds a leaf.
    pub fn push(&mut self, leaf: Hash) {
        let mut carried = leaf;
        let mut height = 0;
        loop {
            if height == self.subtrees.len() {
                self.subtrees.push(None);
            }
            match self.subtrees[height].take() {
                None => {
                    self.subtrees[height] = Some(carried);
                    break;
                }
                Some(left) => {
                    carried = node_hash(&left, &carried);
                    height += 1;
                }
            }
        }
        self.size += 1;
    }

    /// The Merkle tree hash of all leaves; of none, `SHA256("")`.
    pub fn root(&self) -> Hash {
        self.subtrees
            .iter()
            .flatten()
            .copied()
            .reduce(|right, left| node_hash(&left, &right))
            .unwrap_or_else(|| sha256(&[]))
    }

    /// The hashes of the perfect subtrees, smallest first: how a checkpoint keeps the frontier.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.subtrees.iter().flatten().flatten().copied().collect()
    }

    /// Reads what [`Self::to_bytes`] wrote for a tree of `size` leaves. `None` when the bytes do not fit the size. What
    /// comes back is worth only as much as a signed root that it hashes to.
    pub fn from_bytes(size: u64, bytes: &[u8]) -> Option<Self> {
        if bytes.len() as u64 != u64::from(size.count_ones()) * 32 {
            return None;
        }
        let mut hashes = bytes.as_chunks::<32>().0.iter();
        let heights = 64 - size.leading_zeros();
        let mut subtrees = Vec::new();
        for height in 0..heights {
            subtrees.push(if size >> height & 1 == 1 { Some(*hashes.next()?) } else { None });
        }
        Some(Self { size, subtrees })
    }
}

/// The Merkle tree hash of `leaves`.
pub fn root_of(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => sha256(&[]),
        [one] => *one,
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            node_hash(&root_of(left), &root_of(right))
        }
    }
}

// The largest power of two smaller than `n`, n > 1.
fn split(n: usize) -> usize {
    1 << (usize::BITS - 1 - (n - 1).leading_zeros())
}

/// The audit path of leaf `index` (from 0) in the tree over `leaves` (RFC 6962 section 2.1.1), lowest sibling first.
/// `None` when there is no such leaf.
pub fn inclusion_proof(leaves: &[Hash], index: usize) -> Option<Vec<Hash>> {
    if index >= leaves.len() {
        return None;
    }
    if leaves.len() == 1 {
        return Some(Vec::new());
    }
    let (left, right) = leaves.split_at(split(leaves.len()));
    let mut path;
    if index < left.len() {
        path = inclusion_proof(left, index)?;
        path.push(root_of(right));
    } else {
        path = inclusion_proof(right, index - left.len())?;
        path.push(root_of(left));
    }
    Some(path)
}

/// The proof that the tree over the first `old` leaves is a prefix of the tree over all (RFC 6962 section 2.1.2). `None`
/// when `old` is 0 or more than there are.
pub fn consistency_proof(leaves: &[Hash], old: usize) -> Option<Vec<Hash>> {
    if old == 0 || old > leaves.len() {
        return None;
    }
    Some(subproof(leaves, old, true))
}

fn subproof(leaves: &[Hash], old: usize, whole: bool) -> Vec<Hash> {
    if old == leaves.len() {
        return if whole { Vec::new() } else { vec![root_of(leaves)] };
    }
    let (left, right) = leaves.split_at(split(leaves.len()));
    if old <= left.len() {
        let mut proof = subproof(left, old, whole);
        proof.push(root_of(right));
        proof
    } else {
        let mut proof = subproof(right, old - left.len(), false);
        proof.push(root_of(left));
        proof
    }
}

/// The ranges of leaves whose roots are the audit path of leaf `index` (from 0) in the tree of `size` leaves, lowest sibling
/// first, as [`inclusion_proof`] has them: so a proof is made from leaves that pass by. `None` when there is no such leaf.
pub fn inclusion_ranges(index: u64, size: u64) -> Option<Vec<Range<u64>>> {
    let (mut start, mut end) = (0, size);
    let mut siblings = Vec::new();
    if index >= size {
        return None;
    }
    while end - start > 1 {
        let middle = start + split_of(end - start);
        if index < middle {
            siblings.push(middle..end);
            end = middle;
        } else {
            siblings.push(start..middle);
            start = middle;
        }
    }
    siblings.reverse();
    Some(siblings)
}

/// The same of the proof that the tree of `old` leaves is a prefix of the tree of `new`, as [`consistency_proof`] has it.
pub fn consistency_ranges(old: u64, new: u64) -> Option<Vec<Range<u64>>> {
    if old == 0 || old > new {
        return None;
    }
    let (mut start, mut end, mut whole) = (0, new, true);
    let mut ranges = Vec::new();
    while old != end {
        let middle = start + split_of(end - start);
        if old <= middle {
            ranges.push(middle..end);
            end = middle;
        } else {
            ranges.push(start..middle);
            start = middle;
            whole = false;
        }
    }
    if !whole {
        ranges.push(start..end);
    }
    ranges.reverse();
    Some(ranges)
}

// The largest power of two smaller than `n`, n > 1.
fn split_of(n: u64) -> u64 {
    1 << (u64::BITS - 1 - (n - 1).leading_zeros())
}

/// Roots over ranges of leaves that pass by in order: O(log n) at a time.
#[derive(Debug)]
pub struct RangeRoots {
    // By start; each with its place in the proof.
    ranges: Vec<(Range<u64>, usize)>,
    roots: Vec<Option<Hash>>,
    at: u64,
    next: usize,
    frontier: Frontier,
}

impl RangeRoots {
    /// Over ranges that do not overlap, in whatever order.
    pub fn new(ranges: Vec<Range<u64>>) -> Self {
        let roots = vec![None; ranges.len()];
        let mut ranges: Vec<(Range<u64>, usize)> = ranges.into_iter().zip(0..).collect();
        ranges.sort_by_key(|(range, _)| range.start);
        Self { ranges, roots, at: 0, next: 0, frontier: Frontier::default() }
    }

    /// Takes the next leaf.
    pub fn push(&mut self, leaf: Hash) {
        if let Some((range, place)) = self.ranges.get(self.next)
            && range.contains(&self.at)
        {
            self.frontier.push(leaf);
            if self.at + 1 == range.end {
                if let Some(root) = self.roots.get_mut(*place) {
                    *root = Some(std::mem::take(&mut self.frontier).root());
                }
                self.next += 1;
            }
        }
        self.at += 1;
    }

    /// The roots in the order of the ranges; `None` when leaves were missing.
    pub fn finish(self) -> Option<Vec<Hash>> {
        self.roots.into_iter().collect()
    }
}

/// Whether `proof` shows that `leaf` stands at `index` (from 0) of the tree with `size` leaves and this root (RFC 9162
/// section 2.1.3.2).
pub fn verify_inclusion(leaf: Hash, index: u64, size: u64, proof: &[Hash], root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut at, mut last, mut hash) = (index, size - 1, leaf);
    for sibling in proof {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            hash = node_hash(sibling, &hash);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && hash == *root
}

/// Whether `proof` shows that the tree of `old_size` leaves is a prefix of the tree of `new_size` (RFC 9162 section
/// 2.1.4.2).
pub fn verify_consistency(old_size: u64, old_root: &Hash, new_size: u64, new_root: &Hash, proof: &[Hash]) -> bool {
    if old_size == new_size {
        return proof.is_empty() && old_root == new_root;
    }
    if old_size == 0 || old_size > new_size || proof.is_empty() {
        return false;
    }
    let mut path = proof.to_vec();
    if old_size.is_power_of_two() {
        path.insert(0, *old_root);
    }
    let (mut at, mut last) = (old_size - 1, new_size - 1);
    while at & 1 == 1 {
        at >>= 1;
        last >>= 1;
    }
    let (mut old, mut new) = (path[0], path[0]);
    for hash in &path[1..] {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            old = node_hash(hash, &old);
            new = node_hash(hash, &new);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            new = node_hash(&new, hash);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && old == *old_root && new == *new_root
}
