//! Evidence of a change that was done: what is in it, and that every manipulation of it is named.

use std::collections::BTreeMap;
use std::sync::Arc;

use change_control::evidence::archive::{Files, pack, unpack};
use change_control::evidence::manifest::{EVIDENCE, MANIFEST, Manifest, SIGNATURE, content_of, entries};
use change_control::evidence::verify::{Judged, Outcome, Trust, Verification, verify};
use change_control::model::attempt::{Attempt, AttemptOutcome, Direction};
use change_control::model::change::{DeviceProgress, DeviceState, Transition};
use change_control::{Change, GrantKeys, State};
use platform::artifacts::ArtifactId;
use platform::keys::PublicKey;
use platform::store::Expect;
use platform::{Json, SharedClock, canonical};
use platform_suites::MemorySecrets;
use serde_json::json;

use crate::gate::rig::{DEVICES, Rig};

const PATH: [State; 9] = [
    State::Planning,
    State::Planned,
    State::Submitted,
    State::Approved,
    State::Scheduled,
    State::Checking,
    State::Applying,
    State::Verifying,
    State::Done,
];

/// A manipulation of one file.
type Edit = fn(&mut Json);

/// A change of two devices that was done.
async fn done(rig: &Rig) -> Change {
    let change = rig.applying().await;
    for device in DEVICES {
        let attempt = rig.announce(&change, device, Direction::Forward, 1).await;
        let handle = rig.send(&change, &attempt).await.unwrap();
        let outcome = AttemptOutcome::Succeeded { message: None };
        rig.put(&Attempt { handle: Some(handle), outcome, ..attempt }, Expect::Any).await;
    }
    let progress = DeviceProgress {
        state: DeviceState::Verified,
        attempts: BTreeMap::from([(Direction::Forward, 1)]),
        last_write_ms: Some(rig.now_ms()),
        report: Vec::new(),
        device_errors: Vec::new(),
        by_hand: Vec::new(),
    };
    let at_ms = rig.now_ms();
    rig.edit(&change, |change| {
        change.state = State::Done;
        change.history = PATH.map(|to| Transition { at_ms, to, why: String::new() }).to_vec();
        change.run.devices = DEVICES.map(|device| (device.to_owned(), progress.clone())).into();
    })
    .await;
    rig.changes.book().get(&change.id).await.unwrap().change
}

async fn archive(rig: &Rig, change: &Change) -> Vec<u8> {
    let kept = rig.changes.assemble_evidence(&change.id).await.unwrap();
    assert_eq!((kept.kind.as_str(), kept.media_type.as_str()), ("evidence", "application/x-tar"));
    rig.artifacts.open(&ArtifactId::parse(&kept.id).unwrap()).await.unwrap()
}

fn by_key(archive: &[u8], keys: Vec<PublicKey>) -> Verification {
    verify(archive, &Trust { keys, ..Trust::default() })
}

fn failed(verification: &Verification) -> Vec<&'static str> {
    assert!(!verification.ok);
    let mut names: Vec<_> =
        verification.checks.iter().filter(|c| c.result == Outcome::Failed).map(|c| c.check).collect();
    names.dedup();
    names
}

fn said(verification: &Verification) -> String {
    verification.checks.iter().map(|c| format!("{} {:?} {}\n", c.check, c.result, c.message)).collect()
}

/// The archive with other files, its manifest and signature made anew by whoever holds these keys.
fn signed_again(files: &Files, keys: &GrantKeys) -> Vec<u8> {
    let mut files = files.clone();
    let mut manifest: Manifest = serde_json::from_slice(&files.remove(MANIFEST).unwrap()).unwrap();
    files.remove(SIGNATURE).unwrap();
    manifest.content = content_of(&files).unwrap();
    manifest.files = entries(&files);
    let manifest = canonical::to_bytes(&manifest).unwrap();
    let made = keys.sign_for(EVIDENCE, &manifest);
    let signature = json!({"signed_for": EVIDENCE, "key": made.key, "signature": made.signature});
    files.insert(MANIFEST.into(), manifest);
    files.insert(SIGNATURE.into(), canonical::to_bytes(&signature).unwrap());
    pack(&files).unwrap()
}

fn edited(files: &Files, name: &str, edit: impl FnOnce(&mut Json)) -> Files {
    let mut files = files.clone();
    let mut value: Json = serde_json::from_slice(&files[name]).unwrap();
    edit(&mut value);
    files.insert(name.into(), canonical::to_bytes(&value).unwrap());
    files
}

async fn other_keys(rig: &Rig) -> GrantKeys {
    let secrets = MemorySecrets::new(Arc::clone(&rig.clock) as SharedClock);
    GrantKeys::open(Arc::new(secrets)).await.unwrap()
}

