//! The tree against an implementation of RFC 6962 that is not ours.

use std::ops::Range;
use std::path::Path;

use audit_log::AuditFault;
use audit_log::offline;
use audit_log::offline::proof::{self, Proof, Which};
use audit_log::offline::search::Before;
use audit_log::tree::{
    Frontier, Hash, RangeRoots, consistency_ranges, inclusion_ranges, leaf_hash, root_of, verify_consistency,
    verify_inclusion,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ct_merkle::{ConsistencyProof, InclusionProof};
use proptest::prelude::*;
use sha2::Sha256;

use crate::fixture::{Fixture, fill};

fn lines(count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|i| format!("{{\"line\":{i}}}").into_bytes()).collect()
}

fn theirs(lines: &[Vec<u8>]) -> MemoryBackedTree<Sha256, Vec<u8>> {
    let mut tree = MemoryBackedTree::new();
    lines.iter().for_each(|line| tree.push(line.clone()));
    tree
}

fn ours(lines: &[Vec<u8>]) -> (Frontier, Vec<Hash>) {
    let mut frontier = Frontier::default();
    let leaves: Vec<Hash> = lines.iter().map(|line| leaf_hash(line)).collect();
    leaves.iter().for_each(|leaf| frontier.push(*leaf));
    (frontier, leaves)
}

fn streamed(ranges: Option<Vec<Range<u64>>>, leaves: &[Hash]) -> Vec<Hash> {
    let mut roots = RangeRoots::new(ranges.unwrap());
    leaves.iter().for_each(|leaf| roots.push(*leaf));
    roots.finish().unwrap()
}

#[test]
fn t25_the_frontier_has_the_root_of_the_whole_tree_at_every_size() {
    let lines = lines(300);
    for size in 0..=lines.len() {
        let (frontier, leaves) = ours(&lines[..size]);
        assert_eq!(frontier.root()[..], theirs(&lines[..size]).root().as_bytes()[..], "size {size}");
        assert_eq!(frontier.root(), root_of(&leaves));
        assert_eq!(Frontier::from_bytes(size as u64, &frontier.to_bytes()).unwrap().root(), frontier.root());
    }
    assert!(Frontier::from_bytes(3, &[0; 32]).is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn t25_inclusion_proofs_verify_by_both_and_for_no_other_place(size in 1_usize..200, at in 0_usize..200) {
        let at = at % size;
        let lines = lines(size);
        let (frontier, leaves) = ours(&lines);
        let proof = audit_log::tree::inclusion_proof(&leaves, at).unwrap();
        let root = frontier.root();
        let streamed = streamed(inclusion_ranges(at as u64, size as u64), &leaves);
        prop_assert_eq!(&streamed, &proof);
        prop_assert!(verify_inclusion(leaves[at], at as u64, size as u64, &proof, &root));
        prop_assert!(!verify_inclusion(leaf_hash(b"other"), at as u64, size as u64, &proof, &root));
        prop_assert!(!verify_inclusion(leaves[at], at as u64 + 1, size as u64, &proof, &root) || size == 1);
        let other = InclusionProof::<Sha256>::try_from_bytes(proof.concat()).unwrap();
        prop_assert!(theirs(&lines).root().verify_inclusion(&lines[at], at as u64, &other).is_ok());
    }

    #[test]
    fn t25_consistency_proofs_verify_by_both_and_for_no_other_history(size in 2_usize..200, old in 1_usize..200) {
        let old = 1 + old % (size - 1);
        let lines = lines(size);
        let (new_tree, leaves) = ours(&lines);
        let (old_tree, _) = ours(&lines[..old]);
        let proof = audit_log::tree::consistency_proof(&leaves, old).unwrap();
        prop_assert_eq!(&streamed(consistency_ranges(old as u64, size as u64), &leaves), &proof);
        let verify = |old_root: &Hash| verify_consistency(old as u64, old_root, size as u64, &new_tree.root(), &proof);
        prop_assert!(verify(&old_tree.root()));
        prop_assert!(!verify(&leaf_hash(b"other history")));
        let other = ConsistencyProof::<Sha256>::try_from_bytes(proof.concat()).unwrap();
        prop_assert!(theirs(&lines).root().verify_consistency(&theirs(&lines[..old]).root(), &other).is_ok());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn t25_a_log_proves_its_records_against_its_checkpoints() {
    let fixture = Fixture::new();
    let (log, _) = fixture.open();
    fill(&log, 50).await;
    log.close().await.unwrap();
    let report = offline::verify(fixture.path(), &Default::default()).unwrap();
    let root: Hash = hex::decode(&report.root).unwrap().try_into().unwrap();
    let (leaf, path) = inclusion(fixture.path(), 17, 52).unwrap();
    assert!(verify_inclusion(leaf, 16, 52, &path, &root));
    // The opening wrote the first checkpoint, over its one record.
    let proof = consistency(fixture.path(), 1, 52).unwrap();
    let (first, _) = inclusion(fixture.path(), 1, 1).unwrap();
    assert!(verify_consistency(1, &first, 52, &root, &proof));
    assert!(inclusion(fixture.path(), 53, 52).is_err());
    assert!(consistency(fixture.path(), 1, 53).is_err());
}

fn hashes(path: &[String]) -> Vec<Hash> {
    path.iter().map(|hash| STANDARD.decode(hash).unwrap().try_into().unwrap()).collect()
}

fn inclusion(state: &Path, position: u64, size: u64) -> Result<(Hash, Vec<Hash>), AuditFault> {
    let which = Which::Position(Before { log: None, position });
    let document = proof::prove_inclusion(state, &which, Some(size))?;
    let Proof::Inclusion { leaf, path, .. } = &document.proofs[0] else { panic!("another proof") };
    Ok((hashes(std::slice::from_ref(leaf))[0], hashes(path)))
}

fn consistency(state: &Path, from: u64, to: u64) -> Result<Vec<Hash>, AuditFault> {
    let document = proof::prove_consistency(state, None, from, Some(to))?;
    let Proof::Consistency { path, .. } = &document.proofs[0] else { panic!("another proof") };
    Ok(hashes(path))
}
