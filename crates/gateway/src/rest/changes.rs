//! Changes as resources of REST: `/api/v1/changes` and what is below it. Each of these is a call of the tool of that name
//! on the platform's own server, by the one road (T13); what is here is the URL, and that arguments and result stand by
//! themselves, without an envelope.
//!
//! - `GET /changes`, `POST /changes`: list, plan
//! - `GET /changes/{id}`, `/plan`, `/evidence`: look
//! - `POST /changes/{id}/submit`, `/cancel`, `/resume`, `/undo`, `/settle`

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use axum::{Extension, Json, Router};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use platform::context::CallReferences;
use platform::{CallContext, Error, ErrorKind, Json as Value};
use serde_json::Map;
use tool_runtime::catalogue::OWN_SERVER;
use tool_runtime::{Answer, CallRequest, FollowUp};

use super::answer::{LOOK_AGAIN_S, query_of, waited};
use super::{body, in_other_words, no_query, query, visible};
use crate::Gateway;
use crate::operations::not_found;
use crate::problem::{IDEMPOTENCY_REPLAYED, Problem};
use crate::step_up;

/// The argument that the path holds.
pub(super) const ID: &str = "change_id";

/// One operation on changes.
pub(super) struct Twin {
    /// What stands behind `/changes`, or behind `/changes/{id}`.
    part: Option<&'static str>,
    /// Whether the path names a change.
    pub(super) of_one: bool,
    /// GET, or POST.
    pub(super) reads: bool,
    /// The tool.
    pub(super) tool: &'static str,
}

const fn twin(of_one: bool, part: Option<&'static str>, reads: bool, tool: &'static str) -> Twin {
    Twin { part, of_one, reads, tool }
}

/// All of them.
pub(super) const TWINS: [Twin; 10] = [
    twin(false, None, true, "list_changes"),
    twin(false, None, false, "plan_change"),
    twin(true, None, true, "get_change"),
    twin(true, Some("plan"), true, "get_change_plan"),
    twin(true, Some("evidence"), true, "get_evidence"),
    twin(true, Some("submit"), false, "submit_change"),
    twin(true, Some("cancel"), false, "cancel_change"),
    twin(true, Some("resume"), false, "resume_change"),
    twin(true, Some("undo"), false, "undo_change"),
    twin(true, Some("settle"), false, "settle_change"),
];

impl Twin {
    /// Its path in the OpenAPI document.
    pub(super) fn path(&self) -> String {
        let id = if self.of_one { "/{change_id}" } else { "" };
        let part = self.part.map(|part| format!("/{part}")).unwrap_or_default();
        format!("/api/v1/changes{id}{part}")
    }
}

pub(super) fn routes() -> Router<Arc<Gateway>> {
    Router::new()
        .route("/changes", any(of_all))
        .route("/changes/{change_id}", any(of_one))
        .route("/changes/{change_id}/{part}", any(part_of_one))
}

async fn of_all(
    gateway: State<Arc<Gateway>>,
    query: RawQuery,
    cx: Extension<Arc<CallContext>>,
    request: Request,
) -> Response {
    answer(gateway, cx, query, request, None, None).await
}

async fn of_one(
    gateway: State<Arc<Gateway>>,
    id: Result<Path<String>, PathRejection>,
    query: RawQuery,
    cx: Extension<Arc<CallContext>>,
    request: Request,
) -> Response {
    let Ok(Path(id)) = id else { return not_found().await };
    answer(gateway, cx, query, request, Some(id), None).await
}

async fn part_of_one(
    gateway: State<Arc<Gateway>>,
    names: super::Names,
    query: RawQuery,
    cx: Extension<Arc<CallContext>>,
    request: Request,
) -> Response {
    let Ok(Path((id, part))) = names else { return not_found().await };
    answer(gateway, cx, query, request, Some(id), Some(part)).await
}

async fn answer(
    State(gateway): State<Arc<Gateway>>,
    Extension(cx): Extension<Arc<CallContext>>,
    RawQuery(query): RawQuery,
    request: Request,
    id: Option<String>,
    part: Option<String>,
) -> Response {
    let here: Vec<&Twin> = TWINS.iter().filter(|t| t.of_one == id.is_some() && t.part == part.as_deref()).collect();
    if here.is_empty() {
        return not_found().await;
    }
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let meant = here.iter().find(|t| t.reads == reads && (reads || *request.method() == Method::POST));
    let Some(twin) = meant else { return in_other_words(request.method(), allowed(&here)) };
    let arguments = match twin.reads {
        true => by_query(&gateway, &cx, twin, query.as_deref()).await,
        false => by_body(query.as_deref(), request).await,
    };
    let with_id = arguments.and_then(|arguments| identified(arguments, id.as_deref()));
    match with_id {
        Ok(arguments) => called(&gateway, &cx, twin, arguments).await,
        Err(problem) => problem.into_response(),
    }
}

