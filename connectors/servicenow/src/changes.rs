//! Change requests by the Change Management API: opened once, with their configuration items. The tools and the port of
//! change control stand on this.

use std::time::{Duration, Instant};

use http::Method;
use platform::http::Request;
use platform::{Error, ErrorKind, Json};
use serde::Deserialize;
use serde_json::json;
use tool_runtime::ToolCx;
use tool_runtime::combinators::{Poll, poll_until};

use crate::client::Api;
use crate::query::{Query, Table};
use crate::record::Record;
use crate::resolve::{Kind, is_sys_id};
use crate::write::{self, Created, Fields};

pub(crate) const PATH: &str = "/api/sn_chg_rest/change";

pub(crate) static KIND: Kind = Kind {
    table: Table {
        name: "change_request",
        fields: &[
            "sys_id",
            "number",
            "state",
            "type",
            "active",
            "approval",
            "short_description",
            "assignment_group.name",
            "assigned_to.user_name",
            "cmdb_ci.serial_number",
            "start_date",
            "end_date",
            "sys_created_on",
            "correlation_id",
        ],
    },
    name: "change_request",
};

pub(crate) static TEMPLATES: Table =
    Table { name: "std_change_record_producer", fields: &["sys_id", "name", "active"] };
static AFFECTED: Table = Table { name: "task_ci", fields: &["task", "ci_item"] };
pub(crate) static APPROVALS: Table =
    Table { name: "sysapproval_approver", fields: &["sysapproval", "state", "sys_updated_on"] };

/// How long the vendor's background work is waited for.
const WAIT: Duration = Duration::from_secs(10);

/// A change request to be opened.
pub(crate) struct New {
    /// `normal`, `emergency`, or `standard/<template>`.
    pub(crate) route: String,
    /// Its fields.
    pub(crate) fields: Fields,
    /// Its configuration items, by their ids.
    pub(crate) cis: Vec<String>,
}

/// A change request after it was opened.
pub(crate) struct Opened {
    pub(crate) row: Record,
    pub(crate) existed: bool,
    /// What the vendor did not store: names of fields, and `cis`.
    pub(crate) not_stored: Vec<String>,
}

/// The route for a kind. Errors: `change_template_missing`.
pub(crate) fn route(kind: &str, template: Option<&str>) -> Result<String, Error> {
    match (kind, template) {
        ("standard", Some(template)) if is_sys_id(template) => Ok(format!("standard/{template}")),
        ("normal" | "emergency", None) => Ok(kind.to_owned()),
        _ => Err(Error::new(
            ErrorKind::InvalidInput,
            "change_template_missing",
            "A standard change is opened from a template, named by its `sys_id`; any other change has no template.",
        )),
    }
}

/// Opens one, or finds and completes what an earlier attempt with the same key opened.
pub(crate) async fn open(api: &Api, cx: &ToolCx, new: New, key: &str, fields: &[&str]) -> Result<Opened, Error> {
    let New { route, fields: body, cis } = new;
    let path = format!("{PATH}/{route}");
    let Created { row, existed } = write::create_once(api, cx, &KIND.table, &path, body.clone(), key, fields).await?;
    let id = row.id();
    // The change request is there: what its items came to is told, and a repeat completes them.
    let complete = associate(api, cx, &id, &cis).await.unwrap_or_else(|error| {
        tracing::warn!(
            http.request.id = %cx.call.request_id,
            error.code = error.code(),
            error.message = error.detail(),
            "the items of a new change request could not be added"
        );
        false
    });
    // The API that opens and the table that is read are two: what counts is what the table says.
    let wanted: Vec<&str> = fields.iter().copied().chain(body.keys().map(String::as_str)).collect();
    let row = api.one(cx, &KIND.table, &id, &wanted).await?;
    let mut not_stored = if existed { Vec::new() } else { write::not_stored(&body, &row) };
    if !complete {
        not_stored.push("cis".to_owned());
    }
    Ok(Opened { row, existed, not_stored })
}

