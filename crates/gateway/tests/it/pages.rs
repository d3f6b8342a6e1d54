//! T4 in the browser: the link shows what was refused and opens nothing by itself; only the person it was made for, in
//! the browser that began, after a second factor, is granted anything, and that is on record.

use platform::audit::Outcome;
use platform_suites::tokens::ISSUER;
use serde_json::json;

use crate::fixture::{Reply, Server};

/// The path of a refused call's link.
async fn link_of(server: &Server, tool: &str) -> String {
    let url = server.call(tool, json!({"text": "a"})).await.json()["url"].as_str().unwrap().to_owned();
    url.strip_prefix(&format!("http://{}", server.address)).unwrap().to_owned()
}

/// Of a call that an elevation allows once.
async fn refused(server: &Server) -> String {
    link_of(server, "reload_device").await
}

/// Begins the sign-in: (state, cookie).
pub(crate) async fn begin(server: &Server, link: &str) -> (String, String) {
    let reply = server.get(&format!("{link}/start"), &[]).await;
    assert_eq!(reply.status, 303);
    let location = url::Url::parse(reply.header("location").unwrap()).unwrap();
    let query: std::collections::HashMap<_, _> = location.query_pairs().into_owned().collect();
    assert_eq!(query["redirect_uri"], format!("http://{}/signin/callback", server.address));
    assert_eq!(query["mfa"], "true");
    let cookie = reply.header("set-cookie").unwrap().to_owned();
    for attribute in ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=600"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    (query["state"].clone(), format!("cookie: {}", cookie.split(';').next().unwrap()))
}

pub(crate) async fn callback(server: &Server, state: &str, code: &str, cookie: Option<&str>) -> Reply {
    let target = format!("/signin/callback?state={state}&code={code}&iss={ISSUER}");
    server.get(&target, cookie.as_slice()).await
}

/// The session cookie that a reply sets, as a header to send.
pub(crate) fn session_of(reply: &Reply) -> String {
    let mut cookies = reply.headers.iter().filter(|(name, _)| name == "set-cookie").map(|(_, value)| value);
    let session = cookies.find(|c| c.starts_with("interlock_session=")).unwrap_or_else(|| panic!("{reply:?}"));
    format!("cookie: {}", session.split(';').next().unwrap())
}

/// Signs in to the account page: the session's cookie header.
async fn signed_in(server: &Server, code: &str, before: &[&str]) -> String {
    let reply = server.get("/signin", before).await;
    assert_eq!(reply.status, 303);
    let location = url::Url::parse(reply.header("location").unwrap()).unwrap();
    let query: std::collections::HashMap<_, _> = location.query_pairs().into_owned().collect();
    assert_eq!(query["mfa"], "false");
    let begun = reply.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let brought = before.iter().filter_map(|h| h.strip_prefix("cookie: ")).map(|c| format!("; {c}"));
    let cookie = format!("cookie: {begun}{}", brought.collect::<String>());
    let done = callback(server, &query["state"], code, Some(&cookie)).await;
    assert_eq!((done.status, done.header("location")), (303, Some("/pages")), "{done:?}");
    session_of(&done)
}

/// The token of the forms on a page.
pub(crate) fn form_token(page: &Reply) -> String {
    let (_, rest) = page.body.split_once("name=\"form_token\" value=\"").unwrap_or_else(|| panic!("no form: {page:?}"));
    rest.split('"').next().unwrap().to_owned()
}

/// Sends a form with these headers besides host, type and length.
pub(crate) async fn submit(server: &Server, target: &str, token: &str, headers: &[&str]) -> Reply {
    let (host, body) = (server.host(), format!("form_token={token}"));
    let length = format!("content-length: {}", body.len());
    let mut all = vec![host.as_str(), &length, "content-type: application/x-www-form-urlencoded"];
    all.extend_from_slice(headers);
    server.raw("POST", target, &all, body.as_bytes()).await
}

