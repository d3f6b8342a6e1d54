//! One issuer as it is reached: its discovery document and its keys, fetched when first needed, at most once in five
//! seconds whatever the traffic, and kept while it cannot be reached. Entries come from `entry`, key sets from `keys`.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use http::{Method, StatusCode};
use platform::SharedClock;
use platform::error::{Error, ErrorKind};
use platform::http::{Request, Response, TargetClient};
use platform::tokens::TokenRefusal;
use serde::Deserialize;
use url::Url;

use crate::compact::Compact;
use crate::entry::IssuerEntry;
use crate::keys::KeySet;

/// Age at which keys are fetched again, in seconds: how long a key that its issuer withdrew can go on counting, unless a
/// token of the new key comes first.
const MAX_AGE_S: i64 = 60;
/// Age beyond which keys are no longer believed while the issuer cannot be reached, in seconds.
const MAX_STALE_S: i64 = 86_400;
/// Least time between two fetches, in seconds.
const MIN_REFRESH_S: i64 = 5;
/// Age at which the discovery document is fetched again, in seconds.
const MAX_METADATA_AGE_S: i64 = 3600;
/// Longest time for one fetch.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
/// Most bytes of a discovery document or key set.
const MAX_DOCUMENT: usize = 1 << 20;

/// The part of a discovery document that we use (OpenID Connect Discovery 1.0, RFC 8414, RFC 9207).
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Metadata {
    pub(crate) issuer: String,
    pub(crate) jwks_uri: Url,
    pub(crate) authorization_endpoint: Option<Url>,
    pub(crate) token_endpoint: Option<Url>,
    pub(crate) introspection_endpoint: Option<Url>,
    pub(crate) userinfo_endpoint: Option<Url>,
    pub(crate) end_session_endpoint: Option<Url>,
    #[serde(default)]
    pub(crate) authorization_response_iss_parameter_supported: bool,
}

#[derive(Default)]
struct Known {
    keys: Option<Arc<KeySet>>,
    /// When the keys were fetched, when a fetch was last tried and how it went; epoch seconds by the platform's clock.
    fetched: i64,
    tried: Option<i64>,
    failed: bool,
    metadata: Option<(Arc<Metadata>, i64)>,
}

/// One issuer.
pub(crate) struct Issuer {
    pub(crate) entry: IssuerEntry,
    clock: SharedClock,
    known: RwLock<Known>,
    flight: tokio::sync::Mutex<()>,
}

impl Issuer {
    pub(crate) fn new(entry: IssuerEntry, clock: SharedClock) -> Result<Self, Error> {
        entry.check()?;
        Ok(Self { entry, clock, known: RwLock::default(), flight: tokio::sync::Mutex::default() })
    }

    /// Checks algorithm and signature with this issuer's key of that `kid`.
    pub(crate) async fn check_signature(&self, token: &Compact<'_>) -> Result<(), TokenRefusal> {
        let header = &token.header;
        let named = self.entry.algorithms.iter().find(|algorithm| format!("{algorithm:?}") == header.algorithm);
        // Refused before any key is asked for: junk must not cause a fetch.
        let algorithm = *named.ok_or(TokenRefusal::Algorithm)?;
        let keys = self.keys_with(&header.kid).await?;
        let key = keys.get(&header.kid).ok_or(TokenRefusal::UnknownKey)?;
        if key.algorithm != algorithm {
            return Err(TokenRefusal::Algorithm);
        }
        let message = token.signed.as_bytes();
        match jsonwebtoken::crypto::verify(token.signature, message, &key.key, key.algorithm) {
            Ok(true) => Ok(()),
            _ => Err(TokenRefusal::Signature),
        }
    }

    /// Whether a redirect is this issuer's answer: `issuer` is its `iss` parameter, `promised` whether there has to be one.
    /// Another issuer's answer, or one that hides whose it is, ends the sign-in (RFC 9207 section 2.4). Error:
    /// `sign_in_issuer_mismatch`.
    pub(crate) fn check_answer_of(&self, promised: bool, issuer: Option<&str>) -> Result<(), Error> {
        match issuer {
            Some(issuer) if issuer == self.entry.issuer => Ok(()),
            None if !promised => Ok(()),
            other => Err(Error::new(
                ErrorKind::Unauthenticated,
                "sign_in_issuer_mismatch",
                "This sign-in did not succeed; start it again.",
            )
            .with_detail(format!("the redirect's iss is {other:?}"))),
        }
    }

    /// Whether the keys that are held now have `kid`: what was verified by a key that is gone is not verified any more.
    pub(crate) fn holds(&self, kid: &str) -> bool {
        matches!(self.held(), (Some(keys), age) if age < MAX_STALE_S && keys.get(kid).is_some())
    }

