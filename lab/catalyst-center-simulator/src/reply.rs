//! Envelopes and errors as the controller words them.
//!
//! Intent errors are an object under `response`, data API errors a list; both carry `errorCode`, `message`, `detail`.

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// What a handler answers.
pub(crate) type Answer = Result<Response, Fail>;

/// `{"response": …, "version": "1.0"}`.
pub(crate) fn enveloped(response: impl Into<Value>) -> Answer {
    let response: Value = response.into();
    Ok(Json(json!({ "response": response, "version": "1.0" })).into_response())
}

/// As [`enveloped`], of rows that are text already.
pub(crate) fn enveloped_texts<T: AsRef<str>>(rows: &[T]) -> Answer {
    let size: usize = rows.iter().map(|row| row.as_ref().len() + 1).sum();
    let mut body = String::with_capacity(size + 40);
    body.push_str("{\"response\":[");
    for (at, row) in rows.iter().enumerate() {
        if at > 0 {
            body.push(',');
        }
        body.push_str(row.as_ref());
    }
    body.push_str("],\"version\":\"1.0\"}");
    Ok(([(CONTENT_TYPE, "application/json")], body).into_response())
}

/// A body without envelope.
pub(crate) fn bare(body: Value) -> Answer {
    Ok(Json(body).into_response())
}

/// Two objects as one; rows are longer than a macro takes.
pub(crate) fn joined(mut one: Value, more: Value) -> Value {
    if let (Value::Object(one), Value::Object(more)) = (&mut one, more) {
        one.extend(more);
    }
    one
}

/// 202 with a task.
pub(crate) fn accepted(task: uuid::Uuid) -> Answer {
    let body = json!({
        "response": { "taskId": task.to_string(), "url": format!("/api/v1/task/{task}") },
        "version": "1.0",
    });
    Ok((StatusCode::ACCEPTED, Json(body)).into_response())
}

/// A refusal in the controller's words.
#[derive(Debug, Clone)]
pub(crate) struct Fail {
    status: StatusCode,
    code: Value,
    message: String,
    detail: String,
    list: bool,
}

impl Fail {
    pub(crate) fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { status, code: Value::from(code), detail: message.clone(), message, list: false }
    }

    /// 400 `Bad request`.
    pub(crate) fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "Bad request", message)
    }

    /// 404 `Not found`.
    pub(crate) fn missing(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "Not found", message)
    }

    /// 500 for a failure of the simulator itself.
    pub(crate) fn broken(error: &impl std::fmt::Display) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error", error.to_string())
    }

    /// The same refusal as the data API words it: a list with a number as code.
    pub(crate) fn of_data_api(mut self) -> Self {
        self.list = true;
        self.code = Value::from(if self.status == StatusCode::NOT_FOUND { 14_006 } else { 14_001 });
        self
    }
}

impl From<platform::Error> for Fail {
    fn from(error: platform::Error) -> Self {
        Self::broken(&error)
    }
}

impl IntoResponse for Fail {
    fn into_response(self) -> Response {
        let error = json!({ "errorCode": self.code, "message": self.message, "detail": self.detail });
        let response = if self.list { json!([error]) } else { error };
        (self.status, Json(json!({ "response": response, "version": "1.0" }))).into_response()
    }
}
