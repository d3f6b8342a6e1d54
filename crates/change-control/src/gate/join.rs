//! A call by a door and its change (T14): one that names a change whose plan holds exactly this step starts or joins the
//! change's run and executes nothing; one that names none is told how it would be planned.

use platform::error::NextCall;
use platform::{Error, ErrorKind, Json};
use serde_json::{Map, json};
use tool_runtime::change_gate::GateCall;

use crate::changes::Changes;
use crate::model::approval::PersonRef;
use crate::model::change::{Change, ChangeId, unknown};
use crate::model::plan::PublicPlan;
use crate::model::state::State;

/// The tool that deploys a template by hand; `template_deployment` does the same as a change.
const DEPLOY_TEMPLATE: &str = "deploy_template";
/// What follows a change.
const GET_CHANGE: &str = "get_change";
/// The server that has the tools of changes.
const OWN_SERVER: &str = "interlock";

/// What a call would do to a device, in the words of a plan.
struct Wish<'a> {
    template_id: &'a str,
    device_id: &'a str,
    params: Map<String, Json>,
}

fn wish<'a>(call: &GateCall<'a>) -> Option<Wish<'a>> {
    if call.tool != DEPLOY_TEMPLATE {
        return None;
    }
    let text = |name: &str| call.arguments.get(name).and_then(Json::as_str);
    let params = call.arguments.get("params").and_then(Json::as_object).cloned().unwrap_or_default();
    Some(Wish { template_id: text("template_id")?, device_id: text("device_id")?, params })
}

/// The call of `plan_change` that plans this one.
pub(super) fn proposal(call: &GateCall<'_>) -> Option<NextCall> {
    let Wish { template_id, device_id, params } = wish(call)?;
    let arguments = json!({
        "server": call.server.name, "template_id": template_id, "device_ids": [device_id], "params": params,
    });
    Some(NextCall { tool: "plan_change".to_owned(), arguments, server: Some(OWN_SERVER.to_owned()) })
}

pub(super) async fn join(changes: &Changes, call: &GateCall<'_>) -> Result<Json, Error> {
    let id = ChangeId::parse(call.change.unwrap_or_default())?;
    let change = changes.book().get(&id).await?.change;
    // Somebody else's change is as unknown as one that is not there.
    if !PersonRef::from(call.principal).is_same_person(&change.requester.who) {
        return Err(unknown());
    }
    let plan = changes.book().plan(&id).await?;
    if !plan.is_some_and(|plan| holds(&plan, call)) {
        return Err(told(
            &change,
            ErrorKind::Conflict,
            "change_mismatch",
            "The plan of this change does not hold exactly this call. Plan a change that does, or call what was planned.",
        ));
    }
    match change.state {
        State::Planning | State::Planned | State::Submitted => Err(told(
            &change,
            ErrorKind::Unmet,
            "change_not_approved",
            "This change is not approved yet. Hand it in, and let the people approve it whom the policy asks for.",
        )
        .with_unmet("change", "The change is approved.")),
        ended if ended.is_terminal() => Err(told(
            &change,
            ErrorKind::Conflict,
            "change_over",
            "This change has ended, and it is not done a second time. Plan a new one if it is needed again.",
        )),
        state => {
            // What it does is the row's and the approval's; starting it twice is nothing.
            changes.starter()?.start(&id).await?;
            Ok(json!({"change_id": id, "state": state, "next": follow(&id)}))
        }
    }
}

fn follow(id: &ChangeId) -> NextCall {
    let arguments = json!({ "change_id": id });
    NextCall { tool: GET_CHANGE.to_owned(), arguments, server: Some(OWN_SERVER.to_owned()) }
}

fn told(change: &Change, kind: ErrorKind, code: &'static str, message: &str) -> Error {
    let NextCall { tool, arguments, .. } = follow(&change.id);
    Error::new(kind, code, message).with_change(change.id.as_str()).with_next_on(OWN_SERVER, tool, arguments)
}

/// Whether the plan holds exactly what the call asks for.
fn holds(plan: &PublicPlan, call: &GateCall<'_>) -> bool {
    let Some(wish) = wish(call) else { return false };
    let device = plan.devices.iter().find(|device| device.device_id == wish.device_id);
    plan.instance.name == call.server.name
        && plan.template.template_id == wish.template_id
        && device.is_some_and(|device| device.params == wish.params)
}
