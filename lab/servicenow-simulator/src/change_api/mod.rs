//! The Change Management API: `/api/sn_chg_rest[/v1]/change`. A create answers 200, every field is
//! `{display_value, value}`, numbers and booleans are real, dates have a third form.
//!
//! Where next: [`shape`] for that form, [`states`] for `nextstates` and approvals, [`items`] for affected items and workers,
//! [`conflicts`] for what stands against a change, [`schedule`] for free times.

mod conflicts;
mod items;
mod schedule;
mod shape;
mod standard;
mod states;
mod tasks;
mod workers;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::IntoResponse;
use axum::routing::get;
use serde_json::{Map, Value, json};

pub(crate) use self::workers::Workers;
use crate::caller::Caller;
use crate::params::Params;
use crate::records::{Records, Row};
use crate::reply::{Answer, Fail, result};
use crate::rules::{self, Input};
use crate::simulator::{Request, Shared};
use crate::table_api::{self, object};

/// Most rows of a page when nothing is said.
const LIMIT: &str = "500";

/// Routes below `/api/sn_chg_rest` and its version.
pub(crate) fn routes() -> Router<Shared> {
    let mut routes = Router::new()
        .route("/change", get(list).post(create))
        .route("/change/{id}", get(one).patch(update).delete(remove));
    for kind in ["normal", "emergency"] {
        let list = get(move |state, request, params| list_of(state, request, params, kind));
        let create = move |state, request, params, body| create_of(state, request, params, body, kind);
        routes = routes
            .route(&format!("/change/{kind}"), list.post(create))
            .route(&format!("/change/{kind}/{{id}}"), get(one).patch(update).delete(remove));
    }
    routes
        .merge(standard::routes())
        .merge(states::routes())
        .merge(tasks::routes())
        .merge(items::routes())
        .merge(conflicts::routes())
        .merge(schedule::routes())
}

/// The change that a path names, if the caller sees it.
fn change<'a>(records: &'a Records, caller: &Caller, id: &str) -> Result<&'a Row, Fail> {
    records.find("change_request", id).filter(|row| caller.sees(row)).ok_or_else(Fail::no_record)
}

/// A body and the plain pairs of the query as one input; both may be empty.
fn input(params: &Params, body: &Bytes) -> Result<Input, Fail> {
    let mut fields = if body.is_empty() { Map::new() } else { object(body)? };
    for (name, value) in params.plain() {
        fields.entry(name.to_owned()).or_insert_with(|| Value::from(value));
    }
    Ok(Input::read(&fields, false))
}

async fn list(state: State<Shared>, request: Request, params: Params) -> Answer {
    list_where(state, request, params, None).await
}

async fn list_of(state: State<Shared>, request: Request, params: Params, kind: &str) -> Answer {
    list_where(state, request, params, Some(kind)).await
}

async fn list_where(State(simulator): State<Shared>, request: Request, params: Params, kind: Option<&str>) -> Answer {
    let mut parts: Vec<String> = kind.map(|kind| format!("type={kind}")).into_iter().collect();
    parts.extend(params.get("textSearch").map(|words| format!("123TEXTQUERY321={words}")));
    parts.extend(params.get("sysparm_query").map(str::to_owned));
    parts.push(format!("ORDERBY{}", params.get("order").unwrap_or("number")));
    let limit = params.get("sysparm_limit").unwrap_or(LIMIT).to_owned();
    let params = params
        .without(&["textSearch", "order"])
        .replaced(&[("sysparm_query", parts.join("^")), ("sysparm_limit", limit)]);
    simulator.read(|records| {
        let found = table_api::find(records, &request.caller, "change_request", &params)?;
        let rows: Vec<Value> = found.page.iter().map(|row| shape::row(records, row)).collect();
        let mut headers = HeaderMap::new();
        headers.insert("x-total-count", HeaderValue::from(found.total));
        Ok((headers, axum::Json(json!({ "result": rows }))).into_response())
    })
}

async fn one(State(simulator): State<Shared>, request: Request, Path(id): Path<String>) -> Answer {
    simulator.read(|records| result(shape::row(records, change(records, &request.caller, &id)?)))
}

async fn create(State(simulator): State<Shared>, request: Request, params: Params, body: Bytes) -> Answer {
    let input = input(&params, &body)?;
    // A model stands for its type.
    let model = simulator.read(|records| {
        let model = input.get("chg_model").and_then(|id| records.find("chg_model", id));
        model.map(|model| model.get("type").to_owned())
    });
    let input = input.or("type", model.as_deref().unwrap_or("normal"));
    made(&simulator, &request, &input)
}

async fn create_of(
    State(simulator): State<Shared>,
    request: Request,
    params: Params,
    body: Bytes,
    kind: &'static str,
) -> Answer {
    made(&simulator, &request, &input(&params, &body)?.and("type", kind))
}

/// Creates a change and shows it.
fn made(simulator: &Shared, request: &Request, input: &Input) -> Answer {
    simulator.write(|records| {
        let id = rules::insert(records, &request.caller, "change_request", input)?;
        result(shape::row(records, change(records, &request.caller, &id)?))
    })
}

async fn update(
    State(simulator): State<Shared>,
    request: Request,
    Path(id): Path<String>,
    params: Params,
    body: Bytes,
) -> Answer {
    let input = input(&params, &body)?;
    simulator.write(|records| {
        rules::update(records, &request.caller, "change_request", &id, &input)?;
        result(shape::row(records, change(records, &request.caller, &id)?))
    })
}

/// Answers the row as it was.
async fn remove(State(simulator): State<Shared>, request: Request, Path(id): Path<String>) -> Answer {
    simulator.write(|records| {
        let shown = shape::row(records, change(records, &request.caller, &id)?);
        rules::remove(records, &request.caller, "change_request", &id)?;
        result(shown)
    })
}
