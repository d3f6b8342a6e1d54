//! `POST /oauth_token.do`, and what signs a request in: Basic credentials or a bearer token.
//!
//! Every account is an OAuth application of the same name too: its name is the client id, its password the secret. Tokens
//! are signed texts, so that a restarted simulator knows them again.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::hmac;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use platform::Secret;
use serde_json::json;
use world::accounts::Accounts;

use crate::params::Params;
use crate::simulator::Shared;

/// Seconds that an access token lives.
const ACCESS_S: i64 = 1_799;
/// Seconds that a refresh token lives.
const REFRESH_S: i64 = 8_640_000;

/// What a token is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Access,
    Refresh,
}

impl Use {
    fn letter(self) -> &'static str {
        match self {
            Self::Access => "a",
            Self::Refresh => "r",
        }
    }
}

/// Accounts and tokens of the instance.
pub(crate) struct Tokens {
    pub(crate) accounts: Arc<Accounts>,
    key: hmac::Key,
    dead: Mutex<HashSet<String>>,
}

impl Tokens {
    /// `password` is the first account's: it makes the key.
    pub(crate) fn new(instance: &str, password: &Secret, accounts: Arc<Accounts>) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, format!("{instance}\n{}", password.expose()).as_bytes());
        Self { accounts, key, dead: Mutex::new(HashSet::new()) }
    }

    /// The account that a request's header signs in.
    pub(crate) fn signed_in(&self, headers: &HeaderMap, now: i64) -> Option<String> {
        let sent = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
        let (scheme, credential) = sent.split_once(' ')?;
        match scheme.to_ascii_lowercase().as_str() {
            "basic" => {
                let (user, password) = basic(credential)?;
                self.accounts.accepts(&user, &password).then_some(user)
            }
            "bearer" => self.user_of(credential.trim(), Use::Access, now),
            _ => None,
        }
    }

    fn issue(&self, user: &str, of: Use, now: i64) -> String {
        let life = if of == Use::Access { ACCESS_S } else { REFRESH_S };
        let nonce = uuid::Uuid::new_v4().simple();
        let payload = URL_SAFE_NO_PAD.encode(format!("{}\n{}\n{nonce}\n{user}", of.letter(), now + life));
        let signature = self.signature(&payload);
        format!("{payload}.{signature}")
    }

    fn signature(&self, payload: &str) -> String {
        URL_SAFE_NO_PAD.encode(hmac::sign(&self.key, payload.as_bytes()).as_ref())
    }

    fn user_of(&self, token: &str, of: Use, now: i64) -> Option<String> {
        let (payload, signature) = token.split_once('.')?;
        if signature != self.signature(payload)
            || self.dead.lock().unwrap_or_else(PoisonError::into_inner).contains(token)
        {
            return None;
        }
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
        let mut lines = text.splitn(4, '\n');
        let (letter, expires, _, user) =
            (lines.next()?, lines.next()?.parse::<i64>().ok()?, lines.next()?, lines.next()?);
        (letter == of.letter() && now < expires && self.accounts.has(user)).then(|| user.to_owned())
    }

    /// Kills what a request was signed in with, if it is a token.
    pub(crate) fn kill(&self, headers: &HeaderMap) {
        let sent = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        if let Some(token) = sent.and_then(|value| value.strip_prefix("Bearer ")) {
            self.dead.lock().unwrap_or_else(PoisonError::into_inner).insert(token.trim().to_owned());
        }
    }
}

fn basic(credential: &str) -> Option<(String, String)> {
    let text = String::from_utf8(STANDARD.decode(credential.trim()).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

/// The token endpoint.
pub(crate) async fn token(State(simulator): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    let form = Params::read(&String::from_utf8_lossy(&body));
    let tokens = &simulator.tokens;
    let now = simulator.clock.epoch_seconds();
    let in_header = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let in_header = in_header.and_then(|value| basic(value.strip_prefix("Basic ")?));
    let client = in_header.or_else(|| Some((form.get("client_id")?.to_owned(), form.get("client_secret")?.to_owned())));
    let Some((client, secret)) = client else { return refused("invalid_client") };
    if !tokens.accounts.accepts(&client, &secret) {
        return refused("invalid_client");
    }
    let user = match form.get("grant_type") {
        Some("client_credentials") => Some(client),
        Some("password") => {
            let (user, password) = (form.get("username").unwrap_or_default(), form.get("password").unwrap_or_default());
            tokens.accounts.accepts(user, password).then(|| user.to_owned())
        }
        Some("refresh_token") => form.get("refresh_token").and_then(|token| tokens.user_of(token, Use::Refresh, now)),
        _ => return refused("unsupported_grant_type"),
    };
    let Some(user) = user else { return refused("access_denied") };
    let mut answer = json!({
        "access_token": tokens.issue(&user, Use::Access, now),
        "scope": "useraccount",
        "token_type": "Bearer",
        "expires_in": ACCESS_S,
    });
    match form.get("grant_type") {
        Some("client_credentials") => {}
        Some("refresh_token") => answer["refresh_token"] = form.get("refresh_token").into(),
        _ => answer["refresh_token"] = tokens.issue(&user, Use::Refresh, now).into(),
    }
    axum::Json(answer).into_response()
}

fn refused(error: &str) -> Response {
    let body = json!({ "error_description": "access_denied", "error": error });
    (StatusCode::UNAUTHORIZED, axum::Json(body)).into_response()
}
