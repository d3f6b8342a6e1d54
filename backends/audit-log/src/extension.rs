//! Proof that a log was only extended, made from what the writing side has at hand: the right edge of the old tree and
//! the leaves since. It is the consistency proof of RFC 6962 section 2.1.2, and its cost is that of the new leaves, not of
//! the log. Next: [`crate::tree::verify_consistency`], which judges it.

use crate::tree::{Frontier, Hash, root_of};

/// The consistency proof from the tree of `old` to the tree that has `new` leaves more. Empty when there is nothing to
/// prove: from an empty tree, or to the same one.
pub fn extension_proof(old: &Frontier, new: &[Hash]) -> Vec<Hash> {
    if old.size() == 0 || new.is_empty() {
        return Vec::new();
    }
    let size = old.size() + new.len() as u64;
    let mut proof = Vec::new();
    Sides { old, new }.collect(old.size(), 0, size, true, &mut proof);
    proof
}

struct Sides<'a> {
    old: &'a Frontier,
    new: &'a [Hash],
}

impl Sides<'_> {
    // SUBPROOF(m, D[start:end], whole).
    fn collect(&self, m: u64, start: u64, end: u64, whole: bool, proof: &mut Vec<Hash>) {
        if m == end - start {
            if !whole {
                proof.extend(self.root(start, end));
            }
            return;
        }
        let middle = start + largest_power_below(end - start);
        if m <= middle - start {
            self.collect(m, start, middle, whole, proof);
            proof.extend(self.root(middle, end));
        } else {
            self.collect(m - (middle - start), middle, end, false, proof);
            proof.extend(self.root(start, middle));
        }
    }

    // Whatever the proof names is a perfect subtree of the old edge, or lies in the new leaves as a whole.
    fn root(&self, start: u64, end: u64) -> Option<Hash> {
        if end <= self.old.size() {
            return self.old.subtree((end - start).trailing_zeros() as usize);
        }
        let from = usize::try_from(start.checked_sub(self.old.size())?).ok()?;
        let to = usize::try_from(end - self.old.size()).ok()?;
        Some(root_of(self.new.get(from..to)?))
    }
}

fn largest_power_below(n: u64) -> u64 {
    1 << (u64::BITS - 1 - (n - 1).leading_zeros())
}

#[cfg(test)]
mod tests {
    use super::extension_proof;
    use crate::tree::{Frontier, Hash, consistency_proof, leaf_hash, root_of, verify_consistency};

    #[test]
    fn t25_the_proof_from_the_edge_is_the_proof_from_all_leaves() {
        let leaves: Vec<Hash> = (0..70_u32).map(|n| leaf_hash(&n.to_be_bytes())).collect();
        for size in 1..=leaves.len() {
            for old in 1..=size {
                let mut edge = Frontier::default();
                leaves[..old].iter().for_each(|leaf| edge.push(*leaf));
                let proof = extension_proof(&edge, &leaves[old..size]);
                assert_eq!(Some(&proof), consistency_proof(&leaves[..size], old).as_ref(), "{old} to {size}");
                let (before, after) = (root_of(&leaves[..old]), root_of(&leaves[..size]));
                assert!(verify_consistency(old as u64, &before, size as u64, &after, &proof), "{old} to {size}");
            }
        }
    }
}
