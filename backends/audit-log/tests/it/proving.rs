//! Documents of proofs: made from the log, checked without it.

use audit_log::offline::VerifyOptions;
use audit_log::offline::proof::{self, Proof, ProofDocument, Shown, Which};
use audit_log::offline::search::Before;
use audit_log::{AuditKeys, CheckpointFile, Cosigner};
use platform::audit::{AuditLog, AuditPosition};

use crate::fixture::{Fixture, aside, intent, outcome, tool_call};

struct Proving {
    fixture: Fixture,
    options: VerifyOptions,
}

// A log of 43 records with checkpoints over 1, 21, 41 and 43, and an anchor elsewhere.
async fn log() -> (Proving, tempfile::TempDir) {
    let (fixture, elsewhere) = (Fixture::new(), tempfile::tempdir().unwrap());
    let anchor = elsewhere.path().join("anchor");
    let (log, _) = fixture.open_with(|options| {
        options.checkpoint_every = 20;
        options.sinks.push(Box::new(CheckpointFile::new(&anchor)));
    });
    log.append(intent("write")).await.unwrap();
    log.append(outcome("write")).await.unwrap();
    for i in 0..39 {
        log.append(tool_call("alice", &format!("call-{i}"))).await.unwrap();
    }
    log.close().await.unwrap();
    (Proving { fixture, options: VerifyOptions { anchors: vec![anchor], ..VerifyOptions::default() } }, elsewhere)
}

impl Proving {
    fn inclusion(&self, position: u64, size: Option<u64>) -> ProofDocument {
        let which = Which::Position(Before { log: None, position });
        proof::prove_inclusion(self.fixture.path(), &which, size).unwrap()
    }

    fn check(&self, document: &ProofDocument) -> Vec<Shown> {
        proof::check(&serde_json::to_string(document).unwrap(), &self.options, None).unwrap()
    }
}

#[tokio::test]
async fn t25_a_request_is_proven_to_somebody_who_has_only_the_document_and_an_anchor() {
    let (proving, _elsewhere) = log().await;
    let which = Which::Request("write".to_owned());
    let document = proof::prove_inclusion(proving.fixture.path(), &which, None).unwrap();
    assert_eq!(document.proofs.len(), 2, "an intent and an outcome");
    let shown = proving.check(&document);
    assert!(shown.iter().all(|shown| shown.ok), "{shown:?}");
    assert!(shown[0].message.contains("at position 2 of interlock.audit/"), "{shown:?}");
    let by_key =
        VerifyOptions { public_keys: vec![proving.fixture.keys.public_key().unwrap()], ..VerifyOptions::default() };
    let text = serde_json::to_string(&document).unwrap();
    assert!(proof::check(&text, &by_key, None).unwrap().iter().all(|shown| shown.ok));

    let unknown = Which::Request("nobody".to_owned());
    let refused = proof::prove_inclusion(proving.fixture.path(), &unknown, None).unwrap_err();
    assert_eq!(platform::Error::from(refused).code(), "audit_proof_impossible");
}

#[tokio::test]
async fn t25_every_record_is_proven_against_every_checkpoint_that_covers_it() {
    let (proving, _elsewhere) = log().await;
    for size in [1, 21, 41, 43] {
        for position in 1..=size {
            let shown = proving.check(&proving.inclusion(position, Some(size)));
            assert!(shown[0].ok, "{position} of {size}: {shown:?}");
        }
    }
    for (from, to) in [(1, 21), (1, 43), (21, 41), (21, 43), (41, 43), (43, 43)] {
        let document = proof::prove_consistency(proving.fixture.path(), None, from, Some(to)).unwrap();
        let shown = proving.check(&document);
        assert!(shown[0].ok, "{from} to {to}: {shown:?}");
    }
    let path = proving.fixture.path();
    for refused in [
        proof::prove_inclusion(path, &Which::Position(Before { log: None, position: 30 }), Some(21)),
        proof::prove_inclusion(path, &Which::Position(Before { log: None, position: 30 }), Some(22)),
        proof::prove_inclusion(path, &Which::Position(Before { log: None, position: 0 }), None),
        proof::prove_consistency(path, None, 22, None),
        proof::prove_consistency(path, None, 41, Some(21)),
    ] {
        assert_eq!(platform::Error::from(refused.unwrap_err()).code(), "audit_proof_impossible");
    }
}

