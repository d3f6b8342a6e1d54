//! Sealing of what the platform keeps for itself: AES-256-GCM under the key of one purpose, with associated data that
//! binds the bytes to the place they belong to; and codes (HMAC-SHA256) under such a key. Both name the version of the key
//! or try each that is kept, so that a key is rotated while what an old version sealed still opens.
//!
//! Where next: [`crate::keys`] for the keys themselves.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::{hkdf, hmac, rand};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::{Zeroize as _, Zeroizing};

use crate::error::{Error, Result};
use crate::keys::PurposeKey;
use crate::secret::SecretKey;

/// Sealed bytes begin with this and the version of their key, four bytes, most significant first. Bytes that were sealed
/// before keys had versions begin with their nonce; they belong to version 1.
const MARK: &[u8; 4] = b"ILK1";
/// Length of the authentication tag.
const TAG: usize = 16;

/// Seals and opens bytes for one purpose. Clones share the key.
#[derive(Clone, Debug)]
pub struct Sealer {
    key: PurposeKey,
    label: Option<&'static str>,
}

impl Sealer {
    /// With the key of a purpose.
    pub fn new(key: PurposeKey) -> Self {
        Self { key, label: None }
    }

    /// With the key of one use among several of a purpose.
    pub fn labelled(key: PurposeKey, label: &'static str) -> Self {
        Self { key, label: Some(label) }
    }

    /// With one key that never changes, derived from `master` by HKDF-SHA256: for what lives no longer than its process.
    pub fn derive(master: &SecretKey, purpose: &str) -> Result<Self> {
        Ok(Self::new(PurposeKey::fixed(derive_key(master, purpose)?)))
    }

    /// Seals bytes under the current version; `place` is authenticated with them.
    pub fn seal(&self, place: &str, plain: &[u8]) -> Result<Vec<u8>> {
        let (version, key) = self.key.versions().current(self.label);
        // Sealing happens in place, so only a failure leaves plaintext here; the capacity keeps it from being copied.
        let mut sealed = Zeroizing::new(Vec::with_capacity(plain.len() + TAG));
        sealed.extend_from_slice(plain);
        let nonce = cipher(&key)?
            .seal_in_place_append_tag(Aad::from(place.as_bytes()), &mut *sealed)
            .map_err(Error::internal)?;
        Ok([MARK, &version.to_be_bytes()[..], nonce.as_ref(), sealed.as_slice()].concat())
    }

    /// Opens what [`Sealer::seal`] made for the same place; `None` when it was changed, moved, or sealed by another key or
    /// by a version that is retired.
    pub fn open(&self, place: &str, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let versions = self.key.versions();
        let versioned = sealed.strip_prefix(MARK).and_then(|rest| rest.split_first_chunk::<4>());
        let opened = versioned
            .and_then(|(version, rest)| open(&versions.get(u32::from_be_bytes(*version), self.label)?, place, rest));
        opened.or_else(|| open(&versions.get(1, self.label)?, place, sealed))
    }
}

fn open(key: &SecretKey, place: &str, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, rest) = sealed.split_at_checked(NONCE_LEN)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let mut buffer = Zeroizing::new(rest.to_vec());
    let length = cipher(key).ok()?.open_in_place(nonce, Aad::from(place.as_bytes()), &mut buffer).ok()?.len();
    buffer.get_mut(length..)?.zeroize();
    buffer.truncate(length);
    Some(buffer)
}

fn cipher(key: &SecretKey) -> Result<RandomizedNonceKey> {
    RandomizedNonceKey::new(&AES_256_GCM, key.expose()).map_err(Error::internal)
}

/// Makes and checks codes for one use of a purpose's key. Clones share the key.
#[derive(Clone, Debug)]
pub struct Mac {
    key: PurposeKey,
    label: &'static str,
}

impl Mac {
    /// For one use.
    pub fn new(key: PurposeKey, label: &'static str) -> Self {
        Self { key, label }
    }

    /// The code of a message under the current version.
    pub fn sign(&self, message: &[u8]) -> [u8; 32] {
        let (_, key) = self.key.versions().current(Some(self.label));
        code(&key, message)
    }

    /// Whether this is the message's code under a kept version; compared in constant time.
    pub fn holds(&self, message: &[u8], tag: &[u8]) -> bool {
        let versions = self.key.versions();
        versions.newest_first(Some(self.label)).any(|key| hmac::verify(&mac(&key), message, tag).is_ok())
    }

    /// The message's code under each kept version, the current one first: what it may be kept by.
    pub fn all(&self, message: &[u8]) -> Vec<[u8; 32]> {
        self.key.versions().newest_first(Some(self.label)).map(|key| code(&key, message)).collect()
    }
}

