//! T4 in the browser: the link shows what was refused and opens nothing by itself; only the person it was made for, in
//! the browser that began, after a second factor, is granted anything, and that is on record.

use platform::audit::Outcome;
use platform_suites::tokens::ISSUER;
use serde_json::json;

use crate::fixture::{Reply, Server};

/// A refused call, and the path of its link.
async fn refused(server: &Server) -> String {
    let url = server.call("reload_device", json!({"text": "a"})).await.json()["url"].as_str().unwrap().to_owned();
    url.strip_prefix(&format!("http://{}", server.address)).unwrap().to_owned()
}

/// Begins the sign-in: (state, cookie).
async fn begin(server: &Server, link: &str) -> (String, String) {
    let reply = server.get(&format!("{link}/start"), &[]).await;
    assert_eq!(reply.status, 303);
    let location = url::Url::parse(reply.header("location").unwrap()).unwrap();
    let query: std::collections::HashMap<_, _> = location.query_pairs().into_owned().collect();
    assert_eq!(query["redirect_uri"], format!("http://{}/signin/callback", server.address));
    assert_eq!(query["mfa"], "true");
    let cookie = reply.header("set-cookie").unwrap().to_owned();
    for attribute in ["HttpOnly", "SameSite=Lax", "Path=/signin", "Max-Age=600"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    (query["state"].clone(), format!("cookie: {}", cookie.split(';').next().unwrap()))
}

async fn callback(server: &Server, state: &str, code: &str, cookie: Option<&str>) -> Reply {
    let target = format!("/signin/callback?state={state}&code={code}&iss={ISSUER}");
    server.get(&target, cookie.as_slice()).await
}

fn is_page(reply: &Reply) {
    assert_eq!(reply.header("content-type"), Some("text/html; charset=utf-8"));
    let policy = reply.header("content-security-policy").unwrap();
    for part in ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(!policy.contains("script-src") && !reply.body.contains("<script"));
    for (name, value) in [
        ("x-frame-options", "DENY"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cache-control", "no-store"),
    ] {
        assert_eq!(reply.header(name), Some(value));
    }
}

#[tokio::test]
async fn t4_the_link_leads_through_the_issuer_to_one_call() {
    let server = Server::start().await;
    let link = refused(&server).await;
    let page = server.get(&link, &[]).await;
    assert_eq!(page.status, 200);
    is_page(&page);
    for part in ["alice", "test-client", "lab-1", "reload_device", "disruptive", "once"] {
        assert!(page.body.contains(part), "{part}");
    }
    let (state, cookie) = begin(&server, &link).await;
    let done = callback(&server, &state, "alice", Some(&cookie)).await;
    assert_eq!(done.status, 200, "{done:?}");
    is_page(&done);
    let entry = server.audit.entries().pop().unwrap();
    assert_eq!((entry.action.as_str(), entry.outcome), ("elevation.granted", Outcome::Success));
    assert_eq!(entry.actor.unwrap().subject, "alice");
    assert_eq!((&entry.facts["tool"], &entry.facts["single_use"]), (&json!("reload_device"), &json!(true)));
    assert_eq!(entry.request_id.as_deref(), done.header("x-request-id"));
    assert_eq!(server.call("reload_device", json!({"text": "a"})).await.status, 200);
    assert_eq!(server.call("reload_device", json!({"text": "a"})).await.status, 403);
    // The redirect works once.
    assert_eq!(callback(&server, &state, "alice", Some(&cookie)).await.status, 403);
}

#[tokio::test]
async fn t4_a_callback_in_another_browser_grants_nothing() {
    let server = Server::start().await;
    let link = refused(&server).await;
    for cookie in [None, Some("cookie: interlock_signin=guess")] {
        let (state, _) = begin(&server, &link).await;
        let reply = callback(&server, &state, "alice", cookie).await;
        assert_eq!(reply.status, 403);
        is_page(&reply);
        assert!(reply.body.contains("sign_in_expired"));
    }
    assert_eq!(callback(&server, "invented", "alice", None).await.status, 403);
    assert_eq!(server.call("reload_device", json!({"text": "a"})).await.status, 403);
}

#[tokio::test]
async fn t25_callbacks_of_nobody_are_counted_and_not_written_one_by_one() {
    let server = Server::start().await;
    for _ in 0..5 {
        callback(&server, "invented", "alice", None).await;
    }
    assert!(server.audit.entries().is_empty());
    server.refusals.flush().await.unwrap();
    let entries = server.audit.entries();
    assert_eq!((entries.len(), &entries[0].facts["count"]), (1, &json!(5)));
}

#[tokio::test]
async fn t4_another_person_or_a_weak_sign_in_is_refused_on_record() {
    let server = Server::start().await;
    let link = refused(&server).await;
    for (code, refusal) in [("bob", "elevation_other_person"), ("weak-alice", "second_factor_missing")] {
        let (state, cookie) = begin(&server, &link).await;
        let reply = callback(&server, &state, code, Some(&cookie)).await;
        assert_eq!(reply.status, 403);
        assert!(reply.body.contains(refusal), "{reply:?}");
        let entry = server.audit.entries().pop().unwrap();
        assert_eq!((entry.action.as_str(), entry.outcome), ("elevation.refused", Outcome::Refused));
        assert_eq!(entry.code.as_deref(), Some(refusal));
    }
    let (state, cookie) = begin(&server, &link).await;
    let declined = server.get(&format!("/signin/callback?state={state}&error=access_denied"), &[&cookie]).await;
    assert!(declined.body.contains("sign_in_declined"));
    assert_eq!(server.call("reload_device", json!({"text": "a"})).await.status, 403);
}

#[tokio::test]
async fn t25_an_elevation_that_cannot_be_put_on_record_is_not_told_as_granted() {
    let server = Server::start().await;
    let link = refused(&server).await;
    let (state, cookie) = begin(&server, &link).await;
    server.audit.fail_appends(true);
    let reply = callback(&server, &state, "alice", Some(&cookie)).await;
    assert_eq!(reply.status, 503);
    assert!(reply.body.contains("audit_unavailable"));
}

#[tokio::test]
async fn unknown_and_old_links_are_pages_too() {
    let server = Server::start().await;
    let link = refused(&server).await;
    for path in ["/elevate/nonesuch", "/elevate/nonesuch/start"] {
        let reply = server.get(path, &[]).await;
        assert_eq!(reply.status, 404);
        is_page(&reply);
    }
    server.clock.advance(31 * 60);
    assert_eq!(server.get(&link, &[]).await.status, 404);
}

#[tokio::test]
async fn every_code_has_a_page_and_the_first_page_says_where_to_connect() {
    let server = Server::start().await;
    for code in ["step_up_required", "change_required", "tool_unknown"] {
        let reply = server.get(&format!("/errors/{code}"), &[]).await;
        assert_eq!(reply.status, 200);
        is_page(&reply);
    }
    assert_eq!(server.get("/errors/nonesuch", &[]).await.problem(), (404, "error_code_unknown".into()));
    let home = server.get("/", &[]).await;
    is_page(&home);
    assert!(home.body.contains("/mcp/lab-1") && home.body.contains(ISSUER));
    assert_eq!(server.get("/pages.css", &[]).await.header("content-type"), Some("text/css; charset=utf-8"));
}
