//! Which revision a request is of, and what happens to those that we do not serve.

use mcp::{EndpointOptions, Extras, Revision};
use serde_json::json;

use crate::fixture::{Server, modern, request};

const OLDER: [Revision; 2] = [Revision::V2025_06_18, Revision::V2025_11_25];

#[tokio::test]
async fn a_switched_off_revision_looks_like_an_old_server() {
    let server = Server::start(EndpointOptions { revisions: OLDER.to_vec(), ..EndpointOptions::default() }).await;
    let old_style = (400, -32600, "unsupported_protocol_version".to_owned());
    assert_eq!(server.modern(&modern("server/discover", json!({}))).await.error(), old_style);
    assert_eq!(server.modern(&modern("tools/list", json!({}))).await.error(), old_style);
    assert_eq!(server.modern(&modern("tools/call", json!({"name": "echo"}))).await.error(), old_style);
    assert_eq!(server.post(&[], &modern("tools/call", json!({"name": "echo"}))).await.error(), old_style);

    let hello = |version: &str| {
        let client = json!({"name": "t", "version": "1"});
        request("initialize", json!({"protocolVersion": version, "capabilities": {}, "clientInfo": client}))
    };
    for asked in ["2026-07-28", "2025-03-26", "1999-01-01"] {
        let result = server.post(&[], &hello(asked)).await.result();
        assert_eq!(result["protocolVersion"], "2025-11-25", "asked for {asked}");
    }
    assert_eq!(server.post(&[], &hello("2025-06-18")).await.result()["protocolVersion"], "2025-06-18");
}

#[tokio::test]
async fn an_unknown_version_names_the_known_ones() {
    let server = Server::start(EndpointOptions::default()).await;
    let mut call = modern("tools/call", json!({"name": "echo"}));
    call["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] = "2099-01-01".into();
    let headers = [("mcp-protocol-version", "2099-01-01"), ("mcp-method", "tools/call"), ("mcp-name", "echo")];
    let reply = server.post(&headers, &call).await;
    assert_eq!(reply.error(), (400, -32022, "unsupported_protocol_version".into()));
    assert_eq!(reply.json()["error"]["data"]["supported"].as_array().unwrap().len(), 4);
    for version in ["2099-01-01", "2024-11-05", "x"] {
        let reply = server.post(&[("mcp-protocol-version", version)], &request("tools/list", json!({}))).await;
        assert_eq!(reply.error(), (400, -32600, "unsupported_protocol_version".into()));
        assert_eq!(reply.json()["id"], 7);
    }
}

#[tokio::test]
async fn a_newer_request_whose_headers_differ_from_its_body_is_refused() {
    let server = Server::start(EndpointOptions::default()).await;
    let call = modern("tools/call", json!({"name": "echo"}));
    let version = ("mcp-protocol-version", "2026-07-28");
    let method = ("mcp-method", "tools/call");
    let name = ("mcp-name", "echo");
    for headers in [
        vec![method, name],
        vec![version, name],
        vec![version, method],
        vec![("mcp-protocol-version", "2025-11-25"), method, name],
        vec![version, ("mcp-method", "tools/list"), name],
        vec![version, method, ("mcp-name", "refuse")],
        vec![version, method, ("mcp-name", "Echo")],
        vec![version, method, name, name],
        vec![version, version, method, name],
        vec![version, method, ("mcp-name", "=?base64?!!?=")],
    ] {
        let reply = server.post(&headers, &call).await;
        assert_eq!(reply.error(), (400, -32020, "header_mismatch".into()), "{headers:?}");
    }
    let encoded = server.post(&[version, method, ("mcp-name", "=?base64?ZWNobw==?=")], &call).await;
    assert_eq!(encoded.result()["isError"], false);
}

#[tokio::test]
async fn a_newer_request_without_its_meta_is_refused() {
    let server = Server::start(EndpointOptions::default()).await;
    for key in ["io.modelcontextprotocol/protocolVersion", "io.modelcontextprotocol/clientCapabilities"] {
        for wrong in [None, Some(json!(5))] {
            let mut call = modern("tools/call", json!({"name": "echo"}));
            let meta = call["params"]["_meta"].as_object_mut().unwrap();
            meta.remove(key);
            if let Some(wrong) = wrong {
                meta.insert(key.to_owned(), wrong);
            }
            let reply = server.modern(&call).await;
            assert_eq!(reply.error(), (400, -32602, "invalid_params".into()), "{call}");
        }
    }
}

#[tokio::test]
async fn unknown_methods_are_404_for_newer_and_a_plain_error_for_older_requests() {
    let server = Server::start(EndpointOptions::default()).await;
    for method in ["nonesuch", "logging/setLevel", "roots/list"] {
        let params = json!({"level": "info"});
        assert_eq!(server.modern(&modern(method, params.clone())).await.error().1, -32601, "{method}");
        assert_eq!(server.modern(&modern(method, params.clone())).await.status, 404, "{method}");
        let older = server.legacy(&request(method, params)).await;
        assert_eq!((older.status, older.error().1), (200, -32601), "{method}");
    }
    // What the newest revision took away is gone, whatever parameters it is sent with, and where older ones still have it.
    let extras = Extras { logging: true, resource_updates: true };
    let server = Server::everything_with(extras, EndpointOptions::default()).await;
    for method in ["initialize", "ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe"] {
        for params in [json!({}), json!({"uri": "test://r/1", "level": "info"})] {
            let reply = server.modern(&modern(method, params)).await;
            assert_eq!(reply.error(), (404, -32601, "unknown_method".into()), "{method}");
        }
        let older = server.legacy(&request(method, json!({"uri": 5}))).await;
        assert!(method == "ping" || older.error().1 == -32602, "{method} {older:?}");
    }
}

#[tokio::test]
async fn an_endpoint_for_the_newest_revision_only_says_so() {
    let revisions = vec![Revision::V2026_07_28];
    let server = Server::start(EndpointOptions { revisions, ..EndpointOptions::default() }).await;
    let client = json!({"name": "t", "version": "1"});
    let hello =
        request("initialize", json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client}));
    let reply = server.post(&[], &hello).await;
    assert_eq!(reply.error().1, -32022);
    assert_eq!(reply.json()["error"]["data"]["supported"], json!(["2026-07-28"]));
    assert_eq!(server.post(&[], &request("tools/call", json!({"name": "echo"}))).await.status, 400);
    assert_eq!(server.modern(&modern("tools/call", json!({"name": "echo"}))).await.result()["isError"], false);
}
