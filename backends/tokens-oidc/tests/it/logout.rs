//! Back-channel logout (OpenID Connect Back-Channel Logout 1.0 section 2.6): what ends sessions, what is refused, and how far
//! it reaches.

use std::collections::BTreeMap;
use std::sync::Arc;

use interlock_tokens_oidc::BackChannelLogout;
use platform::SharedClock;
use platform::clock::Clock;
use platform::revocation::LogoutTokens;
use platform::tokens::TokenRefusal;
use platform_suites::MemoryStore;
use serde_json::{Value, json};

use crate::issuer::{Signer, World};

const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

struct Logouts {
    world: World,
    door: BackChannelLogout,
}

impl Logouts {
    async fn new() -> Self {
        let world = World::new().await;
        let clock: SharedClock = world.clock.clone();
        let ours = BTreeMap::from([(world.issuer.url.clone(), vec!["interlock".to_owned()])]);
        let (floors, store) = (world.verifier.floors().clone(), Arc::new(MemoryStore::new(clock.clone())));
        let door = BackChannelLogout::new(&world.verifier, ours, floors, store, clock);
        Self { world, door }
    }

    fn claims(&self, changes: &Value) -> Value {
        let now = self.world.clock.epoch_seconds();
        let mut claims = json!({
            "iss": self.world.issuer.url, "aud": "interlock", "iat": now, "exp": now + 120, "jti": "l1",
            "sub": "alice", "sid": "s1", "events": {EVENT: {}},
        });
        for (name, value) in changes.as_object().unwrap() {
            match value {
                Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
                value => claims[name] = value.clone(),
            }
        }
        claims
    }

    fn token(&self, typ: &str, changes: &Value) -> String {
        let header = json!({"alg": "ES256", "kid": "k1", "typ": typ});
        self.world.key.sign(&header.to_string(), &self.claims(changes).to_string())
    }

    async fn refused(&self, token: &str) -> bool {
        self.door.accept(token).await.is_err_and(|error| error.code() == "logout_token_invalid")
    }
}

#[tokio::test]
async fn t3_a_logout_ends_its_session_and_what_names_none_and_spares_another() {
    let logouts = Logouts::new().await;
    let world = &logouts.world;
    let own = world.token_with(&json!({}));
    let nameless = world.token_with(&json!({"sid": null}));
    let other = world.token_with(&json!({"sid": "s2"}));
    let others = world.token_with(&json!({"sub": "bob", "sid": null}));
    for token in [&own, &nameless, &other, &others] {
        world.verify(token, "a").await.unwrap();
    }
    let logout = logouts.door.accept(&logouts.token("logout+jwt", &json!({}))).await.unwrap();
    assert_eq!((logout.subject.as_deref(), logout.session.as_deref()), (Some("alice"), Some("s1")));
    for token in [&own, &nameless] {
        assert_eq!(world.verify(token, "a").await.unwrap_err(), TokenRefusal::Revoked);
    }
    for token in [&other, &others] {
        world.verify(token, "a").await.unwrap();
    }
    // A token of the dead session that is issued later is dead as well; one without a session is a new sign-in's.
    world.clock.advance(2);
    assert_eq!(world.verify(&world.token_with(&json!({})), "a").await.unwrap_err(), TokenRefusal::Revoked);
    world.verify(&world.token_with(&json!({"sid": null})), "a").await.unwrap();
}

#[tokio::test]
async fn t3_a_logout_without_a_session_ends_all_of_the_subjects_and_one_without_a_subject_its_session() {
    let logouts = Logouts::new().await;
    let world = &logouts.world;
    let (one, other) = (world.token_with(&json!({})), world.token_with(&json!({"sid": "s2"})));
    logouts.door.accept(&logouts.token("JWT", &json!({"sub": null}))).await.unwrap();
    assert_eq!(world.verify(&one, "a").await.unwrap_err(), TokenRefusal::Revoked);
    world.verify(&other, "a").await.unwrap();
    logouts.door.accept(&logouts.token("JWT", &json!({"sid": null, "jti": "l2"}))).await.unwrap();
    assert_eq!(world.verify(&other, "a").await.unwrap_err(), TokenRefusal::Revoked);
}

#[tokio::test]
async fn a_logout_token_is_good_once_and_its_repeat_ends_nothing_newer() {
    let logouts = Logouts::new().await;
    let world = &logouts.world;
    let token = logouts.token("logout+jwt", &json!({"sid": null}));
    logouts.door.accept(&token).await.unwrap();
    world.clock.advance(2);
    let newer = world.token_with(&json!({}));
    world.verify(&newer, "a").await.unwrap();
    assert!(logouts.refused(&token).await);
    world.verify(&newer, "a").await.unwrap();
}

#[tokio::test]
async fn what_is_no_logout_token_for_us_ends_nothing() {
    let logouts = Logouts::new().await;
    let world = &logouts.world;
    let now = world.clock.epoch_seconds();
    let alive = world.token_with(&json!({}));
    let mut bad = vec![
        String::new(),
        alive.clone(),
        logouts.token("at+jwt", &json!({})),
        logouts.token("logout+jwt", &json!({})) + "x",
    ];
    for changes in [
        json!({"nonce": "n"}),
        json!({"events": null}),
        json!({"events": {}}),
        json!({"events": {EVENT: true}}),
        json!({"events": {"http://schemas.openid.net/event/other": {}}}),
        json!({"events": [EVENT]}),
        json!({"aud": "another-client"}),
        json!({"aud": []}),
        json!({"iss": "https://evil.example"}),
        json!({"jti": null}),
        json!({"jti": ""}),
        json!({"iat": null}),
        json!({"exp": null}),
        json!({"exp": now - 60}),
        json!({"iat": now + 600, "exp": now + 700}),
        json!({"exp": now + 86_400}),
        json!({"sub": null, "sid": null}),
        json!({"sub": ""}),
        json!({"sid": 7}),
    ] {
        bad.push(logouts.token("logout+jwt", &changes));
    }
    let header = json!({"alg": "none", "kid": "k1", "typ": "logout+jwt"});
    bad.push(world.key.sign(&header.to_string(), &logouts.claims(&json!({})).to_string()));
    let header = json!({"alg": "ES256", "kid": "k1", "typ": "logout+jwt"});
    bad.push(Signer::ec("k1").sign(&header.to_string(), &logouts.claims(&json!({})).to_string()));
    for token in &bad {
        assert!(logouts.refused(token).await, "{token}");
    }
    world.verify(&alive, "a").await.unwrap();
    // None of them used the id up.
    logouts.door.accept(&logouts.token("logout+jwt", &json!({}))).await.unwrap();
}
