//! Execute: the tool itself, under a deadline, and caught when it panics. Takes the proofs of the stages before it.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use futures_util::FutureExt as _;
use platform::{CallContext, Error, ErrorKind};

use super::Pipeline;
use super::authorise::Authorised;
use super::intent::Intended;
use super::lease::Leased;
use super::reserve::Reserved;
use super::validate::Validated;
use crate::artifacts::CallArtifacts;
use crate::tool::{ToolCx, ToolOutput};

/// What the stages before have proven.
pub(super) struct Proofs<'a> {
    pub(super) authorised: &'a Authorised,
    pub(super) intended: &'a Intended,
    pub(super) leased: &'a Leased,
}

pub(super) async fn execute(
    road: &Pipeline,
    cx: &Arc<CallContext>,
    call: &Validated,
    _reserved: &Reserved,
    Proofs { authorised, intended, leased }: Proofs<'_>,
    artifacts: &CallArtifacts,
) -> Result<ToolOutput, Error> {
    let deadline = deadline(cx, call);
    // The tool sees the references however they came in: a create takes its idempotency key to the target.
    let told = if call.references == cx.references {
        Arc::clone(cx)
    } else {
        Arc::new(CallContext { references: call.references.clone(), ..CallContext::clone(cx) })
    };
    let tool_cx = ToolCx {
        call: told,
        lease: Arc::clone(leased.lease()),
        targets: Arc::clone(authorised.targets()),
        deadline,
        clock: Arc::clone(&road.parts.clock),
        secrets: Arc::clone(&call.secrets),
        artifacts: artifacts.clone(),
        journal: intended.journal(&road.parts.store),
    };
    let run = AssertUnwindSafe(call.tool.tool.call(tool_cx, call.arguments.clone())).catch_unwind();
    match tokio::time::timeout_at(deadline.into(), run).await {
        Ok(Ok(result)) => result,
        Ok(Err(_panic)) => Err(Error::internal(format!("the tool {} panicked", call.tool.name()))),
        Err(_elapsed) => Err(too_late()),
    }
}

/// When a call that runs from now on must be over. A write is not cut short because its caller is in a hurry: only its own
/// timeout ends it.
pub(super) fn deadline(cx: &CallContext, call: &Validated) -> Instant {
    let latest = Instant::now() + call.tool.tool.spec().timeout;
    if call.tool.risk.is_write() { latest } else { latest.min(cx.deadline) }
}

pub(super) fn too_late() -> Error {
    Error::new(
        ErrorKind::Timeout,
        "deadline_exceeded",
        "The target did not finish in time. For a read, narrow the question or repeat it later.",
    )
}
