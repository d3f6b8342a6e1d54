//! Refresh tokens: rotation, reuse, binding, life, and what ends them.

use std::sync::Arc;

use platform::revocation::Revoked;
use platform_suites::MemoryStore;

use crate::lab::{Answer, CLIENT_SECRET, Lab, alice, token};

#[tokio::test]
async fn a_refresh_brings_a_new_pair_and_keeps_when_and_how_the_person_signed_in() {
    let lab = Lab::start().await;
    let mut browser = lab.browser();
    let first = browser.signed_in("alice", &[]).await;
    lab.clock.advance(600);
    let answer = browser.refresh(&first["refresh_token"], &[]).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let second = answer.json();
    assert_ne!(first["refresh_token"], second["refresh_token"]);
    let (old, new) = (token(&first["access_token"]).1, token(&second["access_token"]).1);
    for same in ["sub", "sid", "auth_time", "acr", "aud", "scope", "client_id"] {
        assert_eq!(old[same], new[same], "{same}");
    }
    assert_ne!(old["jti"], new["jti"]);
    assert_eq!(new["iat"].as_i64().unwrap() - old["iat"].as_i64().unwrap(), 600);
    assert!(second["id_token"].is_string());
}

#[tokio::test]
async fn t3_a_token_that_comes_twice_ends_its_family_and_the_access_tokens_that_it_brought() {
    let lab = Lab::start().await;
    let mut browser = lab.browser();
    let first = browser.signed_in("alice", &[]).await;
    let second = browser.refresh(&first["refresh_token"], &[]).await.json();
    assert_refused(&browser.refresh(&first["refresh_token"], &[]).await, "the thief's or the owner's, nobody knows");
    assert_refused(&browser.refresh(&second["refresh_token"], &[]).await, "the newest ended with its family");
    for pair in [&first, &second] {
        let jti = token(&pair["access_token"]).1["jti"].as_str().unwrap().to_owned();
        assert!(lab.floors.has(&Revoked::Token(jti)));
    }
    let reused = lab.audit.of("issuer.refresh_reused");
    assert_eq!(reused[0].actor.as_ref().unwrap().client_id, "native");
}

#[tokio::test]
async fn t3_of_two_that_present_the_same_token_at_once_at_most_one_gets_a_pair_and_the_family_ends() {
    for _ in 0..10 {
        let lab = Lab::start().await;
        let mut browser = lab.browser();
        let first = browser.signed_in("alice", &[]).await;
        let (mut one, mut other) = (browser.clone(), browser.clone());
        let both = tokio::join!(one.refresh(&first["refresh_token"], &[]), other.refresh(&first["refresh_token"], &[]));
        let won: Vec<&Answer> = [&both.0, &both.1].into_iter().filter(|a| a.status == 200).collect();
        assert!(won.len() <= 1, "both passed");
        for answer in won {
            assert_refused(&browser.refresh(&answer.json()["refresh_token"], &[]).await, "the family has ended");
        }
    }
}

#[tokio::test]
async fn rfc_8707_a_refresh_narrows_the_resource_and_the_scope_and_never_widens_them() {
    let lab = Lab::start().await;
    let at = |path: &str| format!("{}{path}", lab.platform);
    let mut browser = lab.browser();
    let wide = browser.signed_in("alice", &[]).await;
    let narrow = browser.refresh(&wide["refresh_token"], &[("resource", &at("/mcp/a")), ("scope", "mcp")]).await.json();
    let claims = token(&narrow["access_token"]).1;
    assert_eq!((&claims["aud"], &claims["scope"]), (&at("/mcp/a").into(), &"mcp".into()));
    let wide = browser.refresh(&narrow["refresh_token"], &[]).await.json();
    assert_eq!(token(&wide["access_token"]).1["aud"], lab.platform.clone(), "the family keeps what was granted");
    let answer = browser.refresh(&wide["refresh_token"], &[("resource", &at("/issuer/admin"))]).await;
    assert_eq!(answer.json()["error"], "invalid_target", "a grant for the platform is none for its administration");
    let answer = browser.refresh(&wide["refresh_token"], &[("scope", "mcp profile")]).await;
    assert_eq!(answer.json()["error"], "invalid_scope");
    assert_eq!(browser.refresh(&wide["refresh_token"], &[]).await.status, 200, "a refused wish uses nothing up");

    let mut browser = lab.browser();
    let narrow = browser.signed_in("alice", &[("resource", &at("/mcp/a"))]).await;
    for wider in [at(""), at("/mcp"), at("/mcp/b")] {
        let answer = browser.refresh(&narrow["refresh_token"], &[("resource", &wider)]).await;
        assert_eq!(answer.json()["error"], "invalid_target", "{wider}");
    }
    let answer = browser.refresh(&narrow["refresh_token"], &[("resource", &at("/mcp/a/readonly"))]).await;
    assert_eq!(token(&answer.json()["access_token"]).1["aud"], at("/mcp/a/readonly"));
}

