//! One ES256 key: its private half, which signs, and its public half, as a JWK. Which key signs now stands in `key_ring`,
//! claims in `claims`.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use platform::{Error, ErrorKind, Json, Secret};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

/// `typ` of an access token (RFC 9068, section 2.1).
pub(crate) const ACCESS_TOKEN: &str = "at+jwt";
/// `typ` of an ID token.
pub(crate) const ID_TOKEN: &str = "JWT";
/// `typ` of a logout token (OpenID Connect Back-Channel Logout 1.0, section 2.4).
pub(crate) const LOGOUT_TOKEN: &str = "logout+jwt";

/// A P-256 key pair for ES256 (RFC 7518, section 3.4). Its `kid` is the RFC 7638 thumbprint, so that the same key keeps
/// the same id on every replica and after every restart.
pub(crate) struct SigningKey {
    pkcs8: Secret,
    encoding: EncodingKey,
    public: PublicKey,
}

/// The public half: all that is kept of a key that signs no more.
#[derive(Clone)]
pub(crate) struct PublicKey {
    decoding: DecodingKey,
    kid: String,
    x: String,
    y: String,
}

impl SigningKey {
    /// A new key. The caller keeps its PKCS#8 form somewhere safe.
    pub(crate) fn generate() -> Result<Self, Error> {
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
            .map_err(Error::internal)?;
        Self::from_der(document.as_ref())
    }

    /// A key from its PKCS#8 form: DER in standard base64, as [`SigningKey::to_pkcs8`] gives it. Error:
    /// `signing_key_invalid`.
    pub(crate) fn from_pkcs8(pkcs8: &Secret) -> Result<Self, Error> {
        let der = zeroize::Zeroizing::new(STANDARD.decode(pkcs8.expose().trim()).map_err(|_| invalid_key())?);
        Self::from_der(&der)
    }

    /// The private key: PKCS#8 DER in standard base64.
    pub(crate) fn to_pkcs8(&self) -> Secret {
        self.pkcs8.clone()
    }

    /// Key id: the RFC 7638 thumbprint.
    pub(crate) fn kid(&self) -> &str {
        &self.public.kid
    }

    /// The public half.
    pub(crate) fn public(&self) -> &PublicKey {
        &self.public
    }

    fn from_der(der: &[u8]) -> Result<Self, Error> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der).map_err(|_| invalid_key())?;
        // SEC 1 uncompressed point: 0x04, then 32 bytes each of x and y.
        let point = pair.public_key().as_ref();
        let (Some(x), Some(y)) = (point.get(1..33), point.get(33..65)) else { return Err(invalid_key()) };
        Ok(Self {
            pkcs8: Secret::new(STANDARD.encode(der)),
            encoding: EncodingKey::from_ec_der(der),
            public: PublicKey::from_coordinates(URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y))?,
        })
    }

    /// Signs claims as a compact JWS.
    pub(crate) fn sign<T: Serialize>(&self, typ: &str, claims: &T) -> Result<Secret, Error> {
        let mut header = Header::new(Algorithm::ES256);
        header.typ = Some(typ.to_owned());
        header.kid = Some(self.public.kid.clone());
        jsonwebtoken::encode(&header, claims, &self.encoding).map(Secret::new).map_err(Error::internal)
    }
}

impl PublicKey {
    /// The key at these coordinates, each base64url of 32 bytes. Error: `signing_key_invalid`.
    pub(crate) fn from_coordinates(x: String, y: String) -> Result<Self, Error> {
        let members = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
        Ok(Self {
            decoding: DecodingKey::from_ec_components(&x, &y).map_err(|_| invalid_key())?,
            kid: URL_SAFE_NO_PAD.encode(platform::canonical::sha256(members.as_bytes())),
            x,
            y,
        })
    }

    /// Key id: the RFC 7638 thumbprint.
    pub(crate) fn kid(&self) -> &str {
        &self.kid
    }

    /// Both coordinates, base64url.
    pub(crate) fn coordinates(&self) -> (&str, &str) {
        (&self.x, &self.y)
    }

    /// As a JWK (RFC 7517).
    pub(crate) fn jwk(&self) -> Json {
        json!({"kty": "EC", "crv": "P-256", "x": self.x, "y": self.y, "kid": self.kid, "use": "sig", "alg": "ES256"})
    }

    /// Claims of a token that this key signed under this `typ`; the caller checks every claim.
    pub(crate) fn verify<T: DeserializeOwned + Clone>(&self, typ: &str, token: &str) -> Option<T> {
        let mut validation = Validation::new(Algorithm::ES256);
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_aud = false;
        let data = jsonwebtoken::decode::<T>(token, &self.decoding, &validation).ok()?;
        (data.header.typ.as_deref() == Some(typ) && data.header.kid.as_deref() == Some(&self.kid))
            .then_some(data.claims)
    }
}

fn invalid_key() -> Error {
    Error::new(ErrorKind::InvalidInput, "signing_key_invalid", "The signing key is not a P-256 key in PKCS#8.")
}

/// 256 random bits, base64url: session ids, codes, token ids.
pub(crate) fn random_id() -> Result<String, Error> {
    let mut bytes = [0; 32];
    aws_lc_rs::rand::fill(&mut bytes).map_err(Error::internal)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use platform::Secret;

    use super::{ACCESS_TOKEN, ID_TOKEN, SigningKey};

    #[test]
    fn t5_a_key_comes_back_from_its_pkcs8_form_under_the_same_id() {
        let key = SigningKey::generate().unwrap();
        let same = SigningKey::from_pkcs8(&key.to_pkcs8()).unwrap();
        assert_eq!(key.kid(), same.kid());
        let token = key.sign(ACCESS_TOKEN, &serde_json::json!({"sub": "x"})).unwrap();
        assert!(same.public().verify::<serde_json::Value>(ACCESS_TOKEN, token.expose()).is_some());
        assert!(same.public().verify::<serde_json::Value>(ID_TOKEN, token.expose()).is_none());
        assert!(
            SigningKey::generate()
                .unwrap()
                .public()
                .verify::<serde_json::Value>(ACCESS_TOKEN, token.expose())
                .is_none()
        );
        assert!(SigningKey::from_pkcs8(&Secret::new("AAAA")).is_err());
    }
}
