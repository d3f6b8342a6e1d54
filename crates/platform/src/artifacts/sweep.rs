//! The end of artifacts: what is kept long enough is removed, in small steps, on record.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{Artifacts, Swept};
use crate::audit::{AuditEntry, AuditLog, Outcome};
use crate::error::Result;

/// References that are removed at once.
const BATCH: usize = 500;
/// Batches of one sweep; what is left waits for the next one.
const MOST_BATCHES: usize = 200;
/// Seconds between two sweeps, by the platform's clock.
const EVERY_S: i64 = 3600;

impl Artifacts {
    /// Removes what is over, and puts one record with the counts into the log where anything was.
    pub async fn sweep(&self, audit: &dyn AuditLog) -> Result<Swept> {
        let mut all = Swept::default();
        for _ in 0..MOST_BATCHES {
            let step = self.store.sweep(self.clock.epoch_seconds(), BATCH).await?;
            all.references += step.references;
            all.contents += step.contents;
            all.more = step.more;
            if !step.more {
                break;
            }
        }
        if all.references > 0 || all.contents > 0 {
            let mut entry = AuditEntry::event(self.clock.now(), "artifacts.swept", Outcome::Success);
            entry.facts.insert("references".to_owned(), all.references.into());
            entry.facts.insert("contents".to_owned(), all.contents.into());
            audit.append(entry).await?;
        }
        Ok(all)
    }

    /// Sweeps at start and every hour, until `stop`.
    pub async fn run(&self, audit: &dyn AuditLog, stop: CancellationToken) {
        // Each second, because the clock may be moved (T30's lab): nothing is due in most of them.
        let mut ticks = tokio::time::interval(Duration::from_secs(1));
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut due = self.clock.epoch_seconds();
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            let now = self.clock.epoch_seconds();
            if now < due {
                continue;
            }
            due = now.saturating_add(EVERY_S);
            if let Err(error) = self.sweep(audit).await {
                tracing::warn!(%error, error.detail = error.detail(), "artifacts could not be swept; it is tried again in an hour");
            }
        }
    }
}
