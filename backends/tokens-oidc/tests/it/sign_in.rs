//! The code flow: what the browser is sent with, what is sent for the code, and which ID tokens are believed.

use std::collections::HashMap;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use interlock_tokens_oidc::{MfaRule, OidcSignIn};
use platform::Secret;
use platform::clock::Clock;
use platform::error::{Error, ErrorKind};
use platform::tokens::{SignIn, SignInRequest, SignedIn};
use serde_json::{Value, json};
use url::Url;

use crate::issuer::{Signer, StillClock, TestIssuer, b64, entry};

const CLIENT: &str = "interlock pages";
const ACCESS: &str = "opaque-access-token";

struct Flow {
    issuer: TestIssuer,
    key: Signer,
    clock: Arc<StillClock>,
    sign_in: OidcSignIn,
}

impl Flow {
    async fn new() -> Self {
        let key = Signer::ec("k1");
        let issuer = TestIssuer::start(&[&key]).await;
        let clock = Arc::new(StillClock::default());
        let mut entry = entry(&issuer.url);
        entry.allowed_groups = Some(vec!["netops".to_owned()]);
        entry.mfa = MfaRule { acr: vec!["urn:mfa".to_owned()], ..MfaRule::default() };
        let sign_in = OidcSignIn::new(entry, CLIENT, Secret::new("s/cr:t"), clock.clone()).unwrap();
        Self { issuer, key, clock, sign_in }
    }

    fn claims(&self) -> Value {
        let now = self.clock.epoch_seconds();
        json!({
            "iss": self.issuer.url, "sub": "alice", "aud": CLIENT, "exp": now + 300, "iat": now, "nonce": "nonce-1",
            "at_hash": b64(&digest(&SHA256, ACCESS.as_bytes()).as_ref()[..16]), "groups": ["netops", "other"],
            "acr": "urn:mfa", "auth_time": now, "preferred_username": "Alice",
        })
    }

    fn id_token(&self, header: &Value, changes: &Value) -> String {
        let mut claims = self.claims();
        for (name, value) in changes.as_object().unwrap() {
            if value.is_null() {
                claims.as_object_mut().unwrap().remove(name);
            } else {
                claims[name] = value.clone();
            }
        }
        self.key.sign(&header.to_string(), &claims.to_string())
    }

    fn answer(&self, id_token: String) {
        let answer = json!({"access_token": ACCESS, "token_type": "Bearer", "id_token": id_token});
        *self.issuer.shared.token_answer.lock().unwrap() = (200, answer);
    }

    async fn redeem(&self, request: &SignInRequest) -> Result<SignedIn, Error> {
        self.sign_in.redeem(request, "code-1", Some(&self.issuer.url)).await
    }

    async fn redeem_with(&self, changes: &Value, require_mfa: bool) -> Result<SignedIn, Error> {
        self.answer(self.id_token(&header(), changes));
        self.redeem(&request(require_mfa)).await
    }
}

fn header() -> Value {
    json!({"alg": "ES256", "kid": "k1", "typ": "JWT"})
}

fn request(require_mfa: bool) -> SignInRequest {
    SignInRequest {
        redirect_uri: "https://interlock.example/pages/callback".to_owned(),
        state: "state-1".to_owned(),
        nonce: "nonce-1".to_owned(),
        code_verifier: Secret::new("v".repeat(43)),
        require_mfa,
        login_hint: Some("alice@example.com".to_owned()),
    }
}

#[tokio::test]
async fn the_browser_is_sent_with_pkce_nonce_and_state_and_without_secrets() {
    let flow = Flow::new().await;
    let url: Url = flow.sign_in.authorization_url(&request(false)).await.unwrap().parse().unwrap();
    assert!(url.as_str().starts_with(&format!("{}/authorize?", flow.issuer.url)));
    assert!(!url.as_str().contains(&"v".repeat(43)) && !url.as_str().contains("cr%3At"));
    let query: HashMap<_, _> = url.query_pairs().into_owned().collect();
    let challenge = b64(digest(&SHA256, "v".repeat(43).as_bytes()).as_ref());
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", CLIENT),
        ("redirect_uri", "https://interlock.example/pages/callback"),
        ("scope", "openid profile"),
        ("state", "state-1"),
        ("nonce", "nonce-1"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
        ("login_hint", "alice@example.com"),
    ] {
        assert_eq!(query.get(name).map(String::as_str), Some(value), "{name}");
    }
    assert!(!query.contains_key("max_age") && !query.contains_key("acr_values"));
}

#[tokio::test]
async fn t4_step_up_asks_for_mfa_now() {
    let flow = Flow::new().await;
    let url: Url = flow.sign_in.authorization_url(&request(true)).await.unwrap().parse().unwrap();
    let query: HashMap<_, _> = url.query_pairs().into_owned().collect();
    assert_eq!((query["max_age"].as_str(), query["acr_values"].as_str()), ("0", "urn:mfa"));
}

