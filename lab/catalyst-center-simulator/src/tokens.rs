//! The controller's session tokens: Basic credentials in, a JWT of RS256 shape out, valid one hour by the lab's clock.
//!
//! The signature is a keyed hash stretched to the length of an RSA one: nobody outside can check the vendor's either, and
//! a restarted simulator knows its tokens again.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::hmac;
use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use platform::Secret;
use serde_json::json;

/// Issues and checks tokens of one instance.
pub(crate) struct Tokens {
    username: String,
    password: Secret,
    key: hmac::Key,
    dead: Mutex<HashSet<String>>,
}

/// Seconds that a token lives.
pub(crate) const LIFE_S: i64 = 3600;

impl Tokens {
    pub(crate) fn new(instance: &str, username: String, password: Secret) -> Self {
        let key =
            hmac::Key::new(hmac::HMAC_SHA256, format!("{instance}\n{username}\n{}", password.expose()).as_bytes());
        Self { username, password, key, dead: Mutex::new(HashSet::new()) }
    }

    /// Checks `Authorization: Basic`.
    pub(crate) fn knows(&self, headers: &HeaderMap) -> bool {
        let sent = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let decoded = sent
            .and_then(|value| value.strip_prefix("Basic "))
            .and_then(|text| STANDARD.decode(text.trim()).ok())
            .and_then(|bytes| String::from_utf8(bytes).ok());
        decoded
            .as_deref()
            .and_then(|text| text.split_once(':'))
            .is_some_and(|(user, password)| user == self.username && password == self.password.expose())
    }

    /// A token for an hour from `now` (seconds since the epoch).
    pub(crate) fn issue(&self, now: i64) -> String {
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
            "username": self.username,
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

    /// Whether the token is ours, alive, and not killed by a fault.
    pub(crate) fn accepts(&self, token: &str, now: i64) -> bool {
        let Some((signed, signature)) = token.rsplit_once('.') else { return false };
        if signature != self.signature(signed)
            || self.dead.lock().unwrap_or_else(PoisonError::into_inner).contains(token)
        {
            return false;
        }
        let claims = signed.split_once('.').and_then(|(_, claims)| URL_SAFE_NO_PAD.decode(claims).ok());
        let claims: Option<serde_json::Value> = claims.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        claims.and_then(|claims| claims.get("exp")?.as_i64()).is_some_and(|exp| now < exp)
    }

    /// Kills a token before its time.
    pub(crate) fn kill(&self, token: &str) {
        self.dead.lock().unwrap_or_else(PoisonError::into_inner).insert(token.to_owned());
    }
}