fn mac(key: &SecretKey) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, key.expose())
}

fn code(key: &SecretKey, message: &[u8]) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(hmac::sign(&mac(key), message).as_ref());
    bytes
}

/// A 256-bit key for one purpose, derived from `master` by HKDF-SHA256.
pub fn derive_key(master: &SecretKey, purpose: &str) -> Result<SecretKey> {
    let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, b"interlock key derivation v1");
    let prk = salt.extract(master.expose());
    let info = [purpose.as_bytes()];
    let okm = prk.expand(&info, hkdf::HKDF_SHA256).map_err(Error::internal)?;
    let mut filled = Ok(());
    let key = SecretKey::from_bytes(|bytes| filled = okm.fill(bytes));
    filled.map_err(Error::internal)?;
    Ok(key)
}

/// A new random 256-bit key.
pub fn random_key() -> Result<SecretKey> {
    let mut filled = Ok(());
    let key = SecretKey::from_bytes(|bytes| filled = rand::fill(bytes));
    filled.map_err(Error::internal)?;
    Ok(key)
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
    use super::{Mac, Sealer, random_key};
    use crate::keys::{PurposeKey, Versions};
    use crate::secret::SecretKey;

    fn plain(sealer: &Sealer, place: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        sealer.open(place, sealed).map(|opened| opened.to_vec())
    }

    #[test]
    fn sealed_bytes_open_only_under_their_key_and_at_their_place() -> crate::Result<()> {
        let master = SecretKey::new([1; 32]);
        let sealer = Sealer::derive(&master, "results")?;
        let mut sealed = sealer.seal("call/1", b"hello")?;
        assert_eq!(plain(&sealer, "call/1", &sealed).as_deref(), Some(&b"hello"[..]));
        assert_eq!(plain(&sealer, "call/2", &sealed), None);
        assert_eq!(plain(&Sealer::derive(&master, "other")?, "call/1", &sealed), None);
        if let Some(byte) = sealed.last_mut() {
            *byte ^= 1;
        }
        assert_eq!(plain(&sealer, "call/1", &sealed), None);
        assert_eq!(plain(&sealer, "call/1", b"short"), None);
        assert_eq!(plain(&sealer, "call/1", b"ILK1"), None);
        Ok(())
    }

    #[test]
    fn t28_what_was_sealed_before_a_rotation_opens_after_it_and_not_after_the_retirement() -> crate::Result<()> {
        let (one, two) = (random_key()?, random_key()?);
        let versions = |all: &[(u32, &SecretKey)]| {
            let all = all.iter().map(|(number, key)| (*number, (*key).clone()));
            Versions::of(all.collect()).ok_or_else(|| crate::Error::internal("no version"))
        };
        let key = PurposeKey::of(versions(&[(1, &one)])?);
        let (sealer, mac) = (Sealer::labelled(key.clone(), "use"), Mac::new(key.clone(), "use"));
        let (old, old_code) = (sealer.seal("p", b"x")?, mac.sign(b"m"));
        key.replace(versions(&[(1, &one), (2, &two)])?);
        let (new, new_code) = (sealer.seal("p", b"y")?, mac.sign(b"m"));
        assert_eq!((&old[4..8], &new[4..8]), (&[0, 0, 0, 1][..], &[0, 0, 0, 2][..]));
        assert_eq!(plain(&sealer, "p", &old).as_deref(), Some(&b"x"[..]));
        assert_eq!(mac.all(b"m"), [new_code, old_code]);
        assert!(mac.holds(b"m", &old_code) && mac.holds(b"m", &new_code) && !mac.holds(b"n", &new_code));
        let mut forged = old.clone();
        forged[7] = 2;
        assert_eq!(plain(&sealer, "p", &forged), None, "the version is only a name; another key does not open");
        key.replace(versions(&[(2, &two)])?);
        assert_eq!(plain(&sealer, "p", &old), None);
        assert_eq!(plain(&sealer, "p", &new).as_deref(), Some(&b"y"[..]));
        assert!(!mac.holds(b"m", &old_code));
        Ok(())
    }

    #[test]
    fn t28_two_uses_of_one_purpose_do_not_open_for_each_other() -> crate::Result<()> {
        let key = PurposeKey::fixed(random_key()?);
        let (one, two) = (Sealer::labelled(key.clone(), "one"), Sealer::labelled(key.clone(), "two"));
        let sealed = one.seal("p", b"x")?;
        assert_eq!((plain(&two, "p", &sealed), plain(&Sealer::new(key), "p", &sealed)), (None, None));
        Ok(())
    }
}
