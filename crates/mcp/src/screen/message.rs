//! One JSON-RPC message out of bytes: strictly, once, and with every fault named.
//!
//! Source: JSON-RPC 2.0 section 4, narrowed by MCP (ids are strings or integers, `params` is an object, no batches).
//! Next: [`crate::strict`] for how values are read, `fast_call` for what becomes of a call.

use std::borrow::Cow;
use std::fmt;

use platform::Json;
use rmcp::model::NumberOrString;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Map;

use crate::error::Fault;
use platform::strict_json::{DUPLICATE, MAX_DEPTH, StrictJson, too_deep};

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

/// Why a body is no message: the stable code of the refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

/// Reads one message as the endpoint does and says its method; for those who try the reading with all kinds of input.
pub fn parse_message(body: &[u8]) -> Result<String, Malformed> {
    message(body).map(|read| read.method.into_owned()).map_err(|fault| Malformed(fault.code()))
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

/// The types of the members that a method needs. rmcp would take such a request for an
/// unknown method, and read over a cursor of the wrong type.
fn wrong_shape(message: &Message<'_>) -> Option<Fault> {
    if message.params.get("_meta").is_some_and(|m| !m.is_object()) {
        return Some(Fault::invalid_params("invalid_params", "`params._meta` is an object."));
    }
    let wrong = |what| Some(Fault::invalid_params("invalid_params", what));
    let member = |name: &str| message.params.get(name).filter(|v| !v.is_null());
    let text = |name: &str| message.params.get(name).is_some_and(Json::is_string);
    match message.method.as_ref() {
        "tools/list" | "resources/list" | "resources/templates/list" | "prompts/list"
            if member("cursor").is_some_and(|c| !c.is_string()) =>
        {
            return wrong("`params.cursor` is a string.");
        }
        "tools/call" if !text("name") => return wrong("`params.name` is the name of a tool."),
        "prompts/get" if !text("name") => return wrong("`params.name` is the name of a prompt."),
        "resources/read" if !text("uri") => return wrong("`params.uri` is the address of a resource."),
        "tasks/get" | "tasks/update" | "tasks/cancel" if !text("taskId") => {
            return wrong("`params.taskId` is the id of a task.");
        }
        _ => {}
    }
    if matches!(message.method.as_ref(), "tools/call" | "prompts/get" | "resources/read" | "tasks/update") {
        if member("arguments").is_some_and(|a| !a.is_object()) {
            return wrong("`params.arguments` is an object.");
        }
        if member("inputResponses").is_some_and(|a| !a.is_object()) {
            return wrong("`params.inputResponses` is an object.");
        }
        if member("requestState").is_some_and(|a| !a.is_string()) {
            return wrong("`params.requestState` is a string.");
        }
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
                // What nobody reads is read strictly too: the protocol library reads it all again, and refuses in its own words.
                "result" | "error" => {
                    raw.is_response = true;
                    access.next_value::<StrictJson>()?;
                }
                _ => {
                    access.next_value::<StrictJson>()?;
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rmcp::model::ClientJsonRpcMessage;

    use super::message;

    const CALL: &[u8] = br#"{"jsonrpc":"2.0","id":"7","method":"tools/call","params":{"name":"echo","arguments":{"a":[1,{"b":null}]},"_meta":{"x":"\u00e9"}}}"#;

    proptest! {
        #[test]
        fn any_bytes_are_a_message_or_a_fault(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _read = message(&bytes).is_ok();
        }

        /// Nothing that passes here may be unreadable for rmcp, whose answer to that would not be ours.
        #[test]
        fn what_passes_is_a_message_for_rmcp_too(at in 0..CALL.len(), byte in any::<u8>(), cut in 0..8_usize) {
            let mut bytes = CALL.to_vec();
            bytes[at] = byte;
            bytes.drain(at..(at + cut).min(CALL.len()));
            if let Ok(read) = message(&bytes) {
                prop_assert!(serde_json::from_slice::<ClientJsonRpcMessage>(&bytes).is_ok());
                prop_assert_eq!(read.id.is_some(), bytes.windows(4).any(|w| w == b"\"id\""));
            }
        }
    }
}
