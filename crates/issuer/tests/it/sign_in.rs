//! The sign-in pages: both factors, sessions, CSRF, headers.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use platform::Clock as _;
use platform::audit::Outcome;

use crate::lab::{Browser, Lab, MFA, PASSWORD, REDIRECT, token};

#[tokio::test]
async fn t1_a_password_sign_in_ends_in_tokens_that_say_exactly_that() {
    let lab = Lab::start().await;
    let mut browser = lab.browser();
    let page = browser.authorize(&[]).await;
    assert_eq!(page.status, 200);
    let back = browser.give_password(&page, "Alice", PASSWORD).await;
    let location = back.location();
    assert!(location.as_str().starts_with(REDIRECT), "{location}");
    assert_eq!(back.parameter("state").unwrap(), "st&te");
    assert_eq!(back.parameter("iss").unwrap(), lab.url(), "RFC 9207");

    let answer = browser.redeem(&back, &[]).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.header("cache-control"), "no-store");
    let body = answer.json();
    assert_eq!(
        (&body["token_type"], &body["scope"], &body["expires_in"]),
        (&"Bearer".into(), &"openid mcp".into(), &3600.into())
    );

    let (header, claims) = token(&body["access_token"]);
    assert_eq!((&header["typ"], &header["alg"]), (&"at+jwt".into(), &"ES256".into()));
    let now = lab.clock.epoch_seconds();
    for (name, value) in [
        ("iss", lab.url().into()),
        ("aud", lab.platform.clone().into()),
        ("client_id", "native".into()),
        ("scope", "openid mcp".into()),
        ("groups", serde_json::json!(["network-admins"])),
        ("preferred_username", "alice".into()),
        ("name", "Alice Admin".into()),
        ("acr", "urn:interlock:acr:password".into()),
        ("amr", serde_json::json!(["pwd"])),
    ] {
        assert_eq!(claims[name], value, "{name}");
    }
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 3600);
    assert_eq!((&claims["auth_time"], &claims["iat"]), (&now.into(), &now.into()));
    assert!(claims["jti"].is_string() && claims["sid"].is_string() && claims["sub"] != "alice");

    let (header, id) = token(&body["id_token"]);
    assert_eq!(header["typ"], "JWT");
    assert_eq!((&id["aud"], &id["nonce"], &id["sub"]), (&"native".into(), &"n-1".into(), &claims["sub"]));
    assert_eq!((&id["acr"], &id["auth_time"]), (&claims["acr"], &claims["auth_time"]));
    let hash = platform::canonical::sha256(body["access_token"].as_str().unwrap().as_bytes());
    assert_eq!(id["at_hash"], URL_SAFE_NO_PAD.encode(&hash[..16]));

    let keys = browser.get("/jwks").await.json();
    assert_eq!(keys["keys"][0]["kid"], header["kid"]);
    let issued = lab.audit.of("issuer.token_issued");
    assert_eq!(issued[0].facts["token_id"], claims["jti"]);
    assert_eq!(lab.audit.of("issuer.sign_in")[0].actor.as_ref().unwrap().subject, claims["sub"]);
}

#[tokio::test]
async fn t4_mfa_is_said_only_after_the_second_factor() {
    let lab = Lab::start().await;
    let mut browser = lab.browser();
    let page = browser.authorize(&[("acr_values", MFA)]).await;
    let page = browser.give_password(&page, "alice", PASSWORD).await;
    assert_eq!(page.status, 200, "the password alone does not end it");
    let back = browser.give_code(&page, &lab.otp()).await;
    let (_, claims) = token(&browser.redeem(&back, &[]).await.json()["access_token"]);
    assert_eq!(claims["acr"], MFA);
    assert_eq!(claims["amr"], serde_json::json!(["pwd", "otp", "mfa"]));
    assert_eq!(lab.audit.of("issuer.second_factor")[0].outcome, Outcome::Success);

    let again = browser.authorize(&[("acr_values", MFA), ("prompt", "none"), ("max_age", "900")]).await;
    assert!(again.parameter("code").is_some(), "the session satisfies the same request");
}

#[tokio::test]
async fn t5_a_step_is_accepted_once_also_in_another_browser() {
    let lab = Lab::start().await;
    let otp = lab.otp();
    let mut first = lab.browser();
    let page = mfa_page(&mut first, "alice").await;
    assert_eq!(first.give_code(&page, &otp).await.status, 303);
    let mut second = lab.browser();
    let page = mfa_page(&mut second, "alice").await;
    let refused = second.give_code(&page, &otp).await;
    assert_eq!(refused.status, 401);
    assert!(refused.body.contains("used already"), "{}", refused.body);
    assert_eq!(lab.audit.of("issuer.second_factor")[1].code.as_deref(), Some("code_used"));
    lab.clock.advance(60);
    assert_eq!(second.give_code(&refused, &lab.otp()).await.status, 303, "the page goes on with the next code");
}

