//! The Import Set API over the instance's one staging table, `u_network_device_import`: a row becomes or updates a
//! configuration item, found by its serial number.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::post;
use serde_json::{Map, Value, json};

use crate::caller::Caller;
use crate::records::Records;
use crate::render::link;
use crate::reply::{Answer, Fail};
use crate::rules::{self, Input};
use crate::schema::SCHEMA;
use crate::simulator::{Request, Shared};
use crate::table_api::object;

const STAGING: &str = "u_network_device_import";

/// Routes below `/api/now` and its versions.
pub(crate) fn routes() -> Router<Shared> {
    Router::new().route("/import/{staging}", post(one)).route("/import/{staging}/insertMultiple", post(several))
}

fn staging(name: &str) -> Result<(), Fail> {
    if name == STAGING { Ok(()) } else { Err(Fail::bad(format!("Invalid staging table {name}"), None)) }
}

fn new_set(records: &mut Records, caller: &Caller) -> Result<(String, String), Fail> {
    let id = rules::insert(
        records,
        caller,
        "sys_import_set",
        &Input::of([("table_name", STAGING), ("state", "processed")]),
    )?;
    let number = records.find("sys_import_set", &id).map(|row| row.get("number").to_owned()).unwrap_or_default();
    Ok((id, number))
}

/// Stages a row and transforms it; what became of it.
fn transform(records: &mut Records, request: &Request, set: &str, body: &Map<String, Value>) -> Result<Value, Fail> {
    let caller = &request.caller;
    let staged = Input::read(body, false).and("sys_import_set", set).and("sys_import_state", "processed");
    rules::insert(records, caller, STAGING, &staged)?;
    let text = |name: &str| staged.get(name).unwrap_or_default().to_owned();
    let (serial, class) = (text("u_serial_number"), text("u_class"));
    let class = SCHEMA.table(if class.is_empty() { "cmdb_ci_netgear" } else { &class });
    let class = class.map(|table| table.name).filter(|name| SCHEMA.extends(name, "cmdb_ci"));
    let outcome = |status: &str, table: &str, id: &str, name: &str| {
        json!({
            "transform_map": "Network devices",
            "table": table,
            "display_name": "name",
            "display_value": name,
            "record_link": link(&request.base, table, id),
            "status": status,
            "sys_id": id,
        })
    };
    let (Some(class), false) = (class, serial.is_empty()) else {
        let why = if serial.is_empty() { "u_serial_number is empty" } else { "u_class is no class of items" };
        return Ok(
            json!({ "transform_map": "Network devices", "table": "cmdb_ci", "status": "error", "error_message": why }),
        );
    };
    let known = records.all("cmdb_ci", "serial_number", &serial).map(|row| (row.id().to_owned(), row.table));
    let known: Vec<(String, &'static str)> = known.collect();
    let values =
        Input::of([("name", &text("u_name")), ("ip_address", &text("u_ip_address")), ("serial_number", &serial)]);
    match known.as_slice() {
        [] => {
            let id = rules::insert(records, caller, class, &values)?;
            Ok(outcome("inserted", class, &id, &text("u_name")))
        }
        [(id, table)] => {
            let count = |records: &Records| records.find(table, id).and_then(|row| row.number("sys_mod_count"));
            let before = count(records);
            rules::update(records, caller, table, id, &values)?;
            let status = if count(records) == before { "ignored" } else { "updated" };
            Ok(outcome(status, table, id, &text("u_name")))
        }
        _ => Ok(json!({
            "transform_map": "Network devices", "table": "cmdb_ci", "status": "error",
            "error_message": "several items carry this serial number",
        })),
    }
}

async fn one(State(simulator): State<Shared>, request: Request, Path(name): Path<String>, body: Bytes) -> Answer {
    staging(&name)?;
    let body = object(&body)?;
    simulator.write(|records| {
        let (set, number) = new_set(records, &request.caller)?;
        let outcome = transform(records, &request, &set, &body)?;
        let answer = json!({ "import_set": number, "staging_table": STAGING, "result": [outcome] });
        Ok((StatusCode::CREATED, axum::Json(answer)).into_response())
    })
}

/// `{"records": [{…}]}`.
async fn several(State(simulator): State<Shared>, request: Request, Path(name): Path<String>, body: Bytes) -> Answer {
    staging(&name)?;
    let body = object(&body)?;
    let rows = body.get("records").and_then(Value::as_array).ok_or_else(|| Fail::bad("records is missing", None))?;
    simulator.write(|records| {
        let (set, _) = new_set(records, &request.caller)?;
        for row in rows.iter().filter_map(Value::as_object) {
            transform(records, &request, &set, row)?;
        }
        let answer = json!({ "import_set_id": set, "multi_import_set_id": set });
        Ok((StatusCode::CREATED, axum::Json(answer)).into_response())
    })
}
