//! The platform as a relying party (OpenID Connect Core 1.0, code flow with PKCE S256): the URL to send a browser to, and
//! what its code is worth. The ID token passes the same shape, key and signature checks as a bearer token, then its own.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use aws_lc_rs::digest::{self, SHA256, SHA384, SHA512};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Method;
use http::header::AUTHORIZATION;
use platform::error::{Error, ErrorKind};
use platform::http::Request;
use platform::principal::{Principal, PrincipalKind, TokenProof};
use platform::tokens::{SignIn, SignInRequest, SignedIn, TokenRefusal};
use platform::{Json, Secret, SharedClock};
use serde::Deserialize;

use crate::claims::Claims;
use crate::compact::Compact;
use crate::entry::{ClientCredentials, IssuerEntry};
use crate::issuer::{Issuer, garbled, path_below};
use crate::opaque::basic;
use crate::principal::principal;

/// How old a sign-in that we asked for anew may be when its code is redeemed, in seconds: the time a person needs to
/// come back through the browser.
const FRESH_S: i64 = 300;
/// Longest time for the exchange of a code.
const REDEEM_TIMEOUT: Duration = Duration::from_secs(10);

/// Sign-in at one issuer.
pub struct OidcSignIn {
    issuer: Issuer,
    client: ClientCredentials,
    scopes: Vec<String>,
    clock: SharedClock,
}

#[derive(Deserialize)]
struct TokenResponse {
    access_token: Secret,
    id_token: String,
}

impl OidcSignIn {
    /// Signs people in at `entry`'s issuer as the confidential client `client_id` (`client_secret_basic`), asking for the
    /// scopes `openid profile`. Errors (settings): `issuer_entry_invalid`, `mfa_rule_single_factor`.
    pub fn new(
        entry: IssuerEntry,
        client_id: impl Into<String>,
        client_secret: Secret,
        clock: SharedClock,
    ) -> Result<Self, Error> {
        Ok(Self {
            issuer: Issuer::new(entry, clock.clone())?,
            client: ClientCredentials { id: client_id.into(), secret: client_secret },
            scopes: vec!["openid".to_owned(), "profile".to_owned()],
            clock,
        })
    }

    /// Asks for other scopes; `openid` must be one of them.
    #[must_use]
    pub fn with_scopes(mut self, scopes: Vec<String>) -> Self {
        self.scopes = scopes;
        self
    }

    async fn exchange(&self, request: &SignInRequest, code: &str) -> Result<TokenResponse, Error> {
        let metadata = self.issuer.metadata().await?;
        let endpoint = metadata.token_endpoint.as_ref().ok_or_else(|| garbled("no token endpoint"))?;
        let target = &self.issuer.entry.target;
        let basic = basic(&self.client)?;
        let deadline = Instant::now() + REDEEM_TIMEOUT;
        let sent =
            Request::new(Method::POST, path_below(target, endpoint)?, deadline).header(AUTHORIZATION, basic).form(&[
                ("grant_type", "authorization_code"),
                ("code", code),
                ("redirect_uri", &request.redirect_uri),
                ("code_verifier", request.code_verifier.expose()),
            ]);
        let response = target.send(sent).await?;
        if response.status.is_server_error() {
            return Err(unavailable(response.status));
        }
        if !response.status.is_success() {
            #[derive(Deserialize, Default)]
            struct Refusal {
                #[serde(default)]
                error: String,
            }
            let refusal: Refusal = response.json().unwrap_or_default();
            return Err(refused("sign_in_refused", format!("{}: {:?}", response.status, refusal.error)));
        }
        response.json()
    }

    async fn check_id_token(
        &self,
        request: &SignInRequest,
        response: &TokenResponse,
    ) -> Result<Principal, TokenRefusal> {
        let entry = &self.issuer.entry;
        let token = Compact::parse(&response.id_token)?;
        if !matches!(token.header.kind.as_deref(), None | Some("jwt")) {
            return Err(TokenRefusal::Type);
        }
        let text = |name: &str| token.payload.get(name).and_then(Json::as_str);
        if text("iss") != Some(&*entry.issuer) {
            return Err(TokenRefusal::Issuer);
        }
        self.issuer.check_signature(&token).await?;
        let claims = Claims::read(&token.payload)?;
        let ours = match claims.azp.as_deref() {
            Some(azp) => azp == self.client.id && claims.aud.names(&self.client.id),
            None => claims.aud.is_only(&self.client.id),
        };
        if !ours {
            return Err(TokenRefusal::Audience);
        }
        let now = self.clock.epoch_seconds();
        claims.check_time(now, entry.clock_skew_s, entry.max_lifetime_s)?;
        if text("nonce") != Some(&*request.nonce) || token.payload.contains_key("events") {
            return Err(TokenRefusal::Claims);
        }
        if let Some(at_hash) = token.payload.get("at_hash") {
            let expected = half_hash(&token.header.algorithm, response.access_token.expose());
            if at_hash.as_str() != Some(&*expected) {
                return Err(TokenRefusal::Claims);
            }
        }
        let proof = (TokenProof::Signature, Some(token.header.kid.clone()));
        let principal = principal(entry, claims, &token.payload, self.client.id.clone(), proof)?;
        (principal.kind == PrincipalKind::Person).then_some(principal).ok_or(TokenRefusal::Claims)
    }
}

