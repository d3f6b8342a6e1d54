//! The edge's parsers as plain functions over bytes, for the fuzz targets in `fuzz/` and for nobody else.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, HeaderValue};
use platform::Json;
use platform::context::CallReferences;

use crate::serve::{frames, tls, words};
use crate::{edge, pages, rest};

/// Headers out of raw values; a value that no server would hand on gives nothing.
fn headers(name: &'static str, values: &[&[u8]]) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(HeaderName::from_static(name), HeaderValue::from_bytes(value).ok()?);
    }
    Some(headers)
}

/// The arguments of a REST body, or the code of its refusal.
pub fn rest_body(bytes: &[u8]) -> Result<Json, String> {
    rest::body::read(bytes).map_err(|problem| problem.code().to_owned())
}

/// The arguments of a REST query, or the code of its refusal.
pub fn rest_query(query: &str, schema: Option<&Json>) -> Result<Json, String> {
    rest::query::from_query(query, schema).map_err(|error| error.code().to_owned())
}

/// The caller's address, from its peer's and the `X-Forwarded-For` values.
pub fn source(peer: IpAddr, forwarded: &[&[u8]], trusts: impl Fn(IpAddr) -> bool) -> Option<IpAddr> {
    Some(edge::source(peer, &headers("x-forwarded-for", forwarded)?, trusts))
}

/// What an `Idempotency-Key` means; `None` where no server would hand the value on.
pub fn references(values: &[&[u8]]) -> Option<Result<CallReferences, String>> {
    let headers = headers("idempotency-key", values)?;
    Some(edge::references(&headers).map_err(|error| error.code().to_owned()))
}

/// The sign-in cookie in `Cookie` values.
pub fn sign_in_cookie(values: &[&[u8]]) -> Option<String> {
    pages::cookie(&headers("cookie", values)?, "interlock_signin")
}

/// The ends of the certificates in a PEM file, each where it is one.
pub fn certificates(pem: &[u8]) -> Option<Vec<Option<i64>>> {
    let chain = tls::certificates(pem).ok()?;
    Some(chain.iter().map(|certificate| tls::not_after(certificate).ok()).collect())
}

/// Whether the meter of HTTP/2 frames lets these bytes pass, which come after the preface in pieces of `piece` bytes.
pub fn http2_frames(bytes: &[u8], piece: usize) -> bool {
    let now = std::time::Instant::now();
    let mut meter = frames::Meter::new(now);
    let whole = meter.take(frames::PREFACE, now).is_ok();
    whole && bytes.chunks(piece.max(1)).all(|part| meter.take(part, now).is_ok())
}

/// The code that takes the place of an answer which the HTTP library wrote by itself.
pub fn instead_of(written: &[u8]) -> Option<&'static str> {
    words::instead_of(written).map(|(code, _)| code)
}
