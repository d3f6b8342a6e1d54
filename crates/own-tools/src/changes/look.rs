//! `get_change`, `list_changes`, `get_change_plan`, `get_evidence`, and the same as resources.

use std::sync::Arc;
use std::time::{Duration, Instant};

use change_control::model::plan::PublicPlan;
use change_control::view::difference::PlanView;
use change_control::view::shown::ChangeView;
use change_control::view::{ChangePage, ListFilter, MAX_ROWS, Requesters};
use change_control::{ChangeId, Changes, State};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tool_runtime::combinators::{single, single_followed};
use tool_runtime::{ArtifactReference, ResourceSpec, Tool, ToolSpec};

/// A change as a resource: `interlock://changes/<id>`.
pub(crate) const CHANGE: ResourceSpec = ResourceSpec {
    path: "changes/{change_id}",
    name: "change",
    title: "Change",
    description: "A change: where it is, its devices, approvals, history, and what may follow.",
    mime_type: "application/json",
    tool: "get_change",
    text: None,
    completions: &[],
};

/// Its public plan.
pub(crate) const PLAN: ResourceSpec = ResourceSpec {
    path: "changes/{change_id}/plan",
    name: "change_plan",
    title: "Plan of a change",
    description: "The public plan: its SHA-256 over RFC 8785 JSON is the plan hash that approvals bind.",
    mime_type: "application/json",
    tool: "read_change_plan",
    text: None,
    completions: &[],
};

/// What will differ.
pub(crate) const DIFF: ResourceSpec = ResourceSpec {
    path: "changes/{change_id}/diff",
    name: "change_diff",
    title: "Differences of a change",
    description: "What will differ on which device, with warnings and undo; secrets are masked.",
    mime_type: "text/plain",
    tool: "read_change_diff",
    text: Some("/diff"),
    completions: &[],
};

/// What shows that it was done as it was approved.
pub(crate) const EVIDENCE: ResourceSpec = ResourceSpec {
    path: "changes/{change_id}/evidence",
    name: "change_evidence",
    title: "Evidence of a change",
    description: "Where the signed archive of plan, decisions, calls and checks is kept, once the change has ended.",
    mime_type: "application/json",
    tool: "get_evidence",
    text: None,
    completions: &[],
};

#[derive(Deserialize, JsonSchema)]
struct GetArgs {
    /// Id of the change.
    #[schemars(length(min = 1, max = 64))]
    change_id: String,
    /// Wait up to this many seconds until something changes.
    #[serde(default)]
    #[schemars(range(max = 25))]
    wait_s: u64,
    /// The `revision` that you know: what is newer is shown at once.
    since: Option<u64>,
}

pub(super) fn get_change(changes: &Arc<Changes>) -> Arc<dyn Tool> {
    let spec = ToolSpec::new::<GetArgs, ChangeView>(
        "get_change",
        "Get a change",
        "Shows where a change is and what to do next. To follow one, pass `wait_s` and the `revision` you know as `since`: \
         it answers as soon as something changes. Repeat while `status` is `in_progress`; at `waiting`, tell the user what \
         `message` says.",
    )
    .per_caller()
    .timeout(Duration::from_secs(40))
    .example(json!({"change_id": "…", "wait_s": 20}));
    single_followed(changes, spec, |changes, cx, args: GetArgs| async move {
        let id = ChangeId::parse(&args.change_id)?;
        let view = match args.wait_s {
            0 => changes.view(&cx.call, &id).await?,
            wait_s => {
                let until = (Instant::now() + Duration::from_secs(wait_s)).min(cx.deadline);
                changes.view_when_changed(&cx.call, &id, args.since, until).await?
            }
        };
        let follow_up = view.follow_up();
        Ok((view, follow_up))
    })
}

#[derive(Deserialize, JsonSchema)]
struct ListArgs {
    /// Only changes in this state, for example `submitted`.
    state: Option<State>,
    /// `me`: only those that you asked for.
    #[serde(default)]
    requester: Requesters,
    /// Only those of this server.
    #[schemars(length(min = 1, max = 40))]
    server: Option<String>,
    /// `next_cursor` of the page before.
    #[schemars(length(min = 1, max = 64))]
    cursor: Option<String>,
    /// Most rows of a page.
    #[serde(default = "twenty")]
    #[schemars(range(min = 1, max = MAX_ROWS))]
    limit: usize,
}

fn twenty() -> usize {
    20
}