#[tokio::test]
async fn t15_evidence_of_a_change_verifies_without_a_server_and_says_what_it_could_not_check() {
    let rig = Rig::new().await;
    let change = done(&rig).await;
    let archive = archive(&rig, &change).await;
    let verification = by_key(&archive, rig.keys.public_keys());
    assert!(verification.ok, "{}", said(&verification));
    assert_eq!((verification.change, verification.state), (Some(change.id.clone()), Some(State::Done)));
    let result = |name: &str| verification.checks.iter().find(|c| c.check == name).unwrap().result;
    for name in
        ["archive", "files", "signature", "states", "plan", "submission", "approvals", "grant", "attempts", "calls"]
    {
        assert_eq!(result(name), Outcome::Passed, "{name}");
    }
    assert_eq!(result("audit"), Outcome::NotChecked, "this log gives no proofs, and nobody says that it does");

    let files = unpack(&archive).unwrap();
    let calls: Json = serde_json::from_slice(&files["audit/calls.json"]).unwrap();
    let writes: Vec<&Json> = calls.as_array().unwrap().iter().filter(|c| c["tool"] == "port_apply_step").collect();
    assert_eq!(writes.len(), 4, "an intent and an outcome for each device");
    assert!(writes.iter().any(|call| call["decision"]["revision"].is_string()), "{writes:?}");
    assert!(!files.contains_key("key.pub") && !String::from_utf8_lossy(&files[SIGNATURE]).contains("public"));
}

#[tokio::test]
async fn t25_no_key_inside_the_archive_is_believed() {
    let rig = Rig::new().await;
    let archive = archive(&rig, &done(&rig).await).await;
    let nobody = by_key(&archive, Vec::new());
    assert!(!nobody.ok, "the audit records name a key, and nothing from elsewhere vouches for them");
    let other = by_key(&archive, other_keys(&rig).await.public_keys());
    assert_eq!(failed(&other), ["signature", "grant"]);
}

#[tokio::test]
async fn t25_an_anchor_vouches_for_the_key_that_a_proven_record_names() {
    let rig = Rig::new().await;
    let change = done(&rig).await;
    let first = rig.changes.assemble_evidence(&change.id).await.unwrap();
    rig.audit.sign_up_to(2);
    let early = archive(&rig, &change).await;
    assert!(rig.changes.book().get(&change.id).await.unwrap().change.evidence_awaits_proofs);
    rig.audit.sign_up_to(1_000);
    let archive = archive(&rig, &change).await;
    let kept = rig.changes.book().get(&change.id).await.unwrap().change;
    assert!(!kept.evidence_awaits_proofs && kept.evidence != Some(first));
    let records = rig.audit.entries().len();
    assert_eq!(rig.changes.assemble_evidence(&change.id).await.unwrap(), kept.evidence.unwrap(), "the same each time");
    assert_eq!(rig.audit.entries().len(), records, "the digest of the account is on record once");

    let holds = |holds: bool| {
        move |document: &str| {
            let document: Json = serde_json::from_str(document).unwrap();
            let count = document["proofs"].as_array().unwrap().len();
            Ok(vec![Judged { holds, message: "judged".into() }; count])
        }
    };
    let (yes, no) = (holds(true), holds(false));
    let by_anchor = verify(&archive, &Trust { audit: Some(&yes), ..Trust::default() });
    assert!(by_anchor.ok, "{}", said(&by_anchor));
    assert!(
        !verify(&early, &Trust { audit: Some(&yes), ..Trust::default() }).ok,
        "the record with the key is not proven"
    );
    assert!(failed(&verify(&archive, &Trust { audit: Some(&no), ..Trust::default() })).contains(&"audit"));

    let files = unpack(&archive).unwrap();
    let forged =
        edited(&files, "audit/records.json", |records| records[0]["@timestamp"] = json!("2020-01-01T00:00:00Z"));
    let forged = signed_again(&forged, &rig.keys);
    assert!(failed(&verify(&forged, &Trust { audit: Some(&yes), ..Trust::default() })).contains(&"audit"));
    let thief = other_keys(&rig).await;
    let stolen = edited(&files, "change.json", |change| change["title"] = json!("Another"));
    let stolen = signed_again(&stolen, &thief);
    let stolen = verify(&stolen, &Trust { audit: Some(&yes), ..Trust::default() });
    assert!(failed(&stolen).contains(&"content"), "{}", said(&stolen));
}

