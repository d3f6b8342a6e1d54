//! T3 on a served platform, with warm caches: what is revoked is refused on the next call, at every door, and after a
//! `kill -9` too.

use platform::Clock as _;
use platform::Json;
use platform::clock::SystemClock;
use platform_suites::signing_issuer::Signer;
use serde_json::json;

use crate::caller::Answer;
use crate::served::Served;

const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
const GROUPS: &str = "groups = [\"network-engineers\"]";

fn logout_token(platform: &Served, changes: &Json) -> String {
    let now = SystemClock.epoch_seconds();
    let mut claims = json!({
        "iss": platform.issuer.url, "aud": "interlock-pages", "iat": now, "exp": now + 120, "jti": "l1", "sub": "alice",
        "sid": "s1", "events": {EVENT: {}},
    });
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Json::Null => drop(claims.as_object_mut().unwrap().remove(name)),
            value => claims[name] = value.clone(),
        }
    }
    let header = json!({"alg": "ES256", "kid": "k1", "typ": "logout+jwt"});
    platform.key.sign(&header.to_string(), &claims.to_string())
}

/// A token for each door.
fn tokens(platform: &Served, changes: &Json) -> [String; 2] {
    [platform.rest_resource(), platform.mcp_resource()]
        .map(|resource| platform.key.access_token(&platform.claims(&resource, changes)))
}

/// Status and code at each door with its token.
async fn at_the_doors(platform: &Served, [rest, mcp]: &[String; 2]) -> [(u16, Option<String>); 2] {
    let said = |answer: Answer| (answer.status, answer.code().map(str::to_owned));
    [said(Answer::of(platform.rest().bearer_auth(rest)).await), said(Answer::of(platform.mcp().bearer_auth(mcp)).await)]
}

fn open() -> [(u16, Option<String>); 2] {
    [(200, None), (200, None)]
}

fn closed() -> [(u16, Option<String>); 2] {
    let one = (401, Some("token_invalid".to_owned()));
    [one.clone(), one]
}

#[tokio::test]
async fn t3_a_session_that_its_issuer_ended_is_refused_on_the_next_call_and_after_a_kill() {
    let mut platform = Served::start(GROUPS, &[]).await;
    let own = tokens(&platform, &json!({}));
    let nameless = tokens(&platform, &json!({"sid": null, "jti": "t2"}));
    let other = tokens(&platform, &json!({"sid": "s2", "jti": "t3"}));
    let others = tokens(&platform, &json!({"sub": "bob", "sid": "s3", "jti": "t4"}));
    for tokens in [&own, &nameless, &other, &others] {
        for _ in 0..2 {
            assert_eq!(at_the_doors(&platform, tokens).await, open());
        }
    }
    let token = logout_token(&platform, &json!({}));
    let answer = platform.log_out(&token).await;
    assert_eq!((answer.status, answer.header("cache-control")), (200, "no-store"), "{answer:?}");
    let replayed = platform.log_out(&token).await;
    assert_eq!((replayed.status, replayed.code()), (400, Some("logout_token_invalid")), "{replayed:?}");
    for _ in 0..2 {
        for dead in [&own, &nameless] {
            assert_eq!(at_the_doors(&platform, dead).await, closed());
        }
        for alive in [&other, &others] {
            assert_eq!(at_the_doors(&platform, alive).await, open());
        }
        platform.kill_and_start_again().await;
    }
    // All of the subject's, whatever its session.
    let all = logout_token(&platform, &json!({"sid": null, "jti": "l2"}));
    assert_eq!(platform.log_out(&all).await.status, 200);
    assert_eq!(at_the_doors(&platform, &other).await, closed());
    assert_eq!(at_the_doors(&platform, &others).await, open());
}

