//! From bytes to one well-formed message, or to our own refusal: rmcp answers broken input with 415 and plain text.
//!
//! Sources: MCP "Streamable HTTP" (one message per POST, media types, version header) and JSON-RPC 2.0 section 4. What
//! passes here is a request or a notification without duplicate members; rules that depend on the revision (headers equal
//! to the body, `_meta`) stay with rmcp and with `fast_call`. Next: `endpoint`, which calls these in order.

use std::borrow::Cow;
use std::fmt;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use platform::Json;
use rmcp::model::NumberOrString;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Map;

use crate::error::Fault;
use crate::revision::Revision;
use crate::strict::{DUPLICATE, MAX_DEPTH, StrictJson, too_deep};

pub(crate) const VERSION_HEADER: &str = "mcp-protocol-version";
pub(crate) const VERSION_KEY: &str = "io.modelcontextprotocol/protocolVersion";
pub(crate) const CAPABILITIES_KEY: &str = "io.modelcontextprotocol/clientCapabilities";

/// A request or a notification.
pub(crate) struct Message<'a> {
    /// `None` for a notification.
    pub(crate) id: Option<NumberOrString>,
    pub(crate) method: Cow<'a, str>,
    /// Empty when the sender left it out.
    pub(crate) params: Map<String, Json>,
}

impl Message<'_> {
    /// A member of `params._meta`.
    pub(crate) fn meta(&self, key: &str) -> Option<&Json> {
        self.params.get("_meta")?.get(key)
    }
}

/// The method and the media types; normalises `Accept`, since rmcp wants both types spelled out and people send `*/*`.
pub(crate) fn head(request: &mut Request<Body>) -> Result<(), Fault> {
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
    if !accepts_json(headers) {
        return Err(Fault::http(
            StatusCode::NOT_ACCEPTABLE,
            "not_acceptable",
            "Send `Accept: application/json, text/event-stream`.",
        ));
    }
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
    Ok(())
}

fn is_json(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return false };
    let Ok(text) = value.to_str() else { return false };
    text.split(';').next().is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
}

fn accepts_json(headers: &HeaderMap) -> bool {
    let mut ranges =
        headers.get_all(header::ACCEPT).iter().flat_map(|v| v.to_str().unwrap_or("").split(',')).peekable();
    if ranges.peek().is_none() {
        return true;
    }
    ranges.any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let essence = parts.next().unwrap_or("");
        let excluded = parts.any(|p| {
            let Some(weight) = p.strip_prefix("q=").or_else(|| p.strip_prefix("Q=")) else { return false };
            weight.parse::<f32>().is_ok_and(|q| q <= 0.0)
        });
        let fits = ["application/json", "application/*", "*/*"].iter().any(|t| essence.eq_ignore_ascii_case(t));
        fits && !excluded
    })
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
        let frame = frame.map_err(|_| Fault::unreadable("truncated", "The request body ended before it was whole."))?;
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

/// Reads one message.
pub(crate) fn message(body: &[u8]) -> Result<Message<'_>, Fault> {
    let text = std::str::from_utf8(body).map_err(|_| Fault::unreadable("invalid_utf8", "The message is not UTF-8."))?;
    let first = text.trim_start().as_bytes().first();
    match first {
        None => return Err(Fault::unreadable("empty_body", "The request has no body; send one JSON-RPC message.")),
        Some(b'[') => {
            return Err(Fault::invalid_request(
                "batch",
                "Batches are not part of this protocol; send one message per POST.",
            ));
        }
        Some(_) => {}
    }
    if too_deep(body) {
        return Err(Fault::invalid_request("too_deep", format!("The message nests deeper than {MAX_DEPTH} levels.")));
    }
    let raw: Raw<'_> = serde_json::from_str(text).map_err(|e| unreadable(&e, first == Some(&b'{')))?;
    raw.check()
}

fn unreadable(error: &serde_json::Error, object: bool) -> Fault {
    // The library's own text may quote input, so only the position is passed on.
    let at = format!("line {} column {}", error.line(), error.column());
    if error.is_data() && error.to_string().starts_with(DUPLICATE) {
        return Fault::invalid_request("duplicate_member", format!("A member occurs twice in one object ({at})."));
    }
    if error.is_data() || !object {
        return Fault::invalid_request("not_a_message", format!("The body is not a JSON-RPC message ({at})."));
    }
    Fault::unreadable("parse_error", format!("The body is not JSON ({at})."))
}

#[derive(Default)]
struct Raw<'a> {
    version: Option<Json>,
    id: Id,
    method: Option<Name<'a>>,
    params: Option<Json>,
    is_response: bool,
}

/// A string that borrows from the body where it holds no escapes.
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(NameVisitor)
    }
}

struct NameVisitor;

impl<'de> Visitor<'de> for NameVisitor {
    type Value = Name<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E>(self, v: &'de str) -> Result<Name<'de>, E> {
        Ok(Name(Cow::Borrowed(v)))
    }

    fn visit_str<E>(self, v: &str) -> Result<Name<'de>, E> {
        Ok(Name(Cow::Owned(v.to_owned())))
    }
}

