//! Tokens that the issuer is asked about: introspection and userinfo mode, T1 and T2 in both.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use interlock_tokens_oidc::{ClientCredentials, IssuerEntry, TokenKind, Verifier};
use platform::clock::Clock;
use platform::principal::{PrincipalKind, TokenProof};
use platform::resource::Resource;
use platform::revocation::{Revocations, Revoked};
use platform::tokens::{TokenRefusal, TokenVerifier};
use platform::{Principal, Secret};
use serde_json::{Value, json};

use crate::issuer::{BASE, StillClock, TestIssuer, World, base, entry, resource, verifier};

fn own() -> ClientCredentials {
    ClientCredentials { id: "interlock:1".to_owned(), secret: Secret::new("s e/cret") }
}

fn by_introspection(entry: &mut IssuerEntry) {
    entry.tokens = TokenKind::Introspection(own());
    entry.allowed_groups = Some(vec!["netops".to_owned()]);
}

fn by_userinfo(entry: &mut IssuerEntry) {
    entry.tokens = TokenKind::Userinfo { endpoint: None, introspection: None };
    entry.allowed_groups = Some(vec!["netops".to_owned()]);
    entry.mfa.always = true;
    entry.mfa.acr = vec!["urn:mfa".to_owned()];
}

struct Asked(World);

impl Asked {
    async fn with(change: impl FnOnce(&mut IssuerEntry)) -> Self {
        Self(World::with(change).await)
    }

    /// Makes `token` live, with good members and `changes` among them; `null` removes one.
    fn live(&self, token: &str, changes: &Value) {
        let mut members = self.0.claims();
        members["active"] = json!(true);
        members["token_type"] = json!("Bearer");
        for (name, value) in changes.as_object().unwrap() {
            match value {
                Value::Null => drop(members.as_object_mut().unwrap().remove(name)),
                value => members[name] = value.clone(),
            }
        }
        self.0.issuer.shared.live.lock().unwrap().insert(token.to_owned(), members);
    }

    fn person(&self, token: &str, members: Value) {
        self.0.issuer.shared.people.lock().unwrap().insert(token.to_owned(), members);
    }

    fn questions(&self) -> usize {
        self.0.issuer.shared.introspections.lock().unwrap().len()
    }

    async fn verify(&self, token: &str, server: &str) -> Result<Arc<Principal>, TokenRefusal> {
        self.0.verify(token, server).await
    }
}

#[tokio::test]
async fn t1_an_opaque_token_is_asked_about_once_and_opens_what_its_audience_names() {
    let asked = Asked::with(by_introspection).await;
    asked.live("opaque-1", &json!({}));
    for _ in 0..3 {
        let principal = asked.verify("opaque-1", "a").await.unwrap();
        assert_eq!((&*principal.subject, &principal.groups[..]), ("alice", &["netops".to_owned()][..]));
        assert_eq!((principal.token.proof, &principal.token.key), (TokenProof::Introspection, &None));
        assert_eq!(asked.verify("opaque-1", "b").await.unwrap_err(), TokenRefusal::Audience);
        for other in [Resource::Mcp, Resource::Rest, Resource::Platform] {
            let refusal = asked.0.verifier.verify("opaque-1", &other, None).await.unwrap_err();
            assert_eq!(refusal, TokenRefusal::Audience, "{other:?}");
        }
    }
    assert_eq!(asked.questions(), 1, "one answer serves every resource");
    let (headers, body) = asked.0.issuer.shared.introspections.lock().unwrap()[0].clone();
    assert_eq!(body, "token=opaque-1&token_type_hint=access_token");
    // RFC 6749 section 2.3.1: `interlock%3A1:s+e%2Fcret`.
    assert_eq!(headers["authorization"], "Basic aW50ZXJsb2NrJTNBMTpzK2UlMkZjcmV0");
}

