//! [`BackChannelLogout`]: an issuer's word that a session ended (OpenID Connect Back-Channel Logout 1.0), checked as far as
//! section 2.6 goes, becomes floors. The door it comes in by is the gateway's.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use platform::error::{Error, ErrorKind};
use platform::revocation::{Logout, LogoutTokens, Revocations, Revoked};
use platform::store::{Conflict, Op, Store, TransactError};
use platform::tokens::TokenRefusal;
use platform::{Json, SharedClock, canonical};
use serde::Deserialize;
use serde_json::Map;

use crate::claims::{Audience, present, seconds};
use crate::compact::Compact;
use crate::verifier::{Trusted, Verifier};

/// The member of `events` that makes a token a logout token.
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// Longest `exp - iat` of a logout token, in seconds; the specification recommends two minutes.
const MAX_LIFETIME_S: i64 = 3600;
/// Logout tokens that were taken, in the store.
const TAKEN: &str = "logout_token";

#[derive(Deserialize)]
struct LogoutClaims {
    aud: Audience,
    #[serde(deserialize_with = "seconds")]
    iat: i64,
    #[serde(deserialize_with = "seconds")]
    exp: i64,
    jti: String,
    events: Map<String, Json>,
    #[serde(default, deserialize_with = "present")]
    sub: Option<String>,
    #[serde(default, deserialize_with = "present")]
    sid: Option<String>,
}

/// Takes logout tokens of the issuers that a verifier trusts.
pub struct BackChannelLogout {
    issuers: Arc<[Trusted]>,
    /// By issuer: the platform's own clients there. A logout token is for one of them.
    audiences: BTreeMap<String, Vec<String>>,
    floors: Arc<dyn Revocations>,
    store: Arc<dyn Store>,
    clock: SharedClock,
}

impl BackChannelLogout {
    /// Takes what `verifier`'s issuers send to these clients of theirs, and raises floors through `floors`.
    pub fn new(
        verifier: &Verifier,
        audiences: BTreeMap<String, Vec<String>>,
        floors: Arc<dyn Revocations>,
        store: Arc<dyn Store>,
        clock: SharedClock,
    ) -> Self {
        Self { issuers: Arc::clone(verifier.trusted()), audiences, floors, store, clock }
    }

    /// Every check that needs no memory.
    async fn check(&self, logout_token: &str) -> Result<(String, LogoutClaims), TokenRefusal> {
        let token = Compact::parse(logout_token)?;
        if !matches!(token.header.kind.as_deref(), None | Some("jwt" | "logout+jwt")) {
            return Err(TokenRefusal::Type);
        }
        let named = token.payload.get("iss").and_then(Json::as_str).ok_or(TokenRefusal::Claims)?;
        let trusted = self.issuers.iter().find(|known| known.issuer.entry.issuer == named);
        let issuer = &trusted.ok_or(TokenRefusal::Issuer)?.issuer;
        issuer.check_signature(&token).await?;
        let claims: LogoutClaims =
            serde_json::from_value(Json::Object(token.payload.clone())).map_err(|_| TokenRefusal::Claims)?;
        let ours = self.audiences.get(named).is_some_and(|ours| ours.iter().any(|client| claims.aud.names(client)));
        if !ours {
            return Err(TokenRefusal::Audience);
        }
        let (now, skew) = (self.clock.epoch_seconds(), issuer.entry.clock_skew_s);
        let lifetime = claims.exp.saturating_sub(claims.iat);
        if claims.exp <= now.saturating_sub(skew)
            || claims.iat > now.saturating_add(skew)
            || !(0..=MAX_LIFETIME_S).contains(&lifetime)
        {
            return Err(TokenRefusal::Time);
        }
        let is_logout = claims.events.get(EVENT).is_some_and(Json::is_object);
        let named_once = [&claims.sub, &claims.sid].into_iter().flatten().all(|id| !id.is_empty());
        let who = claims.sub.is_some() || claims.sid.is_some();
        // A nonce would make it an ID token (section 2.4).
        if !is_logout || !who || !named_once || claims.jti.is_empty() || token.payload.contains_key("nonce") {
            return Err(TokenRefusal::Claims);
        }
        Ok((named.to_owned(), claims))
    }

    /// What was issued before the logout is dead. A session does not come back, so all of it is; of a subject, only what
    /// is not younger than the logout.
    async fn raise(&self, issuer: &str, claims: &LogoutClaims) -> Result<(), Error> {
        let now = self.clock.epoch_seconds();
        let at = claims.iat.min(now);
        if let Some(sid) = &claims.sid {
            self.floors.revoke(issuer, Revoked::Session(sid.clone()), now.saturating_add(MAX_LIFETIME_S)).await?;
        }
        match (&claims.sub, &claims.sid) {
            // Access tokens seldom name their session; those that name none may be of this one.
            (Some(sub), Some(_)) => self.floors.revoke(issuer, Revoked::Sessionless(sub.clone()), at).await,
            (Some(sub), None) => self.floors.revoke(issuer, Revoked::Subject(sub.clone()), at).await,
            (None, _) => Ok(()),
        }
    }

    /// A logout token is good once (section 2.6). Asked after the floors are raised, which a repeat raises no higher: a
    /// crash in between must not lose the logout.
    async fn take(&self, issuer: &str, claims: &LogoutClaims) -> Result<(), Error> {
        let once = Op::ConsumeOnce {
            namespace: TAKEN,
            id: canonical::digest_hex(&(issuer, &claims.jti))?,
            expires_at: claims.exp.saturating_add(MAX_LIFETIME_S),
        };
        match self.store.transact(vec![once]).await {
            Ok(_) => Ok(()),
            Err(TransactError::Conflict { conflict: Conflict::AlreadyUsed, .. }) => Err(refused("used before")),
            Err(error) => Err(error.into()),
        }
    }
}

fn refused(why: impl std::fmt::Display) -> Error {
    Error::new(
        ErrorKind::Malformed,
        "logout_token_invalid",
        "This is no logout token for this platform, or it was used before. Nothing was signed out by it.",
    )
    .with_detail(why)
}

#[async_trait]
impl LogoutTokens for BackChannelLogout {
    /// Errors: `logout_token_invalid`, `issuer_unavailable`, the store's.
    async fn accept(&self, logout_token: &str) -> Result<Logout, Error> {
        let (issuer, claims) = self.check(logout_token).await.map_err(|refusal| match refusal {
            TokenRefusal::IssuerUnavailable => Error::new(
                ErrorKind::Unavailable,
                "issuer_unavailable",
                "The issuer's keys cannot be fetched right now. Repeat shortly.",
            ),
            other => refused(other),
        })?;
        self.raise(&issuer, &claims).await?;
        self.take(&issuer, &claims).await?;
        Ok(Logout { issuer, subject: claims.sub, session: claims.sid })
    }
}
