//! Keys: fetched when needed, seldom, from where the issuer lives, and never guessed.

use std::sync::Arc;

use platform::SharedClock;
use platform::tokens::{TokenRefusal, TokenVerifier};
use serde_json::{Value, json};

use crate::issuer::{Signer, StillClock, TestIssuer, World, entry, floors, resource, verifier};

#[tokio::test]
async fn nothing_is_fetched_before_a_token_comes_and_junk_fetches_nothing() {
    let world = World::new().await;
    for junk in ["", "a.b.c", "x"] {
        world.verify(junk, "a").await.unwrap_err();
    }
    world.verify(&world.token_with(&json!({"iss": "https://other.example"})), "a").await.unwrap_err();
    let header = json!({"alg": "none", "kid": "k1", "typ": "at+jwt"}).to_string();
    world.verify(&world.key.sign(&header, &world.claims().to_string()), "a").await.unwrap_err();
    assert_eq!(world.issuer.fetches(), 0);
}

#[tokio::test]
async fn every_kind_of_key_verifies() {
    let (rsa, ec, ed) = (Signer::rsa("r"), Signer::ec("e"), Signer::ed("d"));
    let world = World::new().await;
    world.issuer.publish(&[&rsa, &ec, &ed]);
    for key in [&rsa, &ec, &ed] {
        world.verify(&key.access_token(&world.claims()), "a").await.unwrap();
    }
    assert_eq!(world.issuer.fetches(), 1);
}

#[tokio::test]
async fn a_rotated_key_is_picked_up_with_one_fetch() {
    let world = World::new().await;
    world.verify(&world.token_with(&json!({})), "a").await.unwrap();
    let next = Signer::ec("k2");
    world.issuer.publish(&[&next]);
    world.clock.advance(6);
    world.verify(&next.access_token(&world.claims()), "a").await.unwrap();
    assert_eq!(world.issuer.fetches(), 2);
    let old = world.token_with(&json!({"note": 1}));
    assert_eq!(world.verify(&old, "a").await.unwrap_err(), TokenRefusal::UnknownKey);
    assert_eq!(world.issuer.fetches(), 2);
}

#[tokio::test]
async fn ten_unknown_keys_cause_at_most_one_refresh() {
    let world = Arc::new(World::new().await);
    world.verify(&world.token_with(&json!({})), "a").await.unwrap();
    world.clock.advance(6);
    let mut calls = Vec::new();
    for number in 0..10 {
        let world = world.clone();
        calls.push(tokio::spawn(async move {
            let token = Signer::ec(&format!("unknown-{number}")).access_token(&world.claims());
            world.verify(&token, "a").await.unwrap_err()
        }));
    }
    for call in calls {
        assert_eq!(call.await.unwrap(), TokenRefusal::UnknownKey);
    }
    assert_eq!(world.issuer.fetches(), 2);
}

#[tokio::test]
async fn many_first_tokens_share_one_fetch() {
    let world = Arc::new(World::new().await);
    let calls: Vec<_> = (0..20)
        .map(|number| {
            let world = world.clone();
            tokio::spawn(async move { world.verify(&world.token_with(&json!({"note": number})), "a").await.is_ok() })
        })
        .collect();
    for call in calls {
        assert!(call.await.unwrap());
    }
    assert_eq!(world.issuer.fetches(), 1);
}

#[tokio::test]
async fn an_issuer_that_is_down_lets_nobody_in() {
    let world = World::new().await;
    world.issuer.set_down(true);
    let token = world.token_with(&json!({}));
    for _ in 0..3 {
        assert_eq!(world.verify(&token, "a").await.unwrap_err(), TokenRefusal::IssuerUnavailable);
    }
    world.issuer.set_down(false);
    world.clock.advance(6);
    world.verify(&world.token_with(&json!({})), "a").await.unwrap();

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gone = format!("http://{}/issuer", listener.local_addr().unwrap());
    drop(listener);
    let verifier = verifier(vec![entry(&gone)], world.clock.clone()).await;
    let token = world.token_with(&json!({"iss": gone}));
    assert_eq!(verifier.verify(&token, &resource("a"), None).await.unwrap_err(), TokenRefusal::IssuerUnavailable);
}

#[tokio::test]
async fn a_failed_fetch_keeps_the_old_keys_for_a_day_and_no_longer() {
    let world = World::new().await;
    world.verify(&world.token_with(&json!({})), "a").await.unwrap();
    world.issuer.set_down(true);
    world.clock.advance(1000);
    world.verify(&world.token_with(&json!({})), "a").await.unwrap();
    let unknown = Signer::ec("k2").access_token(&world.claims());
    assert_eq!(world.verify(&unknown, "a").await.unwrap_err(), TokenRefusal::IssuerUnavailable);
    world.clock.advance(90_000);
    assert_eq!(world.verify(&world.token_with(&json!({})), "a").await.unwrap_err(), TokenRefusal::IssuerUnavailable);
}

#[tokio::test]
async fn a_withdrawn_key_is_gone_after_the_keys_age() {
    let world = World::new().await;
    world.verify(&world.token_with(&json!({})), "a").await.unwrap();
    world.issuer.publish(&[&Signer::ec("k2")]);
    world.clock.advance(61);
    assert_eq!(world.verify(&world.token_with(&json!({})), "a").await.unwrap_err(), TokenRefusal::UnknownKey);
}

