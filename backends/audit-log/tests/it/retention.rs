//! Old records go, and every proof stays.

use std::sync::Arc;

use audit_log::anchor::{AnchorSecrets, configured};
use audit_log::offline::proof::{self, Proof, Which};
use audit_log::offline::search::Before;
use audit_log::offline::{self, VerifyOptions, verify_all};
use audit_log::{AuditLogFile, Removed};
use jiff::Timestamp;
use platform::Json;
use platform::audit::{AuditFilter, AuditLog, AuditPosition};
use platform::clock::SystemClock;
use rusqlite::Connection;
use tempfile::TempDir;

use crate::fixture::{Fixture, intent, outcome, tool_call};

const NOW: &str = "2026-06-01T00:00:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

// Records 2 to 41 are of January, and what follows is of May. The log's own records are of the real time, which is younger.
async fn aged(fixture: &Fixture, sinks: Option<audit_log::anchor::Anchors>) -> Arc<AuditLogFile> {
    let (log, _) = fixture.open_with(|options| {
        options.checkpoint_every = 1;
        if let Some(anchors) = sinks {
            options.sinks = anchors.sinks;
            options.delivered = Some(anchors.delivered);
        }
    });
    for i in 0..40 {
        let mut entry = tool_call("alice", &format!("old-{i}"));
        entry.at = at("2026-01-01T00:00:00Z");
        log.append(entry).await.unwrap();
    }
    for i in 0..10 {
        let mut entry = tool_call("alice", &format!("new-{i}"));
        entry.at = at("2026-05-30T00:00:00Z");
        log.append(entry).await.unwrap();
    }
    log
}

// A log whose own first record is old, too: opened in January by the clock that it was given.
async fn old_log() -> (Fixture, Arc<AuditLogFile>) {
    let fixture = Fixture::new();
    let clock: platform::SharedClock = Arc::new(Then);
    let mut options = audit_log::AuditOptions::new(fixture.path());
    options.checkpoint_every = 1;
    let (log, _) = AuditLogFile::open(options, &fixture.keys, clock).unwrap();
    let log = Arc::new(log);
    for i in 0..1_240 {
        let mut entry = tool_call("alice", &format!("old-{i}"));
        entry.at = at("2026-01-01T00:00:01Z");
        log.append_detached(entry);
    }
    // Waited for, so that a checkpoint stands between the old ones and the new ones.
    let mut entry = tool_call("alice", "old-last");
    entry.at = at("2026-01-01T00:00:01Z");
    log.append(entry).await.unwrap();
    for i in 0..10 {
        let mut entry = tool_call("alice", &format!("new-{i}"));
        entry.at = at("2026-05-30T00:00:00Z");
        log.append(entry).await.unwrap();
    }
    (fixture, log)
}

struct Then;

impl platform::Clock for Then {
    fn now(&self) -> Timestamp {
        at("2026-01-01T00:00:00Z")
    }
}

