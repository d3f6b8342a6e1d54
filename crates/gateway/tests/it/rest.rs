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
        assert_eq!(reply.header("allow"), Some("POST, OPTIONS"));
    }
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
    assert_eq!(
        names,
        ["add_note", "configure_device", "fail_thing", "read_thing", "reload_device", "slow_thing", "start_thing"]
    );
    assert_eq!((list["server"].as_str(), list["count"].as_u64()), (Some("lab-1"), Some(7)));
    assert_eq!(list["tools"][4]["risk"], "disruptive");
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
    let untyped = server.raw("POST", &path, &[&host, ALICE, "content-length: 2"], b"{}").await;
    assert_eq!(untyped.problem(), (415, "content_type_unsupported".into()));
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

#[tokio::test]
async fn every_path_below_the_root_asks_for_a_token_first() {
    let server = Server::start().await;
    for path in
        ["/api/v1", "/api/v1/nowhere", "/api/v1/openapi.json", "/api/v1/mcp/nonesuch/tools", "/api/v1/mcp/x/y/z"]
    {
        for method in ["GET", "POST", "DELETE", "OPTIONS", "BREW"] {
            let reply = server.raw(method, path, &[&server.host(), "content-length: 0"], b"").await;
            assert_eq!(reply.problem(), (401, "token_missing".into()), "{method} {path}");
        }
    }
    assert_eq!(server.alice("/api/v1/mcp/%ff/tools").await.problem(), (404, "path_unknown".into()));
    assert_eq!(server.alice("/api/v1/mcp/lab-1/tools/%ff").await.problem(), (404, "path_unknown".into()));
}

#[tokio::test]
async fn other_methods_are_405_with_the_methods_that_there_are() {
    let server = Server::start().await;
    let (read, write) = (tool_path("read_thing"), tool_path("add_note"));
    let (reads, both, posts) = ("GET, HEAD, OPTIONS", "GET, HEAD, POST, OPTIONS", "POST, OPTIONS");
    for (path, allowed) in [
        ("/api/v1/openapi.json", reads),
        ("/api/v1/mcp/lab-1/tools", reads),
        (read.as_str(), both),
        (write.as_str(), posts),
    ] {
        for method in ["DELETE", "PUT", "PATCH", "TRACE", "BREW"] {
            let reply = server.raw(method, path, &[&server.host(), ALICE], b"").await;
            assert_eq!(reply.problem(), (405, "method_not_allowed".into()), "{method} {path}");
            assert_eq!(reply.header("allow"), Some(allowed), "{method} {path}");
        }
        let reply = server.raw("OPTIONS", path, &[&server.host(), ALICE], b"").await;
        assert_eq!((reply.status, reply.header("allow"), reply.body.as_str()), (204, Some(allowed), ""), "{path}");
    }
    // T10: no method tells a hidden tool from one that does not exist.
    for method in ["DELETE", "OPTIONS"] {
        for tool in ["hidden_write", "nonesuch"] {
            let reply = server.raw(method, &tool_path(tool), &[&server.host(), ALICE], b"").await;
            assert_eq!(reply.problem(), (404, "tool_unknown".into()), "{method} {tool}");
            assert_eq!(reply.header("allow"), None);
        }
    }
    let head = server.raw("HEAD", &format!("{read}?count=3"), &[&server.host(), ALICE], b"").await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
}

#[tokio::test]
async fn what_cannot_be_answered_in_json_is_406_before_anything_is_done() {
    let server = Server::start().await;
    for accept in ["text/html", "application/xml, text/*", "*/*, application/json;q=0"] {
        let accept = format!("accept: {accept}");
        let reply = server.post(&tool_path("add_note"), &[ALICE, &accept], &json!({})).await;
        assert_eq!(reply.problem(), (406, "not_acceptable".into()), "{accept}");
    }
    assert!(server.audit.entries().is_empty());
    for accept in ["*/*", "application/*;q=0.1", "text/html, application/json"] {
        let accept = format!("accept: {accept}");
        assert_eq!(server.get(&tool_path("read_thing"), &[ALICE, &accept]).await.status, 200, "{accept}");
    }
}

#[tokio::test]
async fn arguments_in_the_wrong_place_are_refused_and_not_ignored() {
    let server = Server::start().await;
    let post = server.post(&format!("{}?text=a", tool_path("add_note")), &[ALICE], &json!({})).await;
    for reply in [
        post,
        server.alice("/api/v1/mcp/lab-1/tools?cursor=x").await,
        server.alice("/api/v1/openapi.json?pretty=true").await,
    ] {
        assert_eq!(reply.problem(), (422, "query_unexpected".into()));
    }
    let read = tool_path("read_thing");
    for (query, status, code) in [
        ("text=a&text=b", 422, "invalid_arguments"),
        ("shape=%7B%7D", 422, "invalid_arguments"),
        ("maybe=null", 422, "invalid_arguments"),
        ("maybe=1", 422, "invalid_arguments"),
        ("other=b", 422, "invalid_arguments"),
        ("text=%ff", 400, "query_unreadable"),
    ] {
        assert_eq!(server.alice(&format!("{read}?{query}")).await.problem(), (status, code.into()), "{query}");
    }
    assert_eq!(server.alice(&format!("{read}?text=a&maybe=false")).await.status, 200);
    assert_eq!(server.alice(&format!("{}?text=%ff", tool_path("nonesuch"))).await.problem().0, 404);
}

