//! Broken, hostile and odd input: always a code of ours in a JSON-RPC body, never a dropped connection.

use mcp::EndpointOptions;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::fixture::{ACCEPT, JSON, Server, modern, request};

fn table() -> Vec<(&'static str, Vec<u8>, i64, &'static str)> {
    let call = |id: &str| format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"echo"}}}}"#);
    let text = |s: &str| s.as_bytes().to_vec();
    let nested = |open: &str, close: &str, n: usize| {
        let inner = format!("{}1{}", open.repeat(n), close.repeat(n));
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"echo","arguments":{{"a":{inner}}}}}}}"#
        )
    };
    let rpc = |method: &str, params: serde_json::Value| request(method, params).to_string().into_bytes();
    vec![
        ("empty", vec![], -32700, "empty_body"),
        ("blank", text(" \r\n\t"), -32700, "empty_body"),
        ("truncated", text(r#"{"jsonrpc":"2.0","id":1,"meth"#), -32700, "parse_error"),
        ("trailing", text(&(call("1") + "x")), -32700, "parse_error"),
        ("two messages", text(&(call("1") + &call("2"))), -32700, "parse_error"),
        ("not JSON", text("hello"), -32600, "not_a_message"),
        ("a form", text("a=1&b=2"), -32600, "not_a_message"),
        ("a string", text(r#""tools/call""#), -32600, "not_a_message"),
        ("null", text("null"), -32600, "not_a_message"),
        (
            "latin-1",
            b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":{\"a\":\"\xe9\"}}".to_vec(),
            -32700,
            "invalid_utf8",
        ),
        ("utf-16", text("{\0}\0").into_iter().chain([0xff]).collect(), -32700, "invalid_utf8"),
        ("byte order mark", text("\u{feff}{}"), -32600, "not_a_message"),
        (
            "lone surrogate",
            text(r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":"\ud800"}}"#),
            -32700,
            "parse_error",
        ),
        ("batch", text(&format!("[{},{}]", call("1"), call("2"))), -32600, "batch"),
        ("empty batch", text("[]"), -32600, "batch"),
        ("no members", text("{}"), -32600, "not_json_rpc"),
        ("version 1", text(r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#), -32600, "not_json_rpc"),
        ("version as a number", text(r#"{"jsonrpc":2.0,"id":1,"method":"ping"}"#), -32600, "not_json_rpc"),
        ("no method", text(r#"{"jsonrpc":"2.0","id":1}"#), -32600, "invalid_method"),
        ("method as a number", text(r#"{"jsonrpc":"2.0","id":1,"method":5}"#), -32600, "not_a_message"),
        ("id null", text(&call("null")), -32600, "invalid_id"),
        ("id fraction", text(&call("1.5")), -32600, "invalid_id"),
        ("id object", text(&call(r#"{"a":1}"#)), -32600, "invalid_id"),
        ("id array", text(&call("[1]")), -32600, "invalid_id"),
        ("id bool", text(&call("true")), -32600, "invalid_id"),
        ("id too large", text(&call("18446744073709551615")), -32600, "invalid_id"),
        ("id huge", text(&call("1e999")), -32700, "parse_error"),
        ("a response", text(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#), -32600, "unexpected_response"),
        (
            "an error",
            text(r#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"x"}}"#),
            -32600,
            "unexpected_response",
        ),
        (
            "params array",
            text(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":[1]}"#),
            -32602,
            "invalid_params",
        ),
        (
            "params null",
            text(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":null}"#),
            -32602,
            "invalid_params",
        ),
        ("no name", text(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{}}"#), -32602, "invalid_params"),
        ("no params", text(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call"}"#), -32602, "invalid_params"),
        (
            "name as a number",
            text(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":5}}"#),
            -32602,
            "invalid_params",
        ),
        (
            "arguments as text",
            text(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":"x"}}"#),
            -32602,
            "invalid_params",
        ),
        (
            "meta as text",
            text(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","_meta":"x"}}"#),
            -32602,
            "invalid_params",
        ),
        ("a list with a cursor of the wrong type", rpc("tools/list", json!({"cursor": 5})), -32602, "invalid_params"),
        ("resources, the same", rpc("resources/list", json!({"cursor": {}})), -32602, "invalid_params"),
        ("templates, the same", rpc("resources/templates/list", json!({"cursor": []})), -32602, "invalid_params"),
        ("prompts, the same", rpc("prompts/list", json!({"cursor": false})), -32602, "invalid_params"),
        ("a resource without an address", rpc("resources/read", json!({})), -32602, "invalid_params"),
        ("a resource by number", rpc("resources/read", json!({"uri": 5})), -32602, "invalid_params"),
        ("a prompt without a name", rpc("prompts/get", json!({"arguments": {}})), -32602, "invalid_params"),
        ("a prompt with a list", rpc("prompts/get", json!({"name": "a", "arguments": []})), -32602, "invalid_params"),
        ("a task without an id", rpc("tasks/get", json!({})), -32602, "invalid_params"),
        ("a task by number", rpc("tasks/cancel", json!({"taskId": 1})), -32602, "invalid_params"),
        (
            "answers in a list",
            rpc("tasks/update", json!({"taskId": "a", "inputResponses": []})),
            -32602,
            "invalid_params",
        ),
        (
            "answers to a call in a text",
            rpc("tools/call", json!({"name": "a", "inputResponses": "x"})),
            -32602,
            "invalid_params",
        ),
        (
            "a state that is no text",
            rpc("tools/call", json!({"name": "a", "requestState": {"a": 1}})),
            -32602,
            "invalid_params",
        ),
        ("two ids", text(r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#), -32600, "duplicate_member"),
        (
            "two methods",
            text(r#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}"#),
            -32600,
            "duplicate_member",
        ),
        (
            "two names",
            text(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","name":"refuse"}}"#),
            -32600,
            "duplicate_member",
        ),
        (
            "two arguments",
            text(
                r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"a":{"b":1,"\u0062":2}}}}"#,
            ),
            -32600,
            "duplicate_member",
        ),
        ("nested 1000 arrays", text(&nested("[", "]", 1000)), -32600, "too_deep"),
        ("nested 1000 objects", text(&nested("{\"a\":", "}", 1000)), -32600, "too_deep"),
        (
            "nested 200000, unclosed",
            "[".repeat(200_000).into_bytes().split_off(1).into_iter().chain(*b"{").collect(),
            -32600,
            "batch",
        ),
        ("open objects", "{\"a\":".repeat(100_000).into_bytes(), -32600, "too_deep"),
        ("raw control byte", text("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"pi\u{1}ng\"}"), -32700, "parse_error"),
    ]
}

#[tokio::test]
async fn broken_messages_are_refused_with_a_code() {
    for fast_calls in [true, false] {
        let server = Server::start(EndpointOptions { fast_calls, ..EndpointOptions::default() }).await;
        for (what, body, rpc, code) in table() {
            let reply = server.send("POST", "/mcp", &[JSON, ACCEPT], body).await;
            assert_eq!(reply.error(), (400, rpc, code.to_owned()), "{what}: {reply:?}");
            assert_ne!(reply.json().get("id"), Some(&json!(null)), "an id is left out rather than null: {what}");
        }
        assert_eq!(server.legacy(&request("ping", json!({}))).await.result(), json!({}));
    }
}

#[tokio::test]
async fn nesting_up_to_the_limit_is_served() {
    let server = Server::start(EndpointOptions::default()).await;
    let deep = |n: usize| format!("{}1{}", "[".repeat(n), "]".repeat(n));
    let body = |n: usize| {
        let a = deep(n);
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"echo","arguments":{{"a":{a}}}}}}}"#
        )
    };
    let reply = server.send("POST", "/mcp", &[JSON], body(61).into_bytes()).await;
    assert_eq!(reply.result()["isError"], false);
    let reply = server.send("POST", "/mcp", &[JSON], body(62).into_bytes()).await;
    assert_eq!(reply.error().2, "too_deep");
}

#[tokio::test]
async fn bodies_over_the_limit_are_413_and_at_the_limit_are_served() {
    let server = Server::start(EndpointOptions { max_body: 4096, ..EndpointOptions::default() }).await;
    let sized = |size: usize| {
        let empty = request("tools/call", json!({"name": "echo", "arguments": {"a": ""}})).to_string().len();
        request("tools/call", json!({"name": "echo", "arguments": {"a": "x".repeat(size - empty)}}))
            .to_string()
            .into_bytes()
    };
    assert_eq!(server.send("POST", "/mcp", &[JSON], sized(4096)).await.result()["isError"], false);
    let reply = server.send("POST", "/mcp", &[JSON], sized(4097)).await;
    assert_eq!(reply.error(), (413, -32600, "body_too_large".into()));

    // Without a length, in chunks.
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    let head = "POST /mcp HTTP/1.1\r\nhost: t\r\nconnection: close\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    socket.write_all(head.as_bytes()).await.unwrap();
    for _ in 0..5 {
        socket.write_all(format!("400\r\n{}\r\n", "x".repeat(1024)).as_bytes()).await.unwrap();
    }
    let mut answer = vec![0; 12];
    socket.read_exact(&mut answer).await.unwrap();
    assert_eq!(String::from_utf8(answer).unwrap(), "HTTP/1.1 413");
}

#[tokio::test]
async fn other_methods_are_405_with_allow() {
    let server = Server::start(EndpointOptions::default()).await;
    for method in ["GET", "DELETE", "PUT", "PATCH", "OPTIONS", "MCP"] {
        let reply = server.send(method, "/mcp", &[ACCEPT], vec![]).await;
        assert_eq!(reply.error(), (405, -32600, "method_not_allowed".into()), "{method}");
        assert_eq!(reply.allow.as_deref(), Some("POST"), "{method}");
    }
}

#[tokio::test]
async fn other_content_types_are_415() {
    let server = Server::start(EndpointOptions::default()).await;
    let body = request("ping", json!({})).to_string().into_bytes();
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", "application/json-seq", ""] {
        let reply = server.send("POST", "/mcp", &[("content-type", kind)], body.clone()).await;
        assert_eq!(reply.error(), (415, -32600, "unsupported_media_type".into()), "{kind}");
    }
    assert_eq!(server.send("POST", "/mcp", &[], body.clone()).await.status, 415);
    for kind in ["application/json; charset=utf-8", "Application/JSON"] {
        let reply = server.send("POST", "/mcp", &[("content-type", kind)], body.clone()).await;
        assert_eq!(reply.result(), json!({}), "{kind}");
    }
}

#[tokio::test]
async fn known_methods_with_wrong_parameters_are_invalid_and_not_unknown() {
    let server = Server::start(EndpointOptions::default()).await;
    for (method, params) in [
        ("initialize", json!({})),
        ("initialize", json!({"protocolVersion": 5, "capabilities": {}, "clientInfo": {}})),
        ("tools/list", json!({"cursor": 5})),
    ] {
        let reply = server.legacy(&request(method, params)).await;
        assert_eq!(reply.error().1, -32602, "{reply:?}");
    }
}

#[tokio::test]
async fn a_notification_is_accepted_and_runs_nothing() {
    let server = Server::start(EndpointOptions::default()).await;
    for method in ["notifications/initialized", "notifications/cancelled", "notifications/other", "tools/call"] {
        let body = json!({"jsonrpc": "2.0", "method": method, "params": {"name": "slow", "requestId": 1}});
        let reply = server.legacy(&body).await;
        assert_eq!((reply.status, reply.text.as_str()), (202, ""), "{method}");
    }
    // The slow tool would have said that it began.
    assert!(futures_util::FutureExt::now_or_never(server.signals.started.notified()).is_none());
}

#[tokio::test]
async fn a_caller_that_stops_in_the_middle_of_its_body_harms_nobody() {
    let server = Server::start(EndpointOptions::default()).await;
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    let head = "POST /mcp HTTP/1.1\r\nhost: t\r\ncontent-type: application/json\r\ncontent-length: 900\r\n\r\n{\"json";
    socket.write_all(head.as_bytes()).await.unwrap();
    socket.shutdown().await.unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert_eq!(server.legacy(&request("ping", json!({}))).await.result(), json!({}));
}

#[tokio::test]
async fn twenty_mixed_requests_at_once_each_get_their_own_answer() {
    let server = Server::start(EndpointOptions::default()).await;
    let one = async |n: u64| {
        let (mut older, mut newer) = (
            request("tools/call", json!({"name": "echo", "arguments": {"n": n}})),
            modern("tools/call", json!({"name": "echo", "arguments": {"n": n}})),
        );
        (older["id"], newer["id"]) = (json!(n), json!(n.to_string()));
        match n % 4 {
            0 => {
                let reply = server.legacy(&older).await;
                assert_eq!(reply.json()["id"], n);
                assert_eq!(reply.result()["structuredContent"]["arguments"]["n"], n);
            }
            1 => {
                let reply = server.modern(&newer).await;
                assert_eq!(reply.json()["id"], n.to_string());
                assert_eq!(reply.result()["structuredContent"]["arguments"]["n"], n);
            }
            2 => assert!(server.modern(&modern("tools/list", json!({}))).await.result()["tools"].is_array()),
            _ => assert_eq!(server.send("POST", "/mcp", &[JSON], b"{".to_vec()).await.error().1, -32700),
        }
    };
    futures_util::future::join_all((0..20).map(one)).await;
}

/// What reaches a handler that offers everything: long, odd and hostile values, in both eras, never more than an answer.
#[tokio::test]
async fn odd_values_for_what_is_offered_beside_tools_are_answered_with_a_code() {
    let server = Server::everything(EndpointOptions::default()).await;
    let long = "x".repeat(100_000);
    let completion =
        |of: serde_json::Value, value: serde_json::Value| json!({"ref": of, "argument": {"name": "a", "value": value}});
    for (method, params, code) in [
        ("resources/read", json!({"uri": ""}), "invalid_params"),
        ("resources/read", json!({"uri": "no-scheme"}), "invalid_params"),
        ("resources/read", json!({"uri": "://x"}), "invalid_params"),
        ("resources/read", json!({"uri": "1test://x"}), "invalid_params"),
        ("resources/read", json!({"uri": format!("test://{long}")}), "invalid_params"),
        ("resources/read", json!({"uri": "test://a b"}), "invalid_params"),
        ("resources/read", json!({"uri": "test://a\r\nx: y"}), "invalid_params"),
        ("resources/read", json!({"uri": "test://r/../../etc/passwd"}), "mcp_resource_unknown"),
        ("resources/read", json!({"uri": "file:///etc/passwd"}), "mcp_resource_unknown"),
        ("resources/list", json!({"cursor": long}), "invalid_cursor"),
        ("prompts/list", json!({"cursor": ""}), "unknown_cursor"),
        ("prompts/get", json!({"name": long}), "prompt_unknown"),
        ("prompts/get", json!({"name": "greet", "arguments": {"name": {"deep": []}}}), "invalid_params"),
        ("completion/complete", json!({}), "invalid_params"),
        ("completion/complete", completion(json!({"type": "ref/prompt"}), json!("a")), "invalid_params"),
        ("completion/complete", completion(json!({"type": "ref/x", "name": "a"}), json!("a")), "invalid_params"),
        ("completion/complete", completion(json!("ref/prompt"), json!("a")), "invalid_params"),
        ("completion/complete", completion(json!({"type": "ref/prompt", "name": "a"}), json!(5)), "invalid_params"),
    ] {
        let older = server.legacy(&request(method, params.clone())).await;
        assert_eq!(older.status, 200, "{method} {older:?}");
        assert_eq!(older.error().2, code, "{method} {older:?}");
        // A header that repeats the name holds neither nothing, nor a line break, nor more than a server reads.
        let name = params["uri"].as_str().or_else(|| params["name"].as_str());
        if name.is_some_and(|n| n.is_empty() || n.len() > 60_000 || n.contains('\r')) {
            continue;
        }
        let newer = server.modern(&modern(method, params)).await;
        assert_eq!(newer.error().2, code, "{method} {newer:?}");
    }
    for params in [json!({}), json!({"notifications": 5}), json!({"notifications": {"resourceSubscriptions": "x"}})] {
        let reply = server.modern(&modern("subscriptions/listen", params)).await;
        assert_eq!(reply.error().1, -32602, "{reply:?}");
    }
    for id in ["", "task-1\u{7f}", "../task-1", "TASK-1"] {
        let able = json!({"extensions": {"io.modelcontextprotocol/tasks": {}}});
        let body = crate::fixture::declaring("tasks/get", json!({"taskId": id}), &able);
        let headers = [("mcp-protocol-version", "2026-07-28"), ("mcp-method", "tasks/get")];
        let reply = server.post(&headers, &body).await;
        assert_eq!((reply.error().0, reply.error().1), (400, -32020), "the header repeats the id: {id}");
    }
    assert_eq!(server.legacy(&request("ping", json!({}))).await.result(), json!({}));
}

/// The reading that the endpoint does, for those who try it with all kinds of input.
#[test]
fn the_public_reading_is_the_endpoints() {
    for (what, body, _, code) in table() {
        assert_eq!(mcp::parse_message(&body).map_err(|m| m.0), Err(code), "{what}");
    }
    let call = request("tools/call", json!({"name": "echo"})).to_string();
    assert_eq!(mcp::parse_message(call.as_bytes()).as_deref(), Ok("tools/call"));
}
