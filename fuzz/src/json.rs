//! Bodies and queries: strict JSON, MCP messages, REST arguments.

use platform::Json;
use platform::strict_json::{StrictJson, too_deep};
use serde_json::json;

use crate::Verdict;

/// The strict reader never reads what an ordinary one reads otherwise, and reads its own writing the same.
pub fn strict_json(data: &[u8]) -> Verdict {
    let deep = too_deep(data);
    let Ok(StrictJson(value)) = serde_json::from_slice(data) else { return Verdict::Refused };
    let ordinary: Json = serde_json::from_slice(data).unwrap_or(Json::Null);
    assert_eq!(value, ordinary, "two readers, two values");
    assert_eq!(deep, depth(&value) > platform::strict_json::MAX_DEPTH, "the depth is counted as it is");
    let written = value.to_string();
    let again: Option<StrictJson> = serde_json::from_str(&written).ok();
    assert!(again.is_some_and(|StrictJson(again)| again == value), "what is written is read again");
    Verdict::Read
}

fn depth(value: &Json) -> usize {
    match value {
        Json::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Json::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// A message that passes the door is one JSON object whose method and parameters are what any reader sees.
pub fn mcp_message(data: &[u8]) -> Verdict {
    let Some((method, params)) = mcp::fuzzing::message(data) else { return Verdict::Refused };
    let ordinary: Json = serde_json::from_slice(data).unwrap_or(Json::Null);
    assert_eq!(ordinary["jsonrpc"], "2.0");
    assert_eq!(ordinary["method"], method.as_str());
    assert_eq!(ordinary.get("params").cloned().unwrap_or_else(|| json!({})), Json::Object(params));
    Verdict::Read
}

/// Arguments are an object, and exactly the body's member of that name.
pub fn rest_body(data: &[u8]) -> Verdict {
    match gateway::fuzzing::rest_body(data) {
        Ok(arguments) => {
            assert!(arguments.is_object());
            let ordinary: Json = serde_json::from_slice(data).unwrap_or(Json::Null);
            assert_eq!(ordinary.get("arguments").cloned().unwrap_or_else(|| json!({})), arguments);
            Verdict::Read
        }
        Err(code) => {
            assert!(["malformed_body", "invalid_arguments"].contains(&code.as_str()), "{code}");
            Verdict::Refused
        }
    }
}

/// A query becomes an object in which every value has the schema's type or is text; what takes one value has one, and
/// nothing becomes null.
pub fn rest_query(data: &[u8]) -> Verdict {
    let Ok(query) = std::str::from_utf8(data) else { return Verdict::Refused };
    let schema = json!({"properties": {"n": {"type": "integer"}, "b": {"type": ["boolean", "null"]},
        "s": {"type": "string"}, "l": {"type": "array"}, "o": {"type": "object"}, "a/b": {"type": "number"}, "~": {}}});
    let read = match gateway::fuzzing::rest_query(query, Some(&schema)) {
        Ok(read) => read,
        Err(code) => {
            assert!(["query_unreadable", "invalid_arguments"].contains(&code.as_str()), "{code}");
            return Verdict::Refused;
        }
    };
    let arguments = read.as_object().cloned().unwrap_or_default();
    assert_eq!(Json::Object(arguments.clone()), read, "a query gives an object");
    for (name, value) in &arguments {
        let fits = match name.as_str() {
            "n" | "a/b" => value.is_number() || value.is_string(),
            "b" => value.is_boolean() || value.is_string(),
            "l" => value.as_array().is_some_and(|items| items.iter().all(Json::is_string)),
            "o" => false,
            _ => value.is_string(),
        };
        assert!(fits, "{name} became {value}");
    }
    Verdict::of(!arguments.is_empty())
}
