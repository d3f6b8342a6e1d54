//! What a confused deputy would let through: other people's browsers, redirect URIs that are almost right, codes and tokens of
//! other clients, things used twice.

use axum::body::Body;
use axum::http::Request;
use serde_json::json;

use crate::front::{Front, PROVIDER, REDIRECT};

#[tokio::test]
async fn only_loopback_and_allowed_origins_may_be_registered() {
    let front = Front::new();
    for good in [
        "http://127.0.0.1/callback",
        "http://127.0.0.1:8080/callback",
        "http://[::1]/callback",
        "http://localhost/callback",
        "https://client.example/callback",
    ] {
        let answer = front.register(&json!({"redirect_uris": [good]})).await;
        assert_eq!(answer.status.as_u16(), 201, "{good}: {}", answer.text);
        assert_eq!(answer.json()["token_endpoint_auth_method"], json!("none"));
    }
    for bad in [
        "https://evil.example/callback",
        "https://client.example.evil.example/callback",
        "https://client.example:444/callback",
        "http://client.example/callback",
        "http://127.0.0.1.evil.example/",
        "http://user@127.0.0.1/",
        "http://127.0.0.1/#x",
        "http://192.0.2.1/callback",
        "javascript:alert(1)",
        "data:text/html,x",
        "cursor://callback",
        "/callback",
        "",
    ] {
        let answer = front.register(&json!({"redirect_uris": ["http://127.0.0.1/", bad]})).await;
        assert_eq!(answer.error(), (400, "invalid_redirect_uri".to_owned()), "{bad}");
    }
    for bad in [json!([]), json!({}), json!({"redirect_uris": "x"}), json!({"redirect_uris": [7]}), json!("x")] {
        assert_eq!(front.register(&bad).await.error(), (400, "invalid_client_metadata".to_owned()), "{bad}");
    }
    for name in [json!(7), json!(""), json!("x\ny"), json!("x".repeat(101))] {
        let document = json!({"redirect_uris": ["http://127.0.0.1/"], "client_name": name});
        assert_eq!(front.register(&document).await.error(), (400, "invalid_client_metadata".to_owned()), "{name}");
    }
    let double = r#"{"redirect_uris":["http://127.0.0.1/"],"redirect_uris":["https://evil.example/"]}"#;
    let request = Request::post("/oauth/corporate/register").body(Body::from(double)).unwrap();
    assert_eq!(front.send(request).await.status.as_u16(), 400);
    let large = Request::post("/oauth/corporate/register").body(Body::from(" ".repeat(20_000))).unwrap();
    assert_eq!(front.send(large).await.status.as_u16(), 400);
}

