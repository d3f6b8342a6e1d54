//! With a second place for every record, the reply waits for both; after an outage what is missing is brought first.

use std::sync::Arc;

use audit_log::offline::{VerifyOptions, verify};
use audit_log::{AuditFault, AuditKeys, AuditLogFile, AuditOptions, Replica};
use platform::audit::{AuditFilter, AuditLog, AuditReplica, ReplicatedRecord};
use platform::clock::SystemClock;
use platform::error::Error;
use platform_suites::MemoryReplica;
use rusqlite::Connection;

use crate::crash::until;
use crate::fixture::{Fixture, copy_files, fill, tool_call};

struct Replicated {
    fixture: Fixture,
    replica: Arc<MemoryReplica>,
}

impl Replicated {
    fn new() -> Self {
        Self { fixture: Fixture::new(), replica: Arc::default() }
    }

    async fn try_open(&self) -> Result<Arc<AuditLogFile>, AuditFault> {
        let mut options = AuditOptions::new(self.fixture.path());
        options.replica = Some(Replica::new(self.replica.clone()));
        let keys = self.fixture.keys.clone();
        let opened = tokio::task::spawn_blocking(move || AuditLogFile::open(options, &keys, Arc::new(SystemClock)));
        opened.await.unwrap().map(|(log, _)| Arc::new(log))
    }

    async fn open(&self) -> Arc<AuditLogFile> {
        self.try_open().await.unwrap()
    }

    async fn refused(&self) -> Error {
        self.try_open().await.err().unwrap().into()
    }

    /// The records of the file, as the replica should have them.
    fn local(&self) -> Vec<(u64, String)> {
        let connection = Connection::open(self.fixture.path().join("audit.db")).unwrap();
        let mut statement = connection.prepare("SELECT seq, line FROM audit ORDER BY seq").unwrap();
        let rows = statement.query_map([], |row| Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get(1)?))).unwrap();
        rows.map(Result::unwrap).collect()
    }

    async fn there(&self, log: &AuditLogFile) -> Vec<(u64, String)> {
        let origin = log.public_key().origin.unwrap();
        let records = self.replica.read(&origin, 0, usize::MAX).await.unwrap();
        records.into_iter().map(|record| (record.position, record.line)).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn t25_a_record_stands_in_both_places_before_its_reply() {
    let replicated = Replicated::new();
    let log = replicated.open().await;
    let origin = log.public_key().origin.unwrap();
    for i in 0..20 {
        let position = log.append(tool_call("alice", &format!("call-{i}"))).await.unwrap();
        assert_eq!(replicated.replica.last(&origin).await.unwrap().unwrap().0, position.0);
    }
    fill(&log, 3_000).await;
    assert_eq!(replicated.there(&log).await, replicated.local());
    log.close().await.unwrap();
    assert_eq!(replicated.there(&log).await, replicated.local(), "its end too");
    assert_eq!(log.stats().unreplicated, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn t25_while_the_second_place_is_down_calls_are_refused_and_afterwards_nothing_is_missing() {
    let replicated = Replicated::new();
    let log = replicated.open().await;
    log.append(tool_call("alice", "before")).await.unwrap();
    replicated.replica.fail(true);
    for i in 0..5 {
        let refused = log.append(tool_call("alice", &format!("refused-{i}"))).await.unwrap_err();
        assert_eq!((refused.code(), refused.http_status()), ("audit_unavailable", 503));
    }
    assert!(log.stats().failing);
    let before = log.stats().records;
    log.append_detached(tool_call("alice", "detached"));
    until(|| log.stats().records == before + 1).await;
    let mut undo = tool_call("alice", "undo");
    undo.undo = true;
    log.append(undo).await.unwrap();
    assert!(log.stats().unreplicated >= 2);

    replicated.replica.fail(false);
    // By itself: nobody calls.
    until(|| log.stats().unreplicated == 0).await;
    assert!(!log.stats().failing);
    log.append(tool_call("alice", "after")).await.unwrap();
    assert_eq!(replicated.there(&log).await, replicated.local());
    let records = log.recent(AuditFilter::default(), 100).await.unwrap();
    let refused = |record: &serde_json::Value| {
        record["http"]["request"]["id"].as_str().is_some_and(|id| id.starts_with("refused"))
    };
    let began = records.iter().filter(|record| refused(record)).count();
    assert!(began <= 1, "only the first refused call could not be known to be in vain: {began}");
    log.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn t25_what_a_dead_process_did_not_bring_is_brought_before_the_next_one_answers() {
    let replicated = Replicated::new();
    let log = replicated.open().await;
    log.append(tool_call("alice", "both")).await.unwrap();
    log.close().await.unwrap();
    // Without the second place, as a process that died before it had brought them.
    let (alone, _) = replicated.fixture.open();
    fill(&alone, 50).await;
    alone.close().await.unwrap();
    let log = replicated.open().await;
    assert_eq!(replicated.there(&log).await, replicated.local());
    log.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn t25_another_record_in_the_second_place_is_a_fork() {
    let replicated = Replicated::new();
    let log = replicated.open().await;
    let origin = log.public_key().origin.unwrap();
    let last = log.append(tool_call("alice", "last")).await.unwrap().0;
    let other = |position| ReplicatedRecord { position, line: "{}".to_owned(), hash: [7; 32], payload: None };
    // Somebody else wrote the next one there.
    replicated.replica.append(&origin, vec![other(last + 1)]).await.unwrap();
    let refused = log.append(tool_call("alice", "forked")).await.unwrap_err();
    assert_eq!(refused.code(), "audit_forked");
    let mut undo = tool_call("alice", "undo");
    undo.undo = true;
    assert_eq!(log.append(undo).await.unwrap_err().code(), "audit_forked", "not even an undo step");
    let end = log.recent(AuditFilter::default(), 1).await.unwrap().remove(0);
    assert_eq!(end["event"]["action"], "audit.forked");
    log.close().await.unwrap();
    assert_eq!(replicated.refused().await.code(), "audit_forked");
}

#[tokio::test(flavor = "multi_thread")]
async fn t25_a_file_that_holds_less_than_the_second_place_was_rolled_back() {
    let replicated = Replicated::new();
    let log = replicated.open().await;
    log.close().await.unwrap();
    let old = tempfile::tempdir().unwrap();
    copy_files(replicated.fixture.path(), old.path());
    let log = replicated.open().await;
    log.append(tool_call("alice", "later")).await.unwrap();
    log.close().await.unwrap();
    copy_files(old.path(), replicated.fixture.path());
    assert_eq!(replicated.refused().await.code(), "audit_rolled_back");
}

#[tokio::test(flavor = "multi_thread")]
async fn t28_both_logs_of_a_change_of_keys_stand_in_the_second_place() {
    let replicated = Replicated::new();
    let log = replicated.open().await;
    let old = log.public_key().origin.unwrap();
    fill(&log, 20).await;
    log.rotate(&AuditKeys::generate().unwrap()).await.unwrap();
    fill(&log, 20).await;
    log.close().await.unwrap();
    assert_eq!(replicated.there(&log).await, replicated.local());
    let aside = replicated.fixture.path().join(old.strip_prefix("interlock.audit/").unwrap());
    let report = verify(&aside, &VerifyOptions::default()).unwrap();
    assert_eq!(replicated.replica.last(&old).await.unwrap().unwrap().0, report.records);
}