#[tokio::test]
async fn a_code_is_redeemed_with_the_client_secret_and_the_verifier() {
    let flow = Flow::new().await;
    let principal = flow.redeem_with(&json!({}), true).await.unwrap().principal;
    assert_eq!((&*principal.subject, &*principal.name, &*principal.client_id), ("alice", "Alice", CLIENT));
    assert_eq!(principal.groups, ["netops"]);
    assert!(principal.mfa);
    assert_eq!(principal.acr.as_deref(), Some("urn:mfa"));
    let requests = flow.issuer.shared.token_requests.lock().unwrap();
    let (headers, body) = &requests[0];
    let expected = format!("Basic {}", STANDARD.encode("interlock+pages:s%2Fcr%3At"));
    assert_eq!(headers["authorization"], expected);
    let form: HashMap<_, _> = url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    assert_eq!(form["grant_type"], "authorization_code");
    assert_eq!(form["code"], "code-1");
    assert_eq!(form["code_verifier"], "v".repeat(43));
    assert_eq!(form["redirect_uri"], "https://interlock.example/pages/callback");
}

#[tokio::test]
async fn an_answer_of_another_issuer_or_of_none_is_not_redeemed() {
    let flow = Flow::new().await;
    flow.answer(flow.id_token(&header(), &json!({})));
    let slash = format!("{}/", flow.issuer.url);
    for issuer in [None, Some("https://evil.example"), Some(&*slash), Some("")] {
        let error = flow.sign_in.redeem(&request(false), "code-1", issuer).await.unwrap_err();
        assert_eq!(error.code(), "sign_in_issuer_mismatch", "{issuer:?}");
    }
    assert!(flow.issuer.shared.token_requests.lock().unwrap().is_empty(), "the code was sent to nobody");

    let silent = Flow::new().await;
    silent.issuer.shared.discovery.lock().unwrap()["authorization_response_iss_parameter_supported"] = json!(false);
    silent.answer(silent.id_token(&header(), &json!({})));
    silent.sign_in.redeem(&request(false), "code-1", None).await.unwrap();
    let error = silent.sign_in.redeem(&request(false), "code-1", Some("https://evil.example")).await.unwrap_err();
    assert_eq!(error.code(), "sign_in_issuer_mismatch");
}

#[tokio::test]
async fn an_id_token_that_is_not_ours_now_is_refused() {
    let flow = Flow::new().await;
    let now = flow.clock.epoch_seconds();
    for changes in [
        json!({"iss": "https://evil.example"}),
        json!({"aud": "another-client"}),
        json!({"aud": [CLIENT, "another-client"]}),
        json!({"aud": [CLIENT, "another-client"], "azp": "another-client"}),
        json!({"azp": "another-client"}),
        json!({"nonce": "nonce-2"}),
        json!({"nonce": null}),
        json!({"nonce": ["nonce-1"]}),
        json!({"at_hash": "x"}),
        json!({"at_hash": 7}),
        json!({"exp": now - 31}),
        json!({"iat": now + 300}),
        json!({"sub": CLIENT}),
        json!({"events": {}}),
        json!({"groups": "netops"}),
    ] {
        let error = flow.redeem_with(&changes, false).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Unauthenticated, "id_token_refused"), "{changes}");
    }
    for changed in [
        json!({"alg": "ES256", "kid": "k1", "typ": "at+jwt"}),
        json!({"alg": "ES256", "kid": "k1", "typ": "logout+jwt"}),
        json!({"alg": "none", "kid": "k1", "typ": "JWT"}),
        json!({"alg": "ES256", "kid": "k9", "typ": "JWT"}),
    ] {
        flow.answer(flow.id_token(&changed, &json!({})));
        assert_eq!(flow.redeem(&request(false)).await.unwrap_err().code(), "id_token_refused", "{changed}");
    }
    flow.answer(Signer::ec("k1").sign(&header().to_string(), &flow.claims().to_string()));
    assert_eq!(flow.redeem(&request(false)).await.unwrap_err().code(), "id_token_refused");
    flow.redeem_with(&json!({"aud": [CLIENT, "another-client"], "azp": CLIENT}), false).await.unwrap();
    flow.redeem_with(&json!({"at_hash": null}), false).await.unwrap();
}

#[tokio::test]
async fn t4_step_up_is_met_only_by_a_fresh_second_factor() {
    let flow = Flow::new().await;
    let now = flow.clock.epoch_seconds();
    for changes in
        [json!({"acr": "urn:pwd"}), json!({"acr": null}), json!({"auth_time": null}), json!({"auth_time": now - 3600})]
    {
        let error = flow.redeem_with(&changes, true).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Unmet, "step_up_not_met"), "{changes}");
        flow.redeem_with(&changes, false).await.unwrap();
    }
}

#[tokio::test]
async fn a_refusal_or_failure_of_the_issuer_is_told_apart() {
    let flow = Flow::new().await;
    *flow.issuer.shared.token_answer.lock().unwrap() = (400, json!({"error": "invalid_grant"}));
    let error = flow.redeem(&request(false)).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Unauthenticated, "sign_in_refused"));
    *flow.issuer.shared.token_answer.lock().unwrap() = (503, json!({}));
    assert_eq!(flow.redeem(&request(false)).await.unwrap_err().code(), "issuer_unavailable");
    *flow.issuer.shared.token_answer.lock().unwrap() = (200, json!({"access_token": "x"}));
    assert_eq!(flow.redeem(&request(false)).await.unwrap_err().kind(), ErrorKind::Upstream);
}
