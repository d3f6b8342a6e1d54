//! What somebody with write access to the files could do, and what verification names then. The log has 61 records
//! (opened, 59 calls, closed) and checkpoints over 1, 21, 41 and 61.

use std::path::{Path, PathBuf};

use audit_log::offline::{self, FindingKind, Format, LogState, Report, VerifyOptions, verify};
use audit_log::{AuditKeys, CheckpointFile, PublicKey};
use platform::audit::{AuditFilter, AuditLog};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::fixture::{Fixture, copy_files, fill, intent, tool_call};

struct Closed {
    fixture: Fixture,
    key: PublicKey,
    // Elsewhere: the anchor, and a copy of the files from when the log had 21 records.
    elsewhere: TempDir,
}

impl Closed {
    async fn new() -> Self {
        Self::with_keys(AuditKeys::generate().unwrap()).await
    }

    async fn with_keys(keys: AuditKeys) -> Self {
        let fixture = Fixture { folder: tempfile::tempdir().unwrap(), keys };
        let elsewhere = tempfile::tempdir().unwrap();
        let anchor = elsewhere.path().join("anchor");
        let (log, _) = fixture.open_with(|options| {
            options.checkpoint_every = 20;
            options.sinks.push(Box::new(CheckpointFile::new(anchor)));
        });
        let key = log.public_key().clone();
        for i in 0..59 {
            let mut entry = tool_call("alice", &format!("call-{i}"));
            entry.outcome = platform::audit::Outcome::Refused;
            log.append(entry).await.unwrap();
            if i == 19 {
                std::fs::create_dir(elsewhere.path().join("old")).unwrap();
                copy_files(fixture.path(), &elsewhere.path().join("old"));
            }
        }
        log.close().await.unwrap();
        Self { fixture, key, elsewhere }
    }

    fn path(&self) -> &Path {
        self.fixture.path()
    }

    fn anchor(&self) -> PathBuf {
        self.elsewhere.path().join("anchor")
    }

    /// Changes the database as its owner can: triggers off, changes, triggers on again.
    fn tamper(&self, sql: &str) {
        self.tamper_with(|connection| connection.execute_batch(sql).unwrap());
    }

    fn tamper_with(&self, change: impl FnOnce(&Connection)) {
        let connection = Connection::open(self.path().join("audit.db")).unwrap();
        let triggers: Vec<(String, String)> = connection
            .prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'")
            .unwrap()
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        triggers.iter().for_each(|(name, _)| connection.execute_batch(&format!("DROP TRIGGER {name}")).unwrap());
        change(&connection);
        triggers.iter().for_each(|(_, sql)| connection.execute_batch(sql).unwrap());
    }

    fn verify(&self) -> Report {
        verify(self.path(), &VerifyOptions { public_keys: vec![self.key.clone()], ..VerifyOptions::default() }).unwrap()
    }

    fn verify_anchored(&self) -> Report {
        verify(self.path(), &VerifyOptions { anchors: vec![self.anchor()], ..VerifyOptions::default() }).unwrap()
    }

    /// Writes the hashes of all records anew, as one does who knows the format and has no key.
    fn rehash(connection: &Connection) {
        let rows: Vec<(i64, String)> = connection
            .prepare("SELECT seq, line FROM audit ORDER BY seq")
            .unwrap()
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        let mut chain = [0; 32];
        for (position, line) in rows {
            chain = audit_log::tree::chain_hash(&chain, &audit_log::tree::leaf_hash(line.as_bytes()));
            connection.execute("UPDATE audit SET hash = ? WHERE seq = ?", (chain, position)).unwrap();
        }
    }
}

fn kinds(report: &Report) -> Vec<FindingKind> {
    report.findings.iter().map(|finding| finding.kind).collect()
}

#[track_caller]
fn named(report: &Report, kind: FindingKind, first_bad: Option<u64>) {
    assert!(!report.ok);
    assert!(kinds(report).contains(&kind), "{kind:?} is not among {:#?}", report.findings);
    assert_eq!(report.first_bad, first_bad, "{:#?}", report.findings);
}

const EDIT: &str = "UPDATE audit SET line = replace(line, '\"outcome\":\"refused\"', '\"outcome\":\"success\"')";

