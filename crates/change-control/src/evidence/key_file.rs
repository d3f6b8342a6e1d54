//! The file in which a platform leaves the public halves of its key `changes`: one a line, the current one first. To be kept
//! elsewhere, because evidence is checked with what does not lie beside it.

use std::path::{Path, PathBuf};

use platform::keys::PublicKey;
use platform::{Error, ErrorKind, Result};

use crate::gate::keys::GrantKeys;

const NAME: &str = "changes.pub";

/// Where it is in a state folder.
pub fn beside(state: &Path) -> PathBuf {
    state.join(NAME)
}

/// Writes it. Error: the file cannot be written.
pub fn write(state: &Path, keys: &GrantKeys) -> Result<()> {
    let text: String = keys.public_keys().into_iter().map(|key| format!("{}\n", key.key)).collect();
    std::fs::write(beside(state), text).map_err(Error::internal)
}

/// Reads one, wherever it was kept. Error: `evidence_key_invalid`.
pub fn read(file: &Path) -> Result<Vec<PublicKey>> {
    let invalid = || {
        let message = format!(
            "`{}` is no public key (32 bytes in base64) and no file of them. A platform writes its keys to `{NAME}` in its state \
             folder; keep a copy elsewhere and name that.",
            file.display()
        );
        Error::new(ErrorKind::InvalidInput, "evidence_key_invalid", message)
    };
    let text = std::fs::read_to_string(file).map_err(|e| invalid().with_detail(e))?;
    let keys: Option<Vec<PublicKey>> =
        text.lines().map(str::trim).filter(|line| !line.is_empty()).map(PublicKey::parse).collect();
    keys.filter(|keys| !keys.is_empty()).ok_or_else(invalid)
}
