//! The change that a call belongs to (T14, T19): loaded and verified before policy is asked, and again when the call is
//! reserved; its locks are proven last before the first byte (T18). A call by a door that names a change executes nothing: the
//! change's run does.

use std::sync::Arc;

use platform::policy::{Risk, TargetFacts};
use platform::store::{Conflict, Op, TransactError};
use platform::{CallContext, Error, ErrorKind};

use super::authorise::Authorised;
use super::validate::Validated;
use super::{Answer, Pipeline};
use crate::catalogue::OWN_SERVER;
use crate::change_gate::{Covered, GateCall, LOCK_LEASE_S};

/// What plans a change.
const PLAN_CHANGE: &str = "plan_change";

fn question<'a>(cx: &'a CallContext, call: &'a Validated, targets: &'a [TargetFacts]) -> GateCall<'a> {
    GateCall {
        server: &call.tool.server,
        tool: call.tool.name(),
        risk: call.tool.risk,
        arguments: &call.arguments,
        arguments_digest: &call.digest,
        targets,
        principal: &cx.principal,
        change: call.references.change.as_deref(),
        idempotency_key: call.references.idempotency_key.as_deref(),
        call_id: cx.request_id,
        run: cx.run.as_ref(),
    }
}

/// What covers a call of a run; nothing for every other call.
pub(super) async fn covers(
    road: &Pipeline,
    cx: &CallContext,
    call: &Validated,
    targets: &[TargetFacts],
) -> Result<Option<Arc<Covered>>, Error> {
    match cx.run {
        Some(_) => road.parts.changes.covers(&question(cx, call, targets)).await.map(|c| Some(Arc::new(c))),
        None => Ok(None),
    }
}

/// The answer of a call by a door that names a change and would change the network.
pub(super) async fn join(
    road: &Pipeline,
    cx: &CallContext,
    call: &Validated,
    authorised: &Authorised,
) -> Result<Option<Answer>, Error> {
    let names_one = cx.run.is_none() && call.references.change.is_some();
    if !names_one || !matches!(call.tool.risk, Risk::Change | Risk::Disruptive) {
        return Ok(None);
    }
    let started = road.parts.changes.join(&question(cx, call, authorised.targets())).await?;
    Ok(started.map(|structured| Answer { structured, text: None, follow_up: None, replayed: false, queued_ms: 0 }))
}

/// Completes the refusal of a call that needs a change: with the call that plans it, where there is such a tool here.
pub(super) fn with_next(
    road: &Pipeline,
    cx: &CallContext,
    call: &Validated,
    authorised: &Authorised,
    refusal: Error,
) -> Error {
    let catalogue = road.visibility().catalogue();
    let plans = catalogue.server(OWN_SERVER).is_some_and(|server| server.tool(PLAN_CHANGE).is_some());
    // What stands for a secret is no argument to plan with.
    if !plans || call.tool.has_secret_arguments() {
        return refusal;
    }
    match road.parts.changes.proposal(&question(cx, call, authorised.targets())) {
        Some(next) => refusal.with_next_on(OWN_SERVER, next.tool, next.arguments),
        None => refusal,
    }
}

/// Verifies the grant again at the reservation (T7), and hands back what proves the locks in its transaction. What covered the
/// call when policy was asked must cover it now.
pub(super) async fn again(
    road: &Pipeline,
    cx: &CallContext,
    call: &Validated,
    authorised: &Authorised,
) -> Result<Vec<Op>, Error> {
    let Some(before) = authorised.covered() else { return Ok(Vec::new()) };
    let now = covers(road, cx, call, authorised.targets()).await?;
    let same = now.as_deref().is_some_and(|now| {
        now.basis == before.basis && now.facts == before.facts && now.risk == before.risk && now.locks == before.locks
    });
    if same { Ok(keep(road, before)) } else { Err(changed()) }
}

/// Proves the locks once more, last before the first byte.
pub(super) async fn hold(road: &Pipeline, authorised: &Authorised) -> Result<(), Error> {
    let Some(covered) = authorised.covered() else { return Ok(()) };
    let ops = keep(road, covered);
    if ops.is_empty() {
        return Ok(());
    }
    road.parts.store.transact(ops).await.map(drop).map_err(not_held)
}

/// Extends the locks under their fencing numbers; one that is not held so any more fails the transaction.
fn keep(road: &Pipeline, covered: &Covered) -> Vec<Op> {
    let lease_until = road.parts.clock.epoch_seconds().saturating_add(LOCK_LEASE_S);
    let keep =
        |lock: &crate::change_gate::HeldLock| Op::KeepLock { name: lock.name.clone(), fence: lock.fence, lease_until };
    covered.locks.iter().map(keep).collect()
}

fn not_held(error: TransactError) -> Error {
    match error {
        TransactError::Conflict { conflict: Conflict::LockLost, .. } => lock_lost(),
        other => other.into(),
    }
}

/// The change does not hold its device any more.
pub(super) fn lock_lost() -> Error {
    Error::new(
        ErrorKind::Conflict,
        "lock_lost",
        "The change does not hold the lock of this device any more; nothing was sent. Its run checks everything again before \
         it goes on.",
    )
}

fn changed() -> Error {
    Error::new(
        ErrorKind::Conflict,
        "decision_expired",
        "What allowed this call ended while it was being prepared. Repeat it.",
    )
}
