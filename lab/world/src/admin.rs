//! The lab's admin door, for scripts and checks: faults, accounts, the record of device commands, the clock, shutdown.
//! Loopback only, with a bearer token.
//!
//! Where next: [`crate::faults`], [`crate::accounts`], [`crate::commands`], [`crate::network_door`].

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Query, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use platform::clock::SharedFileClock;
use platform::{Clock, Secret};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::accounts::Accounts;
use crate::commands::CommandLog;
use crate::faults::{Fault, Faults, Match};
use crate::knobs::Knobs;
use crate::state::World;

/// What the admin door needs.
#[derive(Clone)]
pub struct Admin {
    /// The bearer token.
    pub token: Secret,
    /// Systems that faults may name, with their accounts.
    pub systems: Arc<BTreeMap<String, Arc<Accounts>>>,
    /// The networks behind systems, by system.
    pub networks: Arc<BTreeMap<String, Arc<World>>>,
    /// The knobs of systems.
    pub knobs: Arc<BTreeMap<String, Arc<Knobs>>>,
    /// The lab's faults.
    pub faults: Arc<Faults>,
    /// The record of device commands.
    pub commands: Arc<CommandLog>,
    /// The lab's clock.
    pub clock: Arc<SharedFileClock>,
    /// Told when somebody asks the process to stop.
    pub stop: Arc<Notify>,
}

/// `POST /faults`, `GET /faults`, `POST /accounts`, `GET /accounts`, `GET /device-commands?after=N`, `POST /clock`, `GET /clock`, `POST /shutdown`,
/// those of [`crate::network_door`], and routes of single systems, behind the same token.
pub fn router(admin: Admin, of_systems: Router) -> Router {
    Router::new()
        .route("/faults", post(inject).get(list))
        .route("/accounts", post(set_account).get(accounts))
        .route("/device-commands", get(commands))
        .route("/clock", post(advance).get(time))
        .route("/shutdown", post(shutdown))
        .merge(crate::network_door::routes())
        .with_state(admin.clone())
        .merge(of_systems)
        .layer(axum::middleware::from_fn_with_state(admin, authenticate))
}

async fn authenticate(State(admin): State<Admin>, request: Request<Body>, next: Next) -> Response {
    let sent = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let expected = admin.token.expose();
    match sent.and_then(|value| value.strip_prefix("Bearer ")) {
        Some(token) if same(token, expected) => next.run(request).await,
        _ => refusal(StatusCode::UNAUTHORIZED, "unauthenticated", "send the lab's admin token as a bearer token"),
    }
}

/// Compares without stopping at the first difference.
fn same(one: &str, other: &str) -> bool {
    one.len() == other.len() && one.bytes().zip(other.bytes()).fold(0, |seen, (a, b)| seen | (a ^ b)) == 0
}

pub(crate) fn refusal(status: StatusCode, code: &str, message: &str) -> Response {
    (status, Json(json!({ "code": code, "message": message }))).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Injection {
    system: String,
    #[serde(default, rename = "match")]
    matching: Option<Value>,
    #[serde(default)]
    fault: Option<Value>,
    #[serde(default = "once")]
    times: u32,
}

fn once() -> u32 {
    1
}

async fn inject(State(admin): State<Admin>, Json(body): Json<Injection>) -> Response {
    let refuse = |message: &str| refusal(StatusCode::UNPROCESSABLE_ENTITY, "invalid_fault", message);
    if !admin.systems.contains_key(&body.system) {
        return refuse(&unknown_system(&admin));
    }
    let matching = match body.matching {
        None | Some(Value::Null) => Match::default(),
        Some(Value::String(request)) => Match { request: Some(request), ..Match::default() },
        Some(other) => match serde_json::from_value(other) {
            Ok(matching) => matching,
            Err(error) => return refuse(&error.to_string()),
        },
    };
    let fault = match body.fault.as_ref().map(Fault::from_json).transpose() {
        Ok(fault) => fault,
        Err(message) => return refuse(&message),
    };
    if fault.is_none() && body.times > 0 {
        return refuse("`fault` is missing");
    }
    let id = admin.faults.inject(&body.system, matching, fault, body.times);
    Json(json!({ "id": id, "faults": admin.faults.list() })).into_response()
}

async fn list(State(admin): State<Admin>) -> Json<Value> {
    Json(json!({ "faults": admin.faults.list() }))
}

fn unknown_system(admin: &Admin) -> String {
    let known: Vec<&str> = admin.systems.keys().map(String::as_str).collect();
    format!("unknown system; known are {}", known.join(", "))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Account {
    system: String,
    username: String,
    /// Absent: the account goes.
    password: Option<Secret>,
}

async fn set_account(State(admin): State<Admin>, Json(body): Json<Account>) -> Response {
    let Some(accounts) = admin.systems.get(&body.system) else {
        return refusal(StatusCode::UNPROCESSABLE_ENTITY, "invalid_account", &unknown_system(&admin));
    };
    match accounts.set(&body.username, body.password) {
        Ok(()) => Json(json!({ "accounts": accounts.names() })).into_response(),
        Err(error) => refusal(StatusCode::INTERNAL_SERVER_ERROR, "accounts", &error.to_string()),
    }
}

async fn accounts(State(admin): State<Admin>) -> Json<Value> {
    let names: BTreeMap<&String, Vec<String>> = admin.systems.iter().map(|(name, a)| (name, a.names())).collect();
    Json(json!({ "accounts": names }))
}

#[derive(Deserialize)]
struct After {
    #[serde(default)]
    after: u64,
}

async fn commands(State(admin): State<Admin>, Query(query): Query<After>) -> Json<Value> {
    Json(json!({ "commands": admin.commands.rows(query.after) }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    advance_s: i64,
}

async fn advance(State(admin): State<Admin>, Json(body): Json<Advance>) -> Response {
    if body.advance_s < 0 {
        return refusal(StatusCode::UNPROCESSABLE_ENTITY, "invalid_clock", "time never runs back");
    }
    match admin.clock.advance(body.advance_s) {
        Ok(offset_s) => Json(json!({ "offset_s": offset_s, "now": admin.clock.now().to_string() })).into_response(),
        Err(error) => refusal(StatusCode::INTERNAL_SERVER_ERROR, "clock", &error.to_string()),
    }
}

async fn time(State(admin): State<Admin>) -> Json<Value> {
    Json(json!({ "offset_s": admin.clock.offset_s(), "now": admin.clock.now().to_string() }))
}

async fn shutdown(State(admin): State<Admin>) -> Json<Value> {
    admin.stop.notify_one();
    Json(json!({ "stopping": true }))
}