#[tokio::test]
async fn what_a_withdrawn_key_signed_is_refused_on_the_next_call_with_a_warm_cache() {
    let world = World::new().await;
    let old = world.token_with(&json!({}));
    for _ in 0..2 {
        world.verify(&old, "a").await.unwrap();
    }
    let next = Signer::ec("k2");
    world.issuer.publish(&[&next]);
    world.clock.advance(6);
    world.verify(&next.access_token(&world.claims()), "a").await.unwrap();
    assert_eq!(world.verify(&old, "a").await.unwrap_err(), TokenRefusal::UnknownKey);
    // With overlap, both keys count.
    world.issuer.publish(&[&next, &world.key]);
    world.clock.advance(61);
    world.verify(&next.access_token(&world.claims()), "a").await.unwrap();
    world.verify(&world.token_with(&json!({})), "a").await.unwrap();
}

#[tokio::test]
async fn discovery_of_another_issuer_or_keys_on_another_host_are_not_believed() {
    let other = TestIssuer::start(&[]).await;
    let changes: [(&str, Value); 4] = [
        ("issuer", json!("https://other.example")),
        ("jwks_uri", json!(format!("{}/jwks", other.url))),
        ("jwks_uri", json!("http://user@127.0.0.1/issuer/jwks")),
        ("jwks_uri", json!(null)),
    ];
    for (name, value) in changes {
        let world = World::new().await;
        other.publish(&[&world.key]);
        world.issuer.shared.discovery.lock().unwrap()[name] = value;
        let refusal = world.verify(&world.token_with(&json!({})), "a").await.unwrap_err();
        assert_eq!(refusal, TokenRefusal::IssuerUnavailable, "{name}");
        assert_eq!((world.issuer.fetches(), other.fetches()), (0, 0));
    }
    let world = World::new().await;
    let slash = json!(format!("{}/", world.issuer.url));
    world.issuer.shared.discovery.lock().unwrap()["issuer"] = slash;
    let refusal = world.verify(&world.token_with(&json!({})), "a").await.unwrap_err();
    assert_eq!(refusal, TokenRefusal::IssuerUnavailable);
}

#[tokio::test]
async fn only_the_first_64_keys_of_a_set_are_looked_at() {
    let world = World::new().await;
    let extra: Vec<_> = (0..64).map(|number| Signer::ec(&format!("x{number}"))).collect();
    let mut keys: Vec<_> = extra.iter().map(Signer::jwk).collect();
    keys.push(world.key.jwk());
    world.issuer.publish_raw(keys);
    assert_eq!(world.verify(&world.token_with(&json!({})), "a").await.unwrap_err(), TokenRefusal::UnknownKey);
    world.verify(&extra[63].access_token(&world.claims()), "a").await.unwrap();
}

#[tokio::test]
async fn unusable_keys_in_a_set_do_not_spoil_the_usable_ones() {
    let world = World::new().await;
    let mut encrypts = Signer::ec("enc").jwk();
    encrypts["use"] = json!("enc");
    let mut nameless = Signer::ec("").jwk();
    nameless.as_object_mut().unwrap().remove("kid");
    let odd = json!({"kty": "AKP", "alg": "ML-DSA-65", "kid": "pq", "pub": "AA"});
    world.issuer.publish_raw(vec![json!(7), odd, json!({"kty": "EC"}), encrypts, nameless, world.key.jwk()]);
    world.verify(&world.token_with(&json!({})), "a").await.unwrap();
}

#[tokio::test]
async fn an_entry_that_could_let_somebody_in_by_mistake_is_refused() {
    let clock: SharedClock = Arc::new(StillClock::default());
    let floors = floors(&clock).await;
    let changes: [fn(&mut interlock_tokens_oidc::IssuerEntry); 8] = [
        |entry| entry.issuer = "https://other.example/issuer".to_owned(),
        |entry| entry.issuer = "not a url".to_owned(),
        |entry| {
            entry.algorithms = vec![interlock_tokens_oidc::Algorithm::ES256, interlock_tokens_oidc::Algorithm::HS256]
        },
        |entry| entry.algorithms.clear(),
        |entry| entry.types.clear(),
        |entry| entry.clock_skew_s = 3600,
        |entry| entry.mfa.amr = vec!["otp".to_owned()],
        |entry| {
            entry.allowed_groups = Some(vec!["a".to_owned()]);
            entry.group_names.insert("a".to_owned(), "b".to_owned());
        },
    ];
    for change in changes {
        let mut bad = entry("http://127.0.0.1:9/issuer");
        change(&mut bad);
        let base = crate::issuer::base();
        assert!(interlock_tokens_oidc::Verifier::new(vec![bad], base, clock.clone(), floors.clone()).is_err());
    }
    let twice = vec![entry("http://127.0.0.1:9/issuer"), entry("http://127.0.0.1:9/issuer")];
    assert!(interlock_tokens_oidc::Verifier::new(twice, crate::issuer::base(), clock, floors).is_err());
}
