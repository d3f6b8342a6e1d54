//! The controller's session tokens: Basic credentials in, a JWT of RS256 shape out, valid one hour by the lab's clock.
//!
//! The signature is a keyed hash stretched to the length of an RSA one: nobody outside can check the vendor's either, and
//! a restarted simulator knows its tokens again.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::hmac;
use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use platform::Secret;
use serde_json::json;
use world::accounts::Accounts;

/// Issues and checks tokens of one instance.
pub(crate) struct Tokens {
    accounts: Arc<Accounts>,
    key: hmac::Key,
    dead: Mutex<HashSet<String>>,
}

/// Seconds that a token lives.
pub(crate) const LIFE_S: i64 = 3600;

impl Tokens {
    /// `password` is the first account's: it makes the key, so that a restarted simulator knows its tokens again.
    pub(crate) fn new(instance: &str, username: &str, password: &Secret, accounts: Arc<Accounts>) -> Self {
        let key =
            hmac::Key::new(hmac::HMAC_SHA256, format!("{instance}\n{username}\n{}", password.expose()).as_bytes());
        Self { accounts, key, dead: Mutex::new(HashSet::new()) }
    }

    /// The account that `Authorization: Basic` signs in.
    pub(crate) fn signed_in(&self, headers: &HeaderMap) -> Option<String> {
        let sent = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let decoded = sent
            .and_then(|value| value.strip_prefix("Basic "))
            .and_then(|text| STANDARD.decode(text.trim()).ok())
            .and_then(|bytes| String::from_utf8(bytes).ok());
        let (user, password) = decoded.as_deref()?.split_once(':')?;
        self.accounts.accepts(user, password).then(|| user.to_owned())
    }

    /// A token of an account for an hour from `now` (seconds since the epoch).
    pub(crate) fn issue(&self, username: &str, now: i64) -> String {
        let header = json!({ "alg": "RS256", "typ": "JWT" });
        let claims = json!({
            "sub": "5f6b7c8d9e0f1a2b3c4d5e6f",
            "authSource": "internal",
            "tenantName": "TNT0",
            "roles": ["5f6b7c8d9e0f1a2b3c4d5e70"],
            "tenantId": "5f6b7c8d9e0f1a2b3c4d5e6e",
            "exp": now + LIFE_S,
            "iat": now,
            "jti": uuid::Uuid::new_v4().to_string(),
            "username": username,
        });
        let signed =
            format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()));
        let signature = self.signature(&signed);
        format!("{signed}.{signature}")
    }

    fn signature(&self, signed: &str) -> String {
        let bytes: Vec<u8> = (0..8_u8)
            .flat_map(|block| hmac::sign(&self.key, format!("{block}{signed}").as_bytes()).as_ref().to_vec())
            .collect();
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Whether the token is ours, alive, of an account that still exists, and not killed by a fault.
    pub(crate) fn accepts(&self, token: &str, now: i64) -> bool {
        let Some((signed, signature)) = token.rsplit_once('.') else { return false };
        if signature != self.signature(signed)
            || self.dead.lock().unwrap_or_else(PoisonError::into_inner).contains(token)
        {
            return false;
        }
        let claims = signed.split_once('.').and_then(|(_, claims)| URL_SAFE_NO_PAD.decode(claims).ok());
        let claims: Option<serde_json::Value> = claims.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        claims.is_some_and(|claims| {
            claims["exp"].as_i64().is_some_and(|exp| now < exp)
                && claims["username"].as_str().is_some_and(|name| self.accounts.has(name))
        })
    }

    /// Kills a token before its time.
    pub(crate) fn kill(&self, token: &str) {
        self.dead.lock().unwrap_or_else(PoisonError::into_inner).insert(token.to_owned());
    }
}