fn is_page(reply: &Reply) {
    assert_eq!(reply.header("content-type"), Some("text/html; charset=utf-8"));
    let policy = reply.header("content-security-policy").unwrap();
    for part in ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"] {
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
    assert!(!page.body.contains("<dd>a</dd>"), "arguments are its person's: {}", page.body);
    let (state, cookie) = begin(&server, &link).await;
    let back = callback(&server, &state, "alice", Some(&cookie)).await;
    assert_eq!((back.status, back.header("location")), (303, Some(link.as_str())), "{back:?}");
    // Nothing is granted before the person has seen what it is for.
    assert_eq!(server.call("reload_device", json!({"text": "a"})).await.status, 403);
    let session = session_of(&back);
    let page = server.get(&link, &[&session]).await;
    is_page(&page);
    assert!(page.body.contains("<dd>a</dd>") && page.body.contains("127.0.0.1"), "{}", page.body);
    let done = submit(&server, &link, &form_token(&page), &[&session]).await;
    assert_eq!(done.status, 200, "{done:?}");
    is_page(&done);
    let entry = server.audit.entries().pop().unwrap();
    assert_eq!((entry.action.as_str(), entry.outcome), ("elevation.granted", Outcome::Success));
    assert_eq!(entry.actor.unwrap().subject, "alice");
    assert_eq!((&entry.facts["tool"], &entry.facts["single_use"]), (&json!("reload_device"), &json!(true)));
    assert_eq!(entry.request_id.as_deref(), done.header("x-request-id"));
    // The session has another id now; the old one is nobody's.
    assert_ne!(session_of(&done), session);
    assert!(!server.get("/pages", &[&session]).await.body.contains("alice"));
    assert_eq!(server.call("reload_device", json!({"text": "a"})).await.status, 200);
    let used = server.audit.entries().pop().unwrap();
    assert_eq!(used.facts["step_up"]["single_use"], json!(true), "the record of the call says what it used");
    assert_eq!(server.call("reload_device", json!({"text": "a"})).await.status, 403);
    // The redirect works once.
    assert_eq!(callback(&server, &state, "alice", Some(&cookie)).await.status, 403);
}

