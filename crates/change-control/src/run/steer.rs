//! What people do to a change after it was handed in: cancel, undo, go on, and say what happened where nobody else can tell. All
//! of it is a row that the run reads at its next step; the nudge only makes that soon. Each is a record of its own. Who has a part
//! in a change is `view::sight`'s to say, and it is asked about the row that is written.

use platform::audit::Outcome;
use platform::principal::PrincipalKind;
use platform::store::Expect;
use platform::{CallContext, Error, ErrorKind, Json};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::contract::SettledBy;
use crate::book::{ChangeBook, Refused};
use crate::changes::Changes;
use crate::model::approval::PersonRef;
use crate::model::attempt::AttemptOutcome;
use crate::model::change::{Cancel, CancelMode, Change, ChangeId};
use crate::model::state::State;
use crate::planning::{PlanOptions, PlanRequest};

/// What a person says became of a parked attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SettleRequest {
    /// Whether it happened.
    pub outcome: SettledBy,
    /// How the person knows.
    pub reason: String,
}

impl Changes {
    /// Stops a change: before its run holds devices it ends; later the run stops after the device that is under way, and stands
    /// still or undoes. Errors: `change_unknown`, `change_not_yours`, `change_state` where it has ended or is undone already.
    pub async fn cancel(
        &self,
        cx: &CallContext,
        id: &ChangeId,
        mode: CancelMode,
        reason: &str,
    ) -> Result<Change, Error> {
        let (now, sight) = (self.now_ms(), self.sight(&cx.principal).await?);
        let edit = |change: &mut Change| {
            sight.require_part_in(change)?;
            match change.state {
                State::Planning | State::Planned | State::Submitted | State::Approved | State::Scheduled => {
                    change.cancel = Some(cancel(cx, mode, reason, now));
                    change.become_state(State::Cancelled, now, format!("cancelled by {}", cx.principal.name))?;
                }
                State::Undoing => return Err(wrong_state(change.state, "cancelled: it is being undone")),
                state if state.is_terminal() => return Err(wrong_state(state, "cancelled")),
                _ => {
                    // A wish to undo is not taken back by a wish to stand still.
                    let undo = change.cancel.as_ref().is_some_and(|cancel| cancel.mode == CancelMode::Undo);
                    if !(undo && mode == CancelMode::Hold) {
                        change.cancel = Some(cancel(cx, mode, reason, now));
                        change.updated_at_ms = now;
                    }
                }
            }
            Ok(((), Vec::new()))
        };
        let ((), change) = self.book().update(id, edit).await?;
        self.record_steering(cx, "change.cancelled", &change, json!({ "mode": mode, "reason": reason })).await?;
        self.starter()?.nudge(id).await?;
        Ok(change)
    }

    /// Undoes a change. A run under way undoes what it wrote; a change that is done gets a new one, planned against what the
    /// devices are now, which needs its own approval (T19): that one is the answer. Errors: `change_unknown`,
    /// `change_not_yours`, `change_state` where there is nothing to undo.
    pub async fn undo(&self, cx: &CallContext, id: &ChangeId, reason: &str) -> Result<Change, Error> {
        let change = self.book().get(id).await?.change;
        self.sight(&cx.principal).await?.require_part_in(&change)?;
        match change.state {
            State::Done => {
                // Server, type and devices are those of the change that is undone.
                let request = PlanRequest {
                    server: change.instance.name.clone(),
                    change_type: None,
                    inputs: json!({}),
                    device_ids: Vec::new(),
                    title: format!("Undo: {}", change.title),
                    reason: reason.to_owned(),
                    options: PlanOptions::default(),
                    undoes: Some(change.id.clone()),
                };
                Box::pin(self.plan(cx, request)).await
            }
            State::Checking | State::Applying | State::Verifying | State::Soaking | State::Held | State::Parked => {
                self.cancel(cx, id, CancelMode::Undo, reason).await
            }
            State::Undoing => Ok(change),
            state => Err(wrong_state(state, "undone")),
        }
    }

