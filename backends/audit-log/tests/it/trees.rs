//! The tree against an implementation of RFC 6962 that is not ours.

use audit_log::offline;
use audit_log::tree::{Frontier, Hash, leaf_hash, root_of, verify_consistency, verify_inclusion};
use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ct_merkle::{ConsistencyProof, InclusionProof};
use platform::audit::AuditPosition;
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
    let (leaf, path) = offline::prove_inclusion(fixture.path(), AuditPosition(17), 52).unwrap().unwrap();
    assert!(verify_inclusion(leaf, 16, 52, &path, &root));
    // The opening wrote the first checkpoint, over its one record.
    let proof = offline::prove_consistency(fixture.path(), 1, 52).unwrap().unwrap();
    let (first, _) = offline::prove_inclusion(fixture.path(), AuditPosition(1), 1).unwrap().unwrap();
    assert!(verify_consistency(1, &first, 52, &root, &proof));
    assert!(offline::prove_inclusion(fixture.path(), AuditPosition(53), 52).unwrap().is_none());
    assert!(offline::prove_consistency(fixture.path(), 1, 53).unwrap().is_none());
}
