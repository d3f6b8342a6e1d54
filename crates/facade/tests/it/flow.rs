//! The way of a client that nobody registered: metadata, registration, consent, provider, tokens, refresh.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use platform::canonical;
use serde_json::json;

use crate::front::{BASE, Front, PROVIDER, REDIRECT};

#[tokio::test]
async fn the_document_names_every_step_and_stands_at_both_places() {
    let front = Front::new();
    for path in [
        "/.well-known/oauth-authorization-server/oauth/corporate",
        "/oauth/corporate/.well-known/oauth-authorization-server",
    ] {
        let document = front.get(path, "").await.json();
        let url = format!("{BASE}/oauth/corporate");
        assert_eq!(document["issuer"], json!(url));
        for (name, step) in [
            ("authorization_endpoint", "authorize"),
            ("token_endpoint", "token"),
            ("registration_endpoint", "register"),
        ] {
            assert_eq!(document[name], json!(format!("{url}/{step}")));
        }
        assert_eq!(document["code_challenge_methods_supported"], json!(["S256"]));
        assert_eq!(document["authorization_response_iss_parameter_supported"], json!(true));
    }
}

#[tokio::test]
async fn a_client_that_registered_itself_gets_the_providers_token_after_the_persons_consent() {
    let front = Front::new();
    let client = front.client().await;
    let page = front.authorize(&client, &[], "").await;
    assert!(page.text.contains("A tool") && page.text.contains("a program on this computer"), "{}", page.text);
    assert!(page.text.contains("id.example"), "the person reads where to sign in");
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("form-action 'self' https://id.example http://127.0.0.1:7777"), "{policy}");
    assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("script-src"), "{policy}");
    let set = page.headers["set-cookie"].to_str().unwrap();
    for part in ["HttpOnly", "Secure", "SameSite=Lax", "Path=/oauth/corporate"] {
        assert!(set.contains(part), "{set}");
    }
    assert!(front.audit.entries().is_empty(), "nothing was decided");

    let (cookie, form) = (page.cookie(), page.sealed());
    let form = [("request", form.as_str()), ("decision", "allow")];
    let sent = front.post("/oauth/corporate/authorize", &cookie, &form).await;
    assert_eq!(sent.status.as_u16(), 303);
    let to = sent.location();
    assert_eq!((to.origin().ascii_serialization().as_str(), to.path()), (PROVIDER, "/authorize"));
    assert_eq!(sent.parameter("tenant").as_deref(), Some("a"), "the endpoint's own query stays");
    assert_eq!(sent.parameter("client_id").as_deref(), Some("the-one-client"));
    assert_eq!(sent.parameter("redirect_uri").unwrap(), format!("{BASE}/oauth/corporate/callback"));
    assert_eq!(sent.parameter("scope").as_deref(), Some("openid groups"));
    assert_eq!(sent.parameter("resource"), None, "the provider does not know it");
    let state = sent.parameter("state").unwrap();
    assert_ne!(state, "client's own");

    let back = front.get(&format!("/oauth/corporate/callback?code=good&state={state}&iss={PROVIDER}"), &cookie).await;
    assert!(back.location().as_str().starts_with(&format!("{REDIRECT}?")), "{}", back.location());
    assert_eq!(back.parameter("state").as_deref(), Some("client's own"));
    assert_eq!(back.parameter("iss").unwrap(), format!("{BASE}/oauth/corporate"));
    let code = back.parameter("code").unwrap();
    assert_ne!(code, "good");
    let challenged = sent.parameter("code_challenge").unwrap();
    let redeemed = front.provider.redeemed.lock().unwrap()[0].clone();
    let hashed = URL_SAFE_NO_PAD.encode(canonical::sha256(redeemed.code_verifier.expose().as_bytes()));
    assert_eq!(hashed, challenged, "our own proof key, and not the client's");

    let tokens = front.token(&client, &code, &[("resource", "https://interlock.example")]).await;
    assert_eq!(tokens.headers["cache-control"], "no-store");
    let tokens = tokens.json();
    assert_eq!((&tokens["access_token"], &tokens["expires_in"]), (&json!("their-access-token"), &json!(300)));
    let refresh = tokens["refresh_token"].as_str().unwrap().to_owned();
    assert!(!refresh.contains("their"), "the provider's refresh token stays sealed");

    let form = [("grant_type", "refresh_token"), ("client_id", client.as_str()), ("refresh_token", refresh.as_str())];
    let again = front.post("/oauth/corporate/token", "", &form).await.json();
    assert_eq!(again["access_token"], json!("their-second-access-token"));
    assert!(again["refresh_token"].is_string(), "one that the provider did not replace stays good");
    assert_eq!(*front.provider.refreshed.lock().unwrap(), ["their-refresh-token"]);

    let actions: Vec<_> = front.audit.entries().iter().map(|entry| entry.action.clone()).collect();
    assert_eq!(actions, ["facade.consented", "facade.token_handed_over", "facade.token_refreshed"]);
    assert!(!format!("{:?}", front.audit.entries()).contains("their-"), "no token is on record");
}

#[tokio::test]
async fn what_the_person_refuses_never_reaches_the_provider() {
    let front = Front::new();
    let client = front.client().await;
    let page = front.authorize(&client, &[], "").await;
    let form = page.sealed();
    for decision in ["deny", "", "ALLOW"] {
        let form = [("request", form.as_str()), ("decision", decision)];
        let back = front.post("/oauth/corporate/authorize", &page.cookie(), &form).await;
        assert!(back.location().as_str().starts_with(REDIRECT), "{decision}: {}", back.location());
        assert_eq!(back.parameter("error").as_deref(), Some("access_denied"));
        assert_eq!(back.parameter("state").as_deref(), Some("client's own"));
    }
    assert!(front.audit.entries().is_empty());
}

#[tokio::test]
async fn what_the_provider_refuses_is_told_to_the_client() {
    let front = Front::new();
    let client = front.client().await;
    for answer in [
        "error=access_denied",
        "error=x&code=good&iss=https://id.example",
        "code=bad&iss=https://id.example",
        "code=good",
        "code=good&iss=https://evil.example",
    ] {
        let (cookie, state) = front.consent(&client).await;
        let back = front.get(&format!("/oauth/corporate/callback?{answer}&state={state}"), &cookie).await;
        assert!(back.parameter("error").is_some() && back.parameter("code").is_none(), "{answer}: {}", back.location());
    }
    assert!(front.provider.redeemed.lock().unwrap().is_empty());
}
