//! Browser pages of allowed origins: the preflight is answered before a token could be there, and their scripts may read
//! the headers that carry part of an answer (Fetch standard, "CORS protocol"). Origins that are not allowed get no such
//! header, so that the browser refuses; `origin` refuses the request itself.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use crate::Gateway;

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, DELETE, OPTIONS");
/// What a script may read beside the few that it always may.
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "allow, idempotency-replayed, interlock-queued-ms, link, location, mcp-session-id, retry-after, www-authenticate, x-request-id, x-total-count",
);
/// Seconds for which a browser need not ask again.
const KEPT_S: HeaderValue = HeaderValue::from_static("600");
const VARY: HeaderValue =
    HeaderValue::from_static("origin, access-control-request-method, access-control-request-headers");

pub(super) async fn share(State(gateway): State<Arc<Gateway>>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let scripted = path.starts_with("/mcp") || path.starts_with("/api/") || path.starts_with("/.well-known/");
    let origin = scripted.then(|| allowed(&gateway, request.headers())).flatten();
    let preflight =
        request.method() == Method::OPTIONS && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let Some(origin) = origin else {
        let mut response = next.run(request).await;
        if scripted {
            response.headers_mut().append(header::VARY, HeaderValue::from_static("origin"));
        }
        return response;
    };
    if preflight {
        let asked = request.headers().get(header::ACCESS_CONTROL_REQUEST_HEADERS).cloned();
        let mut response = StatusCode::NO_CONTENT.into_response();
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, KEPT_S);
        headers.insert(header::VARY, VARY);
        // `Authorization` is never part of a wildcard, and MCP clients name headers after arguments.
        if let Some(asked) = asked {
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, asked);
        }
        return response;
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    response
}

/// The request's one origin, if it may call.
fn allowed(gateway: &Gateway, headers: &HeaderMap) -> Option<HeaderValue> {
    let mut given = headers.get_all(header::ORIGIN).iter();
    let origin = given.next().filter(|_| given.next().is_none())?;
    let text = origin.to_str().ok()?;
    let known = gateway.parts.options.origins.iter().any(|known| known.eq_ignore_ascii_case(text));
    known.then(|| origin.clone())
}