#[tokio::test]
async fn an_answer_counts_for_half_a_minute_and_a_refusal_for_a_second() {
    let asked = Asked::with(by_introspection).await;
    asked.live("t", &json!({}));
    asked.verify("t", "a").await.unwrap();
    asked.0.issuer.shared.live.lock().unwrap().clear();
    asked.0.clock.advance(29);
    asked.verify("t", "a").await.unwrap();
    asked.0.clock.advance(1);
    assert_eq!(asked.verify("t", "a").await.unwrap_err(), TokenRefusal::Inactive);
    let before = asked.questions();
    for _ in 0..5 {
        assert_eq!(asked.verify("t", "a").await.unwrap_err(), TokenRefusal::Inactive);
    }
    assert!(asked.questions() <= before + 1, "a refused token is not asked about again at once");
}

#[tokio::test]
async fn many_calls_with_one_token_are_one_question() {
    let asked = Arc::new(Asked::with(by_introspection).await);
    asked.live("t", &json!({}));
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let asked = asked.clone();
            tokio::spawn(async move { asked.verify("t", "a").await.is_ok() })
        })
        .collect();
    for call in calls {
        assert!(call.await.unwrap());
    }
    assert_eq!(asked.questions(), 1);
}

#[tokio::test]
async fn t2_what_the_issuer_answers_is_checked_like_a_signed_claim() {
    let now = StillClock::default().epoch_seconds();
    let cases = [
        (json!({"active": false}), TokenRefusal::Inactive),
        (json!({"active": "true"}), TokenRefusal::Inactive),
        (json!({"active": null}), TokenRefusal::Inactive),
        (json!({"token_type": "refresh_token"}), TokenRefusal::Type),
        (json!({"token_type": "DPoP"}), TokenRefusal::Type),
        (json!({"token_type": null}), TokenRefusal::Type),
        (json!({"typ": "Refresh"}), TokenRefusal::Type),
        (json!({"iss": "https://evil.example"}), TokenRefusal::Issuer),
        (json!({"aud": null}), TokenRefusal::Audience),
        (json!({"aud": [format!("{BASE}/mcp/b")]}), TokenRefusal::Audience),
        (json!({"aud": 7}), TokenRefusal::Claims),
        (json!({"exp": null}), TokenRefusal::Claims),
        (json!({"exp": now - 31}), TokenRefusal::Time),
        (json!({"exp": (now + 600).to_string()}), TokenRefusal::Claims),
        (json!({"nbf": now + 300}), TokenRefusal::Time),
        (json!({"client_id": null}), TokenRefusal::Claims),
        (json!({"azp": "other"}), TokenRefusal::Claims),
        (json!({"sub": ""}), TokenRefusal::Claims),
        (json!({"groups": "netops"}), TokenRefusal::Claims),
        (json!({"nonce": "n"}), TokenRefusal::Claims),
        (json!({"cnf": {"jkt": "x"}}), TokenRefusal::Claims),
        (json!({"scope": "other"}), TokenRefusal::Scope),
    ];
    let asked = Asked::with(|entry| {
        by_introspection(entry);
        entry.required_scopes = vec!["mcp".to_owned()];
    })
    .await;
    for (number, (changes, refusal)) in cases.into_iter().enumerate() {
        let token = format!("t{number}");
        asked.live(&token, &changes);
        assert_eq!(asked.verify(&token, "a").await.unwrap_err(), refusal, "{changes}");
    }
    asked.live("short", &json!({"iss": null, "iat": null, "groups": null}));
    let principal = asked.verify("short", "a").await.unwrap();
    assert_eq!((&*principal.issuer, principal.token.issued_at), (&*asked.0.issuer.url, now));
}

#[tokio::test]
async fn t1_only_a_client_that_the_operator_named_may_leave_the_audience_out() {
    let asked = Asked::with(|entry| {
        by_introspection(entry);
        entry.allowed_clients = Some(vec!["cli".to_owned()]);
    })
    .await;
    asked.live("named", &json!({"aud": null}));
    asked.live("elsewhere", &json!({"aud": "https://other.example"}));
    asked.live("stranger", &json!({"aud": null, "client_id": "stranger"}));
    asked.verify("named", "a").await.unwrap();
    assert_eq!(asked.verify("elsewhere", "a").await.unwrap_err(), TokenRefusal::Audience);
    assert_eq!(asked.verify("stranger", "a").await.unwrap_err(), TokenRefusal::Audience);
}