#[tokio::test]
async fn work_that_goes_on_is_202_at_its_location_until_it_has_ended() {
    let server = Server::start().await;
    let started = server.call("start_thing", json!({})).await;
    assert_eq!((started.status, started.header("retry-after")), (202, Some("1")));
    let path = format!("{}?kind=soon", tool_path("read_thing"));
    let looked = server.alice(&path).await;
    assert_eq!((looked.status, looked.json()["status"].as_str()), (202, Some("accepted")));
    assert_eq!((looked.header("location"), looked.header("retry-after")), (Some(path.as_str()), Some("1")));
    let ended = server.alice(&format!("{}?kind=now", tool_path("read_thing"))).await;
    assert_eq!((ended.status, ended.json()["status"].as_str()), (200, Some("success")));
    assert_eq!((ended.header("location"), ended.header("retry-after")), (None, None));
}

#[tokio::test]
async fn pages_are_linked_and_counted() {
    let server = Server::start().await;
    let path = tool_path("read_thing");
    let first = server.alice(&format!("{path}?kind=page")).await;
    let expected = format!("<{path}?kind=page>; rel=\"first\", <{path}?cursor=c+2&kind=page>; rel=\"next\"");
    assert_eq!((first.header("link"), first.header("x-total-count")), (Some(expected.as_str()), Some("3")));
    let last = server.alice(&format!("{path}?cursor=c+2&kind=page")).await;
    assert_eq!(last.json()["result"]["items"], json!([3]));
    assert_eq!(last.header("link"), Some(format!("<{path}?kind=page>; rel=\"first\"").as_str()));
    assert_eq!(server.call("read_thing", json!({"kind": "page"})).await.header("link"), None);
}

#[tokio::test]
async fn t7_a_replay_says_that_it_is_one_whatever_it_answers() {
    let server = Server::start().await;
    let send = async |key: &str| {
        let key = format!("idempotency-key: {key}");
        server.post(&tool_path("add_note"), &[ALICE, &key], &json!({"arguments": {"text": "a"}})).await
    };
    let (first, second) = (send("\"k 1\"").await, send("k-1").await);
    assert_eq!(first.problem(), (400, "reference_invalid".into()), "a key has no spaces");
    assert_eq!((second.status, second.header("idempotency-replayed")), (200, None));
    let third = send("\"k-1\"").await;
    assert_eq!((third.status, third.header("idempotency-replayed")), (200, Some("true")));
    assert_eq!(second.body, third.body);
    for malformed in ["\"k-1", "\"k-1\";a=1", "\""] {
        assert_eq!(send(malformed).await.problem(), (400, "reference_invalid".into()), "{malformed}");
    }
}

#[tokio::test]
async fn pages_of_allowed_origins_may_ask_first_and_read_the_answers_headers() {
    let server = Server::start().await;
    let (host, path) = (server.host(), tool_path("add_note"));
    let origin = "origin: https://console.test";
    let asks = ["access-control-request-method: POST", "access-control-request-headers: authorization,mcp-name"];
    for path in [path.as_str(), "/mcp/lab-1", "/.well-known/oauth-protected-resource/mcp/lab-1"] {
        let reply = server.raw("OPTIONS", path, &[&host, origin, asks[0], asks[1]], b"").await;
        assert_eq!((reply.status, reply.header("access-control-allow-origin")), (204, Some("https://console.test")));
        assert_eq!(reply.header("access-control-allow-headers"), Some("authorization,mcp-name"));
        assert!(reply.header("access-control-allow-methods").unwrap().contains("POST"), "{reply:?}");
        let foreign = server.raw("OPTIONS", path, &[&host, "origin: https://evil.test", asks[0]], b"").await;
        assert_eq!(foreign.header("access-control-allow-origin"), None, "{path}");
        assert_ne!(foreign.status, 204);
    }
    for headers in [&[ALICE, origin][..], &[origin]] {
        let reply = server.get(&tool_path("read_thing"), headers).await;
        assert_eq!(reply.header("access-control-allow-origin"), Some("https://console.test"));
        assert!(reply.header("access-control-expose-headers").unwrap().contains("www-authenticate"));
        assert_eq!(reply.header("vary"), Some("origin"));
    }
    assert_eq!(server.alice(&tool_path("read_thing")).await.header("access-control-allow-origin"), None);
}