pub(super) fn list_changes(changes: &Arc<Changes>) -> Arc<dyn Tool> {
    let spec = ToolSpec::new::<ListArgs, ChangePage>(
        "list_changes",
        "List changes",
        "Lists changes that you may see, the newest first: yours, those that you may approve, and those of servers that you \
         may change. `get_change` shows one.",
    )
    .per_caller()
    .example(json!({"state": "submitted", "limit": 10}));
    single(changes, spec, |changes, cx, args: ListArgs| async move {
        let ListArgs { state, requester, server, cursor, limit } = args;
        let filter = ListFilter { state, requester, server };
        changes.list(&cx.call, &filter, cursor.as_deref(), limit).await
    })
}

#[derive(Deserialize, JsonSchema)]
struct PlanArgs {
    /// Id of the change.
    #[schemars(length(min = 1, max = 64))]
    change_id: String,
    /// `diff`: what will differ; `plan`: the whole public plan too.
    #[serde(default)]
    view: Shown,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Shown {
    #[default]
    Diff,
    Plan,
}

#[derive(Serialize, JsonSchema)]
struct ShownPlan {
    #[serde(flatten)]
    view: PlanView,
    /// The public plan, where it was asked for.
    plan: Option<PublicPlan>,
}

pub(super) fn get_change_plan(changes: &Arc<Changes>) -> Arc<dyn Tool> {
    let spec = ToolSpec::new::<PlanArgs, ShownPlan>(
        "get_change_plan",
        "Show the plan of a change",
        "Shows what a change will do: the lines that will differ on each device, dangers, undo, order and stop rules. Show \
         `diff` to the user as it is before you submit the change.",
    )
    .per_caller()
    .example(json!({"change_id": "…"}));
    single(changes, spec, |changes, cx, args: PlanArgs| async move {
        let id = ChangeId::parse(&args.change_id)?;
        let view = changes.plan_view(&cx.call, &id).await?;
        let plan = match args.view {
            Shown::Diff => None,
            Shown::Plan => Some(changes.public_plan(&cx.call, &id).await?),
        };
        Ok(ShownPlan { view, plan })
    })
}

#[derive(Deserialize, JsonSchema)]
struct OneArgs {
    /// Id of the change.
    #[schemars(length(min = 1, max = 64))]
    change_id: String,
}

#[derive(Serialize, JsonSchema)]
struct Evidence {
    /// Change.
    change_id: String,
    /// The archive: `get_artifact` reads it.
    artifact: ArtifactReference,
}

pub(super) fn get_evidence(changes: &Arc<Changes>) -> Arc<dyn Tool> {
    let spec = ToolSpec::new::<OneArgs, Evidence>(
        "get_evidence",
        "Get the evidence of a change",
        "Names the signed archive of a change that has ended: request, plan, decisions, calls and checks. `get_artifact` reads \
         it; `interlock evidence verify` checks it offline.",
    )
    .per_caller()
    .example(json!({"change_id": "…"}));
    single(changes, spec, |changes, cx, args: OneArgs| async move {
        let id = ChangeId::parse(&args.change_id)?;
        let artifact = changes.evidence(&cx.call, &id).await?;
        Ok(Evidence { change_id: args.change_id, artifact })
    })
}

pub(super) fn read_change_plan(changes: &Arc<Changes>) -> Arc<dyn Tool> {
    let mut spec =
        ToolSpec::new::<OneArgs, PublicPlan>("read_change_plan", "Read a plan", "Reads the public plan of a change.")
            .per_caller();
    spec.listed = false;
    single(changes, spec, |changes, cx, args: OneArgs| async move {
        changes.public_plan(&cx.call, &ChangeId::parse(&args.change_id)?).await
    })
}

#[derive(Serialize, JsonSchema)]
struct Difference {
    /// What will differ, masked.
    diff: String,
}

pub(super) fn read_change_diff(changes: &Arc<Changes>) -> Arc<dyn Tool> {
    let mut spec = ToolSpec::new::<OneArgs, Difference>(
        "read_change_diff",
        "Read the differences of a plan",
        "Reads what a change will do as a text.",
    )
    .per_caller();
    spec.listed = false;
    single(changes, spec, |changes, cx, args: OneArgs| async move {
        let view = changes.plan_view(&cx.call, &ChangeId::parse(&args.change_id)?).await?;
        Ok(Difference { diff: view.diff })
    })
}
