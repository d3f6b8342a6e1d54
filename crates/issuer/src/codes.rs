//! Authorization codes: in memory, once, for a minute, bound to client, redirect, PKCE and resource (RFC 6749 section 4.1,
//! RFC 7636, RFC 8707).

use std::time::Duration;

use moka::sync::Cache;
use platform::canonical::sha256;
use platform::{Error, Secret};

use crate::grants::Granted;
use crate::keys::random_id;

/// How long a code can be redeemed.
const CODE_S: i64 = 60;
const MOST_CODES: u64 = 50_000;

/// What a code stands for.
#[derive(Debug, Clone)]
pub(crate) struct Grant {
    pub(crate) granted: Granted,
    /// As the authorization request sent it: the token request must repeat it.
    pub(crate) redirect_uri: String,
    /// PKCE S256 challenge.
    pub(crate) challenge: String,
    pub(crate) nonce: Option<String>,
    /// Seconds since the epoch.
    pub(crate) issued_at: i64,
}

/// What a code came to, once it was redeemed.
#[derive(Debug, Clone)]
pub(crate) struct Spent {
    /// `jti` of the access token.
    pub(crate) jti: String,
    /// The refresh token, where there was one.
    pub(crate) refresh: Option<Secret>,
}

/// Codes that can still be redeemed, and for a while what the redeemed ones came to.
pub(crate) struct Codes {
    open: Cache<[u8; 32], Grant>,
    spent: Cache<[u8; 32], Spent>,
}

impl Codes {
    pub(crate) fn new() -> Self {
        let lifetime = Duration::from_secs(CODE_S.unsigned_abs());
        Self {
            open: Cache::builder().max_capacity(MOST_CODES).time_to_live(lifetime).build(),
            spent: Cache::builder().max_capacity(MOST_CODES).time_to_live(lifetime * 10).build(),
        }
    }

    /// A code for the grant.
    pub(crate) fn issue(&self, grant: Grant) -> Result<Secret, Error> {
        let code = random_id()?;
        self.open.insert(sha256(code.as_bytes()), grant);
        Ok(Secret::new(code))
    }

    /// Takes the grant of a code. Whoever presents a code uses it up, rightly or not: a stolen one is worth one guess.
    pub(crate) fn redeem(&self, code: &str, now: i64) -> Option<Grant> {
        self.open.remove(&sha256(code.as_bytes())).filter(|grant| now - grant.issued_at < CODE_S)
    }

    /// Remembers what a code came to.
    pub(crate) fn spend(&self, code: &str, spent: Spent) {
        self.spent.insert(sha256(code.as_bytes()), spent);
    }

    /// What a code came to that is presented again: RFC 6749, section 4.1.2, wants its tokens revoked.
    pub(crate) fn spent(&self, code: &str) -> Option<Spent> {
        self.spent.remove(&sha256(code.as_bytes()))
    }
}