#[tokio::test]
async fn a_clients_own_opaque_token_is_a_client() {
    let asked = Asked::with(by_introspection).await;
    asked.live("service", &json!({"sub": null, "auth_time": null}));
    let principal = asked.verify("service", "a").await.unwrap();
    assert_eq!((principal.kind, &*principal.subject), (PrincipalKind::Client, "cli"));
}

#[tokio::test]
async fn an_issuer_that_does_not_answer_lets_nobody_in() {
    let asked = Asked::with(by_introspection).await;
    asked.live("t", &json!({}));
    asked.0.issuer.set_down(true);
    assert_eq!(asked.verify("t", "a").await.unwrap_err(), TokenRefusal::IssuerUnavailable);
    asked.0.issuer.set_down(false);
    asked.0.issuer.shared.live.lock().unwrap().insert("list".to_owned(), json!([{"active": true}]));
    assert_eq!(asked.verify("list", "a").await.unwrap_err(), TokenRefusal::IssuerUnavailable);
}

#[tokio::test]
async fn nothing_is_asked_about_what_can_be_no_token() {
    let asked = Asked::with(by_introspection).await;
    for junk in ["", "=", "a b", "a\nb", "tök", "<script>", "a=b", &"x".repeat(9_000)] {
        asked.verify(junk, "a").await.unwrap_err();
    }
    let foreign = asked.0.token_with(&json!({"iss": "https://evil.example"}));
    assert_eq!(asked.verify(&foreign, "a").await.unwrap_err(), TokenRefusal::Issuer);
    assert_eq!(asked.questions(), 0);
}

#[tokio::test]
async fn a_jwt_of_an_issuer_that_is_asked_is_worth_what_the_issuer_says() {
    let asked = Asked::with(by_introspection).await;
    let jwt = asked.0.token_with(&json!({}));
    assert_eq!(asked.verify(&jwt, "a").await.unwrap_err(), TokenRefusal::Inactive, "revoked at its issuer");
    let other = asked.0.token_with(&json!({"jti": "t2"}));
    asked.live(&other, &json!({"sub": "bob"}));
    assert_eq!(asked.verify(&other, "a").await.unwrap().subject, "bob");
}

#[tokio::test]
async fn several_issuers_are_asked_in_order_and_jwts_go_to_their_own() {
    let (jwts, first, second) = (World::new().await, TestIssuer::start(&[]).await, TestIssuer::start(&[]).await);
    let asked = |issuer: &TestIssuer| {
        let mut entry = entry(&issuer.url);
        by_introspection(&mut entry);
        entry
    };
    let entries = vec![asked(&first), entry(&jwts.issuer.url), asked(&second)];
    let verifier = verifier(entries, jwts.clock.clone()).await;
    let verify = async |token: &str| verifier.verify(token, &resource("a"), None).await.map(|p| p.subject.clone());
    let live = |issuer: &TestIssuer, token: &str, sub: &str| {
        let mut members = jwts.claims_with(&json!({"iss": issuer.url, "sub": sub}));
        members["active"] = json!(true);
        members["token_type"] = json!("bearer");
        issuer.shared.live.lock().unwrap().insert(token.to_owned(), members);
    };
    live(&second, "of-the-second", "sue");
    live(&first, "of-both", "fay");
    live(&second, "of-both", "sue");
    assert_eq!(verify("of-the-second").await, Ok("sue".to_owned()));
    assert_eq!(verify("of-both").await, Ok("fay".to_owned()));
    assert_eq!(verify("of-nobody").await, Err(TokenRefusal::Inactive));
    let before = first.shared.introspections.lock().unwrap().len();
    assert_eq!(verify(&jwts.token_with(&json!({}))).await, Ok("alice".to_owned()));
    assert_eq!(first.shared.introspections.lock().unwrap().len(), before, "a signed token is no question to others");
    // One that cannot be asked might have been the one that knows.
    first.set_down(true);
    assert_eq!(verify("of-nobody-2").await, Err(TokenRefusal::IssuerUnavailable));
    assert_eq!(verify("of-the-second").await, Ok("sue".to_owned()), "what is known is known");
}

