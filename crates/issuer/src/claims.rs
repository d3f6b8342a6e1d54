//! Claims of access tokens (RFC 9068) and ID tokens (OpenID Connect Core 1.0, section 2), and how a sign-in is described
//! in them (RFC 8176 `amr`, `acr` values of our own).

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use platform::{Error, Secret};
use serde::{Deserialize, Serialize};

use crate::grants::Granted;
use crate::issuer::State;
use crate::keys::{ACCESS_TOKEN, ID_TOKEN};
use crate::users::User;

/// `acr` of a sign-in with a password alone; `amr` is `["pwd"]`.
pub const ACR_PASSWORD: &str = "urn:interlock:acr:password";
/// `acr` of a sign-in with password and one-time code; `amr` is `["pwd","otp","mfa"]`.
pub const ACR_MFA: &str = "urn:interlock:acr:mfa";

/// Lifetime of access and ID tokens, seconds.
pub(crate) const TOKEN_S: i64 = 3_600;

/// Claims of an access token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AccessClaims {
    pub(crate) iss: String,
    pub(crate) sub: String,
    pub(crate) aud: String,
    pub(crate) exp: i64,
    pub(crate) iat: i64,
    pub(crate) jti: String,
    pub(crate) client_id: String,
    pub(crate) scope: String,
    pub(crate) groups: Vec<String>,
    pub(crate) preferred_username: String,
    pub(crate) name: String,
    #[serde(flatten)]
    pub(crate) authentication: Option<Authentication>,
}

/// How and when a person signed in; a client's own token has none of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Authentication {
    pub(crate) acr: String,
    pub(crate) amr: Vec<String>,
    pub(crate) auth_time: i64,
    pub(crate) sid: String,
}

impl Authentication {
    fn of(grant: &Granted) -> Self {
        let (acr, amr): (&str, &[&str]) =
            if grant.mfa { (ACR_MFA, &["pwd", "otp", "mfa"]) } else { (ACR_PASSWORD, &["pwd"]) };
        Self {
            acr: acr.to_owned(),
            amr: amr.iter().map(|m| (*m).to_owned()).collect(),
            auth_time: grant.auth_time,
            sid: grant.sid.clone(),
        }
    }
}

#[derive(Serialize)]
struct IdClaims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    azp: &'a str,
    exp: i64,
    iat: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
    at_hash: String,
    groups: &'a [String],
    preferred_username: &'a str,
    name: &'a str,
    #[serde(flatten)]
    authentication: &'a Option<Authentication>,
}

/// Claims of a person's access token, issued at `iat`: a moment before the person's record was read, so that whatever
/// happens to the record afterwards raises a floor that this token does not pass.
pub(crate) fn of_person(state: &State, user: &User, granted: &Granted, aud: String, iat: i64) -> AccessClaims {
    AccessClaims {
        iss: state.url.clone(),
        sub: user.sub.clone(),
        aud,
        exp: iat + TOKEN_S,
        iat,
        jti: uuid::Uuid::new_v4().to_string(),
        client_id: granted.client_id.clone(),
        scope: granted.scope.clone(),
        groups: user.groups.clone(),
        preferred_username: user.name.clone(),
        name: user.display_name.clone(),
        authentication: Some(Authentication::of(granted)),
    }
}

impl AccessClaims {
    /// Signs them as `at+jwt`.
    pub(crate) fn sign(&self, state: &State) -> Result<Secret, Error> {
        state.keys.sign(ACCESS_TOKEN, self)
    }

    /// The ID token that goes with this access token.
    pub(crate) fn id_token(&self, state: &State, access_token: &Secret, nonce: Option<&str>) -> Result<Secret, Error> {
        let hash = digest::digest(&digest::SHA256, access_token.expose().as_bytes());
        let left_half = hash.as_ref().get(..16).unwrap_or_default();
        let claims = IdClaims {
            iss: &self.iss,
            sub: &self.sub,
            aud: &self.client_id,
            azp: &self.client_id,
            exp: self.exp,
            iat: self.iat,
            nonce,
            at_hash: URL_SAFE_NO_PAD.encode(left_half),
            groups: &self.groups,
            preferred_username: &self.preferred_username,
            name: &self.name,
            authentication: &self.authentication,
        };
        state.keys.sign(ID_TOKEN, &claims)
    }
}
