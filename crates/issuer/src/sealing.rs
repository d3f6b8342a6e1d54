//! AES-256-GCM under keys derived from the issuer's sealing key: TOTP secrets in the store, and the state of an unfinished
//! sign-in inside its own form, so that a flood of sign-in pages costs the issuer no memory and a restart loses none.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use platform::Error;
use platform::secret::SecretKey;
use zeroize::Zeroizing;

/// What a sealed value is for; each purpose has its own key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A TOTP secret in the store.
    Totp,
    /// The hidden `request` field of a sign-in page.
    Request,
}

/// Seals, opens and authenticates small values.
pub(crate) struct Sealer {
    totp: SecretKey,
    request: SecretKey,
    csrf: hmac::Key,
    seed: hmac::Key,
    rest: hmac::Key,
    refresh: hmac::Key,
}

impl Sealer {
    /// Derives one key per purpose.
    pub(crate) fn new(master: &SecretKey) -> Self {
        let derive = |label: &str| {
            let mut key = Zeroizing::new([0; 32]);
            let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, master.expose()), label.as_bytes());
            key.copy_from_slice(tag.as_ref());
            key
        };
        Self {
            totp: SecretKey::new(*derive("interlock/issuer/totp/1")),
            request: SecretKey::new(*derive("interlock/issuer/request/1")),
            csrf: hmac::Key::new(hmac::HMAC_SHA256, &*derive("interlock/issuer/csrf/1")),
            seed: hmac::Key::new(hmac::HMAC_SHA256, &*derive("interlock/issuer/seed/1")),
            rest: hmac::Key::new(hmac::HMAC_SHA256, &*derive("interlock/issuer/at-rest/1")),
            refresh: hmac::Key::new(hmac::HMAC_SHA256, &*derive("interlock/issuer/refresh/1")),
        }
    }

    fn key(&self, purpose: Purpose) -> Result<RandomizedNonceKey, Error> {
        let key = match purpose {
            Purpose::Totp => &self.totp,
            Purpose::Request => &self.request,
        };
        RandomizedNonceKey::new(&AES_256_GCM, key.expose()).map_err(Error::internal)
    }

    /// Seals `plain`, bound to `owner`: base64url of nonce and ciphertext.
    pub(crate) fn seal(&self, purpose: Purpose, owner: &str, plain: &[u8]) -> Result<String, Error> {
        let mut sealed = plain.to_vec();
        let nonce = self
            .key(purpose)?
            .seal_in_place_append_tag(Aad::from(owner.as_bytes()), &mut sealed)
            .map_err(Error::internal)?;
        let mut out = nonce.as_ref().to_vec();
        out.append(&mut sealed);
        Ok(URL_SAFE_NO_PAD.encode(out))
    }

    /// Opens what [`Sealer::seal`] gave for the same purpose and owner.
    pub(crate) fn open(&self, purpose: Purpose, owner: &str, sealed: &str) -> Option<Zeroizing<Vec<u8>>> {
        let bytes = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let (nonce, ciphertext) = bytes.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut buffer = Zeroizing::new(ciphertext.to_vec());
        let length = self.key(purpose).ok()?.open_in_place(nonce, Aad::from(owner.as_bytes()), &mut buffer).ok()?.len();
        buffer.truncate(length);
        Some(buffer)
    }

    /// The CSRF token of one sign-in page in one browser.
    pub(crate) fn csrf(&self, browser: &str, request_id: &str) -> String {
        URL_SAFE_NO_PAD.encode(hmac::sign(&self.csrf, format!("{browser}.{request_id}").as_bytes()))
    }

    /// Whether a CSRF token belongs to that page and browser; compared in constant time.
    pub(crate) fn csrf_holds(&self, browser: &str, request_id: &str, token: &str) -> bool {
        URL_SAFE_NO_PAD
            .decode(token)
            .is_ok_and(|tag| hmac::verify(&self.csrf, format!("{browser}.{request_id}").as_bytes(), &tag).is_ok())
    }

    /// How the store keeps a code or token that we hand out: who reads the store alone can neither use nor guess it.
    pub(crate) fn at_rest(&self, kind: &str, text: &str) -> String {
        hex::encode(hmac::sign(&self.rest, format!("{kind}\0{text}").as_bytes()))
    }

    /// The authentication code of a refresh token, 32 bytes.
    pub(crate) fn refresh_code(&self, told: &[u8]) -> hmac::Tag {
        hmac::sign(&self.refresh, told)
    }

    /// Whether this is the code of a refresh token; compared in constant time.
    pub(crate) fn refresh_code_holds(&self, told: &[u8], code: &[u8]) -> bool {
        hmac::verify(&self.refresh, told, code).is_ok()
    }

    /// Keyed digest of a lab user's password, so that seeding the same lab again costs no Argon2.
    pub(crate) fn seed_digest(&self, sub: &str, password: &str) -> String {
        hex::encode(hmac::sign(&self.seed, format!("{sub}\0{password}").as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use platform::secret::SecretKey;

    use super::{Purpose, Sealer};

    #[test]
    fn t5_a_sealed_value_opens_only_for_its_owner_purpose_and_key() {
        let sealer = Sealer::new(&SecretKey::new([1; 32]));
        let sealed = sealer.seal(Purpose::Totp, "alice", b"secret").unwrap();
        assert!(!sealed.contains("secret"));
        assert_eq!(sealer.open(Purpose::Totp, "alice", &sealed).unwrap().as_slice(), b"secret");
        assert!(sealer.open(Purpose::Totp, "bob", &sealed).is_none());
        assert!(sealer.open(Purpose::Request, "alice", &sealed).is_none());
        assert!(Sealer::new(&SecretKey::new([2; 32])).open(Purpose::Totp, "alice", &sealed).is_none());
        assert!(sealer.open(Purpose::Totp, "alice", "AAAA").is_none());
    }
}