    /// The key set that should have `kid`: fresh, or old while the issuer cannot be reached.
    async fn keys_with(&self, kid: &str) -> Result<Arc<KeySet>, TokenRefusal> {
        let has = |keys: &Arc<KeySet>| keys.get(kid).is_some();
        let (keys, age) = self.held();
        if let Some(keys) = keys.filter(has) {
            if age < MAX_AGE_S {
                return Ok(keys);
            }
            // Old but believable, and somebody is fetching already: nobody else waits for it.
            if age < MAX_STALE_S && self.flight.try_lock().is_err() {
                return Ok(keys);
            }
        }
        self.refresh().await;
        let failed = self.read().failed;
        match self.held() {
            (Some(keys), age) if age < MAX_STALE_S && (has(&keys) || !failed) => Ok(keys),
            _ => Err(TokenRefusal::IssuerUnavailable),
        }
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The keys and their age in seconds; never negative, so that a clock set back does not keep them for ever.
    fn held(&self) -> (Option<Arc<KeySet>>, i64) {
        let known = self.read();
        let age = self.clock.epoch_seconds().saturating_sub(known.fetched);
        (known.keys.clone(), if age < 0 { MAX_AGE_S } else { age })
    }

    /// One fetch at a time and at most one in five seconds; those who waited for it do not fetch again.
    async fn refresh(&self) {
        let _one = self.flight.lock().await;
        let now = self.clock.epoch_seconds();
        if self.read().tried.is_some_and(|tried| (0..MIN_REFRESH_S).contains(&now.saturating_sub(tried))) {
            return;
        }
        let fetched = self.fetch_keys().await;
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        // Its end counts: an issuer that hangs is left alone for as long as one that refuses.
        known.tried = Some(self.clock.epoch_seconds());
        known.failed = fetched.is_err();
        match fetched {
            Ok(keys) => {
                known.keys = Some(Arc::new(keys));
                known.fetched = now;
            }
            Err(error) => {
                // The document may have moved: next time discovery is asked again.
                known.metadata = None;
                tracing::warn!(issuer = %self.entry.issuer, ?error, "the issuer's keys cannot be fetched");
            }
        }
    }

    async fn fetch_keys(&self) -> Result<KeySet, Error> {
        let metadata = self.metadata().await?;
        let response = self.fetch(&metadata.jwks_uri).await?;
        KeySet::parse(&response.body, &self.entry.algorithms).ok_or_else(|| garbled("no usable key in the key set"))
    }

    /// The discovery document, whose `issuer` is exactly the configured one and whose endpoints are on its host.
    pub(crate) async fn metadata(&self) -> Result<Arc<Metadata>, Error> {
        let now = self.clock.epoch_seconds();
        if let Some((metadata, at)) = &self.read().metadata
            && (0..MAX_METADATA_AGE_S).contains(&now.saturating_sub(*at))
        {
            return Ok(metadata.clone());
        }
        let text = format!("{}/.well-known/openid-configuration", self.entry.issuer.trim_end_matches('/'));
        let metadata: Metadata = self.fetch(&Url::parse(&text).map_err(garbled)?).await?.json()?;
        if metadata.issuer != self.entry.issuer {
            return Err(garbled(format!("the discovery document is of issuer {:?}", metadata.issuer)));
        }
        let metadata = Arc::new(metadata);
        self.known.write().unwrap_or_else(PoisonError::into_inner).metadata = Some((metadata.clone(), now));
        Ok(metadata)
    }

    async fn fetch(&self, url: &Url) -> Result<Response, Error> {
        let path = path_below(&self.entry.target, url)?;
        let response = self.entry.target.send(Request::new(Method::GET, path, Instant::now() + FETCH_TIMEOUT)).await?;
        if response.status != StatusCode::OK || response.body.len() > MAX_DOCUMENT {
            return Err(garbled(format!("{} bytes with status {}", response.body.len(), response.status)));
        }
        Ok(response)
    }
}

/// The path of `url` below the target's base; an endpoint anywhere else is refused.
pub(crate) fn path_below(target: &TargetClient, url: &Url) -> Result<String, Error> {
    let base = &target.options().base;
    let inside = url.origin() == base.origin() && url.username().is_empty() && url.password().is_none();
    let path = url.path().strip_prefix(base.path().trim_end_matches('/')).filter(|path| path.starts_with('/'));
    let path = path.filter(|_| inside).ok_or_else(|| garbled(format!("the endpoint {url} is not below {base}")))?;
    Ok(url.query().map_or_else(|| path.to_owned(), |query| format!("{path}?{query}")))
}

/// The issuer answers, but not as an issuer does.
pub(crate) fn garbled(detail: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Upstream, "issuer_garbled", "The sign-in service answered with something unusable.")
        .with_detail(detail)
}
