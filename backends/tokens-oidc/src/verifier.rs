//! [`Verifier`]: the order of checks of a bearer token, and the cache of those that passed (T1). The hot path is one
//! SHA-256 and one look-up; expiry, key, certificate and revocation are looked at every time.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::digest::{SHA256, digest};
use moka::sync::Cache;
use platform::error::{Error, ErrorKind};
use platform::principal::TokenProof;
use platform::resource::{BaseUrl, Resource};
use platform::revocation::RevokedCheck;
use platform::tokens::{ClientCertificate, TokenRefusal, TokenVerifier};
use platform::{Json, Principal, SharedClock};
use serde_json::Map;

use crate::claims::Claims;
use crate::compact::{Compact, MAX_TOKEN};
use crate::entry::IssuerEntry;
use crate::issuer::Issuer;
use crate::opaque::{ANSWER_S, Questions, TokenHash};
use crate::principal::principal;
use crate::revocation::RevocationFloors;

/// Longest life of a cached verification, in seconds.
const MAX_CACHED_S: i64 = 60;
/// Most cached verifications.
const MAX_CACHED: u64 = 20_000;
/// Most issuers that are asked about one opaque token.
const MAX_ASKED: usize = 4;

/// Claims that only ID tokens, logout tokens and security events carry; none is an access token, whatever its `typ`.
const NOT_ACCESS: [&str; 5] = ["nonce", "at_hash", "c_hash", "events", "toe"];

#[derive(PartialEq, Eq, Hash)]
struct CacheKey {
    token: TokenHash,
    entry: usize,
    resource: Resource,
}

/// A token that passed every check which does not change from call to call.
#[derive(Clone)]
struct Verified {
    principal: Arc<Principal>,
    /// Number of the issuer's entry.
    entry: usize,
    /// The certificate that the token is bound to.
    bound: Option<ClientCertificate>,
    /// Valid in this span of epoch seconds: a clock set back must not revive it either.
    from: i64,
    until: i64,
}

/// A trusted issuer, and what is asked of it.
pub(crate) struct Trusted {
    pub(crate) issuer: Issuer,
    questions: Questions,
}

