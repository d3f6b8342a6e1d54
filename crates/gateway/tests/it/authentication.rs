//! T1, RFC 6750, RFC 9728: who is let in, how the others are told, and what each resource says of itself.

use platform::audit::Outcome;
use platform_suites::tokens::ISSUER;
use serde_json::json;

use crate::fixture::{ALICE, Server, tool_path};

#[tokio::test]
async fn t1_without_a_token_the_challenge_names_the_document_of_this_resource() {
    let server = Server::start().await;
    let base = format!("http://{}", server.address);
    for (path, document) in [
        ("/mcp/lab-1".to_owned(), "/mcp/lab-1"),
        (tool_path("read_thing"), "/api/v1"),
        ("/metrics".to_owned(), "/api/v1"),
    ] {
        for headers in [&[][..], &["authorization: Basic YTpi"]] {
            let reply = server.get(&path, headers).await;
            assert_eq!(reply.problem(), (401, "token_missing".into()), "{path}");
            let expected =
                format!("Bearer resource_metadata=\"{base}/.well-known/oauth-protected-resource{document}\"");
            assert_eq!(reply.header("www-authenticate"), Some(expected.as_str()));
        }
        let reply = server.get(&path, &["authorization: Bearer nonsense"]).await;
        assert_eq!(reply.problem(), (401, "token_invalid".into()));
        let challenge = reply.header("www-authenticate").unwrap();
        assert!(challenge.starts_with("Bearer resource_metadata=") && challenge.ends_with("error=\"invalid_token\""));
        assert!(!reply.body.contains("nonsense"));
    }
    assert!(server.audit.entries().is_empty(), "nobody is on record one by one before they are known (T25)");
    server.refusals.flush().await.unwrap();
    let counted: Vec<_> =
        server.audit.entries().iter().map(|e| (e.code.clone().unwrap(), e.facts["count"].clone())).collect();
    assert_eq!(counted, [("missing".to_owned(), json!(6)), ("signature".to_owned(), json!(3))]);
}

#[tokio::test]
async fn two_authorization_headers_are_one_too_many() {
    let server = Server::start().await;
    let reply = server.get(&tool_path("read_thing"), &[ALICE, ALICE]).await;
    assert_eq!(reply.problem(), (400, "authorization_repeated".into()));
    assert!(reply.header("www-authenticate").unwrap().contains("error=\"invalid_request\""));
}

#[tokio::test]
async fn the_scheme_has_no_case_and_the_query_is_no_place_for_a_token() {
    let server = Server::start().await;
    for scheme in ["bearer", "BEARER", "Bearer"] {
        assert_eq!(
            server.get(&tool_path("read_thing"), &[&format!("authorization: {scheme} alice")]).await.status,
            200
        );
    }
    let reply = server.get(&format!("{}?access_token=alice", tool_path("read_thing")), &[]).await;
    assert_eq!(reply.problem(), (401, "token_missing".into()));
}

#[tokio::test]
async fn t1_a_token_for_another_resource_does_not_cross() {
    let server = Server::start().await;
    let token = "authorization: Bearer rest-only";
    assert_eq!(server.get(&tool_path("read_thing"), &[token]).await.status, 200);
    let reply = server.post("/mcp/lab-1", &[token], &json!({})).await;
    assert_eq!(reply.problem(), (401, "token_audience".into()));
    assert!(reply.header("www-authenticate").unwrap().contains("error=\"invalid_token\""));
}

#[tokio::test]
async fn t1_every_resource_publishes_its_own_document() {
    let server = Server::start().await;
    let base = format!("http://{}", server.address);
    let views = ["/mcp", "/mcp/lab-1", "/mcp/lab-1/readonly", "/mcp/lab-1/x/notes"];
    for path in ["", "/api/v1", "/pages"].into_iter().chain(views) {
        let reply = server.get(&format!("/.well-known/oauth-protected-resource{path}"), &[]).await;
        assert_eq!(reply.status, 200, "{path}");
        let document = reply.json();
        assert_eq!(document["resource"], format!("{base}{path}"));
        assert_eq!(document["authorization_servers"], json!([ISSUER]));
        assert_eq!(document["bearer_methods_supported"], json!(["header"]));
    }
    for path in ["/mcp/nonesuch", "/mcp/", "/api", "/mcp/lab-1/x", "/mcp/lab-1/x/nonesuch", "/mcp/lab-1/x/notes/y"] {
        let reply = server.get(&format!("/.well-known/oauth-protected-resource{path}"), &[]).await;
        assert_eq!(reply.problem(), (404, "resource_unknown".into()), "{path}");
    }
}

#[tokio::test]
async fn metrics_need_a_token_unless_they_are_open_and_health_never_does() {
    let server = Server::start().await;
    assert_eq!(server.get("/metrics", &[]).await.status, 401);
    let reply = server.alice("/metrics").await;
    assert!(reply.header("content-type").unwrap().starts_with("application/openmetrics-text"));
    assert!(reply.body.contains("interlock_authn_total"));
    assert_eq!(server.get("/healthz", &[]).await.json(), json!({"status": "ok", "version": "1.2.3"}));
    let open = Server::with(|o| o.open_metrics = true, Default::default()).await;
    assert_eq!(open.get("/metrics", &[]).await.status, 200);
}

#[tokio::test]
async fn t12_reference_headers_are_read_once_and_may_be_quoted() {
    let server = Server::start().await;
    let body = json!({"arguments": {"text": "a"}});
    let first = server.post(&tool_path("add_note"), &[ALICE, "idempotency-key: \"k-1\""], &body).await;
    let second = server.post(&tool_path("add_note"), &[ALICE, "idempotency-key: k-1"], &body).await;
    assert_eq!((first.status, first.json()), (200, second.json()));
    assert_eq!(server.audit.entries().iter().filter(|e| e.outcome == Outcome::Pending).count(), 1);
    let twice = server.post(&tool_path("add_note"), &[ALICE, "idempotency-key: a", "idempotency-key: b"], &body).await;
    assert_eq!(twice.problem(), (400, "reference_invalid".into()));
    let other = json!({"arguments": {"text": "a", "_interlock": {"change": "c-2"}}});
    let conflict = server.post(&tool_path("add_note"), &[ALICE, "interlock-change: c-1"], &other).await;
    assert_eq!(conflict.problem(), (400, "reference_conflict".into()));
}
