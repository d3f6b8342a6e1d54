//! An issuer for tests: discovery, keys and a token endpoint on loopback, and keys that sign any text at all.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use interlock_tokens_oidc::{IssuerEntry, RevocationFloors, Verifier};
use jiff::Timestamp;
use platform::clock::Clock;
use platform::http::{TargetClient, TargetOptions};
use platform::resource::{BaseUrl, Resource};
use platform::tokens::{TokenRefusal, TokenVerifier};
use platform::{Principal, SharedClock};
use serde_json::{Value, json};

pub(crate) const BASE: &str = "https://interlock.example";

/// A signing key and its `kid`.
pub(crate) enum Signer {
    Ec(String, EcdsaKeyPair),
    Rsa(String, Box<RsaKeyPair>),
    Ed(String, Ed25519KeyPair),
}

impl Signer {
    pub(crate) fn ec(kid: &str) -> Self {
        Self::Ec(kid.to_owned(), EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    pub(crate) fn rsa(kid: &str) -> Self {
        Self::Rsa(kid.to_owned(), Box::new(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()))
    }

    pub(crate) fn ed(kid: &str) -> Self {
        Self::Ed(kid.to_owned(), Ed25519KeyPair::generate().unwrap())
    }

    pub(crate) fn kid(&self) -> &str {
        match self {
            Self::Ec(kid, _) | Self::Rsa(kid, _) | Self::Ed(kid, _) => kid,
        }
    }

    pub(crate) fn algorithm(&self) -> &'static str {
        match self {
            Self::Ec(..) => "ES256",
            Self::Rsa(..) => "RS256",
            Self::Ed(..) => "EdDSA",
        }
    }

    pub(crate) fn jwk(&self) -> Value {
        match self {
            Self::Ec(kid, key) => {
                let point = key.public_key().as_ref();
                json!({"kty": "EC", "crv": "P-256", "kid": kid, "use": "sig", "alg": "ES256",
                    "x": b64(&point[1..33]), "y": b64(&point[33..65])})
            }
            Self::Rsa(kid, key) => {
                let public = key.public_key();
                let (n, e) = (public.modulus().big_endian_without_leading_zero(), public.exponent());
                json!({"kty": "RSA", "kid": kid, "use": "sig", "n": b64(n), "e": b64(e.big_endian_without_leading_zero())})
            }
            Self::Ed(kid, key) => {
                json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": b64(key.public_key().as_ref())})
            }
        }
    }

    /// The public key as an attacker would use it for an HMAC.
    pub(crate) fn public_bytes(&self) -> Vec<u8> {
        match self {
            Self::Ec(_, key) => key.public_key().as_ref().to_vec(),
            Self::Rsa(_, key) => key.public_key().as_der().unwrap().as_ref().to_vec(),
            Self::Ed(_, key) => key.public_key().as_ref().to_vec(),
        }
    }

    pub(crate) fn signature(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Ec(_, key) => key.sign(&random, message).unwrap().as_ref().to_vec(),
            Self::Ed(_, key) => key.sign(message).as_ref().to_vec(),
            Self::Rsa(_, key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).unwrap();
                signature
            }
        }
    }

    /// Signs whatever the two texts are.
    pub(crate) fn sign(&self, header: &str, payload: &str) -> String {
        let signed = format!("{}.{}", b64(header.as_bytes()), b64(payload.as_bytes()));
        let signature = self.signature(signed.as_bytes());
        format!("{signed}.{}", b64(&signature))
    }

    pub(crate) fn header(&self) -> Value {
        json!({"alg": self.algorithm(), "kid": self.kid(), "typ": "at+jwt"})
    }

    pub(crate) fn access_token(&self, claims: &Value) -> String {
        self.sign(&self.header().to_string(), &claims.to_string())
    }
}

pub(crate) fn b64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

#[derive(Default)]
pub(crate) struct Shared {
    pub(crate) jwks: Mutex<Value>,
    pub(crate) jwks_hits: AtomicUsize,
    pub(crate) discovery: Mutex<Value>,
    pub(crate) down: AtomicBool,
    pub(crate) token_answer: Mutex<(u16, Value)>,
    pub(crate) token_requests: Mutex<Vec<(HeaderMap, String)>>,
}

/// The running issuer.
pub(crate) struct TestIssuer {
    pub(crate) url: String,
    pub(crate) shared: Arc<Shared>,
}