#[tokio::test]
async fn a_refresh_token_is_its_clients_only_and_garbage_is_nobodys() {
    let lab = Lab::start().await;
    let mut browser = lab.browser();
    let pair = browser.signed_in("alice", &[]).await;
    let machine = [("client_id", "machine"), ("client_secret", CLIENT_SECRET)];
    assert_eq!(browser.refresh(&pair["refresh_token"], &machine).await.json()["error"], "unauthorized_client");
    for garbage in ["x", "", &"A".repeat(102), &format!("{}A", pair["refresh_token"].as_str().unwrap())] {
        let answer = browser.refresh(&garbage.into(), &[]).await;
        assert_eq!(answer.status, 400, "{garbage}");
    }
    assert_eq!(browser.refresh(&pair["refresh_token"], &[]).await.status, 200, "guesses end nobody's family");
}

#[tokio::test]
async fn a_family_ends_when_idle_for_a_week_and_after_a_month_at_the_latest() {
    let lab = Lab::start().await;
    let mut browser = lab.browser();
    let mut pair = browser.signed_in("alice", &[]).await;
    for _ in 0..4 {
        lab.clock.advance(7 * 86_400 - 1);
        let answer = browser.refresh(&pair["refresh_token"], &[]).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        pair = answer.json();
    }
    lab.clock.advance(2 * 86_400 + 4);
    assert_refused(&browser.refresh(&pair["refresh_token"], &[]).await, "a month");

    let mut browser = lab.browser();
    let pair = browser.signed_in("alice", &[]).await;
    lab.clock.advance(7 * 86_400);
    assert_refused(&browser.refresh(&pair["refresh_token"], &[]).await, "idle");
}

#[tokio::test]
async fn t3_a_refresh_reads_the_person_again() {
    let lab = Lab::start().await;
    let mut browser = lab.browser();
    let pair = browser.signed_in("alice", &[]).await;
    lab.issuer.create_user(interlock_issuer::NewUser { groups: vec!["operators".into()], ..alice() }).await.unwrap();
    let pair = browser.refresh(&pair["refresh_token"], &[]).await.json();
    assert_eq!(token(&pair["access_token"]).1["groups"], serde_json::json!(["operators"]));
    let changed = interlock_issuer::NewUser { password: "another long password".into(), ..alice() };
    lab.issuer.create_user(changed).await.unwrap();
    assert_refused(&browser.refresh(&pair["refresh_token"], &[]).await, "new credentials");
}

#[tokio::test]
async fn t3_a_code_that_comes_twice_ends_what_it_brought() {
    let lab = Lab::start().await;
    let mut browser = lab.browser();
    let page = browser.authorize(&[]).await;
    let back = browser.give_password(&page, "alice", crate::lab::PASSWORD).await;
    let pair = browser.redeem(&back, &[]).await.json();
    assert_refused(&browser.redeem(&back, &[]).await, "used");
    assert_refused(&browser.refresh(&pair["refresh_token"], &[]).await, "its family ended");
    let jti = token(&pair["access_token"]).1["jti"].as_str().unwrap().to_owned();
    assert!(lab.floors.has(&Revoked::Token(jti)));
}

#[tokio::test]
async fn a_family_has_at_most_32_living_access_tokens() {
    let lab = Lab::start().await;
    let mut browser = lab.browser();
    let first = browser.signed_in("alice", &[]).await;
    let jti = token(&first["access_token"]).1["jti"].as_str().unwrap().to_owned();
    let mut pair = first;
    for _ in 0..31 {
        pair = browser.refresh(&pair["refresh_token"], &[]).await.json();
    }
    assert!(!lab.floors.has(&Revoked::Token(jti.clone())));
    browser.refresh(&pair["refresh_token"], &[]).await.json();
    assert!(lab.floors.has(&Revoked::Token(jti)), "the oldest made room");
}

#[tokio::test]
async fn t5_the_store_holds_no_refresh_token() {
    let lab = Lab::start().await;
    let mut browser = lab.browser();
    let pair = browser.signed_in("alice", &[]).await;
    let store: &Arc<MemoryStore> = &lab.store;
    assert!(!store.text().contains(pair["refresh_token"].as_str().unwrap()));
}

fn assert_refused(answer: &Answer, why: &str) {
    assert_eq!((answer.status, &answer.json()["error"]), (400, &"invalid_grant".into()), "{why}");
}
