//! `POST /approvals` of the lab's admin door: decide about a change as a person, as if on the ticket system's own page.
//!
//! `{"system": "servicenow", "change": "CHG0030041", "approver": "ada", "state": "approved"}`; `state` may be `rejected`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use servicenow_simulator::Simulator as ServiceNow;

type Instances = Arc<BTreeMap<String, Arc<ServiceNow>>>;

/// The route, over the ticket systems by instance name.
pub(crate) fn routes(instances: BTreeMap<String, Arc<ServiceNow>>) -> Router {
    Router::new().route("/approvals", post(decide)).with_state(Arc::new(instances))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Decision {
    system: String,
    /// Number or id.
    change: String,
    /// Sign-in name.
    approver: String,
    state: Word,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum Word {
    Approved,
    Rejected,
}

async fn decide(State(instances): State<Instances>, Json(decision): Json<Decision>) -> (StatusCode, Json<Value>) {
    let refuse = |message: String| {
        let body = json!({ "code": "invalid_approval", "message": message });
        (StatusCode::UNPROCESSABLE_ENTITY, Json(body))
    };
    let Some(instance) = instances.get(&decision.system) else {
        return refuse(format!("no ticket system is called {}", decision.system));
    };
    let state = match decision.state {
        Word::Approved => "approved",
        Word::Rejected => "rejected",
    };
    match instance.decide(&decision.change, &decision.approver, state) {
        Ok(()) => (StatusCode::OK, Json(json!({ "change": decision.change, "state": state }))),
        Err(message) => refuse(message),
    }
}
