//! Refusals on MCP (rule T11): the schema that every published `outputSchema` carries, and the two lines of text.
//!
//! Nine of 23 measured clients show the model nothing but the text block and six drop `isError`, so the text says the
//! word, the code and the next step by itself. Some SDKs check errors against `outputSchema` too, so it must admit them.
//! Next: `platform::error::Refusal` for the members, `reply` for the wire.

use std::fmt::Write as _;
use std::sync::Arc;

use platform::context::RequestId;
use platform::error::Refusal;
use platform::{Error, ErrorKind, Json};
use serde_json::{Map, json};

/// JSON Schema (2020-12) of [`platform::error::Refusal`] as `structuredContent`.
pub fn refusal_schema() -> Json {
    json!({
        "title": "Refusal",
        "description": "Why the call was not carried out, and what would change that. Comes with isError true.",
        "type": "object",
        "required": ["code", "message"],
        "properties": {
            "code": {"type": "string", "description": "Stable code, snake_case."},
            "message": {"type": "string"},
            "unmet": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["obligation", "message"],
                    "properties": {"obligation": {"type": "string"}, "message": {"type": "string"}}
                }
            },
            "next": {
                "type": "object",
                "description": "The call that helps.",
                "required": ["tool", "arguments"],
                "properties": {
                    "tool": {"type": "string"},
                    "arguments": {},
                    "server": {"type": "string", "description": "The server that has it, where that is another one."}
                }
            },
            "url": {"type": "string", "description": "Where a person goes next."},
            "change_id": {"type": "string"},
            "retry_after_s": {"type": "integer", "minimum": 1},
            "details": {}
        }
    })
}

/// The `outputSchema` to publish for a tool whose success fits `result`: `{type: object, anyOf: [result, Refusal]}`. A
/// `result` that is itself such a choice gets one more.
pub fn published_output_schema(result: &Map<String, Json>) -> Arc<Map<String, Json>> {
    let mut result = result.clone();
    let mut published = Map::new();
    // References such as `#/$defs/Row` resolve from the root of the document, so what they name has to move there.
    for key in ["$schema", "$defs", "definitions"] {
        if let Some(value) = result.remove(key) {
            published.insert(key.to_owned(), value);
        }
    }
    published.insert("type".to_owned(), Json::from("object"));
    let only_choices = result.keys().all(|key| key == "type" || key == "anyOf");
    let mut choices = match result.remove("anyOf") {
        Some(Json::Array(choices)) if only_choices => choices,
        Some(other) => {
            result.insert("anyOf".to_owned(), other);
            vec![Json::Object(result)]
        }
        None => vec![Json::Object(result)],
    };
    choices.push(refusal_schema());
    published.insert("anyOf".to_owned(), Json::Array(choices));
    Arc::new(published)
}

/// The two lines: `Refused (code): message`, then `Next: …`. A failure of the platform or the target begins with
/// `Failed` instead, since nobody said no and asking for permission would not help.
pub(crate) fn refusal_text(error: &Error, request: RequestId) -> String {
    let refusal = error.refusal();
    let word = match error.kind() {
        ErrorKind::Internal | ErrorKind::Upstream | ErrorKind::Timeout => "Failed",
        _ => "Refused",
    };
    let mut text = format!("{word} ({}): {}\nNext: ", refusal.code, one_line(&refusal.message));
    next_step(&mut text, error.kind(), refusal, request);
    text
}

fn next_step(text: &mut String, kind: ErrorKind, refusal: &Refusal, request: RequestId) {
    let mut steps = Vec::new();
    for unmet in &refusal.unmet {
        steps.push(format!("{}: {}", unmet.obligation, one_line(&unmet.message)));
    }
    if let Some(url) = &refusal.url {
        steps.push(format!("a person opens {url}"));
    }
    if let Some(next) = &refusal.next {
        let place = next.server.as_ref().map(|server| format!(" on {server}")).unwrap_or_default();
        steps.push(format!("call {}{place} with {}", next.tool, next.arguments));
    }
    if let Some(seconds) = refusal.retry_after_s {
        steps.push(format!("repeat after {seconds} s"));
    }
    if !steps.is_empty() {
        text.push_str(&steps.join("; "));
        return;
    }
    // Writing to a String cannot fail, so the results are dropped by `is_ok`.
    let _written = match kind {
        ErrorKind::Malformed | ErrorKind::InvalidInput | ErrorKind::NotFound | ErrorKind::TooLarge => {
            write!(text, "correct the call and repeat it").is_ok()
        }
        ErrorKind::Forbidden => write!(text, "none, policy does not allow this call").is_ok(),
        _ => write!(text, "give the operator request id {request}").is_ok(),
    };
}

fn one_line(text: &str) -> String {
    text.split(['\n', '\r']).map(str::trim).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use platform::context::RequestId;
    use platform::{Error, ErrorKind};
    use serde_json::{Map, json};

    use super::{published_output_schema, refusal_text};

    #[test]
    fn t11_two_lines_that_begin_with_refused_and_carry_code_url_and_next() {
        let error = Error::new(ErrorKind::Unmet, "step_up_required", "A second factor\nis needed.")
            .with_url("https://interlock.example/pages/step-up/1")
            .with_next("get_change", json!({"change": "c1"}));
        let text = refusal_text(&error, RequestId::mint());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert_eq!(lines[0], "Refused (step_up_required): A second factor is needed.");
        assert!(lines[1].contains("https://interlock.example/pages/step-up/1"));
        assert!(lines[1].contains(r#"call get_change with {"change":"c1"}"#));
    }

    #[test]
    fn t11_a_failure_of_the_target_does_not_pretend_that_somebody_said_no() {
        let request = RequestId::mint();
        let text = refusal_text(&Error::internal("secret detail"), request);
        assert!(text.starts_with("Failed (internal_error)"), "{text}");
        assert!(text.contains(&request.to_string()) && !text.contains("secret detail"));
    }

    #[test]
    fn t11_published_schemas_keep_their_definitions_reachable() {
        let result = json!({"type": "object", "$defs": {"Row": {}}, "properties": {"row": {"$ref": "#/$defs/Row"}}});
        let published = published_output_schema(result.as_object().unwrap_or(&Map::new()));
        assert_eq!(published.get("type"), Some(&json!("object")));
        assert_eq!(published.get("$defs"), Some(&json!({"Row": {}})));
        assert_eq!(published.get("anyOf").and_then(|a| a.as_array()).map(Vec::len), Some(2));
        let choice = json!({"type": "object", "anyOf": [{"required": ["a"]}, {"required": ["b"]}]});
        let published = published_output_schema(choice.as_object().unwrap_or(&Map::new()));
        assert_eq!(published.get("anyOf").and_then(|a| a.pointer("/1")), Some(&json!({"required": ["b"]})));
        assert_eq!(published.get("anyOf").and_then(|a| a.as_array()).map(Vec::len), Some(3));
    }
}
