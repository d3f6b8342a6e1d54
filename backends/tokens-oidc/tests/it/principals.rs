//! T2, T4: what comes out of a good token, and never more than its issuer's entry allows.

use interlock_tokens_oidc::{ClaimMarker, ClaimPath, IssuerEntry, MfaRule};
use platform::principal::{Actor, PrincipalKind};
use platform::tokens::{TokenRefusal, TokenVerifier};
use serde_json::json;

use crate::issuer::World;

fn list(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

fn mfa(entry: &mut IssuerEntry) {
    entry.mfa = MfaRule { acr: list(&["urn:mfa"]), amr: list(&["mfa"]), two_factors: true, always: false };
}

#[tokio::test]
async fn t2_groups_outside_the_allow_list_are_dropped() {
    let groups = json!({"groups": ["z", "netops", "domain-admins", "netops", "readers"]});
    let world = World::with(|entry| entry.allowed_groups = Some(list(&["netops", "readers", "unused"]))).await;
    let principal = world.verify(&world.token_with(&groups), "a").await.unwrap();
    assert_eq!(principal.groups, ["netops", "readers"]);
    let closed = World::new().await;
    let principal = closed.verify(&closed.token_with(&groups), "a").await.unwrap();
    assert!(principal.groups.is_empty(), "no allow-list lets nothing through");
}

#[tokio::test]
async fn t13_no_issuer_gives_anybody_a_group_of_the_platform_itself() {
    let own = "platform:target-directory";
    let world = World::with(|entry| {
        entry.allowed_groups = Some(list(&["netops", own]));
        entry.group_names.insert("directory".to_owned(), own.to_owned());
    })
    .await;
    let token = world.token_with(&json!({"groups": [own, "directory", "netops"]}));
    assert_eq!(world.verify(&token, "a").await.unwrap().groups, ["netops"]);
}

#[tokio::test]
async fn t2_groups_come_from_the_configured_claim_only() {
    let world = World::with(|entry| {
        entry.groups_claim = ClaimPath::member("roles");
        entry.allowed_groups = Some(list(&["netops", "readers"]));
    })
    .await;
    let principal = world.verify(&world.token_with(&json!({"roles": ["readers"]})), "a").await.unwrap();
    assert_eq!(principal.groups, ["readers"]);
    let none = world.verify(&world.token_with(&json!({})), "a").await.unwrap();
    assert!(none.groups.is_empty());
}

#[tokio::test]
async fn t2_groups_are_renamed_by_the_entry_and_a_namesake_of_ours_is_dropped() {
    let world = World::with(|entry| {
        entry.groups_claim = "realm_access.roles".parse().unwrap();
        entry.allowed_groups = Some(list(&["admin"]));
        entry.group_names.insert("Network Engineers".to_owned(), "network-engineers".to_owned());
    })
    .await;
    let roles = json!(["Network Engineers", "network-engineers", "admin", "offline_access"]);
    let token = world.token_with(&json!({"realm_access": {"roles": roles}}));
    assert_eq!(world.verify(&token, "a").await.unwrap().groups, ["admin", "network-engineers"]);
    let namesake = world.token_with(&json!({"realm_access": {"roles": ["network-engineers"]}}));
    assert!(world.verify(&namesake, "a").await.unwrap().groups.is_empty());
    for wrong in [json!("admin"), json!({"0": "admin"}), json!(null), json!([7])] {
        let token = world.key.access_token(&world.claims_with(&json!({"realm_access": {"roles": wrong}})));
        assert_eq!(world.verify(&token, "a").await.unwrap_err(), TokenRefusal::Claims, "{wrong}");
    }
}

#[tokio::test]
async fn t2_name_and_factors_come_from_where_the_entry_says() {
    let world = World::with(|entry| {
        mfa(entry);
        entry.name_claim = Some("https://example.com/display".parse().unwrap());
        entry.acr_claim = "/auth/context".parse().unwrap();
        entry.amr_claim = "auth.methods".parse().unwrap();
    })
    .await;
    let elsewhere = json!({"acr": "urn:mfa", "amr": ["mfa"], "name": "A", "https://example.com/display": "Alice L."});
    let principal = world.verify(&world.token_with(&elsewhere), "a").await.unwrap();
    assert_eq!((&*principal.name, principal.mfa, principal.acr.clone()), ("Alice L.", false, None));
    for there in [json!({"context": "urn:mfa"}), json!({"methods": ["mfa"]})] {
        assert!(world.verify(&world.token_with(&json!({"auth": there})), "a").await.unwrap().mfa, "{there}");
    }
    for wrong in [json!({"context": ["urn:mfa"]}), json!({"methods": "mfa"})] {
        let refusal = world.verify(&world.token_with(&json!({"auth": wrong})), "a").await.unwrap_err();
        assert_eq!(refusal, TokenRefusal::Claims, "{wrong}");
    }
}

#[tokio::test]
async fn t4_an_issuer_that_always_asks_is_believed_only_where_the_entry_says_so_and_of_people_only() {
    let world = World::with(|entry| entry.mfa.always = true).await;
    assert!(world.verify(&world.token_with(&json!({})), "a").await.unwrap().mfa);
    assert!(!world.verify(&world.token_with(&json!({"sub": "cli"})), "a").await.unwrap().mfa);
}

#[tokio::test]
async fn t2_people_are_counted_by_the_configured_claim_and_not_without_it() {
    let world = World::with(|entry| entry.person_claim = ClaimPath::member("employee_id")).await;
    let token = world.token_with(&json!({"employee_id": "e-77", "preferred_username": "Alice"}));
    let principal = world.verify(&token, "a").await.unwrap();
    assert_eq!((&*principal.person, &*principal.subject, &*principal.name), ("e-77", "alice", "Alice"));
    for wrong in [json!({}), json!({"employee_id": 77}), json!({"employee_id": ""}), json!({"employee_id": ["e-77"]})] {
        assert_eq!(world.verify(&world.token_with(&wrong), "a").await.unwrap_err(), TokenRefusal::Claims, "{wrong}");
    }
}

#[tokio::test]
async fn t4_mfa_is_what_the_entry_says_and_one_factor_is_not() {
    let world = World::with(mfa).await;
    for (claims, expected) in [
        (json!({"acr": "urn:mfa"}), true),
        (json!({"amr": ["mfa"]}), true),
        (json!({"amr": ["pwd", "otp"]}), true),
        (json!({"amr": ["otp"]}), false),
        (json!({"amr": ["hwk"]}), false),
        (json!({"amr": ["swk"]}), false),
        (json!({"amr": ["hwk", "swk", "otp"]}), false),
        (json!({"acr": "urn:mfa2", "amr": ["MFA"]}), false),
        (json!({}), false),
    ] {
        let principal = world.verify(&world.token_with(&claims), "a").await.unwrap();
        assert_eq!(principal.mfa, expected, "{claims}");
    }
    let silent = World::new().await;
    let claims = json!({"acr": "urn:mfa", "amr": ["mfa", "pwd", "otp"]});
    assert!(!silent.verify(&silent.token_with(&claims), "a").await.unwrap().mfa);
}

#[tokio::test]
async fn t4_a_client_by_itself_is_a_client_and_never_mfa() {
    let world = World::with(|entry| {
        mfa(entry);
        entry.client_marker = Some(ClaimMarker { claim: "gty".to_owned(), value: "client-credentials".to_owned() });
        entry.person_claim = ClaimPath::member("employee_id");
    })
    .await;
    for claims in [
        json!({"sub": "cli", "amr": ["mfa"], "acr": "urn:mfa"}),
        json!({"sub": "cli", "auth_time": null, "amr": ["pwd", "otp"]}),
        json!({"sub": "svc@clients", "auth_time": null, "gty": "client-credentials", "amr": ["mfa"]}),
    ] {
        let principal = world.verify(&world.token_with(&claims), "a").await.unwrap();
        assert_eq!((principal.kind, principal.mfa), (PrincipalKind::Client, false), "{claims}");
        assert_eq!(principal.person, principal.subject);
    }
    let marked = json!({"gty": "client-credentials", "employee_id": "e-1"});
    let person = world.verify(&world.token_with(&marked), "a").await.unwrap();
    assert_eq!(person.kind, PrincipalKind::Person, "the marker does not outweigh a sign-in");
}

#[tokio::test]
async fn actors_are_listed_outermost_first() {
    let world = World::new().await;
    let act = json!({"act": {"sub": "agent", "iss": "https://agents.example", "act": {"sub": "planner"}}});
    let principal = world.verify(&world.token_with(&act), "a").await.unwrap();
    let outer = Actor { subject: "agent".to_owned(), issuer: Some("https://agents.example".to_owned()) };
    assert_eq!(principal.actors, [outer, Actor { subject: "planner".to_owned(), issuer: None }]);
}

#[tokio::test]
async fn the_facts_of_the_token_are_kept() {
    let world = World::new().await;
    let claims = world.claims_with(&json!({"scope": "mcp  b a b", "azp": "cli"}));
    let principal = world.verify(&world.key.access_token(&claims), "a").await.unwrap();
    assert_eq!(principal.issuer, world.issuer.url);
    assert_eq!(principal.scopes, ["a", "b", "mcp"]);
    assert_eq!(principal.client_id, "cli");
    assert_eq!((principal.token.id.as_deref(), principal.token.session.as_deref()), (Some("t1"), Some("s1")));
    assert_eq!(json!(principal.token.issued_at), claims["iat"]);
    assert_eq!(json!(principal.token.expires_at), claims["exp"]);
    assert_eq!(json!(principal.auth_time), claims["auth_time"]);
    assert_eq!(world.verifier.issuers(), [&*world.issuer.url]);
    assert!(world.verifier.required_scopes().is_empty());
}
