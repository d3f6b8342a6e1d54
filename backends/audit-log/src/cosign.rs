//! The countersignature of a checkpoint: a C2SP `cosignature/v1` (<https://c2sp.org/tlog-cosignature>) by a key that no log
//! has. It says that the countersigner saw this tree as an extension of every tree it signed before. Next:
//! [`crate::registry`], which signs only then.

use std::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use platform::secret::Secret;

use crate::checkpoint::SignedCheckpoint;
use crate::error::AuditFault;
use crate::keys::{PublicKey, pair_of};

/// The name under which countersignatures stand.
pub const COSIGNER: &str = "interlock.countersign";

// Type of the signature in the key's hash and in the verifier key.
const COSIGNATURE: u8 = 4;

/// The countersigning key.
pub struct Cosigner {
    pair: Ed25519KeyPair,
    key: CosignerKey,
}

impl Cosigner {
    /// A new private key, as [`Self::new`] takes it.
    pub fn generate() -> Result<Secret, AuditFault> {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
            .map_err(|_| AuditFault::Key("no Ed25519 key was made"))?;
        Ok(Secret::new(STANDARD.encode(document.as_ref())))
    }

    /// Takes an Ed25519 private key: PKCS#8 DER (RFC 8410) in standard base64.
    pub fn new(signing: &Secret) -> Result<Self, AuditFault> {
        let pair = pair_of(signing)?;
        let key = CosignerKey { bytes: PublicKey::of(&pair).bytes };
        Ok(Self { pair, key })
    }

    /// Its public half: what an auditor keeps away from the platform.
    pub fn key(&self) -> &CosignerKey {
        &self.key
    }

    /// The note with a countersignature of that time under its signatures.
    pub(crate) fn sign(&self, note: &str, signed: &SignedCheckpoint, at: Timestamp) -> String {
        let seconds = u64::try_from(at.as_second()).unwrap_or(0);
        let mut blob = self.key.hash().to_vec();
        blob.extend_from_slice(&seconds.to_be_bytes());
        blob.extend_from_slice(self.pair.sign(&message(seconds, &signed.text)).as_ref());
        format!("{note}\u{2014} {COSIGNER} {}\n", STANDARD.encode(blob))
    }
}

impl fmt::Debug for Cosigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cosigner").field(&self.key.to_string()).finish()
    }
}

fn message(seconds: u64, text: &str) -> Vec<u8> {
    format!("cosignature/v1\ntime {seconds}\n{text}").into_bytes()
}

/// The public key of a countersigner. Its text form is the C2SP verifier key
/// `interlock.countersign+<key hash>+<base64 of 0x04 and the key>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CosignerKey {
    /// The 32 bytes of RFC 8032.
    pub bytes: [u8; 32],
}

impl CosignerKey {
    /// The first four bytes of `SHA256(name || "\n" || 0x04 || key)`.
    fn hash(&self) -> [u8; 4] {
        let mut text = format!("{COSIGNER}\n").into_bytes();
        text.push(COSIGNATURE);
        text.extend_from_slice(&self.bytes);
        let hash = platform::canonical::sha256(&text);
        [hash[0], hash[1], hash[2], hash[3]]
    }

    /// Reads a verifier key of a countersigner. `None` when the text is none.
    pub fn parse(text: &str) -> Option<Self> {
        let (hash, encoded) = text.trim().strip_prefix(COSIGNER)?.strip_prefix('+')?.split_once('+')?;
        let typed = STANDARD.decode(encoded).ok()?;
        let (kind, bytes) = typed.split_first()?;
        let key = Self { bytes: bytes.try_into().ok()? };
        (*kind == COSIGNATURE && hash == hex::encode(key.hash())).then_some(key)
    }
}

impl fmt::Display for CosignerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut typed = vec![COSIGNATURE];
        typed.extend_from_slice(&self.bytes);
        write!(f, "{COSIGNER}+{}+{}", hex::encode(self.hash()), STANDARD.encode(typed))
    }
}

/// What a note's countersignature turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CosignatureState {
    /// By this key, at this second since the epoch.
    Good(u64),
    /// Names this key and does not verify.
    Bad,
    /// There is none by this key.
    Missing,
}

impl SignedCheckpoint {
    /// Judges the countersignature of this note under `key`.
    pub fn countersigned_by(&self, key: &CosignerKey) -> CosignatureState {
        let hash = key.hash();
        let blob = self.signatures.iter().find(|(name, h, _)| name == COSIGNER && *h == hash);
        let Some((_, _, blob)) = blob else { return CosignatureState::Missing };
        let Some((seconds, signature)) = blob.split_first_chunk::<8>() else { return CosignatureState::Bad };
        let seconds = u64::from_be_bytes(*seconds);
        let bare = PublicKey { origin: None, bytes: key.bytes };
        if bare.verifies(&message(seconds, &self.text), signature) {
            CosignatureState::Good(seconds)
        } else {
            CosignatureState::Bad
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{CosignatureState, Cosigner, CosignerKey};
    use crate::checkpoint::{Checkpoint, SignatureState, SignedCheckpoint};
    use crate::keys::AuditKeys;

    #[test]
    fn t25_a_countersignature_is_over_the_note_and_its_time_and_leaves_the_logs_own() {
        let keys = AuditKeys::generate().unwrap();
        let cosigner = Cosigner::new(&Cosigner::generate().unwrap()).unwrap();
        let checkpoint = Checkpoint { origin: "interlock.audit/a".into(), size: 3, root: [1; 32], chain: [2; 32] };
        let note = checkpoint.sign(&keys.pair().unwrap());
        let signed = SignedCheckpoint::parse(&note).unwrap();
        assert_eq!(signed.countersigned_by(cosigner.key()), CosignatureState::Missing);
        let both = cosigner.sign(&note, &signed, Timestamp::from_second(1_700_000_000).unwrap());
        let signed = SignedCheckpoint::parse(&both).unwrap();
        assert_eq!(signed.judge(&keys.public_key().unwrap()), SignatureState::Good);
        assert_eq!(signed.countersigned_by(cosigner.key()), CosignatureState::Good(1_700_000_000));
        let other = SignedCheckpoint::parse(&both.replace("\n3\n", "\n4\n")).unwrap();
        assert_eq!(other.countersigned_by(cosigner.key()), CosignatureState::Bad);
        let stranger = Cosigner::new(&Cosigner::generate().unwrap()).unwrap();
        assert_eq!(signed.countersigned_by(stranger.key()), CosignatureState::Missing);
        let shown = cosigner.key().to_string();
        assert_eq!(CosignerKey::parse(&shown).as_ref(), Some(cosigner.key()));
        assert_eq!(CosignerKey::parse(&shown.replace("countersign+", "countersign+0")), None);
    }
}
