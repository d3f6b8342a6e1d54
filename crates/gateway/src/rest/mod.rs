//! REST for scripts, portals and Ansible: the same tools, policy and audit, in exactly the article's shapes.
//!
//! - `GET /api/v1/openapi.json` → what follows as an OpenAPI 3.1 document, for this caller ([`openapi`])
//! - `GET /api/v1/mcp/{server}/tools` → `{server, tools: […]}`
//! - `POST /api/v1/mcp/{server}/tools/{tool}` with `{"arguments": {…}}` → `{status, result, server, tool}`
//! - `GET /api/v1/mcp/{server}/tools/{tool}?name=value`: the same for tools that only read; where a `Location` and the
//!   links of a page point
//! - `/api/v1/changes` and what is below it: the tools for changes under paths of their own ([`changes`])
//!
//! Every path below `/api/v1` asks for a token first, whether it exists or not. Refusals are problem documents
//! (`problem.rs`).

mod answer;
pub(crate) mod body;
mod changes;
mod describe;
mod negotiate;
mod openapi;
pub(crate) mod query;

use std::sync::Arc;

use api::ToolList;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, Request, State};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get};
use axum::{Extension, Json, Router};
use http::{HeaderValue, Method, StatusCode, header};
use platform::context::{CallReferences, Protocol};
use platform::resource::Resource;
use platform::{CallContext, Error, ErrorKind};
use tool_runtime::CallRequest;
use tool_runtime::catalogue::RegisteredTool;

use self::answer::Called;
use crate::Gateway;
use crate::edge::{Door, authenticate};
use crate::operations::not_found;
use crate::problem::Problem;
use crate::step_up;

const READS: HeaderValue = HeaderValue::from_static("GET, HEAD, OPTIONS");
const BY_BOTH: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, OPTIONS");
const BY_POST: HeaderValue = HeaderValue::from_static("POST, OPTIONS");

pub(crate) fn router(gateway: &Arc<Gateway>) -> Router {
    let door = Door { gateway: Arc::clone(gateway), resource: Resource::Rest, protocol: Protocol::Rest };
    let inside = Router::new()
        .route("/openapi.json", get(document).fallback(only_reads))
        .route("/mcp/{server}/tools", get(list).fallback(only_reads))
        .route("/mcp/{server}/tools/{tool}", any(by_method))
        .merge(changes::routes())
        .fallback(not_found)
        .layer((from_fn_with_state(door, authenticate), from_fn(negotiate::accept)))
        .with_state(Arc::clone(gateway));
    Router::new().nest("/api/v1", inside)
}

type Names = Result<Path<(String, String)>, PathRejection>;

async fn document(
    State(gateway): State<Arc<Gateway>>,
    RawQuery(query): RawQuery,
    Extension(cx): Extension<Arc<CallContext>>,
) -> Response {
    let document = async {
        no_query(query.as_deref())?;
        openapi::document(&gateway, &cx.principal).await
    };
    match document.await {
        Ok(document) => Json(document).into_response(),
        Err(error) => Problem::from(error).into_response(),
    }
}

async fn list(
    State(gateway): State<Arc<Gateway>>,
    server: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
    Extension(cx): Extension<Arc<CallContext>>,
) -> Response {
    let Ok(Path(server)) = server else { return not_found().await };
    let tools = async {
        no_query(query.as_deref())?;
        tools(&gateway, &cx, &server).await
    };
    match tools.await {
        Ok(body) => Json(body).into_response(),
        Err(error) => Problem::from(error).into_response(),
    }
}

async fn tools(gateway: &Gateway, cx: &CallContext, server: &str) -> Result<ToolList, Error> {
    let visibility = gateway.parts.pipeline.visibility();
    if visibility.catalogue().server(server).is_none() {
        return Err(Error::new(ErrorKind::NotFound, "server_unknown", "There is no server of that name."));
    }
    let base = &gateway.parts.options.base;
    let visible = visibility.tools(&cx.principal, server).await?;
    let tools: Vec<_> = visible.iter().map(|tool| describe::tool(base, tool)).collect();
    Ok(ToolList { server: server.to_owned(), count: tools.len(), tools })
}

/// One route for every method: a router that knew them would name them in `Allow` on whatever is answered, and on a 404 that
/// tells a hidden tool from one that does not exist (T10).
async fn by_method(
    gateway: State<Arc<Gateway>>,
    names: Names,
    query: RawQuery,
    cx: Extension<Arc<CallContext>>,
    request: Request,
) -> Response {
    match *request.method() {
        Method::POST => call(gateway, names, query, cx, request).await,
        Method::GET | Method::HEAD => read(gateway, names, query, cx).await,
        _ => other_method(gateway, names, cx, request.method().clone()).await,
    }
}

