//! T3: floors end what was issued, cached or not, spare what is newer, and outlive the process.

use std::sync::Arc;

use interlock_tokens_oidc::{RevocationFloors, Verifier, revoke_everything};
use platform::clock::{AdjustableClock, Clock};
use platform::revocation::{Revocations, Revoked, RevokedCheck, RunFloors};
use platform::store::{Collection, Query, Store};
use platform::tokens::{TokenRefusal, TokenVerifier};
use platform::{Principal, SharedClock};
use platform_suites::MemoryStore;
use platform_suites::tokens::person;
use serde_json::json;

use crate::issuer::{Signer, StillClock, World, base, entry, resource};

#[tokio::test]
async fn t3_a_revocation_ends_cached_tokens_at_once_and_spares_newer_ones() {
    for kind in [Revoked::Subject("alice".into()), Revoked::Session("s1".into()), Revoked::Token("t1".into())] {
        let world = World::new().await;
        let token = world.token_with(&json!({}));
        let floors = world.verifier.floors().clone();
        world.verify(&token, "a").await.unwrap();
        let now = world.clock.epoch_seconds();
        floors.revoke("https://another-issuer.example", kind.clone(), now + 10).await.unwrap();
        world.verify(&token, "a").await.unwrap();
        floors.revoke(&world.issuer.url, kind.clone(), now + 10).await.unwrap();
        floors.revoke(&world.issuer.url, kind.clone(), now - 1000).await.unwrap();
        for _ in 0..2 {
            assert_eq!(world.verify(&token, "a").await.unwrap_err(), TokenRefusal::Revoked, "{kind:?}");
        }
        let unseen = world.token_with(&json!({"note": 1}));
        assert_eq!(world.verify(&unseen, "a").await.unwrap_err(), TokenRefusal::Revoked, "{kind:?}");
        world.clock.advance(12);
        world.verify(&world.token_with(&json!({})), "a").await.unwrap();
    }
}

#[tokio::test]
async fn t3_what_names_no_session_may_be_of_the_one_that_ended() {
    let world = World::new().await;
    let (with, without) = (world.token_with(&json!({})), world.token_with(&json!({"sid": null})));
    for token in [&with, &without] {
        world.verify(token, "a").await.unwrap();
    }
    let now = world.clock.epoch_seconds();
    world.verifier.floors().revoke(&world.issuer.url, Revoked::Sessionless("alice".into()), now).await.unwrap();
    world.verify(&with, "a").await.unwrap();
    assert_eq!(world.verify(&without, "a").await.unwrap_err(), TokenRefusal::Revoked);
}

#[tokio::test]
async fn t3_what_a_lost_key_signs_is_dead_whatever_time_it_says() {
    let world = World::new().await;
    world.verify(&world.token_with(&json!({})), "a").await.unwrap();
    let now = world.clock.epoch_seconds();
    world.verifier.floors().revoke(&world.issuer.url, Revoked::Key("k1".into()), now).await.unwrap();
    world.clock.advance(20);
    assert_eq!(world.verify(&world.token_with(&json!({})), "a").await.unwrap_err(), TokenRefusal::Revoked);
    let other = Signer::ec("k2");
    world.issuer.publish(&[&world.key, &other]);
    world.verify(&other.access_token(&world.claims()), "a").await.unwrap();
}

#[tokio::test]
async fn t3_a_restart_forgets_no_floor() {
    let world = World::new().await;
    let token = world.token_with(&json!({}));
    let clock: SharedClock = world.clock.clone();
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new(clock.clone()));
    let now = clock.epoch_seconds();
    let before = RevocationFloors::open(store.clone(), clock.clone()).await.unwrap();
    // More than one page, so that the last one is not the only one that is read.
    for number in 0..1_001 {
        before.revoke("https://other.example", Revoked::Token(format!("t{number}")), now).await.unwrap();
    }
    before.revoke(&world.issuer.url, Revoked::Session("s1".into()), now).await.unwrap();
    drop(before);
    let after = Arc::new(RevocationFloors::open(store.clone(), clock.clone()).await.unwrap());
    let verifier = Verifier::new(vec![entry(&world.issuer.url)], base(), clock, after.clone()).unwrap();
    assert_eq!(verifier.verify(&token, &resource("a"), None).await.unwrap_err(), TokenRefusal::Revoked);
    for number in [0, 500, 1_000] {
        let mut principal = Principal { issuer: "https://other.example".into(), ..person("x", &[]) };
        principal.token.id = Some(format!("t{number}"));
        principal.token.issued_at = now;
        assert!(after.is_revoked(&principal), "{number}");
    }
}

