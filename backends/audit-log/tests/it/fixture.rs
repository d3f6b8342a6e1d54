//! A log in a folder of its own, and what the tests need around it.

use std::path::Path;
use std::sync::Arc;

use audit_log::{AuditKeys, AuditLogFile, AuditOptions, Opened};
use platform::audit::{AuditEntry, AuditLog, Phase};
use platform::clock::SystemClock;
pub(crate) use platform_suites::audit::tool_call;
use tempfile::TempDir;

pub(crate) struct Fixture {
    pub(crate) folder: TempDir,
    pub(crate) keys: AuditKeys,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), keys: AuditKeys::generate().unwrap() }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn open(&self) -> (Arc<AuditLogFile>, Opened) {
        self.open_with(|_| {})
    }

    pub(crate) fn open_with(&self, change: impl FnOnce(&mut AuditOptions)) -> (Arc<AuditLogFile>, Opened) {
        let mut options = AuditOptions::new(self.path());
        change(&mut options);
        let (log, opened) = AuditLogFile::open(options, &self.keys, Arc::new(SystemClock)).unwrap();
        (Arc::new(log), opened)
    }
}

pub(crate) fn intent(request: &str) -> AuditEntry {
    let mut entry = tool_call("alice", request);
    entry.phase = Phase::Intent;
    entry.outcome = platform::audit::Outcome::Pending;
    entry
}

pub(crate) fn outcome(request: &str) -> AuditEntry {
    let mut entry = tool_call("alice", request);
    entry.phase = Phase::Outcome;
    entry
}

/// Appends `count` records, each by a task of its own, so that they share transactions.
pub(crate) async fn fill(log: &Arc<AuditLogFile>, count: usize) {
    let tasks: Vec<_> = (0..count)
        .map(|i| {
            let log = log.clone();
            tokio::spawn(async move { log.append(tool_call("alice", &format!("fill-{i}"))).await.unwrap() })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

/// What a killed process leaves: the files as they are now, without the lock.
pub(crate) fn copy_files(from: &Path, to: &Path) {
    for name in ["audit.db", "audit.db-wal", "audit.checkpoints"] {
        if from.join(name).exists() {
            std::fs::copy(from.join(name), to.join(name)).unwrap();
        }
    }
}

/// Sets a closed log aside as rotation does: its files into a folder below, named by the last part of its name.
pub(crate) fn aside(folder: &Path) {
    let logs = audit_log::offline::logs(folder).unwrap();
    let below = folder.join(logs.iter().find(|log| log.current).unwrap().short());
    std::fs::create_dir(&below).unwrap();
    for name in ["audit.db", "audit.checkpoints"] {
        std::fs::rename(folder.join(name), below.join(name)).unwrap();
    }
}