#[tokio::test]
async fn what_is_no_logout_token_for_this_platform_ends_nothing() {
    let platform = Served::start(GROUPS, &[]).await;
    let own = tokens(&platform, &json!({}));
    assert_eq!(at_the_doors(&platform, &own).await, open());
    let header = json!({"alg": "ES256", "kid": "k1", "typ": "logout+jwt"}).to_string();
    let claims = json!({"iss": platform.issuer.url, "events": {EVENT: {}}}).to_string();
    let forged = Signer::ec("k1").sign(&header, &claims);
    for token in [
        forged,
        own[0].clone(),
        logout_token(&platform, &json!({"aud": "another"})),
        logout_token(&platform, &json!({"nonce": "n"})),
        logout_token(&platform, &json!({"events": {}})),
        logout_token(&platform, &json!({"exp": 1, "iat": 0})),
        logout_token(&platform, &json!({"iss": "https://evil.example"})),
        "x".repeat(9_000),
        String::new(),
    ] {
        let answer = platform.log_out(&token).await;
        assert_eq!((answer.status, answer.code()), (400, Some("logout_token_invalid")), "{token}: {answer:?}");
    }
    let url = format!("{}/backchannel-logout", platform.url);
    let linked =
        Answer::of(platform.http.get(format!("{url}?logout_token={}", logout_token(&platform, &json!({}))))).await;
    assert_eq!(linked.status, 405, "a link ends no session: {linked:?}");
    assert_eq!(at_the_doors(&platform, &own).await, open());
}

#[tokio::test]
async fn t3_what_a_withdrawn_key_signed_is_refused_once_its_successor_was_seen() {
    let platform = Served::start(GROUPS, &[]).await;
    let old = tokens(&platform, &json!({}));
    for _ in 0..2 {
        assert_eq!(at_the_doors(&platform, &old).await, open());
    }
    let next = Signer::ec("k2");
    platform.issuer.publish(&[&next]);
    let fetched = platform.issuer.fetches();
    let new = next.access_token(&platform.claims(&platform.rest_resource(), &json!({})));
    // Keys are fetched at most once in five seconds, whatever the traffic.
    let began = std::time::Instant::now();
    while platform.whoami(&new).await.status != 200 {
        assert!(began.elapsed().as_secs() < 60, "the new key is never taken");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(at_the_doors(&platform, &old).await, closed());
    assert_eq!(platform.issuer.fetches(), fetched + 1);
}

#[tokio::test]
async fn t1_t2_an_opaque_token_is_what_its_issuer_says_at_each_door() {
    let client: &[(&str, &str)] = &[("client_id", "interlock"), ("client_secret", "s3cret")];
    let entry = format!("tokens = \"introspection\"\n{GROUPS}");
    let platform = Served::start(&entry, &[("oidc/config", client)]).await;
    let live = |token: &str, audience: String, changes: &Json| {
        let mut members = platform.claims(&audience, changes);
        members["active"] = json!(true);
        members["token_type"] = json!("Bearer");
        platform.issuer.shared.live.lock().unwrap().insert(token.to_owned(), members);
    };
    live("for-rest", platform.rest_resource(), &json!({}));
    live("for-mcp", platform.mcp_resource(), &json!({}));
    live("for-nobody", "https://other.example".to_owned(), &json!({}));
    let pair = |token: &str| [token.to_owned(), token.to_owned()];
    let elsewhere = (401, Some("token_audience".to_owned()));
    for _ in 0..2 {
        assert_eq!(at_the_doors(&platform, &pair("for-rest")).await, [(200, None), elsewhere.clone()]);
        assert_eq!(at_the_doors(&platform, &pair("for-mcp")).await, [elsewhere.clone(), (200, None)]);
        assert_eq!(at_the_doors(&platform, &pair("for-nobody")).await, [elsewhere.clone(), elsewhere.clone()]);
        assert_eq!(at_the_doors(&platform, &pair("unknown")).await, closed());
    }
    let asked = platform.issuer.shared.introspections.lock().unwrap().len();
    assert!(asked <= 7, "one question per live token, and one a second for a refused one: {asked}");
    // Logged out at its issuer: the next call, although the answer was cached.
    assert_eq!(platform.log_out(&logout_token(&platform, &json!({}))).await.status, 200);
    assert_eq!(platform.whoami("for-rest").await.status, 401);
    platform.issuer.set_down(true);
    let undecided = platform.whoami("another").await;
    assert_eq!((undecided.status, undecided.code()), (503, Some("issuer_unavailable")), "{undecided:?}");
    assert!(undecided.header("www-authenticate").is_empty() && !undecided.header("retry-after").is_empty());
}
