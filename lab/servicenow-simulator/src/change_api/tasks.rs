//! Tasks of a change.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::routing::get;
use serde_json::Value;

use super::{change, input, shape};
use crate::params::Params;
use crate::records::{Records, Row};
use crate::reply::{Answer, Fail, result};
use crate::rules;
use crate::simulator::{Request, Shared};
use crate::table_api;

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/change/{id}/task", get(list).post(create))
        .route("/change/{id}/task/{task}", get(one).patch(update).delete(remove))
}

async fn list(State(simulator): State<Shared>, request: Request, Path(id): Path<String>, params: Params) -> Answer {
    let own = format!("change_request={id}^");
    let query = own + params.get("sysparm_query").unwrap_or("ORDERBYnumber");
    let params = params.replaced(&[("sysparm_query", query)]);
    simulator.read(|records| {
        change(records, &request.caller, &id)?;
        let found = table_api::find(records, &request.caller, "change_task", &params)?;
        let rows: Vec<Value> = found.page.iter().map(|row| shape::row(records, row)).collect();
        result(rows)
    })
}

/// The task, if it belongs to the change.
fn task<'a>(records: &'a Records, request: &Request, id: &str, task: &str) -> Result<&'a Row, Fail> {
    change(records, &request.caller, id)?;
    let row = records.find("change_task", task).filter(|row| row.get("change_request") == id);
    row.filter(|row| request.caller.sees(row)).ok_or_else(Fail::no_record)
}

async fn one(State(simulator): State<Shared>, request: Request, Path((id, name)): Path<(String, String)>) -> Answer {
    simulator.read(|records| result(shape::row(records, task(records, &request, &id, &name)?)))
}

async fn create(
    State(simulator): State<Shared>,
    request: Request,
    Path(id): Path<String>,
    params: Params,
    body: Bytes,
) -> Answer {
    let input = input(&params, &body)?.and("change_request", &id);
    simulator.write(|records| {
        change(records, &request.caller, &id)?;
        let made = rules::insert(records, &request.caller, "change_task", &input)?;
        result(shape::row(records, task(records, &request, &id, &made)?))
    })
}

async fn update(
    State(simulator): State<Shared>,
    request: Request,
    Path((id, name)): Path<(String, String)>,
    params: Params,
    body: Bytes,
) -> Answer {
    let input = input(&params, &body)?.and("change_request", &id);
    simulator.write(|records| {
        task(records, &request, &id, &name)?;
        rules::update(records, &request.caller, "change_task", &name, &input)?;
        result(shape::row(records, task(records, &request, &id, &name)?))
    })
}

async fn remove(State(simulator): State<Shared>, request: Request, Path((id, name)): Path<(String, String)>) -> Answer {
    simulator.write(|records| {
        let shown = shape::row(records, task(records, &request, &id, &name)?);
        rules::remove(records, &request.caller, "change_task", &name)?;
        result(shown)
    })
}
