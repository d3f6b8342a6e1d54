//! The device flow, as a stranger drives it: plain HTTP on the device's side, a browser on the person's.

use crate::lab::{Answer, Browser, Lab, MFA, PASSWORD, token};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

async fn begin(browser: &mut Browser, more: &[(&str, &str)]) -> platform::Json {
    let mut form = vec![("client_id", "native"), ("scope", "openid mcp")];
    form.extend(more);
    let answer = browser.post("/device_authorization", &form).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

async fn poll(browser: &mut Browser, begun: &platform::Json) -> Answer {
    let code = begun["device_code"].as_str().unwrap();
    browser.post("/token", &[("grant_type", GRANT), ("client_id", "native"), ("device_code", code)]).await
}

/// Types a code on the page.
async fn enter(browser: &mut Browser, code: &str) -> Answer {
    let page = browser.get("/device").await;
    let csrf = page.field("csrf");
    browser.post("/device", &[("csrf", &csrf), ("user_code", code)]).await
}

#[tokio::test]
async fn rfc_8628_a_device_is_let_in_by_a_person_who_signs_in_elsewhere() {
    let lab = Lab::start().await;
    let (mut device, mut person) = (lab.browser(), lab.browser());
    let begun = begin(&mut device, &[]).await;
    assert_eq!(poll(&mut device, &begun).await.json()["error"], "authorization_pending");
    assert_eq!(poll(&mut device, &begun).await.json()["error"], "slow_down");

    let complete = begun["verification_uri_complete"].as_str().unwrap().strip_prefix(&lab.url()).unwrap().to_owned();
    let page = person.get(&complete).await;
    assert_eq!(page.field("user_code"), begun["user_code"].as_str().unwrap(), "filled in, and not yet sent");
    let typed = begun["user_code"].as_str().unwrap().replace('-', " ").to_lowercase();
    let page = enter(&mut person, &typed).await;
    let page = person.give_password(&page, "alice", PASSWORD).await;
    assert_eq!(page.status, 200, "{}", page.body);
    for told in ["Native &lt;client&gt;", begun["user_code"].as_str().unwrap(), "127.0.0.1", &lab.platform] {
        assert!(page.body.contains(told), "{told} in {}", page.body);
    }
    let done = person.decide(&page, "approve").await;
    assert!(done.body.contains("let in"), "{}", done.body);

    lab.clock.advance(15);
    let answer = poll(&mut device, &begun).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let pair = answer.json();
    let claims = token(&pair["access_token"]).1;
    assert_eq!((&claims["preferred_username"], &claims["client_id"]), (&"alice".into(), &"native".into()));
    assert_eq!(poll(&mut device, &begun).await.json()["error"], "expired_token", "once");
    assert_eq!(device.refresh(&pair["refresh_token"], &[]).await.status, 200);
    assert_eq!(lab.audit.of("issuer.device")[0].actor.as_ref().unwrap().name, "alice");
}

#[tokio::test]
async fn rfc_8628_a_denied_code_and_an_old_one_say_so() {
    let lab = Lab::start().await;
    let (mut device, mut person) = (lab.browser(), lab.browser());
    let begun = begin(&mut device, &[]).await;
    let page = enter(&mut person, begun["user_code"].as_str().unwrap()).await;
    let page = person.give_password(&page, "alice", PASSWORD).await;
    person.decide(&page, "deny").await;
    assert_eq!(poll(&mut device, &begun).await.json()["error"], "access_denied");
    assert_eq!(person.decide(&page, "approve").await.status, 403, "the page has done its work");

    let begun = begin(&mut device, &[]).await;
    lab.clock.advance(600);
    assert_eq!(poll(&mut device, &begun).await.json()["error"], "expired_token");
    assert_eq!(enter(&mut person, begun["user_code"].as_str().unwrap()).await.status, 404);
}

#[tokio::test]
async fn t4_a_device_can_ask_for_the_second_factor() {
    let lab = Lab::start().await;
    let (mut device, mut person) = (lab.browser(), lab.browser());
    person.signed_in("alice", &[]).await;
    let begun = begin(&mut device, &[("acr_values", MFA)]).await;
    let page = enter(&mut person, begun["user_code"].as_str().unwrap()).await;
    let page = person.give_code(&page, &lab.otp()).await;
    person.decide(&page, "approve").await;
    let pair = poll(&mut device, &begun).await.json();
    assert_eq!(token(&pair["access_token"]).1["acr"], MFA);
}

#[tokio::test]
async fn t5_guessing_codes_is_throttled_and_needs_the_forms_own_token() {
    let lab = Lab::start().await;
    let mut person = lab.browser();
    for _ in 0..10 {
        assert_eq!(enter(&mut person, "BCDF-GHJK").await.status, 404);
    }
    let answer = enter(&mut person, "BCDF-GHJK").await;
    assert_eq!((answer.status, answer.header("retry-after").is_empty()), (429, false));
    let answer = lab.browser().post("/device", &[("user_code", "BCDF-GHJK")]).await;
    assert_eq!(answer.status, 403, "no CSRF token");
}

#[tokio::test]
async fn a_device_code_is_its_clients_and_its_person_must_still_be_there() {
    let lab = Lab::start().await;
    let (mut device, mut person) = (lab.browser(), lab.browser());
    let begun = begin(&mut device, &[]).await;
    let page = enter(&mut person, begun["user_code"].as_str().unwrap()).await;
    let page = person.give_password(&page, "alice", PASSWORD).await;
    person.decide(&page, "approve").await;
    let code = begun["device_code"].as_str().unwrap();
    let other = [
        ("grant_type", GRANT),
        ("client_id", "machine"),
        ("client_secret", crate::lab::CLIENT_SECRET),
        ("device_code", code),
    ];
    assert_eq!(device.post("/token", &other).await.json()["error"], "unauthorized_client");
    let changed = interlock_issuer::NewUser { password: "another long password".into(), ..crate::lab::alice() };
    lab.issuer.create_user(changed).await.unwrap();
    assert_eq!(poll(&mut device, &begun).await.json()["error"], "invalid_grant");
}
