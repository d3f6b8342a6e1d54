//! The public halves of the key `changes`, as they are kept in a file: 32 bytes in base64 a line, the current one first. A platform
//! writes them where an operator finds them; whoever verifies has a copy that was kept elsewhere.

use std::path::Path;

use platform::keys::PublicKey;
use platform::{Error, ErrorKind, Result};

use crate::gate::keys::GrantKeys;

/// The file below the state folder.
pub const KEYS_FILE: &str = "changes.pub";

/// Writes the public halves down. Error: the file cannot be written.
pub fn publish(state: &Path, keys: &GrantKeys) -> Result<()> {
    let text: String = keys.public_keys().into_iter().map(|key| format!("{}\n", key.key)).collect();
    std::fs::write(state.join(KEYS_FILE), text).map_err(Error::internal)
}

/// A public key as it is typed, or those of the file of this name. Error: `evidence_key_invalid`.
pub fn read(text: &str) -> Result<Vec<PublicKey>> {
    match PublicKey::parse(text) {
        Some(key) => Ok(vec![key]),
        None => of_file(Path::new(text)),
    }
}

/// The keys that a platform wrote into its state folder. Error: `evidence_key_invalid`.
pub fn beside(state: &Path) -> Result<Vec<PublicKey>> {
    of_file(&state.join(KEYS_FILE))
}

fn of_file(file: &Path) -> Result<Vec<PublicKey>> {
    let invalid = || {
        let message = format!(
            "`{}` is no public key (32 bytes in base64) and no file of them. A platform writes its keys to `{KEYS_FILE}` in \
             its state folder; keep a copy elsewhere and name that.",
            file.display()
        );
        Error::new(ErrorKind::InvalidInput, "evidence_key_invalid", message)
    };
    let text = std::fs::read_to_string(file).map_err(|e| invalid().with_detail(e))?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let keys: Option<Vec<PublicKey>> = lines.map(PublicKey::parse).collect();
    keys.filter(|keys| !keys.is_empty()).ok_or_else(invalid)
}
