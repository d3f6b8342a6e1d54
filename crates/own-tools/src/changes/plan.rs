//! `plan_change`: from a wish to a change with a plan. It writes the change down, starts the reading of its devices, and answers
//! at once (T22); `get_change` follows it. Nothing is written to a device before people have approved the plan.

use std::collections::BTreeMap;
use std::sync::Arc;

use change_control::Changes;
use change_control::planning::{PlanOptions, PlanRequest};
use change_control::view::shown::ChangeView;
use platform::{Error, Json};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, json};
use tool_runtime::combinators::single_followed;
use tool_runtime::{SecretArgument, SideEffect, Tool, ToolCx, ToolSpec};

/// One line that says something.
const LINE: &str = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$";
/// Lines that say something.
const TEXT: &str = r"^[^\x00-\x09\x0b-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x09\x0b-\x1f\x7f-\x9f]*$";

#[derive(Deserialize, JsonSchema)]
struct Args {
    /// Server whose devices are changed, for example `catalyst-center`.
    #[schemars(length(min = 1, max = 40))]
    server: String,
    /// The server's id of the template, from its `get_all_templates`.
    #[schemars(length(min = 1, max = 64))]
    template_id: String,
    /// A committed version of it; the newest when left out.
    #[schemars(length(min = 1, max = 64))]
    version_id: Option<String>,
    /// The server's ids of one to three devices.
    #[schemars(length(min = 1, max = 3), inner(length(min = 1, max = 64)), extend("uniqueItems" = true))]
    device_ids: Vec<String>,
    /// The template's parameters, the same for all devices.
    #[serde(default)]
    params: Map<String, Json>,
    /// Parameters that nobody may see, for example keys; they are in no plan, log or reply.
    #[serde(default)]
    #[schemars(extend("maxProperties" = 64, "additionalProperties" = hideable()))]
    secret_params: BTreeMap<String, SecretArgument>,
    /// Parameters of single devices, by device id, beside or in place of those for all.
    #[serde(default)]
    #[schemars(extend("maxProperties" = 50))]
    device_params: BTreeMap<String, OneDevice>,
    /// One line for people: what and where.
    #[schemars(length(min = 1, max = 120), regex(pattern = LINE))]
    title: String,
    /// Why, for the approver.
    #[schemars(length(min = 1, max = 2000), regex(pattern = TEXT))]
    reason: String,
    /// How it is run; leave out for one device at a time, five minutes of checks, and undo when a device fails.
    #[serde(default)]
    options: PlanOptions,
}

#[derive(Deserialize, JsonSchema)]
struct OneDevice {
    /// Parameters.
    #[serde(default)]
    params: Map<String, Json>,
    /// Parameters that nobody may see.
    #[serde(default)]
    #[schemars(extend("maxProperties" = 64, "additionalProperties" = hideable()))]
    secret_params: BTreeMap<String, SecretArgument>,
}

/// A secret that can be hidden in a configuration: a shorter one would be masked wherever its letters stand.
fn hideable() -> Json {
    json!({"type": "string", "minLength": 4, (tool_runtime::secret_arguments::MARK): true})
}

pub(super) fn plan_change(changes: &Arc<Changes>) -> Arc<dyn Tool> {
    let spec = ToolSpec::new::<Args, ChangeView>(
        "plan_change",
        "Plan a change",
        "Plans the deployment of a template on one to three devices: reads them, predicts what will differ, and prepares the \
         undo. Nothing is changed. Answers at once; follow it with `get_change` until it is `planned`, show \
         `get_change_plan` to the user, then call `submit_change`. A person approves it on a page; you cannot.",
    )
    .effect(SideEffect::Once)
    .per_caller()
    .example(json!({"server": "catalyst-center", "template_id": "…", "device_ids": ["…"],
        "params": {"vlan_id": 120, "vlan_name": "GUESTS"}, "title": "Guest VLAN on one switch",
        "reason": "Guests on the second floor"}));
    single_followed(changes, spec, |changes, cx, args: Args| async move {
        let change = changes.plan(&cx.call, request(&cx, args)?).await?;
        let view = changes.view(&cx.call, &change.id).await?;
        let follow_up = view.follow_up();
        Ok((view, follow_up))
    })
}

/// The wish, with its secrets in the inputs: those are sealed before anything else is done with them.
fn request(cx: &ToolCx, args: Args) -> Result<PlanRequest, Error> {
    let devices: Result<Map<String, Json>, Error> = args
        .device_params
        .into_iter()
        .map(|(id, of)| Ok((id, json!({"params": of.params, "secret_params": revealed(cx, &of.secret_params)?}))))
        .collect();
    let mut inputs = json!({
        "template_id": args.template_id,
        "params": args.params,
        "secret_params": revealed(cx, &args.secret_params)?,
        "devices": devices?,
    });
    if let Some(version_id) = args.version_id {
        inputs["version_id"] = version_id.into();
    }
    Ok(PlanRequest {
        server: args.server,
        change_type: None,
        inputs,
        device_ids: args.device_ids,
        title: args.title,
        reason: args.reason,
        options: args.options,
        undoes: None,
    })
}

fn revealed(cx: &ToolCx, secrets: &BTreeMap<String, SecretArgument>) -> Result<Map<String, Json>, Error> {
    secrets.iter().map(|(name, value)| Ok((name.clone(), value.reveal(cx)?.expose().into()))).collect()
}
