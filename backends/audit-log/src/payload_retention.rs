//! The end of sealed payloads (rule T26): the keys of months that are over are destroyed, and then the sealed bytes are
//! deleted. The records and their chain stand. Next: [`crate::payload`].

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use platform::audit::{AuditEntry, AuditLog as _, Outcome};
use platform::audit_payload::month_of;
use platform::clock::SharedClock;
use platform::error::Result;
use serde::Serialize;

use crate::log::AuditLogFile;
use crate::payload::FORGET_AT_ONCE;

/// How often a running platform looks.
const EVERY: Duration = Duration::from_secs(6 * 3600);

/// What was destroyed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Destroyed {
    /// Months whose keys were destroyed now.
    pub months: Vec<String>,
    /// Sealed payloads of this log that were deleted now.
    pub payloads: u64,
}

impl AuditLogFile {
    /// Destroys the payloads of all months before that of `now` minus `keep_days`: no payload is destroyed earlier than so
    /// many days after it was written. A record says it before it is done. The keys go first: what a crash leaves behind
    /// cannot be opened any more, and the next run deletes it.
    pub async fn destroy_payloads(&self, keep_days: u32, now: Timestamp) -> Result<Destroyed> {
        let Some(payloads) = &self.payloads else { return Ok(Destroyed::default()) };
        let kept = SignedDuration::from_hours(i64::from(keep_days) * 24);
        let Ok(until) = now.checked_sub(kept) else { return Ok(Destroyed::default()) };
        let first_kept = month_of(until);
        let mut months = payloads.keys().months().await?;
        months.retain(|month| *month < first_kept);
        if !months.is_empty() {
            let mut entry = AuditEntry::event(now, "audit.payloads_destroyed", Outcome::Success);
            entry.facts.insert("months".to_owned(), months.clone().into());
            entry.facts.insert("keep_days".to_owned(), keep_days.into());
            self.append(entry).await?;
        }
        for month in &months {
            payloads.keys().destroy(month).await?;
        }
        let mut deleted = 0;
        loop {
            let some = self.forget(&first_kept).await?;
            deleted += some;
            if some < u64::from(FORGET_AT_ONCE) {
                return Ok(Destroyed { months, payloads: deleted });
            }
        }
    }

    /// Does that now and from time to time, on a task of its own that ends with the log.
    pub fn keep_payloads_for(self: &Arc<Self>, keep_days: u32, clock: SharedClock) {
        let log = Arc::downgrade(self);
        tokio::spawn(async move {
            while let Some(log) = log.upgrade().filter(|log| !log.is_closed()) {
                match log.destroy_payloads(keep_days, clock.now()).await {
                    Ok(destroyed) if destroyed == Destroyed::default() => {}
                    Ok(Destroyed { months, payloads }) => {
                        tracing::info!(?months, payloads, "sealed audit payloads were destroyed");
                    }
                    Err(error) => tracing::warn!(
                        error.code = error.code(),
                        error.message = error.detail(),
                        "sealed audit payloads could not be destroyed; it is tried again"
                    ),
                }
                drop(log);
                tokio::time::sleep(EVERY).await;
            }
        });
    }
}
