//! A log that cannot be written refuses, keeps what nobody waits for, and goes on when it can.

use std::io;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use audit_log::offline::{VerifyOptions, verify};
use audit_log::{AuditLogFile, AuditOptions, CheckpointSink};
use platform::audit::{AuditFilter, AuditLog};
use platform::clock::SystemClock;
use platform::error::ErrorKind;
use rusqlite::Connection;
use serde_json::json;

use crate::crash::{program, started, until};
use crate::fixture::{Fixture, tool_call};

#[tokio::test(flavor = "multi_thread")]
async fn t25_a_log_that_cannot_be_written_refuses_and_drops_nothing() {
    let fixture = Fixture::new();
    let (log, _) = fixture.open_with(|options| options.busy = Duration::from_millis(20));
    log.append(tool_call("alice", "before")).await.unwrap();
    let blocker = Connection::open(fixture.path().join("audit.db")).unwrap();
    blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
    log.append_detached(tool_call("alice", "detached-while-blocked"));
    let refused = log.append(tool_call("alice", "refused")).await.unwrap_err();
    assert_eq!((refused.kind(), refused.code()), (ErrorKind::Unavailable, "audit_unavailable"));
    log.append(tool_call("alice", "refused")).await.unwrap_err();
    assert!(log.stats().failing);
    assert_eq!(log.stats().held, 1);
    assert!(log.close().await.is_err(), "it is not closed while something is held");
    assert_eq!(log.recent(AuditFilter::default(), 9).await.unwrap().len(), 2, "reading goes on");

    blocker.execute_batch("ROLLBACK").unwrap();
    log.append(tool_call("alice", "after")).await.unwrap();
    let records = log.recent(AuditFilter::default(), 9).await.unwrap();
    let requests: Vec<_> = records.iter().filter_map(|r| r["http"]["request"]["id"].as_str()).collect();
    assert_eq!(requests, ["before", "detached-while-blocked", "after"]);
    let stats = log.stats();
    assert_eq!((stats.failing, stats.held, stats.lost, stats.queued), (false, 0, 0, 0));
    log.close().await.unwrap();
    assert!(verify(fixture.path(), &VerifyOptions::default()).unwrap().ok);
}

#[tokio::test(flavor = "multi_thread")]
async fn t25_what_is_held_is_written_without_a_further_call() {
    let fixture = Fixture::new();
    let (log, _) = fixture.open_with(|options| options.busy = Duration::from_millis(20));
    let blocker = Connection::open(fixture.path().join("audit.db")).unwrap();
    blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
    log.append_detached(tool_call("alice", "held"));
    until(|| log.stats().held == 1).await;
    blocker.execute_batch("ROLLBACK").unwrap();
    until(|| log.stats().records == 2).await;
    assert_eq!((log.stats().held, log.stats().failing), (0, false));
}

// A file size limit is a disk that is full, for one process.
#[test]
fn t25_full_disk_refuses_until_there_is_room_and_what_was_acknowledged_verifies() {
    let fixture = Fixture::new();
    let inner = program("failing::fills_the_disk", fixture.path(), &fixture.keys);
    // The shell makes the kernel answer EFBIG instead of ending the process.
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]).arg(inner.get_program()).args(inner.get_args());
    for (name, value) in inner.get_envs() {
        shell.env(name, value.unwrap());
    }
    let output = shell.output().unwrap();
    let said = [&output.stdout, &output.stderr].map(|out| String::from_utf8_lossy(out));
    assert!(output.status.success(), "{}", said.join("\n"));
    assert!(String::from_utf8_lossy(&output.stdout).contains("room again"), "the process did not do its work");
    let report = verify(fixture.path(), &VerifyOptions::default()).unwrap();
    assert_eq!(report.findings, []);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "the process that the full-disk test starts"]
