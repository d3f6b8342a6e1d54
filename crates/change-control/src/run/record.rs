//! What a run puts on record by itself: where it stopped and how it ended, and why, with both digests where there are two (T18, T25).
//! Each call of a run has its own records; these tell what the calls came to.

use platform::Error;
use platform::audit::{AuditEntry, Outcome};
use serde_json::json;

use crate::changes::Changes;
use crate::model::change::{Change, Trouble};
use crate::model::state::State;

impl Changes {
    /// Records that a run stops or ends, before its row says so: a crash in between records it twice rather than never.
    pub(super) async fn record_stop(
        &self,
        change: &Change,
        to: State,
        why: &str,
        trouble: Option<&Trouble>,
    ) -> Result<(), Error> {
        let action = if to.is_terminal() { "change.ended" } else { "change.stopped" };
        let outcome = match (to, trouble) {
            (State::Done | State::Undone, None) => Outcome::Success,
            _ => Outcome::Failure,
        };
        let mut entry = AuditEntry::event(self.parts.clock.now(), action, outcome);
        entry.code = trouble.map(|trouble| trouble.code.clone());
        // What undoes goes on when the disk is full, and so does its record.
        entry.undo = change.state == State::Undoing;
        entry.facts.insert("change".into(), change.id.as_str().into());
        entry.facts.insert("from".into(), change.state.as_str().into());
        entry.facts.insert("state".into(), to.as_str().into());
        entry.facts.insert("why".into(), why.into());
        if let Some(plan) = &change.plan {
            entry.facts.insert("plan_hash".into(), plan.hash.as_str().into());
        }
        if let Some(trouble) = trouble {
            entry.facts.insert("trouble".into(), json!({"message": trouble.message, "detail": trouble.detail}));
        }
        self.parts.audit.append(entry).await.map(drop)
    }
}
