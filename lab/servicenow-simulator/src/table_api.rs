//! The Table API: `/api/now[/v1|/v2]/table/{table}[/{sys_id}]`.
//!
//! Where next: [`crate::query`] for filters, [`crate::render`] for shapes, [`crate::rules`] for writes.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Map, Value};

use crate::caller::Caller;
use crate::params::Params;
use crate::query::{Asking, Query};
use crate::records::{Records, Row};
use crate::render::View;
use crate::reply::{Answer, Fail, created, result};
use crate::rules::{self, Input};
use crate::schema::{SCHEMA, Table};
use crate::simulator::{Request, Shared};

/// Most rows of a page when nothing is said.
const LIMIT: usize = 10_000;

/// Routes below `/api/now` and its versions.
pub(crate) fn routes() -> Router<Shared> {
    let list = get(list).post(insert);
    let one = get(one).put(update).patch(update).delete(remove);
    Router::new().route("/table/{table}", list).route("/table/{table}/{id}", one)
}

/// The table of a path, or the vendor's refusal.
pub(crate) fn known(name: &str) -> Result<&'static Table, Fail> {
    SCHEMA.table(name).ok_or_else(|| Fail::no_table(name))
}

/// A JSON object.
pub(crate) fn object(body: &[u8]) -> Result<Map<String, Value>, Fail> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(map)) => Ok(map),
        _ => Err(Fail::bad("Exception while reading request", Some("The payload is not valid JSON."))),
    }
}

/// What a list query finds: rows that pass before access rules, and the page of those that the caller sees.
pub(crate) struct Found<'a> {
    /// Rows that pass, hidden ones too.
    pub(crate) total: usize,
    /// Rows of the page that the caller sees.
    pub(crate) page: Vec<&'a Row>,
}

/// Runs the list query of a request. The limit counts before access rules, so that a page may be short.
pub(crate) fn find<'a>(records: &'a Records, caller: &Caller, table: &str, params: &Params) -> Result<Found<'a>, Fail> {
    if !caller.may_query(table) {
        return Err(Fail::no_rights());
    }
    let mut query = Query::parse(table, params.get("sysparm_query").unwrap_or_default());
    for (field, value) in params.plain() {
        query = query.and(Query::parse(table, &format!("{field}={value}")));
    }
    let strict = records.first("sys_properties", "name", "glide.invalid_query.returns_no_rows");
    let is_strict = strict.is_some_and(|property| property.is_true("value"));
    let asking = Asking { records, user: &caller.user };
    let window = (params.number("sysparm_offset").unwrap_or(0), params.number("sysparm_limit").unwrap_or(LIMIT));
    if query.had_invalid_part && is_strict {
        return Ok(Found { total: 0, page: Vec::new() });
    }
    if let Some(few) = query.narrowed(table, records) {
        let rows = query.rows(few.into_iter(), &asking);
        return Ok(Found { total: rows.len(), page: page(rows.into_iter(), window, caller) });
    }
    let found = || query.rows(records.family(table), &asking);
    if !query.is_lasting() {
        let rows = found();
        return Ok(Found { total: rows.len(), page: page(rows.into_iter(), window, caller) });
    }
    let question = (table, params.get("sysparm_query"), params.plain().collect::<Vec<_>>());
    let keys = records.remembered(&format!("{question:?}"), found);
    let (offset, limit) = window;
    let rows = keys.iter().skip(offset).take(limit).filter_map(|(table, id)| records.find(table, id));
    Ok(Found { total: keys.len(), page: page(rows, (0, limit), caller) })
}

/// What the caller sees of a page.
fn page<'a>(rows: impl Iterator<Item = &'a Row>, (offset, limit): (usize, usize), caller: &Caller) -> Vec<&'a Row> {
    rows.skip(offset).take(limit).filter(|row| caller.sees(row)).collect()
}

async fn list(State(simulator): State<Shared>, request: Request, Path(table): Path<String>, params: Params) -> Answer {
    let table = known(&table)?;
    let reading = move |records: &Records| {
        let found = find(records, &request.caller, table.name, &params)?;
        let view = View::of(&params, &request.base);
        let rows: Vec<Value> = found.page.iter().map(|row| view.row(records, table.name, row)).collect();
        let headers = page_headers(&request, &params, found.total);
        if rows.is_empty() && request.is_version_1 {
            return Err(Fail::new(StatusCode::NOT_FOUND, "No Record found", None));
        }
        Ok((headers, result(rows)?).into_response())
    };
    simulator.read_aside(reading).await
}

/// `X-Total-Count` and `Link`.
pub(crate) fn page_headers(request: &Request, params: &Params, total: usize) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if !params.is_true("sysparm_no_count") {
        headers.insert("x-total-count", HeaderValue::from(total));
    }
    let limit = params.number("sysparm_limit").unwrap_or(LIMIT);
    if params.is_true("sysparm_suppress_pagination_header") || limit == 0 {
        return headers;
    }
    let offset = params.number("sysparm_offset").unwrap_or(0);
    let link = |offset: usize, rel: &str| {
        let query = params.with(&[("sysparm_limit", limit.to_string()), ("sysparm_offset", offset.to_string())]);
        format!("<{}{}?{query}>;rel=\"{rel}\"", request.base, request.path)
    };
    let mut links = vec![link(0, "first")];
    if offset > 0 {
        links.push(link(offset.saturating_sub(limit), "prev"));
    }
    if offset + limit < total {
        links.push(link(offset + limit, "next"));
    }
    links.push(link(total.saturating_sub(1) / limit * limit, "last"));
    if let Ok(value) = HeaderValue::from_str(&links.join(",")) {
        headers.insert(header::LINK, value);
    }
    headers
}

async fn one(
    State(simulator): State<Shared>,
    request: Request,
    Path((table, id)): Path<(String, String)>,
    params: Params,
) -> Answer {
    let table = known(&table)?;
    simulator.read(|records| {
        if !request.caller.may_query(table.name) {
            return Err(Fail::no_rights());
        }
        let row = records.find(table.name, &id).filter(|row| request.caller.sees(row)).ok_or_else(Fail::no_record)?;
        result(View::of(&params, &request.base).row(records, table.name, row))
    })
}

async fn insert(
    State(simulator): State<Shared>,
    request: Request,
    Path(table): Path<String>,
    params: Params,
    body: Bytes,
) -> Answer {
    let table = known(&table)?;
    let input = Input::read(&object(&body)?, params.is_true("sysparm_input_display_value"));
    simulator.write(|records| {
        let id = rules::insert(records, &request.caller, table.name, &input)?;
        let row = records.find(table.name, &id).ok_or_else(Fail::no_record)?;
        let location = format!("{}/api/now/table/{}/{id}", request.base, table.name);
        created(View::of(&params, &request.base).row(records, table.name, row), location)
    })
}

async fn update(
    State(simulator): State<Shared>,
    request: Request,
    Path((table, id)): Path<(String, String)>,
    params: Params,
    body: Bytes,
) -> Answer {
    let table = known(&table)?;
    let input = Input::read(&object(&body)?, params.is_true("sysparm_input_display_value"));
    simulator.write(|records| {
        rules::update(records, &request.caller, table.name, &id, &input)?;
        let row = records.find(table.name, &id).ok_or_else(Fail::no_record)?;
        result(View::of(&params, &request.base).row(records, table.name, row))
    })
}

async fn remove(
    State(simulator): State<Shared>,
    request: Request,
    Path((table, id)): Path<(String, String)>,
) -> Result<Response, Fail> {
    let table = known(&table)?;
    simulator.write(|records| rules::remove(records, &request.caller, table.name, &id))?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