type Change = (&'static str, fn(&mut Proof));

#[tokio::test]
async fn t25_a_changed_proof_shows_nothing() {
    let (proving, _elsewhere) = log().await;
    let good = proving.inclusion(30, Some(41));
    let changes: [Change; 6] = [
        ("the record", |proof| {
            let Proof::Inclusion { record: Some(record), .. } = proof else { panic!() };
            *record = record.replace("alice", "mallory");
        }),
        ("the leaf and the record", |proof| {
            use base64::Engine;
            let Proof::Inclusion { record: Some(record), leaf, .. } = proof else { panic!() };
            *record = record.replace("alice", "mallory");
            let hash = audit_log::tree::leaf_hash(record.as_bytes());
            *leaf = base64::engine::general_purpose::STANDARD.encode(hash);
        }),
        ("the place", |proof| {
            let Proof::Inclusion { position, leaf_index, .. } = proof else { panic!() };
            (*position, *leaf_index) = (29, 28);
        }),
        ("the path", |proof| {
            let Proof::Inclusion { path, .. } = proof else { panic!() };
            path.swap(0, 1);
        }),
        ("the size", |proof| {
            let Proof::Inclusion { checkpoint, tree_size, .. } = proof else { panic!() };
            *checkpoint = checkpoint.replace("\n41\n", "\n42\n");
            *tree_size = 42;
        }),
        ("the log", |proof| {
            let Proof::Inclusion { log, .. } = proof else { panic!() };
            log.push('0');
        }),
    ];
    for (what, change) in changes {
        let mut document = good.clone();
        change(&mut document.proofs[0]);
        let shown = proving.check(&document);
        assert!(!shown[0].ok, "{what}: {shown:?}");
    }
    let text = serde_json::to_string(&good).unwrap();
    let stranger = VerifyOptions {
        public_keys: vec![AuditKeys::generate().unwrap().public_key().unwrap()],
        ..VerifyOptions::default()
    };
    assert!(!proof::check(&text, &stranger, None).unwrap()[0].ok);
    let cosigner = Cosigner::new(&Cosigner::generate().unwrap()).unwrap();
    let bare = VerifyOptions { countersigners: vec![cosigner.key().clone()], ..VerifyOptions::default() };
    assert!(!proof::check(&text, &bare, None).unwrap()[0].ok, "a note without its countersignature");
    for (document, options) in [
        (text.as_str(), &VerifyOptions::default()),
        ("{}", &proving.options),
        (r#"{"format":"other","proofs":[]}"#, &proving.options),
        (&text.replace("\"position\"", "\"posture\""), &proving.options),
    ] {
        let refused = proof::check(document, options, None).unwrap_err();
        assert_eq!(platform::Error::from(refused).code(), "audit_proof_impossible");
    }
}

#[tokio::test]
async fn t25_a_proof_of_a_forked_log_is_refused_by_the_anchor() {
    let (proving, elsewhere) = log().await;
    let (other, _other_elsewhere) = log().await;
    let document = proving.inclusion(30, Some(41));
    // An anchor that has another checkpoint of this size under this name.
    let Proof::Inclusion { log, .. } = &document.proofs[0] else { panic!() };
    let text = std::fs::read_to_string(&other.options.anchors[0]).unwrap();
    let foreign = audit_log::offline::logs(other.fixture.path()).unwrap()[0].origin.clone();
    let lying = elsewhere.path().join("lying");
    std::fs::write(&lying, text.replace(&foreign, log)).unwrap();
    let options = VerifyOptions {
        anchors: vec![lying],
        public_keys: vec![proving.fixture.keys.public_key().unwrap()],
        ..VerifyOptions::default()
    };
    let shown = proof::check(&serde_json::to_string(&document).unwrap(), &options, None).unwrap();
    assert!(!shown[0].ok && shown[0].message.contains("forked"), "{shown:?}");
}

#[tokio::test]
async fn t25_records_of_a_log_that_was_set_aside_are_proven_by_its_name() {
    let (proving, _elsewhere) = log().await;
    aside(proving.fixture.path());
    let logs = audit_log::offline::logs(proving.fixture.path()).unwrap();
    let which = Which::Position(Before { log: Some(logs[0].short().to_owned()), position: 30 });
    let document = proof::prove_inclusion(proving.fixture.path(), &which, None).unwrap();
    assert!(proving.check(&document)[0].ok);
    let none = Which::Position(Before { log: None, position: 30 });
    let refused = proof::prove_inclusion(proving.fixture.path(), &none, None).unwrap_err();
    assert_eq!(platform::Error::from(refused).code(), "audit_not_found");
}

#[tokio::test]
async fn t25_a_running_log_proves_many_records_at_once_as_one_by_one() {
    let (proving, _elsewhere) = log().await;
    let (log, _) = proving.fixture.open();
    let asked: Vec<AuditPosition> = [1, 2, 7, 20, 21, 36, 41].map(AuditPosition).to_vec();
    let proofs = log.prove(&asked).await.unwrap().unwrap();
    assert_eq!(proofs.covered, asked);
    let document: ProofDocument = serde_json::from_value(proofs.document).unwrap();
    assert!(proving.check(&document).iter().all(|shown| shown.ok), "{:?}", proving.check(&document));
    for (proof, AuditPosition(position)) in document.proofs.iter().zip(&asked) {
        assert_eq!(
            *proof,
            proving.inclusion(*position, Some(41)).proofs[0],
            "the first checkpoint that covers all of them"
        );
    }
    let beyond = log.prove(&[AuditPosition(5), AuditPosition(9_999)]).await.unwrap().unwrap();
    assert_eq!(beyond.covered, [AuditPosition(5)], "what no signed tree covers is left out");
    log.close().await.unwrap();
}