#[tokio::test]
async fn t5_who_must_always_pass_a_second_factor_is_always_asked() {
    let lab = Lab::start().await;
    let mut browser = lab.browser();
    let page = browser.authorize(&[]).await;
    let page = browser.give_password(&page, "carol", PASSWORD).await;
    let back = browser.give_code(&page, &lab.otp()).await;
    let (_, claims) = token(&browser.redeem(&back, &[]).await.json()["access_token"]);
    assert_eq!(claims["acr"], MFA);
}

#[tokio::test]
async fn a_person_without_a_second_factor_is_sent_back_when_one_is_wanted() {
    let lab = Lab::start().await;
    let mut browser = lab.browser();
    let page = browser.authorize(&[("acr_values", MFA)]).await;
    let back = browser.give_password(&page, "bob", PASSWORD).await;
    assert_eq!(back.parameter("error").unwrap(), "unmet_authentication_requirements");
    assert_eq!(back.parameter("code"), None);
}

#[tokio::test]
async fn t4_a_step_up_from_a_password_session_asks_for_the_code_alone_and_keeps_auth_time() {
    let lab = Lab::start().await;
    let mut browser = lab.browser();
    let page = browser.authorize(&[]).await;
    let back = browser.give_password(&page, "alice", PASSWORD).await;
    let (_, before) = token(&browser.redeem(&back, &[]).await.json()["access_token"]);
    lab.clock.advance(300);
    let silent = browser.authorize(&[("acr_values", MFA), ("prompt", "none")]).await;
    assert_eq!(silent.parameter("error").unwrap(), "login_required");
    let page = browser.authorize(&[("acr_values", MFA), ("max_age", "900")]).await;
    let back = browser.give_code(&page, &lab.otp()).await;
    let (_, after) = token(&browser.redeem(&back, &[]).await.json()["access_token"]);
    assert_eq!(after["acr"], MFA);
    assert_eq!((&after["auth_time"], &after["sid"]), (&before["auth_time"], &before["sid"]));
}

#[tokio::test]
async fn max_age_and_prompt_decide_whether_a_session_is_fresh_enough() {
    let lab = Lab::start().await;
    let mut browser = lab.browser();
    let nobody = browser.authorize(&[("prompt", "none")]).await;
    assert_eq!(nobody.parameter("error").unwrap(), "login_required");
    let page = browser.authorize(&[]).await;
    assert_eq!(browser.give_password(&page, "alice", PASSWORD).await.status, 303);
    assert_eq!(browser.authorize(&[]).await.status, 303, "single sign-on");
    assert_eq!(browser.authorize(&[("prompt", "login")]).await.status, 200);
    assert_eq!(browser.authorize(&[("max_age", "0")]).await.status, 200);
    lab.clock.advance(120);
    assert_eq!(browser.authorize(&[("max_age", "600")]).await.status, 303);
    assert_eq!(browser.authorize(&[("max_age", "60")]).await.status, 200);
    lab.clock.advance(8 * 3600);
    assert_eq!(browser.authorize(&[]).await.status, 200, "a session ends after eight hours");
}

