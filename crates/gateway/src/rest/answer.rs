//! From a call's answer to its response: 200, or 202 with the `Location` of work that goes on; page links (RFC 8288);
//! what was replayed says so. Next: `query`, which reads the URLs that are written here.

use api::{CallStatus, ToolResult};
use axum::Json;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use platform::Json as Value;
use tool_runtime::Answer;

use crate::problem::IDEMPOTENCY_REPLAYED;

/// Rows of a whole list, where the target says it: beside the result's own `total`, for those who read headers.
pub(super) const TOTAL: HeaderName = HeaderName::from_static("x-total-count");
/// How long the call waited for its turn at its target, milliseconds (T31).
const QUEUED: HeaderName = HeaderName::from_static("interlock-queued-ms");
/// Seconds after which a look at work under way makes sense; most looks wait for its end themselves.
pub(super) const LOOK_AGAIN_S: u64 = 1;

/// The call that is answered.
pub(super) struct Called<'a> {
    pub(super) server: &'a str,
    pub(super) tool: &'a str,
    /// Arguments of a GET: only such a call has a URL of its own, and so pages with links.
    pub(super) by_query: Option<&'a Value>,
}

pub(super) fn success(called: &Called<'_>, answer: Answer) -> Response {
    let mut headers = HeaderMap::new();
    // A look at work that has not ended is followed by another look: 202 again, until it has.
    let location = answer.follow_up.as_ref().and_then(|next| url_of(called.server, &next.tool, &next.arguments));
    if let Some(location) = location.and_then(|l| HeaderValue::from_str(&l).ok()) {
        headers.insert(header::LOCATION, location);
        headers.insert(header::RETRY_AFTER, LOOK_AGAIN_S.into());
    }
    if answer.replayed {
        headers.insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
    }
    waited(&mut headers, answer.queued_ms);
    if let Some(links) = links(called, &answer.structured).and_then(|l| HeaderValue::from_str(&l).ok()) {
        headers.insert(header::LINK, links);
    }
    if answer.structured.get("items").is_some_and(Value::is_array)
        && let Some(total) = answer.structured.get("total").and_then(Value::as_u64)
    {
        headers.insert(TOTAL, total.into());
    }
    let (code, status) = match headers.contains_key(header::LOCATION) {
        true => (StatusCode::ACCEPTED, CallStatus::Accepted),
        false => (StatusCode::OK, CallStatus::Success),
    };
    let (server, tool) = (called.server.to_owned(), called.tool.to_owned());
    (code, headers, Json(ToolResult { status, result: answer.structured, server, tool })).into_response()
}

/// Says how long a call waited for its turn, where it did.
pub(super) fn waited(headers: &mut HeaderMap, queued_ms: u64) {
    if queued_ms > 0 {
        headers.insert(QUEUED, queued_ms.into());
    }
}

/// `next` of a page that has one, and `first` of any that is not alone.
fn links(called: &Called<'_>, result: &Value) -> Option<String> {
    let arguments = called.by_query?.as_object()?;
    let page = |cursor: Option<&str>| {
        let mut arguments = arguments.clone();
        arguments.remove("cursor");
        if let Some(cursor) = cursor {
            arguments.insert("cursor".to_owned(), cursor.into());
        }
        url_of(called.server, called.tool, &Value::Object(arguments))
    };
    let next = result.get("next_cursor").and_then(Value::as_str);
    if next.is_none() && !(result.get("items").is_some() && arguments.contains_key("cursor")) {
        return None;
    }
    let mut links = format!("<{}>; rel=\"first\"", page(None)?);
    if let Some(next) = next {
        links.push_str(&format!(", <{}>; rel=\"next\"", page(Some(next))?));
    }
    Some(links)
}

/// The URL that makes a call of a read by GET; `None` for arguments that a query cannot carry.
fn url_of(server: &str, tool: &str, arguments: &Value) -> Option<String> {
    Some(format!("/api/v1/mcp/{server}/tools/{tool}{}", query_of(arguments)?))
}

/// Arguments as a query, with its question mark where there are any; `None` for those that a query cannot carry.
pub(super) fn query_of(arguments: &Value) -> Option<String> {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in arguments.as_object().into_iter().flatten() {
        let values = match value {
            Value::Array(values) => values.as_slice(),
            one => std::slice::from_ref(one),
        };
        for value in values {
            match value {
                Value::String(text) => query.append_pair(name, text),
                Value::Number(_) | Value::Bool(_) => query.append_pair(name, &value.to_string()),
                Value::Null => continue,
                Value::Array(_) | Value::Object(_) => return None,
            };
        }
    }
    let query = query.finish();
    let mark = if query.is_empty() { "" } else { "?" };
    Some(format!("{mark}{query}"))
}

#[cfg(test)]
mod tests {
    use platform::Json;
    use serde_json::json;

    use tool_runtime::Answer;

    use super::{Called, links, success, url_of};

    fn linked(arguments: Json, result: Json) -> Option<String> {
        links(&Called { server: "s", tool: "t", by_query: Some(&arguments) }, &result)
    }

    #[test]
    fn pages_are_linked_with_the_arguments_that_they_belong_to() {
        let first = linked(json!({"role": "A B", "fields": ["x", "y"]}), json!({"items": [1], "next_cursor": "c+1"}));
        let url = "/api/v1/mcp/s/tools/t?";
        let expected = format!(
            "<{url}fields=x&fields=y&role=A+B>; rel=\"first\", <{url}cursor=c%2B1&fields=x&fields=y&role=A+B>; rel=\"next\""
        );
        assert_eq!(first.unwrap(), expected);
        let last = linked(json!({"cursor": "c"}), json!({"items": [1], "next_cursor": null}));
        assert_eq!(last.unwrap(), "</api/v1/mcp/s/tools/t>; rel=\"first\"");
        assert_eq!(linked(json!({}), json!({"items": [1], "next_cursor": null})), None);
        assert_eq!(linked(json!({"cursor": "mouse"}), json!({"device": 1})), None);
    }

    #[test]
    fn t31_a_call_that_waited_for_its_turn_says_how_long() {
        let answer = |queued_ms| Answer { structured: json!({}), follow_up: None, replayed: false, queued_ms };
        let header = |queued_ms| {
            let called = Called { server: "s", tool: "t", by_query: None };
            let response = success(&called, answer(queued_ms));
            response.headers().get("interlock-queued-ms").and_then(|value| value.to_str().ok()).map(str::to_owned)
        };
        assert_eq!((header(0), header(250)), (None, Some("250".to_owned())));
    }

    #[test]
    fn arguments_that_a_query_cannot_carry_have_no_url() {
        assert_eq!(url_of("s", "t", &json!({"params": {"a": 1}})), None);
        assert_eq!(
            url_of("s", "t", &json!({"n": 3, "b": false, "z": null})).unwrap(),
            "/api/v1/mcp/s/tools/t?b=false&n=3"
        );
    }
}