#[tokio::test]
async fn t25_an_untouched_log_verifies_under_key_anchor_and_by_itself() {
    let log = Closed::new().await;
    for (report, self_attested, anchored) in [
        (log.verify(), false, false),
        (log.verify_anchored(), false, true),
        (verify(log.path(), &VerifyOptions::default()).unwrap(), true, false),
    ] {
        assert_eq!(report.findings, []);
        assert!(report.ok);
        assert_eq!((report.self_attested, report.anchored), (self_attested, anchored));
        assert_eq!((report.records, report.checkpoints, report.signed_records), (61, 4, 61));
        assert_eq!(report.state, LogState::Closed);
        serde_json::to_string(&report).unwrap();
    }
    let parsed = PublicKey::parse(&log.key.to_string()).unwrap();
    assert_eq!(parsed, log.key);
}

#[tokio::test]
async fn t25_the_tables_refuse_changes_by_ordinary_statements() {
    let log = Closed::new().await;
    let connection = Connection::open(log.path().join("audit.db")).unwrap();
    for sql in [
        EDIT,
        "DELETE FROM audit WHERE seq = 61",
        "INSERT OR REPLACE INTO audit(seq, line, hash) VALUES(5, '{}', x'00')",
        "INSERT INTO audit(seq, line, hash) VALUES(99, '{}', x'00')",
        "UPDATE checkpoint SET note = ''",
        "DELETE FROM checkpoint",
        "INSERT OR REPLACE INTO checkpoint VALUES(21, '', x'00')",
        "UPDATE log SET origin = 'x'",
        "DELETE FROM log",
        "INSERT OR REPLACE INTO log VALUES(1, 'x', 'y', 'z')",
    ] {
        assert!(connection.execute_batch(sql).is_err(), "{sql}");
    }
    assert!(log.verify().ok);
}

#[tokio::test]
async fn t25_edited_record_is_named() {
    let log = Closed::new().await;
    log.tamper(&format!("{EDIT} WHERE seq = 30"));
    named(&log.verify(), FindingKind::RecordChanged, Some(30));
}

#[tokio::test]
async fn t25_edited_hash_is_named() {
    let log = Closed::new().await;
    log.tamper("UPDATE audit SET hash = zeroblob(32) WHERE seq = 30");
    named(&log.verify(), FindingKind::RecordChanged, Some(30));
}

#[tokio::test]
async fn t25_deleted_record_is_named() {
    let log = Closed::new().await;
    log.tamper("DELETE FROM audit WHERE seq = 30");
    named(&log.verify(), FindingKind::RecordMissing, Some(30));
}

#[tokio::test]
async fn t25_deleted_record_with_positions_closed_up_is_named() {
    let log = Closed::new().await;
    log.tamper_with(|connection| {
        connection.execute_batch("DELETE FROM audit WHERE seq = 30").unwrap();
        connection.execute_batch("UPDATE audit SET seq = seq - 1 WHERE seq > 30").unwrap();
        Closed::rehash(connection);
    });
    named(&log.verify(), FindingKind::RecordMoved, Some(30));
    assert!(kinds(&log.verify()).contains(&FindingKind::HistoryRewritten));
}

#[tokio::test]
async fn t25_swapped_records_are_named() {
    let log = Closed::new().await;
    log.tamper(
        "UPDATE audit SET seq = -1 WHERE seq = 30; UPDATE audit SET seq = 30 WHERE seq = 31;
         UPDATE audit SET seq = 31 WHERE seq = -1;",
    );
    let report = log.verify();
    named(&report, FindingKind::RecordMoved, Some(30));
    assert!(kinds(&report).contains(&FindingKind::RecordChanged));
}

#[tokio::test]
async fn t25_inserted_record_is_named() {
    let log = Closed::new().await;
    log.tamper(
        "UPDATE audit SET seq = -(seq + 1) WHERE seq >= 30; UPDATE audit SET seq = -seq WHERE seq < 0;
         INSERT INTO audit(seq, line, hash) SELECT 30, line, hash FROM audit WHERE seq = 29;",
    );
    named(&log.verify(), FindingKind::RecordChanged, Some(30));
}

#[tokio::test]
async fn t25_a_history_with_all_hashes_written_anew_is_named_up_to_its_checkpoint() {
    let log = Closed::new().await;
    log.tamper_with(|connection| {
        connection.execute_batch(&format!("{EDIT} WHERE seq = 30")).unwrap();
        Closed::rehash(connection);
    });
    let report = log.verify();
    named(&report, FindingKind::HistoryRewritten, Some(22));
    assert!(report.findings[0].message.contains("records 22 to 41"), "{:?}", report.findings);
}

