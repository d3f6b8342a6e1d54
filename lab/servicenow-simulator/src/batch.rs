//! The batch API: several requests in one, each answered by the instance's own routes as the same caller.

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::IntoResponse;
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use tower::ServiceExt as _;

use crate::reply::{Answer, Fail};
use crate::simulator::Shared;
use crate::table_api::object;

/// Longest answer of one request.
const MOST: usize = 64 << 20;

/// Routes below `/api/now` and its versions.
pub(crate) fn routes() -> Router<Shared> {
    Router::new().route("/batch", post(batch))
}

async fn batch(State(simulator): State<Shared>, headers: HeaderMap, body: Bytes) -> Answer {
    let body = object(&body)?;
    let Some(requests) = body.get("rest_requests").and_then(Value::as_array) else {
        return Err(Fail::bad("Invalid batch request", Some("rest_requests is missing")));
    };
    let router = simulator.router();
    let (mut serviced, mut unserviced) = (Vec::new(), Vec::new());
    for request in requests {
        let Some(map) = request.as_object() else { continue };
        let id = map.get("id").cloned().unwrap_or_default();
        match inner(map, &headers) {
            Some(inner) => serviced.push(answered(&router, map, id, inner).await?),
            None => unserviced.push(id),
        }
    }
    // An id that came as a number goes back as a text.
    let id = match body.get("batch_request_id") {
        Some(Value::String(id)) => id.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    };
    let answer = json!({ "batch_request_id": id, "serviced_requests": serviced, "unserviced_requests": unserviced });
    Ok(axum::Json(answer).into_response())
}

/// One request as it would have come by itself; nothing when it cannot be read.
fn inner(map: &Map<String, Value>, outer: &HeaderMap) -> Option<axum::http::Request<Body>> {
    let url = map.get("url")?.as_str()?;
    if !url.starts_with('/') || url.contains("/batch") {
        return None;
    }
    let body = match map.get("body").and_then(Value::as_str) {
        Some(text) => Body::from(STANDARD.decode(text).ok()?),
        None => Body::empty(),
    };
    let method = map.get("method")?.as_str()?;
    let mut request = axum::http::Request::builder().method(method).uri(url).body(body).ok()?;
    let headers = request.headers_mut();
    for pair in map.get("headers").and_then(Value::as_array).into_iter().flatten() {
        let name = HeaderName::from_bytes(pair.get("name")?.as_str()?.as_bytes()).ok()?;
        headers.insert(name, HeaderValue::from_str(pair.get("value")?.as_str()?).ok()?);
    }
    for name in [header::AUTHORIZATION, header::HOST] {
        if let Some(value) = outer.get(&name) {
            headers.insert(name, value.clone());
        }
    }
    Some(request)
}

async fn answered(
    router: &Router,
    map: &Map<String, Value>,
    id: Value,
    request: axum::http::Request<Body>,
) -> Result<Value, Fail> {
    let never: Result<_, std::convert::Infallible> = router.clone().oneshot(request).await;
    let Ok(answer) = never;
    let (parts, body) = answer.into_parts();
    let bytes =
        to_bytes(body, MOST).await.map_err(|error| Fail::bad("Invalid batch request", Some(&error.to_string())))?;
    let mut shown = json!({
        "id": id,
        "status_code": parts.status.as_u16(),
        "status_text": parts.status.canonical_reason(),
        "body": STANDARD.encode(bytes),
        "execution_time": 1,
        "redirect_url": null,
    });
    if map.get("exclude_response_headers") != Some(&Value::Bool(true)) {
        let pairs = parts
            .headers
            .iter()
            .filter_map(|(name, value)| Some(json!({ "name": name.as_str(), "value": value.to_str().ok()? })));
        shown["headers"] = pairs.collect();
    }
    Ok(shown)
}
