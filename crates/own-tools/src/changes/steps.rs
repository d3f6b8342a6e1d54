//! What moves a change on once it is under way: `cancel_change`, `resume_change`, `undo_change`, and for a person alone
//! `settle_change`. Each answers with the change as it is then.

use std::sync::Arc;

use change_control::model::change::CancelMode;
use change_control::run::contract::SettledBy;
use change_control::run::steer::SettleRequest;
use change_control::view::shown::ChangeView;
use change_control::{Change, ChangeId, Changes};
use platform::Error;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use tool_runtime::combinators::single_followed;
use tool_runtime::{FollowUp, Tool, ToolCx, ToolSpec};

/// The change after the step, and the call that follows it while it goes on.
pub(super) async fn after(
    changes: &Changes,
    cx: &ToolCx,
    change: &Change,
) -> Result<(ChangeView, Option<FollowUp>), Error> {
    let view = changes.view(&cx.call, &change.id).await?;
    let follow_up = view.follow_up();
    Ok((view, follow_up))
}

#[derive(Deserialize, JsonSchema)]
struct CancelArgs {
    /// Id of the change.
    #[schemars(length(min = 1, max = 64))]
    change_id: String,
    /// What happens to devices that were written to: `hold` leaves them and waits for a person, `undo` restores them.
    mode: CancelMode,
    /// Why.
    #[schemars(length(min = 1, max = 2000))]
    reason: String,
}

pub(super) fn cancel_change(changes: &Arc<Changes>) -> Arc<dyn Tool> {
    let spec = ToolSpec::new::<CancelArgs, ChangeView>(
        "cancel_change",
        "Stop a change",
        "Stops a change: before it runs, for good; while it runs, after the current device, with what was written held or \
         undone.",
    )
    .per_caller()
    .example(json!({"change_id": "…", "mode": "undo", "reason": "Users complain"}));
    single_followed(changes, spec, |changes, cx, args: CancelArgs| async move {
        let id = ChangeId::parse(&args.change_id)?;
        let change = changes.cancel(&cx.call, &id, args.mode, &args.reason).await?;
        after(&changes, &cx, &change).await
    })
}

#[derive(Deserialize, JsonSchema)]
struct ReasonArgs {
    /// Id of the change.
    #[schemars(length(min = 1, max = 64))]
    change_id: String,
    /// Why.
    #[schemars(length(min = 1, max = 2000))]
    reason: String,
}

pub(super) fn resume_change(changes: &Arc<Changes>) -> Arc<dyn Tool> {
    let spec = ToolSpec::new::<ReasonArgs, ChangeView>(
        "resume_change",
        "Let a held change go on",
        "Lets a change that is held go on with what is left of its plan. Its devices are compared with the plan again first. To \
         take back what it did instead, call `undo_change`.",
    )
    .per_caller()
    .example(json!({"change_id": "…", "reason": "The link is up again"}));
    single_followed(changes, spec, |changes, cx, args: ReasonArgs| async move {
        let id = ChangeId::parse(&args.change_id)?;
        let change = changes.resume(&cx.call, &id, &args.reason).await?;
        after(&changes, &cx, &change).await
    })
}

pub(super) fn undo_change(changes: &Arc<Changes>) -> Arc<dyn Tool> {
    let spec = ToolSpec::new::<ReasonArgs, ChangeView>(
        "undo_change",
        "Undo a change",
        "Undoes a change. One that is held or still being checked is undone at once, by its approved plan. For one that is \
         done, a new change is planned that undoes it: it is answered, with an id of its own, and has to be submitted and \
         approved like any other.",
    )
    .per_caller()
    .example(json!({"change_id": "…", "reason": "Users complain"}));
    single_followed(changes, spec, |changes, cx, args: ReasonArgs| async move {
        let id = ChangeId::parse(&args.change_id)?;
        let change = changes.undo(&cx.call, &id, &args.reason).await?;
        after(&changes, &cx, &change).await
    })
}

#[derive(Deserialize, JsonSchema)]
struct SettleArgs {
    /// Id of the change; it is `parked`.
    #[schemars(length(min = 1, max = 64))]
    change_id: String,
    /// What you found on the device: `done`, the step happened; `not_done`, it did not.
    outcome: SettledBy,
    /// What you looked at.
    #[schemars(length(min = 1, max = 2000))]
    reason: String,
}

pub(super) fn settle_change(changes: &Arc<Changes>) -> Arc<dyn Tool> {
    let spec = ToolSpec::new::<SettleArgs, ChangeView>(
        "settle_change",
        "Settle a parked change",
        "For a person alone, after looking at the device: says whether the step happened whose outcome cannot be told. The \
         change goes on from there. `trouble` of the change says what is known.",
    )
    .per_caller()
    .example(json!({"change_id": "…", "outcome": "not_done", "reason": "show run has no vlan 120"}));
    single_followed(changes, spec, |changes, cx, args: SettleArgs| async move {
        let id = ChangeId::parse(&args.change_id)?;
        let request = SettleRequest { outcome: args.outcome, reason: args.reason };
        let change = changes.settle(&cx.call, &id, request).await?;
        after(&changes, &cx, &change).await
    })
}
