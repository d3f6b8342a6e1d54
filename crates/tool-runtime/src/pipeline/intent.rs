//! Intent (T7, T25): before a write leases its credential, what is about to happen is durable in the store and in the
//! audit log. An intent without an outcome is never executed again.

use std::sync::Arc;

use platform::store::{Op, Store};
use platform::{CallContext, Error, ErrorKind, Json};
use serde_json::json;

use super::audit_guard::AuditGuard;
use super::reserve::Reserved;
use super::validate::Validated;
use super::{Answer, Pipeline, replay, reserve};
use crate::tool::SideEffect;

/// A write's open intent; nothing for reads.
pub(super) struct Intended {
    call_id: Option<String>,
}

impl Intended {
    /// Where a tool writes down the target's handle before its first poll (T20).
    pub(super) fn journal(&self, store: &Arc<dyn Store>) -> Option<IntentJournal> {
        self.call_id.as_ref().map(|call_id| IntentJournal { store: Arc::clone(store), call_id: call_id.clone() })
    }
}

/// A tool's way to its own intent.
#[derive(Clone)]
pub struct IntentJournal {
    store: Arc<dyn Store>,
    call_id: String,
}

impl IntentJournal {
    /// Stores the target's handle of what was started. Call it before the first poll.
    pub async fn started(&self, handle: Json) -> Result<(), Error> {
        let set = Op::SetHandle { call_id: self.call_id.clone(), handle };
        self.store.transact(vec![set]).await.map(drop).map_err(crate::elevation::store_failed)
    }

    /// The call's id, for the target's own record where it has room for it (T29).
    pub fn call_id(&self) -> &str {
        &self.call_id
    }
}

pub(super) async fn open(
    road: &Pipeline,
    cx: &CallContext,
    call: &Validated,
    _reserved: &Reserved,
    guard: &mut AuditGuard,
) -> Result<Intended, Error> {
    if !call.tool.risk.is_write() {
        return Ok(Intended { call_id: None });
    }
    let call_id = cx.request_id.to_string();
    let body = json!({
        "server": call.tool.server.name, "tool": call.tool.name(), "arguments_digest": call.digest,
        "principal": cx.principal.key(), "client": cx.principal.client_id,
    });
    let open = Op::OpenIntent { call_id: call_id.clone(), body };
    road.parts.store.transact(vec![open]).await.map_err(crate::elevation::store_failed)?;
    if let Err(error) = guard.intent().await {
        close(road, &call_id, "not_started", None).await;
        return Err(error);
    }
    Ok(Intended { call_id: Some(call_id) })
}

/// The credential could not be leased: nothing happened, and the key is free again.
pub(super) async fn not_started(road: &Pipeline, intended: Intended, reserved: Reserved, error: Error) -> Error {
    if let Some(call_id) = &intended.call_id {
        close(road, call_id, "not_started", None).await;
    }
    reserve::release(road, reserved, error).await
}

/// Closes the intent with what came of it, and stores the result under the key.
pub(super) async fn settle(
    road: &Pipeline,
    call: &Validated,
    intended: Intended,
    reserved: Reserved,
    result: Result<Answer, Error>,
) -> Result<Answer, Error> {
    let Some(call_id) = intended.call_id else { return result };
    // The intent stays open: only the target's own records can settle it (T20).
    if let Err(error) = &result
        && call.tool.tool.spec().effect != SideEffect::Idempotent
        && may_have_happened(error)
    {
        return Err(replay::outcome_unknown(&call_id).with_detail(error.detail().unwrap_or(error.code())));
    }
    let complete = reserved.complete(road, &result)?;
    let outcome = if result.is_ok() { "success" } else { "failure" };
    close(road, &call_id, outcome, complete).await;
    result
}

/// Whether a failed write may have taken effect: it was sent, and no readable answer came back.
fn may_have_happened(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::Timeout | ErrorKind::Internal => true,
        ErrorKind::Unavailable => !matches!(error.code(), "target_circuit_open" | "target_unreachable"),
        ErrorKind::Upstream => matches!(error.code(), "target_garbled" | "target_response_too_large"),
        _ => false,
    }
}

async fn close(road: &Pipeline, call_id: &str, outcome: &str, complete: Option<Op>) {
    let close = Op::CloseIntent { call_id: call_id.to_owned(), outcome: outcome.to_owned() };
    let ops = complete.into_iter().chain([close]).collect();
    if let Err(failed) = road.parts.store.transact(ops).await {
        // The effect stands and the audit's outcome record follows; the open intent is closed as unknown at the next start.
        tracing::error!(interlock.call_id = call_id, error.message = %failed, "an intent could not be closed");
    }
}
