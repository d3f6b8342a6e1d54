//! Locks (T18): one for each serial number of each device, whichever server reaches it, all taken in one transaction, each
//! with a fencing number that stands in the change. The keeper renews those of every run, also while the run waits for a
//! person or for its next step.
//!
//! What vendors do not check, no number of ours can enforce: a request that left before its lock ran out may still arrive. The
//! lease ([`LOCK_LEASE_S`]) is longer than the longest request, so that this needs a clock that jumps or a network that keeps a request back.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use platform::Error;
use platform::store::{Conflict, Op, OpResult, TransactError};
use tool_runtime::change_gate::{LOCK_LEASE_S, lock_name};

use crate::book::{Kept, Refused};
use crate::changes::Changes;
use crate::model::change::{Change, ChangeId};
use crate::model::plan::PublicPlan;
use crate::model::state::State;

/// How often locks are renewed.
const KEEP_EVERY: Duration = Duration::from_secs(60);
/// The first lease, seconds: should the process die before the fencing numbers stand in the change, nobody waits longer.
const FIRST_LEASE_S: i64 = 20;
/// How many changes the keeper reads at once.
const PAGE: usize = 500;

/// What came of the wish to lock.
pub(super) enum Taken {
    /// All of them, by these numbers.
    All(BTreeMap<String, u64>),
    /// Somebody else holds one.
    Busy {
        /// The lock.
        lock: String,
        /// The holder: a change's id.
        holder: String,
        /// When its lease ends, seconds since the epoch.
        lease_until: i64,
    },
}

/// The locks of a plan, in the order in which everybody takes them.
pub(super) fn names(plan: &PublicPlan) -> Vec<String> {
    let serials = plan.devices.iter().flat_map(|device| &device.serials);
    serials.map(|serial| lock_name(serial)).collect::<BTreeSet<_>>().into_iter().collect()
}

/// What keeps the change's locks for another lease.
pub(super) fn keep(change: &Change, now_s: i64) -> Vec<Op> {
    let lease_until = now_s.saturating_add(LOCK_LEASE_S);
    let fences = change.run.fences.iter();
    fences.map(|(name, fence)| Op::KeepLock { name: name.clone(), fence: *fence, lease_until }).collect()
}

/// What frees them.
pub(super) fn free(fences: &BTreeMap<String, u64>) -> Vec<Op> {
    fences.iter().map(|(name, fence)| Op::FreeLock { name: name.clone(), fence: *fence }).collect()
}

impl Changes {
    /// Takes locks, all or none.
    pub(super) async fn take_locks(&self, id: &ChangeId, names: &[String]) -> Result<Taken, Error> {
        let lease_until = self.parts.clock.epoch_seconds().saturating_add(FIRST_LEASE_S);
        let take = |name: &String| Op::TakeLock { name: name.clone(), holder: id.to_string(), lease_until };
        match self.book().store().transact(names.iter().map(take).collect()).await {
            Ok(results) => {
                let fence = |result: &OpResult| match result {
                    OpResult::Fence(fence) => Ok(*fence),
                    _ => Err(Error::internal("a lock without a number")),
                };
                let fences = results.iter().map(fence).collect::<Result<Vec<_>, _>>()?;
                Ok(Taken::All(names.iter().cloned().zip(fences).collect()))
            }
            Err(TransactError::Conflict { index, conflict: Conflict::Locked { holder, lease_until } }) => {
                let lock = names.get(index).cloned().unwrap_or_default();
                Ok(Taken::Busy { lock, holder, lease_until })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Gives locks back that no change names.
    pub(super) async fn free_locks(&self, fences: &BTreeMap<String, u64>) -> Result<(), Error> {
        self.book().transact(free(fences)).await.map(drop)
    }

    /// Renews the locks of every run until `stopped` ends. A lock that was lost is the run's to notice: its next step is
    /// refused, and it takes its locks and looks at its devices again.
    pub async fn keep_locks(&self, stopped: impl Future<Output = ()>) {
        let keeping = async {
            loop {
                if let Err(error) = self.keep_all().await {
                    let why = error.detail().unwrap_or(error.code());
                    tracing::error!(error.message = why, "locks of changes could not be renewed");
                }
                tokio::time::sleep(KEEP_EVERY).await;
            }
        };
        tokio::pin!(keeping, stopped);
        tokio::select! {
            () = keeping => {}
            () = stopped => {}
        }
    }

    /// Renews the locks of every run once.
    pub async fn keep_all(&self) -> Result<(), Error> {
        for state in State::ALL.into_iter().filter(|state| state.holds_locks()) {
            let mut after: Option<ChangeId> = None;
            loop {
                let page = self.book().in_state(state, after.as_ref(), PAGE).await?;
                after = page.last().map(|kept| kept.change.id.clone());
                let full = page.len() == PAGE;
                for Kept { change, .. } in page {
                    self.keep_one(&change).await?;
                }
                if !full {
                    break;
                }
            }
        }
        Ok(())
    }

    async fn keep_one(&self, change: &Change) -> Result<(), Error> {
        let ops = keep(change, self.parts.clock.epoch_seconds());
        if ops.is_empty() {
            return Ok(());
        }
        match self.book().store().transact(ops).await {
            Ok(_) => Ok(()),
            Err(TransactError::Conflict { .. }) => {
                tracing::warn!(change.id = %change.id, "a run lost its locks");
                Ok(())
            }
            Err(TransactError::Store(error)) => Err(error),
        }
    }
}

/// Whether a refused update says that a lock is not held any more.
pub(super) fn is_lost(refused: &Refused) -> bool {
    matches!(refused, Refused::Condition { conflict: Conflict::LockLost, .. })
}