/// Verifies the access tokens of the configured issuers.
pub struct Verifier {
    issuers: Arc<[Trusted]>,
    base: BaseUrl,
    clock: SharedClock,
    floors: Arc<RevocationFloors>,
    cache: Cache<CacheKey, Verified>,
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
        let refused = |message| Err(Error::new(ErrorKind::InvalidInput, "issuer_entry_invalid", message));
        let mut issuers: Vec<Trusted> = Vec::new();
        for entry in entries {
            if issuers.iter().any(|known| known.issuer.entry.issuer == entry.issuer) {
                return refused(format!("Issuer {} has two entries; keep one.", entry.issuer));
            }
            let issuer = Issuer::new(entry, clock.clone())?;
            issuers.push(Trusted { issuer, questions: Questions::default() });
        }
        if issuers.iter().filter(|known| !known.issuer.entry.tokens.is_jwt()).count() > MAX_ASKED {
            return refused(format!("At most {MAX_ASKED} issuers may be asked about opaque tokens."));
        }
        let cache =
            Cache::builder().max_capacity(MAX_CACHED).time_to_live(Duration::from_secs(MAX_CACHED_S.unsigned_abs()));
        Ok(Self { issuers: issuers.into(), base, clock, floors, cache: cache.build() })
    }

    /// The revocation floors that every call looks at.
    pub fn floors(&self) -> &Arc<RevocationFloors> {
        &self.floors
    }

    /// The issuers, for another reader of what they sign.
    pub(crate) fn trusted(&self) -> &Arc<[Trusted]> {
        &self.issuers
    }

    fn cached(&self, token: TokenHash, resource: &Resource, now: i64) -> Option<Verified> {
        let mut key = CacheKey { token, entry: 0, resource: resource.clone() };
        for (entry, trusted) in self.issuers.iter().enumerate() {
            key.entry = entry;
            let Some(hit) = self.cache.get(&key) else { continue };
            // What its issuer withdrew the key of is looked at again from the beginning.
            let key_lives = hit.principal.token.key.as_ref().is_none_or(|kid| trusted.issuer.holds(kid));
            if key_lives && (hit.from..hit.until).contains(&now) {
                return Some(hit);
            }
            self.cache.invalidate(&key);
        }
        None
    }

    /// The whole check, without the cache.
    async fn check(
        &self,
        (token, hash): (&str, TokenHash),
        resource: &Resource,
        now: i64,
    ) -> Result<Verified, TokenRefusal> {
        let compact = match Compact::parse(token) {
            Ok(compact) => compact,
            Err(TokenRefusal::Shape) if may_be_opaque(token) => {
                return self.ask_around(token, hash, resource, now).await;
            }
            Err(refusal) => return Err(refusal),
        };
        // The issuer is only a question to our own list here; nothing is believed before the signature holds.
        let named = compact.payload.get("iss").and_then(Json::as_str).ok_or(TokenRefusal::Claims)?;
        let position = self.issuers.iter().position(|known| known.issuer.entry.issuer == named);
        let number = position.ok_or(TokenRefusal::Issuer)?;
        let issuer = &self.issuers[number].issuer;
        if !issuer.entry.tokens.is_jwt() {
            return self.ask(number, (token, hash), resource, now).await;
        }
        if !issuer.entry.accepts_type(compact.header.kind.as_deref()) {
            return Err(TokenRefusal::Type);
        }
        issuer.check_signature(&compact).await?;
        let proof = (TokenProof::Signature, Some(compact.header.kid));
        self.claimed(number, &compact.payload, proof, resource, now, MAX_CACHED_S)
    }

    /// Asks every issuer of opaque tokens in the order of the configuration; the first that knows the token decides.
    async fn ask_around(
        &self,
        token: &str,
        hash: TokenHash,
        resource: &Resource,
        now: i64,
    ) -> Result<Verified, TokenRefusal> {
        let mut refusal = TokenRefusal::Shape;
        for number in 0..self.issuers.len() {
            if self.issuers[number].issuer.entry.tokens.is_jwt() {
                continue;
            }
            match self.ask(number, (token, hash), resource, now).await {
                // One that cannot be asked might have been the one that knows.
                Err(TokenRefusal::Inactive) if refusal != TokenRefusal::IssuerUnavailable => {
                    refusal = TokenRefusal::Inactive;
                }
                Err(TokenRefusal::Inactive) => {}
                Err(TokenRefusal::IssuerUnavailable) => refusal = TokenRefusal::IssuerUnavailable,
                decided => return decided,
            }
        }
        Err(refusal)
    }

    async fn ask(
        &self,
        number: usize,
        token: (&str, TokenHash),
        resource: &Resource,
        now: i64,
    ) -> Result<Verified, TokenRefusal> {
        let Trusted { issuer, questions } = &self.issuers[number];
        let answer = questions.ask(issuer, token, now).await?;
        let left = answer.at.saturating_add(ANSWER_S).saturating_sub(now);
        self.claimed(number, &answer.claims, (answer.proof, None), resource, now, left)
    }

    /// The checks of claims, however they were proven.
    fn claimed(
        &self,
        number: usize,
        payload: &Map<String, Json>,
        proof: (TokenProof, Option<String>),
        resource: &Resource,
        now: i64,
        longest_s: i64,
    ) -> Result<Verified, TokenRefusal> {
        let entry = &self.issuers[number].issuer.entry;
        let claims = Claims::read(payload)?;
        if NOT_ACCESS.iter().any(|name| payload.contains_key(*name)) {
            return Err(TokenRefusal::Claims);
        }
        let bound = claims.cnf.as_ref().map(|cnf| cnf.certificate()).transpose()?;
        let client = claims.client()?.to_owned();
        let named = entry.allowed_clients.as_ref().map(|allowed| allowed.contains(&client));
        if !self.is_for(resource, entry, &claims, &proof.0, named == Some(true)) {
            return Err(TokenRefusal::Audience);
        }
        claims.check_time(now, entry.clock_skew_s, entry.max_lifetime_s)?;
        if named == Some(false) {
            return Err(TokenRefusal::Claims);
        }
        let principal = principal(entry, claims, payload, client, proof)?;
        if !entry.required_scopes.iter().all(|scope| principal.scopes.contains(scope)) {
            return Err(TokenRefusal::Scope);
        }
        let until = principal.token.expires_at.min(now.saturating_add(longest_s));
        Ok(Verified { principal: Arc::new(principal), entry: number, bound, from: now, until })
    }

    /// T1: the audience names this resource, the one that it narrows, or the platform where the entry says so
    /// and as it says. Where the
    /// issuer's answer names none, the client has to be one that the operator named; and userinfo without introspection
    /// cannot name any, which the operator accepted with that mode.
    fn is_for(
        &self,
        resource: &Resource,
        entry: &IssuerEntry,
        claims: &Claims,
        proof: &TokenProof,
        named_client: bool,
    ) -> bool {
        if claims.aud.is_absent() {
            return match proof {
                TokenProof::Signature => false,
                TokenProof::Introspection => named_client,
                TokenProof::Userinfo => named_client || entry.tokens.is_userinfo_of_any_client(),
            };
        }
        let wanted = resource.identifier(&self.base);
        let wider = resource.wider().map(|wider| wider.identifier(&self.base));
        let platform = entry.accepts_platform_audience.then_some(self.base.as_str());
        let good = [Some(&*wanted), wider.as_deref(), platform, entry.platform_alias.as_deref()];
        good.into_iter().flatten().any(|good| claims.aud.names(good))
    }

    /// The checks of every call, cached or not.
    fn let_in(
        &self,
        verified: &Verified,
        certificate: Option<&ClientCertificate>,
    ) -> Result<Arc<Principal>, TokenRefusal> {
        if self.floors.is_revoked(&verified.principal) {
            return Err(TokenRefusal::Revoked);
        }
        if verified.bound.is_some() && verified.bound.as_ref() != certificate {
            return Err(TokenRefusal::Certificate);
        }
        Ok(Arc::clone(&verified.principal))
    }
}

