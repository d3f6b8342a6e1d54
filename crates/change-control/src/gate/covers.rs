//! The answer to the road (T19). Forward steps need the grant, and policy is asked as well; undo steps, and looking at what the
//! run has written to, rest on the approved plan alone.

use platform::context::RunStep;
use platform::policy::{ChangeFacts, Risk};
use platform::{Error, ErrorKind};
use tool_runtime::change_gate::{Basis, Covered, GateCall, HeldLock, lock_name};
use tool_runtime::ports::config_changer::APPLY;

use super::verified::{Verified, standing};
use super::{invalid, not_in_plan, not_now};
use crate::changes::Changes;
use crate::model::attempt::{Attempt, AttemptOutcome, Direction};
use crate::model::change::ChangeId;
use crate::model::plan::{DevicePlan, SaveStartup};
use crate::model::state::State;

/// The tool that makes a running configuration the one that a device starts with.
const SAVE: &str = "port_save_startup";
/// Longest time that undo steps may lag behind the last forward step, seconds (T19).
const LONGEST_UNDO_S: u64 = 86_400;

pub(super) async fn covers(changes: &Changes, call: &GateCall<'_>) -> Result<Covered, Error> {
    let run = call.run.ok_or_else(|| Error::internal("a call by a door is covered by no grant"))?;
    let verified = changes.verified(&ChangeId::parse(&run.change)?).await?;
    if call.change.is_some_and(|named| named != run.change) {
        return Err(not_in_plan("the call names another change"));
    }
    if call.principal.key() != verified.grant.requester.key()
        || call.principal.client_id != verified.grant.requester.client_id
    {
        return Err(invalid("the run calls in another name than its requester's"));
    }
    match call.risk {
        Risk::Control => Err(not_in_plan("no run governs")),
        Risk::Change | Risk::Disruptive => write(changes, call, run, verified).await,
        Risk::Read | Risk::Probe | Risk::Record => read(changes, call, run, &verified).await,
    }
}

/// A call that changes nothing on a device.
async fn read(changes: &Changes, call: &GateCall<'_>, run: &RunStep, verified: &Verified) -> Result<Covered, Error> {
    let here = call.server.name == verified.grant.server;
    let device = if here { verified.device(call.targets)? } else { None };
    // Whoever has written has to look, whatever became of the requester meanwhile (T19).
    let looks_back = match device {
        Some(device) if call.risk != Risk::Record => written(changes, verified, device).await?,
        _ => false,
    };
    if !looks_back && !run.undo {
        standing(changes.parts.floors.as_ref(), &verified.grant)?;
    }
    let basis = if looks_back { Basis::ApprovedPlan } else { Basis::Grant };
    let locks = Vec::new();
    Ok(Covered { basis, facts: facts(verified), risk: call.risk, undo: run.undo, until: None, locks })
}

/// Whether a forward step of this run was announced for the device.
async fn written(changes: &Changes, verified: &Verified, device: &DevicePlan) -> Result<bool, Error> {
    Ok(last_forward(changes, verified, Some(device)).await?.is_some())
}

/// When the last forward attempt was announced, of a device or of all, milliseconds since the epoch.
async fn last_forward(
    changes: &Changes,
    verified: &Verified,
    device: Option<&DevicePlan>,
) -> Result<Option<i64>, Error> {
    let attempts = changes.book().attempts(&verified.change.id).await?;
    let of_it = |a: &&Attempt| device.is_none_or(|device| device.device_id == a.device_id);
    let forward = attempts.iter().filter(|a| a.direction == Direction::Forward).filter(of_it);
    Ok(forward.map(|a| a.announced_at_ms).max())
}

/// A call that writes to a device.
async fn write(changes: &Changes, call: &GateCall<'_>, run: &RunStep, verified: Verified) -> Result<Covered, Error> {
    if call.server.name != verified.grant.server {
        return Err(not_in_plan("another server"));
    }
    let device = verified.device(call.targets)?.ok_or_else(|| not_in_plan("the call names no device"))?;
    let until = match (call.tool, run.undo) {
        (APPLY, false) => forward(changes, call, run, &verified, device).await?,
        (APPLY, true) => undo(changes, call, run, &verified, device).await?,
        (SAVE, false) => save(changes, &verified, device).await?,
        _ => return Err(not_in_plan("another tool")),
    };
    let locks = locks(&verified, device)?;
    // The plan may say that its step is worse than its tool.
    let risk = if call.tool == APPLY && !run.undo { call.risk.max(device.risk) } else { call.risk };
    let basis = if run.undo { Basis::ApprovedPlan } else { Basis::Grant };
    // Policy looks at the end of what this very call rests on.
    let facts = ChangeFacts { expires_at: until, ..facts(&verified) };
    Ok(Covered { basis, facts, risk, undo: run.undo, until: Some(until), locks })
}