impl TestIssuer {
    pub(crate) async fn start(keys: &[&Signer]) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/issuer", listener.local_addr().unwrap());
        let shared = Arc::new(Shared::default());
        *shared.discovery.lock().unwrap() = json!({
            "issuer": url, "jwks_uri": format!("{url}/jwks"), "token_endpoint": format!("{url}/token"),
            "authorization_endpoint": format!("{url}/authorize"),
            "authorization_response_iss_parameter_supported": true,
        });
        let app = Router::new()
            .route("/issuer/.well-known/openid-configuration", get(discovery))
            .route("/issuer/jwks", get(jwks))
            .route("/issuer/token", post(token))
            .with_state(shared.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        let issuer = Self { url, shared };
        issuer.publish(keys);
        issuer
    }

    pub(crate) fn publish(&self, keys: &[&Signer]) {
        self.publish_raw(keys.iter().map(|key| key.jwk()).collect());
    }

    pub(crate) fn publish_raw(&self, keys: Vec<Value>) {
        *self.shared.jwks.lock().unwrap() = json!({ "keys": keys });
    }

    pub(crate) fn fetches(&self) -> usize {
        self.shared.jwks_hits.load(Ordering::SeqCst)
    }

    pub(crate) fn set_down(&self, down: bool) {
        self.shared.down.store(down, Ordering::SeqCst);
    }

    pub(crate) fn entry(&self) -> IssuerEntry {
        entry(&self.url)
    }
}

pub(crate) fn entry(issuer: &str) -> IssuerEntry {
    let mut options = TargetOptions::new("issuer", issuer.parse().unwrap());
    options.breaker.failures = 0;
    options.retry.max_attempts = 1;
    IssuerEntry::new(issuer, TargetClient::new(options).unwrap())
}

async fn discovery(State(shared): State<Arc<Shared>>) -> Response {
    if shared.down.load(Ordering::SeqCst) {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    Json(shared.discovery.lock().unwrap().clone()).into_response()
}

async fn jwks(State(shared): State<Arc<Shared>>) -> Response {
    shared.jwks_hits.fetch_add(1, Ordering::SeqCst);
    if shared.down.load(Ordering::SeqCst) {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    Json(shared.jwks.lock().unwrap().clone()).into_response()
}

async fn token(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: String) -> Response {
    shared.token_requests.lock().unwrap().push((headers, body));
    let (status, answer) = shared.token_answer.lock().unwrap().clone();
    (StatusCode::from_u16(status).unwrap(), Json(answer)).into_response()
}

/// A clock that stands still until a test moves it.
pub(crate) struct StillClock(AtomicI64);

impl Default for StillClock {
    fn default() -> Self {
        Self(AtomicI64::new(1_800_000_000))
    }
}

impl StillClock {
    pub(crate) fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for StillClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.0.load(Ordering::SeqCst)).unwrap()
    }
}

/// An issuer with one key, a clock, and a verifier that trusts it.
pub(crate) struct World {
    pub(crate) issuer: TestIssuer,
    pub(crate) key: Signer,
    pub(crate) clock: Arc<StillClock>,
    pub(crate) verifier: Verifier,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut IssuerEntry)) -> Self {
        let key = Signer::ec("k1");
        let issuer = TestIssuer::start(&[&key]).await;
        let clock = Arc::new(StillClock::default());
        let mut entry = issuer.entry();
        change(&mut entry);
        let verifier = verifier(vec![entry], clock.clone());
        Self { issuer, key, clock, verifier }
    }

    /// Good claims of a person for `/mcp/a`.
    pub(crate) fn claims(&self) -> Value {
        let now = self.clock.epoch_seconds();
        json!({
            "iss": self.issuer.url, "sub": "alice", "aud": resource("a").identifier(&base()),
            "exp": now + 600, "iat": now, "client_id": "cli", "jti": "t1", "sid": "s1", "scope": "mcp",
            "groups": ["netops"], "auth_time": now,
        })
    }

    /// Good claims with some replaced; `null` removes one.
    pub(crate) fn claims_with(&self, changes: &Value) -> Value {
        let mut claims = self.claims();
        for (name, value) in changes.as_object().unwrap() {
            if value.is_null() {
                claims.as_object_mut().unwrap().remove(name);
            } else {
                claims[name] = value.clone();
            }
        }
        claims
    }

    pub(crate) fn token_with(&self, changes: &Value) -> String {
        self.key.access_token(&self.claims_with(changes))
    }

    pub(crate) async fn verify(&self, token: &str, server: &str) -> Result<Arc<Principal>, TokenRefusal> {
        self.verifier.verify(token, &resource(server)).await
    }
}

pub(crate) fn verifier(entries: Vec<IssuerEntry>, clock: SharedClock) -> Verifier {
    Verifier::new(entries, base(), clock, Arc::new(RevocationFloors::default())).unwrap()
}

pub(crate) fn base() -> BaseUrl {
    BaseUrl::new(&BASE.parse().unwrap())
}

pub(crate) fn resource(server: &str) -> Resource {
    Resource::McpServer(server.to_owned())
}
