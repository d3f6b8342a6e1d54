//! Appending, reading, opening and closing.

use std::sync::{Arc, Mutex};

use audit_log::{AuditLogFile, AuditOptions, PreviousEnd};
use platform::audit::{AuditFilter, AuditLog, Outcome};
use platform::clock::SystemClock;
use platform_suites::audit::{AuditLogs, Broken, every_rule};
use serde_json::{Value, json};

use crate::fixture::{Fixture, copy_files, fill, intent, outcome, tool_call};

struct OneLog {
    fixture: Fixture,
    open: Mutex<Option<Arc<AuditLogFile>>>,
}

#[async_trait::async_trait]
impl AuditLogs for OneLog {
    async fn open(&self) -> Result<Arc<dyn AuditLog>, Broken> {
        let (log, _) = self.fixture.open();
        *self.open.lock().unwrap() = Some(log.clone());
        Ok(log)
    }

    async fn end(&self) -> Result<(), Broken> {
        let log = self.open.lock().unwrap().take();
        Ok(log.unwrap().close().await?)
    }
}

#[tokio::test]
async fn t25_t26_the_contract_suite_holds() {
    every_rule(&OneLog { fixture: Fixture::new(), open: Mutex::new(None) }).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn t25_waiting_callers_share_a_sync() {
    let fixture = Fixture::new();
    let (log, _) = fixture.open();
    let before = log.stats().commits;
    fill(&log, 2_000).await;
    let commits = log.stats().commits - before;
    assert!(commits < 1_000, "2,000 appends took {commits} commits");
    assert_eq!(log.stats().queued, 0);
    log.close().await.unwrap();
}

#[tokio::test]
async fn t25_a_record_carries_ecs_names_and_is_canonical() {
    let fixture = Fixture::new();
    let (log, _) = fixture.open();
    let mut entry = tool_call("alice", "r-1");
    entry.source = Some("192.0.2.7".parse().unwrap());
    entry.trace_id = Some("0af7651916cd43dd8448eb211c80319c".to_owned());
    entry.outcome = Outcome::Refused;
    entry.code = Some("step_up_required".to_owned());
    entry.duration_us = Some(1_250);
    entry.facts.insert("elevation".to_owned(), json!("none"));
    entry.facts.insert("decision".to_owned(), json!("pretended"));
    entry.facts.insert("quoted\",\"sequence\":0".to_owned(), json!(",\"sequence\":0"));
    let position = log.append(entry).await.unwrap();
    let record = log.recent(AuditFilter::default(), 1).await.unwrap().remove(0);
    let at = |pointer: &str| record.pointer(pointer).cloned().unwrap_or(Value::Null);
    assert_eq!(at("/@timestamp"), json!("1970-01-01T00:00:00Z"));
    assert_eq!(at("/event/sequence"), json!(position.0));
    assert_eq!(at("/event/outcome"), json!("failure"));
    assert_eq!(at("/event/duration"), json!(1_250_000));
    assert_eq!(at("/event/code"), json!("step_up_required"));
    assert_eq!(at("/event/type"), json!(["access", "denied"]));
    assert_eq!(at("/user/roles"), json!(["network-engineers"]));
    assert_eq!(at("/source/ip"), json!("192.0.2.7"));
    assert_eq!(at("/trace/id"), json!("0af7651916cd43dd8448eb211c80319c"));
    assert_eq!(at("/interlock/outcome"), json!("refused"));
    assert_eq!(at("/interlock/elevation"), json!("none"));
    assert_eq!(at("/interlock/decision"), Value::Null, "a fact cannot pretend a decision");
    assert_eq!(at("/interlock/facts/decision"), json!("pretended"));

    log.close().await.unwrap();
    let alone = fixture.path().join("alone.db");
    std::fs::copy(fixture.path().join("audit.db"), &alone).unwrap();
    let connection = rusqlite::Connection::open(alone).unwrap();
    let line: String = connection
        .query_row("SELECT line FROM audit WHERE seq = ?", [position.0.cast_signed()], |row| row.get(0))
        .unwrap();
    assert_eq!(line.as_bytes(), platform::canonical::to_bytes(&record).unwrap());
}

#[tokio::test]
async fn t25_reopening_after_an_orderly_end_and_after_a_crash_says_which_it_was() {
    let fixture = Fixture::new();
    let (log, opened) = fixture.open();
    assert_eq!(opened.previous(), PreviousEnd::None);
    log.close().await.unwrap();
    let (log, opened) = fixture.open();
    assert_eq!(opened.previous(), PreviousEnd::Closed);
    assert_eq!(opened.last_position().0, 2);
    log.append(tool_call("alice", "last")).await.unwrap();

    let crashed = Fixture { folder: tempfile::tempdir().unwrap(), keys: fixture.keys.clone() };
    copy_files(fixture.path(), crashed.path());
    let (log, opened) = crashed.open();
    assert_eq!((opened.previous(), opened.last_position().0), (PreviousEnd::Crashed, 4));
    let records = log.recent(AuditFilter::default(), 2).await.unwrap();
    let actions: Vec<_> = records.iter().map(|r| r["event"]["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["audit.opened", "audit.recovered"]);
    assert_eq!(records[1]["interlock"]["last_position"], json!(4));
}

#[tokio::test]
async fn t25_open_intents_become_unknown_outcomes_at_reopening_and_only_once() {
    let fixture = Fixture::new();
    let (log, _) = fixture.open();
    for entry in [intent("done"), outcome("done"), intent("open"), intent("twice"), intent("twice"), outcome("twice")] {
        log.append(entry).await.unwrap();
    }
    let crashed = Fixture { folder: tempfile::tempdir().unwrap(), keys: fixture.keys.clone() };
    copy_files(fixture.path(), crashed.path());
    let (log, opened) = crashed.open();
    let unknown: Vec<_> = opened.unknown_outcomes().iter().map(|i| i.request_id.as_deref().unwrap()).collect();
    assert_eq!(unknown, ["open", "twice"]);
    assert_eq!(opened.unknown_outcomes()[0].tool.as_ref().unwrap().targets, ["device-1"]);
    let filter = AuditFilter { request_id: Some("open".to_owned()), ..Default::default() };
    let records = log.recent(filter, 9).await.unwrap();
    assert_eq!(records.len(), 2);
    assert_eq!(records[1]["interlock"]["phase"], json!("outcome"));
    assert_eq!(records[1]["interlock"]["outcome"], json!("unknown"));
    assert_eq!(records[1]["event"]["code"], json!("outcome_unknown"));
    assert_eq!(records[1]["user"]["id"], json!("alice"));
    drop(log);
    let (_log, opened) = crashed.open();
    assert!(opened.unknown_outcomes().is_empty());
}

#[tokio::test]
async fn t25_one_process_writes_a_log_and_other_keys_do_not_open_it() {
    let fixture = Fixture::new();
    let (log, _) = fixture.open();
    let open = |keys: &audit_log::AuditKeys| {
        AuditLogFile::open(AuditOptions::new(fixture.path()), keys, Arc::new(SystemClock)).map(|_| ())
    };
    let refused = platform::Error::from(open(&fixture.keys).unwrap_err());
    assert_eq!(refused.code(), "audit_locked");
    log.close().await.unwrap();
    let other = Fixture::new();
    let refused = platform::Error::from(open(&other.keys).unwrap_err());
    assert_eq!(refused.code(), "audit_key_unusable");
    open(&fixture.keys).unwrap();
}

#[tokio::test]
async fn t25_dropping_the_log_writes_what_was_detached_and_closes_it() {
    let fixture = Fixture::new();
    let (log, _) = fixture.open();
    for i in 0..100 {
        log.append_detached(tool_call("alice", &format!("detached-{i}")));
    }
    drop(log);
    let (_log, opened) = fixture.open();
    assert_eq!((opened.previous(), opened.last_position().0), (PreviousEnd::Closed, 102));
}

#[tokio::test]
async fn t25_after_its_end_the_log_refuses_and_counts_what_comes_too_late() {
    let fixture = Fixture::new();
    let (log, _) = fixture.open();
    log.close().await.unwrap();
    let refused = log.append(tool_call("alice", "late")).await.unwrap_err();
    assert_eq!((refused.code(), refused.http_status()), ("audit_unavailable", 503));
    log.append_detached(tool_call("alice", "late"));
    assert_eq!((log.stats().lost, log.stats().queued), (1, 0));
}

#[tokio::test]
async fn t26_arguments_are_in_no_file_of_the_log() {
    const CANARY: &str = "canary-9f1c-argument";
    let fixture = Fixture::new();
    let (log, _) = fixture.open();
    let mut entry = intent("with-arguments");
    entry.arguments = Some(json!({"password": CANARY, "device_id": "1"}));
    log.append(entry.clone()).await.unwrap();
    log.append_detached(entry);
    let look = |when: &str| {
        for file in std::fs::read_dir(fixture.path()).unwrap() {
            let path = file.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            let found = bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes());
            assert!(!found, "{} {when}", path.display());
        }
    };
    look("while it runs");
    log.close().await.unwrap();
    look("when it is closed");
}
