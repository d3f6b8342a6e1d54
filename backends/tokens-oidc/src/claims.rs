//! Typed claims: a wrong type is an error, never an absence. The JSON underneath has each member once (`strict`).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use platform::Json;
use platform::tokens::{ClientCertificate, TokenRefusal};
use serde::{Deserialize, Deserializer};
use serde_json::Map;

/// `aud`: one text or a list (RFC 7519 section 4.1.3).
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Audience {
    pub(crate) fn names(&self, wanted: &str) -> bool {
        match self {
            Self::One(one) => one == wanted,
            Self::Many(many) => many.iter().any(|one| one == wanted),
        }
    }

    /// Nothing is named.
    pub(crate) fn is_absent(&self) -> bool {
        matches!(self, Self::Many(many) if many.is_empty())
    }

    pub(crate) fn is_only(&self, wanted: &str) -> bool {
        match self {
            Self::One(one) => one == wanted,
            Self::Many(many) => matches!(&many[..], [one] if one == wanted),
        }
    }
}

/// One link of RFC 8693's chain.
#[derive(Debug, Deserialize)]
pub(crate) struct Act {
    pub(crate) sub: String,
    #[serde(default, deserialize_with = "present")]
    pub(crate) iss: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(crate) act: Option<Box<Act>>,
}

/// What binds a token to a key of its sender: a client certificate (RFC 8705 section 3.1), and nothing else that we could
/// check. Any other member makes it unreadable, and the token no token of ours.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Confirmation {
    #[serde(rename = "x5t#S256")]
    certificate: String,
}

impl Confirmation {
    /// SHA-256 of the certificate's DER form.
    pub(crate) fn certificate(&self) -> Result<ClientCertificate, TokenRefusal> {
        let bytes = URL_SAFE_NO_PAD.decode(&self.certificate).map_err(|_| TokenRefusal::Claims)?;
        bytes.try_into().map(ClientCertificate).map_err(|_| TokenRefusal::Claims)
    }
}

/// The registered claims that we read; `null` is a wrong type.
#[derive(Debug, Deserialize)]
pub(crate) struct Claims {
    pub(crate) iss: String,
    pub(crate) sub: String,
    pub(crate) aud: Audience,
    #[serde(deserialize_with = "seconds")]
    pub(crate) exp: i64,
    #[serde(deserialize_with = "seconds")]
    pub(crate) iat: i64,
    #[serde(default, deserialize_with = "optional_seconds")]
    pub(crate) nbf: Option<i64>,
    #[serde(default, deserialize_with = "optional_seconds")]
    pub(crate) auth_time: Option<i64>,
    #[serde(default, deserialize_with = "present")]
    pub(crate) client_id: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(crate) azp: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(crate) scope: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(crate) jti: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(crate) sid: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(crate) act: Option<Act>,
    #[serde(default, deserialize_with = "present")]
    pub(crate) cnf: Option<Confirmation>,
    #[serde(default, deserialize_with = "present")]
    pub(crate) preferred_username: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(crate) name: Option<String>,
}

const MAX_SUBJECT: usize = 255;

impl Claims {
    pub(crate) fn read(payload: &Map<String, Json>) -> Result<Self, TokenRefusal> {
        let claims: Self = serde_json::from_value(Json::Object(payload.clone())).map_err(|_| TokenRefusal::Claims)?;
        let subject = &claims.sub;
        if subject.is_empty() || subject.len() > MAX_SUBJECT || subject.chars().any(char::is_control) {
            return Err(TokenRefusal::Claims);
        }
        Ok(claims)
    }

    /// The client of an access token. Two different names for it are a contradiction.
    pub(crate) fn client(&self) -> Result<&str, TokenRefusal> {
        match (&self.client_id, &self.azp) {
            (Some(one), Some(other)) if one != other => Err(TokenRefusal::Claims),
            (Some(one), _) | (None, Some(one)) if !one.is_empty() => Ok(one),
            _ => Err(TokenRefusal::Claims),
        }
    }

    /// Checks `exp`, `iat`, `nbf` and `auth_time` against the clock; all in seconds.
    pub(crate) fn check_time(&self, now: i64, skew: i64, max_lifetime: i64) -> Result<(), TokenRefusal> {
        let latest = now.saturating_add(skew);
        let good = self.exp > now.saturating_sub(skew)
            && self.iat <= latest
            && self.exp >= self.iat
            && self.exp.saturating_sub(self.iat) <= max_lifetime
            && self.nbf.is_none_or(|nbf| nbf <= latest)
            && self.auth_time.is_none_or(|at| (0..=latest).contains(&at));
        good.then_some(()).ok_or(TokenRefusal::Time)
    }

    pub(crate) fn scopes(&self) -> Vec<String> {
        let mut scopes: Vec<_> =
            self.scope.as_deref().unwrap_or("").split_ascii_whitespace().map(str::to_owned).collect();
        scopes.sort();
        scopes.dedup();
        scopes
    }
}

pub(crate) fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// A NumericDate (RFC 7519 section 2), which may have a fraction; beyond the range of time it saturates and fails the
/// check of time, not that of type.
pub(crate) fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Number {
        Whole(i64),
        Fraction(f64),
    }
    Ok(match Number::deserialize(deserializer)? {
        Number::Whole(whole) => whole,
        // The cast saturates, which is what is wanted.
        Number::Fraction(fraction) => fraction.floor() as i64,
    })
}

fn optional_seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    seconds(deserializer).map(Some)
}
