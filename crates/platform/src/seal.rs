//! Sealing of what the platform keeps for itself: AES-256-GCM under a key of its own purpose, with associated data that
//! binds the bytes to the place they belong to.

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::{hkdf, rand};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::error::{Error, Result};
use crate::secret::SecretKey;

/// Seals and opens bytes for one purpose.
pub struct Sealer {
    key: RandomizedNonceKey,
}

impl Sealer {
    /// Derives the purpose's key from `master` by HKDF-SHA256; another purpose has another key.
    pub fn derive(master: &SecretKey, purpose: &str) -> Result<Self> {
        let key = derive_key(master, purpose)?;
        let key = RandomizedNonceKey::new(&AES_256_GCM, key.expose()).map_err(Error::internal)?;
        Ok(Self { key })
    }

    /// Seals bytes; `place` is authenticated with them.
    pub fn seal(&self, place: &str, plain: &[u8]) -> Result<Vec<u8>> {
        let mut sealed = plain.to_vec();
        let nonce =
            self.key.seal_in_place_append_tag(Aad::from(place.as_bytes()), &mut sealed).map_err(Error::internal)?;
        let mut out = nonce.as_ref().to_vec();
        out.append(&mut sealed);
        Ok(out)
    }

    /// Opens what [`Sealer::seal`] made for the same place; `None` when it was changed, moved, or sealed by another key.
    pub fn open(&self, place: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, rest) = sealed.split_at_checked(12)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut buffer = rest.to_vec();
        let plain = self.key.open_in_place(nonce, Aad::from(place.as_bytes()), &mut buffer).ok()?;
        Some(plain.to_vec())
    }
}

/// A 256-bit key for one purpose, derived from `master` by HKDF-SHA256.
pub fn derive_key(master: &SecretKey, purpose: &str) -> Result<SecretKey> {
    let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, b"interlock key derivation v1");
    let prk = salt.extract(master.expose());
    let info = [purpose.as_bytes()];
    let okm = prk.expand(&info, hkdf::HKDF_SHA256).map_err(Error::internal)?;
    let mut key = [0; 32];
    okm.fill(&mut key).map_err(Error::internal)?;
    Ok(SecretKey::new(key))
}

/// Fresh random bytes from the operating system's generator.
pub fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).map_err(Error::internal)?;
    Ok(bytes)
}

/// `N` fresh random bytes as base64url without padding: ids, states and proof keys, which go into URLs and headers.
pub fn random_text<const N: usize>() -> Result<String> {
    Ok(URL_SAFE_NO_PAD.encode(random::<N>()?))
}

#[cfg(test)]
mod tests {
    use super::Sealer;
    use crate::secret::SecretKey;

    #[test]
    fn sealed_bytes_open_only_under_their_key_and_at_their_place() -> crate::Result<()> {
        let master = SecretKey::new([1; 32]);
        let sealer = Sealer::derive(&master, "results")?;
        let mut sealed = sealer.seal("call/1", b"hello")?;
        assert_eq!(sealer.open("call/1", &sealed).as_deref(), Some(&b"hello"[..]));
        assert_eq!(sealer.open("call/2", &sealed), None);
        assert_eq!(Sealer::derive(&master, "other")?.open("call/1", &sealed), None);
        if let Some(byte) = sealed.last_mut() {
            *byte ^= 1;
        }
        assert_eq!(sealer.open("call/1", &sealed), None);
        assert_eq!(sealer.open("call/1", b"short"), None);
        Ok(())
    }
}
