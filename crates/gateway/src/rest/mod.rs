//! REST for scripts, portals and Ansible: the same tools, policy and audit, in exactly the article's shapes.
//!
//! - `GET /api/v1/mcp/{server}/tools` → `{server, tools: […]}`
//! - `POST /api/v1/mcp/{server}/tools/{tool}` with `{"arguments": {…}}` → `{status, result, server, tool}`
//! - `GET /api/v1/mcp/{server}/tools/{tool}?name=value`: the same for tools that only read; where a `Location` points
//!
//! Refusals are problem documents (`problem.rs`).

pub(crate) mod body;

use std::sync::Arc;

use api::{CallStatus, Tool, ToolList, ToolResult};
use axum::extract::{Path, RawQuery, Request, State};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use http::{HeaderValue, StatusCode, header};
use platform::context::{CallReferences, Protocol};
use platform::resource::Resource;
use platform::{CallContext, Error, ErrorKind};
use tool_runtime::catalogue::RegisteredTool;
use tool_runtime::{Answer, CallRequest};

use crate::Gateway;
use crate::edge::{Door, authenticate};
use crate::problem::Problem;

pub(crate) fn router(gateway: &Arc<Gateway>) -> Router {
    let door = Door { gateway: Arc::clone(gateway), resource: Resource::Rest, protocol: Protocol::Rest };
    Router::new()
        .route("/api/v1/mcp/{server}/tools", get(list))
        .route("/api/v1/mcp/{server}/tools/{tool}", post(call).get(read))
        .method_not_allowed_fallback(method_not_allowed)
        .layer(from_fn_with_state(door, authenticate))
        .with_state(Arc::clone(gateway))
}

async fn list(
    State(gateway): State<Arc<Gateway>>,
    Path(server): Path<String>,
    Extension(cx): Extension<Arc<CallContext>>,
) -> Response {
    match tools(&gateway, &cx, &server).await {
        Ok(body) => Json(body).into_response(),
        Err(error) => Problem::from(error).into_response(),
    }
}

async fn tools(gateway: &Gateway, cx: &CallContext, server: &str) -> Result<ToolList, Error> {
    let visibility = gateway.parts.pipeline.visibility();
    if visibility.catalogue().server(server).is_none() {
        return Err(Error::new(ErrorKind::NotFound, "server_unknown", "There is no server of that name."));
    }
    let described = |tool: &Arc<RegisteredTool>| {
        let spec = tool.tool.spec();
        Tool {
            name: spec.name.to_owned(),
            title: spec.title.to_owned(),
            description: spec.description.to_owned(),
            risk: tool.risk.as_str().to_owned(),
            input_schema: tool.published_input.as_ref().clone(),
            output_schema: tool.published_output.as_ref().clone(),
        }
    };
    let tools: Vec<Tool> = visibility.tools(&cx.principal, server).await?.iter().map(described).collect();
    Ok(ToolList { server: server.to_owned(), count: tools.len(), tools })
}

async fn call(
    State(gateway): State<Arc<Gateway>>,
    Path((server, tool)): Path<(String, String)>,
    Extension(cx): Extension<Arc<CallContext>>,
    request: Request,
) -> Response {
    let arguments = match body::arguments(request).await {
        Ok(arguments) => arguments,
        Err(problem) => return problem.into_response(),
    };
    answer(&gateway, cx, CallRequest { server, tool, arguments, references: CallReferences::default() }).await
}

/// A read by GET: arguments come from the query, typed by the tool's schema.
async fn read(
    State(gateway): State<Arc<Gateway>>,
    Path((server, tool)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    Extension(cx): Extension<Arc<CallContext>>,
) -> Response {
    // Only what this caller may see: a hidden tool must not be told from one that does not exist (T10). Where that cannot
    // be asked, the pipeline refuses, on record.
    let visible = gateway.parts.pipeline.visibility().tools(&cx.principal, &server).await.unwrap_or_default();
    let found = visible.iter().find(|t| t.name() == tool);
    if found.is_some_and(|t| t.risk.is_write()) {
        return wrong_method().header(header::ALLOW, HeaderValue::from_static("POST")).into_response();
    }
    let schema = found.map(|t| Arc::clone(&t.published_input));
    let arguments = body::from_query(query.as_deref().unwrap_or_default(), schema.as_deref());
    answer(&gateway, cx, CallRequest { server, tool, arguments, references: CallReferences::default() }).await
}

async fn answer(gateway: &Gateway, cx: Arc<CallContext>, request: CallRequest) -> Response {
    let (server, tool) = (request.server.clone(), request.tool.clone());
    match gateway.parts.pipeline.call(cx, request).await {
        Ok(answer) => success(&server, &tool, answer),
        Err(error) => Problem::from(error).logged().into_response(),
    }
}

fn success(server: &str, tool: &str, answer: Answer) -> Response {
    let location = answer.follow_up.as_ref().map(|next| {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in next.arguments.as_object().into_iter().flatten() {
            query.append_pair(name, value.as_str().map_or_else(|| value.to_string(), str::to_owned).as_str());
        }
        format!("/api/v1/mcp/{server}/tools/{}?{}", next.tool, query.finish())
    });
    let status = if location.is_some() { CallStatus::Accepted } else { CallStatus::Success };
    let result = ToolResult { status, result: answer.structured, server: server.to_owned(), tool: tool.to_owned() };
    let body = Json(result);
    match location.and_then(|l| HeaderValue::from_str(&l).ok()) {
        Some(location) => (StatusCode::ACCEPTED, [(header::LOCATION, location)], body).into_response(),
        None => body.into_response(),
    }
}

async fn method_not_allowed() -> Response {
    wrong_method().into_response()
}

fn wrong_method() -> Problem {
    Problem::from(Error::new(
        ErrorKind::Malformed,
        "method_not_allowed",
        "That method does not exist here. Call tools by POST; tools that only read also by GET.",
    ))
    .with_status(StatusCode::METHOD_NOT_ALLOWED)
}
