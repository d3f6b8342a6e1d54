//! What is counted while a log runs, and what others read of it. Next: [`crate::log`].

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Instant;

use platform::telemetry::audit_log::AuditStanding;
use serde::Serialize;

/// Counts that the threads of the log share.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) records: AtomicU64,
    pub(crate) commits: AtomicU64,
    pub(crate) checkpoints: AtomicU64,
    pub(crate) queued: AtomicU64,
    pub(crate) held: AtomicU64,
    pub(crate) lost: AtomicU64,
    pub(crate) unpublished: AtomicU64,
    pub(crate) countersigned: AtomicU64,
    pub(crate) unreplicated: AtomicU64,
    pub(crate) failing: AtomicBool,
    /// Why the log takes nothing more.
    pub(crate) forked: OnceLock<String>,
    behind_since: Mutex<Option<Instant>>,
}

/// Counts of a running log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditStats {
    /// Records in the log.
    pub records: u64,
    /// Synced transactions since it was opened.
    pub commits: u64,
    /// Checkpoints since it was opened.
    pub checkpoints: u64,
    /// Records handed in and not yet taken up by the writer.
    pub queued: u64,
    /// Records that nobody waits for and that wait for the disk.
    pub held: u64,
    /// Records that could never be written: handed in after the end, or held when the process ended.
    pub lost: u64,
    /// Checkpoints that the sink or anchor which is furthest behind has not taken yet.
    pub unpublished: u64,
    /// Records that the last countersigned checkpoint covers; 0 without a registry.
    pub countersigned: u64,
    /// For how many whole seconds a checkpoint has waited for its countersignature; 0 when none waits.
    pub countersign_waiting_s: u64,
    /// Records that the database of all replicas lacks; 0 without one.
    pub unreplicated: u64,
    /// Whether the last write failed.
    pub failing: bool,
    /// Why the log takes nothing more, where it is forked.
    pub forked: Option<String>,
}

impl From<AuditStats> for AuditStanding {
    fn from(stats: AuditStats) -> Self {
        Self {
            forked: stats.forked.is_some(),
            failing: stats.failing,
            countersign_waiting_s: stats.countersign_waiting_s,
            unreplicated: stats.unreplicated,
            unpublished: stats.unpublished,
        }
    }
}

impl Counters {
    /// Since when a checkpoint waits for its countersignature.
    pub(crate) fn waits_since(&self, since: Option<Instant>) {
        *self.behind_since.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }

    pub(crate) fn read(&self) -> AuditStats {
        let since = *self.behind_since.lock().unwrap_or_else(PoisonError::into_inner);
        AuditStats {
            records: self.records.load(Ordering::Relaxed),
            commits: self.commits.load(Ordering::Relaxed),
            checkpoints: self.checkpoints.load(Ordering::Relaxed),
            queued: self.queued.load(Ordering::Relaxed),
            held: self.held.load(Ordering::Relaxed),
            lost: self.lost.load(Ordering::Relaxed),
            unpublished: self.unpublished.load(Ordering::Relaxed),
            countersigned: self.countersigned.load(Ordering::Relaxed),
            countersign_waiting_s: since.map_or(0, |since| since.elapsed().as_secs()),
            unreplicated: self.unreplicated.load(Ordering::Relaxed),
            failing: self.failing.load(Ordering::Relaxed),
            forked: self.forked.get().cloned(),
        }
    }
}
