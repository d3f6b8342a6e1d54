//! The edge: under which names the platform answers, which ids travel, whose address counts, and how much is let in.

use platform::ErrorKind;
use serde_json::json;

use crate::fixture::{ALICE, Server, tool_path};

#[tokio::test]
async fn the_platform_answers_under_its_own_names_only() {
    let server = Server::start().await;
    let own = server.host();
    for path in ["/healthz".to_owned(), "/mcp/lab-1".to_owned(), tool_path("read_thing"), "/".to_owned()] {
        for hosts in [
            &["host: evil.test"][..],
            &["host: 127.0.0.1:1"],
            &["host: interlock.test.evil.test"],
            &[own.as_str(), own.as_str()],
            &["host: "],
        ] {
            let reply = server.raw("GET", &path, hosts, b"").await;
            assert!(reply.status == 403 || reply.status == 400, "{path} {hosts:?} {reply:?}");
            if reply.status == 403 {
                assert_eq!(reply.problem().1, "host_not_allowed");
            }
        }
        let reply = server.raw("GET", &path, &["host: INTERLOCK.test"], b"").await;
        assert_ne!(reply.status, 403, "{path}");
    }
}

#[tokio::test]
async fn browsers_reach_mcp_and_rest_from_allowed_origins_only() {
    let server = Server::start().await;
    let path = tool_path("read_thing");
    for origin in ["https://evil.test", "null", "http://console.test", "https://console.test.evil.test"] {
        let origin = format!("origin: {origin}");
        for target in [path.as_str(), "/mcp/lab-1"] {
            let reply = server.get(target, &[ALICE, &origin]).await;
            assert_eq!(reply.problem(), (403, "origin_not_allowed".into()), "{target} {origin}");
        }
        assert_eq!(server.get("/healthz", &[&origin]).await.status, 200);
    }
    assert_eq!(server.get(&path, &[ALICE, "origin: https://console.test"]).await.status, 200);
    let both = server.get(&path, &[ALICE, "origin: https://console.test", "origin: https://evil.test"]).await;
    assert_eq!(both.status, 403);
}

#[tokio::test]
async fn the_request_id_is_always_ours_and_the_callers_is_kept_beside_it() {
    let server = Server::start().await;
    let reply = server.get(&tool_path("read_thing"), &[ALICE, "x-request-id: theirs 1"]).await;
    let id = reply.header("x-request-id").unwrap().to_owned();
    assert_eq!(uuid::Uuid::parse_str(&id).unwrap().get_version_num(), 7);
    let entry = server.audit.entries().pop().unwrap();
    assert_eq!(entry.request_id.as_deref(), Some(id.as_str()));
    assert_eq!(entry.client_request_id.as_deref(), Some("theirs 1"));
    let long = format!("x-request-id: {}", "x".repeat(129));
    for bad in [long.as_str(), "x-request-id: ä"] {
        server.get(&tool_path("read_thing"), &[ALICE, bad]).await;
        assert_eq!(server.audit.entries().pop().unwrap().client_request_id, None);
    }
    // Refusals of every layer carry one too.
    for reply in [server.get("/nowhere", &[]).await, server.get("/metrics", &[]).await] {
        assert!(reply.header("x-request-id").is_some(), "{reply:?}");
    }
}

