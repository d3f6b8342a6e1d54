//! Secrets that cannot be printed: no `Display`, a `Debug` that shows nothing, no `Serialize`, and memory that is
//! overwritten on drop. The only way to the text is [`Secret::expose`], which reads well in a review.

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

/// A secret text: password, token, key, credential field.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Secret(String);

impl Secret {
    /// Takes ownership of the text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the wire and nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

/// Reads a secret out of a configuration file or a wire message; there is no way back.
impl<'de> serde::Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}

/// A 256-bit key. Its bytes stand in one place on the heap, so that moving the key leaves no copy of them behind.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SecretKey(Box<[u8; 32]>);

impl SecretKey {
    /// Takes the bytes over.
    pub fn new(mut bytes: [u8; 32]) -> Self {
        let key = Self::from_bytes(|place| place.copy_from_slice(&bytes));
        bytes.zeroize();
        key
    }

    /// A key whose bytes `fill` writes where they will stand.
    pub fn from_bytes(fill: impl FnOnce(&mut [u8; 32])) -> Self {
        let mut key = Self(Box::new([0; 32]));
        fill(&mut key.0);
        key
    }

    /// The bytes, for a cipher or a MAC and nothing else.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// As 64 hexadecimal digits, to be kept in a secret store.
    pub fn to_hex(&self) -> Secret {
        Secret::new(hex::encode(self.0.as_slice()))
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::{Secret, SecretKey};

    #[test]
    fn debug_output_shows_nothing_of_the_secret() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "Secret(***)");
        assert_eq!(format!("{:?}", SecretKey::new([7; 32])), "SecretKey(***)");
    }
}
