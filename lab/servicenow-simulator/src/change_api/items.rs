//! Items of a change, and the workers that add them.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::routing::{get, post};
use serde_json::{Value, json};

use super::{change, shape};
use crate::caller::Caller;
use crate::params::Params;
use crate::records::Records;
use crate::reply::{Answer, Fail, result};
use crate::rules::{self, Input};
use crate::simulator::{Request, Shared};
use crate::table_api::{self, object};

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/change/{id}/ci", get(list).post(add))
        .route("/change/{id}/refresh_impacted_services", post(refresh))
        .route("/change/standard/{id}/refresh_impacted_services", post(refresh))
        .route("/change/worker/{id}", get(worker))
}

/// The table of an association.
fn table(association: Option<&str>) -> Result<&'static str, Fail> {
    match association {
        Some("affected") => Ok("task_ci"),
        Some("impacted" | "offering") => Ok("task_cmdb_ci_service"),
        _ => Err(Fail::bad("Invalid association_type", Some("Use affected, impacted or offering"))),
    }
}

async fn list(State(simulator): State<Shared>, request: Request, Path(id): Path<String>, params: Params) -> Answer {
    let table = table(params.get("association_type"))?;
    let query = format!("task={id}^{}", params.get("sysparm_query").unwrap_or_default());
    let params = params.without(&["association_type"]).replaced(&[("sysparm_query", query)]);
    simulator.read(|records| {
        change(records, &request.caller, &id)?;
        let found = table_api::find(records, &request.caller, table, &params)?;
        let rows: Vec<Value> = found.page.iter().map(|row| shape::row(records, row)).collect();
        result(rows)
    })
}

/// `{"cmdb_ci_sys_ids": […], "association_type": "affected"}`; answers a worker.
async fn add(State(simulator): State<Shared>, request: Request, Path(id): Path<String>, body: Bytes) -> Answer {
    let body = object(&body)?;
    let association = body.get("association_type").and_then(Value::as_str).unwrap_or_default().to_owned();
    let table = table(Some(&association))?;
    let ids: Vec<String> = match body.get("cmdb_ci_sys_ids") {
        Some(Value::Array(list)) => list.iter().filter_map(|id| id.as_str().map(str::to_owned)).collect(),
        Some(Value::String(text)) => text.split(',').map(|id| id.trim().to_owned()).collect(),
        _ => return Err(Fail::bad("Invalid cmdb_ci_sys_ids", Some("A list of sys_ids is required"))),
    };
    let errors = simulator.write(|records| {
        let row = change(records, &request.caller, &id)?;
        if matches!(row.get("state"), "3" | "4") || !request.caller.may_update(row) {
            return Err(Fail::acl());
        }
        let mut errors = Vec::new();
        for item in &ids {
            if records.find("cmdb_ci", item).is_none() {
                errors.push(format!("Configuration item {item} does not exist"));
            } else if table == "task_ci" {
                rules::change::affect(records, &request.caller, &id, item)?;
            } else {
                impact(records, &request.caller, &id, item)?;
            }
        }
        Ok(errors)
    })?;
    let request_data = json!({ "cmdb_ci_sys_ids": ids, "association_type": association });
    let worker = simulator.workers.start("ADD_CI", errors, Value::Null);
    let mut shown = simulator.workers.look(&request.base, &worker).unwrap_or_default();
    shown["request"] = request_data;
    result(shown)
}

fn impact(records: &mut Records, caller: &Caller, change: &str, item: &str) -> Result<(), Fail> {
    if records.all("task_cmdb_ci_service", "task", change).any(|row| row.get("cmdb_ci_service") == item) {
        return Ok(());
    }
    let input = Input::of([("task", change), ("cmdb_ci_service", item), ("manually_added", "true")]);
    rules::insert(records, &caller.with_all_rights(), "task_cmdb_ci_service", &input).map(drop)
}

/// What hangs on the change's item is impacted.
async fn refresh(State(simulator): State<Shared>, request: Request, Path(id): Path<String>) -> Answer {
    simulator.write(|records| {
        let item = change(records, &request.caller, &id)?.get("cmdb_ci").to_owned();
        let above = records.all("cmdb_rel_ci", "child", &item).map(|relation| relation.get("parent").to_owned());
        for item in above.collect::<Vec<_>>() {
            impact(records, &request.caller, &id, &item)?;
        }
        Ok::<(), Fail>(())
    })?;
    let worker = simulator.workers.start("REFRESH_IMPACTED_SERVICES", Vec::new(), Value::Null);
    result(simulator.workers.look(&request.base, &worker).unwrap_or_default())
}

async fn worker(State(simulator): State<Shared>, request: Request, Path(id): Path<String>) -> Answer {
    result(simulator.workers.look(&request.base, &id).ok_or_else(Fail::no_record)?)
}