    /// Lets a held run go on with what is left of its plan; its devices are compared again first. Errors: `change_unknown`,
    /// `change_not_yours`, `change_state` where it is not held.
    pub async fn resume(&self, cx: &CallContext, id: &ChangeId, reason: &str) -> Result<Change, Error> {
        let (now, sight) = (self.now_ms(), self.sight(&cx.principal).await?);
        let edit = |change: &mut Change| {
            sight.require_part_in(change)?;
            if change.state != State::Held {
                return Err(wrong_state(change.state, "resumed"));
            }
            change.cancel = None;
            change.run.resume_asked = true;
            change.updated_at_ms = now;
            Ok(((), Vec::new()))
        };
        let ((), change) = self.book().update(id, edit).await?;
        self.record_steering(cx, "change.resumed", &change, json!({ "reason": reason })).await?;
        self.starter()?.nudge(id).await?;
        Ok(change)
    }

    /// A person says what became of the attempt that parked the run (T20): it happened, and the device is compared next; or it
    /// did not, and the device is compared and the step tried again. Errors: `change_unknown`, `change_not_yours`,
    /// `settled_by_person` for a program, `change_state` where the run is not parked.
    pub async fn settle(&self, cx: &CallContext, id: &ChangeId, request: SettleRequest) -> Result<Change, Error> {
        let now = self.now_ms();
        let kept = self.book().get(id).await?.change;
        self.sight(&cx.principal).await?.require_part_in(&kept)?;
        if cx.principal.kind != PrincipalKind::Person || !cx.principal.actors.is_empty() {
            return Err(Error::new(
                ErrorKind::Forbidden,
                "settled_by_person",
                "Only a person in a session of their own says what became of a step. Nobody and nothing does it for them.",
            ));
        }
        let parked_on = kept.run.parked_on.clone().filter(|_| kept.state == State::Parked);
        let parked_on = parked_on.ok_or_else(|| wrong_state(kept.state, "settled"))?;
        let (mut attempt, revision) =
            self.book().attempt_at(&parked_on).await?.ok_or_else(|| Error::internal("a parked attempt is gone"))?;
        let AttemptOutcome::Unknown { evidence } = attempt.outcome.clone() else {
            return Err(wrong_state(kept.state, "settled: somebody has settled it already"));
        };
        attempt.outcome = match request.outcome {
            SettledBy::Done => {
                AttemptOutcome::Succeeded { message: Some(format!("settled as done by {}", cx.principal.name)) }
            }
            SettledBy::NotDone => AttemptOutcome::NotDone,
        };
        let put = ChangeBook::put_attempt(&attempt, Expect::Revision(revision))?;
        let edit = |change: &mut Change| {
            if change.state != State::Parked || change.run.parked_on.as_deref() != Some(&parked_on) {
                return Err(wrong_state(change.state, "settled"));
            }
            change.run.parked_on = None;
            change.updated_at_ms = now;
            if let (SettledBy::Done, Some(device)) = (request.outcome, change.run.devices.get_mut(&attempt.device_id)) {
                // Observations have to be newer than now: when exactly it happened, nobody knows.
                device.last_write_ms = Some(now);
            }
            Ok(((), vec![put.clone()]))
        };
        let change = match self.book().update_where(id, edit).await {
            Ok(((), change)) => change,
            Err(Refused::Condition { .. }) => {
                return Err(wrong_state(kept.state, "settled: somebody has settled it already"));
            }
            Err(Refused::Error(error)) => return Err(error),
        };
        let facts = json!({
            "attempt": parked_on, "call_id": attempt.call_id, "outcome": request.outcome, "reason": request.reason,
            "evidence": evidence,
        });
        self.record_steering(cx, "change.settled", &change, facts).await?;
        self.starter()?.nudge(id).await?;
        Ok(change)
    }

    /// One record of what somebody did to a change.
    async fn record_steering(&self, cx: &CallContext, action: &str, change: &Change, facts: Json) -> Result<(), Error> {
        let mut entry = self.entry_about(cx, action, Outcome::Success, &change.id);
        entry.facts.insert("state".into(), change.state.as_str().into());
        if let Json::Object(facts) = facts {
            entry.facts.extend(facts);
        }
        self.parts.audit.append(entry).await.map(drop)
    }
}

fn cancel(cx: &CallContext, mode: CancelMode, reason: &str, at_ms: i64) -> Cancel {
    Cancel { mode, by: PersonRef::from(cx.principal.as_ref()), reason: reason.to_owned(), at_ms }
}

fn wrong_state(state: State, what: &str) -> Error {
    Error::new(ErrorKind::Conflict, "change_state", format!("A change that is {state} is not {what}."))
}
