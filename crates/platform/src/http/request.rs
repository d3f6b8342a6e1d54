//! One outbound request and its complete answer, and the check that a request's path stays below its target's base.
//! The client that sends them is in `target`.

use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use percent_encoding::percent_decode_str;
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;

use crate::context::TraceContext;
use crate::error::{Error, ErrorKind};

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

    /// The URL below `base`, or why this request may not be sent (T13): it would leave the configured scheme, host, port
    /// or base path, or reads differently to different servers.
    pub(super) fn url(&self, base: &Url) -> Result<Url, Error> {
        let refused = |why: &str| {
            Error::new(
                ErrorKind::InvalidInput,
                "target_request_refused",
                "This request would leave the path of its target and was not sent; check the identifiers in it.",
            )
            .with_detail(why)
        };
        if HOP_HEADERS.iter().any(|name| self.headers.contains_key(name)) {
            return Err(refused("a header decides about the connection or the host"));
        }
        if !self.path.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'\\' | b'#')) {
            return Err(refused("a control character, space, backslash, fragment or non-ASCII byte"));
        }
        let (path, query) = self.path.split_once('?').map_or((&*self.path, None), |(p, q)| (p, Some(q)));
        if !(path.starts_with('/') || path.is_empty()) || path.contains("//") {
            return Err(refused("not a path, or one with an empty segment"));
        }
        for segment in path.split('/') {
            let decoded: Vec<u8> = percent_decode_str(segment).collect();
            if decoded.iter().any(u8::is_ascii_control) {
                return Err(refused("an encoded control character"));
            }
            if decoded.split(|b| matches!(b, b'/' | b'\\')).any(|part| part == b"." || part == b"..") {
                return Err(refused("a dot segment"));
            }
        }
        let mut whole = format!("{}{path}", base.path().trim_end_matches('/'));
        if whole.is_empty() {
            whole.push('/');
        }
        let mut url = base.clone();
        url.set_path(&whole);
        url.set_query(query);
        url.set_fragment(None);
        // The parser's own normalisation must not have moved anything either.
        (url.path().len() >= whole.len() && url.origin() == base.origin() && url.path().starts_with(base_path(base)))
            .then_some(url)
            .ok_or_else(|| refused("the URL does not stay below the base"))
    }
}

/// Headers that only the connection itself may set.
const HOP_HEADERS: [HeaderName; 6] = [
    http::header::HOST,
    http::header::CONNECTION,
    http::header::TRANSFER_ENCODING,
    http::header::CONTENT_LENGTH,
    http::header::UPGRADE,
    http::header::TE,
];

fn base_path(base: &Url) -> &str {
    base.path().trim_end_matches('/')
}

/// A complete response of any status.
#[derive(Debug, Clone)]
pub struct Response {
    /// Status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// Body, at most [`super::TargetOptions::max_body`] bytes.
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

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use http::Method;
    use url::Url;

    use super::Request;

    fn at(base: &str, path: &str) -> Option<String> {
        let base = Url::parse(base).unwrap();
        Request::new(Method::GET, path, Instant::now()).url(&base).ok().map(String::from)
    }

    #[test]
    fn t13_a_path_stays_below_its_base() {
        assert_eq!(at("https://c.example/dna/", "/v1/x?a=//b/../c").unwrap(), "https://c.example/dna/v1/x?a=//b/../c");
        assert_eq!(at("https://c.example/dna", "").unwrap(), "https://c.example/dna");
        assert_eq!(at("https://c.example", "/compare/main...next").unwrap(), "https://c.example/compare/main...next");
        assert_eq!(at("https://c.example", "/a%2Fb").unwrap(), "https://c.example/a%2Fb");
    }

    #[test]
    fn t13_a_path_that_leaves_its_target_is_refused() {
        for path in [
            "https://evil.example/x",
            "//evil.example/x",
            "@evil.example/x",
            ":8443/x",
            ".evil.example/",
            "x",
            "/a//b",
            "/../x",
            "/a/../../x",
            "/a/./x",
            "/%2e%2e/x",
            "/.%2E/x",
            "/a%2f..%2f..%2fx",
            "/a%5c..%5cx",
            "/a\\..\\x",
            "/a\r\nHost: evil.example",
            "/a%0d%0ax",
            "/a%00",
            "/a b",
            "/a#b",
            "/ü",
        ] {
            assert_eq!(at("https://c.example/dna", path), None, "{path:?}");
        }
    }

    #[test]
    fn t13_a_request_cannot_name_another_host() {
        let base = Url::parse("https://c.example").unwrap();
        let request = Request::new(Method::GET, "/", Instant::now())
            .header(http::header::HOST, http::HeaderValue::from_static("evil.example"));
        assert_eq!(request.url(&base).unwrap_err().code(), "target_request_refused");
    }
}
