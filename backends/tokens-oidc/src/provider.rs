//! [`OidcProvider`]: an identity provider as the façade uses it, with the one client that the operator registered there.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use http::Method;
use http::header::AUTHORIZATION;
use platform::error::{Error, ErrorKind};
use platform::http::Request;
use platform::tokens::{Provider, ProviderTokens, SignInAtProvider};
use platform::{Secret, SharedClock};
use serde::Deserialize;
use url::Url;

use crate::entry::{ClientCredentials, IssuerEntry};
use crate::issuer::{Issuer, garbled, path_below};
use crate::opaque::basic;

/// Longest time for one question to the token endpoint.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A provider, and our client at it.
pub struct OidcProvider {
    issuer: Issuer,
    client: ClientCredentials,
}

#[derive(Deserialize)]
struct Answer {
    access_token: Secret,
    token_type: String,
    expires_in: Option<i64>,
    scope: Option<String>,
    refresh_token: Option<Secret>,
}

impl OidcProvider {
    /// The provider of `entry`. Errors (settings): `issuer_entry_invalid`, `mfa_rule_single_factor`.
    pub fn new(entry: IssuerEntry, client: ClientCredentials, clock: SharedClock) -> Result<Self, Error> {
        Ok(Self { issuer: Issuer::new(entry, clock)?, client })
    }

    /// RFC 6749 section 5: never sent twice, because a code and a rotated refresh token are good once.
    async fn exchange(&self, form: &[(&str, &str)]) -> Result<ProviderTokens, Error> {
        let metadata = self.issuer.metadata().await?;
        let endpoint = metadata.token_endpoint.as_ref().ok_or_else(|| garbled("no token endpoint"))?;
        let target = &self.issuer.entry.target;
        let request = Request::new(Method::POST, path_below(target, endpoint)?, Instant::now() + TIMEOUT);
        let response = target.send(request.header(AUTHORIZATION, basic(&self.client)?).form(form)).await?;
        if response.status.is_server_error() {
            return Err(Error::new(
                ErrorKind::Unavailable,
                "issuer_unavailable",
                "The identity provider cannot be reached; try again later.",
            )
            .with_detail(response.status));
        }
        if !response.status.is_success() {
            return Err(refused(response.status));
        }
        let answer: Answer = response.json()?;
        if !answer.token_type.eq_ignore_ascii_case("bearer") {
            return Err(garbled(format!("a token of type {:?}", answer.token_type)));
        }
        let Answer { access_token, expires_in, scope, refresh_token, .. } = answer;
        Ok(ProviderTokens { access_token, expires_in, scope, refresh_token })
    }
}

fn refused(detail: impl std::fmt::Display) -> Error {
    let message = "The identity provider did not accept this sign-in; start it again.";
    Error::new(ErrorKind::Unauthenticated, "sign_in_refused", message).with_detail(detail)
}

#[async_trait]
impl Provider for OidcProvider {
    fn client_id(&self) -> &str {
        &self.client.id
    }

    async fn authorization_endpoint(&self) -> Result<Url, Error> {
        let metadata = self.issuer.metadata().await?;
        let url = metadata.authorization_endpoint.clone().ok_or_else(|| garbled("no authorization endpoint"))?;
        let ours = url.origin() == self.issuer.entry.target.options().base.origin();
        ours.then_some(url).ok_or_else(|| garbled("the authorization endpoint is on another host"))
    }

    /// Errors: `sign_in_issuer_mismatch`, `sign_in_refused`, `issuer_unavailable`, `issuer_garbled` and the codes of the
    /// outbound client.
    async fn redeem(
        &self,
        sign_in: &SignInAtProvider,
        code: &str,
        issuer: Option<&str>,
    ) -> Result<ProviderTokens, Error> {
        let metadata = self.issuer.metadata().await?;
        self.issuer.check_answer_of(metadata.authorization_response_iss_parameter_supported, issuer)?;
        self.exchange(&[
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &sign_in.redirect_uri),
            ("code_verifier", sign_in.code_verifier.expose()),
        ])
        .await
    }

    /// Errors: as of [`Provider::redeem`].
    async fn refresh(&self, refresh_token: &Secret) -> Result<ProviderTokens, Error> {
        self.exchange(&[("grant_type", "refresh_token"), ("refresh_token", refresh_token.expose())]).await
    }
}
