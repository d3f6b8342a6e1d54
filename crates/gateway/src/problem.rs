//! Problem documents (RFC 9457): the one way an [`Error`] becomes an HTTP response. The members of a refusal (T11) stand
//! beside the standard ones.

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use platform::Error;
use platform::error::Refusal;
use serde::Serialize;

/// Says that an answer is the stored one of an earlier call with the same `Idempotency-Key`.
pub(crate) const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The body.
#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
    #[serde(flatten)]
    refusal: &'a Refusal,
}

/// An error on its way out.
#[derive(Debug)]
pub(crate) struct Problem {
    error: Error,
    logged: bool,
    status: Option<StatusCode>,
    headers: HeaderMap,
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self { error, logged: false, status: None, headers: HeaderMap::new() }
    }
}

impl Problem {
    /// The code.
    pub(crate) fn code(&self) -> &str {
        self.error.code()
    }

    /// Adds a header.
    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// For errors of a call: the pipeline logged their details under the call's record.
    pub(crate) fn logged(mut self) -> Self {
        self.logged = true;
        self
    }

    /// For statuses that belong to HTTP itself and to no kind of error: 405, 406, 415, 431; and 401 with a challenge that
    /// lifts a refusal (RFC 9470).
    pub(crate) fn with_status(mut self, status: StatusCode) -> Self {
        self.status = Some(status);
        self
    }

    /// Status and body, where the rest of a response is not axum's.
    pub(crate) fn document(&self) -> (StatusCode, Vec<u8>) {
        let status = self.status.or_else(|| StatusCode::from_u16(self.error.http_status()).ok());
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let document = Document {
            kind: format!("/errors/{}", self.error.code()),
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: self.error.message(),
            refusal: self.error.refusal(),
        };
        (status, serde_json::to_vec(&document).unwrap_or_default())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        if let Some(detail) = self.error.detail().filter(|_| !self.logged) {
            tracing::warn!(error.code = self.error.code(), error.message = detail, "request refused");
        }
        let mut response = self.document().into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(after) = self.error.refusal().retry_after_s {
            headers.insert(header::RETRY_AFTER, after.into());
        }
        if self.error.is_replayed() {
            headers.insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
        }
        headers.extend(self.headers);
        response
    }
}
