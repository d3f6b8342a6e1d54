//! A verifier that trusts the signing issuer of `platform-suites`, and a clock that stands still.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use interlock_tokens_oidc::{IssuerEntry, RevocationFloors, Verifier};
use jiff::Timestamp;
use platform::clock::Clock;
use platform::http::{TargetClient, TargetOptions};
use platform::resource::{BaseUrl, Resource};
use platform::tokens::{TokenRefusal, TokenVerifier};
use platform::{Principal, SharedClock};
use platform_suites::MemoryStore;
pub(crate) use platform_suites::signing_issuer::{Signer, TestIssuer, b64};
use serde_json::{Value, json};

pub(crate) const BASE: &str = "https://interlock.example";

pub(crate) fn entry(issuer: &str) -> IssuerEntry {
    let mut options = TargetOptions::new("issuer", issuer.parse().unwrap());
    options.breaker.failures = 0;
    options.retry.max_attempts = 1;
    IssuerEntry::new(issuer, TargetClient::new(options).unwrap())
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
        let mut entry = entry(&issuer.url);
        change(&mut entry);
        let verifier = verifier(vec![entry], clock.clone()).await;
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
        self.verifier.verify(token, &resource(server), None).await
    }
}

pub(crate) async fn verifier(entries: Vec<IssuerEntry>, clock: SharedClock) -> Verifier {
    let floors = floors(&clock).await;
    Verifier::new(entries, base(), clock, floors).unwrap()
}

pub(crate) async fn floors(clock: &SharedClock) -> Arc<RevocationFloors> {
    let store = Arc::new(MemoryStore::new(clock.clone()));
    Arc::new(RevocationFloors::open(store, clock.clone()).await.unwrap())
}

pub(crate) fn base() -> BaseUrl {
    BaseUrl::new(&BASE.parse().unwrap())
}

pub(crate) fn resource(server: &str) -> Resource {
    Resource::McpServer(server.to_owned())
}
