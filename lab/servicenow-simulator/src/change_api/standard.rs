//! Standard changes: templates that were approved once, and changes made from them. Models stand here too.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::routing::{get, patch};
use serde_json::Value;

use super::{change, input, list_of, made, one, remove, shape};
use crate::params::Params;
use crate::reply::{Answer, Fail, result};
use crate::rules::{self, Input};
use crate::simulator::{Request, Shared};
use crate::table_api;

pub(super) fn routes() -> Router<Shared> {
    let list = get(|state, request, params| list_of(state, request, params, "standard"));
    Router::new()
        .route("/change/standard", list)
        .route("/change/standard/{id}", get(one).post(create).patch(super::update).delete(remove))
        .route("/change/standard/{id}/risk", patch(risk))
        .route("/change/{id}/risk", patch(risk))
        .route("/change/standard/template", get(templates))
        .route("/change/standard/template/{id}", get(template))
        .route("/change/model", get(models))
        .route("/change/model/{id}", get(model))
}

async fn templates(state: State<Shared>, request: Request, params: Params) -> Answer {
    rows(&state, &request, &params, "std_change_record_producer")
}

async fn models(state: State<Shared>, request: Request, params: Params) -> Answer {
    rows(&state, &request, &params, "chg_model")
}

fn rows(simulator: &Shared, request: &Request, params: &Params, table: &str) -> Answer {
    simulator.read(|records| {
        let found = table_api::find(records, &request.caller, table, params)?;
        let rows: Vec<Value> = found.page.iter().map(|row| shape::row(records, row)).collect();
        result(rows)
    })
}

async fn template(state: State<Shared>, Path(id): Path<String>) -> Answer {
    row(&state, "std_change_record_producer", &id)
}

async fn model(state: State<Shared>, Path(id): Path<String>) -> Answer {
    row(&state, "chg_model", &id)
}

fn row(simulator: &Shared, table: &str, id: &str) -> Answer {
    simulator.read(|records| result(shape::row(records, records.find(table, id).ok_or_else(Fail::no_record)?)))
}

/// Creates a change from a template: the template's values first, the sender's over them.
async fn create(
    State(simulator): State<Shared>,
    request: Request,
    Path(id): Path<String>,
    params: Params,
    body: Bytes,
) -> Answer {
    let sent = input(&params, &body)?.and("type", "standard");
    let (filled, version) = simulator.read(|records| {
        let producer = records.find("std_change_record_producer", &id).filter(|row| row.is_true("active"));
        let producer = producer.ok_or_else(Fail::no_record)?;
        let mut filled = sent.or("short_description", producer.get("short_description"));
        filled = filled.or("assignment_group", producer.get("assignment_group"));
        for part in producer.get("template_value").split('^') {
            if let Some((field, value)) = part.split_once('=') {
                filled = filled.or(field, value);
            }
        }
        Ok::<_, Fail>((filled, producer.get("current_version").to_owned()))
    })?;
    made(&simulator, &request, &filled.and("std_change_producer_version", &version))
}

/// Calculates the risk: high where an item is one of a cluster's nodes, low else.
async fn risk(State(simulator): State<Shared>, request: Request, Path(id): Path<String>) -> Answer {
    simulator.write(|records| {
        let row = change(records, &request.caller, &id)?;
        let item = row.get("cmdb_ci").to_owned();
        let stands_in = records
            .all("cmdb_rel_ci", "child", &item)
            .any(|relation| !item.is_empty() && records.find("cmdb_ci_cluster", relation.get("parent")).is_some());
        let risk = if stands_in { "2" } else { "4" };
        rules::update(records, &request.caller, "change_request", &id, &Input::of([("risk", risk)]))?;
        result(shape::row(records, change(records, &request.caller, &id)?))
    })
}
