//! What the issuer seals and authenticates, by the platform's own sealing under one rotated key: TOTP secrets in the store,
//! and the state of an unfinished sign-in inside its own form, so that a flood of sign-in pages costs the issuer no memory and a
//! restart loses none.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use platform::Error;
use platform::keys::PurposeKey;
use platform::seal::{self, Mac};
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
    totp: seal::Sealer,
    request: seal::Sealer,
    csrf: Mac,
    seed: Mac,
    rest: Mac,
    refresh: Mac,
}

impl Sealer {
    /// One key per use.
    pub(crate) fn new(key: &PurposeKey) -> Self {
        let sealer = |label| seal::Sealer::labelled(key.clone(), label);
        let mac = |label| Mac::new(key.clone(), label);
        Self {
            totp: sealer("interlock/issuer/totp/1"),
            request: sealer("interlock/issuer/request/1"),
            csrf: mac("interlock/issuer/csrf/1"),
            seed: mac("interlock/issuer/seed/1"),
            rest: mac("interlock/issuer/at-rest/1"),
            refresh: mac("interlock/issuer/refresh/1"),
        }
    }

    fn sealer(&self, purpose: Purpose) -> &seal::Sealer {
        match purpose {
            Purpose::Totp => &self.totp,
            Purpose::Request => &self.request,
        }
    }

    /// Seals `plain`, bound to `owner`, as base64url.
    pub(crate) fn seal(&self, purpose: Purpose, owner: &str, plain: &[u8]) -> Result<String, Error> {
        Ok(URL_SAFE_NO_PAD.encode(self.sealer(purpose).seal(owner, plain)?))
    }

    /// Opens what [`Sealer::seal`] gave for the same purpose and owner.
    pub(crate) fn open(&self, purpose: Purpose, owner: &str, sealed: &str) -> Option<Zeroizing<Vec<u8>>> {
        self.sealer(purpose).open(owner, &URL_SAFE_NO_PAD.decode(sealed).ok()?)
    }

    /// The CSRF token of one sign-in page in one browser.
    pub(crate) fn csrf(&self, browser: &str, request_id: &str) -> String {
        URL_SAFE_NO_PAD.encode(self.csrf.sign(format!("{browser}.{request_id}").as_bytes()))
    }

    /// Whether a CSRF token belongs to that page and browser; compared in constant time.
    pub(crate) fn csrf_holds(&self, browser: &str, request_id: &str, token: &str) -> bool {
        URL_SAFE_NO_PAD
            .decode(token)
            .is_ok_and(|tag| self.csrf.holds(format!("{browser}.{request_id}").as_bytes(), &tag))
    }

    /// How the store keeps a code or token that we hand out: who reads the store alone can neither use nor guess it.
    pub(crate) fn at_rest(&self, kind: &str, text: &str) -> String {
        hex::encode(self.rest.sign(format!("{kind}\0{text}").as_bytes()))
    }

    /// Everything that [`Sealer::at_rest`] may have given for it since the oldest key that is kept, the latest first.
    pub(crate) fn kept_at_rest(&self, kind: &str, text: &str) -> Vec<String> {
        self.rest.all(format!("{kind}\0{text}").as_bytes()).iter().map(hex::encode).collect()
    }

    /// The authentication code of a refresh token, 32 bytes.
    pub(crate) fn refresh_code(&self, told: &[u8]) -> [u8; 32] {
        self.refresh.sign(told)
    }

    /// Whether this is the code of a refresh token; compared in constant time.
    pub(crate) fn refresh_code_holds(&self, told: &[u8], code: &[u8]) -> bool {
        self.refresh.holds(told, code)
    }

    /// Keyed digest of a lab user's password, so that seeding the same lab again costs no Argon2.
    pub(crate) fn seed_digest(&self, sub: &str, password: &str) -> String {
        hex::encode(self.seed.sign(format!("{sub}\0{password}").as_bytes()))
    }

    /// Whether a kept digest is this password's; compared in constant time.
    pub(crate) fn seed_holds(&self, sub: &str, password: &str, kept: &str) -> bool {
        hex::decode(kept).is_ok_and(|kept| self.seed.holds(format!("{sub}\0{password}").as_bytes(), &kept))
    }
}

#[cfg(test)]
mod tests {
    use platform::keys::PurposeKey;
    use platform::secret::SecretKey;

    use super::{Purpose, Sealer};

    #[test]
    fn t5_a_sealed_value_opens_only_for_its_owner_purpose_and_key() {
        let sealer = Sealer::new(&PurposeKey::fixed(SecretKey::new([1; 32])));
        let sealed = sealer.seal(Purpose::Totp, "alice", b"secret").unwrap();
        assert!(!sealed.contains("secret"));
        assert_eq!(sealer.open(Purpose::Totp, "alice", &sealed).unwrap().as_slice(), b"secret");
        assert!(sealer.open(Purpose::Totp, "bob", &sealed).is_none());
        assert!(sealer.open(Purpose::Request, "alice", &sealed).is_none());
        assert!(
            Sealer::new(&PurposeKey::fixed(SecretKey::new([2; 32]))).open(Purpose::Totp, "alice", &sealed).is_none()
        );
        assert!(sealer.open(Purpose::Totp, "alice", "AAAA").is_none());
    }

    #[test]
    fn t28_what_an_earlier_build_sealed_under_the_same_key_opens() {
        // Made by that build: nonce and ciphertext without a version, key 0x07 thirty-two times.
        let sealed = "AAECAwQFBgcICQoLbxcIYQq5E_LdmjMhHGZY4omDckFdZf5xVq8ZalyDAjY";
        let sealer = Sealer::new(&PurposeKey::fixed(SecretKey::new([7; 32])));
        assert_eq!(sealer.open(Purpose::Totp, "alice", sealed).unwrap().as_slice(), b"JBSWY3DPEHPK3PXP");
        assert_eq!(
            sealer.at_rest("device code", "code"),
            "cab5b2ee9cedb3ec5cff3d9ee266a28a2de685b947686e2e69ad9e428d841ecc"
        );
    }
}
