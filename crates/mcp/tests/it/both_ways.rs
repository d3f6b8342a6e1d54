//! The short way and rmcp's give the same answer to the same request.

use mcp::EndpointOptions;
use serde_json::{Value, json};

use crate::fixture::{Server, modern, request};

fn bodies() -> Vec<Value> {
    let mut bodies = Vec::new();
    for name in ["echo", "said", "list", "refuse", "invalid", "contradict", "explode", "nonesuch", "", "\u{7f}x"] {
        for arguments in [json!({}), json!({"a": {"b": [1, 2.5, null, "\u{1F600}\n"]}}), Value::Null] {
            bodies.push(json!({"name": name, "arguments": arguments}));
        }
        bodies.push(json!({"name": name}));
    }
    for meta in [
        json!({}),
        json!({"progressToken": 1}),
        json!({"dev.interlock/call": {"change": "c1"}}),
        json!({"dev.interlock/call": {"change": "c1", "idempotency_key": "k"}}),
        json!({"dev.interlock/call": null}),
        json!({"dev.interlock/call": {"other": 1}}),
        json!({"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}),
        json!({"io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"}}),
        json!({"io.modelcontextprotocol/clientInfo": 4}),
        json!({"io.modelcontextprotocol/logLevel": "info"}),
    ] {
        bodies.push(json!({"name": "echo", "arguments": {"a": 1}, "_meta": meta}));
    }
    for (key, value) in
        [("requestState", json!("x")), ("inputResponses", json!({})), ("task", json!({})), ("else", json!(1))]
    {
        bodies.push(json!({"name": "echo", key: value}));
    }
    bodies
}

#[tokio::test]
async fn both_ways_answer_alike() {
    let fast = Server::start(EndpointOptions::default()).await;
    let long = Server::start(EndpointOptions { fast_calls: false, ..EndpointOptions::default() }).await;
    let mut compared = 0;
    // Cycled, for the crossing of all with all takes seconds.
    let ids = [json!(7), json!(-1), json!(i64::MAX), json!("7"), json!(""), json!("é\"\\\u{1}")];
    for (id, params) in ids.iter().cycle().zip(bodies()) {
        let mut older = request("tools/call", params.clone());
        let mut newer = modern("tools/call", params.clone());
        older["id"] = id.clone();
        newer["id"] = id.clone();
        let name = params["name"].as_str().unwrap();
        let sendable = name.bytes().all(|b| (0x20..0x7f).contains(&b));
        let mut header_sets = vec![
            vec![],
            vec![("mcp-protocol-version", "2025-06-18")],
            vec![("mcp-protocol-version", "2025-11-25"), ("mcp-method", "tools/list"), ("mcp-name", "other")],
            vec![("mcp-protocol-version", "2026-07-28")],
            vec![("mcp-protocol-version", "2026-07-28"), ("mcp-method", "tools/call"), ("mcp-name", "other")],
        ];
        if sendable {
            header_sets.push(vec![
                ("mcp-protocol-version", "2026-07-28"),
                ("mcp-method", "tools/call"),
                ("mcp-name", name),
            ]);
        }
        for headers in &header_sets {
            for body in [&older, &newer] {
                let (a, b) = (fast.post(headers, body).await, long.post(headers, body).await);
                assert_eq!(a.status, b.status, "{body} {headers:?}\n{}\n{}", a.text, b.text);
                assert_eq!(a.content_type, b.content_type, "{body} {headers:?}");
                assert_eq!(a.json(), b.json(), "{body} {headers:?}");
                compared += 1;
            }
        }
    }
    assert!(compared > 500, "{compared}");
}

#[tokio::test]
async fn t31_a_call_that_waited_for_its_turn_says_so_to_those_who_know_such_a_place() {
    let server = Server::start(EndpointOptions::default()).await;
    let ask = async |version: &str, name: &str, body: Value| {
        let headers = [("mcp-protocol-version", version), ("mcp-method", "tools/call"), ("mcp-name", name)];
        server.post(&headers, &body).await.json()["result"]["_meta"]["dev.interlock/queued_ms"].clone()
    };
    let params = |name: &str| json!({"name": name, "arguments": {}});
    assert_eq!(ask("2026-07-28", "said", modern("tools/call", params("said"))).await, 12);
    assert_eq!(ask("2026-07-28", "echo", modern("tools/call", params("echo"))).await, Value::Null);
    assert_eq!(ask("2025-11-25", "said", request("tools/call", params("said"))).await, Value::Null);
}