#[tokio::test]
async fn a_redirect_that_is_not_the_registered_one_gets_a_page_and_no_redirect() {
    let front = Front::new();
    let client = front.client().await;
    for other in [
        "http://127.0.0.1:7777/callback/",
        "http://127.0.0.1:7777/callback?x=1",
        "http://127.0.0.1:7777/Callback",
        "http://127.0.0.1:7777/callback#x",
        "http://localhost:7777/callback",
        "http://[::1]:7777/callback",
        "https://127.0.0.1:7777/callback",
        "http://127.0.0.1@evil.example/callback",
        "http://evil.example/callback",
        "x",
        "",
    ] {
        let answer = front.authorize(&client, &[("redirect_uri", other)], "").await;
        assert_eq!(answer.status.as_u16(), 400, "{other}");
        assert!(!answer.headers.contains_key("location") && !answer.text.contains("name=\"request\""), "{other}");
    }
    let foreign = Front::named("another");
    let registered = Request::post("/oauth/another/register")
        .body(Body::from(r#"{"redirect_uris":["http://127.0.0.1/callback"]}"#))
        .unwrap();
    let elsewhere = foreign.send(registered).await.json()["client_id"].as_str().unwrap().to_owned();
    let changed = format!("{}{}", if client.starts_with('A') { 'B' } else { 'A' }, &client[1..]);
    for other in ["", "the-one-client", changed.as_str(), elsewhere.as_str()] {
        let answer = front.authorize(other, &[], "").await;
        assert_eq!((answer.status.as_u16(), answer.headers.contains_key("location")), (400, false), "{other}");
    }
}

#[tokio::test]
async fn a_bad_request_of_a_known_client_is_told_to_that_client() {
    let front = Front::new();
    let client = front.client().await;
    for (name, value, error) in [
        ("response_type", "token", "unsupported_response_type"),
        ("response_type", "", "unsupported_response_type"),
        ("code_challenge", "", "invalid_request"),
        ("code_challenge", "short", "invalid_request"),
        ("code_challenge_method", "plain", "invalid_request"),
        ("code_challenge_method", "", "invalid_request"),
        ("resource", "https://other.example/", "invalid_target"),
        ("resource", "https://interlock.example.evil.example/", "invalid_target"),
        ("resource", "https://interlock.example/mcp#x", "invalid_target"),
    ] {
        let answer = front.authorize(&client, &[(name, value)], "").await;
        assert!(answer.location().as_str().starts_with(REDIRECT), "{name}={value}");
        assert_eq!(answer.parameter("error").as_deref(), Some(error), "{name}={value}");
    }
    let twice = front.get(&format!("/oauth/corporate/authorize?client_id={client}&client_id={client}"), "").await;
    assert_eq!(twice.status.as_u16(), 400);
}

#[tokio::test]
async fn a_consent_counts_in_the_browser_that_gave_it_and_for_a_while() {
    let front = Front::new();
    let client = front.client().await;
    let page = front.authorize(&client, &[], "").await;
    let other = front.authorize(&client, &[], "").await;
    assert_ne!(page.cookie(), other.cookie());
    let sealed = page.sealed();
    let form = [("request", sealed.as_str()), ("decision", "allow")];
    for cookie in [String::new(), other.cookie(), "interlock_oauth=x".to_owned()] {
        let answer = front.post("/oauth/corporate/authorize", &cookie, &form).await;
        assert_eq!((answer.status.as_u16(), answer.headers.contains_key("location")), (403, false), "{cookie}");
    }
    let forged = [("request", "AAAA"), ("decision", "allow")];
    assert_eq!(front.post("/oauth/corporate/authorize", &page.cookie(), &forged).await.status.as_u16(), 403);
    // Another page in the same browser is the same browser.
    let again = front.authorize(&client, &[], &page.cookie()).await;
    assert_eq!(again.cookie(), page.cookie());
    front.clock.advance(601);
    assert_eq!(front.post("/oauth/corporate/authorize", &page.cookie(), &form).await.status.as_u16(), 403);
    assert!(front.audit.entries().is_empty());
}

#[tokio::test]
async fn the_providers_answer_counts_once_and_in_its_own_browser() {
    let front = Front::new();
    let client = front.client().await;
    let (cookie, state) = front.consent(&client).await;
    let path = format!("/oauth/corporate/callback?code=good&state={state}&iss={PROVIDER}");
    let (other, _) = front.consent(&client).await;
    for wrong in ["", other.as_str()] {
        assert_eq!(front.get(&path, wrong).await.status.as_u16(), 403, "another browser");
    }
    assert_eq!(front.get(&path, &cookie).await.status.as_u16(), 403, "used up by the wrong browser");
    for unknown in [
        "/oauth/corporate/callback?code=good&state=x",
        "/oauth/corporate/callback?code=good",
        "/oauth/corporate/callback",
    ] {
        assert_eq!(front.get(unknown, &cookie).await.status.as_u16(), 403, "{unknown}");
    }
    assert!(front.provider.redeemed.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_code_is_good_once_for_its_client_its_redirect_and_its_proof_key() {
    let front = Front::new();
    let client = front.client().await;
    let stranger =
        front.register(&json!({"redirect_uris": ["http://127.0.0.1/callback"], "client_name": "B"})).await.json();
    let stranger = stranger["client_id"].as_str().unwrap().to_owned();
    let wrong = |error: &str| (400, error.to_owned());
    for changes in [
        vec![("code_verifier", "x")],
        vec![("code_verifier", "")],
        vec![("code_verifier", "aBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")],
        vec![("redirect_uri", "http://127.0.0.1:7778/callback")],
        vec![("redirect_uri", "")],
        vec![("client_id", stranger.as_str())],
    ] {
        let code = front.code(&client).await;
        assert_eq!(front.token(&client, &code, &changes).await.error(), wrong("invalid_grant"), "{changes:?}");
        assert_eq!(front.token(&client, &code, &[]).await.error(), wrong("invalid_grant"), "used up: {changes:?}");
    }
    let code = front.code(&client).await;
    for (name, value, error) in [
        ("client_id", "", (401, "invalid_client".to_owned())),
        ("client_id", "unknown", (401, "invalid_client".to_owned())),
        ("grant_type", "password", wrong("unsupported_grant_type")),
        ("grant_type", "client_credentials", wrong("unsupported_grant_type")),
        ("resource", "https://other.example", wrong("invalid_target")),
    ] {
        assert_eq!(front.token(&client, &code, &[(name, value)]).await.error(), error, "{name}={value}");
    }
    assert_eq!(front.token(&client, &code, &[]).await.status.as_u16(), 200);
    assert_eq!(front.token(&client, &code, &[]).await.error(), wrong("invalid_grant"), "a second time");
}

#[tokio::test]
async fn a_refresh_token_is_its_clients_own() {
    let front = Front::new();
    let client = front.client().await;
    let stranger = front.register(&json!({"redirect_uris": ["http://127.0.0.1/callback"]})).await.json();
    let stranger = stranger["client_id"].as_str().unwrap().to_owned();
    let code = front.code(&client).await;
    let refresh = front.token(&client, &code, &[]).await.json()["refresh_token"].as_str().unwrap().to_owned();
    let ask = async |client: &str, token: &str| {
        let form = [("grant_type", "refresh_token"), ("client_id", client), ("refresh_token", token)];
        front.post("/oauth/corporate/token", "", &form).await
    };
    for (who, token) in
        [(stranger.as_str(), refresh.as_str()), (&client, "their-refresh-token"), (&client, ""), (&client, &client)]
    {
        assert_eq!(ask(who, token).await.error(), (400, "invalid_grant".to_owned()), "{token}");
    }
    assert!(front.provider.refreshed.lock().unwrap().is_empty());
    assert_eq!(ask(&client, &refresh).await.status.as_u16(), 200);
}

#[test]
fn a_name_that_cannot_stand_in_a_url_is_refused() {
    let refused = |name: &str| std::panic::catch_unwind(|| Front::named(name)).is_err();
    assert!(refused("") && refused("A") && refused("a/b") && refused("..") && refused(&"a".repeat(41)));
    assert!(!refused("corporate-2"));
}