#[derive(Default)]
enum Id {
    #[default]
    Absent,
    Valid(NumberOrString),
    Wrong,
}

impl<'a> Raw<'a> {
    fn check(self) -> Result<Message<'a>, Fault> {
        let id = match self.id {
            Id::Absent => None,
            Id::Valid(id) => Some(id),
            Id::Wrong => {
                return Err(Fault::invalid_request("invalid_id", "`id` is a string or an integer, and never null."));
            }
        };
        if self.version.as_ref().and_then(Json::as_str) != Some("2.0") {
            return Err(Fault::invalid_request("not_json_rpc", "`jsonrpc` is \"2.0\" in every message.").with_id(id));
        }
        if self.is_response {
            return Err(Fault::invalid_request(
                "unexpected_response",
                "This server asks nothing, so there is nothing to answer.",
            ));
        }
        let Some(Name(method)) = self.method else {
            return Err(Fault::invalid_request("invalid_method", "`method` is missing.").with_id(id));
        };
        let params = match self.params {
            None => Map::new(),
            Some(Json::Object(params)) => params,
            Some(_) => return Err(Fault::invalid_params("invalid_params", "`params` is an object.").with_id(id)),
        };
        let message = Message { id, method, params };
        if let Some(fault) = wrong_shape(&message) {
            return Err(fault.with_id(message.id));
        }
        Ok(message)
    }
}

/// The types of the members that a call needs. rmcp would take such a call for an
/// unknown method, and read over a cursor of the wrong type.
fn wrong_shape(message: &Message<'_>) -> Option<Fault> {
    if message.params.get("_meta").is_some_and(|m| !m.is_object()) {
        return Some(Fault::invalid_params("invalid_params", "`params._meta` is an object."));
    }
    if message.method == "tools/list" && message.params.get("cursor").is_some_and(|c| !c.is_string() && !c.is_null()) {
        return Some(Fault::invalid_params("invalid_params", "`params.cursor` is a string."));
    }
    if message.method != "tools/call" {
        return None;
    }
    if !message.params.get("name").is_some_and(Json::is_string) {
        return Some(Fault::invalid_params("invalid_params", "`params.name` is the name of a tool."));
    }
    if message.params.get("arguments").is_some_and(|a| !a.is_object() && !a.is_null()) {
        return Some(Fault::invalid_params("invalid_params", "`params.arguments` is an object."));
    }
    None
}

impl<'de> Deserialize<'de> for Raw<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON-RPC message")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Raw<'de>, A::Error> {
        let duplicate = || <A::Error as serde::de::Error>::custom(DUPLICATE);
        let mut raw = Raw::default();
        while let Some(Name(key)) = access.next_key()? {
            match key.as_ref() {
                "jsonrpc" => {
                    if raw.version.replace(access.next_value::<StrictJson>()?.0).is_some() {
                        return Err(duplicate());
                    }
                }
                "method" => {
                    if raw.method.replace(access.next_value()?).is_some() {
                        return Err(duplicate());
                    }
                }
                "params" => {
                    if raw.params.replace(access.next_value::<StrictJson>()?.0).is_some() {
                        return Err(duplicate());
                    }
                }
                "id" => {
                    if !matches!(std::mem::replace(&mut raw.id, access.next_value()?), Id::Absent) {
                        return Err(duplicate());
                    }
                }
                "result" | "error" => {
                    raw.is_response = true;
                    access.next_value::<IgnoredAny>()?;
                }
                _ => {
                    access.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(raw)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(IdVisitor)
    }
}

struct IdVisitor;

impl<'de> Visitor<'de> for IdVisitor {
    type Value = Id;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or an integer")
    }

    fn visit_i64<E>(self, v: i64) -> Result<Id, E> {
        Ok(Id::Valid(NumberOrString::Number(v)))
    }

    fn visit_u64<E>(self, v: u64) -> Result<Id, E> {
        Ok(i64::try_from(v).map_or(Id::Wrong, |v| Id::Valid(NumberOrString::Number(v))))
    }

    fn visit_str<E>(self, v: &str) -> Result<Id, E> {
        Ok(Id::Valid(NumberOrString::String(v.into())))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Id, E> {
        Ok(Id::Wrong)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Id, E> {
        Ok(Id::Wrong)
    }

    fn visit_unit<E>(self) -> Result<Id, E> {
        Ok(Id::Wrong)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Id, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Id::Wrong)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Id, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Id::Wrong)
    }
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

fn old_style(version: &str, served: &[Revision]) -> Fault {
    let shown: String = version.chars().filter(|c| !c.is_control()).take(32).collect();
    let names: Vec<&str> = served.iter().map(|r| r.as_str()).collect();
    Fault::invalid_request(
        "unsupported_protocol_version",
        format!("Bad Request: Unsupported protocol version: {shown} (supported versions: {})", names.join(", ")),
    )
}
