//! `submit_change`: a plan is handed in, and people are asked.

use std::sync::Arc;

use change_control::approving::SubmitRequest;
use change_control::view::shown::ChangeView;
use change_control::{ChangeId, Changes};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use tool_runtime::combinators::single_followed;
use tool_runtime::{Tool, ToolSpec};

use super::steps::after;

#[derive(Deserialize, JsonSchema)]
struct SubmitArgs {
    /// Id of the change; it is `planned`, and you planned it.
    #[schemars(length(min = 1, max = 64))]
    change_id: String,
    /// The ticket that goes with it, by its system's own id.
    #[schemars(length(min = 1, max = 64))]
    ticket: Option<String>,
    /// It does not run before this time (RFC 3339); nothing = as soon as it is approved.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    not_before: Option<Timestamp>,
    /// It is over by then, its undo included (RFC 3339); nothing = within seven days.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    not_after: Option<Timestamp>,
}

pub(super) fn submit_change(changes: &Arc<Changes>) -> Arc<dyn Tool> {
    let spec = ToolSpec::new::<SubmitArgs, ChangeView>(
        "submit_change",
        "Submit a change",
        "Hands the plan of a change in for approval. Give the user the link in `url`: another person approves there, with a \
         second factor. Once approved it runs by itself in its window; follow it with `get_change`.",
    )
    .per_caller()
    .example(json!({"change_id": "…"}));
    single_followed(changes, spec, |changes, cx, args: SubmitArgs| async move {
        let SubmitArgs { change_id, ticket, not_before, not_after } = args;
        let id = ChangeId::parse(&change_id)?;
        let request = SubmitRequest { ticket, not_before, not_after };
        let change = changes.submit(&cx.call, &id, request).await?;
        after(&changes, &cx, &change).await
    })
}