async fn call(
    State(gateway): State<Arc<Gateway>>,
    names: Names,
    RawQuery(query): RawQuery,
    Extension(cx): Extension<Arc<CallContext>>,
    request: Request,
) -> Response {
    let Ok(Path((server, tool))) = names else { return not_found().await };
    if let Err(refusal) = no_query(query.as_deref()) {
        return Problem::from(refusal).into_response();
    }
    let arguments = match body::arguments(request).await {
        Ok(arguments) => arguments,
        Err(problem) => return problem.into_response(),
    };
    let called = Called { server: &server, tool: &tool, by_query: None };
    answered(&gateway, cx, &called, arguments).await
}

/// A read by GET: arguments come from the query, typed by the tool's schema.
async fn read(
    State(gateway): State<Arc<Gateway>>,
    names: Names,
    RawQuery(query): RawQuery,
    Extension(cx): Extension<Arc<CallContext>>,
) -> Response {
    let Ok(Path((server, tool))) = names else { return not_found().await };
    let found = visible(&gateway, &cx, &server, &tool).await;
    if found.as_ref().is_some_and(|t| !query::reads(t)) {
        return wrong_method(BY_POST).into_response();
    }
    let schema = found.map(|t| Arc::clone(&t.published_input));
    match query::from_query(query.as_deref().unwrap_or_default(), schema.as_deref()) {
        Ok(arguments) => {
            let called = Called { server: &server, tool: &tool, by_query: Some(&arguments) };
            answered(&gateway, cx, &called, arguments.clone()).await
        }
        // A tool that does not exist is not found, whatever its query.
        Err(_) if schema.is_none() => {
            let called = Called { server: &server, tool: &tool, by_query: None };
            answered(&gateway, cx, &called, platform::Json::Null).await
        }
        Err(refusal) => Problem::from(refusal).into_response(),
    }
}

/// Only what this caller may see: a hidden tool must not be told from one that does not exist (T10). Where that cannot be
/// asked, the pipeline refuses, on record.
async fn visible(gateway: &Gateway, cx: &CallContext, server: &str, tool: &str) -> Option<Arc<RegisteredTool>> {
    let visible = gateway.parts.pipeline.visibility().tools(&cx.principal, server).await.unwrap_or_default();
    visible.into_iter().find(|t| t.name() == tool)
}

async fn answered(gateway: &Gateway, cx: Arc<CallContext>, called: &Called<'_>, arguments: platform::Json) -> Response {
    let (server, tool) = (called.server.to_owned(), called.tool.to_owned());
    let request = CallRequest { server, tool, arguments, references: CallReferences::default() };
    match gateway.parts.pipeline.call(Arc::clone(&cx), request).await {
        Ok(answer) => answer::success(called, answer),
        Err(error) => step_up::of_refusal(gateway, &cx, error).into_response(),
    }
}

/// What takes no query refuses one: a misspelt way of sending arguments must not be a call without them.
fn no_query(query: Option<&str>) -> Result<(), Error> {
    match query.unwrap_or_default() {
        "" => Ok(()),
        _ => Err(Error::new(
            ErrorKind::InvalidInput,
            "query_unexpected",
            "Nothing is taken from the query here. Send arguments in the body of a POST, or by GET to a tool that reads.",
        )),
    }
}

async fn only_reads(method: Method) -> Response {
    in_other_words(&method, READS)
}

/// OPTIONS, and what no tool is called with.
async fn other_method(
    State(gateway): State<Arc<Gateway>>,
    names: Names,
    Extension(cx): Extension<Arc<CallContext>>,
    method: Method,
) -> Response {
    let Ok(Path((server, tool))) = names else { return not_found().await };
    match visible(&gateway, &cx, &server, &tool).await {
        Some(found) => in_other_words(&method, if query::reads(&found) { BY_BOTH } else { BY_POST }),
        None => Problem::from(tool_runtime::pipeline::tool_unknown()).into_response(),
    }
}

fn in_other_words(method: &Method, allowed: HeaderValue) -> Response {
    match *method {
        Method::OPTIONS => (StatusCode::NO_CONTENT, [(header::ALLOW, allowed)]).into_response(),
        _ => wrong_method(allowed).into_response(),
    }
}

fn wrong_method(allowed: HeaderValue) -> Problem {
    Problem::from(Error::new(
        ErrorKind::Malformed,
        "method_not_allowed",
        "That method does not exist here. Call tools by POST; tools that only read also by GET.",
    ))
    .with_status(StatusCode::METHOD_NOT_ALLOWED)
    .header(header::ALLOW, allowed)
}