#[tokio::test]
async fn a_trace_is_joined() {
    let server = Server::start().await;
    let given = "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    server.get(&tool_path("read_thing"), &[ALICE, given]).await;
    let trace = server.audit.entries().pop().unwrap().trace_id;
    assert_eq!(trace.as_deref(), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
}

#[tokio::test]
async fn t2_forwarded_addresses_count_from_trusted_proxies_only() {
    let forwarded = ["x-forwarded-for: 203.0.113.7, 198.51.100.1", "x-forwarded-for: 192.0.2.9, 10.1.1.1"];
    let seen = async |server: &Server, headers: &[&str]| {
        let mut all = vec![ALICE];
        all.extend_from_slice(headers);
        server.get(&tool_path("read_thing"), &all).await;
        server.audit.entries().pop().unwrap().source.unwrap().to_string()
    };
    let direct = Server::start().await;
    assert_eq!(seen(&direct, &forwarded).await, "127.0.0.1");
    let nets = || vec!["127.0.0.0/8".parse().unwrap(), "10.0.0.0/8".parse().unwrap()];
    let behind = Server::with(|o| o.trusted_proxies = nets(), Default::default()).await;
    // The last one that is not a proxy of ours: what stands before it is the caller's own claim.
    assert_eq!(seen(&behind, &forwarded).await, "192.0.2.9");
    assert_eq!(seen(&behind, &["x-forwarded-for: 10.0.0.1"]).await, "127.0.0.1");
    assert_eq!(seen(&behind, &[]).await, "127.0.0.1");
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_with_a_length_and_without() {
    let server = Server::start().await;
    let host = server.host();
    let body = json!({"arguments": {"text": "x".repeat(5_000)}}).to_string();
    let kind = "content-type: application/json";
    for path in [tool_path("read_thing"), "/mcp/lab-1".to_owned()] {
        let length = format!("content-length: {}", body.len());
        let reply = server.raw("POST", &path, &[&host, ALICE, kind, &length], body.as_bytes()).await;
        assert_eq!(reply.status, 413, "{path}");
        let chunked = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
        let headers =
            [host.as_str(), ALICE, kind, "transfer-encoding: chunked", "accept: application/json, text/event-stream"];
        let reply = server.raw("POST", &path, &headers, chunked.as_bytes()).await;
        assert_eq!(reply.status, 413, "{path}");
    }
    // Just below is let through, chunked too.
    let small = json!({"arguments": {"text": "x"}}).to_string();
    let chunked = format!("{:x}\r\n{small}\r\n0\r\n\r\n", small.len());
    let headers = [host.as_str(), ALICE, kind, "transfer-encoding: chunked"];
    assert_eq!(server.raw("POST", &tool_path("read_thing"), &headers, chunked.as_bytes()).await.status, 200);
}

#[tokio::test]
async fn more_requests_than_allowed_at_once_are_shed() {
    let server = Server::with(|o| o.max_concurrent = 1, Default::default()).await;
    let host = server.host();
    let path = tool_path("slow_thing");
    let mut slow = server.send("GET", &path, &[&host, ALICE], b"").await;
    server.signals.started.notified().await;
    let reply = server.get("/healthz", &[]).await;
    assert_eq!(reply.problem(), (503, "overloaded".into()));
    assert_eq!(reply.header("retry-after"), Some("1"));
    server.signals.go_on.notify_one();
    let mut text = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut slow, &mut text).await.unwrap();
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    assert_eq!(server.get("/healthz", &[]).await.status, 200);
}

#[tokio::test]
async fn a_request_that_takes_too_long_ends_with_an_answer() {
    let server = Server::with(|o| o.request_timeout = std::time::Duration::from_millis(50), Default::default()).await;
    let reply = server.alice(&tool_path("slow_thing")).await;
    let (status, code) = reply.problem();
    assert_eq!(status, ErrorKind::Timeout.http_status());
    assert!(["request_timeout", "deadline_exceeded"].contains(&code.as_str()));
}

#[tokio::test]
async fn what_a_library_refuses_without_a_word_has_a_code() {
    let server = Server::start().await;
    let host = server.host();
    let reply = server.raw("DELETE", "/healthz", &[&host], b"").await;
    assert_eq!(reply.problem(), (405, "method_not_allowed".into()));
    assert_eq!(reply.header("allow"), Some("GET,HEAD"));
    for path in ["/errors/%ff", "/elevate/%ff"] {
        assert_eq!(server.get(path, &[]).await.problem(), (400, "http_malformed".into()), "{path}");
    }
}
