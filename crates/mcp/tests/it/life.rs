//! The life of a connection in both eras, and what people type into curl.

use mcp::{EndpointOptions, refusal_schema};
use serde_json::{Value, json};

use crate::fixture::{JSON, Server, modern, request};

#[tokio::test]
async fn the_older_life_initialize_initialized_list_call_ping() {
    let server = Server::start(EndpointOptions::default()).await;
    for revision in ["2025-11-25", "2025-06-18", "2025-03-26"] {
        let hello = request(
            "initialize",
            json!({"protocolVersion": revision, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}),
        );
        let result = server.post(&[], &hello).await.result();
        assert_eq!(result["protocolVersion"], revision);
        assert_eq!(result["serverInfo"]["name"], "fixture");
        assert_eq!(result["serverInfo"]["title"], "Fixture");
        assert_eq!(result["instructions"], "Only for tests.");
        assert!(result["capabilities"]["tools"].is_object());

        let version = ("mcp-protocol-version", revision);
        let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        let accepted = server.post(&[version], &initialized).await;
        assert_eq!((accepted.status, accepted.text.as_str()), (202, ""));

        // Some clients leave the version out after `initialize`.
        for headers in [vec![version], vec![]] {
            let list = server.post(&headers, &request("tools/list", json!({}))).await.result();
            let names: Vec<_> = list["tools"].as_array().unwrap().iter().map(|t| t["name"].clone()).collect();
            assert_eq!(names, ["echo", "refuse"]);
            for absent in ["resultType", "ttlMs", "cacheScope", "_meta"] {
                assert!(list.get(absent).is_none(), "{absent} is not known to {revision}");
            }
            let call = request("tools/call", json!({"name": "echo", "arguments": {"a": [1]}}));
            let called = server.post(&headers, &call).await.result();
            assert_eq!(called["structuredContent"]["arguments"], json!({"a": [1]}));
            assert_eq!(called["structuredContent"]["caller"], "alice");
            let text = called["content"][0]["text"].as_str().unwrap();
            assert_eq!(serde_json::from_str::<Value>(text).unwrap(), called["structuredContent"]);
            assert!(called.get("resultType").is_none());
            assert_eq!(server.post(&headers, &request("ping", json!({}))).await.result(), json!({}));
        }
    }
}

#[tokio::test]
async fn the_newer_life_discover_list_call() {
    let server = Server::start(EndpointOptions::default()).await;
    let found = server.modern(&modern("server/discover", json!({}))).await.result();
    assert_eq!(found["supportedVersions"], json!(["2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"]));
    assert_eq!(found["cacheScope"], "private");

    let list = server.modern(&modern("tools/list", json!({}))).await.result();
    assert_eq!((&list["cacheScope"], &list["ttlMs"]), (&json!("private"), &json!(60_000)));
    assert_eq!(list["resultType"], "complete");
    assert_eq!(list["tools"][0]["annotations"]["readOnlyHint"], true);

    let call = modern(
        "tools/call",
        json!({"name": "echo", "arguments": {"a": "é"},
        "_meta": {"dev.interlock/call": {"change": "c9", "idempotency_key": "k1"}}}),
    );
    let called = server.modern(&call).await.result();
    assert_eq!(called["structuredContent"]["arguments"], json!({"a": "é"}));
    assert_eq!(called["structuredContent"]["change"], "c9");
    assert_eq!(called["structuredContent"]["key"], "k1");
    assert_eq!(called["resultType"], "complete");

    for result in [&found, &list, &called] {
        assert_eq!(result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"], "fixture");
    }
}

#[tokio::test]
async fn t11_published_output_schemas_admit_results_and_refusals() {
    let server = Server::start(EndpointOptions::default()).await;
    let list = server.legacy(&request("tools/list", json!({}))).await.result();
    let schema = &list["tools"][0]["outputSchema"];
    assert_eq!(schema["type"], "object");
    assert_eq!(schema["anyOf"][1], refusal_schema());
    let check = jsonschema::validator_for(schema).unwrap();
    for name in ["echo", "refuse", "invalid"] {
        let called = server.legacy(&request("tools/call", json!({"name": name}))).await.result();
        assert!(check.is_valid(&called["structuredContent"]), "{called}");
    }
    assert!(!check.is_valid(&json!({"unrelated": 1})));
}

#[tokio::test]
async fn any_accept_that_admits_json_is_served() {
    let server = Server::start(EndpointOptions::default()).await;
    let body = request("tools/list", json!({})).to_string().into_bytes();
    for accept in ["*/*", "application/json", "application/*;q=0.5", "text/html, */*;q=0.1", "APPLICATION/JSON"] {
        let reply = server.send("POST", "/mcp", &[JSON, ("accept", accept)], body.clone()).await;
        assert!(reply.result()["tools"].is_array(), "{accept}");
    }
    for accept in ["text/html", "text/event-stream", "application/json;q=0"] {
        let reply = server.send("POST", "/mcp", &[JSON, ("accept", accept)], body.clone()).await;
        assert_eq!(reply.error(), (406, -32600, "not_acceptable".into()), "{accept}");
    }
}

#[tokio::test]
async fn an_endpoint_without_an_edge_serves_nothing() {
    let server = Server::start(EndpointOptions::default()).await;
    let body = request("ping", json!({})).to_string().into_bytes();
    let reply = server.send("POST", "/without-edge", &[JSON], body).await;
    assert_eq!(reply.error(), (500, -32603, "internal_error".into()));
}

#[tokio::test]
async fn a_list_that_fails_is_an_error_with_our_code() {
    let server = Server::start_as("shed", EndpointOptions::default()).await;
    let reply = server.legacy(&request("tools/list", json!({}))).await;
    assert_eq!(reply.error(), (200, 503, "overloaded".into()));
    let cursor = server.legacy(&request("tools/list", json!({"cursor": "x"}))).await;
    assert_eq!(cursor.error(), (200, -32602, "unknown_cursor".into()));
}
