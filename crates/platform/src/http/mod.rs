//! The only outbound HTTP: one client type for *configured targets*, one for *foreign URLs* (rule T13), with deadlines,
//! budgeted retry and a circuit breaker. Nothing else in the workspace builds an HTTP client.
//!
//! [`TargetClient`] talks to exactly one scheme, host and port from the configuration: private addresses are fine,
//! redirects are not followed. Retries happen here and in the workflow engine, nowhere else.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;

use crate::context::TraceContext;
use crate::error::{Error, ErrorKind};

/// How to reach one configured target.
#[derive(Debug, Clone)]
pub struct TargetOptions {
    /// Name for metrics, logs and errors: the server instance or the service.
    pub name: String,
    /// Scheme, host, port and base path; everything else is refused.
    pub base: Url,
    /// PEM file with the certificate authorities to trust instead of the system's.
    pub ca_pem: Option<Vec<u8>>,
    /// SHA-256 of the server certificate's SubjectPublicKeyInfo, in hexadecimal: pins the peer.
    pub pin_sha256: Option<String>,
    /// Longest time for one attempt.
    pub attempt_timeout: Duration,
    /// Most bytes of a response body.
    pub max_body: usize,
}

impl TargetOptions {
    /// Defaults: 10 s an attempt, 8 MiB a body, the system's certificate authorities.
    pub fn new(name: impl Into<String>, base: Url) -> Self {
        Self {
            name: name.into(),
            base,
            ca_pem: None,
            pin_sha256: None,
            attempt_timeout: Duration::from_secs(10),
            max_body: 8 << 20,
        }
    }
}

/// One request to a target.
#[derive(Debug, Clone)]
pub struct Request {
    /// Method.
    pub method: Method,
    /// Path below the base URL, beginning with `/`, already percent-encoded, with its query.
    pub path: String,
    /// Headers.
    pub headers: HeaderMap,
    /// Body.
    pub body: Bytes,
    /// When the caller stops waiting; covers all attempts.
    pub deadline: Instant,
    /// Whether a repeat does no harm: only then is it retried.
    pub idempotent: bool,
}

impl Request {
    /// A request without a body; `GET` and `HEAD` are idempotent.
    pub fn new(method: Method, path: impl Into<String>, deadline: Instant) -> Self {
        let idempotent = matches!(method, Method::GET | Method::HEAD);
        Self { method, path: path.into(), headers: HeaderMap::new(), body: Bytes::new(), deadline, idempotent }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Hands the trace on.
    #[must_use]
    pub fn trace(mut self, trace: &TraceContext) -> Self {
        if let Ok(value) = HeaderValue::from_str(&trace.traceparent()) {
            self.headers.insert("traceparent", value);
        }
        self
    }

    /// Sets a JSON body.
    pub fn json<T: Serialize>(mut self, body: &T) -> Result<Self, Error> {
        self.body = serde_json::to_vec(body).map_err(Error::internal)?.into();
        self.headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(self)
    }

    /// Sets a form body.
    #[must_use]
    pub fn form(mut self, fields: &[(&str, &str)]) -> Self {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(fields);
        self.body = form.finish().into();
        self.headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        self
    }

    /// Says that a repeat does no harm (or that it does).
    #[must_use]
    pub fn idempotent(mut self, idempotent: bool) -> Self {
        self.idempotent = idempotent;
        self
    }
}

/// A complete response of any status.
#[derive(Debug, Clone)]
pub struct Response {
    /// Status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// Body, at most [`TargetOptions::max_body`] bytes.
    pub body: Bytes,
}

impl Response {
    /// The body as JSON; a target that answers anything else is at fault (`target_garbled`).
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|e| {
            Error::new(ErrorKind::Upstream, "target_garbled", "The target answered with something unreadable.")
                .with_detail(e)
        })
    }
}

/// The client for one configured target.
#[derive(Clone)]
pub struct TargetClient {
    client: reqwest::Client,
    options: std::sync::Arc<TargetOptions>,
}

impl TargetClient {
    /// Builds the client.
    pub fn new(options: TargetOptions) -> Result<Self, Error> {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .tcp_nodelay(true)
            .connect_timeout(Duration::from_secs(5))
            .build()
            .map_err(Error::internal)?;
        Ok(Self { client, options: std::sync::Arc::new(options) })
    }

    /// The options it was built with.
    pub fn options(&self) -> &TargetOptions {
        &self.options
    }

    /// Sends a request. Errors: `target_timeout` ([`ErrorKind::Timeout`]), `target_unreachable`, `target_circuit_open`
    /// ([`ErrorKind::Unavailable`]), `target_response_too_large` ([`ErrorKind::Upstream`]). A response of any status is
    /// a success here; the connector maps it.
    pub async fn send(&self, request: Request) -> Result<Response, Error> {
        let mut url = self.options.base.clone();
        let (path, query) = request.path.split_once('?').map_or((&*request.path, None), |(p, q)| (p, Some(q)));
        url.set_path(&format!("{}{path}", self.options.base.path().trim_end_matches('/')));
        url.set_query(query);
        let unreachable = |e: reqwest::Error| {
            let (kind, code) = if e.is_timeout() {
                (ErrorKind::Timeout, "target_timeout")
            } else {
                (ErrorKind::Unavailable, "target_unreachable")
            };
            Error::new(kind, code, format!("{} did not answer.", self.options.name)).with_detail(e.without_url())
        };
        let left = request.deadline.saturating_duration_since(Instant::now()).min(self.options.attempt_timeout);
        let sent = self.client.request(request.method, url).headers(request.headers).body(request.body).timeout(left);
        let response = sent.send().await.map_err(unreachable)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.bytes().await.map_err(unreachable)?;
        Ok(Response { status, headers, body })
    }
}
