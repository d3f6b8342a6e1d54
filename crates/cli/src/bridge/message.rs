//! One JSON-RPC message of the client: what it is, and the HTTP headers that its revision of MCP wants beside it.
//!
//! Sources: JSON-RPC 2.0; MCP 2026-07-28 "Streamable HTTP" (`MCP-Protocol-Version`, `Mcp-Method`, `Mcp-Name`,
//! `Mcp-Param-*`, and `=?base64?…?=` for what no header can carry). The text itself travels as the client wrote it; the
//! one change that is ever made, [`Message::declaring_tasks`], leaves every other byte where it was.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};
use platform::Json;
use serde::Deserialize;
use serde_json::value::RawValue;

/// Where a request of 2026-07-28 names its revision.
pub(super) const VERSION_KEY: &str = "io.modelcontextprotocol/protocolVersion";
/// Where it declares what its client can do.
const CAPABILITIES_KEY: &str = "io.modelcontextprotocol/clientCapabilities";
/// The extension of long work.
const TASKS: &str = "io.modelcontextprotocol/tasks";

/// What a message is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    /// It wants an answer under this id.
    Request(Json),
    /// It wants none.
    Notification,
    /// It answers a request of ours with this id.
    Response(Json),
}

/// A message, and its text without line ends.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub(super) text: String,
    pub(super) kind: Kind,
    /// Empty for a response.
    pub(super) method: String,
    /// `params`, or the whole message for a response.
    pub(super) body: Json,
}

/// Why a line is no message; the JSON-RPC error to answer with.
#[derive(Debug, PartialEq)]
pub(super) struct Unreadable {
    pub(super) rpc: i32,
    pub(super) code: &'static str,
    pub(super) message: &'static str,
}

/// The parts of a message that decide what it is, from its text.
#[derive(Deserialize)]
struct Envelope {
    #[serde(default, deserialize_with = "present")]
    id: Option<Json>,
    method: Option<String>,
    #[serde(default)]
    params: Json,
    #[serde(default, deserialize_with = "present")]
    result: Option<Json>,
    #[serde(default, deserialize_with = "present")]
    error: Option<Json>,
}

/// Tells `null` from a member that is not there.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Json>, D::Error> {
    Json::deserialize(deserializer).map(Some)
}

impl Message {
    /// Reads a line.
    pub(super) fn parse(line: &str) -> Result<Self, Unreadable> {
        let text = line.trim();
        let invalid = |message| Unreadable { rpc: -32600, code: "invalid_request", message };
        let whole: Json = serde_json::from_str(text).map_err(|_| Unreadable {
            rpc: -32700,
            code: "parse_error",
            message: "This line is not JSON; every message is one line of JSON.",
        })?;
        if whole.is_array() {
            return Err(invalid("Batches are not taken; send one message per line."));
        }
        let envelope = Envelope::deserialize(&whole).map_err(|_| invalid("This JSON is no JSON-RPC message."))?;
        let text = text.to_owned();
        match (envelope.method, envelope.id) {
            (Some(method), Some(id)) if id.is_string() || id.is_number() => {
                Ok(Self { text, kind: Kind::Request(id), method, body: envelope.params })
            }
            (Some(_), Some(_)) => Err(invalid("The id of a request is text or a number.")),
            (Some(method), None) => Ok(Self { text, kind: Kind::Notification, method, body: envelope.params }),
            (None, Some(id)) if envelope.result.is_some() != envelope.error.is_some() => {
                Ok(Self { text, kind: Kind::Response(id), method: String::new(), body: whole })
            }
            _ => Err(invalid("This JSON is no JSON-RPC message.")),
        }
    }

    /// The revision that a message of 2026-07-28 or later carries; older ones carry none.
    pub(super) fn revision(&self) -> Option<&str> {
        self.body["_meta"][VERSION_KEY].as_str()
    }

    /// Whether it belongs to a revision without sessions.
    pub(super) fn is_modern(&self) -> bool {
        self.revision().is_some()
    }

    /// What the client asked to be told the progress under.
    pub(super) fn progress_token(&self) -> Option<&Json> {
        Some(&self.body["_meta"]["progressToken"]).filter(|token| token.is_string() || token.is_number())
    }

    /// The tool of a call.
    pub(super) fn tool(&self) -> Option<&str> {
        self.body["name"].as_str().filter(|_| self.method == "tools/call")
    }

