//! Rule T11 on the wire.

use mcp::EndpointOptions;
use serde_json::json;

use crate::fixture::{Server, modern, request, request_id};

#[tokio::test]
async fn t11_a_refusal_is_a_result_with_the_word_the_code_the_url_and_the_next_call() {
    let server = Server::start(EndpointOptions::default()).await;
    let older = server.legacy(&request("tools/call", json!({"name": "refuse", "arguments": {}}))).await.result();
    let newer = server.modern(&modern("tools/call", json!({"name": "refuse", "arguments": {}}))).await.result();
    for result in [older, newer] {
        assert_eq!(result["isError"], true);
        assert_eq!(
            result["structuredContent"],
            json!({
                "code": "step_up_required",
                "message": "A second factor is needed.",
                "unmet": [{"obligation": "step_up", "message": "sign in again"}],
                "next": {"tool": "get_change", "arguments": {"change": "c1"}},
                "url": "https://interlock.example/pages/step-up/1"
            })
        );
        let text = result["content"][0]["text"].as_str().unwrap();
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(text.starts_with("Refused (step_up_required): "), "{text}");
        for part in ["https://interlock.example/pages/step-up/1", "get_change", r#"{"change":"c1"}"#] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(!result.to_string().contains("operator only"));
    }
}

#[tokio::test]
async fn t11_wrong_arguments_are_a_refusal_and_not_a_protocol_error() {
    let server = Server::start(EndpointOptions::default()).await;
    let result = server.legacy(&request("tools/call", json!({"name": "invalid"}))).await.result();
    assert_eq!(result["isError"], true);
    assert_eq!(result["structuredContent"]["code"], "invalid_arguments");
    assert_eq!(result["structuredContent"]["details"], json!({"fields": ["count"]}));
}

#[tokio::test]
async fn an_unknown_tool_and_a_contradiction_are_invalid_params() {
    let server = Server::start(EndpointOptions::default()).await;
    for (name, code) in [("nonesuch", "unknown_tool"), ("contradict", "reference_conflict")] {
        let older = server.legacy(&request("tools/call", json!({"name": name}))).await;
        assert_eq!(older.error(), (200, -32602, code.into()));
        assert_eq!(older.json()["id"], 7);
        let newer = server.modern(&modern("tools/call", json!({"name": name}))).await;
        assert_eq!(newer.error(), (200, -32602, code.into()));
    }
}

#[tokio::test]
async fn t12_references_that_cannot_be_read_are_refused_and_not_forgotten() {
    let server = Server::start(EndpointOptions::default()).await;
    for meta in [json!("c1"), json!({"change": 1}), json!({"chnage": "c1"})] {
        let params = json!({"name": "echo", "_meta": {"dev.interlock/call": meta}});
        let older = server.legacy(&request("tools/call", params.clone())).await;
        assert_eq!(older.error(), (200, -32602, "malformed_references".into()));
        let newer = server.modern(&modern("tools/call", params)).await;
        assert_eq!(newer.error(), (200, -32602, "malformed_references".into()));
    }
}

#[tokio::test]
async fn a_tool_that_panics_is_a_failed_call_and_the_server_lives() {
    let server = Server::start(EndpointOptions::default()).await;
    for reply in [
        server.legacy(&request("tools/call", json!({"name": "explode"}))).await,
        server.modern(&modern("tools/call", json!({"name": "explode"}))).await,
    ] {
        let result = reply.result();
        assert_eq!(result["isError"], true);
        assert_eq!(result["structuredContent"]["code"], "internal_error");
        let text = result["content"][0]["text"].as_str().unwrap();
        assert!(text.contains(&request_id().to_string()) && !text.contains("defect"), "{text}");
    }
    assert_eq!(server.legacy(&request("ping", json!({}))).await.result(), json!({}));
}
