//! Answers and refusals as the vendor words them: `{"result": …}`, and `{"error": {"message", "detail"}, "status": "failure"}`.

use axum::Json;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

/// What a handler answers.
pub(crate) type Answer = Result<Response, Fail>;

/// 200 with a result.
pub(crate) fn result(value: impl Into<Value>) -> Answer {
    // Moved and not copied: a page may be long.
    let envelope = Map::from_iter([("result".to_owned(), value.into())]);
    Ok(Json(Value::Object(envelope)).into_response())
}

/// 201 with a result and where it stands.
pub(crate) fn created(value: impl Into<Value>, location: String) -> Answer {
    let headers = [(header::LOCATION, location)];
    Ok((StatusCode::CREATED, headers, Json(json!({ "result": value.into() }))).into_response())
}

/// A refusal.
#[derive(Debug, Clone)]
pub(crate) struct Fail {
    pub(crate) status: StatusCode,
    message: String,
    detail: Option<String>,
}

impl Fail {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>, detail: Option<&str>) -> Self {
        Self { status, message: message.into(), detail: detail.map(str::to_owned) }
    }

    /// 400.
    pub(crate) fn bad(message: impl Into<String>, detail: Option<&str>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message, detail)
    }

    /// 400 for a table that is not there.
    pub(crate) fn no_table(name: &str) -> Self {
        Self::bad(format!("Invalid table {name}"), None)
    }

    /// 400 for a path that leads nowhere.
    pub(crate) fn no_resource() -> Self {
        Self::bad("Requested URI does not represent any resource", None)
    }

    /// 404 for a row that is not there, or that the caller may not see.
    pub(crate) fn no_record() -> Self {
        let detail = "Record doesn't exist or ACL restricts the record retrieval";
        Self::new(StatusCode::NOT_FOUND, "No Record found", Some(detail))
    }

    /// 403 for a row that the caller may not write.
    pub(crate) fn acl() -> Self {
        let detail = "ACL Exception Insert/Update/Delete Failed due to security constraints";
        Self::new(StatusCode::FORBIDDEN, "Operation Failed", Some(detail))
    }

    /// 403 for a table that the caller may not read.
    pub(crate) fn no_rights() -> Self {
        Self::new(StatusCode::FORBIDDEN, "Insufficient rights to query records", None)
    }

    /// 403 for fields without values.
    pub(crate) fn mandatory(labels: &[&str]) -> Self {
        let detail = format!("Data Policy Exception: The following fields are mandatory: {}", labels.join(", "));
        Self::new(StatusCode::FORBIDDEN, "Operation Failed", Some(&detail))
    }

    /// 403 for what a business rule stops.
    pub(crate) fn rule(table: &str, rule: &str, why: &str) -> Self {
        let detail = format!(
            "Operation against file '{table}' was aborted by Business Rule '{rule}'. {why}. Business Rule Stack:{rule}"
        );
        Self::new(StatusCode::FORBIDDEN, "Operation Failed", Some(&detail))
    }

    /// 401.
    pub(crate) fn unauthenticated() -> Self {
        let detail = "Required to provide Auth information";
        Self::new(StatusCode::UNAUTHORIZED, "User Not Authenticated", Some(detail))
    }
}

impl From<platform::Error> for Fail {
    fn from(error: platform::Error) -> Self {
        let detail = error.detail().map(ToString::to_string);
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, message: error.to_string(), detail }
    }
}

impl IntoResponse for Fail {
    fn into_response(self) -> Response {
        let mut headers = HeaderMap::new();
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("BASIC realm=\"Service-now\""));
        }
        let body = json!({ "error": { "message": self.message, "detail": self.detail }, "status": "failure" });
        (self.status, headers, Json(body)).into_response()
    }
}