    /// The headers beside it. `negotiated` is what an older client agreed on at `initialize`; `mirrored` knows which
    /// arguments of a tool a header repeats.
    pub(super) fn headers(&self, negotiated: Option<&str>, mirrored: &Mirrored) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let mut set = |name: &str, value: &str| {
            if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), header_value(value)) {
                headers.insert(name, value);
            }
        };
        let Some(revision) = self.revision() else {
            if let Some(negotiated) = negotiated {
                set("mcp-protocol-version", negotiated);
            }
            return headers;
        };
        set("mcp-protocol-version", revision);
        set("mcp-method", &self.method);
        let name = match &*self.method {
            "tools/call" | "prompts/get" => &self.body["name"],
            "resources/read" => &self.body["uri"],
            "tasks/get" | "tasks/update" | "tasks/cancel" => &self.body["taskId"],
            _ => &Json::Null,
        };
        if let Some(name) = name.as_str() {
            set("mcp-name", name);
        }
        for (path, header) in self.tool().and_then(|tool| mirrored.of(tool)).into_iter().flatten() {
            let argument = path.iter().fold(&self.body["arguments"], |at, member| &at[member.as_str()]);
            let value = match argument {
                Json::String(text) => text.clone(),
                Json::Bool(_) | Json::Number(_) => argument.to_string(),
                _ => continue,
            };
            set(&format!("mcp-param-{header}"), &value);
        }
        headers
    }

    /// The text of a call with the tasks extension among what the client declared; `None` when the client speaks an older
    /// revision, declared it itself, or this is no call.
    pub(super) fn declaring_tasks(&self) -> Option<String> {
        let declared = &self.body["_meta"][CAPABILITIES_KEY];
        if self.method != "tools/call" || !self.is_modern() || !declared["extensions"][TASKS].is_null() {
            return None;
        }
        let mut more = declared.as_object()?.clone();
        let extensions = more.entry("extensions").or_insert_with(|| Json::Object(serde_json::Map::new()));
        extensions.as_object_mut()?.insert(TASKS.to_owned(), Json::Object(serde_json::Map::new()));
        let place = capabilities_text(&self.text)?;
        // A part of the text, so its place in it is where it begins.
        let at = place.as_ptr().addr().checked_sub(self.text.as_ptr().addr())?;
        let (before, after) = (self.text.get(..at)?, self.text.get(at + place.len()..)?);
        Some(format!("{before}{}{after}", Json::Object(more)))
    }

    /// `_meta` for a request of our own in the name of this one: same revision, same client, tasks declared.
    pub(super) fn meta_with_tasks(&self) -> Json {
        let mut meta = self.body["_meta"].clone();
        if let Some(members) = meta.as_object_mut() {
            members.remove("progressToken");
        }
        if let Some(capabilities) = meta[CAPABILITIES_KEY].as_object_mut() {
            let extensions = capabilities.entry("extensions").or_insert_with(|| Json::Object(serde_json::Map::new()));
            if let Some(extensions) = extensions.as_object_mut() {
                extensions.insert(TASKS.to_owned(), Json::Object(serde_json::Map::new()));
            }
        }
        meta
    }
}

/// The capabilities as they stand in the text.
fn capabilities_text(text: &str) -> Option<&str> {
    fn member<'a>(text: &'a str, name: &str) -> Option<&'a str> {
        let members: HashMap<std::borrow::Cow<'a, str>, &'a RawValue> = serde_json::from_str(text).ok()?;
        members.get(name).map(|value| value.get())
    }
    member(member(member(text, "params")?, "_meta")?, CAPABILITIES_KEY)
}

/// A header's value: as it is, or wrapped where a header could not carry it unchanged.
fn header_value(text: &str) -> Result<HeaderValue, http::header::InvalidHeaderValue> {
    let looks_encoded = text.starts_with("=?base64?") && text.ends_with("?=");
    let plain = text.bytes().all(|b| matches!(b, 0x20..=0x7e)) && text.trim_matches(' ') == text && !looks_encoded;
    if plain {
        HeaderValue::from_str(text)
    } else {
        HeaderValue::from_str(&format!("=?base64?{}?=", STANDARD.encode(text)))
    }
}

/// Which arguments of which tool travel in a header too (`x-mcp-header` in the tool's schema), learned from the lists of
/// tools that pass by.
#[derive(Debug, Default)]
pub(super) struct Mirrored(HashMap<String, Vec<(Vec<String>, String)>>);

impl Mirrored {
    /// What is known of a tool; `None` when it was in no list.
    pub(super) fn of(&self, tool: &str) -> Option<&Vec<(Vec<String>, String)>> {
        self.0.get(tool)
    }

    /// Learns from the result of `tools/list`.
    pub(super) fn learn(&mut self, result: &Json) {
        for tool in result["tools"].as_array().into_iter().flatten() {
            let Some(name) = tool["name"].as_str() else { continue };
            let mut found = Vec::new();
            annotated(&tool["inputSchema"], &mut Vec::new(), &mut found);
            self.0.insert(name.to_owned(), found);
        }
    }
}

/// Deeper than this no argument is.
const DEEPEST: usize = 16;

