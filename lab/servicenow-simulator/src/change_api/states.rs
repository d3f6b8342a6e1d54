//! Where a change may go next, and approvals by the caller.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::routing::{get, patch};
use serde_json::{Map, Value, json};

use super::{change, input};
use crate::params::Params;
use crate::records::Row;
use crate::reply::{Answer, Fail, result};
use crate::rules::approval;
use crate::rules::change::{Transition, transitions};
use crate::schema::SCHEMA;
use crate::simulator::{Request, Shared};

pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/change/{id}/nextstates", get(next)).route("/change/{id}/approvals", patch(approve))
}

fn label(state: &str) -> &'static str {
    let labels = SCHEMA.choices("change_request", "state");
    labels.iter().find(|(value, _)| *value == state).map_or("", |(_, label)| label)
}

async fn next(State(simulator): State<Shared>, request: Request, Path(id): Path<String>) -> Answer {
    simulator.read(|records| {
        let row = change(records, &request.caller, &id)?;
        let state = row.get("state");
        let ways = transitions(row.get("type"), state);
        let mut available = vec![state];
        let mut labels = Map::from_iter([(state.to_owned(), Value::from(label(state)))]);
        let mut groups: Vec<Value> = Vec::new();
        for way in ways {
            let conditions = conditions(row, way);
            let is_open = conditions.iter().all(|(passed, _)| *passed);
            if is_open && !way.is_automatic {
                available.push(way.to);
                labels.insert(way.to.to_owned(), Value::from(label(way.to)));
            }
            let shown: Vec<Value> = conditions.iter().map(|(passed, name)| condition(*passed, name)).collect();
            groups.push(json!([{
                "sys_id": fixed_id(&format!("{}{state}{}", row.get("type"), way.to)),
                "display_value": format!("{} to {}", label(state), label(way.to)),
                "from_state": state,
                "to_state": way.to,
                "transition_available": is_open,
                "automatic_transition": way.is_automatic,
                "conditions": shown,
            }]));
        }
        result(json!({ "available_states": available, "state_transitions": groups, "state_label": labels }))
    })
}

fn condition(passed: bool, name: &str) -> Value {
    json!({ "passed": passed, "condition": { "name": name, "description": null, "sys_id": fixed_id(name) } })
}

/// What a way wants, and whether it is so.
fn conditions(row: &Row, way: Transition) -> Vec<(bool, &'static str)> {
    let mut wanted = Vec::new();
    if way.to != "4" {
        wanted.push((!row.is_true("on_hold"), "Not On hold"));
    }
    match (row.get("state"), way.to) {
        ("-3", "-2") => wanted.push((row.get("approval") == "approved", "Change request approved")),
        ("-3", "-5") => wanted.push((row.get("approval") == "rejected", "Change request rejected")),
        ("-5", "-4" | "-3" | "-2") => wanted.push((!row.get("assignment_group").is_empty(), "Assignment group is set")),
        _ => {}
    }
    wanted
}

fn fixed_id(name: &str) -> String {
    uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, name.as_bytes()).simple().to_string()
}

/// `{"state": "approved"}` as the caller, who must have been asked.
async fn approve(
    State(simulator): State<Shared>,
    request: Request,
    Path(id): Path<String>,
    params: Params,
    body: Bytes,
) -> Answer {
    let input = input(&params, &body)?;
    let state = input.get("state").filter(|state| matches!(*state, "approved" | "rejected"));
    let state = state.ok_or_else(|| Fail::bad("Invalid approval state", Some("state must be approved or rejected")))?;
    simulator.write(|records| {
        change(records, &request.caller, &id)?;
        let done = approval::decide_as(records, &id, &request.caller.user_name, state);
        done.map_err(|_| Fail::bad("No approval found", Some("The current user has no requested approval of this change")))?;
        result(json!({ "state": { "display_value": state, "value": state }, "sys_id": { "display_value": id, "value": id } }))
    })
}
