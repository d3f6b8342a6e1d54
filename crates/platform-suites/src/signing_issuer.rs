//! An issuer that signs anything: discovery, keys, a token endpoint, introspection and userinfo on loopback, and keys that
//! sign any two texts. For tests of whatever reads tokens; what a token has to be is nobody's business here.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
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
use serde_json::{Value, json};

/// A signing key and its `kid`.
pub enum Signer {
    /// P-256.
    Ec(String, EcdsaKeyPair),
    /// RSA.
    Rsa(String, Box<RsaKeyPair>),
    /// Ed25519.
    Ed(String, Ed25519KeyPair),
}

impl Signer {
    /// P-256, for ES256.
    pub fn ec(kid: &str) -> Self {
        Self::Ec(kid.to_owned(), EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    /// 2048 bits, for RS256.
    pub fn rsa(kid: &str) -> Self {
        Self::Rsa(kid.to_owned(), Box::new(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()))
    }

    /// For EdDSA.
    pub fn ed(kid: &str) -> Self {
        Self::Ed(kid.to_owned(), Ed25519KeyPair::generate().unwrap())
    }

    /// Key id.
    pub fn kid(&self) -> &str {
        match self {
            Self::Ec(kid, _) | Self::Rsa(kid, _) | Self::Ed(kid, _) => kid,
        }
    }

    /// The `alg` that this key signs by.
    pub fn algorithm(&self) -> &'static str {
        match self {
            Self::Ec(..) => "ES256",
            Self::Rsa(..) => "RS256",
            Self::Ed(..) => "EdDSA",
        }
    }

    /// The public half, as a key set has it.
    pub fn jwk(&self) -> Value {
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
    pub fn public_bytes(&self) -> Vec<u8> {
        match self {
            Self::Ec(_, key) => key.public_key().as_ref().to_vec(),
            Self::Rsa(_, key) => key.public_key().as_der().unwrap().as_ref().to_vec(),
            Self::Ed(_, key) => key.public_key().as_ref().to_vec(),
        }
    }

    /// The bare signature.
    pub fn signature(&self, message: &[u8]) -> Vec<u8> {
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
    pub fn sign(&self, header: &str, payload: &str) -> String {
        let signed = format!("{}.{}", b64(header.as_bytes()), b64(payload.as_bytes()));
        let signature = self.signature(signed.as_bytes());
        format!("{signed}.{}", b64(&signature))
    }

    /// The header of a good access token.
    pub fn header(&self) -> Value {
        json!({"alg": self.algorithm(), "kid": self.kid(), "typ": "at+jwt"})
    }

    /// These claims under the header of a good access token.
    pub fn access_token(&self, claims: &Value) -> String {
        self.sign(&self.header().to_string(), &claims.to_string())
    }
}

/// Base64url without padding.
pub fn b64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// What the issuer serves, to be changed under way, and what it was asked.
#[derive(Default)]
pub struct Shared {
    /// The key set.
    pub jwks: Mutex<Value>,
    /// How often it was fetched.
    pub jwks_hits: AtomicUsize,
    /// The discovery document.
    pub discovery: Mutex<Value>,
    /// Everything answers 500.
    pub down: AtomicBool,
    /// What the token endpoint answers.
    pub token_answer: Mutex<(u16, Value)>,
    /// What it was asked.
    pub token_requests: Mutex<Vec<(HeaderMap, String)>>,
    /// What introspection says, by token.
    pub live: Mutex<HashMap<String, Value>>,
    /// What userinfo says, by token.
    pub people: Mutex<HashMap<String, Value>>,
    /// What introspection was asked.
    pub introspections: Mutex<Vec<(HeaderMap, String)>>,
    /// How often userinfo was asked.
    pub userinfo_hits: AtomicUsize,
}

/// The running issuer.
pub struct TestIssuer {
    /// Issuer identifier.
    pub url: String,
    /// What it serves and what it was asked.
    pub shared: Arc<Shared>,
}

impl TestIssuer {
    /// Starts it with these keys published.
    pub async fn start(keys: &[&Signer]) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/issuer", listener.local_addr().unwrap());
        let shared = Arc::new(Shared::default());
        *shared.discovery.lock().unwrap() = json!({
            "issuer": url, "jwks_uri": format!("{url}/jwks"), "token_endpoint": format!("{url}/token"),
            "authorization_endpoint": format!("{url}/authorize"),
            "introspection_endpoint": format!("{url}/introspect"), "userinfo_endpoint": format!("{url}/userinfo"),
            "authorization_response_iss_parameter_supported": true,
        });
        let app = Router::new()
            .route("/issuer/.well-known/openid-configuration", get(discovery))
            .route("/issuer/jwks", get(jwks))
            .route("/issuer/token", post(token))
            .route("/issuer/introspect", post(introspect))
            .route("/issuer/userinfo", get(userinfo))
            .with_state(shared.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        let issuer = Self { url, shared };
        issuer.publish(keys);
        issuer
    }

    /// Replaces the published keys.
    pub fn publish(&self, keys: &[&Signer]) {
        self.publish_raw(keys.iter().map(|key| key.jwk()).collect());
    }

    /// Replaces the published key set by any list.
    pub fn publish_raw(&self, keys: Vec<Value>) {
        *self.shared.jwks.lock().unwrap() = json!({ "keys": keys });
    }

    /// How often the key set was fetched.
    pub fn fetches(&self) -> usize {
        self.shared.jwks_hits.load(Ordering::SeqCst)
    }

    /// Whether everything answers 500.
    pub fn set_down(&self, down: bool) {
        self.shared.down.store(down, Ordering::SeqCst);
    }
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

async fn introspect(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: String) -> Response {
    shared.introspections.lock().unwrap().push((headers, body.clone()));
    if shared.down.load(Ordering::SeqCst) {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    // Others that ask meanwhile have time to come.
    tokio::task::yield_now().await;
    let token = url::form_urlencoded::parse(body.as_bytes()).find(|(name, _)| name == "token").unwrap().1.into_owned();
    let live = shared.live.lock().unwrap().get(&token).cloned();
    Json(live.unwrap_or_else(|| json!({"active": false}))).into_response()
}

async fn userinfo(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    shared.userinfo_hits.fetch_add(1, Ordering::SeqCst);
    if shared.down.load(Ordering::SeqCst) {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let token = headers["authorization"].to_str().unwrap().strip_prefix("Bearer ").unwrap();
    let person = shared.people.lock().unwrap().get(token).cloned();
    person.map_or_else(|| StatusCode::UNAUTHORIZED.into_response(), |person| Json(person).into_response())
}
