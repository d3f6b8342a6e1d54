//! Handing a plan in for approval: the window that it may run in, the ticket that goes with it, and who has to approve.

use jiff::Timestamp;
use platform::audit::{AuditActor, AuditEntry, Outcome};
use platform::{CallContext, Error, ErrorKind};

use super::{rules, ticket};
use crate::changes::Changes;
use crate::model::approval::PersonRef;
use crate::model::change::{Change, ChangeId};
use crate::model::plan::{Estimates, plan_hash};
use crate::model::state::State;
use crate::model::submission::{Submission, Window};

/// The window of a submission that names none, milliseconds: long enough for people to find the time.
const WINDOW_MS: i64 = 7 * 24 * 3_600_000;

/// What is asked for with a plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SubmitRequest {
    /// The ticket that goes with it, by its system's own id; it is read, and its gated facts are bound.
    pub ticket: Option<String>,
    /// Not before; now when left out.
    pub not_before: Option<Timestamp>,
    /// Over by then, the undo included; seven days after the beginning when left out.
    pub not_after: Option<Timestamp>,
}

impl Changes {
    /// Hands a plan in, in the name of whoever asked for it. The answer waits at [`Changes::page_url`] for people.
    ///
    /// Errors: `change_unknown`, `change_state`, `submitter_not_requester`, `plan_changes_nothing`, `plan_altered`,
    /// `submission_window_invalid`, `approvers_none`, `change_busy`, and those of the ticket's system.
    pub async fn submit(&self, cx: &CallContext, id: &ChangeId, request: SubmitRequest) -> Result<Change, Error> {
        let change = self.seen(&cx.principal, id).await?.change;
        may_submit(&change, cx)?;
        let reference = change.plan.as_ref().ok_or_else(|| out_of_turn(&change))?;
        let plan = self.book().plan(id).await?.ok_or_else(|| Error::internal("a planned change without a plan"))?;
        plan.require_effect()?;
        let found = plan_hash(&plan)?;
        let now_ms = self.now_ms();
        let window = window(&request, &plan.estimates, now_ms)?;
        let gated = match &request.ticket {
            Some(ticket) => Some(ticket::gated_digest(&self.read_ticket(&change, ticket).await?)?),
            None => None,
        };
        let submission = Submission { plan: reference.hash.clone(), ticket: request.ticket, gated, window };
        rules::unaltered(
            &submission,
            &rules::Present { plan: found, gated: submission.gated.clone(), estimates: plan.estimates },
        )?;
        let mut needed = self.approvers_needed(&change).await?;
        if needed.groups.is_empty() {
            return Err(Error::new(
                ErrorKind::Forbidden,
                "approvers_none",
                "Policy names nobody who may approve this change, so that it cannot be submitted.",
            ));
        }
        // No policy makes a change that nobody has decided about.
        needed.count = needed.count.max(1);
        let ((), change) = self
            .book()
            .update(id, |change| {
                may_submit(change, cx)?;
                if change.plan.as_ref().map(|plan| &plan.hash) != Some(&submission.plan) {
                    return Err(out_of_turn(change));
                }
                change.become_state(State::Submitted, now_ms, "Submitted for approval.")?;
                // Whoever acts for the requester now approves it as little as whoever acted for them before.
                for actor in &cx.principal.actors {
                    if !change.requester.actors.contains(actor) {
                        change.requester.actors.push(actor.clone());
                    }
                }
                change.submission = Some(submission.clone());
                change.approvers = Some(needed.clone());
                change.approvals.clear();
                Ok(((), Vec::new()))
            })
            .await?;
        self.parts.audit.append(self.submitted(cx, &change)?).await?;
        Ok(change)
    }

    fn submitted(&self, cx: &CallContext, change: &Change) -> Result<AuditEntry, Error> {
        let mut entry = self.entry_about(cx, "change.submitted", Outcome::Success, &change.id);
        if let Some(submission) = &change.submission {
            entry.facts.insert("submission".into(), submission.digest()?.into());
            entry.facts.insert("plan".into(), submission.plan.clone().into());
            entry.facts.insert("window".into(), serde_json::to_value(submission.window).map_err(Error::internal)?);
            entry.facts.insert("ticket".into(), submission.ticket.clone().into());
        }
        entry.facts.insert("approvers".into(), serde_json::to_value(&change.approvers).map_err(Error::internal)?);
        entry.facts.insert("policy_revision".into(), self.parts.policy.revision().into());
        Ok(entry)
    }

    /// A record about a change, by the caller of `cx`.
    pub(crate) fn entry_about(
        &self,
        cx: &CallContext,
        action: &str,
        outcome: Outcome,
        change: &ChangeId,
    ) -> AuditEntry {
        let mut entry = AuditEntry::event(self.parts.clock.now(), action, outcome);
        entry.request_id = Some(cx.request_id.to_string());
        entry.client_request_id = cx.client_request_id.clone();
        entry.trace_id = Some(cx.trace.trace_id_hex());
        entry.protocol = Some(cx.protocol.as_str().to_owned());
        entry.source = Some(cx.source);
        entry.actor = Some(AuditActor::from(cx.principal.as_ref()));
        entry.facts.insert("change".into(), change.to_string().into());
        entry
    }
}

/// Who planned it hands it in: their plan, their name on the run.
fn may_submit(change: &Change, cx: &CallContext) -> Result<(), Error> {
    if !change.requester.who.is_same_person(&PersonRef::from(cx.principal.as_ref())) {
        return Err(Error::new(
            ErrorKind::Forbidden,
            "submitter_not_requester",
            "A change is submitted by whoever asked for it, because it runs in their name.",
        ));
    }
    if change.state == State::Planned { Ok(()) } else { Err(out_of_turn(change)) }
}

fn out_of_turn(change: &Change) -> Error {
    let message = format!("This change is {}. Only a planned change can be submitted.", change.state);
    let next = serde_json::json!({"change_id": change.id.as_str()});
    Error::new(ErrorKind::Conflict, "change_state", message).with_next("get_change", next)
}

fn window(request: &SubmitRequest, estimates: &Estimates, now_ms: i64) -> Result<Window, Error> {
    let not_before_ms = request.not_before.map_or(now_ms, Timestamp::as_millisecond);
    let not_after_ms = request
        .not_after
        .map_or_else(|| not_before_ms.max(now_ms).saturating_add(WINDOW_MS), Timestamp::as_millisecond);
    let window = Window { not_before_ms, not_after_ms };
    let invalid = |why: String| Err(Error::new(ErrorKind::InvalidInput, "submission_window_invalid", why));
    if not_after_ms.saturating_sub(now_ms) > rules::LONGEST_WINDOW_MS {
        return invalid("The window ends more than 31 days from now. Submit the change closer to its time.".to_owned());
    }
    if !rules::has_room(&window, estimates, now_ms) {
        return invalid(format!(
            "The window is too short: what is left of it has to hold the change and its undo, {} and {} seconds.",
            estimates.apply_s, estimates.undo_s
        ));
    }
    Ok(window)
}