/// `at_hash` (OpenID Connect Core section 3.1.3.6): the left half of the hash that the signature's algorithm uses.
fn half_hash(algorithm: &str, access_token: &str) -> String {
    let hash = match algorithm.get(2..) {
        Some("256") => &SHA256,
        Some("384") => &SHA384,
        _ => &SHA512,
    };
    let whole = digest::digest(hash, access_token.as_bytes());
    let bytes = whole.as_ref();
    URL_SAFE_NO_PAD.encode(&bytes[..bytes.len() / 2])
}

fn refused(code: &'static str, detail: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Unauthenticated, code, "This sign-in did not succeed; start it again.").with_detail(detail)
}

fn unavailable(detail: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Unavailable, "issuer_unavailable", "The sign-in service cannot be reached; try again later.")
        .with_detail(detail)
}

#[async_trait]
impl SignIn for OidcSignIn {
    async fn authorization_url(&self, request: &SignInRequest) -> Result<String, Error> {
        let metadata = self.issuer.metadata().await?;
        let mut url = metadata.authorization_endpoint.clone().ok_or_else(|| garbled("no authorization endpoint"))?;
        if url.origin() != self.issuer.entry.target.options().base.origin() {
            return Err(garbled("the authorization endpoint is on another host"));
        }
        let challenge = digest::digest(&SHA256, request.code_verifier.expose().as_bytes());
        {
            let mut query = url.query_pairs_mut();
            query
                .append_pair("response_type", "code")
                .append_pair("client_id", &self.client.id)
                .append_pair("redirect_uri", &request.redirect_uri)
                .append_pair("scope", &self.scopes.join(" "))
                .append_pair("state", &request.state)
                .append_pair("nonce", &request.nonce)
                .append_pair("code_challenge", &URL_SAFE_NO_PAD.encode(challenge))
                .append_pair("code_challenge_method", "S256");
            if request.require_mfa {
                query.append_pair("max_age", "0");
                if !self.issuer.entry.mfa.acr.is_empty() {
                    query.append_pair("acr_values", &self.issuer.entry.mfa.acr.join(" "));
                }
            }
            if let Some(hint) = &request.login_hint {
                query.append_pair("login_hint", hint);
            }
        }
        Ok(url.into())
    }

    /// Errors: `sign_in_issuer_mismatch`, `sign_in_refused`, `id_token_refused` ([`ErrorKind::Unauthenticated`]),
    /// `step_up_not_met` ([`ErrorKind::Unmet`]: MFA was asked for, and what came back is not a fresh one),
    /// `issuer_unavailable`, `issuer_garbled` and the codes of the outbound client.
    async fn redeem(&self, request: &SignInRequest, code: &str, issuer: Option<&str>) -> Result<SignedIn, Error> {
        let metadata = self.issuer.metadata().await?;
        self.issuer.check_answer_of(metadata.authorization_response_iss_parameter_supported, issuer)?;
        let response = self.exchange(request, code).await?;
        let principal = self.check_id_token(request, &response).await.map_err(|refusal| match refusal {
            TokenRefusal::IssuerUnavailable => unavailable(refusal),
            other => refused("id_token_refused", other),
        })?;
        let oldest = self.clock.epoch_seconds().saturating_sub(FRESH_S + self.issuer.entry.clock_skew_s);
        let fresh = principal.auth_time.is_some_and(|at| at >= oldest);
        if request.require_mfa && !(principal.mfa && fresh) {
            return Err(Error::new(
                ErrorKind::Unmet,
                "step_up_not_met",
                "This sign-in did not use a second factor just now; sign in again and use it.",
            ));
        }
        Ok(SignedIn { principal })
    }

    async fn sign_out_url(&self, back: &str, name: &str) -> Result<Option<String>, Error> {
        let Some(mut url) = self.issuer.metadata().await?.end_session_endpoint.clone() else { return Ok(None) };
        if url.origin() != self.issuer.entry.target.options().base.origin() {
            return Err(garbled("the end-session endpoint is on another host"));
        }
        url.query_pairs_mut()
            .append_pair("client_id", &self.client.id)
            .append_pair("post_logout_redirect_uri", back)
            .append_pair("logout_hint", name);
        Ok(Some(url.into()))
    }
}