fn annotated(schema: &Json, path: &mut Vec<String>, found: &mut Vec<(Vec<String>, String)>) {
    if path.len() >= DEEPEST {
        return;
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        path.push(name.clone());
        if let Some(header) = property["x-mcp-header"].as_str() {
            found.push((path.clone(), header.to_ascii_lowercase()));
        }
        annotated(property, path, found);
        path.pop();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::{Kind, Message, Mirrored};

    fn modern(method: &str, mut params: Json) -> Message {
        params["_meta"] = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {"elicitation": {}}});
        Message::parse(&json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string()).unwrap()
    }

    fn headers(message: &Message, negotiated: Option<&str>, mirrored: &Mirrored) -> Vec<String> {
        let headers = message.headers(negotiated, mirrored);
        let mut all: Vec<String> = headers.iter().map(|(n, v)| format!("{n}: {}", v.to_str().unwrap())).collect();
        all.sort();
        all
    }

    #[test]
    fn a_line_is_a_request_a_notification_or_a_response_and_nothing_else() {
        let kind = |line: &str| Message::parse(line).map(|m| m.kind).map_err(|e| e.rpc);
        assert_eq!(kind(r#"{"jsonrpc":"2.0","id":"a","method":"x"}"#), Ok(Kind::Request(json!("a"))));
        assert_eq!(kind(r#"{"jsonrpc":"2.0","method":"x"}"#), Ok(Kind::Notification));
        assert_eq!(kind(r#" {"jsonrpc":"2.0","id":2,"result":null} "#), Ok(Kind::Response(json!(2))));
        for (line, rpc) in [
            ("", -32700),
            ("{", -32700),
            ("[]", -32600),
            ("7", -32600),
            (r#"{"id":1}"#, -32600),
            (r#"{"id":null,"method":"x"}"#, -32600),
            (r#"{"id":{},"method":"x"}"#, -32600),
            (r#"{"id":1,"result":1,"error":{}}"#, -32600),
            (r#"{"id":1,"method":7}"#, -32600),
        ] {
            assert_eq!(kind(line), Err(rpc), "{line}");
        }
    }

    #[test]
    fn a_modern_message_names_revision_method_and_target_in_its_headers() {
        let none = Mirrored::default();
        let call = modern("tools/call", json!({"name": "get_device", "arguments": {}}));
        assert_eq!(
            headers(&call, Some("2025-11-25"), &none),
            ["mcp-method: tools/call", "mcp-name: get_device", "mcp-protocol-version: 2026-07-28"]
        );
        let read = modern("resources/read", json!({"uri": "interlock://café"}));
        assert!(headers(&read, None, &none).contains(&"mcp-name: =?base64?aW50ZXJsb2NrOi8vY2Fmw6k=?=".to_owned()));
        let poll = modern("tasks/get", json!({"taskId": "t1"}));
        assert!(headers(&poll, None, &none).contains(&"mcp-name: t1".to_owned()));
        let list = modern("tools/list", json!({}));
        assert_eq!(headers(&list, None, &none).len(), 2);
    }

    #[test]
    fn an_older_message_has_the_negotiated_revision_and_no_new_headers() {
        let call = Message::parse(r#"{"id":1,"method":"tools/call","params":{"name":"x"}}"#).unwrap();
        assert_eq!(headers(&call, Some("2025-06-18"), &Mirrored::default()), ["mcp-protocol-version: 2025-06-18"]);
        assert!(headers(&call, None, &Mirrored::default()).is_empty());
    }

    #[test]
    fn arguments_that_a_tool_wants_in_headers_are_repeated_there() {
        let mut mirrored = Mirrored::default();
        let string = |header: &str| json!({"type": "string", "x-mcp-header": header});
        let schema = json!({"properties": {"region": string("Region"), "n": {"type": "integer", "x-mcp-header": "Count"},
            "nested": {"properties": {"inner": string("Inner")}}, "list": {"items": string("Never")}}});
        mirrored.learn(&json!({"tools": [{"name": "t", "inputSchema": schema}]}));
        let arguments = json!({"region": " emea", "n": 7, "nested": {"inner": "x"}, "list": ["y"]});
        let call = modern("tools/call", json!({"name": "t", "arguments": arguments}));
        let headers = headers(&call, None, &mirrored);
        for header in ["mcp-param-region: =?base64?IGVtZWE=?=", "mcp-param-count: 7", "mcp-param-inner: x"] {
            assert!(headers.contains(&header.to_owned()), "{header}");
        }
        assert!(!headers.iter().any(|h| h.starts_with("mcp-param-never")));
    }

    #[test]
    fn declaring_tasks_changes_nothing_else_in_the_text() {
        let line = concat!(
            r#"{ "jsonrpc":"2.0","id":1, "method":"tools/call","params":{"name":"t","arguments":{"n":1.50,"big":123456789012345678901234567890},"#,
            r#""_meta":{"io.modelcontextprotocol/clientCapabilities": {"elicitation":{}} ,"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#
        );
        let declared = Message::parse(line).unwrap().declaring_tasks().unwrap();
        let want = line.replace(
            r#"{"elicitation":{}}"#,
            r#"{"elicitation":{},"extensions":{"io.modelcontextprotocol/tasks":{}}}"#,
        );
        assert_eq!(declared, want);
        assert_eq!(Message::parse(&declared).unwrap().declaring_tasks(), None, "declared already");
        assert_eq!(modern("tools/list", json!({})).declaring_tasks(), None);
        let legacy = Message::parse(r#"{"id":1,"method":"tools/call","params":{"name":"x"}}"#).unwrap();
        assert_eq!(legacy.declaring_tasks(), None);
    }
}
