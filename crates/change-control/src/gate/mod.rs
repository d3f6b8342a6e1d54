//! Change control's answer to the road's one question (T14, T19): does a valid grant cover this call? Everything is read from
//! the store and verified each time, and whatever does not hold refuses.
//!
//! - [`keys`]: what signs grants and evidence
//! - `verified`: the grant of a change, with everything that it binds
//! - `step`: whether a call's arguments are the plan's
//! - `covers`: the answer itself
//! - `join`: a call by a door that names a change, and the call that plans one
//! - `standing`: who must approve, and whether a run may still go on

mod covers;
mod join;
pub mod keys;
mod standing;
mod step;
mod verified;

use async_trait::async_trait;
use platform::error::NextCall;
use platform::{Error, ErrorKind, Json, Principal};
use tool_runtime::change_gate::{ChangeGate, Covered, GateCall};

use crate::changes::Changes;
use crate::model::change::ChangeId;

#[async_trait]
impl ChangeGate for Changes {
    async fn covers(&self, call: &GateCall<'_>) -> Result<Covered, Error> {
        covers::covers(self, call).await
    }

    async fn join(&self, call: &GateCall<'_>) -> Result<Option<Json>, Error> {
        join::join(self, call).await.map(Some)
    }

    fn proposal(&self, call: &GateCall<'_>) -> Option<NextCall> {
        join::proposal(call)
    }

    async fn shows(&self, change: &str, person: &Principal) -> Result<bool, Error> {
        let Ok(id) = ChangeId::parse(change) else { return Ok(false) };
        match self.book().get(&id).await {
            Ok(kept) => self.may_see(person, &kept.change).await,
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// The grant does not hold by itself; `why` is for the operator.
fn invalid(why: impl std::fmt::Display) -> Error {
    Error::new(
        ErrorKind::Forbidden,
        "grant_invalid",
        "The change's grant does not hold: its signature, its approvals or its key are not what they have to be.",
    )
    .with_detail(why)
}

/// What was approved and what stands now are two things; both digests go on record.
fn mismatch(what: &'static str, approved: &str, found: &str) -> Error {
    Error::new(
        ErrorKind::Forbidden,
        "grant_mismatch",
        "What stands now is not what was approved. Nothing was done; plan the change again and have it approved.",
    )
    .with_details(serde_json::json!({"what": what, "approved": approved, "found": found}))
}

/// The call is not what the plan holds; `why` is for the operator and safe to show.
fn not_in_plan(why: &'static str) -> Error {
    Error::new(
        ErrorKind::Forbidden,
        "not_in_plan",
        "This is not what the approved plan holds, so the run may not do it.",
    )
    .with_details(serde_json::json!({ "why": why }))
}

/// The step is in the plan, and this is not the moment for it.
fn not_now(why: &'static str) -> Error {
    Error::new(
        ErrorKind::Conflict,
        "run_step_refused",
        "The change is not where this step of its run belongs. Nothing was sent.",
    )
    .with_details(serde_json::json!({ "why": why }))
}
