//! Bearer tokens in, principals out ([`TokenVerifier`]), and the platform's own sign-in for its pages ([`SignIn`]).
//!
//! Implementations: `backends/tokens-oidc`. Rules T1 to T4 of the trust document.

use std::sync::Arc;

use async_trait::async_trait;
use url::Url;

use crate::error::Error;
use crate::principal::Principal;
use crate::resource::Resource;
use crate::secret::Secret;

/// Why a bearer token was refused. The caller reads one RFC 6750 error code; the reason goes to the log and a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum TokenRefusal {
    /// More bytes than an access token may have.
    #[error("the token is too large")]
    Size,
    /// Not a compact JWS with a readable header.
    #[error("the token is not a signed JWT")]
    Shape,
    /// The header asks for something we do not do (`crit`, `zip`) or lacks a `kid`.
    #[error("the token's header is not acceptable")]
    Header,
    /// `typ` is not one that this issuer's entry allows.
    #[error("the token's type is not acceptable")]
    Type,
    /// No key with that `kid`.
    #[error("the token's key is unknown")]
    UnknownKey,
    /// The key's algorithm is not the header's.
    #[error("the token's algorithm is not its key's")]
    Algorithm,
    /// The signature does not verify.
    #[error("the token's signature does not verify")]
    Signature,
    /// No configured issuer has this `iss`.
    #[error("the token's issuer is unknown")]
    Issuer,
    /// `aud` names neither this resource nor the platform.
    #[error("the token is for another audience")]
    Audience,
    /// Expired, not yet valid, or with an impossible lifetime.
    #[error("the token is expired or not yet valid")]
    Time,
    /// A claim is missing, of the wrong type, or not acceptable.
    #[error("the token's claims are not acceptable")]
    Claims,
    /// Valid, but without a required scope.
    #[error("the token lacks a required scope")]
    Scope,
    /// Revoked.
    #[error("the token is revoked")]
    Revoked,
    /// Its issuer says that it is no live access token.
    #[error("the issuer does not know the token as a live one")]
    Inactive,
    /// Bound to a certificate that this caller did not show (RFC 8705).
    #[error("the token is bound to another client certificate")]
    Certificate,
    /// The issuer's keys or its answer cannot be had right now; nobody is let in on a guess.
    #[error("the issuer cannot be reached")]
    IssuerUnavailable,
}

impl TokenRefusal {
    /// Stable snake-case name for logs and the `interlock_authn_total` counter.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Size => "size",
            Self::Shape => "shape",
            Self::Header => "header",
            Self::Type => "type",
            Self::UnknownKey => "unknown_key",
            Self::Algorithm => "algorithm",
            Self::Signature => "signature",
            Self::Issuer => "issuer",
            Self::Audience => "audience",
            Self::Time => "time",
            Self::Claims => "claims",
            Self::Scope => "scope",
            Self::Revoked => "revoked",
            Self::Inactive => "inactive",
            Self::Certificate => "certificate",
            Self::IssuerUnavailable => "issuer_unavailable",
        }
    }
}

/// The certificate that a caller proved to hold in the TLS handshake: SHA-256 of its DER form, what `cnf.x5t#S256` of a
/// bound token names (RFC 8705 section 3.1). The listener puts it into the request's extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientCertificate(pub [u8; 32]);

/// Turns a bearer token into a principal for one resource (T1: the cache key is token, issuer entry and resource).
#[async_trait]
pub trait TokenVerifier: Send + Sync + 'static {
    /// Verifies `token` for use at `resource` by a caller that showed `certificate` in the TLS handshake, or none.
    async fn verify(
        &self,
        token: &str,
        resource: &Resource,
        certificate: Option<&ClientCertificate>,
    ) -> Result<Arc<Principal>, TokenRefusal>;

    /// Issuer identifiers whose tokens are accepted: RFC 9728 `authorization_servers`.
    fn issuers(&self) -> Vec<String>;

    /// Scopes that a token must carry; empty when no issuer asks for one.
    fn required_scopes(&self) -> Vec<String>;
}

/// A sign-in that the façade begins at a provider.
#[derive(Debug, Clone)]
pub struct SignInAtProvider {
    /// Where the provider sends the browser back: a fixed URL of the platform.
    pub redirect_uri: String,
    /// PKCE verifier (RFC 7636); only its S256 hash leaves the platform before the code comes.
    pub code_verifier: Secret,
}

/// What a provider gives for a code or a refresh token (RFC 6749 section 5.1).
#[derive(Debug, Clone)]
pub struct ProviderTokens {
    /// Access token, a bearer's.
    pub access_token: Secret,
    /// Its life in seconds.
    pub expires_in: Option<i64>,
    /// What was granted, where it differs from what was asked for.
    pub scope: Option<String>,
    /// Refresh token.
    pub refresh_token: Option<Secret>,
}

/// An identity provider with the one client that the operator registered there: what the façade stands in front of.
#[async_trait]
pub trait Provider: Send + Sync + 'static {
    /// That client.
    fn client_id(&self) -> &str;

    /// Where browsers are sent.
    async fn authorization_endpoint(&self) -> Result<Url, Error>;

    /// Redeems the code of the redirect. `issuer` is the redirect's `iss` parameter (RFC 9207).
    async fn redeem(
        &self,
        sign_in: &SignInAtProvider,
        code: &str,
        issuer: Option<&str>,
    ) -> Result<ProviderTokens, Error>;

    /// New tokens for a refresh token.
    async fn refresh(&self, refresh_token: &Secret) -> Result<ProviderTokens, Error>;
}

/// What the platform asks the issuer for when a person signs in to one of its pages.
#[derive(Debug, Clone)]
pub struct SignInRequest {
    /// Where the issuer sends the browser back: a fixed URL of the platform.
    pub redirect_uri: String,
    /// Opaque, single use, bound to the browser session by the caller.
    pub state: String,
    /// Opaque, single use; must come back in the ID token.
    pub nonce: String,
    /// PKCE verifier (RFC 7636), 43 to 128 characters; only its S256 hash leaves the platform.
    pub code_verifier: Secret,
    /// Ask for a multi-factor sign-in now (`acr_values`, `max_age=0`): used by step-up.
    pub require_mfa: bool,
    /// The person we expect, as a hint only.
    pub login_hint: Option<String>,
}

/// A person who signed in at the issuer just now.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// The verified principal of the ID token.
    pub principal: Principal,
}

/// The platform as an OpenID Connect relying party: authorization code with PKCE, RFC 9207 `iss` checked.
#[async_trait]
pub trait SignIn: Send + Sync + 'static {
    /// The URL to send the browser to.
    async fn authorization_url(&self, request: &SignInRequest) -> Result<String, Error>;

    /// Redeems the code of the redirect. `issuer` is the redirect's `iss` parameter.
    async fn redeem(&self, request: &SignInRequest, code: &str, issuer: Option<&str>) -> Result<SignedIn, Error>;

    /// Where the browser of `name` signs out at the issuer and comes back to `back` from (OpenID Connect RP-Initiated
    /// Logout 1.0); nothing where the issuer offers no such place.
    async fn sign_out_url(&self, _back: &str, _name: &str) -> Result<Option<String>, Error> {
        Ok(None)
    }
}
