//! Evidence of changes, checked without a server: by public keys of the platform, by keys and anchors of its audit log. A key that
//! lies beside the archive is a lab's, and the report says so (T25).

use std::path::Path;

use change_control::evidence::key_file;
use change_control::evidence::verify::{Judged, Trust, verify as examine};
use platform::keys::PublicKey;
use platform::{Error, Result};

pub use change_control::evidence::verify::{Checked, Outcome, Verification};

use super::audit::{VerifyOptions, check_proof};

/// Most bytes of an archive.
pub const MAX_BYTES: usize = platform::artifacts::MAX_BYTES;

/// What a verification relies on.
#[derive(Default)]
pub struct Reliance {
    keys: Vec<PublicKey>,
    self_attested: bool,
    /// Keys and anchors of the audit log.
    pub audit: VerifyOptions,
}

impl Reliance {
    /// Adds a public key as it is typed, or those of a file. Error: `evidence_key_invalid`.
    pub fn key(&mut self, text: &str) -> Result<()> {
        match PublicKey::parse(text) {
            Some(key) => self.keys.push(key),
            None => self.keys.extend(key_file::read(Path::new(text))?),
        }
        Ok(())
    }

    /// Adds the keys that a lab keeps in its state folder: nobody else vouches for them. Error: `evidence_key_invalid`.
    pub fn keys_beside(&mut self, state: &Path) -> Result<()> {
        self.keys.extend(key_file::read(&key_file::beside(state))?);
        self.self_attested = true;
        Ok(())
    }

    /// Whether anything is relied on.
    pub fn relies(&self) -> bool {
        let VerifyOptions { public_keys, countersigners, anchors, .. } = &self.audit;
        !(self.keys.is_empty() && public_keys.is_empty() && countersigners.is_empty() && anchors.is_empty())
    }
}

/// Verifies an archive.
pub fn verify(archive: &[u8], reliance: &Reliance) -> Verification {
    let VerifyOptions { public_keys, countersigners, anchors, .. } = &reliance.audit;
    let of_log = !(public_keys.is_empty() && countersigners.is_empty() && anchors.is_empty());
    let judge = |document: &str| {
        let shown =
            check_proof(document, &reliance.audit, None).map_err(|fault| Error::from(fault).message().to_owned())?;
        Ok(shown.into_iter().map(|shown| Judged { holds: shown.ok, message: shown.message }).collect())
    };
    let trust = Trust {
        keys: reliance.keys.clone(),
        self_attested: reliance.self_attested,
        audit: if of_log { Some(&judge) } else { None },
    };
    examine(archive, &trust)
}
