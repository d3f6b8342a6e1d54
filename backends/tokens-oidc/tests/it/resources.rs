//! T1: a token is good at exactly the resource it names, warm cache or not, and only as long as it lives. T3: floors.

use interlock_tokens_oidc::Revoked;
use platform::clock::Clock;
use platform::resource::Resource;
use platform::tokens::{TokenRefusal, TokenVerifier};
use serde_json::json;

use crate::issuer::{BASE, World, resource, verifier};

#[tokio::test]
async fn t1_a_token_for_one_server_is_refused_at_another_in_both_orders() {
    for first_good in [true, false] {
        let world = World::new().await;
        let token = world.token_with(&json!({}));
        for round in 0..3 {
            if first_good || round > 0 {
                assert_eq!(world.verify(&token, "a").await.unwrap().subject, "alice");
            }
            assert_eq!(world.verify(&token, "b").await.unwrap_err(), TokenRefusal::Audience);
            let verifier = &world.verifier;
            for other in [Resource::Mcp, Resource::Rest, Resource::Platform, Resource::Pages] {
                assert_eq!(verifier.verify(&token, &other).await.unwrap_err(), TokenRefusal::Audience, "{other:?}");
            }
        }
    }
}

#[tokio::test]
async fn t1_the_platform_audience_counts_only_where_the_entry_says_so() {
    let aud = json!({"aud": BASE});
    let strict = World::new().await;
    let token = strict.token_with(&aud);
    assert_eq!(strict.verify(&token, "a").await.unwrap_err(), TokenRefusal::Audience);
    strict.verifier.verify(&token, &Resource::Platform).await.unwrap();
    assert_eq!(strict.verify(&token, "a").await.unwrap_err(), TokenRefusal::Audience);
    let open = World::with(|entry| entry.accepts_platform_audience = true).await;
    let token = open.token_with(&aud);
    for resource in [resource("a"), resource("b"), Resource::Mcp, Resource::Rest, Resource::Platform] {
        open.verifier.verify(&token, &resource).await.unwrap();
    }
}

#[tokio::test]
async fn t1_one_exact_audience_among_several_is_enough() {
    let world = World::new().await;
    let token = world.token_with(&json!({"aud": ["https://other.example", format!("{BASE}/mcp/a")]}));
    world.verify(&token, "a").await.unwrap();
    assert_eq!(world.verify(&token, "b").await.unwrap_err(), TokenRefusal::Audience);
}

#[tokio::test]
async fn t1_one_issuers_entry_does_not_speak_for_another() {
    let (one, other) = (World::new().await, World::new().await);
    let mut open = other.issuer.entry();
    open.accepts_platform_audience = true;
    let both = verifier(vec![one.issuer.entry(), open], one.clock.clone());
    let aud = json!({"aud": BASE});
    both.verify(&other.token_with(&aud), &resource("a")).await.unwrap();
    assert_eq!(both.verify(&one.token_with(&aud), &resource("a")).await.unwrap_err(), TokenRefusal::Audience);
    // The other issuer's key under this issuer's name.
    let forged = other.key.access_token(&one.claims());
    assert_eq!(both.verify(&forged, &resource("a")).await.unwrap_err(), TokenRefusal::Signature);
}

#[tokio::test]
async fn a_cached_token_ends_with_its_expiry_when_the_clock_jumps() {
    let world = World::new().await;
    let now = world.clock.epoch_seconds();
    let token = world.token_with(&json!({"exp": now + 40}));
    world.verify(&token, "a").await.unwrap();
    world.clock.advance(3600);
    assert_eq!(world.verify(&token, "a").await.unwrap_err(), TokenRefusal::Time);
}

#[tokio::test]
async fn t3_a_revocation_ends_cached_tokens_at_once_and_spares_newer_ones() {
    let kinds =
        [Revoked::Subject("alice".to_owned()), Revoked::Session("s1".to_owned()), Revoked::Token("t1".to_owned())];
    for kind in kinds {
        let world = World::new().await;
        let token = world.token_with(&json!({}));
        let floors = world.verifier.floors().clone();
        world.verify(&token, "a").await.unwrap();
        let now = world.clock.epoch_seconds();
        floors.revoke("https://another-issuer.example", kind.clone(), now + 10);
        world.verify(&token, "a").await.unwrap();
        floors.revoke(&world.issuer.url, kind.clone(), now + 10);
        floors.revoke(&world.issuer.url, kind.clone(), now - 1000);
        for _ in 0..2 {
            assert_eq!(world.verify(&token, "a").await.unwrap_err(), TokenRefusal::Revoked, "{kind:?}");
        }
        let unseen = world.token_with(&json!({"note": 1}));
        assert_eq!(world.verify(&unseen, "a").await.unwrap_err(), TokenRefusal::Revoked, "{kind:?}");
        world.clock.advance(12);
        world.verify(&world.token_with(&json!({})), "a").await.unwrap();
        floors.forget_before(now + 10);
        world.verify(&token, "a").await.unwrap();
    }
}
