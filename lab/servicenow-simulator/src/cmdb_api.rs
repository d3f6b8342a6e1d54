//! The CMDB instance API: items of a class with their attributes and relations, and adding both.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use serde_json::{Map, Value, json};

use crate::caller::Caller;
use crate::params::Params;
use crate::records::{Records, Row};
use crate::render::{View, link};
use crate::reply::{Answer, Fail, result};
use crate::rules::{self, Input};
use crate::schema::SCHEMA;
use crate::simulator::{Request, Shared};
use crate::table_api::{self, object};

/// Routes below `/api/now` and its versions.
pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/cmdb/instance/{class}", get(list).post(create))
        .route("/cmdb/instance/{class}/{id}", get(one).patch(update).put(update))
        .route("/cmdb/instance/{class}/{id}/relation", post(relate))
        .route("/cmdb/instance/{class}/{id}/relation/{relation}", delete(unrelate))
        .route("/cmdb/meta/{class}", get(meta))
}

/// A class of items, or the vendor's refusal.
fn class(name: &str) -> Result<&'static str, Fail> {
    let table = table_api::known(name)?;
    if SCHEMA.extends(table.name, "cmdb") {
        Ok(table.name)
    } else {
        Err(Fail::bad(format!("Invalid class {name}"), None))
    }
}

async fn list(State(simulator): State<Shared>, request: Request, Path(name): Path<String>, params: Params) -> Answer {
    let table = class(&name)?;
    let limit = params.get("sysparm_limit").unwrap_or("1000").to_owned();
    let params = params.replaced(&[("sysparm_limit", limit)]);
    let reading = move |records: &Records| {
        let found = table_api::find(records, &request.caller, table, &params)?;
        let rows: Vec<Value> =
            found.page.iter().map(|row| json!({ "sys_id": row.id(), "name": row.get("name") })).collect();
        result(rows)
    };
    simulator.read_aside(reading).await
}

fn shown(records: &Records, request: &Request, row: &Row) -> Value {
    let view = View::of(&Params::read("sysparm_display_value=all"), &request.base);
    let Value::Object(pairs) = view.row(records, row.table, row) else { return Value::Null };
    // Attributes are values; a reference is shown with its name and link.
    let attributes: Map<String, Value> = pairs
        .into_iter()
        .map(|(name, both)| {
            let plain = both.get("link").is_none();
            let value = if plain { both.get("value").cloned().unwrap_or_default() } else { both };
            (name, value)
        })
        .collect();
    let relations = |end: &str, far: &str| -> Vec<Value> {
        let rows = records.all("cmdb_rel_ci", end, row.id());
        rows.map(|relation| {
            let named = |table: &str, id: &str| {
                json!({ "display_value": records.display(table, id), "link": link(&request.base, table, id), "value": id })
            };
            json!({
                "sys_id": relation.id(),
                "target": named("cmdb_ci", relation.get(far)),
                "type": named("cmdb_rel_type", relation.get("type")),
            })
        })
        .collect()
    };
    json!({
        "attributes": attributes,
        "outbound_relations": relations("parent", "child"),
        "inbound_relations": relations("child", "parent"),
    })
}

fn item<'a>(records: &'a Records, caller: &Caller, table: &str, id: &str) -> Result<&'a Row, Fail> {
    records.find(table, id).filter(|row| caller.sees(row)).ok_or_else(Fail::no_record)
}

async fn one(State(simulator): State<Shared>, request: Request, Path((name, id)): Path<(String, String)>) -> Answer {
    let table = class(&name)?;
    simulator.read(|records| result(shown(records, &request, item(records, &request.caller, table, &id)?)))
}

/// `{"attributes": {…}, "source": "…"}`: an unknown source is refused, as the reconciliation engine does.
fn attributes(body: &Map<String, Value>) -> Result<Input, Fail> {
    match (body.get("attributes").and_then(Value::as_object), body.get("source").and_then(Value::as_str)) {
        (Some(attributes), Some(source)) if !source.is_empty() => {
            Ok(Input::read(attributes, false).or("discovery_source", source))
        }
        _ => Err(Fail::bad("Invalid payload", Some("attributes and source are required"))),
    }
}