/// A forward step: in the window, within its budget, while the change applies, and nobody's account was ended.
async fn forward(
    changes: &Changes,
    call: &GateCall<'_>,
    run: &RunStep,
    verified: &Verified,
    device: &DevicePlan,
) -> Result<i64, Error> {
    standing(changes.parts.floors.as_ref(), &verified.grant)?;
    let until = in_window(changes, verified)?;
    if !verified.grant.tools.iter().any(|tool| tool == call.tool) {
        return Err(not_in_plan("another tool"));
    }
    if verified.change.state != State::Applying {
        return Err(not_now("the change does not apply"));
    }
    let attempt = announced(changes, call, run, Direction::Forward).await?;
    changes.is_planned(verified, device, &attempt, call.arguments).await?;
    let attempts = changes.book().attempts(&verified.change.id).await?;
    let sent = attempts.iter().filter(|a| a.direction == Direction::Forward && a.outcome != AttemptOutcome::NotDone);
    if sent.count() > verified.grant.writes as usize {
        return Err(not_in_plan("the grant's number of steps is used up"));
    }
    Ok(until)
}

/// An undo step: exactly the plan's, on a device that this run wrote to, until `undo_until`.
async fn undo(
    changes: &Changes,
    call: &GateCall<'_>,
    run: &RunStep,
    verified: &Verified,
    device: &DevicePlan,
) -> Result<i64, Error> {
    if verified.change.state != State::Undoing {
        return Err(not_now("the change does not undo"));
    }
    if !written(changes, verified, device).await? {
        return Err(not_now("nothing was written to this device"));
    }
    let last = last_forward(changes, verified, None).await?.unwrap_or(i64::MIN);
    let for_s = verified.grant.undo_for_s.min(LONGEST_UNDO_S);
    let by_grant = last.saturating_add(i64::try_from(for_s.saturating_mul(1000)).unwrap_or(i64::MAX));
    let until = verified.change.run.undo_until_ms.map_or(by_grant, |until| until.min(by_grant)).div_euclid(1000);
    if changes.parts.clock.epoch_seconds() >= until {
        return Err(expired());
    }
    let attempt = announced(changes, call, run, Direction::Undo).await?;
    changes.is_planned(verified, device, &attempt, call.arguments).await?;
    Ok(until)
}

/// What was written is kept, where the plan says so and something was written.
async fn save(changes: &Changes, verified: &Verified, device: &DevicePlan) -> Result<i64, Error> {
    standing(changes.parts.floors.as_ref(), &verified.grant)?;
    if verified.plan.save_startup != SaveStartup::AfterSoak {
        return Err(not_in_plan("the plan saves nothing"));
    }
    if !matches!(verified.change.state, State::Verifying | State::Soaking) {
        return Err(not_now("the change does not soak"));
    }
    if !written(changes, verified, device).await? {
        return Err(not_now("nothing was written to this device"));
    }
    // The soak may end after the window; what it saves was written within it, and the day of its undo bounds it.
    let last = last_forward(changes, verified, None).await?.unwrap_or(i64::MIN);
    let until = last.div_euclid(1000).saturating_add(LONGEST_UNDO_S as i64);
    if changes.parts.clock.epoch_seconds() >= until { Err(expired()) } else { Ok(until) }
}

fn in_window(changes: &Changes, verified: &Verified) -> Result<i64, Error> {
    let (window, now) = (verified.grant.window, changes.parts.clock.now().as_millisecond());
    if now < window.not_before_ms || now >= window.not_after_ms {
        return Err(expired());
    }
    Ok(window.not_after_ms.div_euclid(1000))
}

fn expired() -> Error {
    Error::new(ErrorKind::Unmet, "grant_expired", "The time in which the change may do this is over, or has not begun.")
}

/// The attempt under which the call was announced (T20), which nobody has sent yet.
async fn announced(
    changes: &Changes,
    call: &GateCall<'_>,
    run: &RunStep,
    direction: Direction,
) -> Result<Attempt, Error> {
    let id = run.attempt.as_deref().ok_or_else(|| not_now("no attempt is announced"))?;
    let attempt = changes.book().attempt_by_id(id).await?.ok_or_else(|| not_now("no attempt is announced"))?;
    let same = attempt.change == run.change
        && attempt.direction == direction
        && attempt.call_id == call.call_id.to_string()
        && call.idempotency_key == Some(id);
    if !same {
        return Err(not_now("the attempt was announced for another call"));
    }
    if attempt.handle.is_some() || attempt.outcome != AttemptOutcome::Open {
        return Err(not_now("the attempt was sent before"));
    }
    Ok(attempt)
}

/// The locks of the device, under the numbers that the change holds them by (T18): one for each serial number.
fn locks(verified: &Verified, device: &DevicePlan) -> Result<Vec<HeldLock>, Error> {
    let fences = &verified.change.run.fences;
    let held = device.serials.iter().map(|serial| {
        let name = lock_name(serial);
        let fence = *fences.get(&name)?;
        Some(HeldLock { name, fence })
    });
    let held: Option<Vec<HeldLock>> = held.collect();
    held.filter(|held| !held.is_empty()).ok_or_else(|| not_now("the device is not locked"))
}

/// What policy is told of a grant.
pub(super) fn facts(verified: &Verified) -> ChangeFacts {
    let proven = u32::try_from(verified.proven.len()).unwrap_or(u32::MAX);
    ChangeFacts {
        id: verified.change.id.to_string(),
        expires_at: verified.grant.window.not_after_ms.div_euclid(1000),
        approvers: proven,
        approver_groups: verified.proven.iter().map(|approval| approval.groups.clone()).collect(),
        run: true,
        proven_approvers: proven,
    }
}