async fn fills_the_disk() {
    let Some((folder, keys)) = started() else { return };
    let (log, _) = AuditLogFile::open(AuditOptions::new(&folder), &keys, Arc::new(SystemClock)).unwrap();
    let limit = |bytes: Option<u64>| {
        let limit = rustix::process::Rlimit { current: bytes, maximum: None };
        rustix::process::setrlimit(rustix::process::Resource::Fsize, limit).unwrap();
    };
    limit(Some(512 * 1024));
    let mut acknowledged = Vec::new();
    let refused = loop {
        let request = format!("call-{}", acknowledged.len());
        let mut entry = tool_call("alice", &request);
        entry.facts.insert("padding".to_owned(), json!("x".repeat(10_000)));
        match log.append(entry).await {
            Ok(position) => acknowledged.push((position, request)),
            Err(error) => break error,
        }
        assert!(acknowledged.len() < 1_000, "the limit did not work");
    };
    assert_eq!(refused.code(), "audit_unavailable");
    let mut large = tool_call("alice", "detached");
    large.facts.insert("padding".to_owned(), json!("x".repeat(600_000)));
    log.append_detached(large);
    log.append(tool_call("alice", "still-full")).await.unwrap_err();
    // The refusal is told before the number is.
    until(|| log.stats().held == 1).await;
    limit(None);
    log.append(tool_call("alice", "room")).await.unwrap();
    for (position, request) in acknowledged {
        let filter = AuditFilter { request_id: Some(request), ..Default::default() };
        assert_eq!(log.recent(filter, 2).await.unwrap()[0]["event"]["sequence"], json!(position));
    }
    let filter = AuditFilter { request_id: Some("detached".to_owned()), ..Default::default() };
    assert_eq!(log.recent(filter, 2).await.unwrap().len(), 1);
    log.close().await.unwrap();
    println!("room again");
}

#[derive(Clone, Default)]
pub(crate) struct Elsewhere {
    pub(crate) notes: Arc<Mutex<Vec<String>>>,
    down: Arc<AtomicBool>,
}

impl CheckpointSink for Elsewhere {
    fn publish(&mut self, note: &str, _: &str) -> io::Result<()> {
        if self.down.load(Ordering::SeqCst) {
            return Err(io::Error::other("the anchor cannot be reached"));
        }
        self.notes.lock().unwrap().push(note.to_owned());
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn t25_an_anchor_that_is_down_holds_up_nobody_and_gets_every_checkpoint_in_order() {
    let fixture = Fixture::new();
    let anchor = Elsewhere::default();
    anchor.down.store(true, Ordering::SeqCst);
    let sink = anchor.clone();
    let (log, _) = fixture.open_with(|options| {
        options.checkpoint_every = 1;
        options.sinks.push(Box::new(sink));
    });
    for i in 0..5 {
        log.append(tool_call("alice", &format!("call-{i}"))).await.unwrap();
    }
    until(|| log.stats().unpublished == 6).await;
    anchor.down.store(false, Ordering::SeqCst);
    log.close().await.unwrap();
    let sizes: Vec<_> =
        anchor.notes.lock().unwrap().iter().map(|note| note.lines().nth(1).unwrap().to_owned()).collect();
    assert_eq!(sizes, ["1", "2", "3", "4", "5", "6", "7"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn t25_a_checkpoint_follows_by_time_when_there_is_something_new_and_not_otherwise() {
    let fixture = Fixture::new();
    let (log, _) = fixture.open_with(|options| options.checkpoint_within = Duration::from_millis(1));
    assert_eq!(log.stats().checkpoints, 1, "the opening's own");
    log.append(tool_call("alice", "new")).await.unwrap();
    until(|| log.stats().checkpoints == 2).await;
    let commits = log.stats().commits;
    log.append(tool_call("alice", "newer")).await.unwrap();
    until(|| log.stats().checkpoints == 3).await;
    assert!(log.stats().commits - commits <= 2, "no commit without something new");
}
