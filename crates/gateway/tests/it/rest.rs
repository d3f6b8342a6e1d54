//! REST in exactly the article's shapes, and refusals as problem documents (T11).

use platform::shared::RateLimit;
use serde_json::json;
use tool_runtime::pipeline::Limits;

use crate::fixture::{ALICE, Server, tool_path};

#[tokio::test]
async fn t11_success_has_exactly_four_members() {
    let server = Server::start().await;
    let reply = server.call("add_note", json!({"text": "a"})).await;
    assert_eq!(reply.status, 200);
    let expected =
        json!({"status": "success", "result": {"said": {"text": "a"}}, "server": "lab-1", "tool": "add_note"});
    assert_eq!(reply.json(), expected);
    // No body at all means no arguments.
    let reply = server.raw("POST", &tool_path("read_thing"), &[&server.host(), ALICE, "content-length: 0"], b"").await;
    assert_eq!(reply.json()["result"], json!({"said": {}}));
}

#[tokio::test]
async fn t11_long_work_is_202_with_a_location_that_answers() {
    let server = Server::start().await;
    let reply = server.call("start_thing", json!({})).await;
    assert_eq!((reply.status, reply.json()["status"].as_str()), (202, Some("accepted")));
    let location = reply.header("location").unwrap().to_owned();
    let followed = server.alice(&location).await;
    assert_eq!(
        (followed.status, followed.json()["result"].clone()),
        (200, json!({"said": {"text": "a b&c", "count": 3}}))
    );
}

#[tokio::test]
async fn reads_are_called_by_get_with_typed_values_and_writes_are_not() {
    let server = Server::start().await;
    let reply = server.alice(&format!("{}?count=3&deep=true&text=5&tags=x", tool_path("read_thing"))).await;
    assert_eq!(reply.json()["result"]["said"], json!({"count": 3, "deep": true, "text": "5", "tags": ["x"]}));
    let reply = server.alice(&format!("{}?count=three", tool_path("read_thing"))).await;
    assert_eq!(reply.problem(), (422, "invalid_arguments".into()));
    for path in [tool_path("add_note"), tool_path("reload_device")] {
        let reply = server.alice(&path).await;
        assert_eq!(reply.problem(), (405, "method_not_allowed".into()));
        assert_eq!(reply.header("allow"), Some("POST"));
    }
    let reply = server.raw("DELETE", &tool_path("add_note"), &[&server.host(), ALICE], b"").await;
    assert_eq!(reply.problem(), (405, "method_not_allowed".into()));
    assert!(server.audit.entries().iter().all(|e| e.tool.as_ref().is_none_or(|t| t.tool == "read_thing")));
}

#[tokio::test]
async fn t10_a_hidden_tool_cannot_be_told_from_a_missing_one_by_any_method() {
    let server = Server::start().await;
    let (hidden, missing) = (tool_path("hidden_write"), tool_path("nonesuch"));
    let get = (server.alice(&hidden).await, server.alice(&missing).await);
    let post = (server.call("hidden_write", json!({})).await, server.call("nonesuch", json!({})).await);
    for (hidden, missing) in [get, post] {
        assert_eq!(hidden.problem(), (404, "tool_unknown".into()));
        assert_eq!((&hidden.body, hidden.header("allow")), (&missing.body, missing.header("allow")));
    }
    let list = server.alice("/api/v1/mcp/lab-1/tools").await.json();
    let names: Vec<_> = list["tools"].as_array().unwrap().iter().map(|t| t["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["add_note", "fail_thing", "read_thing", "reload_device", "slow_thing", "start_thing"]);
    assert_eq!((list["server"].as_str(), list["count"].as_u64()), (Some("lab-1"), Some(6)));
    assert_eq!(list["tools"][3]["risk"], "disruptive");
    assert!(list["tools"][0]["input_schema"]["properties"]["_interlock"].is_object());
    assert_eq!(server.alice("/api/v1/mcp/nonesuch/tools").await.problem(), (404, "server_unknown".into()));
}

#[tokio::test]
async fn t11_every_kind_of_failure_has_its_status() {
    let server = Server::start().await;
    for (kind, status) in [
        ("malformed", 400),
        ("invalid_input", 422),
        ("forbidden", 403),
        ("unmet", 403),
        ("not_found", 404),
        ("conflict", 409),
        ("too_large", 413),
        ("rate_limited", 429),
        ("upstream", 502),
        ("unavailable", 503),
        ("timeout", 504),
        ("internal", 500),
    ] {
        let reply = server.call("fail_thing", json!({ "kind": kind })).await;
        assert_eq!(reply.problem(), (status, "it_failed".into()), "{kind}");
        assert!(!reply.body.contains("operator"));
        assert_eq!(reply.header("retry-after"), (status == 429).then_some("2"));
    }
}

#[tokio::test]
async fn t11_step_up_is_403_with_the_members_of_the_refusal() {
    let server = Server::start().await;
    let reply = server.call("reload_device", json!({})).await;
    assert_eq!(reply.problem(), (403, "step_up_required".into()));
    let body = reply.json();
    assert_eq!(body["unmet"][0]["obligation"], "step_up");
    assert!(body["url"].as_str().unwrap().starts_with(&format!("http://{}/elevate/", server.address)));
    let denied = server.post(&tool_path("read_thing"), &["authorization: Bearer mallory"], &json!({})).await;
    assert_eq!(denied.problem(), (403, "denied".into()));
}

#[tokio::test]
async fn bodies_that_cannot_be_read_say_why() {
    let server = Server::start().await;
    let (host, path) = (server.host(), tool_path("read_thing"));
    let send = async |kind: &str, body: &str| {
        let (kind, length) = (format!("content-type: {kind}"), format!("content-length: {}", body.len()));
        server.raw("POST", &path, &[&host, ALICE, &kind, &length], body.as_bytes()).await.problem()
    };
    assert_eq!(send("application/json", "{\"argu").await, (400, "malformed_body".into()));
    assert_eq!(send("text/plain", "{}").await, (415, "content_type_unsupported".into()));
    for body in ["[]", "{\"argumnets\": {}}", "{\"arguments\": []}", "{\"arguments\": {\"unknown\": 1}}"] {
        assert_eq!(send("application/json; charset=utf-8", body).await, (422, "invalid_arguments".into()), "{body}");
    }
    assert_eq!(server.alice("/api/v1/nowhere").await.problem(), (404, "path_unknown".into()));
}

#[tokio::test]
async fn a_limited_caller_is_told_when_to_come_back_and_a_key_conflict_is_409() {
    let once = RateLimit { per_minute: 1, burst: 1 };
    let server = Server::with(|_| {}, Limits { per_principal: once, ..Limits::default() }).await;
    server.call("read_thing", json!({})).await;
    let reply = server.call("read_thing", json!({})).await;
    assert_eq!(reply.problem(), (429, "rate_limited".into()));
    assert_eq!(reply.header("retry-after"), Some(reply.json()["retry_after_s"].to_string().as_str()));
    let server = Server::start().await;
    for (text, status) in [("a", 200), ("b", 409)] {
        let body = json!({"arguments": {"text": text}});
        let reply = server.post(&tool_path("add_note"), &[ALICE, "idempotency-key: k-1"], &body).await;
        assert_eq!(reply.status, status);
    }
}