async fn create(State(simulator): State<Shared>, request: Request, Path(name): Path<String>, body: Bytes) -> Answer {
    let table = class(&name)?;
    let body = object(&body)?;
    let input = attributes(&body)?;
    simulator.write(|records| {
        let id = rules::insert(records, &request.caller, table, &input)?;
        add_relations(records, &request.caller, &id, &body)?;
        let answer = shown(records, &request, item(records, &request.caller, table, &id)?);
        Ok((StatusCode::CREATED, axum::Json(json!({ "result": answer }))).into_response())
    })
}

async fn update(
    State(simulator): State<Shared>,
    request: Request,
    Path((name, id)): Path<(String, String)>,
    body: Bytes,
) -> Answer {
    let table = class(&name)?;
    let input = attributes(&object(&body)?)?;
    simulator.write(|records| {
        rules::update(records, &request.caller, table, &id, &input)?;
        result(shown(records, &request, item(records, &request.caller, table, &id)?))
    })
}

/// Relations of a body: `outbound_relations` and `inbound_relations`, each `[{type, target}]`.
fn add_relations(records: &mut Records, caller: &Caller, id: &str, body: &Map<String, Value>) -> Result<(), Fail> {
    for (key, is_outbound) in [("outbound_relations", true), ("inbound_relations", false)] {
        for relation in body.get(key).and_then(Value::as_array).into_iter().flatten() {
            let text = |name: &str| relation.get(name).and_then(Value::as_str).unwrap_or_default();
            if records.find("cmdb_ci", text("target")).is_none()
                || records.find("cmdb_rel_type", text("type")).is_none()
            {
                return Err(Fail::bad("Invalid relation", Some("type or target does not exist")));
            }
            let (parent, child) = if is_outbound { (id, text("target")) } else { (text("target"), id) };
            let input = Input::of([("parent", parent), ("child", child), ("type", text("type"))]);
            rules::insert(records, caller, "cmdb_rel_ci", &input)?;
        }
    }
    Ok(())
}

async fn relate(
    State(simulator): State<Shared>,
    request: Request,
    Path((name, id)): Path<(String, String)>,
    body: Bytes,
) -> Answer {
    let table = class(&name)?;
    let body = object(&body)?;
    simulator.write(|records| {
        item(records, &request.caller, table, &id)?;
        add_relations(records, &request.caller, &id, &body)?;
        result(shown(records, &request, item(records, &request.caller, table, &id)?))
    })
}

async fn unrelate(
    State(simulator): State<Shared>,
    request: Request,
    Path((name, id, relation)): Path<(String, String, String)>,
) -> Result<Response, Fail> {
    let table = class(&name)?;
    simulator.write(|records| {
        item(records, &request.caller, table, &id)?;
        let row =
            records.find("cmdb_rel_ci", &relation).filter(|row| row.get("parent") == id || row.get("child") == id);
        row.ok_or_else(Fail::no_record)?;
        rules::remove(records, &request.caller, "cmdb_rel_ci", &relation)
    })?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// What a class has: fields, its parent, its children.
async fn meta(Path(name): Path<String>) -> Answer {
    let table = class(&name)?;
    let fields: Vec<Value> = SCHEMA
        .fields(table)
        .iter()
        .map(|field| {
            json!({
                "element": field.element,
                "label": field.label,
                "type": field.kind,
                "is_mandatory": field.mandatory.to_string(),
                "is_read_only": field.read_only.to_string(),
                "max_length": field.max_length.to_string(),
                "default_value": field.default,
            })
        })
        .collect();
    let children: Vec<&&str> = SCHEMA.family(table).iter().filter(|child| **child != table).collect();
    let known = SCHEMA.table(table);
    result(json!({
        "name": table,
        "label": known.map(|table| table.label),
        "parent": known.and_then(|table| table.parent),
        "children": children,
        "attributes": fields,
    }))
}
