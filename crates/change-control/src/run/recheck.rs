//! Before anything is written (T18): the locks are held, the window has room for the batch and its undo, the grant and the policy
//! of now still allow it, and every device is what the plan was made for. *Refused* and *unreadable* are two answers: the first
//! follows the plan's stop rule, the second waits.

use platform::Error;
use platform::context::RunStep;
use serde_json::json;

use super::contract::{Recheck, Rechecked};
use crate::approving::rules::{Present, unaltered};
use crate::approving::ticket::gated_digest;
use crate::changes::Changes;
use crate::model::attempt::Direction;
use crate::model::change::{Change, CheckResult, Trouble};
use crate::model::plan::{OnStale, PublicPlan, plan_hash};
use crate::planning::change_type::{ChangeType, change_type};
use crate::planning::compare::{Comparison, Difference};
use crate::planning::{is_worth_repeating, trouble};

/// Wait before what could not be read is asked again, milliseconds.
pub(super) const UNREAD_MS: u64 = 10_000;
/// The name of the comparison before a step, in a device's report.
const AS_PLANNED: &str = "as_planned";

impl Changes {
    /// See [`super::contract::RECHECK`].
    pub(super) async fn recheck(&self, input: Recheck) -> Result<Rechecked, Error> {
        let change = self.book().get(&input.change).await?.change;
        if change.run.fences.is_empty() || !self.still_locked(&change).await? {
            return Ok(Rechecked::LocksLost);
        }
        let plan = self.plan_to_run(&input.change).await?;
        if let Some(trouble) = no_room(&change, &plan, &input, self.now_ms()) {
            return Ok(Rechecked::NoRoom { trouble });
        }
        if let Err(error) = self.still_submitted(&change, &plan).await {
            return Ok(answered(&error));
        }
        if let Some(trouble) = other_type(&plan)? {
            return Ok(Rechecked::Stale { trouble });
        }
        if let Err(error) = self.still_allowed(&change).await {
            return Ok(answered(&error));
        }
        let mut skip = Vec::new();
        for device_id in &input.devices {
            let step = RunStep { change: change.id.to_string(), undo: false, attempt: None };
            match self.compare_device(&change, device_id, Some(step)).await {
                Ok(Comparison::Same) => {}
                Ok(Comparison::Differs(difference)) => match plan.on_stale {
                    OnStale::Stop => return Ok(Rechecked::Stale { trouble: stale(device_id, &difference) }),
                    OnStale::SkipDevice => {
                        self.note_left_out(&change, device_id, &difference).await?;
                        skip.push(device_id.clone());
                    }
                },
                Ok(Comparison::Unreadable(error)) => {
                    return Ok(Rechecked::Unreadable { trouble: trouble(&error), again_in_ms: UNREAD_MS });
                }
                Err(error) => return Ok(answered(&error)),
            }
        }
        Ok(Rechecked::Good { skip })
    }

    /// Plan and ticket are what was submitted (T17): the ticket is read again. Errors: `plan_altered`, `ticket_changed`, those of
    /// the system that keeps tickets.
    async fn still_submitted(&self, change: &Change, plan: &PublicPlan) -> Result<(), Error> {
        let submission = change.submission.as_ref().ok_or_else(|| Error::internal("a run without a submission"))?;
        let gated = match &submission.ticket {
            Some(ticket) => Some(gated_digest(&self.read_ticket(change, ticket).await?)?),
            None => None,
        };
        unaltered(submission, &Present { plan: plan_hash(plan)?, gated, estimates: plan.estimates })
    }

    /// Why a device is left out stands in its report.
    async fn note_left_out(&self, change: &Change, device_id: &str, found: &Difference) -> Result<(), Error> {
        let (now, detail) = (self.now_ms(), found.detail(device_id));
        let result = CheckResult {
            name: AS_PLANNED.to_owned(),
            direction: Direction::Forward,
            result: "failed".to_owned(),
            detail,
            source_at_ms: None,
            at_ms: now,
        };
        self.note_report(&change.id, device_id, vec![result]).await
    }
}

fn answered(error: &Error) -> Rechecked {
    if is_worth_repeating(error) {
        Rechecked::Unreadable { trouble: trouble(error), again_in_ms: UNREAD_MS }
    } else {
        Rechecked::Refused { trouble: trouble(error) }
    }
}

fn stale(device_id: &str, difference: &Difference) -> Trouble {
    Trouble {
        code: "plan_stale".to_owned(),
        message: format!(
            "{device_id} is not what the plan was made for: its {} differs. Plan the change again.",
            difference.part.as_str().replace('_', " ")
        ),
        detail: difference.detail(device_id),
    }
}

/// Why the plan is stale as a whole: its type is not what it was when the plan was made and approved (T15).
fn other_type(plan: &PublicPlan) -> Result<Option<Trouble>, Error> {
    let planned = &plan.change_type;
    let found = change_type(&planned.name).ok().map(ChangeType::reference).transpose()?;
    if found.as_ref() == Some(planned) {
        return Ok(None);
    }
    Ok(Some(Trouble {
        code: "plan_stale".to_owned(),
        message: "The type of this change is not what it was when the plan was made. Plan the change again.".to_owned(),
        detail: json!({"compared": "change_type", "planned": planned, "found": found}),
    }))
}

/// Whether the window is too short for these devices and for the undo of all that would then be written to.
fn no_room(change: &Change, plan: &PublicPlan, input: &Recheck, now_ms: i64) -> Option<Trouble> {
    let window = change.submission.as_ref().map(|submission| submission.window)?;
    let all = u64::try_from(plan.devices.len().max(1)).unwrap_or(1);
    let share = |whole_s: u64, devices: usize| {
        let devices = u64::try_from(devices).unwrap_or(u64::MAX);
        whole_s.saturating_mul(devices).div_ceil(all)
    };
    let needed_s =
        share(plan.estimates.apply_s, input.devices.len()).saturating_add(share(plan.estimates.undo_s, input.reach));
    let left_ms = window.not_after_ms.saturating_sub(now_ms);
    let needed_ms = i64::try_from(needed_s.saturating_mul(1000)).unwrap_or(i64::MAX);
    (left_ms < needed_ms).then(|| Trouble {
        code: "window_too_short".to_owned(),
        message: "The window has no room for the next devices and their undo.".to_owned(),
        detail: json!({"left_s": left_ms.max(0).div_euclid(1000), "needed_s": needed_s, "not_after_ms": window.not_after_ms}),
    })
}
