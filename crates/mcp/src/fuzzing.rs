//! The parsers of the MCP door as plain functions over bytes, for the fuzz targets in `fuzz/` and for nobody else.

use axum::body::Body;
use http::{HeaderName, HeaderValue, Request, header};
use platform::Json;
use serde_json::Map;

use crate::screen;

/// Method and parameters of a message; `None` where it is refused.
pub fn message(body: &[u8]) -> Option<(String, Map<String, Json>)> {
    let message = screen::message(body).ok()?;
    Some((message.method.into_owned(), message.params))
}

/// Whether a POST with this `Accept` and this `Content-Type` is let in.
pub fn media_types(accept: &[u8], content_type: &[u8]) -> bool {
    let mut request = Request::new(Body::empty());
    *request.method_mut() = http::Method::POST;
    let mut put = |name: HeaderName, value: &[u8]| {
        HeaderValue::from_bytes(value).map(|value| request.headers_mut().insert(name, value)).is_ok()
    };
    put(header::ACCEPT, accept) && put(header::CONTENT_TYPE, content_type) && screen::head(&mut request).is_ok()
}