#[tokio::test]
async fn t24_after_a_restore_everything_of_every_issuer_is_dead_and_what_is_newer_lives() {
    let clock: SharedClock = Arc::new(StillClock::default());
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new(clock.clone()));
    let now = clock.epoch_seconds();
    revoke_everything(store.as_ref(), now).await.unwrap();
    let floors = RevocationFloors::open(store, clock).await.unwrap();
    for issuer in ["https://one.example", "https://other.example"] {
        let mut principal = Principal { issuer: issuer.into(), ..person("alice", &[]) };
        for (issued_at, dead) in [(now - 60, true), (now, true), (now + 1, false)] {
            principal.token.issued_at = issued_at;
            assert_eq!(floors.is_revoked(&principal), dead, "{issuer} {issued_at}");
        }
    }
}

#[tokio::test]
async fn t3_every_write_has_the_next_number_and_a_floor_never_sinks_in_the_store() {
    const FLOORS: Collection = Collection { name: "revocation_floors", indexes: &[] };
    let clock: SharedClock = Arc::new(StillClock::default());
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new(clock.clone()));
    let floors = Arc::new(RevocationFloors::open(store.clone(), clock.clone()).await.unwrap());
    let now = clock.epoch_seconds();
    let writes: Vec<_> = (0..10)
        .map(|number| {
            let floors = floors.clone();
            let what = Revoked::Subject(format!("s{}", number % 2));
            tokio::spawn(async move { floors.revoke("https://i.example", what, now - number).await })
        })
        .collect();
    for write in writes {
        write.await.unwrap().unwrap();
    }
    let query = Query { collection: FLOORS, filter: None, after: None, limit: 10, descending: false };
    let kept = store.list(query).await.unwrap();
    let mut numbers: Vec<_> = kept.iter().map(|r| r.body["sequence"].as_u64().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!((kept.len(), numbers[1]), (2, 10), "ten writes, numbered to ten: {numbers:?}");
    let highest = kept.iter().map(|r| r.body["at"].as_i64().unwrap()).max();
    assert_eq!(highest, Some(now));
    assert!(kept.iter().all(|r| r.body["at"].as_i64().unwrap() >= now - 1), "the higher floor was written last");
}

#[tokio::test]
async fn t3_a_floor_goes_when_no_token_from_before_it_can_live_and_a_keys_stays() {
    let clock = Arc::new(StillClock::default());
    let shared: SharedClock = clock.clone();
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new(shared.clone()));
    let floors = RevocationFloors::open(store.clone(), shared.clone()).await.unwrap();
    let now = clock.epoch_seconds();
    let issuer = "https://i.example";
    floors.revoke(issuer, Revoked::Subject("alice".into()), now).await.unwrap();
    floors.revoke(issuer, Revoked::Key("k".into()), now).await.unwrap();
    let mut old = Principal { issuer: issuer.into(), ..person("alice", &[]) };
    old.token.issued_at = now;
    assert!(floors.is_revoked(&old));
    clock.advance(32 * 86_400);
    floors.revoke(issuer, Revoked::Subject("bob".into()), clock.epoch_seconds()).await.unwrap();
    let again = RevocationFloors::open(store, shared).await.unwrap();
    let mut signed = Principal { issuer: issuer.into(), ..person("carol", &[]) };
    signed.token.key = Some("k".into());
    for floors in [&floors, &again] {
        assert!(!floors.is_revoked(&old), "31 days and more: no such token lives");
        assert!(floors.is_revoked(&signed));
    }
}

#[tokio::test]
async fn t3_the_run_floor_is_no_tokens_outlives_all_of_them_and_knows_groups() {
    let clock = Arc::new(AdjustableClock::default());
    let shared: SharedClock = clock.clone();
    let store = Arc::new(MemoryStore::new(shared.clone()));
    let floors = RevocationFloors::open(store.clone(), shared.clone()).await.unwrap();
    let (issuer, now) = ("https://i.example", clock.epoch_seconds());
    let groups = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    floors.revoke(issuer, Revoked::Runs("alice".into()), now).await.unwrap();
    let lost = Revoked::RunsByGroup { subject: "bob".into(), group: "netops".into() };
    floors.revoke(issuer, lost, now).await.unwrap();
    floors.revoke(issuer, Revoked::Subject("carol".into()), now).await.unwrap();
    // Longer than any token lives, and through a restart.
    clock.advance(400 * 86_400);
    floors.revoke(issuer, Revoked::Token("t".into()), clock.epoch_seconds()).await.unwrap();
    let again = RevocationFloors::open(store, shared).await.unwrap();
    for floors in [&floors, &again] {
        assert!(floors.is_ended(issuer, "alice", &[], now));
        assert!(!floors.is_ended(issuer, "alice", &[], now + 1), "what began later is none of it");
        assert!(!floors.is_ended("https://another.example", "alice", &[], now));
        assert!(floors.is_ended(issuer, "bob", &groups(&["desk", "netops"]), now));
        assert!(!floors.is_ended(issuer, "bob", &groups(&["desk"]), now), "it rests on another group");
        assert!(!floors.is_ended(issuer, "carol", &[], now), "her tokens ended, and nothing else");
    }
}
