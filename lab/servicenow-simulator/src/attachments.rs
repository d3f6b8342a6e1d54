//! The Attachment API: list, read, add as a raw body or as a form, remove. Values are texts whatever is asked for.
//!
//! An attachment belongs to a record; who does not see the record does not see it, and who may not change the record may
//! not add to it.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::caller::Caller;
use crate::params::Params;
use crate::records::{Records, Row};
use crate::reply::{Answer, Fail, created, result};
use crate::rules::{self, Input};
use crate::schema::SCHEMA;
use crate::simulator::{Request, Shared};
use crate::table_api::{self, page_headers};

const TABLE: &str = "sys_attachment";

/// Routes below `/api/now` and its versions.
pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/attachment", get(list))
        .route("/attachment/file", post(add))
        .route("/attachment/upload", post(upload))
        .route("/attachment/{id}", get(one).delete(remove))
        .route("/attachment/{id}/file", get(content))
}

fn shown(base: &str, row: &Row) -> Value {
    let fields = SCHEMA.fields(TABLE).iter();
    let mut map: Map<String, Value> =
        fields.map(|field| (field.element.to_owned(), Value::from(row.get(field.element)))).collect();
    map.insert("download_link".to_owned(), Value::from(format!("{base}/api/now/attachment/{}/file", row.id())));
    Value::Object(map)
}

/// Whether the record that the attachment belongs to shows to the caller.
fn sees(records: &Records, caller: &Caller, row: &Row) -> bool {
    records.find(row.get("table_name"), row.get("table_sys_id")).is_some_and(|record| caller.sees(record))
}

fn visible<'a>(records: &'a Records, caller: &Caller, id: &str) -> Result<&'a Row, Fail> {
    records.find(TABLE, id).filter(|row| sees(records, caller, row)).ok_or_else(Fail::no_record)
}

async fn list(State(simulator): State<Shared>, request: Request, params: Params) -> Answer {
    simulator.read(|records| {
        let found = table_api::find(records, &request.caller, TABLE, &params)?;
        let page = found.page.iter().filter(|row| sees(records, &request.caller, row));
        let rows: Vec<Value> = page.map(|row| shown(&request.base, row)).collect();
        let headers = page_headers(&request, &params, found.total);
        Ok((headers, axum::Json(json!({ "result": rows }))).into_response())
    })
}

async fn one(State(simulator): State<Shared>, request: Request, Path(id): Path<String>) -> Answer {
    simulator.read(|records| result(shown(&request.base, visible(records, &request.caller, &id)?)))
}

async fn content(State(simulator): State<Shared>, request: Request, Path(id): Path<String>) -> Result<Response, Fail> {
    simulator.read(|records| {
        let row = visible(records, &request.caller, &id)?;
        let bytes = records.content(&id).and_then(|text| STANDARD.decode(text).ok()).ok_or_else(Fail::no_record)?;
        let mut headers = HeaderMap::new();
        let kind = HeaderValue::from_str(row.get("content_type"));
        headers.insert(header::CONTENT_TYPE, kind.unwrap_or(HeaderValue::from_static("application/octet-stream")));
        let texts = [
            ("x-attachment-metadata", shown(&request.base, row).to_string()),
            ("content-disposition", format!("attachment; filename=\"{}\"", row.get("file_name").replace('"', ""))),
        ];
        for (name, text) in texts {
            if let Ok(value) = HeaderValue::from_str(&text) {
                headers.insert(name, value);
            }
        }
        Ok((headers, bytes).into_response())
    })
}

/// What is to be attached where.
struct File<'a> {
    table: &'a str,
    record: &'a str,
    name: &'a str,
    kind: &'a str,
    bytes: &'a [u8],
}

/// The raw body is the file; where it belongs stands in the query.
async fn add(
    State(simulator): State<Shared>,
    request: Request,
    headers: HeaderMap,
    params: Params,
    body: Bytes,
) -> Answer {
    let get = |name: &str| params.get(name).ok_or_else(|| Fail::bad(format!("Missing parameter {name}"), None));
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = kind.ok_or_else(|| Fail::bad("Content-Type is missing", None))?;
    let (table, record, name) = (get("table_name")?, get("table_sys_id")?, get("file_name")?);
    attach(&simulator, &request, &File { table, record, name, kind, bytes: &body })
}

/// A form with `table_name`, `table_sys_id` and one file.
async fn upload(State(simulator): State<Shared>, request: Request, headers: HeaderMap, body: Bytes) -> Answer {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let parts = crate::multipart::parts(kind, &body).ok_or_else(|| Fail::bad("Invalid multipart body", None))?;
    let text = |name: &str| {
        let part = parts.iter().find(|part| part.name == name && part.file_name.is_none());
        part.and_then(|part| std::str::from_utf8(part.bytes).ok())
            .ok_or_else(|| Fail::bad(format!("Missing parameter {name}"), None))
    };
    let file = parts.iter().find_map(|part| Some((part, part.file_name.as_deref()?)));
    let (part, name) = file.ok_or_else(|| Fail::bad("No file was sent", None))?;
    let (table, record) = (text("table_name")?, text("table_sys_id")?);
    attach(&simulator, &request, &File { table, record, name, kind: &part.kind, bytes: part.bytes })
}

fn attach(simulator: &Shared, request: &Request, file: &File<'_>) -> Answer {
    let table = table_api::known(file.table)?;
    simulator.write(|records| {
        let limit = records.first("sys_properties", "name", "com.glide.attachment.max_size");
        let limit = limit.and_then(|row| row.get("value").parse::<usize>().ok()).unwrap_or(1_024) << 20;
        if file.bytes.len() > limit {
            let detail = format!("File size {} is over the limit of {limit} bytes", file.bytes.len());
            return Err(Fail::new(StatusCode::PAYLOAD_TOO_LARGE, "Failed to create the attachment", Some(&detail)));
        }
        let record = records.find(table.name, file.record).filter(|row| request.caller.sees(row));
        if !request.caller.may_update(record.ok_or_else(Fail::no_record)?) {
            return Err(Fail::acl());
        }
        let hash = hex::encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, file.bytes));
        let size = file.bytes.len().to_string();
        let input = Input::of([
            ("table_name", table.name),
            ("table_sys_id", file.record),
            ("file_name", file.name),
            ("content_type", file.kind),
            ("size_bytes", &size),
            ("size_compressed", &size),
            ("hash", &hash),
        ]);
        let id = rules::insert(records, &request.caller.with_all_rights(), TABLE, &input)?;
        records.keep_content(&id, Some(STANDARD.encode(file.bytes)))?;
        let row = records.find(TABLE, &id).ok_or_else(Fail::no_record)?;
        created(shown(&request.base, row), format!("{}/api/now/attachment/{id}", request.base))
    })
}

async fn remove(State(simulator): State<Shared>, request: Request, Path(id): Path<String>) -> Result<Response, Fail> {
    simulator.write(|records| {
        visible(records, &request.caller, &id)?;
        rules::remove(records, &request.caller, TABLE, &id)
    })?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