#[tokio::test]
async fn t25_a_byte_in_any_file_and_a_file_that_is_gone_or_new_are_named() {
    let rig = Rig::new().await;
    let archive = archive(&rig, &done(&rig).await).await;
    let files = unpack(&archive).unwrap();
    assert!(files.len() >= 12, "{:?}", files.keys());
    let keys = || rig.keys.public_keys();
    for name in files.keys().filter(|name| *name != MANIFEST && *name != SIGNATURE) {
        let mut changed = files.clone();
        let bytes = changed.get_mut(name).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        let verification = by_key(&pack(&changed).unwrap(), keys());
        assert!(failed(&verification).contains(&"files"), "{name}");
        assert!(said(&verification).contains(&format!("files Failed `{name}`")), "{}", said(&verification));
        let mut gone = files.clone();
        gone.remove(name);
        let verification = by_key(&pack(&gone).unwrap(), keys());
        assert!(said(&verification).contains(&format!("files Failed `{name}` is missing")), "{}", said(&verification));
    }
    for name in [MANIFEST, SIGNATURE] {
        let mut gone = files.clone();
        gone.remove(name);
        assert!(said(&by_key(&pack(&gone).unwrap(), keys())).contains(&format!("`{name}` is missing")));
    }
    let more = Files::from([("more.json".to_owned(), b"{}".to_vec())]).into_iter().chain(files.clone()).collect();
    assert!(said(&by_key(&pack(&more).unwrap(), keys())).contains("`more.json` was added"));
    let edited = edited(&files, MANIFEST, |manifest| manifest["proven"] = json!(9));
    assert!(failed(&by_key(&pack(&edited).unwrap(), keys())).contains(&"signature"));
}

#[tokio::test]
async fn t15_what_contradicts_itself_is_named_even_where_the_signature_holds() {
    let rig = Rig::new().await;
    let archive = archive(&rig, &done(&rig).await).await;
    let files = unpack(&archive).unwrap();
    let cases: [(&str, &str, Edit); 10] = [
        ("plan", "plan.json", |v| v["soak_s"] = json!(1)),
        ("submission", "submission.json", |v| v["submission"]["ticket"] = json!("CHG1")),
        ("approvals", "approvals.json", |v| v[0]["submission"] = json!("00")),
        ("grant", "approvals.json", |v| {
            v[0]["approver"] = json!({"issuer": "i", "subject": "x", "person": "x", "name": "x"})
        }),
        ("approvals", "approvals.json", |v| v[0]["auth_time"] = json!(1)),
        ("approvals", "approvals.json", |v| *v = json!([])),
        ("grant", "grant.json", |v| v["grant"]["writes"] = json!(3)),
        ("states", "change.json", |v| {
            v["history"].as_array_mut().unwrap().remove(3);
        }),
        ("attempts", "attempts.json", |v| v[0]["carrier"]["version_id"] = json!("v-9")),
        ("calls", "audit/calls.json", |v| v[0]["outcome"] = json!("refused")),
    ];
    for (check, file, edit) in cases {
        let verification = by_key(&signed_again(&edited(&files, file, edit), &rig.keys), rig.keys.public_keys());
        assert!(failed(&verification).contains(&check), "{file}: {}", said(&verification));
    }
}

#[test]
fn t25_an_archive_that_was_written_otherwise_is_refused_before_anything_in_it_is_read() {
    let files = Files::from([("a.json".to_owned(), b"{}".to_vec()), ("b.json".to_owned(), vec![7; 2_000])]);
    let good = pack(&files).unwrap();
    assert_eq!(unpack(&good).unwrap(), files);
    assert_eq!(good, pack(&files).unwrap());
    for cut in [1, 512, 1_024, 1_500, good.len() - 600, good.len() - 1] {
        assert!(unpack(&good[..cut]).is_err(), "cut at {cut}");
    }
    assert!(unpack(&[&good[..], b"more"].concat()).is_err(), "something behind the end");
    let large = vec![0; platform::artifacts::MAX_BYTES + 1];
    assert!(unpack(&large).unwrap_err().contains("larger"));
    for name in ["../a.json", "/a.json", "a/../b.json", ".a.json", "a//b.json", "A.json", "a\\b.json"] {
        let mut renamed = good.clone();
        renamed[..100].fill(0);
        renamed[..name.len()].copy_from_slice(name.as_bytes());
        assert!(unpack(&with_checksum(renamed)).is_err(), "{name}");
    }
    let mut link = good.clone();
    link[156] = b'2';
    assert!(unpack(&with_checksum(link)).unwrap_err().contains("no regular file"));
    let mut promising = good;
    promising[124..136].copy_from_slice(b"77777777777\0");
    assert!(unpack(&with_checksum(promising)).is_err(), "a size that the archive does not have");
}

// The first header's checksum made right again (POSIX ustar).
fn with_checksum(mut archive: Vec<u8>) -> Vec<u8> {
    archive[148..156].fill(b' ');
    let sum: u32 = archive[..512].iter().map(|byte| u32::from(*byte)).sum();
    archive[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    archive
}

#[tokio::test]
async fn evidence_of_a_change_that_goes_on_is_missing() {
    let rig = Rig::new().await;
    let change = rig.applying().await;
    assert_eq!(rig.changes.assemble_evidence(&change.id).await.unwrap_err().code(), "evidence_missing");
}
