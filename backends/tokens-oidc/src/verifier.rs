//! [`Verifier`]: the order of checks of a bearer token, and the cache of those that passed (T1). The hot path is one
//! SHA-256 and one look-up; expiry and revocation are looked at every time.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::digest::{SHA256, digest};
use moka::sync::Cache;
use platform::error::{Error, ErrorKind};
use platform::resource::{BaseUrl, Resource};
use platform::tokens::{TokenRefusal, TokenVerifier};
use platform::{Json, Principal, SharedClock};

use crate::claims::Claims;
use crate::compact::{Compact, MAX_TOKEN};
use crate::entry::IssuerEntry;
use crate::issuer::Issuer;
use crate::principal::principal;
use crate::revocation::RevocationFloors;

/// Longest life of a cached verification, in seconds.
const MAX_CACHED_S: i64 = 60;
/// Most cached verifications.
const MAX_CACHED: u64 = 20_000;

/// Claims that only ID tokens, logout tokens and security events carry; none is an access token, whatever its `typ`.
const NOT_ACCESS: [&str; 5] = ["nonce", "at_hash", "c_hash", "events", "toe"];

#[derive(PartialEq, Eq, Hash)]
struct CacheKey {
    token: [u8; 32],
    entry: usize,
    resource: Resource,
}

#[derive(Clone)]
struct Cached {
    principal: Arc<Principal>,
    /// Valid in this span of epoch seconds: a clock set back must not revive it either.
    from: i64,
    until: i64,
}

/// Verifies the access tokens of the configured issuers.
pub struct Verifier {
    issuers: Vec<Arc<Issuer>>,
    base: BaseUrl,
    clock: SharedClock,
    floors: Arc<RevocationFloors>,
    cache: Cache<CacheKey, Cached>,
}

impl Verifier {
    /// A verifier for the platform at `base`. Errors (settings): `issuer_entry_invalid`, `mfa_rule_single_factor`.
    /// Nothing is fetched before the first token comes.
    pub fn new(
        entries: Vec<IssuerEntry>,
        base: BaseUrl,
        clock: SharedClock,
        floors: Arc<RevocationFloors>,
    ) -> Result<Self, Error> {
        let mut issuers: Vec<Arc<Issuer>> = Vec::new();
        for entry in entries {
            if issuers.iter().any(|known| known.entry.issuer == entry.issuer) {
                return Err(Error::new(
                    ErrorKind::InvalidInput,
                    "issuer_entry_invalid",
                    format!("Issuer {} has two entries; keep one.", entry.issuer),
                ));
            }
            issuers.push(Arc::new(Issuer::new(entry, clock.clone())?));
        }
        let cache =
            Cache::builder().max_capacity(MAX_CACHED).time_to_live(Duration::from_secs(MAX_CACHED_S.unsigned_abs()));
        Ok(Self { issuers, base, clock, floors, cache: cache.build() })
    }

    /// The revocation floors that every call looks at.
    pub fn floors(&self) -> &Arc<RevocationFloors> {
        &self.floors
    }

    fn alive(&self, principal: Arc<Principal>) -> Result<Arc<Principal>, TokenRefusal> {
        if self.floors.is_revoked(&principal) { Err(TokenRefusal::Revoked) } else { Ok(principal) }
    }

    fn cached(&self, token: [u8; 32], resource: &Resource, now: i64) -> Option<Arc<Principal>> {
        let mut key = CacheKey { token, entry: 0, resource: resource.clone() };
        for entry in 0..self.issuers.len() {
            key.entry = entry;
            match self.cache.get(&key) {
                Some(hit) if (hit.from..hit.until).contains(&now) => return Some(hit.principal),
                Some(_) => self.cache.invalidate(&key),
                None => {}
            }
        }
        None
    }

    /// The whole check, without the cache. Returns the number of the issuer's entry too.
    async fn check(&self, token: &str, resource: &Resource) -> Result<(usize, Principal), TokenRefusal> {
        let token = Compact::parse(token)?;
        // The issuer is only a question to our own list here; nothing is believed before the signature holds.
        let named = token.payload.get("iss").and_then(Json::as_str).ok_or(TokenRefusal::Claims)?;
        let number = self.issuers.iter().position(|known| known.entry.issuer == named).ok_or(TokenRefusal::Issuer)?;
        let issuer = &self.issuers[number];
        let entry = &issuer.entry;
        if !entry.accepts_type(token.header.kind.as_deref()) {
            return Err(TokenRefusal::Type);
        }
        issuer.check_signature(&token).await?;

        let claims = Claims::read(&token.payload)?;
        if NOT_ACCESS.iter().any(|name| token.payload.contains_key(*name)) || token.payload.contains_key("cnf") {
            // `cnf` binds the token to a key of its sender (DPoP, mTLS), which nobody checks here: not a bearer token.
            return Err(TokenRefusal::Claims);
        }
        let wanted = resource.identifier(&self.base);
        let wider = resource.wider().map(|wider| wider.identifier(&self.base));
        let platform = entry.accepts_platform_audience.then_some(self.base.as_str());
        let good = [Some(&*wanted), wider.as_deref(), platform];
        if !good.into_iter().flatten().any(|good| claims.aud.names(good)) {
            return Err(TokenRefusal::Audience);
        }
        claims.check_time(self.clock.epoch_seconds(), entry.clock_skew_s, entry.max_lifetime_s)?;
        let client = claims.client()?.to_owned();
        if entry.allowed_clients.as_ref().is_some_and(|allowed| !allowed.contains(&client)) {
            return Err(TokenRefusal::Claims);
        }
        let mut principal = principal(entry, claims, &token.payload, client)?;
        principal.token.key = Some(token.header.kid.clone());
        if !entry.required_scopes.iter().all(|scope| principal.scopes.contains(scope)) {
            return Err(TokenRefusal::Scope);
        }
        Ok((number, principal))
    }
}

#[async_trait]
impl TokenVerifier for Verifier {
    async fn verify(&self, token: &str, resource: &Resource) -> Result<Arc<Principal>, TokenRefusal> {
        if token.len() > MAX_TOKEN {
            return Err(TokenRefusal::Size);
        }
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        let now = self.clock.epoch_seconds();
        if let Some(principal) = self.cached(hash, resource, now) {
            return self.alive(principal);
        }
        let (entry, principal) = self.check(token, resource).await?;
        let until = principal.token.expires_at.min(now.saturating_add(MAX_CACHED_S));
        let principal = Arc::new(principal);
        let cached = Cached { principal: principal.clone(), from: now, until };
        self.cache.insert(CacheKey { token: hash, entry, resource: resource.clone() }, cached);
        self.alive(principal)
    }

    fn issuers(&self) -> Vec<String> {
        self.issuers.iter().map(|issuer| issuer.entry.issuer.clone()).collect()
    }

    fn required_scopes(&self) -> Vec<String> {
        let mut scopes: Vec<_> =
            self.issuers.iter().flat_map(|issuer| issuer.entry.required_scopes.iter().cloned()).collect();
        scopes.sort();
        scopes.dedup();
        scopes
    }
}
