//! Idempotent replay (T7): the same principal, key, tool and arguments get the stored result; other arguments under the
//! same key are a conflict. It needs the role grant, not the obligations: nothing is done again.

use platform::error::Refusal;
use platform::store::Conflict;
use platform::{CallContext, Error, ErrorKind, Json};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::validate::Validated;
use super::{Answer, Pipeline};
use crate::tool::FollowUp;

/// What a call ended with, as it is kept, sealed. A failure is kept too: the key stands for that one attempt.
#[derive(Serialize, Deserialize)]
enum Kept {
    Result(Json, Option<FollowUp>),
    Failure(ErrorKind, Refusal),
}

/// Whose key it is, and for what.
pub(super) fn scope(cx: &CallContext, call: &Validated) -> String {
    format!("{}|{}|{}|{}", cx.principal.key(), cx.principal.client_id, call.tool.server.name, call.tool.name())
}

pub(super) async fn replay(road: &Pipeline, cx: &CallContext, call: &Validated) -> Result<Option<Answer>, Error> {
    let Some(key) = call.references.idempotency_key.as_ref().filter(|_| call.tool.risk.is_write()) else {
        return Ok(None);
    };
    let scope = scope(cx, call);
    match known(road, &scope, key, &call.digest).await? {
        None => Ok(None),
        Some(known) => answer(road, &scope, key, known).map(Some),
    }
}

/// What is known of a key. The store cannot tell an intent whose call died from one whose call still runs here.
pub(super) async fn known(road: &Pipeline, scope: &str, key: &str, digest: &str) -> Result<Option<Conflict>, Error> {
    let store = &road.parts.store;
    let running = |known: &Option<Conflict>| matches!(known, Some(Conflict::KeyOutcomeUnknown { call_id }) if road.live.contains(call_id));
    let mut known = store.key_state(scope, key, digest).await?;
    if matches!(known, Some(Conflict::KeyOutcomeUnknown { .. })) && !running(&known) {
        // Its call may have ended between the store's answer and our look: whatever ended before now is in this answer.
        known = store.key_state(scope, key, digest).await?;
    }
    Ok(if running(&known) { Some(Conflict::KeyInProgress) } else { known })
}

/// What a key that is not free answers with.
pub(super) fn answer(road: &Pipeline, scope: &str, key: &str, known: Conflict) -> Result<Answer, Error> {
    match known {
        Conflict::KeyDone { result } => {
            let kept = road.parts.results.open(&format!("{scope}|{key}"), &result);
            let kept: Option<Kept> = kept.and_then(|plain| serde_json::from_slice(&plain).ok());
            match kept.ok_or_else(|| Error::internal("a stored result does not open"))? {
                Kept::Result(structured, follow_up) => {
                    Ok(Answer { structured, text: None, follow_up, replayed: true, queued_ms: 0 })
                }
                Kept::Failure(kind, refusal) => Err(Error::replayed(kind, refusal)),
            }
        }
        Conflict::KeyInProgress => Err(Error::new(
            ErrorKind::Conflict,
            "idempotency_in_progress",
            "The call with this idempotency key is still running. Repeat it later to get its result.",
        )
        .with_retry_after(std::time::Duration::from_secs(2))),
        Conflict::KeyMismatch => Err(Error::new(
            ErrorKind::Conflict,
            "idempotency_conflict",
            "This idempotency key was used for a call with other arguments. Use a new key for a new call.",
        )),
        Conflict::KeyOutcomeUnknown { call_id } => Err(outcome_unknown(&call_id)),
        other => Err(Error::internal(other)),
    }
}

/// The answer of a write whose outcome cannot be told (T7, T20): it is never executed again by itself.
pub(super) fn outcome_unknown(call_id: &str) -> Error {
    Error::new(
        ErrorKind::Conflict,
        "outcome_unknown",
        "It cannot be told whether this call took effect, so it will not be repeated. Look at the target; an operator \
         settles it.",
    )
    .with_details(json!({ "call_id": call_id }))
}

/// What is kept under the key of a call whose result is confidential.
pub(super) fn not_kept() -> Error {
    Error::new(
        ErrorKind::Conflict,
        "result_not_kept",
        "The call with this idempotency key succeeded, and its result is kept nowhere. To see it again, make the call with \
         a new key.",
    )
}

pub(super) fn sealed(
    road: &Pipeline,
    scope: &str,
    key: &str,
    result: &Result<Answer, Error>,
) -> Result<Vec<u8>, Error> {
    let kept = match result {
        Ok(answer) => Kept::Result(answer.structured.clone(), answer.follow_up.clone()),
        Err(error) => Kept::Failure(error.kind(), error.refusal().clone()),
    };
    let kept = serde_json::to_vec(&kept).map_err(Error::internal)?;
    road.parts.results.seal(&format!("{scope}|{key}"), &kept)
}