#[tokio::test]
async fn at_most_four_issuers_are_asked() {
    let world = World::new().await;
    let mut entries = Vec::new();
    for _ in 0..5 {
        let mut entry = entry(&TestIssuer::start(&[]).await.url);
        by_introspection(&mut entry);
        entries.push(entry);
    }
    let floors = world.verifier.floors().clone();
    let refused = Verifier::new(entries, base(), world.clock.clone(), floors).err().unwrap();
    assert_eq!(refused.code(), "issuer_entry_invalid");
}

#[tokio::test]
async fn t3_a_floor_ends_what_was_answered_before_it() {
    let asked = Asked::with(by_introspection).await;
    asked.live("t", &json!({"iat": null, "sid": null, "jti": null}));
    asked.verify("t", "a").await.unwrap();
    let now = asked.0.clock.epoch_seconds();
    asked.0.verifier.floors().revoke(&asked.0.issuer.url, Revoked::Subject("alice".into()), now).await.unwrap();
    assert_eq!(asked.verify("t", "a").await.unwrap_err(), TokenRefusal::Revoked);
}

#[tokio::test]
async fn t2_userinfo_names_a_person_and_proves_no_second_factor() {
    let asked = Asked::with(by_userinfo).await;
    let told = json!({
        "sub": "alice", "preferred_username": "Alice", "groups": ["netops", "other"], "acr": "urn:mfa", "amr": ["mfa"],
        "auth_time": asked.0.clock.epoch_seconds(), "aud": format!("{BASE}/mcp/b"), "client_id": "forged", "exp": 9,
    });
    asked.person("t", told);
    for _ in 0..3 {
        let principal = asked.verify("t", "a").await.unwrap();
        assert_eq!((&*principal.subject, &*principal.name), ("alice", "Alice"));
        assert_eq!((&principal.groups[..], principal.mfa), (&["netops".to_owned()][..], false));
        assert_eq!((principal.token.proof, principal.auth_time), (TokenProof::Userinfo, None));
        assert_ne!(principal.client_id, "forged");
    }
    assert_eq!(asked.0.issuer.shared.userinfo_hits.load(Ordering::SeqCst), 1, "once, not on every call");
    assert_eq!(asked.verify("unknown", "a").await.unwrap_err(), TokenRefusal::Inactive);
    asked.person("nameless", json!({"groups": ["netops"]}));
    assert_eq!(asked.verify("nameless", "a").await.unwrap_err(), TokenRefusal::Claims);
}

#[tokio::test]
async fn t2_userinfo_behind_introspection_has_its_audience_client_and_expiry() {
    let asked = Asked::with(|entry| {
        by_userinfo(entry);
        entry.tokens = TokenKind::Userinfo { endpoint: None, introspection: Some(own()) };
    })
    .await;
    let alice = json!({"sub": "alice", "groups": ["netops"]});
    for (token, changes) in [
        ("good", json!({"groups": ["other"], "amr": ["mfa"]})),
        ("elsewhere", json!({"aud": format!("{BASE}/mcp/b")})),
        ("no-audience", json!({"aud": null})),
        ("another", json!({"sub": "bob"})),
        ("dead", json!({"active": false})),
    ] {
        asked.live(token, &changes);
        asked.person(token, alice.clone());
    }
    let principal = asked.verify("good", "a").await.unwrap();
    assert_eq!(
        (&principal.groups[..], principal.mfa, &*principal.client_id),
        (&["netops".to_owned()][..], false, "cli")
    );
    assert_eq!(principal.token.proof, TokenProof::Userinfo);
    assert_eq!(asked.verify("elsewhere", "a").await.unwrap_err(), TokenRefusal::Audience);
    assert_eq!(asked.verify("no-audience", "a").await.unwrap_err(), TokenRefusal::Audience);
    assert_eq!(asked.verify("another", "a").await.unwrap_err(), TokenRefusal::Claims, "another person's userinfo");
    let hits = asked.0.issuer.shared.userinfo_hits.load(Ordering::SeqCst);
    assert_eq!(asked.verify("dead", "a").await.unwrap_err(), TokenRefusal::Inactive);
    assert_eq!(
        asked.0.issuer.shared.userinfo_hits.load(Ordering::SeqCst),
        hits,
        "a dead token is not shown to userinfo"
    );
}
