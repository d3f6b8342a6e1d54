//! Introspection and revocation.

use platform::revocation::Revoked;

use crate::lab::{CLIENT_SECRET, Lab, PASSWORD, token};

#[tokio::test]
async fn rfc_7662_a_token_is_described_to_the_client_whose_business_it_is() {
    let lab = Lab::start().await;
    let mut browser = lab.browser();
    let served = format!("{}/mcp/interlock", lab.platform);
    let pair = browser.signed_in("alice", &[("resource", &served)]).await;
    let told = browser.introspect(&pair["access_token"]).await;
    let claims = token(&pair["access_token"]).1;
    for same in ["sub", "aud", "exp", "iat", "jti", "client_id", "scope", "groups", "acr", "auth_time", "sid", "iss"] {
        assert_eq!(told[same], claims[same], "{same}");
    }
    assert_eq!((&told["active"], &told["username"]), (&true.into(), &"alice".into()));

    let elsewhere = browser.signed_in("alice", &[("prompt", "login")]).await;
    let nothing = serde_json::json!({"active": false});
    for not_its_business in
        [&elsewhere["access_token"], &elsewhere["id_token"], &pair["refresh_token"], &"x.y.z".into()]
    {
        assert_eq!(browser.introspect(not_its_business).await, nothing, "{not_its_business}");
    }
    let form = [("token", pair["access_token"].as_str().unwrap()), ("client_id", "native")];
    assert_eq!(browser.post("/introspect", &form).await.status, 401, "a public client proves nothing");
    lab.clock.advance(3_600);
    assert_eq!(browser.introspect(&pair["access_token"]).await, nothing);
}

#[tokio::test]
async fn t3_a_client_revokes_its_tokens_and_no_others() {
    let lab = Lab::start().await;
    let mut browser = lab.browser();
    let served = format!("{}/mcp/interlock", lab.platform);
    let pair = browser.signed_in("alice", &[("resource", &served)]).await;
    let access = pair["access_token"].as_str().unwrap();
    let machine = [("token", access), ("client_id", "machine"), ("client_secret", CLIENT_SECRET)];
    assert_eq!(browser.post("/revoke", &machine).await.json()["error"], "invalid_request");
    assert_eq!(browser.introspect(&pair["access_token"]).await["active"], true);

    assert_eq!(browser.post("/revoke", &[("token", access), ("client_id", "native")]).await.status, 200);
    let jti = token(&pair["access_token"]).1["jti"].as_str().unwrap().to_owned();
    assert!(lab.floors.has(&Revoked::Token(jti)));
    assert_eq!(browser.introspect(&pair["access_token"]).await["active"], false);
    let asked = browser.http.get(format!("{}/userinfo", lab.url())).bearer_auth(access).send().await.unwrap();
    assert_eq!(asked.status(), 401);

    let second = browser.refresh(&pair["refresh_token"], &[]).await.json();
    let refresh = second["refresh_token"].as_str().unwrap();
    assert_eq!(browser.post("/revoke", &[("token", refresh), ("client_id", "native")]).await.status, 200);
    assert_eq!(browser.refresh(&second["refresh_token"], &[]).await.status, 400);
    assert_eq!(browser.introspect(&second["access_token"]).await["active"], false, "it ended with its refresh token");
    assert_eq!(browser.post("/revoke", &[("token", "nobody's"), ("client_id", "native")]).await.status, 200);
    assert_eq!(lab.audit.of("issuer.token_revoked").len(), 2);
}

#[tokio::test]
async fn t3_nobody_is_told_that_a_token_is_revoked_before_it_is() {
    let lab = Lab::start().await;
    let mut browser = lab.browser();
    let page = browser.authorize(&[]).await;
    let back = browser.give_password(&page, "alice", PASSWORD).await;
    let pair = browser.redeem(&back, &[]).await.json();
    lab.floors.fail(true);
    let form = [("token", pair["access_token"].as_str().unwrap()), ("client_id", "native")];
    assert_eq!(browser.post("/revoke", &form).await.status, 503);
}