#[tokio::test]
async fn t25_cut_off_tail_is_named() {
    let log = Closed::new().await;
    log.tamper("DELETE FROM audit WHERE seq > 50");
    named(&log.verify(), FindingKind::LogTruncated, Some(51));
}

#[tokio::test]
async fn t25_cut_off_tail_with_its_checkpoints_dropped_is_named_by_the_anchor() {
    let log = Closed::new().await;
    log.tamper("DELETE FROM audit WHERE seq > 41; DELETE FROM checkpoint WHERE size > 41");
    named(&log.verify(), FindingKind::LogTruncated, Some(42));
    std::fs::remove_file(log.path().join("audit.checkpoints")).unwrap();
    let alone = log.verify();
    assert_eq!((alone.ok, alone.state), (true, LogState::Unclosed), "nothing on this machine can know");
    named(&log.verify_anchored(), FindingKind::LogTruncated, Some(42));
}

#[tokio::test]
async fn t25_an_old_copy_is_named_by_the_anchor_and_does_not_open_beside_newer_checkpoints() {
    let log = Closed::new().await;
    let newer = std::fs::read(log.path().join("audit.checkpoints")).unwrap();
    for name in ["audit.db", "audit.db-wal", "audit.db-shm"] {
        drop(std::fs::remove_file(log.path().join(name)));
    }
    copy_files(&log.elsewhere.path().join("old"), log.path());
    named(&log.verify_anchored(), FindingKind::LogTruncated, Some(22));
    std::fs::write(log.path().join("audit.checkpoints"), newer).unwrap();
    named(&log.verify(), FindingKind::LogTruncated, Some(22));
    let options = audit_log::AuditOptions::new(log.path());
    let clock = std::sync::Arc::new(platform::clock::SystemClock);
    let refused = audit_log::AuditLogFile::open(options, &log.fixture.keys, clock).map(|_| ()).unwrap_err();
    assert_eq!(platform::Error::from(refused).code(), "audit_log_damaged");
}

#[tokio::test]
async fn t25_replaced_checkpoint_signature_is_named() {
    let log = Closed::new().await;
    log.tamper(
        "UPDATE checkpoint SET note = substr(note, 1, length(note) - 12) || 'AAAAAAAA' || substr(note, -4) WHERE size = 41",
    );
    let report = log.verify();
    named(&report, FindingKind::SignatureInvalid, None);
    assert_eq!(report.findings[0].position, Some(41));
}

#[tokio::test]
async fn t25_a_checkpoint_of_another_size_in_its_place_is_named() {
    let log = Closed::new().await;
    log.tamper("UPDATE checkpoint SET note = (SELECT note FROM checkpoint WHERE size = 21) WHERE size = 41");
    named(&log.verify(), FindingKind::CheckpointUnreadable, None);
}

#[tokio::test]
async fn t25_dropped_checkpoints_of_a_closed_log_are_named() {
    let log = Closed::new().await;
    log.tamper("DELETE FROM checkpoint");
    named(&log.verify(), FindingKind::CheckpointMissing, None);
}

#[tokio::test]
async fn t25_another_key_is_named() {
    let log = Closed::new().await;
    let other = AuditKeys::generate().unwrap().public_key().unwrap();
    let report = verify(log.path(), &VerifyOptions { public_keys: vec![other], ..VerifyOptions::default() }).unwrap();
    named(&report, FindingKind::KeyMismatch, None);
    assert_eq!(report.signed_records, 0);
}

#[tokio::test]
async fn t25_a_log_made_anew_under_another_key_passes_by_itself_only() {
    let (log, forged) = (Closed::new().await, Closed::new().await);
    for name in ["audit.db", "audit.checkpoints"] {
        std::fs::copy(forged.path().join(name), log.path().join(name)).unwrap();
    }
    let alone = verify(log.path(), &VerifyOptions::default()).unwrap();
    assert!(alone.ok && alone.self_attested);
    named(&log.verify(), FindingKind::KeyMismatch, None);
    named(&log.verify_anchored(), FindingKind::OriginMismatch, None);
}

#[tokio::test]
async fn t25_two_logs_under_one_key_cannot_be_swapped() {
    let one = Closed::new().await;
    let other = Closed::with_keys(one.fixture.keys.clone()).await;
    std::fs::copy(other.path().join("audit.db"), one.path().join("audit.db")).unwrap();
    let bare = PublicKey { origin: None, ..one.key.clone() };
    let report =
        verify(one.path(), &VerifyOptions { public_keys: vec![bare.clone()], ..VerifyOptions::default() }).unwrap();
    named(&report, FindingKind::OriginMismatch, None);
    std::fs::copy(other.path().join("audit.checkpoints"), one.path().join("audit.checkpoints")).unwrap();
    assert!(verify(one.path(), &VerifyOptions { public_keys: vec![bare], ..VerifyOptions::default() }).unwrap().ok);
    named(&one.verify(), FindingKind::OriginMismatch, None);
    named(&one.verify_anchored(), FindingKind::OriginMismatch, None);
}

