//! From bytes to one well-formed message, or to our own refusal: rmcp answers broken input with 415 and plain text.
//!
//! Sources: MCP "Streamable HTTP" (one message per POST, media types, version header) and JSON-RPC 2.0 section 4. What
//! passes here is a request or a notification without duplicate members; rules that depend on the revision (headers equal
//! to the body, `_meta`) stay with rmcp and with `fast_call`. Next: [`message`](self::message()) for the
//! reading, `endpoint`, which calls these in order.

mod message;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;

pub use self::message::{Malformed, parse_message};
pub(crate) use self::message::{Message, message};
use crate::error::Fault;
use crate::revision::Revision;

pub(crate) const VERSION_HEADER: &str = "mcp-protocol-version";
pub(crate) const VERSION_KEY: &str = "io.modelcontextprotocol/protocolVersion";
pub(crate) const CAPABILITIES_KEY: &str = "io.modelcontextprotocol/clientCapabilities";

/// The caller takes `text/event-stream`: it may be told something before the answer.
#[derive(Clone, Copy)]
pub(crate) struct AcceptsStream;

/// The method and the media types; normalises `Accept`, since rmcp wants both types spelled out and people send `*/*`.
pub(crate) fn head(request: &mut Request<Body>) -> Result<Option<AcceptsStream>, Fault> {
    if request.method() != Method::POST {
        return Err(Fault::http(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "This endpoint takes POST only: it keeps no sessions and opens no streams.",
        ));
    }
    let headers = request.headers_mut();
    if !is_json(headers) {
        return Err(Fault::http(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "Send the message with `Content-Type: application/json`.",
        ));
    }
    if !accepts(headers, "application", "json") {
        return Err(Fault::http(
            StatusCode::NOT_ACCEPTABLE,
            "not_acceptable",
            "Send `Accept: application/json, text/event-stream`.",
        ));
    }
    let streams = accepts(headers, "text", "event-stream").then_some(AcceptsStream);
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
    Ok(streams)
}

fn is_json(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return false };
    let Ok(text) = value.to_str() else { return false };
    text.split(';').next().is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
}

/// RFC 9110 section 12.5.1, as far as a caller that wants one of two types needs it.
fn accepts(headers: &HeaderMap, kind: &str, subtype: &str) -> bool {
    let mut ranges =
        headers.get_all(header::ACCEPT).iter().flat_map(|v| v.to_str().unwrap_or("").split(',')).peekable();
    if ranges.peek().is_none() {
        return true;
    }
    ranges.any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let (k, s) = parts.next().and_then(|essence| essence.split_once('/')).unwrap_or_default();
        let excluded = parts.any(|p| {
            let Some(weight) = p.strip_prefix("q=").or_else(|| p.strip_prefix("Q=")) else { return false };
            weight.parse::<f32>().is_ok_and(|q| q <= 0.0)
        });
        let fits = match (k, s) {
            ("*", "*") => true,
            (k, "*") => k.eq_ignore_ascii_case(kind),
            (k, s) => k.eq_ignore_ascii_case(kind) && s.eq_ignore_ascii_case(subtype),
        };
        fits && !excluded
    })
}

/// Whether a limit that stands around the whole server ended the body: the caller is told the same as by our own.
fn past_a_limit(error: &axum::Error) -> bool {
    let mut causes = std::iter::successors(Some(error as &dyn std::error::Error), |e| e.source());
    causes.any(|e| e.is::<http_body_util::LengthLimitError>())
}

/// Reads the body up to `limit` bytes.
pub(crate) async fn read(body: Body, limit: usize) -> Result<Bytes, Fault> {
    let too_large = || {
        Fault::http(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            format!("The message is larger than {limit} bytes; ask for less, or send it in parts."),
        )
    };
    // `Content-Length` is compared first, so that an honest sender learns it before sending the rest.
    if http_body::Body::size_hint(&body).lower() > limit as u64 {
        return Err(too_large());
    }
    let mut body = body;
    let mut first: Option<Bytes> = None;
    let mut rest = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            if past_a_limit(&error) {
                too_large()
            } else {
                Fault::unreadable("truncated", "The request body ended before it was whole.")
            }
        })?;
        let Ok(data) = frame.into_data() else { continue };
        let have = first.as_ref().map_or(0, Bytes::len) + rest.len();
        if data.len() > limit.saturating_sub(have) {
            return Err(too_large());
        }
        if first.is_none() {
            first = Some(data);
        } else {
            rest.extend_from_slice(&data);
        }
    }
    let first = first.unwrap_or_default();
    if rest.is_empty() {
        return Ok(first);
    }
    let mut whole = BytesMut::with_capacity(first.len() + rest.len());
    whole.extend_from_slice(&first);
    whole.extend_from_slice(&rest);
    Ok(whole.freeze())
}

/// Refuses what none of our revisions serves, in the way an older server would: clients then fall back to `initialize`,
/// while one of those measured gives up on -32022. A version that is merely unknown, while 2026-07-28 is on, is left to
/// rmcp, which answers -32022 with the list.
pub(crate) fn version(headers: &HeaderMap, message: &Message<'_>, served: &[Revision]) -> Result<(), Fault> {
    let mut values = headers.get_all(VERSION_HEADER).iter();
    let header = values.next();
    if values.next().is_some() {
        return Err(Fault::header_mismatch("`MCP-Protocol-Version` occurs more than once."));
    }
    let header = header.map(|v| v.to_str()).transpose().map_err(|_| old_style("one that is not text", served))?;
    if message.method == "initialize" {
        return Ok(());
    }
    let stated = message.meta(VERSION_KEY).is_some();
    if (stated || message.method == "server/discover") && !served.contains(&Revision::V2026_07_28) {
        return Err(old_style(header.unwrap_or("2026-07-28"), served));
    }
    let Some(header) = header else { return Ok(()) };
    let known = Revision::parse(header).is_some_and(|r| served.contains(&r));
    if known || stated || message.method == "server/discover" {
        return Ok(());
    }
    Err(old_style(header, served))
}

/// What rmcp would judge too late: methods of 2026-07-28 that an older request does not know, and a stream for a caller
/// that does not take one.
pub(crate) fn stream(headers: &HeaderMap, message: &Message<'_>, accepted: bool) -> Result<(), Fault> {
    let newer =
        matches!(message.method.as_ref(), "tasks/get" | "tasks/update" | "tasks/cancel" | "subscriptions/listen");
    let version = headers.get(VERSION_HEADER).and_then(|v| v.to_str().ok()).and_then(Revision::parse);
    if newer && message.meta(VERSION_KEY).is_none() && version.is_none_or(Revision::is_legacy) {
        return Err(Fault::unknown_method());
    }
    if message.method == "subscriptions/listen" && !accepted {
        return Err(Fault::http(
            StatusCode::NOT_ACCEPTABLE,
            "not_acceptable",
            "This method answers with a stream; send `Accept: application/json, text/event-stream`.",
        ));
    }
    Ok(())
}

fn old_style(version: &str, served: &[Revision]) -> Fault {
    let shown: String = version.chars().filter(|c| !c.is_control()).take(32).collect();
    let names: Vec<&str> = served.iter().map(|r| r.as_str()).collect();
    Fault::invalid_request(
        "unsupported_protocol_version",
        format!("Bad Request: Unsupported protocol version: {shown} (supported versions: {})", names.join(", ")),
    )
}