fn allowed(here: &[&Twin]) -> HeaderValue {
    let (reads, writes) = (here.iter().any(|t| t.reads), here.iter().any(|t| !t.reads));
    match (reads, writes) {
        (true, true) => super::BY_BOTH,
        (true, false) => super::READS,
        _ => super::BY_POST,
    }
}

async fn by_query(gateway: &Gateway, cx: &CallContext, twin: &Twin, query: Option<&str>) -> Result<Value, Problem> {
    // Where the tool is hidden the pipeline refuses, on record.
    let schema = visible(gateway, cx, OWN_SERVER, twin.tool).await.map(|t| Arc::clone(&t.published_input));
    Ok(query::from_query(query.unwrap_or_default(), schema.as_deref())?)
}

async fn by_body(query: Option<&str>, request: Request) -> Result<Value, Problem> {
    no_query(query)?;
    body::object(request).await
}

/// The arguments with the id of the path, which stands nowhere else.
fn identified(arguments: Value, id: Option<&str>) -> Result<Value, Problem> {
    let mut arguments: Map<String, Value> = arguments.as_object().cloned().unwrap_or_default();
    if let Some(id) = id
        && arguments.insert(ID.to_owned(), id.into()).is_some()
    {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            "invalid_arguments",
            "The change is named by the path; leave `change_id` out of the arguments.",
        )
        .into());
    }
    Ok(arguments.into())
}

async fn called(gateway: &Gateway, cx: &Arc<CallContext>, twin: &Twin, arguments: Value) -> Response {
    let request = CallRequest {
        server: OWN_SERVER.to_owned(),
        tool: twin.tool.to_owned(),
        arguments: arguments.clone(),
        references: CallReferences::default(),
    };
    match gateway.parts.pipeline.call(Arc::clone(cx), request).await {
        Ok(answer) => success(twin, &arguments, answer),
        Err(error) => step_up::of_refusal(gateway, cx, error).into_response(),
    }
}

fn success(twin: &Twin, arguments: &Value, answer: Answer) -> Response {
    let mut headers = HeaderMap::new();
    let mut add = |name, text: String| {
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(name, value);
        }
    };
    let goes_on = answer.follow_up.as_ref().and_then(followed);
    let status = if goes_on.is_some() { StatusCode::ACCEPTED } else { StatusCode::OK };
    if let Some(location) = goes_on {
        add(header::LOCATION, location);
        add(header::RETRY_AFTER, LOOK_AGAIN_S.to_string());
    }
    if answer.replayed {
        add(IDEMPOTENCY_REPLAYED, "true".to_owned());
    }
    if let Some(next) = answer.structured["next_cursor"].as_str().filter(|_| !twin.of_one && twin.reads) {
        let mut arguments = arguments.clone();
        arguments["cursor"] = next.into();
        if let Some(query) = query_of(&arguments) {
            add(header::LINK, format!("</api/v1/changes{query}>; rel=\"next\""));
        }
    }
    waited(&mut headers, answer.queued_ms);
    (status, headers, Json(answer.structured)).into_response()
}

/// Where a change is followed.
fn followed(follow_up: &FollowUp) -> Option<String> {
    let mut arguments = follow_up.arguments.as_object()?.clone();
    let id = arguments.remove(ID)?;
    let query = query_of(&arguments.into())?;
    Some(format!("/api/v1/changes/{}{query}", id.as_str()?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tool_runtime::FollowUp;

    use super::{followed, identified};

    #[test]
    fn a_change_is_followed_where_it_is_and_named_by_its_path_alone() {
        let arguments = json!({"change_id": "chg-1", "wait_s": 20, "since": 3});
        let follow_up = FollowUp { tool: "get_change".into(), arguments };
        assert_eq!(followed(&follow_up).unwrap(), "/api/v1/changes/chg-1?since=3&wait_s=20");
        assert_eq!(identified(json!({"a": 1}), Some("chg-1")).unwrap(), json!({"a": 1, "change_id": "chg-1"}));
        assert!(identified(json!({"change_id": "chg-2"}), Some("chg-1")).is_err());
    }
}