/// The alphabet of a bearer token (RFC 6750 section 2.1); nothing else is sent to an issuer.
fn may_be_opaque(token: &str) -> bool {
    let body = token.trim_end_matches('=');
    !body.is_empty() && body.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~+/".contains(&b))
}

#[async_trait]
impl TokenVerifier for Verifier {
    async fn verify(
        &self,
        token: &str,
        resource: &Resource,
        certificate: Option<&ClientCertificate>,
    ) -> Result<Arc<Principal>, TokenRefusal> {
        if token.len() > MAX_TOKEN {
            return Err(TokenRefusal::Size);
        }
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        let now = self.clock.epoch_seconds();
        if let Some(verified) = self.cached(hash, resource, now) {
            return self.let_in(&verified, certificate);
        }
        let verified = self.check((token, hash), resource, now).await?;
        let key = CacheKey { token: hash, entry: verified.entry, resource: resource.clone() };
        self.cache.insert(key, verified.clone());
        self.let_in(&verified, certificate)
    }

    fn issuers(&self) -> Vec<String> {
        let shown = |known: &Trusted| {
            let entry = &known.issuer.entry;
            entry.facade.as_ref().map_or_else(|| entry.issuer.clone(), |name| format!("{}/oauth/{name}", self.base))
        };
        self.issuers.iter().map(shown).collect()
    }

    fn required_scopes(&self) -> Vec<String> {
        let mut scopes: Vec<_> =
            self.issuers.iter().flat_map(|known| known.issuer.entry.required_scopes.iter().cloned()).collect();
        scopes.sort();
        scopes.dedup();
        scopes
    }
}