/// The affected configuration items of a change request: their ids, in order and each once.
pub(crate) async fn affected(api: &Api, cx: &ToolCx, id: &str) -> Result<Vec<String>, Error> {
    let query = Query::of(&AFFECTED).is("task", Some(id)).build()?;
    let rows = api.all(cx, &AFFECTED, &query, &["ci_item"]).await?;
    let mut ids: Vec<String> = rows.iter().filter_map(|row| row.owned("ci_item")).collect();
    ids.sort();
    ids.dedup();
    Ok(ids)
}

/// Adds items that are not there yet; whether all of them are there in the end.
async fn associate(api: &Api, cx: &ToolCx, id: &str, cis: &[String]) -> Result<bool, Error> {
    if cis.is_empty() {
        return Ok(true);
    }
    let there = affected(api, cx, id).await?;
    let missing: Vec<&String> = cis.iter().filter(|ci| !there.contains(ci)).collect();
    if missing.is_empty() {
        return Ok(true);
    }
    let body = json!({"cmdb_ci_sys_ids": missing, "association_type": "affected"});
    let request = Request::new(Method::POST, format!("{PATH}/{id}/ci"), cx.deadline).json(&body)?;
    let started: Started = api.send(cx, request).await?;
    started.finished(api, cx).await?;
    let there = affected(api, cx, id).await?;
    Ok(cis.iter().all(|ci| there.contains(ci)))
}

/// Background work of the vendor's.
#[derive(Deserialize)]
pub(crate) struct Started {
    worker: Option<Worker>,
}

#[derive(Deserialize)]
struct Worker {
    #[serde(rename = "sysId", alias = "sys_id")]
    id: String,
}

impl Started {
    /// Waits for its end, and tells whether it was reached in time and without an error.
    pub(crate) async fn finished(&self, api: &Api, cx: &ToolCx) -> Result<bool, Error> {
        let Some(worker) = &self.worker else { return Ok(true) };
        if !is_sys_id(&worker.id) {
            return Ok(false);
        }
        let path = format!("{PATH}/worker/{}", worker.id);
        let until = (Instant::now() + WAIT).min(cx.deadline);
        let seen = poll_until(until, || async {
            let found: WorkerState = api.get(cx, &path).await?;
            // 1 waiting, 2 in progress, 3 complete, 4 error.
            Ok(match found.text() {
                "3" => Poll::Ready(true),
                "4" => Poll::Ready(false),
                _ => Poll::Pending(false),
            })
        })
        .await?;
        Ok(seen == Poll::Ready(true))
    }
}

/// Releases differ in whether the state stands beside the worker or in it.
#[derive(Deserialize)]
struct WorkerState {
    state: Option<StateValue>,
    worker: Option<InnerState>,
}

#[derive(Deserialize)]
struct InnerState {
    state: Option<StateValue>,
}

impl WorkerState {
    fn text(&self) -> &str {
        let state = self.state.as_ref().or(self.worker.as_ref().and_then(|worker| worker.state.as_ref()));
        state.map(StateValue::text).unwrap_or_default()
    }
}

/// The vendor sends the state as an object, its value a number or a text.
#[derive(Deserialize)]
struct StateValue {
    value: Json,
}

impl StateValue {
    fn text(&self) -> &str {
        match &self.value {
            Json::String(text) => text,
            number => match number.as_f64() {
                Some(3.0) => "3",
                Some(4.0) => "4",
                _ => "",
            },
        }
    }
}

/// Approval rows of change requests, all of them or those changed at a time or later (the vendor's form).
pub(crate) async fn approvals(
    api: &Api,
    cx: &ToolCx,
    ids: &[String],
    since: Option<String>,
    fields: &[&str],
) -> Result<Vec<Record>, Error> {
    let query = Query::of(&APPROVALS).one_of("sysapproval", ids).not_before("sys_updated_on", since).build()?;
    api.all(cx, &APPROVALS, &query, fields).await
}
