//! `/token` and `/userinfo`.

use crate::lab::{Answer, Browser, CLIENT_SECRET, Lab, PASSWORD, VERIFIER, token};

#[tokio::test]
async fn a_code_is_for_one_use_one_minute_one_client_one_redirect_and_one_verifier() {
    let lab = Lab::start().await;
    let mut browser = lab.browser();
    let first = code(&mut browser).await;
    assert_eq!(browser.redeem(&first, &[]).await.status, 200);
    assert_refused(&browser.redeem(&first, &[]).await, "used twice");
    let wrong = VERIFIER.replace('d', "e");
    let secret = [("client_id", "machine"), ("client_secret", CLIENT_SECRET)];
    for changes in [
        &[("code_verifier", wrong.as_str())][..],
        &[("code_verifier", "")],
        &[("code_verifier", crate::lab::CHALLENGE)],
        &[("redirect_uri", "http://127.0.0.1:43211/callback")],
        &[("redirect_uri", "")],
        &secret,
    ] {
        let back = code(&mut browser).await;
        assert_refused(&browser.redeem(&back, changes).await, changes[0].0);
        assert_refused(&browser.redeem(&back, &[]).await, "a wrong try uses the code up");
    }
    let back = code(&mut browser).await;
    lab.clock.advance(61);
    assert_refused(&browser.redeem(&back, &[]).await, "too late");
}

#[tokio::test]
async fn client_credentials_carry_the_clients_groups_and_never_a_sign_in() {
    let lab = Lab::start().await;
    let mut browser = lab.browser();
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", "machine"),
        ("client_secret", CLIENT_SECRET),
        ("acr_values", "urn:interlock:acr:mfa"),
    ];
    let answer = browser.post("/token", &form).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(answer.json().get("id_token").is_none());
    let (_, claims) = token(&answer.json()["access_token"]);
    assert_eq!((&claims["sub"], &claims["client_id"]), (&"machine".into(), &"machine".into()));
    assert_eq!(claims["groups"], serde_json::json!(["automation"]));
    assert_eq!((&claims["aud"], &claims["scope"]), (&lab.platform.clone().into(), &"mcp".into()));
    for absent in ["acr", "amr", "auth_time", "sid"] {
        assert!(claims.get(absent).is_none(), "{absent}");
    }
    let resource = format!("{}/mcp/interlock", lab.platform);
    let basic = browser
        .http
        .post(format!("{}/token", lab.url()))
        .basic_auth("machine", Some(CLIENT_SECRET))
        .form(&[("grant_type", "client_credentials"), ("resource", &resource)])
        .send()
        .await
        .unwrap();
    let body: platform::Json = basic.json().await.unwrap();
    assert_eq!(token(&body["access_token"]).1["aud"], resource);
}

#[tokio::test]
async fn who_does_not_prove_to_be_the_client_gets_nothing() {
    let lab = Lab::start().await;
    let mut browser = lab.browser();
    let grant = ("grant_type", "client_credentials");
    for (form, status, error) in [
        (vec![grant, ("client_id", "machine"), ("client_secret", "wrong")], 401, "invalid_client"),
        (vec![grant, ("client_id", "machine")], 401, "invalid_client"),
        (vec![grant, ("client_id", "nobody"), ("client_secret", CLIENT_SECRET)], 401, "invalid_client"),
        (vec![grant, ("client_id", "native"), ("client_secret", CLIENT_SECRET)], 401, "invalid_client"),
        (vec![grant, ("client_id", "native")], 400, "unauthorized_client"),
        (vec![("grant_type", "password"), ("client_id", "native")], 400, "unsupported_grant_type"),
        (vec![("client_id", "native")], 400, "invalid_request"),
        (vec![grant, grant, ("client_id", "native")], 400, "invalid_request"),
    ] {
        let answer = browser.post("/token", &form).await;
        assert_eq!((answer.status, &answer.json()["error"]), (status, &error.into()), "{form:?}");
        assert_eq!(answer.header("www-authenticate").is_empty(), status != 401);
        assert_eq!(answer.header("cache-control"), "no-store");
    }
    let foreign =
        [grant, ("client_id", "machine"), ("client_secret", CLIENT_SECRET), ("resource", "https://x.example")];
    assert_eq!(browser.post("/token", &foreign).await.json()["error"], "invalid_target");
    let large = "x".repeat(70_000);
    let answer = browser.post("/token", &[("code", &large)]).await;
    assert_eq!((answer.status, &answer.json()["error"]), (413, &"invalid_request".into()));
    let long = "x".repeat(5_000);
    assert_eq!(browser.post("/token", &[("code", &long)]).await.status, 400);
    assert!(lab.audit.of("issuer.token_issued").is_empty());
    lab.refusals.flush().await.unwrap();
    let refused = lab.audit.of("authentication.refused");
    assert!(refused.iter().any(|r| r.code.as_deref() == Some("invalid_client")));
}

#[tokio::test]
async fn t25_no_token_leaves_without_its_record() {
    let lab = Lab::start().await;
    let mut browser = lab.browser();
    let back = code(&mut browser).await;
    lab.audit.fail_appends(true);
    let answer = browser.redeem(&back, &[]).await;
    assert_eq!((answer.status, &answer.json()["error"]), (503, &"temporarily_unavailable".into()));
    assert!(answer.json().get("access_token").is_none());
}

#[tokio::test]
async fn userinfo_answers_the_bearer_of_an_openid_token_only() {
    let lab = Lab::start().await;
    let mut browser = lab.browser();
    let back = code(&mut browser).await;
    let body = browser.redeem(&back, &[]).await.json();
    let (access, id) = (body["access_token"].as_str().unwrap(), body["id_token"].as_str().unwrap());
    let http = browser.http.clone();
    let ask = |token: String| http.get(format!("{}/userinfo", lab.url())).bearer_auth(token).send();
    let info: platform::Json = ask(access.to_owned()).await.unwrap().json().await.unwrap();
    assert_eq!(info["sub"], token(&body["access_token"]).1["sub"]);
    assert_eq!(
        (&info["preferred_username"], &info["groups"]),
        (&"alice".into(), &serde_json::json!(["network-admins"]))
    );
    assert_eq!(ask(id.to_owned()).await.unwrap().status(), 401, "an ID token is not an access token");
    assert_eq!(ask(format!("{access}x")).await.unwrap().status(), 401);
    assert_eq!(browser.get("/userinfo").await.status, 401);

    let page = browser.authorize(&[("scope", "mcp"), ("prompt", "login")]).await;
    let back = browser.give_password(&page, "alice", PASSWORD).await;
    let without_openid = browser.redeem(&back, &[]).await.json();
    assert!(without_openid.get("id_token").is_none());
    let answer = ask(without_openid["access_token"].as_str().unwrap().to_owned()).await.unwrap();
    assert_eq!(answer.status(), 403);

    lab.clock.advance(3_600);
    assert_eq!(ask(access.to_owned()).await.unwrap().status(), 401, "expired");
}

/// A redirect with a code, from a session once there is one.
async fn code(browser: &mut Browser) -> Answer {
    let answer = browser.authorize(&[]).await;
    if answer.status == 303 { answer } else { browser.give_password(&answer, "alice", PASSWORD).await }
}

fn assert_refused(answer: &Answer, why: &str) {
    assert_eq!((answer.status, &answer.json()["error"]), (400, &"invalid_grant".into()), "{why}");
}
