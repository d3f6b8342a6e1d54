//! When the disk is full every call is refused except the steps that undo a change: their records go into room that was
//! taken in advance, and stand in the log afterwards, in order and once.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use audit_log::offline::{VerifyOptions, verify};
use audit_log::{AuditKeys, AuditLogFile, AuditOptions};
use platform::audit::{AuditEntry, AuditFilter, AuditLog};
use platform::clock::SystemClock;
use platform::secret::SecretKey;
use rusqlite::Connection;
use serde_json::json;

use crate::crash::{program, started, until};
use crate::fixture::{Fixture, copy_files, tool_call};

fn undo(request: &str) -> AuditEntry {
    let mut entry = tool_call("alice", request);
    entry.undo = true;
    entry
}

async fn requests(log: &AuditLogFile) -> Vec<String> {
    let records = log.recent(AuditFilter::default(), 10_000).await.unwrap();
    records.iter().filter_map(|record| record["http"]["request"]["id"].as_str().map(str::to_owned)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn t25_undo_steps_go_on_while_the_log_cannot_be_written_and_stand_in_it_first_afterwards() {
    let fixture = Fixture::new();
    let (log, _) = fixture.open_with(|options| options.busy = Duration::from_millis(20));
    log.append(tool_call("alice", "before")).await.unwrap();
    let blocker = Connection::open(fixture.path().join("audit.db")).unwrap();
    blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
    log.append_detached(tool_call("alice", "detached"));
    let first = log.append(undo("undo-1")).await.unwrap();
    assert_eq!(log.append(tool_call("alice", "call")).await.unwrap_err().code(), "audit_unavailable");
    let second = log.append(undo("undo-2")).await.unwrap();
    assert!(log.stats().failing);
    blocker.execute_batch("ROLLBACK").unwrap();
    until(|| log.stats().held == 0 && !log.stats().failing).await;
    log.append(tool_call("alice", "after")).await.unwrap();
    assert_eq!(requests(&log).await, ["before", "undo-1", "undo-2", "detached", "after"]);
    let records =
        log.recent(AuditFilter { request_id: Some("undo-2".to_owned()), ..Default::default() }, 9).await.unwrap();
    assert_eq!(records[0]["event"]["sequence"], json!(second.0), "where the caller was told");
    assert_eq!(records[0]["interlock"]["undo"], json!(true));
    assert_eq!(second.0, first.0 + 1);
    log.close().await.unwrap();
    assert!(verify(fixture.path(), &VerifyOptions::default()).unwrap().ok);
}

#[tokio::test(flavor = "multi_thread")]
async fn t25_without_room_left_undo_steps_are_refused_too() {
    let fixture = Fixture::new();
    let (log, _) = fixture.open_with(|options| {
        options.busy = Duration::from_millis(20);
        options.spool_bytes = 8 << 10;
    });
    let blocker = Connection::open(fixture.path().join("audit.db")).unwrap();
    blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut stand = Vec::new();
    let refused = loop {
        let request = format!("undo-{}", stand.len());
        match log.append(undo(&request)).await {
            Ok(_) => stand.push(request),
            Err(error) => break error,
        }
        assert!(stand.len() < 100, "8 KiB hold no hundred records");
    };
    assert_eq!(refused.code(), "audit_unavailable");
    assert!(stand.len() > 3, "{stand:?}");
    blocker.execute_batch("ROLLBACK").unwrap();
    until(|| !log.stats().failing).await;
    assert_eq!(requests(&log).await, stand);
    log.close().await.unwrap();
}

// A process that died after it had written the spool's records into the log, and before it had emptied the spool.
#[tokio::test(flavor = "multi_thread")]
async fn t25_what_was_taken_over_from_the_spool_is_not_taken_over_again() {
    let fixture = Fixture::new();
    let (log, _) = fixture.open_with(|options| options.busy = Duration::from_millis(20));
    let blocker = Connection::open(fixture.path().join("audit.db")).unwrap();
    blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
    for i in 0..3 {
        log.append(undo(&format!("undo-{i}"))).await.unwrap();
    }
    let full = std::fs::read(fixture.path().join("audit.spool")).unwrap();
    blocker.execute_batch("ROLLBACK").unwrap();
    until(|| !log.stats().failing).await;
    log.append(tool_call("alice", "after")).await.unwrap();

    let dead = Fixture { folder: tempfile::tempdir().unwrap(), keys: fixture.keys.clone() };
    copy_files(fixture.path(), dead.path());
    std::fs::write(dead.path().join("audit.spool"), &full).unwrap();
    let (again, _) = dead.open();
    assert_eq!(requests(&again).await, ["undo-0", "undo-1", "undo-2", "after"]);
    again.close().await.unwrap();

    // And one that died before: what was acknowledged is taken over by the next, also when its last entry is torn.
    let dead = Fixture { folder: tempfile::tempdir().unwrap(), keys: fixture.keys.clone() };
    let (log, _) = dead.open();
    log.close().await.unwrap();
    let length = u32::from_le_bytes(full[..4].try_into().unwrap()) as usize + 28;
    let mut torn = full.clone();
    torn[2 * length + 40] ^= 1;
    std::fs::write(dead.path().join("audit.spool"), &torn).unwrap();
    let (again, _) = dead.open();
    assert_eq!(requests(&again).await, ["undo-0", "undo-1"]);
    drop(again);
    let (again, _) = dead.open();
    assert_eq!(requests(&again).await, ["undo-0", "undo-1"], "once");
}

/// A file system that is really full, for the time of a test; `None` where this machine lets nobody mount one.
struct Small(tempfile::TempDir);

impl Small {
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=3m", "none"]).arg(folder.path()).stderr(Stdio::null());
        mount.status().is_ok_and(|status| status.success()).then_some(Self(folder))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(self.0.path()).status());
    }
}

