//! Evidence of changes, checked without a server: by public keys of the platform, by keys and anchors of its audit log. A key that
//! lies beside the archive is a lab's, and the report says so (T25).

use std::path::{Path, PathBuf};

use change_control::GrantKeys;
use change_control::evidence::verify::{Judged, Trust, verify as examine};
use platform::keys::PublicKey;
use platform::{Error, ErrorKind, Result};

pub use change_control::evidence::verify::{Checked, Outcome, Verification};

use super::audit::{VerifyOptions, check_proof};

/// Most bytes of an archive.
pub const MAX_BYTES: usize = platform::artifacts::MAX_BYTES;
/// Where a platform writes the public halves of its key `changes`, below its state folder: one a line, the current one first.
const KEYS_FILE: &str = "changes.pub";

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
            None => self.keys.extend(keys_in(Path::new(text))?),
        }
        Ok(())
    }

    /// Adds the keys that a lab keeps in its state folder: nobody else vouches for them. Error: `evidence_key_invalid`.
    pub fn keys_beside(&mut self, state: &Path) -> Result<()> {
        self.keys.extend(keys_in(&state.join(KEYS_FILE))?);
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

/// Writes the public halves down where an operator finds them: to be kept elsewhere. Error: the file cannot be written.
pub(crate) fn publish_keys(state: &Path, keys: &GrantKeys) -> Result<PathBuf> {
    let file = state.join(KEYS_FILE);
    let text: String = keys.public_keys().into_iter().map(|key| format!("{}\n", key.key)).collect();
    std::fs::write(&file, text).map_err(Error::internal)?;
    Ok(file)
}

fn keys_in(file: &Path) -> Result<Vec<PublicKey>> {
    let invalid = || {
        let message = format!(
            "`{}` is no public key (32 bytes in base64) and no file of them. A platform writes its keys to `{KEYS_FILE}` in \
             its state folder; keep a copy elsewhere and name that.",
            file.display()
        );
        Error::new(ErrorKind::InvalidInput, "evidence_key_invalid", message)
    };
    let text = std::fs::read_to_string(file).map_err(|e| invalid().with_detail(e))?;
    let keys: Option<Vec<PublicKey>> =
        text.lines().map(str::trim).filter(|line| !line.is_empty()).map(PublicKey::parse).collect();
    keys.filter(|keys| !keys.is_empty()).ok_or_else(invalid)
}
