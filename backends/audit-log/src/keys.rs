//! The log's two keys (T28): an Ed25519 key that signs checkpoints, and the key of the arguments' HMAC (T26). Both are
//! handed in; nothing here reads a file. Next: [`crate::checkpoint`].

use std::fmt;

use aws_lc_rs::hmac;
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use platform::secret::{Secret, SecretKey};
use zeroize::Zeroizing;

use crate::error::AuditFault;

/// The keys of one log.
#[derive(Debug, Clone)]
pub struct AuditKeys {
    /// Ed25519 private key, PKCS#8 DER (RFC 8410) in standard base64.
    pub signing: Secret,
    /// Key of the HMAC-SHA256 over canonical arguments.
    pub hmac: SecretKey,
}

impl AuditKeys {
    /// New random keys.
    pub fn generate() -> Result<Self, AuditFault> {
        let random = SystemRandom::new();
        let document =
            Ed25519KeyPair::generate_pkcs8(&random).map_err(|_| AuditFault::Key("no Ed25519 key was made"))?;
        let mut mac = [0; 32];
        random.fill(&mut mac).map_err(|_| AuditFault::Key("no random bytes for the HMAC key"))?;
        Ok(Self { signing: Secret::new(STANDARD.encode(document.as_ref())), hmac: SecretKey::new(mac) })
    }

    /// The public half of the signing key: what an auditor keeps away from the log.
    pub fn public_key(&self) -> Result<PublicKey, AuditFault> {
        Ok(PublicKey::of(&self.pair()?))
    }

    pub(crate) fn pair(&self) -> Result<Ed25519KeyPair, AuditFault> {
        pair_of(&self.signing)
    }

    pub(crate) fn arguments_key(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, self.hmac.expose())
    }
}

/// The pair of a private key: PKCS#8 DER in standard base64.
pub(crate) fn pair_of(signing: &Secret) -> Result<Ed25519KeyPair, AuditFault> {
    let der = Zeroizing::new(
        STANDARD
            .decode(signing.expose().trim())
            .map_err(|_| AuditFault::Key("the key is not base64 of a PKCS#8 document"))?,
    );
    Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der)
        .map_err(|_| AuditFault::Key("the key is no Ed25519 key in PKCS#8 form"))
}

/// The public key of a log, alone or as a C2SP verifier key (`<origin>+<key hash>+<base64>`), which also binds it to
/// one log's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    /// The log that it belongs to, where that is known.
    pub origin: Option<String>,
    /// The 32 bytes of RFC 8032.
    pub bytes: [u8; 32],
}

impl PublicKey {
    pub(crate) fn of(pair: &Ed25519KeyPair) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(pair.public_key().as_ref());
        Self { origin: None, bytes }
    }

    /// The same key, bound to a log's origin.
    #[must_use]
    pub fn named(&self, origin: &str) -> Self {
        Self { origin: Some(origin.to_owned()), bytes: self.bytes }
    }

    /// The first four bytes of `SHA256(name || "\n" || 0x01 || key)`: how a signature line names its key (C2SP
    /// signed-note).
    pub fn key_hash(&self, origin: &str) -> [u8; 4] {
        let mut text = Vec::with_capacity(origin.len() + 34);
        text.extend_from_slice(origin.as_bytes());
        text.extend_from_slice(b"\n\x01");
        text.extend_from_slice(&self.bytes);
        let hash = platform::canonical::sha256(&text);
        [hash[0], hash[1], hash[2], hash[3]]
    }

    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.bytes).verify(message, signature).is_ok()
    }

    /// Reads a verifier key, or the bare key as 64 hexadecimal digits or as base64 of its 32 bytes.
    pub fn parse(text: &str) -> Result<Self, AuditFault> {
        const NO_KEY: AuditFault = AuditFault::Key("this is neither a verifier key nor an Ed25519 public key");
        let text = text.trim();
        if let Some(bytes) = hex::decode(text).ok().and_then(|b| <[u8; 32]>::try_from(b).ok()) {
            return Ok(Self { origin: None, bytes });
        }
        if let Some(bytes) = STANDARD.decode(text).ok().and_then(|b| <[u8; 32]>::try_from(b).ok()) {
            return Ok(Self { origin: None, bytes });
        }
        // The name has no plus sign; the base64 at the end may.
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(hash), Some(encoded)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NO_KEY);
        };
        let decoded = STANDARD.decode(encoded).map_err(|_| NO_KEY)?;
        let Some((1, key)) = decoded.split_first().map(|(kind, key)| (*kind, key)) else { return Err(NO_KEY) };
        let bytes = <[u8; 32]>::try_from(key).map_err(|_| NO_KEY)?;
        let key = Self { origin: Some(name.to_owned()), bytes };
        if hash != hex::encode(key.key_hash(name)) {
            return Err(AuditFault::Key("the verifier key's hash does not fit its name and key"));
        }
        Ok(key)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            None => f.write_str(&STANDARD.encode(self.bytes)),
            Some(origin) => {
                let mut typed = vec![1];
                typed.extend_from_slice(&self.bytes);
                write!(f, "{origin}+{}+{}", hex::encode(self.key_hash(origin)), STANDARD.encode(typed))
            }
        }
    }
}
