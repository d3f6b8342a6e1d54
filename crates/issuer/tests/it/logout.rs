//! Sign-out, and who is told of it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use interlock_issuer::{GrantType, NewClient};
use platform::revocation::Revoked;

use crate::lab::{CLIENT_SECRET, Lab, REDIRECT, VERIFIER, token};

#[tokio::test]
async fn t3_a_sign_out_with_its_own_id_token_ends_session_tokens_and_refresh_tokens_at_once() {
    let lab = Lab::start().await;
    let mut browser = lab.browser();
    let pair = browser.signed_in("alice", &[]).await;
    let hint = pair["id_token"].as_str().unwrap();
    let bye = format!("/logout?id_token_hint={hint}&post_logout_redirect_uri=https://app.example/bye&state=s1");
    let answer = browser.get(&bye).await;
    assert_eq!(answer.location().as_str(), "https://app.example/bye?state=s1");
    let sid = token(&pair["access_token"]).1["sid"].as_str().unwrap().to_owned();
    assert!(lab.floors.has(&Revoked::Session(sid)));
    assert_eq!(browser.refresh(&pair["refresh_token"], &[]).await.status, 400);
    assert_eq!(browser.authorize(&[("prompt", "none")]).await.parameter("error").unwrap(), "login_required");
    assert_eq!(lab.audit.of("issuer.sign_out")[0].actor.as_ref().unwrap().name, "alice");
}

#[tokio::test]
async fn a_sign_out_without_proof_asks_first() {
    let lab = Lab::start().await;
    let mut browser = lab.browser();
    browser.signed_in("alice", &[]).await;
    let page = browser.get("/logout").await;
    assert_eq!(page.status, 200);
    assert!(lab.audit.of("issuer.sign_out").is_empty(), "nothing happened yet");
    assert!(browser.authorize(&[("prompt", "none")]).await.parameter("code").is_some());
    let (csrf, request) = (page.field("csrf"), page.field("request"));
    let without = browser.post("/logout/confirm", &[("request", &request), ("action", "sign-out")]).await;
    assert_eq!(without.status, 403, "no CSRF token");
    let page = browser.post("/logout/confirm", &[("csrf", &csrf), ("request", &request), ("action", "stay")]).await;
    assert!(page.body.contains("still signed in"));
    let page = browser.post("/logout/confirm", &[("csrf", &csrf), ("request", &request), ("action", "sign-out")]).await;
    assert!(page.body.contains("signed out"), "{}", page.body);
    assert_eq!(browser.authorize(&[("prompt", "none")]).await.parameter("error").unwrap(), "login_required");

    let other = lab.browser().signed_in("bob", &[]).await;
    let mut browser = lab.browser();
    browser.signed_in("alice", &[]).await;
    let hint = other["id_token"].as_str().unwrap();
    let page = browser.get(&format!("/logout?id_token_hint={hint}")).await;
    assert!(page.body.contains("Sign out?"), "somebody else's token signs nobody out here");
}

#[tokio::test]
async fn a_sign_out_never_leads_to_an_address_that_is_not_registered() {
    let lab = Lab::start().await;
    let mut browser = lab.browser();
    let pair = browser.signed_in("alice", &[]).await;
    let hint = pair["id_token"].as_str().unwrap();
    for bad in [
        format!("/logout?id_token_hint={hint}&post_logout_redirect_uri=https://evil.example/"),
        "/logout?post_logout_redirect_uri=https://app.example/bye".to_owned(),
        format!("/logout?id_token_hint={hint}&client_id=machine"),
        "/logout?client_id=native&client_id=machine".to_owned(),
    ] {
        let answer = browser.get(&bad).await;
        assert_eq!((answer.status, answer.header("location")), (400, ""), "{bad}");
    }
}

/// A client's own receiver: keeps what it is sent, and fails as often as it is told.
#[derive(Clone, Default)]
struct Receiver {
    tokens: Arc<Mutex<Vec<String>>>,
    failures: Arc<Mutex<usize>>,
    rings: Arc<tokio::sync::Notify>,
}

async fn receive(State(receiver): State<Receiver>, body: String) -> http::StatusCode {
    let failing = {
        let mut failures = receiver.failures.lock().unwrap();
        let failing = *failures > 0;
        *failures = failures.saturating_sub(1);
        failing
    };
    if !failing {
        receiver.tokens.lock().unwrap().push(body);
    }
    receiver.rings.notify_one();
    if failing { http::StatusCode::SERVICE_UNAVAILABLE } else { http::StatusCode::OK }
}

#[tokio::test]
async fn t3_a_client_that_took_part_is_sent_a_logout_token_until_it_takes_it() {
    let lab = Lab::start().await;
    let receiver = Receiver::default();
    *receiver.failures.lock().unwrap() = 1;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    let app = axum::Router::new().route("/bye", axum::routing::post(receive)).with_state(receiver.clone());
    tokio::spawn(async move { axum::serve(listener, app).await });
    let web = NewClient {
        client_id: "web".into(),
        secret: Some(CLIENT_SECRET.into()),
        redirect_uris: vec![REDIRECT.into()],
        grants: vec![GrantType::AuthorizationCode],
        name: "Web".into(),
        backchannel_logout_uri: Some(format!("http://{address}/bye?x=1")),
        ..NewClient::default()
    };
    lab.issuer.create_client(web).await.unwrap();
    let stop = tokio_util::sync::CancellationToken::new();
    let running = tokio::spawn({
        let (issuer, stop) = (lab.issuer.clone(), stop.clone());
        async move { issuer.run(stop).await }
    });

    let mut browser = lab.browser();
    let native = browser.signed_in("alice", &[]).await;
    let back = browser.authorize(&[("client_id", "web")]).await;
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", "web"),
        ("client_secret", CLIENT_SECRET),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
        ("code", &back.parameter("code").unwrap()),
    ];
    let pair = browser.post("/token", &form).await.json();
    let hint = native["id_token"].as_str().unwrap();
    let answer = browser.get(&format!("/logout?id_token_hint={hint}")).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    receiver.rings.notified().await;
    assert!(receiver.tokens.lock().unwrap().is_empty(), "the first try failed");
    lab.clock.advance(10);
    receiver.rings.notified().await;
    let body = receiver.tokens.lock().unwrap()[0].clone();
    let (header, claims) = token(&body.strip_prefix("logout_token=").unwrap().into());
    assert_eq!(header["typ"], "logout+jwt");
    let claimed = token(&pair["access_token"]).1;
    assert_eq!((&claims["aud"], &claims["iss"]), (&"web".into(), &lab.url().into()));
    assert_eq!((&claims["sub"], &claims["sid"]), (&claimed["sub"], &claimed["sid"]));
    assert!(claims["events"]["http://schemas.openid.net/event/backchannel-logout"].is_object());
    assert!(claims.get("nonce").is_none() && claims["jti"].is_string());
    stop.cancel();
    running.await.unwrap();
    assert_eq!(receiver.tokens.lock().unwrap().len(), 1);
}
