//! Intent (T7, T25): before a write leases its credential, what is about to happen is durable in the store and in the
//! audit log. An intent without an outcome is never executed again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use platform::store::{Op, Store, TransactError};
use platform::{CallContext, Error, ErrorKind, Json};
use serde_json::json;

use super::audit_guard::AuditGuard;
use super::reserve::Reserved;
use super::validate::Validated;
use super::{Answer, Pipeline, later, replay, reserve};
use crate::tool::SideEffect;

/// A write's open intent; nothing for reads.
pub(super) struct Intended {
    call_id: Option<String>,
    progress: Progress,
}

/// How far a tool says that its side effect has come.
#[derive(Clone)]
struct Progress(Arc<AtomicU8>);

impl Default for Progress {
    fn default() -> Self {
        Self(Arc::new(AtomicU8::new(SILENT)))
    }
}

/// The tool has not said: only its error can tell.
const SILENT: u8 = 0;
/// What the tool does before it sends the side effect.
const PREPARING: u8 = 1;
/// The side effect is on its way; the error tells whether it may have arrived.
const SENDING: u8 = 2;
/// The target has accepted it.
const STARTED: u8 = 3;

impl Intended {
    /// Where a tool writes down the target's handle before its first poll (T20).
    pub(super) fn journal(&self, store: &Arc<dyn Store>) -> Option<IntentJournal> {
        self.call_id.as_ref().map(|call_id| IntentJournal {
            store: Arc::clone(store),
            call_id: call_id.clone(),
            progress: self.progress.clone(),
        })
    }
}

/// A tool's way to its own intent.
#[derive(Clone)]
pub struct IntentJournal {
    store: Arc<dyn Store>,
    call_id: String,
    progress: Progress,
}

impl IntentJournal {
    /// Says that what follows, until [`IntentJournal::sending`], only reads: a failure of it is a plain failure.
    pub fn preparing(&self) {
        self.progress.0.store(PREPARING, Ordering::SeqCst);
    }

    /// Says that the next request is the side effect.
    pub fn sending(&self) {
        self.progress.0.store(SENDING, Ordering::SeqCst);
    }

    /// Stores the target's handle of what was started. Call it before the first poll; from here on the intent is closed
    /// by a result only.
    pub async fn started(&self, handle: Json) -> Result<(), Error> {
        self.progress.0.store(STARTED, Ordering::SeqCst);
        let set = Op::SetHandle { call_id: self.call_id.clone(), handle };
        Ok(self.store.transact(vec![set]).await.map(drop)?)
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
        return Ok(Intended { call_id: None, progress: Progress::default() });
    }
    let call_id = cx.request_id.to_string();
    let body = json!({
        "server": call.tool.server.name, "tool": call.tool.name(), "arguments_digest": call.digest,
        "principal": cx.principal.key(), "client": cx.principal.client_id,
    });
    let open = Op::OpenIntent { call_id: call_id.clone(), body };
    road.parts.store.transact(vec![open]).await?;
    if let Err(error) = guard.intent().await {
        // Stored later where it cannot be now; what the caller hears is the audit's refusal.
        drop(close(road, &call_id, "not_started", None).await);
        return Err(error);
    }
    Ok(Intended { call_id: Some(call_id), progress: Progress::default() })
}

/// The credential could not be leased: nothing happened, and the key is free again.
pub(super) async fn not_started(road: &Pipeline, intended: Intended, reserved: Reserved, error: Error) -> Error {
    if let Some(call_id) = &intended.call_id {
        drop(close(road, call_id, "not_started", None).await);
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
        && may_have_happened(error, intended.progress.0.load(Ordering::SeqCst))
    {
        return Err(replay::outcome_unknown(&call_id).with_detail(error.detail().unwrap_or(error.code())));
    }
    let complete = match &result {
        Ok(_) if call.tool.tool.spec().confidential => reserved.complete(road, &Err(replay::not_kept()))?,
        result => reserved.complete(road, result)?,
    };
    let promised = complete.is_some();
    let outcome = if result.is_ok() { "success" } else { "failure" };
    match close(road, &call_id, outcome, complete).await {
        // The key promises this very result to a repeat, and a crash could still break that promise.
        Err(failed) if promised && result.is_ok() => Err(replay::outcome_unknown(&call_id).with_detail(failed)),
        _ => result,
    }
}

/// Whether a failed write may have taken effect: it was sent, and no readable answer came back.
fn may_have_happened(error: &Error, progress: u8) -> bool {
    match progress {
        PREPARING => return false,
        STARTED => return true,
        _ => {}
    }
    match error.kind() {
        ErrorKind::Timeout | ErrorKind::Internal => true,
        ErrorKind::Unavailable => !NOT_SENT.contains(&error.code()),
        // A target that fails in the middle of its work may have done it; so may one whose answer cannot be read.
        ErrorKind::Upstream => error.code() != "target_forbidden",
        _ => false,
    }
}

/// Unavailable, and certainly without effect: nothing was sent, or the target refused to look at it.
const NOT_SENT: [&str; 4] =
    ["target_circuit_open", "target_unreachable", "target_rejected_credential", "credential_incomplete"];

/// Closes the intent, now or as soon as the store can. Until then its key answers that the outcome cannot be told.
async fn close(road: &Pipeline, call_id: &str, outcome: &str, complete: Option<Op>) -> Result<(), TransactError> {
    let close = Op::CloseIntent { call_id: call_id.to_owned(), outcome: outcome.to_owned() };
    later::write(road, "the end of an intent", complete.into_iter().chain([close]).collect()).await
}

#[cfg(test)]
mod tests {
    use platform::{Error, ErrorKind};

    use super::{PREPARING, SENDING, SILENT, STARTED, may_have_happened};

    fn error(kind: ErrorKind, code: &'static str) -> Error {
        Error::new(kind, code, "")
    }

    #[test]
    fn t20_only_what_was_certainly_not_sent_or_refused_did_certainly_not_happen() {
        for (kind, code, happened) in [
            (ErrorKind::Unavailable, "target_unreachable", false),
            (ErrorKind::Unavailable, "target_circuit_open", false),
            (ErrorKind::Unavailable, "target_rejected_credential", false),
            (ErrorKind::Upstream, "target_forbidden", false),
            (ErrorKind::InvalidInput, "target_refused_arguments", false),
            (ErrorKind::RateLimited, "target_rate_limited", false),
            (ErrorKind::Unavailable, "target_connection_lost", true),
            (ErrorKind::Timeout, "target_timeout", true),
            (ErrorKind::Timeout, "deadline_exceeded", true),
            (ErrorKind::Upstream, "target_garbled", true),
            (ErrorKind::Upstream, "target_failed", true),
            (ErrorKind::Internal, "internal_error", true),
        ] {
            assert_eq!(may_have_happened(&error(kind, code), SILENT), happened, "{code}");
            assert_eq!(may_have_happened(&error(kind, code), SENDING), happened, "{code}");
            assert!(!may_have_happened(&error(kind, code), PREPARING), "{code}");
            assert!(may_have_happened(&error(kind, code), STARTED), "{code}");
        }
    }
}
