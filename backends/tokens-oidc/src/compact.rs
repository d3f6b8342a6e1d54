//! The three parts of a compact JWS (RFC 7515 section 7.1), read without believing any of it yet. Keys come in `issuer`,
//! claims in `claims`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use platform::Json;
use platform::tokens::TokenRefusal;
use serde_json::Map;

use crate::strict::Strict;

/// Most bytes of a token.
pub(crate) const MAX_TOKEN: usize = 8192;
const MAX_KID: usize = 256;

/// A token taken apart.
pub(crate) struct Compact<'a> {
    /// What the signature covers: header and payload, as they came.
    pub(crate) signed: &'a str,
    /// The signature, base64url.
    pub(crate) signature: &'a str,
    pub(crate) header: Header,
    pub(crate) payload: Map<String, Json>,
}

/// The part of the header that we read. `jwk`, `jku`, `x5c`, `x5u` are never looked at: keys come from the issuer's own
/// key set only.
pub(crate) struct Header {
    pub(crate) algorithm: String,
    pub(crate) kid: String,
    /// Lower case, without `application/`; absent where the header has none.
    pub(crate) kind: Option<String>,
}

impl<'a> Compact<'a> {
    pub(crate) fn parse(token: &'a str) -> Result<Self, TokenRefusal> {
        if token.len() > MAX_TOKEN {
            return Err(TokenRefusal::Size);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenRefusal::Shape)?;
        let (header, payload) = signed.split_once('.').ok_or(TokenRefusal::Shape)?;
        if payload.contains('.') {
            return Err(TokenRefusal::Shape);
        }
        let (header, payload) = (bytes(header)?, bytes(payload)?);
        let header = Header::parse(object(&header).ok_or(TokenRefusal::Shape)?)?;
        let payload = object(&payload).ok_or(TokenRefusal::Claims)?;
        Ok(Self { signed, signature, header, payload })
    }
}

/// Strict base64url without padding (RFC 7515 section 2).
fn bytes(part: &str) -> Result<Vec<u8>, TokenRefusal> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenRefusal::Shape)
}

/// An object without double members.
fn object(bytes: &[u8]) -> Option<Map<String, Json>> {
    match serde_json::from_slice(bytes).ok()? {
        Strict(Json::Object(members)) => Some(members),
        Strict(_) => None,
    }
}

impl Header {
    fn parse(mut members: Map<String, Json>) -> Result<Self, TokenRefusal> {
        // An extension that must be understood (RFC 7515 `crit`, RFC 7797 `b64`) or compression: none is.
        if ["crit", "b64", "zip", "enc"].iter().any(|name| members.contains_key(*name)) {
            return Err(TokenRefusal::Header);
        }
        let mut text = |name: &str| match members.remove(name) {
            None => Ok(None),
            Some(Json::String(text)) => Ok(Some(text)),
            Some(_) => Err(TokenRefusal::Header),
        };
        let algorithm = text("alg")?.ok_or(TokenRefusal::Header)?;
        let kid = text("kid")?.filter(|kid| !kid.is_empty() && kid.len() <= MAX_KID).ok_or(TokenRefusal::Header)?;
        let kind = text("typ")?.map(|kind| normal_kind(&kind));
        Ok(Self { algorithm, kid, kind })
    }
}

/// Media types compare without regard to case, and `application/` may be left out (RFC 7515 section 4.1.9).
pub(crate) fn normal_kind(kind: &str) -> String {
    let kind = kind.to_ascii_lowercase();
    kind.strip_prefix("application/").map(str::to_owned).unwrap_or(kind)
}