fn rows(fixture: &Fixture) -> (i64, i64) {
    let connection = Connection::open(fixture.path().join("audit.db")).unwrap();
    connection.query_row("SELECT min(seq), count(*) FROM audit", [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn t25_old_records_go_up_to_a_checkpoint_and_every_proof_stays() {
    let (fixture, log) = old_log().await;
    let options = VerifyOptions { public_keys: vec![log.public_key()], ..VerifyOptions::default() };
    // Somebody exported a record and kept proofs before.
    let mut exported = Vec::new();
    let filter =
        AuditFilter { before: Some(AuditPosition(301)), after: Some(AuditPosition(299)), ..Default::default() };
    offline::export(fixture.path(), offline::Format::JsonLines, &filter, &mut exported).unwrap();
    let exported = String::from_utf8(exported).unwrap();
    let whole = verify_all(fixture.path(), &options).unwrap();
    assert!(whole.ok);
    let covered: Vec<u64> = checkpoints(&fixture);
    let boundary = *covered.iter().filter(|size| **size <= 1_242).max().unwrap();
    assert_eq!(boundary, 1_242);

    let removed = log.remove_records(30, at(NOW)).await.unwrap();
    assert_eq!(removed, Removed { records: boundary, last: boundary });
    assert_eq!(rows(&fixture), (boundary.cast_signed() + 1, 1_253 - boundary.cast_signed()));
    let declared = log.recent(AuditFilter::default(), 1).await.unwrap().remove(0);
    assert_eq!(declared["event"]["action"], "audit.retained");
    assert_eq!(declared["interlock"]["removed_last"], boundary);
    // Again, and nothing is left to do.
    assert_eq!(log.remove_records(30, at(NOW)).await.unwrap(), Removed::default());
    assert_eq!(log.remove_records(0, at(NOW)).await.unwrap(), Removed::default(), "0 days keep everything");

    log.append(tool_call("alice", "after")).await.unwrap();
    log.close().await.unwrap();
    drop(log);
    let verification = verify_all(fixture.path(), &options).unwrap();
    let report = &verification.logs[0];
    assert!(verification.ok, "{:#?}", report.findings);
    assert_eq!((report.removed, report.records), (boundary, whole.records + 3));
    assert!(report.notes.iter().any(|note| note.starts_with(&format!("records 1 to {boundary} were removed"))));

    // Kept records, every kept size, and the exported record that is gone here.
    let check = |document: &proof::ProofDocument, line: Option<&str>| {
        proof::check(&serde_json::to_string(document).unwrap(), &options, line).unwrap().remove(0)
    };
    for position in [boundary + 1, boundary + 5, report.records] {
        let which = Which::Position(Before { log: None, position });
        assert!(check(&proof::prove_inclusion(fixture.path(), &which, None).unwrap(), None).ok);
    }
    let sizes = checkpoints(&fixture);
    for pair in sizes.windows(2) {
        assert!(check(&proof::prove_consistency(fixture.path(), None, pair[0], Some(pair[1])).unwrap(), None).ok);
    }
    let first = proof::prove_consistency(fixture.path(), None, 1, None).unwrap();
    assert!(check(&first, None).ok, "from before the removal to after it");
    let which = Which::Position(Before { log: None, position: 300 });
    let gone = proof::prove_inclusion(fixture.path(), &which, None).unwrap();
    let Proof::Inclusion { record: None, .. } = &gone.proofs[0] else { panic!("the record is gone") };
    assert!(!check(&gone, None).ok);
    assert!(check(&gone, Some(&exported)).ok);
    assert!(!check(&gone, Some(&exported.replace("alice", "mallory"))).ok);

    // The log goes on after a restart.
    let (log, opened) = fixture.open();
    assert_eq!(opened.last_position(), AuditPosition(report.records));
    log.close().await.unwrap();
    assert!(verify_all(fixture.path(), &options).unwrap().ok);
}

fn checkpoints(fixture: &Fixture) -> Vec<u64> {
    let connection = Connection::open(fixture.path().join("audit.db")).unwrap();
    let mut statement = connection.prepare("SELECT size FROM checkpoint ORDER BY size").unwrap();
    statement.query_map([], |row| Ok(row.get::<_, i64>(0)?.unsigned_abs())).unwrap().map(Result::unwrap).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn t25_nothing_goes_that_is_young_open_or_not_at_every_anchor() {
    // Its first record is younger than what follows: nothing may go over it.
    let fixture = Fixture::new();
    let log = aged(&fixture, None).await;
    assert_eq!(log.remove_records(30, at(NOW)).await.unwrap(), Removed::default());
    drop(log);

    let fixture = Fixture::new();
    let mut options = audit_log::AuditOptions::new(fixture.path());
    options.checkpoint_every = 1;
    let (log, _) = AuditLogFile::open(options, &fixture.keys, Arc::new(Then)).unwrap();
    for (mut entry, time) in [
        (intent("done"), "2026-01-01T00:00:01Z"),
        (outcome("done"), "2026-01-01T00:00:01Z"),
        (intent("open"), "2026-01-01T00:00:02Z"),
        (tool_call("alice", "old"), "2026-01-01T00:00:03Z"),
        (tool_call("alice", "new"), NOW),
    ] {
        entry.at = at(time);
        log.append(entry).await.unwrap();
    }
    let removed = log.remove_records(30, at(NOW)).await.unwrap();
    assert_eq!(removed.last, 3, "up to the write that has no outcome");
    let mut done = outcome("open");
    done.at = at("2026-01-01T00:00:04Z");
    log.append(done).await.unwrap();
    assert_eq!(log.remove_records(30, at(NOW)).await.unwrap().last, 5);
    log.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn t25_what_an_anchor_has_not_taken_is_kept() {
    let (fixture, elsewhere) = (Fixture::new(), TempDir::new().unwrap());
    let clock: platform::SharedClock = Arc::new(SystemClock);
    // Nobody listens there.
    let dead = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let entries = ["file:anchor".to_owned(), format!("http://{dead}/")];
    let open = |entries: &[String]| {
        let anchors = configured(entries, fixture.path(), elsewhere.path(), &AnchorSecrets::default(), &clock).unwrap();
        let mut options = audit_log::AuditOptions::new(fixture.path()).anchored(anchors);
        options.checkpoint_every = 1;
        AuditLogFile::open(options, &fixture.keys, Arc::new(Then)).unwrap().0
    };
    let log = open(&entries);
    for i in 0..10 {
        let mut entry = tool_call("alice", &format!("old-{i}"));
        entry.at = at("2026-01-01T00:00:01Z");
        log.append(entry).await.unwrap();
    }
    assert_eq!(log.remove_records(30, at(NOW)).await.unwrap(), Removed::default());
    log.close().await.unwrap();
    drop(log);
    // The operator gives the dead anchor up.
    let log = open(&entries[..1]);
    let removed = log.remove_records(30, at(NOW)).await.unwrap();
    assert_eq!(removed.last, 12, "what the file has taken when the log was closed");
    log.close().await.unwrap();
    drop(log);
    let options = VerifyOptions { anchors: vec![elsewhere.path().join("anchor")], ..VerifyOptions::default() };
    let verification = verify_all(fixture.path(), &options).unwrap();
    assert!(verification.ok, "{verification:#?}");
    assert_eq!(verification.logs[0].removed, 12);
}

#[tokio::test(flavor = "multi_thread")]
async fn t25_damage_at_the_end_of_its_time_is_kept_as_evidence() {
    let (fixture, log) = old_log().await;
    let connection = Connection::open(fixture.path().join("audit.db")).unwrap();
    connection
        .execute_batch(
            "DROP TRIGGER audit_no_update; UPDATE audit SET line = replace(line, 'alice', 'mallory') WHERE seq = 50",
        )
        .unwrap();
    let refused = log.remove_records(30, at(NOW)).await.unwrap_err();
    assert_eq!(refused.code(), "audit_log_damaged");
    assert_eq!(rows(&fixture).0, 1, "nothing went");
    let last = log.recent(AuditFilter::default(), 1).await.unwrap().remove(0);
    assert_ne!(last["event"]["action"], "audit.retained", "and nothing was written down");
}

#[tokio::test(flavor = "multi_thread")]
async fn t25_a_removal_that_was_interrupted_is_finished_and_verifies_in_between() {
    // As a process leaves it that was killed before the first batch: the removal is written down.
    let (again, log) = old_log().await;
    let whole = verify_all(again.path(), &VerifyOptions::default()).unwrap();
    assert!(whole.ok, "{whole:#?}");
    let mut declared = platform::audit::AuditEntry::event(at(NOW), "audit.retained", platform::audit::Outcome::Success);
    let origin = log.public_key().origin.clone().unwrap();
    let last = *checkpoints(&again).iter().filter(|size| **size <= 1_242).max().unwrap();
    let note: String = Connection::open(again.path().join("audit.db"))
        .unwrap()
        .query_row("SELECT note FROM checkpoint WHERE size = ?", [last.cast_signed()], |row| row.get(0))
        .unwrap();
    let root = audit_log::checkpoint::SignedCheckpoint::parse(&note).unwrap().checkpoint.root;
    declared.facts.insert("log".to_owned(), Json::from(origin));
    declared.facts.insert("removed_last".to_owned(), Json::from(last));
    declared.facts.insert("removed_root".to_owned(), Json::from(hex::encode(root)));
    log.append(declared).await.unwrap();
    let between = verify_all(again.path(), &VerifyOptions::default()).unwrap();
    assert!(between.ok && between.logs[0].removed == 0, "{between:#?}");
    // No day is old enough for a new removal; the old one is finished all the same.
    let finished = log.remove_records(36_500, at(NOW)).await.unwrap();
    assert_eq!(finished.last, last);
    let after = verify_all(again.path(), &VerifyOptions::default()).unwrap();
    assert!(after.ok && after.logs[0].removed == last, "{after:#?}");
    log.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn t25_the_tables_admit_only_a_removal_that_is_written_down() {
    let (fixture, log) = old_log().await;
    let removed = log.remove_records(30, at(NOW)).await.unwrap();
    log.close().await.unwrap();
    drop(log);
    let connection = Connection::open(fixture.path().join("audit.db")).unwrap();
    let next = removed.last + 1;
    for sql in [
        format!("DELETE FROM audit WHERE seq = {next}"),
        format!("INSERT INTO removed VALUES({next}, {next}, zeroblob(32))"),
        format!("INSERT INTO removed VALUES({0}, {0}, zeroblob(32))", removed.last),
        "DELETE FROM removed".to_owned(),
        "UPDATE removed SET leaves = zeroblob(length(leaves))".to_owned(),
        "INSERT OR REPLACE INTO removed SELECT last, first, zeroblob(length(leaves)) FROM removed LIMIT 1".to_owned(),
    ] {
        assert!(connection.execute_batch(&sql).is_err(), "{sql}");
    }
    drop(connection);
    assert!(verify_all(fixture.path(), &VerifyOptions::default()).unwrap().ok);
    // Whoever takes the triggers away changes a leaf that is signed over.
    let connection = Connection::open(fixture.path().join("audit.db")).unwrap();
    connection
        .execute_batch(
            "DROP TRIGGER removed_no_update; UPDATE removed SET leaves = zeroblob(length(leaves)) WHERE first = 1",
        )
        .unwrap();
    drop(connection);
    let verification = verify_all(fixture.path(), &VerifyOptions::default()).unwrap();
    let kinds: Vec<_> = verification.logs[0].findings.iter().map(|finding| finding.kind).collect();
    assert!(kinds.contains(&offline::FindingKind::HistoryRewritten), "{kinds:?}");
}
