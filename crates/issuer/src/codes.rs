//! Authorization codes: in memory, once, for a minute, bound to client, redirect, PKCE and resource (RFC 6749 section 4.1,
//! RFC 7636, RFC 8707).

use std::time::Duration;

use moka::sync::Cache;
use platform::canonical::sha256;
use platform::{Error, Secret};

use crate::authorize::AuthorizationRequest;
use crate::keys::random_id;

/// How long a code can be redeemed.
const CODE_S: i64 = 60;
const MOST_CODES: u64 = 50_000;

/// What a code stands for.
#[derive(Debug, Clone)]
pub(crate) struct Grant {
    pub(crate) request: AuthorizationRequest,
    pub(crate) name: String,
    pub(crate) credentials: String,
    pub(crate) mfa: bool,
    pub(crate) auth_time: i64,
    pub(crate) sid: String,
    /// Seconds since the epoch.
    pub(crate) issued_at: i64,
}

/// Codes that can still be redeemed.
pub(crate) struct Codes(Cache<[u8; 32], Grant>);

impl Codes {
    pub(crate) fn new() -> Self {
        let lifetime = Duration::from_secs(CODE_S.unsigned_abs());
        Self(Cache::builder().max_capacity(MOST_CODES).time_to_live(lifetime).build())
    }

    /// A code for the grant.
    pub(crate) fn issue(&self, grant: Grant) -> Result<Secret, Error> {
        let code = random_id()?;
        self.0.insert(sha256(code.as_bytes()), grant);
        Ok(Secret::new(code))
    }

    /// Takes the grant of a code. Whoever presents a code uses it up, rightly or not: a stolen one is worth one guess.
    pub(crate) fn redeem(&self, code: &str, now: i64) -> Option<Grant> {
        self.0.remove(&sha256(code.as_bytes())).filter(|grant| now - grant.issued_at < CODE_S)
    }
}
