//! Rotation of what the issuer seals and signs with, while people are signed in (T28).

use std::sync::Arc;

use platform::keys::{KeyRegistry, KeyState, ManagedKey, Purpose, Reseal, Rotation};

use crate::lab::{Lab, token};

/// The list of keys as the server makes it.
async fn registry(lab: &Lab) -> KeyRegistry {
    let registry = KeyRegistry::new(lab.audit.clone(), lab.clock.clone());
    registry.add([Arc::new(lab.issuer.clone()) as Arc<dyn ManagedKey>]);
    let issuer = lab.issuer.clone();
    let reseal = |purpose| (purpose == Purpose::IssuerSealing).then(|| Arc::new(issuer.clone()) as Arc<dyn Reseal>);
    registry.add_purposes(&lab.purposes, reseal).await.unwrap();
    registry
}

#[tokio::test]
async fn t28_a_new_sealing_key_ends_nothing_that_is_under_way() {
    let lab = Lab::start().await;
    let registry = registry(&lab).await;
    let mut browser = lab.browser();
    let first = browser.signed_in_by_two(&lab, "alice", &[]).await;
    let mut other = lab.browser();
    let page = other.authorize(&[]).await;

    let rotated = registry.rotate("issuer-sealing", &Rotation::default(), None).await.unwrap();
    assert_eq!((rotated.current.as_str(), rotated.retired.len()), ("2", 0));
    assert!(rotated.resealed > 0, "second factors are sealed again");

    let second = browser.refresh(&first["refresh_token"], &[]).await;
    assert_eq!(second.status, 200, "a refresh token of the old version: {}", second.body);
    let third = browser.refresh(&second.json()["refresh_token"], &[]).await;
    assert_eq!(third.status, 200, "one of the new version: {}", third.body);
    let went_on = other.give_password(&page, "bob", "correct horse battery staple").await;
    assert_ne!(went_on.status, 400, "a form of the old version: {}", went_on.body);
}

#[tokio::test]
async fn t28_a_lost_sealing_key_ends_refresh_tokens_and_keeps_second_factors() {
    let lab = Lab::start().await;
    let registry = registry(&lab).await;
    let mut browser = lab.browser();
    let first = browser.signed_in_by_two(&lab, "alice", &[]).await;
    let lost = Rotation { compromised: true, new_key_file: None };
    let rotated = registry.rotate("issuer-sealing", &lost, None).await.unwrap();
    assert_eq!(rotated.retired, ["1"]);
    assert_eq!(browser.refresh(&first["refresh_token"], &[]).await.status, 400);
    lab.clock.advance(60);
    let again = lab.browser().signed_in_by_two(&lab, "alice", &[]).await;
    assert!(again["refresh_token"].is_string(), "{again}");
}

#[tokio::test]
async fn t28_signing_keys_rotate_by_the_list_of_keys_too() {
    let lab = Lab::start().await;
    let registry = registry(&lab).await;
    let mut browser = lab.browser();
    let before = token(&browser.signed_in("alice", &[]).await["access_token"]).0;
    let listed = registry.list().await.unwrap();
    let issuer = listed.iter().find(|key| key.name == "issuer").unwrap();
    let next = issuer.versions.iter().find(|v| v.state == KeyState::Next).unwrap().version.clone();
    assert_eq!(issuer.versions[0].version, before["kid"]);
    let rotated = registry.rotate("issuer", &Rotation::default(), None).await.unwrap();
    assert_eq!(rotated.current, next, "the one that was published before");
    let after = token(&lab.browser().signed_in("alice", &[]).await["access_token"]).0;
    assert_eq!(after["kid"], next);
    let issuer = registry.list().await.unwrap().into_iter().find(|key| key.name == "issuer").unwrap();
    let old = issuer.versions.iter().find(|v| v.state == KeyState::Old).unwrap();
    assert_eq!(old.version, before["kid"], "what the old one signed still verifies");
}
