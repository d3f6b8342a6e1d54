//! Request id, trace and source: minted first, so that whatever happens later can be found again. A caller's own
//! `x-request-id` is kept beside ours as `client_request_id`.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue};
use platform::context::{LOCAL_SOURCE, Protocol, RequestId, TraceContext};
use platform::telemetry::request_span;
use tracing::Instrument as _;

use crate::Gateway;

/// The header of the request id.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What is known of a request before anybody is recognised.
#[derive(Debug, Clone)]
pub(crate) struct Identified {
    pub(crate) request_id: RequestId,
    pub(crate) client_request_id: Option<String>,
    pub(crate) trace: TraceContext,
    pub(crate) source: IpAddr,
}

pub(super) async fn identify(State(gateway): State<Arc<Gateway>>, mut request: Request, next: Next) -> Response {
    let headers = request.headers();
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map_or(LOCAL_SOURCE, |info| info.0.ip());
    let identified = Identified {
        request_id: RequestId::mint(),
        client_request_id: printable(headers, &REQUEST_ID),
        trace: TraceContext::from_headers(text(headers, "traceparent"), text(headers, "tracestate")),
        source: source(peer, headers, |address| gateway.parts.options.trusts(address)),
    };
    let protocol = match request.uri().path() {
        path if path.starts_with("/mcp") => Protocol::Mcp,
        path if path.starts_with("/api/") => Protocol::Rest,
        _ => Protocol::Page,
    };
    let span = request_span(&identified.request_id, &identified.trace, protocol);
    let id = HeaderValue::from_str(&identified.request_id.to_string());
    request.extensions_mut().insert(identified);
    let mut response = next.run(request).instrument(span).await;
    if let Ok(id) = id {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|v| v.to_str().ok())
}

fn printable(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let value = text(headers, name.as_str())?;
    (!value.is_empty() && value.len() <= 128 && value.bytes().all(|b| (0x20..0x7f).contains(&b)))
        .then(|| value.to_owned())
}

/// The caller's address: the peer, or, behind trusted proxies, the last address in `X-Forwarded-For` that is not one of
/// them (T2).
pub(crate) fn source(peer: IpAddr, headers: &HeaderMap, trusts: impl Fn(IpAddr) -> bool) -> IpAddr {
    if !trusts(peer) {
        return peer;
    }
    let forwarded = headers.get_all("x-forwarded-for").iter().filter_map(|v| v.to_str().ok());
    let hops: Vec<IpAddr> = forwarded.flat_map(|v| v.split(',')).filter_map(|hop| hop.trim().parse().ok()).collect();
    hops.into_iter().rev().find(|hop| !trusts(*hop)).unwrap_or(peer)
}