#[tokio::test]
async fn t5_csrf_a_form_works_only_in_the_browser_and_for_the_sign_in_it_was_made_for() {
    let lab = Lab::start().await;
    let (mut victim, mut attacker) = (lab.browser(), lab.browser());
    let page = victim.authorize(&[]).await;
    let other = attacker.authorize(&[]).await;
    let (csrf, request) = (page.field("csrf"), page.field("request"));
    let person = [("username", "alice"), ("password", PASSWORD)];
    let with = |extra: &[(&'static str, String)]| -> Vec<(&'static str, String)> {
        person.iter().map(|(n, v)| (*n, (*v).to_owned())).chain(extra.iter().cloned()).collect()
    };
    let missing = with(&[("request", request.clone())]);
    let foreign = with(&[("request", request.clone()), ("csrf", other.field("csrf"))]);
    let swapped = with(&[("request", other.field("request")), ("csrf", other.field("csrf"))]);
    for form in [missing, foreign, swapped] {
        let form: Vec<(&str, &str)> = form.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let refused = victim.post("/sign-in", &form).await;
        assert_eq!((refused.status, refused.body.contains("does not belong")), (403, true));
    }
    let mut no_cookie = lab.browser();
    let form = with(&[("request", request.clone()), ("csrf", csrf)]);
    let form: Vec<(&str, &str)> = form.iter().map(|(n, v)| (*n, v.as_str())).collect();
    assert_eq!(no_cookie.post("/sign-in", &form).await.status, 403);
    assert_eq!(victim.post("/sign-in", &form).await.status, 303, "the untouched form still works");
}

#[tokio::test]
async fn t5_ids_rotate_at_the_password_and_at_the_second_factor() {
    let lab = Lab::start().await;
    let mut browser = lab.browser();
    let page = browser.authorize(&[]).await;
    assert_eq!(browser.give_password(&page, "alice", PASSWORD).await.status, 303);
    let first = browser.cookies["interlock_session"].clone();
    assert!(!browser.cookies.contains_key("interlock_signin"));
    let old_session = browser.clone();

    let page = browser.authorize(&[("acr_values", MFA), ("prompt", "login")]).await;
    let before = browser.cookies["interlock_signin"].clone();
    let code_page = browser.give_password(&page, "alice", PASSWORD).await;
    assert_ne!(browser.cookies["interlock_signin"], before);
    assert_eq!(browser.give_code(&code_page, &lab.otp()).await.status, 303);
    assert_ne!(browser.cookies["interlock_session"], first);
    assert_eq!(old_session.clone().authorize(&[]).await.status, 200, "the former session id is worth nothing");
    assert_eq!(browser.give_password(&page, "alice", PASSWORD).await.status, 403, "nor is the former form");
}

#[tokio::test]
async fn t5_changed_credentials_end_sessions_and_codes() {
    let lab = Lab::start().await;
    let mut browser = lab.browser();
    let page = browser.authorize(&[]).await;
    let back = browser.give_password(&page, "alice", PASSWORD).await;
    lab.issuer
        .create_user(interlock_issuer::NewUser { password: "another password".into(), ..crate::lab::alice() })
        .await
        .unwrap();
    assert_eq!(browser.redeem(&back, &[]).await.json()["error"], "invalid_grant");
    assert_eq!(browser.authorize(&[]).await.status, 200);
}

#[tokio::test]
async fn pages_and_cookies_carry_the_protecting_headers() {
    let lab = Lab::start().await;
    let mut browser = lab.browser();
    let page = browser.authorize(&[("login_hint", "\"><script>x</script>")]).await;
    assert!(!page.body.contains("<script"), "{}", page.body);
    assert!(page.body.contains("Native &lt;client&gt;"));
    let policy = page.header("content-security-policy");
    for part in ["default-src 'none'", "style-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(policy.ends_with("form-action 'self' http://127.0.0.1:43210"), "{policy}");
    for (name, value) in [
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(page.header(name), value);
    }
    let cookie = page.header("set-cookie");
    for part in ["HttpOnly", "SameSite=Lax", "Path=/issuer", "Max-Age=900"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains("Secure"), "plain http on loopback");
    for part in
        ["autocomplete=\"username\"", "autocomplete=\"current-password\"", "for=\"username\"", "for=\"password\""]
    {
        assert!(page.body.contains(part), "{part}");
    }
    let code_page = mfa_page(&mut browser, "alice").await;
    assert!(code_page.body.contains("autocomplete=\"one-time-code\""));
    let style = browser.get("/style.css").await;
    assert_eq!((style.status, style.header("content-type")), (200, "text/css; charset=utf-8"));
}

#[tokio::test]
async fn t5_cookies_of_an_https_issuer_never_travel_in_clear() {
    let lab = Lab::start_as("https").await;
    let mut browser = lab.browser();
    let page = browser.authorize(&[]).await;
    let back = browser.give_password(&page, "alice", PASSWORD).await;
    let cookies: Vec<&str> = page
        .headers
        .get_all("set-cookie")
        .iter()
        .chain(back.headers.get_all("set-cookie"))
        .map(|c| c.to_str().unwrap())
        .collect();
    assert_eq!(cookies.len(), 3, "begun, session, ended");
    for cookie in cookies {
        assert!(cookie.starts_with("__Secure-interlock_") && cookie.contains("; Secure"), "{cookie}");
        assert!(cookie.contains("; HttpOnly") && cookie.contains("; SameSite=Lax"), "{cookie}");
    }
    assert_eq!(back.parameter("iss").unwrap(), lab.url());
}

#[tokio::test]
async fn a_sign_in_can_be_cancelled_handed_to_somebody_else_and_grows_old() {
    let lab = Lab::start().await;
    let mut browser = lab.browser();
    let page = mfa_page(&mut browser, "alice").await;
    let (csrf, request) = (page.field("csrf"), page.field("request"));
    let other = browser.post("/sign-in/otp", &[("csrf", &csrf), ("request", &request), ("action", "other")]).await;
    let (csrf, request) = (other.field("csrf"), other.field("request"));
    assert_eq!(browser.post("/sign-in", &[("csrf", &csrf), ("request", &request)]).await.status, 400);
    let cancel = browser.post("/sign-in", &[("csrf", &csrf), ("request", &request), ("action", "cancel")]).await;
    assert_eq!(cancel.parameter("error").unwrap(), "access_denied");
    let page = browser.authorize(&[]).await;
    lab.clock.advance(901);
    assert_eq!(browser.give_password(&page, "alice", PASSWORD).await.status, 400);
}

#[tokio::test]
async fn t25_without_an_audit_log_nobody_signs_in() {
    let lab = Lab::start().await;
    let mut browser = lab.browser();
    let page = browser.authorize(&[]).await;
    lab.audit.fail_appends(true);
    let refused = browser.give_password(&page, "alice", PASSWORD).await;
    assert_eq!(refused.status, 503);
    assert!(!browser.cookies.contains_key("interlock_session"));
}

async fn mfa_page(browser: &mut Browser, name: &str) -> crate::lab::Answer {
    let page = browser.authorize(&[("acr_values", MFA), ("prompt", "login")]).await;
    let page = browser.give_password(&page, name, PASSWORD).await;
    assert_eq!(page.status, 200, "{}", page.body);
    page
}
