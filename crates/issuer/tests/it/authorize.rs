//! `/authorize`: what is refused, and where the refusal goes.

use crate::lab::{Lab, PASSWORD, REDIRECT, token};

#[tokio::test]
async fn an_unregistered_redirect_or_client_never_redirects() {
    let lab = Lab::start().await;
    let mut browser = lab.browser();
    for changes in [
        [("redirect_uri", "http://127.0.0.1:1/other")],
        [("redirect_uri", "https://evil.example/cb")],
        [("redirect_uri", "https://app.example/cb?x=1")],
        [("redirect_uri", "http://127.0.0.1:1@evil.example/callback")],
        [("redirect_uri", "")],
        [("client_id", "nobody")],
        [("client_id", "")],
    ] {
        let page = browser.authorize(&changes).await;
        assert_eq!((page.status, page.header("location")), (400, ""), "{changes:?}");
        assert!(page.header("content-type").starts_with("text/html"));
    }
    let twice =
        format!("/authorize?response_type=code&client_id=native&redirect_uri={REDIRECT}&redirect_uri={REDIRECT}");
    assert_eq!(browser.get(&twice).await.status, 400);
    assert_eq!(browser.get("/authorize?client_id=%ff").await.status, 400);
}

#[tokio::test]
async fn rfc_8252_a_loopback_redirect_may_use_any_port() {
    let lab = Lab::start().await;
    for redirect in ["http://127.0.0.1:1/callback", "http://127.0.0.1:65535/callback", "http://[::1]:5555/callback"] {
        let mut browser = lab.browser();
        let page = browser.authorize(&[("redirect_uri", redirect)]).await;
        let back = browser.give_password(&page, "alice", PASSWORD).await;
        assert!(back.location().as_str().starts_with(redirect), "{redirect}");
        let answer = browser.redeem(&back, &[("redirect_uri", redirect)]).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
}

#[tokio::test]
async fn what_the_client_did_wrong_goes_back_to_the_client_with_state_and_issuer() {
    let lab = Lab::start().await;
    let mut browser = lab.browser();
    for (changes, error) in [
        (vec![("code_challenge_method", "plain")], "invalid_request"),
        (vec![("code_challenge_method", "")], "invalid_request"),
        (vec![("code_challenge", ""), ("code_challenge_method", "")], "invalid_request"),
        (vec![("code_challenge", "short")], "invalid_request"),
        (vec![("response_type", "token")], "unsupported_response_type"),
        (vec![("response_mode", "fragment")], "invalid_request"),
        (vec![("scope", "email")], "invalid_scope"),
        (vec![("prompt", "none login")], "invalid_request"),
        (vec![("prompt", "dance")], "invalid_request"),
        (vec![("max_age", "-1")], "invalid_request"),
        (vec![("request", "e30.e30.")], "request_not_supported"),
        (vec![("request_uri", "https://x.example")], "request_uri_not_supported"),
        (vec![("resource", "https://elsewhere.example/")], "invalid_target"),
    ] {
        let back = browser.authorize(&changes).await;
        assert_eq!(back.parameter("error").as_deref(), Some(error), "{changes:?}");
        assert_eq!(back.parameter("state").as_deref(), Some("st&te"));
        assert_eq!(back.parameter("iss"), Some(lab.url()));
        assert_eq!(back.parameter("code"), None);
    }
    let twice = format!(
        "/authorize?response_type=code&client_id=native&redirect_uri={REDIRECT}&code_challenge={}&code_challenge_method=S256",
        crate::lab::CHALLENGE
    );
    let repeated = browser.get(&format!("{twice}&nonce=1&nonce=2")).await;
    assert_eq!(repeated.parameter("error").unwrap(), "invalid_request");
    let resources = browser.get(&format!("{twice}&resource={0}&resource={0}/mcp", lab.platform)).await;
    assert_eq!(resources.parameter("error").unwrap(), "invalid_target");
}

#[tokio::test]
async fn t1_the_audience_is_the_resource_that_was_asked_for() {
    let lab = Lab::start().await;
    let resource = format!("{}/mcp/catalyst-center", lab.platform);
    let slash = format!("{}/", lab.platform);
    for (asked, repeated, audience) in [
        (resource.as_str(), resource.as_str(), resource.as_str()),
        (resource.as_str(), "", resource.as_str()),
        (slash.as_str(), slash.as_str(), lab.platform.as_str()),
        ("", resource.as_str(), resource.as_str()),
        ("", "", lab.platform.as_str()),
    ] {
        let mut browser = lab.browser();
        let page = browser.authorize(&[("resource", asked)]).await;
        let back = browser.give_password(&page, "alice", PASSWORD).await;
        let answer = browser.redeem(&back, &[("resource", repeated)]).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(token(&answer.json()["access_token"]).1["aud"], audience);
    }
    for foreign in [format!("{}/mcp", lab.platform), lab.platform.clone(), "https://elsewhere.example".into()] {
        let mut browser = lab.browser();
        let page = browser.authorize(&[("resource", &resource)]).await;
        let back = browser.give_password(&page, "alice", PASSWORD).await;
        let answer = browser.redeem(&back, &[("resource", &foreign)]).await;
        assert_eq!((answer.status, &answer.json()["error"]), (400, &"invalid_target".into()), "{foreign}");
    }
}

#[tokio::test]
async fn discovery_says_what_the_issuer_does() {
    let lab = Lab::start().await;
    let mut browser = lab.browser();
    let document = browser.get("/.well-known/openid-configuration").await.json();
    assert_eq!(document, browser.get("/.well-known/oauth-authorization-server").await.json());
    assert_eq!(document, lab.issuer.metadata_json());
    assert_eq!(document["issuer"], lab.url());
    assert_eq!(document["code_challenge_methods_supported"], serde_json::json!(["S256"]));
    assert_eq!(document["authorization_response_iss_parameter_supported"], true);
    for endpoint in ["authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri"] {
        let path = document[endpoint].as_str().unwrap().strip_prefix(&lab.url()).unwrap().to_owned();
        assert_ne!(browser.get(&path).await.status, 404, "{endpoint}");
    }
    let missing = browser.get("/nothing").await;
    assert_eq!((missing.status, missing.header("x-frame-options")), (404, "DENY"));
}
