//! Keyed hashes: HMAC-SHA256 under a key of its own purpose. Whoever sees one can compare it with another and cannot test
//! a guess, which a plain digest of a short text would allow. Where next: [`crate::seal`] for what has to be opened again.

use aws_lc_rs::hmac;

use crate::error::Result;
use crate::keys::PurposeKey;
use crate::seal::derive_key;
use crate::secret::SecretKey;

/// Hashes for one purpose, under the current version of its key: after a rotation, the same text has another hash.
pub struct KeyedHash {
    key: PurposeKey,
    label: Option<&'static str>,
}

impl KeyedHash {
    /// With the key of a purpose.
    pub fn new(key: PurposeKey) -> Self {
        Self { key, label: None }
    }

    /// With the key of one use among several of a purpose.
    pub fn labelled(key: PurposeKey, label: &'static str) -> Self {
        Self { key, label: Some(label) }
    }

    /// With one key that never changes, for what lives no longer than its process. Derives the purpose's key from `master` by HKDF-SHA256; another purpose has another key.
    pub fn derive(master: &SecretKey, purpose: &str) -> Result<Self> {
        Ok(Self::new(PurposeKey::fixed(derive_key(master, purpose)?)))
    }

    /// The hash of several parts in their order. Their borders count: `["ab", "c"]` and `["a", "bc"]` differ.
    pub fn of(&self, parts: &[&[u8]]) -> [u8; 32] {
        let (_, key) = self.key.versions().current(self.label);
        let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key.expose()));
        for part in parts {
            context.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            context.update(part);
        }
        let mut hash = [0; 32];
        hash.copy_from_slice(context.sign().as_ref());
        hash
    }

    /// The same in lower-case hexadecimal.
    pub fn hex_of(&self, parts: &[&[u8]]) -> String {
        hex::encode(self.of(parts))
    }
}

#[cfg(test)]
mod tests {
    use super::KeyedHash;
    use crate::secret::SecretKey;

    #[test]
    fn equal_parts_hash_equally_and_only_under_the_same_key_and_with_the_same_borders() -> crate::Result<()> {
        let master = SecretKey::new([1; 32]);
        let hash = KeyedHash::derive(&master, "a")?;
        assert_eq!(hash.of(&[b"ab", b"c"]), KeyedHash::derive(&master, "a")?.of(&[b"ab", b"c"]));
        assert_ne!(hash.of(&[b"ab", b"c"]), hash.of(&[b"a", b"bc"]));
        assert_ne!(hash.of(&[b"ab"]), KeyedHash::derive(&master, "b")?.of(&[b"ab"]));
        assert_ne!(hash.of(&[b"ab"]), KeyedHash::derive(&SecretKey::new([2; 32]), "a")?.of(&[b"ab"]));
        assert_eq!(hash.hex_of(&[b"ab"]).len(), 64);
        Ok(())
    }
}