#[test]
fn t25_kill_9_on_a_full_disk_loses_no_undo_step_and_repeats_none() {
    // Where nothing can be mounted, a file size limit in the process stands for the full disk.
    let small = Small::mount();
    let fixture = Fixture::new();
    let folder = small.as_ref().map_or(fixture.path(), Small::path).to_owned();
    let inner = program("spool::undoes_on_a_full_disk", &folder, &fixture.keys);
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]).arg(inner.get_program()).args(inner.get_args());
    for (name, value) in inner.get_envs() {
        shell.env(name, value.unwrap());
    }
    shell.env("AUDIT_LOG_TEST_LIMIT", if small.is_some() { "none" } else { "2097152" });
    let mut child = shell.stdout(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let (mut calls, mut undone, mut line) = (Vec::new(), Vec::new(), String::new());
    while undone.len() < 30 {
        line.clear();
        assert!(output.read_line(&mut line).unwrap() > 0, "the writer ended by itself: {undone:?}");
        match line.split_whitespace().collect::<Vec<_>>()[..] {
            ["call", request] => calls.push(request.to_owned()),
            ["undone", request] => undone.push(request.to_owned()),
            _ => {}
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!calls.is_empty());

    // Somebody makes room.
    let roomy = tempfile::tempdir().unwrap();
    copy_files(&folder, roomy.path());
    std::fs::copy(folder.join("audit.spool"), roomy.path().join("audit.spool")).unwrap();
    let keys = AuditKeys { signing: fixture.keys.signing.clone(), hmac: SecretKey::new([7; 32]) };
    for _ in 0..2 {
        let (log, _) = AuditLogFile::open(AuditOptions::new(roomy.path()), &keys, Arc::new(SystemClock)).unwrap();
        drop(log);
        let report = verify(roomy.path(), &VerifyOptions::default()).unwrap();
        assert_eq!(report.findings, []);
        let filter = AuditFilter::default();
        let records = audit_log::offline::tail(roomy.path(), &filter, usize::MAX).unwrap();
        let kept: Vec<&str> = records.iter().filter_map(|record| record["http"]["request"]["id"].as_str()).collect();
        assert!(calls.iter().all(|call| kept.contains(&call.as_str())), "a call was acknowledged and is gone");
        let stand: Vec<&str> = kept.iter().copied().filter(|request| request.starts_with("undo-")).collect();
        assert_eq!(stand[..30], undone, "in order, each once");
        assert!(stand.len() <= 31, "one more may have been under way");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "the process that the full-disk test kills"]
#[expect(clippy::disallowed_methods, reason = "how a test tells the process that it starts whether to limit itself")]
async fn undoes_on_a_full_disk() {
    let Some((folder, keys)) = started() else { return };
    let (log, _) = AuditLogFile::open(AuditOptions::new(&folder), &keys, Arc::new(SystemClock)).unwrap();
    if let Ok(Ok(bytes)) = std::env::var("AUDIT_LOG_TEST_LIMIT").map(|text| text.parse()) {
        let limit = rustix::process::Rlimit { current: Some(bytes), maximum: None };
        rustix::process::setrlimit(rustix::process::Resource::Fsize, limit).unwrap();
    }
    for i in 0..10_000 {
        let mut entry = tool_call("alice", &format!("call-{i}"));
        entry.facts.insert("padding".to_owned(), json!("x".repeat(20_000)));
        if log.append(entry).await.is_err() {
            break;
        }
        println!("\ncall call-{i}");
        assert!(i < 9_999, "the disk did not fill");
    }
    for i in 0.. {
        // Large calls find no room; a small record could still have found some in the log.
        let mut entry = tool_call("alice", "refused");
        entry.facts.insert("padding".to_owned(), json!("x".repeat(200_000)));
        log.append(entry).await.unwrap_err();
        let mut entry = undo(&format!("undo-{i}"));
        entry.facts.insert("padding".to_owned(), json!("x".repeat(10_000)));
        log.append(entry).await.unwrap();
        println!("\nundone undo-{i}");
    }
}