#[tokio::test]
async fn t25_a_removed_trigger_is_named_whatever_was_done_without_it() {
    let log = Closed::new().await;
    let connection = Connection::open(log.path().join("audit.db")).unwrap();
    connection.execute_batch("DROP TRIGGER audit_no_update").unwrap();
    let report = log.verify();
    named(&report, FindingKind::TableUnprotected, None);
    connection.execute_batch(&format!("{EDIT} WHERE seq = 12")).unwrap();
    named(&log.verify(), FindingKind::RecordChanged, Some(12));
}

#[tokio::test]
async fn t25_a_disarmed_trigger_and_an_added_one_are_named() {
    let log = Closed::new().await;
    let connection = Connection::open(log.path().join("audit.db")).unwrap();
    connection
        .execute_batch(
            "DROP TRIGGER audit_no_delete;
             CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN SELECT 1; END;
             CREATE TRIGGER extra AFTER INSERT ON audit BEGIN SELECT 1; END;",
        )
        .unwrap();
    assert_eq!(kinds(&log.verify()), [FindingKind::TableUnprotected, FindingKind::TableUnprotected]);
}

#[tokio::test(flavor = "multi_thread")]
async fn t25_a_running_log_verifies_exports_and_shows_its_end() {
    let fixture = Fixture::new();
    let (log, _) = fixture.open();
    fill(&log, 2_500).await;
    log.append(intent("under-way")).await.unwrap();
    let keys = vec![log.public_key().clone()];
    let report = verify(fixture.path(), &VerifyOptions { public_keys: keys, ..VerifyOptions::default() }).unwrap();
    assert_eq!(report.findings, []);
    assert_eq!((report.state, report.records), (LogState::Running, 2_502));
    assert_eq!(report.open_intents[0].request_id.as_deref(), Some("under-way"));
    let last = offline::tail(fixture.path(), &AuditFilter::default(), 1).unwrap();
    assert_eq!(last[0]["http"]["request"]["id"], "under-way");
    log.append(tool_call("alice", "after")).await.unwrap();
    log.close().await.unwrap();
}

#[tokio::test]
async fn t25_exports_give_the_lines_as_they_stand_and_a_table_without_formulas() {
    let fixture = Fixture::new();
    let (log, _) = fixture.open();
    let mut entry = tool_call("=cmd|' /C calc'!A0", "one, \"two\"");
    entry.at = "2026-01-02T00:00:00Z".parse().unwrap();
    log.append(entry).await.unwrap();
    log.append(tool_call("bob", "other")).await.unwrap();
    log.close().await.unwrap();
    let export = |format, filter: &AuditFilter| {
        let mut out = Vec::new();
        let count = offline::export(fixture.path(), format, filter, &mut out).unwrap();
        (count, String::from_utf8(out).unwrap())
    };
    let (count, lines) = export(Format::JsonLines, &AuditFilter::default());
    assert_eq!((count, lines.lines().count()), (4, 4));
    let root = audit_log::tree::root_of(
        &lines.lines().map(|line| audit_log::tree::leaf_hash(line.as_bytes())).collect::<Vec<_>>(),
    );
    assert_eq!(hex::encode(root), verify(fixture.path(), &VerifyOptions::default()).unwrap().root);

    let filter = AuditFilter {
        actor: Some(("https://issuer.example".to_owned(), "=cmd|' /C calc'!A0".to_owned())),
        ..AuditFilter::default()
    };
    let (count, table) = export(Format::Csv, &filter);
    assert_eq!((count, table.lines().count()), (1, 2));
    assert!(table.starts_with("position,timestamp,action,"));
    assert!(table.contains(",'=cmd|' /C calc'!A0,") && table.contains(",\"one, \"\"two\"\"\","), "{table}");

    let day = |text: &str| Some(text.parse().unwrap());
    let filter =
        AuditFilter { from: day("2026-01-02T00:00:00Z"), until: day("2026-01-02T00:00:01Z"), ..Default::default() };
    assert_eq!(export(Format::JsonLines, &filter).0, 1);
}