#[tokio::test]
async fn t4_a_callback_in_another_browser_grants_nothing() {
    let server = Server::start().await;
    let link = refused(&server).await;
    for guess in [false, true] {
        let (state, cookie) = begin(&server, &link).await;
        let other = format!("{}=guess", cookie.split_once('=').unwrap().0);
        let reply = callback(&server, &state, "alice", guess.then_some(other.as_str())).await;
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
async fn t25_an_elevation_that_cannot_be_put_on_record_is_not_granted() {
    let server = Server::start().await;
    let link = refused(&server).await;
    let (state, cookie) = begin(&server, &link).await;
    server.audit.fail_appends(true);
    let reply = callback(&server, &state, "alice", Some(&cookie)).await;
    assert_eq!(reply.status, 503, "no session without a record");
    assert!(reply.body.contains("audit_unavailable") && reply.header("set-cookie").is_none());
    server.audit.fail_appends(false);
    let (state, cookie) = begin(&server, &link).await;
    let session = session_of(&callback(&server, &state, "alice", Some(&cookie)).await);
    let token = form_token(&server.get(&link, &[&session]).await);
    server.audit.fail_appends(true);
    let reply = submit(&server, &link, &token, &[&session]).await;
    assert_eq!(reply.status, 503);
    assert!(reply.body.contains("audit_unavailable"));
    server.audit.fail_appends(false);
    assert_eq!(server.call("reload_device", json!({"text": "a"})).await.status, 403);
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

#[tokio::test]
async fn t4_an_elevation_for_changes_is_granted_at_once_and_ended_by_its_person() {
    let server = Server::start().await;
    let link = link_of(&server, "configure_device").await;
    let (state, cookie) = begin(&server, &link).await;
    let done = callback(&server, &state, "alice", Some(&cookie)).await;
    assert_eq!(done.status, 200, "{done:?}");
    let session = session_of(&done);
    assert_eq!(server.call("configure_device", json!({"text": "b"})).await.status, 200);
    // The link has done its work.
    assert_eq!(server.get(&link, &[&session]).await.status, 404);
    let page = server.get("/pages", &[&session]).await;
    is_page(&page);
    let (_, rest) = page.body.split_once("/pages/elevations/").unwrap();
    let end = format!("/pages/elevations/{}", rest.split('"').next().unwrap());
    let bob = signed_in(&server, "bob", &[]).await;
    let bobs = server.get("/pages", &[&bob]).await;
    assert!(!bobs.body.contains("/pages/elevations/"));
    let stolen = submit(&server, &end, &form_token(&bobs), &[&bob]).await;
    assert_eq!(stolen.status, 404, "{stolen:?}");
    assert_eq!(server.call("configure_device", json!({"text": "b"})).await.status, 200);
    let ended = submit(&server, &end, &form_token(&page), &[&session]).await;
    assert_eq!((ended.status, ended.header("location")), (303, Some("/pages")));
    assert_eq!(server.audit.entries().pop().unwrap().action, "elevation.ended");
    assert_eq!(server.call("configure_device", json!({"text": "b"})).await.status, 403);
}

#[tokio::test]
async fn t4_a_factor_that_was_given_for_something_else_does_not_elevate() {
    let server = Server::start().await;
    // Signed in with a second factor, but for the account page.
    let session = signed_in(&server, "alice", &[]).await;
    let link = refused(&server).await;
    let page = server.get(&link, &[&session]).await;
    assert!(page.body.contains("/start") && !page.body.contains("<form"), "{}", page.body);
    let token = form_token(&server.get("/pages", &[&session]).await);
    let reply = submit(&server, &link, &token, &[&session]).await;
    assert!(reply.status == 403 && reply.body.contains("second_factor_missing"), "{reply:?}");
    assert_eq!(server.audit.entries().pop().unwrap().action, "elevation.refused");
    // For this link, at an issuer that did not ask again: older than the refusal.
    let (state, cookie) = begin(&server, &link).await;
    let back = callback(&server, &state, "stale-alice", Some(&cookie)).await;
    let session = session_of(&back);
    let token = form_token(&server.get("/pages", &[&session]).await);
    let reply = submit(&server, &link, &token, &[&session]).await;
    assert!(reply.status == 403 && reply.body.contains("second_factor_missing"), "{reply:?}");
    assert_eq!(server.call("reload_device", json!({"text": "a"})).await.status, 403);
}

#[tokio::test]
async fn t4_whoever_is_signed_in_as_somebody_else_is_told_so_and_sees_nothing_of_the_call() {
    let server = Server::start().await;
    let link = refused(&server).await;
    let bob = signed_in(&server, "bob", &[]).await;
    let page = server.get(&link, &[&bob]).await;
    assert!(page.body.contains("bob") && page.body.contains("somebody else") && !page.body.contains("<dd>a</dd>"));
    let token = form_token(&server.get("/pages", &[&bob]).await);
    let reply = submit(&server, &link, &token, &[&bob]).await;
    assert!(reply.body.contains("elevation_other_person"), "{reply:?}");
    assert_eq!(server.call("reload_device", json!({"text": "a"})).await.status, 403);
}

#[tokio::test]
async fn hostile_forms_do_nothing() {
    let server = Server::start().await;
    let session = signed_in(&server, "alice", &[]).await;
    let token = form_token(&server.get("/pages", &[&session]).await);
    let bob = signed_in(&server, "bob", &[]).await;
    let bobs = form_token(&server.get("/pages", &[&bob]).await);
    let own = format!("origin: http://{}", server.address);
    let twice = format!("{token}&form_token={token}");
    let both = format!("{session}; {}", session.strip_prefix("cookie: ").unwrap());
    let planted = "cookie: interlock_session=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    for (what, token, headers, code) in [
        ("no token", "", vec![session.as_str()], "form_refused"),
        ("another's token", &bobs, vec![&session], "form_refused"),
        ("another's session", &token, vec![&bob], "form_refused"),
        ("two tokens", &twice, vec![&session], "form_refused"),
        ("a foreign origin", &token, vec![&session, "origin: https://evil.test"], "form_refused"),
        ("an allowed API origin", &token, vec![&session, "origin: https://console.test"], "form_refused"),
        ("an origin of nowhere", &token, vec![&session, "origin: null"], "form_refused"),
        ("a neighbour", &token, vec![&session, "sec-fetch-site: same-site"], "form_refused"),
        ("a stranger", &token, vec![&session, &own, "sec-fetch-site: cross-site"], "form_refused"),
        ("no session", &token, vec![], "session_missing"),
        ("an id that nobody got", &token, vec![planted], "session_missing"),
        ("two sessions", &token, vec![&both], "session_missing"),
        ("a bearer token", &token, vec![crate::fixture::ALICE], "session_missing"),
    ] {
        for target in ["/signout", "/signout/everywhere", "/pages/elevations/x/end", "/pages/sessions/x/end"] {
            let reply = submit(&server, target, token, &headers).await;
            assert!(reply.status >= 400 && reply.body.contains(code), "{what} at {target}: {reply:?}");
            is_page(&reply);
        }
    }
    let (host, length) = (server.host(), format!("content-length: {}", token.len() + 11));
    let json = [host.as_str(), &length, "content-type: text/plain", &session];
    let reply = server.raw("POST", "/signout", &json, format!("form_token={token}").as_bytes()).await;
    assert!(reply.body.contains("form_refused"), "{reply:?}");
    assert_eq!(server.get("/signout", &[&session]).await.status, 405);
    assert!(server.floors.raised().is_empty());
    assert!(server.get("/pages", &[&session]).await.body.contains("alice"), "and the session lives");
    // What a browser of today says of our own page.
    let reply = submit(&server, "/signout", &token, &[&session, "origin: null", "sec-fetch-site: same-origin"]).await;
    assert_eq!(reply.status, 200);
}

#[tokio::test]
async fn hostile_sign_ins_begin_nothing() {
    let server = Server::start().await;
    let link = refused(&server).await;
    // State and cookie of two sign-ins do not mix.
    let (one, cookie_one) = begin(&server, &link).await;
    let (two, cookie_two) = begin(&server, &link).await;
    let swapped = callback(&server, &one, "alice", Some(&cookie_two)).await;
    assert!(swapped.body.contains("sign_in_expired") && swapped.header("set-cookie").is_none(), "{swapped:?}");
    // And the first is lost by it.
    assert!(callback(&server, &one, "alice", Some(&cookie_one)).await.body.contains("sign_in_expired"));
    // An issuer that is another one.
    let target = format!("/signin/callback?state={two}&code=alice&iss=https://evil.test");
    assert!(server.get(&target, &[&cookie_two]).await.body.contains("sign_in_refused"));
    // Fixation: a session id that the browser brought is not the one it has afterwards, and opens nothing.
    let planted = "cookie: interlock_session=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let session = signed_in(&server, "alice", &[planted]).await;
    assert_ne!(session, planted);
    assert!(!server.get("/pages", &[planted]).await.body.contains("alice"));
    // The old session of the browser ends with the sign-in.
    let next = signed_in(&server, "alice", &[&session]).await;
    assert!(!server.get("/pages", &[&session]).await.body.contains("alice"));
    assert!(server.get("/pages", &[&next]).await.body.contains("alice"));
}

#[tokio::test]
async fn a_session_is_no_token_and_a_token_is_no_session() {
    let server = Server::start().await;
    let session = signed_in(&server, "alice", &[]).await;
    let value = session.strip_prefix("cookie: interlock_session=").unwrap();
    let bearer = format!("authorization: Bearer {value}");
    for headers in [vec![session.as_str()], vec![&bearer]] {
        assert_eq!(server.get("/api/v1/mcp/lab-1/tools", &headers).await.status, 401);
        let call = server.post("/mcp/lab-1", &headers, &json!({"jsonrpc": "2.0", "id": 1, "method": "ping"})).await;
        assert_eq!(call.status, 401, "{call:?}");
    }
    let page = server.get("/pages", &[crate::fixture::ALICE]).await;
    assert!(page.status == 200 && !page.body.contains("alice") && page.body.contains("Sign in"), "{page:?}");
}

#[tokio::test]
async fn t3_sessions_end_by_time_by_hand_and_by_revocation() {
    use platform::revocation::{Revocations as _, Revoked};
    let server = Server::start().await;
    let alive = async |session: &str| server.get("/pages", &[session]).await.body.contains("alice");
    let session = signed_in(&server, "alice", &[]).await;
    for _ in 0..10 {
        server.clock.advance(29 * 60);
        assert!(alive(&session).await, "it is in use");
    }
    server.clock.advance(30 * 60);
    assert!(!alive(&session).await, "idle");
    let session = signed_in(&server, "alice", &[]).await;
    for _ in 0..17 {
        server.clock.advance(28 * 60);
        alive(&session).await;
    }
    server.clock.advance(5 * 60);
    assert!(!alive(&session).await, "eight hours, however busy");
    // One browser ends the other.
    let (one, two) = (signed_in(&server, "alice", &[]).await, signed_in(&server, "alice", &[]).await);
    let page = server.get("/pages", &[&one]).await;
    let (_, rest) = page.body.split_once("/pages/sessions/").unwrap();
    let end = format!("/pages/sessions/{}", rest.split('"').next().unwrap());
    assert_eq!(submit(&server, &end, &form_token(&page), &[&one]).await.status, 303);
    assert!(alive(&one).await && !alive(&two).await);
    // What the session rests on is revoked, at this issuer; what it does not rest on is not.
    for what in
        [Revoked::Subject("alice".into()), Revoked::Session("sid-of-alice".into()), Revoked::Key("key-1".into())]
    {
        let session = signed_in(&server, "alice", &[]).await;
        server.revoking.revoke("https://other.test", what.clone(), 0).await.unwrap();
        server.revoking.revoke(ISSUER, Revoked::Token("some".into()), 0).await.unwrap();
        server.revoking.revoke(ISSUER, Revoked::Subject("bob".into()), 0).await.unwrap();
        assert!(alive(&session).await, "{what:?}");
        server.revoking.revoke(ISSUER, what.clone(), 0).await.unwrap();
        assert!(!alive(&session).await, "{what:?}");
    }
}

#[tokio::test]
async fn t3_signing_out_everywhere_ends_tokens_sessions_and_elevations() {
    use platform::revocation::Revoked;
    let server = Server::start().await;
    let link = link_of(&server, "configure_device").await;
    let (state, cookie) = begin(&server, &link).await;
    let session = session_of(&callback(&server, &state, "alice", Some(&cookie)).await);
    let other = signed_in(&server, "alice", &[]).await;
    assert_eq!(server.call("configure_device", json!({"text": "b"})).await.status, 200);
    let token = form_token(&server.get("/pages", &[&session]).await);
    let done = submit(&server, "/signout/everywhere", &token, &[&session]).await;
    assert_eq!(done.status, 200, "{done:?}");
    assert!(done.header("set-cookie").unwrap().contains("Max-Age=0"));
    assert!(done.header("refresh").unwrap().starts_with(&format!("0;url={ISSUER}/end?")), "{done:?}");
    assert_eq!(server.floors.raised(), [(ISSUER.to_owned(), Revoked::Subject("alice".to_owned()))]);
    for session in [&session, &other] {
        assert!(!server.get("/pages", &[session]).await.body.contains("alice"));
    }
    // The fixture's tokens know no floor: what is left of the elevation shows by itself.
    assert_eq!(server.call("configure_device", json!({"text": "b"})).await.status, 403);
    assert_eq!(server.audit.entries().iter().filter(|e| e.action == "session.ended_everywhere").count(), 1);
}

#[tokio::test]
async fn with_https_no_neighbour_can_plant_a_cookie() {
    let https = |options: &mut gateway::Options| {
        options.base = platform::resource::BaseUrl::new(&url::Url::parse("https://interlock.test").unwrap());
    };
    let server = Server::with(https, tool_runtime::pipeline::Limits::default()).await;
    let cookie = server.get("/signin", &[]).await.header("set-cookie").unwrap().to_owned();
    assert!(cookie.starts_with("__Host-interlock_signin_"), "{cookie}");
    for attribute in ["Secure", "HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(cookie.contains(attribute) && !cookie.contains("Domain"), "{cookie}");
    }
}
