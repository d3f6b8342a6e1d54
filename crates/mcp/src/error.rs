//! The one mapping from our errors to JSON-RPC, and the JSON-RPC bodies of requests that cannot be read.
//!
//! Sources: JSON-RPC 2.0 section 5.1; MCP 2026-07-28 "Error responses" (`id` is left out when it could not be read; codes
//! of our own lie outside -32768..-32000). Every body carries our stable code in `error.data.code`.
//! Next: [`crate::refusal`] for refusals of a call that could be read (rule T11), which are results and not errors.

use std::borrow::Cow;

use axum::body::Body;
use http::{HeaderValue, Response, StatusCode, header};
use platform::context::RequestId;
use platform::{Error, ErrorKind};
use rmcp::model::{ErrorCode, ErrorData, JsonRpcError, NumberOrString};
use serde_json::json;

/// The JSON-RPC code for a platform error: the only such mapping in the product.
///
/// What the caller wrote wrongly is -32602, our own defect -32603; the rest are codes of our own, equal to the HTTP
/// status of the kind (401, 403, 409, 413, 429, 502, 503, 504).
pub const fn json_rpc_code(kind: ErrorKind) -> i32 {
    match kind {
        ErrorKind::Malformed | ErrorKind::InvalidInput | ErrorKind::NotFound => -32602,
        ErrorKind::Internal => -32603,
        other => other.http_status() as i32,
    }
}

/// `error.data` is the refusal itself, so that a client reads the same members on both ways.
pub(crate) fn error_data(error: &Error) -> ErrorData {
    let data = serde_json::to_value(error.refusal()).ok();
    ErrorData::new(ErrorCode(json_rpc_code(error.kind())), error.message().to_owned(), data)
}

/// Keeps the promise of an internal error, that the operator finds the details under the request id; a refusal's are
/// only worth a look while somebody debugs.
pub(crate) fn log_detail(error: &Error, request_id: RequestId) {
    let Some(detail) = error.detail() else { return };
    if error.kind() == ErrorKind::Internal {
        tracing::error!(code = error.code(), detail, %request_id, "a call failed");
    } else {
        tracing::debug!(code = error.code(), detail, %request_id, "a call was refused");
    }
}

pub(crate) fn unknown_tool(name: &str) -> ErrorData {
    // The name is the caller's own text: cut, so that a reply never carries a megabyte back.
    let shown: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
    ErrorData::new(
        ErrorCode::INVALID_PARAMS,
        format!("Unknown tool: {shown}. `tools/list` names the tools that you may see."),
        Some(json!({"code": "unknown_tool"})),
    )
}

/// A request refused before it reached a handler.
#[derive(Debug)]
pub(crate) struct Fault {
    status: StatusCode,
    id: Option<NumberOrString>,
    rpc: i32,
    code: &'static str,
    message: Cow<'static, str>,
}

impl Fault {
    fn new(status: StatusCode, rpc: i32, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, id: None, rpc, code, message: message.into() }
    }

    /// Not JSON at all: -32700.
    pub(crate) fn unreadable(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, -32700, code, message)
    }

    /// JSON, but not a JSON-RPC message for us: -32600.
    pub(crate) fn invalid_request(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, -32600, code, message)
    }

    /// A message whose parameters have the wrong types: -32602.
    pub(crate) fn invalid_params(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, -32602, code, message)
    }

    /// A method that the revision of the request does not have: -32601 with HTTP 200, as older requests expect it.
    pub(crate) fn unknown_method() -> Self {
        let message = "Method not found: the revision of this request does not have it.";
        Self::new(StatusCode::OK, -32601, "unknown_method", message)
    }

    /// Headers contradict each other or the body: -32020.
    pub(crate) fn header_mismatch(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, -32020, "header_mismatch", message)
    }

    /// An HTTP status that tells it all.
    pub(crate) fn http(status: StatusCode, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        let rpc = if status.is_server_error() { -32603 } else { -32600 };
        Self::new(status, rpc, code, message)
    }

    /// The endpoint was mounted without the edge in front of it; nothing is served (fail closed).
    pub(crate) fn no_context() -> Self {
        tracing::error!("a request reached the MCP endpoint without a call context; is it mounted behind the edge?");
        Self::unwritable()
    }

    /// A reply of ours that is no JSON.
    pub(crate) fn unwritable() -> Self {
        Self::http(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal_error",
            "Interlock failed while handling this request; the operator's log has the details.",
        )
    }

    /// The stable code.
    pub(crate) fn code(&self) -> &'static str {
        self.code
    }

    #[must_use]
    pub(crate) fn with_id(mut self, id: Option<NumberOrString>) -> Self {
        self.id = id;
        self
    }

    pub(crate) fn into_response(self) -> Response<Body> {
        let data = ErrorData::new(ErrorCode(self.rpc), self.message, Some(json!({"code": self.code})));
        let mut response = json_response(self.status, &JsonRpcError::new(self.id, data));
        if self.status == StatusCode::METHOD_NOT_ALLOWED {
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
        }
        response
    }
}

fn json_response(status: StatusCode, body: &JsonRpcError) -> Response<Body> {
    raw_json(status, serde_json::to_vec(body).unwrap_or_default())
}

pub(crate) fn raw_json(status: StatusCode, body: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// A failure of our own that no request id is known for.
pub(crate) fn internal(detail: impl std::fmt::Display) -> ErrorData {
    let error = Error::internal(detail);
    tracing::error!(detail = error.detail(), "the MCP endpoint failed");
    error_data(&error)
}

#[cfg(test)]
mod tests {
    use platform::{ErrorKind, Json};

    use super::{json_rpc_code, unknown_tool};

    #[test]
    fn codes_of_our_own_stay_outside_the_reserved_range() {
        for kind in [ErrorKind::Forbidden, ErrorKind::RateLimited, ErrorKind::Unavailable, ErrorKind::Timeout] {
            let code = json_rpc_code(kind);
            assert!(!(-32768..=-32000).contains(&code), "{kind:?} is {code}");
        }
        assert_eq!(json_rpc_code(ErrorKind::InvalidInput), -32602);
        assert_eq!(json_rpc_code(ErrorKind::Internal), -32603);
    }

    #[test]
    fn an_unknown_name_comes_back_short_and_printable() {
        let error = unknown_tool(&format!("\u{1b}[31m{}", "x".repeat(5000)));
        assert!(error.message.len() < 160 && !error.message.contains('\u{1b}'));
        assert_eq!(error.data.and_then(|d: Json| d.get("code").cloned()), Some(Json::from("unknown_tool")));
    }
}
