//! T1: a token is good at exactly the resource it names, warm cache or not, and only as long as it lives.

use platform::clock::Clock;
use platform::resource::Resource;
use platform::tokens::{TokenRefusal, TokenVerifier};
use serde_json::json;

use crate::issuer::{BASE, World, base, entry, resource, verifier};

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
                assert_eq!(
                    verifier.verify(&token, &other, None).await.unwrap_err(),
                    TokenRefusal::Audience,
                    "{other:?}"
                );
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
    strict.verifier.verify(&token, &Resource::Platform, None).await.unwrap();
    assert_eq!(strict.verify(&token, "a").await.unwrap_err(), TokenRefusal::Audience);
    let open = World::with(|entry| entry.accepts_platform_audience = true).await;
    let token = open.token_with(&aud);
    for resource in [resource("a"), resource("b"), Resource::Mcp, Resource::Rest, Resource::Platform] {
        open.verifier.verify(&token, &resource, None).await.unwrap();
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
    let mut open = entry(&other.issuer.url);
    open.accepts_platform_audience = true;
    let both = verifier(vec![entry(&one.issuer.url), open], one.clock.clone()).await;
    let aud = json!({"aud": BASE});
    both.verify(&other.token_with(&aud), &resource("a"), None).await.unwrap();
    assert_eq!(both.verify(&one.token_with(&aud), &resource("a"), None).await.unwrap_err(), TokenRefusal::Audience);
    // The other issuer's key under this issuer's name.
    let forged = other.key.access_token(&one.claims());
    assert_eq!(both.verify(&forged, &resource("a"), None).await.unwrap_err(), TokenRefusal::Signature);
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
async fn t1_what_narrows_a_server_takes_its_tokens_and_never_the_reverse() {
    let world = World::new().await;
    let narrow =
        [Resource::McpReadonly("a".into()), Resource::McpToolset { server: "a".into(), toolset: "devices".into() }];
    let wide = world.token_with(&json!({}));
    for narrow in narrow {
        world.verifier.verify(&wide, &narrow, None).await.unwrap();
        let own = world.token_with(&json!({"aud": narrow.identifier(&base())}));
        world.verifier.verify(&own, &narrow, None).await.unwrap();
        assert_eq!(world.verify(&own, "a").await.unwrap_err(), TokenRefusal::Audience);
        let other = world.token_with(&json!({"aud": format!("{BASE}/mcp/b")}));
        assert_eq!(world.verifier.verify(&other, &narrow, None).await.unwrap_err(), TokenRefusal::Audience);
    }
}
