//! Submissions about which nobody decided in time: a window that is over ends them, on record, so that a list of what waits holds only
//! what somebody can still decide about. Looked for every minute by the platform's clock; a decision that comes too late does it too.

use std::time::Duration;

use platform::Error;

use super::rules;
use crate::changes::Changes;
use crate::model::change::{Change, ChangeId, Trouble};
use crate::model::state::State;
use crate::model::submission::Submission;
use crate::run::record::Stop;

/// Milliseconds between two looks, by the platform's clock.
const EVERY_MS: i64 = 60_000;
/// Rows that are read in one step.
const PAGE: usize = 500;
/// What the history says.
const WHY: &str = "nobody had decided when its window was over";

impl Changes {
    /// Ends submissions whose window is over, at once and every minute, until `stopped` ends.
    pub async fn expire_submissions(&self, stopped: impl Future<Output = ()>) {
        let expiring = async {
            // Each second, because the clock may be moved (T30's lab): nothing is due in most of them.
            let mut ticks = tokio::time::interval(Duration::from_secs(1));
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            let mut due = self.now_ms();
            loop {
                ticks.tick().await;
                let now = self.now_ms();
                if now < due {
                    continue;
                }
                due = now.saturating_add(EVERY_MS);
                if let Err(error) = self.expire_overdue().await {
                    let why = error.detail().unwrap_or(error.code());
                    tracing::warn!(
                        error.message = why,
                        "submissions could not be looked through; it is tried again in a minute"
                    );
                }
            }
        };
        tokio::pin!(expiring, stopped);
        tokio::select! {
            () = expiring => {}
            () = stopped => {}
        }
    }

    /// Ends the submissions whose window is over now, and says how many. Errors: `audit_unavailable`, those of the store; what
    /// was not ended then is looked at again.
    pub async fn expire_overdue(&self) -> Result<usize, Error> {
        let (mut ended, mut after) = (0, None::<ChangeId>);
        loop {
            let page = self.book().in_state(State::Submitted, after.as_ref(), PAGE).await?;
            for kept in &page {
                if self.is_overdue(&kept.change) && self.expire(&kept.change.id).await? {
                    ended += 1;
                }
            }
            after = page.last().map(|kept| kept.change.id.clone());
            if page.len() < PAGE {
                return Ok(ended);
            }
        }
    }

    /// Ends one submission whose window is over, with its record; says whether it did.
    pub(super) async fn expire(&self, id: &ChangeId) -> Result<bool, Error> {
        let now = self.now_ms();
        let refusal = rules::expired();
        let trouble = Trouble::new(refusal.code(), refusal.message());
        let stop = |change: &Change| {
            self.is_overdue(change).then_some(Stop { to: State::Expired, why: WHY, trouble: Some(&trouble) })
        };
        let edit = |change: &mut Change| {
            let overdue = self.is_overdue(change);
            if overdue {
                change.become_state(State::Expired, now, WHY)?;
                change.trouble = Some(trouble.clone());
            }
            Ok((overdue, Vec::new()))
        };
        Ok(self.update_on_record(id, stop, edit).await?.0)
    }

    /// It waits for decisions, and none can come in time.
    fn is_overdue(&self, change: &Change) -> bool {
        let over = |submission: &Submission| submission.window.not_after_ms <= self.now_ms();
        change.state == State::Submitted && change.submission.as_ref().is_some_and(over)
    }
}
