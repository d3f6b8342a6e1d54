//! From a call's answer to its response: 200, or 202 with the `Location` of work that goes on; page links (RFC 8288);
//! what was replayed says so. Next: `query`, which reads the URLs that are written here.

use api::{CallStatus, ToolResult};
use axum::Json;
use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use platform::Json as Value;
use tool_runtime::Answer;
use tool_runtime::change_gate::started;

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
    let elsewhere = started(&answer.structured).filter(|(server, ..)| *server != called.server);
    let location = match (&answer.follow_up, elsewhere) {
        (Some(next), _) => url_of(called.server, &next.tool, &next.arguments),
        // The run of a change does what was asked (T14): how far it is, another server tells.
        (None, Some((server, tool, arguments))) => url_of(server, tool, arguments),
        (None, None) => None,
    };
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
    let result = ToolResult { status, result: Value::Null, server, tool };
    let Some(body) = answer.text.and_then(|text| around(&text, &result).ok()) else {
        return (code, headers, Json(ToolResult { result: answer.structured, ..result })).into_response();
    };
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let mut response = Response::new(Body::from(body));
    (*response.status_mut(), *response.headers_mut()) = (code, headers);
    response
}

/// [`ToolResult`] as it is serialised, around a result that is JSON text already.
fn around(text: &[u8], around: &ToolResult) -> serde_json::Result<Vec<u8>> {
    let ToolResult { status, result: _, server, tool } = around;
    let mut body = Vec::with_capacity(text.len() + 256);
    body.extend_from_slice(b"{\"status\":");
    serde_json::to_writer(&mut body, status)?;
    body.extend_from_slice(b",\"result\":");
    body.extend_from_slice(text);
    body.extend_from_slice(b",\"server\":");
    serde_json::to_writer(&mut body, server)?;
    body.extend_from_slice(b",\"tool\":");
    serde_json::to_writer(&mut body, tool)?;
    body.push(b'}');
    Ok(body)
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
    fn t14_a_call_that_joined_its_change_is_followed_at_the_server_that_has_changes() {
        let next = |server: &str| json!({"tool": "get_change", "arguments": {"change_id": "c"}, "server": server});
        let respond = |next: Json| {
            let structured = json!({"change_id": "c", "state": "applying", "next": next});
            let called = Called { server: "s", tool: "deploy_template", by_query: None };
            success(&called, Answer { structured, text: None, follow_up: None, replayed: false, queued_ms: 0 })
        };
        let joined = respond(next("interlock"));
        assert_eq!(joined.status(), 202);
        let location = joined.headers().get("location").map(|l| l.to_str().unwrap_or_default().to_owned());
        assert_eq!(location.as_deref(), Some("/api/v1/mcp/interlock/tools/get_change?change_id=c"));
        // What the server of changes says itself is followed by its own word alone.
        assert_eq!(respond(next("s")).status(), 200);
        assert_eq!(respond(json!({"tool": "get_change", "arguments": {}})).status(), 200);
    }

    #[test]
    fn t31_a_call_that_waited_for_its_turn_says_how_long() {
        let answer =
            |queued_ms| Answer { structured: json!({}), text: None, follow_up: None, replayed: false, queued_ms };
        let header = |queued_ms| {
            let called = Called { server: "s", tool: "t", by_query: None };
            let response = success(&called, answer(queued_ms));
            response.headers().get("interlock-queued-ms").and_then(|value| value.to_str().ok()).map(str::to_owned)
        };
        assert_eq!((header(0), header(250)), (None, Some("250".to_owned())));
    }

    #[tokio::test]
    async fn a_result_that_is_text_already_makes_the_same_reply() {
        let structured = json!({"items": [{"a\"": "\u{1}ü"}], "total": 7});
        let text = serde_json::to_vec(&structured).unwrap();
        let mut replies = Vec::new();
        for text in [None, Some(text.into())] {
            let answer = Answer { structured: structured.clone(), text, follow_up: None, replayed: true, queued_ms: 3 };
            let called = Called { server: "s", tool: "t\"", by_query: None };
            let (head, body) = success(&called, answer).into_parts();
            let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
            let mut headers: Vec<_> = head.headers.into_iter().map(|(name, value)| (name.unwrap(), value)).collect();
            headers.sort_by(|a, b| a.0.as_str().cmp(b.0.as_str()));
            replies.push((head.status, headers, body));
        }
        assert_eq!(replies[0], replies[1]);
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
