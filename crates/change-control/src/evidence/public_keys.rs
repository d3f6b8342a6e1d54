//! The public halves of the key `changes`, as they are kept in a file: 32 bytes in base64 a line, the current one first. A platform
//! writes them where an operator finds them, at each start and at each rotation; whoever verifies has a copy that was kept elsewhere.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use platform::keys::{KeyReport, ManagedKey, PublicKey, Rotated, Rotation};
use platform::{Error, ErrorKind, Result, private_file};

use crate::gate::keys::GrantKeys;

/// The file below the state folder.
pub const KEYS_FILE: &str = "changes.pub";

/// Everybody may read what is public; the folder has its own rule.
const MODE: u32 = 0o644;

/// Writes the public halves down, and again whenever the key is rotated by what is handed back, which is for `interlock keys`. Error:
/// the file cannot be written.
pub fn published(state: &Path, keys: &GrantKeys) -> Result<Arc<dyn ManagedKey>> {
    publish(state, keys)?;
    Ok(Arc::new(Published { state: state.to_owned(), keys: keys.clone(), key: keys.managed() }))
}

fn publish(state: &Path, keys: &GrantKeys) -> Result<()> {
    let text: String = keys.public_keys().into_iter().map(|key| format!("{}\n", key.key)).collect();
    private_file::write_as(&state.join(KEYS_FILE), text.as_bytes(), MODE).map_err(Error::internal)
}

/// The key `changes`, whose public halves stand in a file.
struct Published {
    state: PathBuf,
    keys: GrantKeys,
    key: Arc<dyn ManagedKey>,
}

#[async_trait]
impl ManagedKey for Published {
    fn name(&self) -> &'static str {
        self.key.name()
    }

    async fn report(&self) -> Result<KeyReport> {
        self.key.report().await
    }

    async fn rotate(&self, rotation: &Rotation) -> Result<Rotated> {
        let mut rotated = self.key.rotate(rotation).await?;
        // The new key is in force, whatever becomes of the file.
        if let Err(error) = publish(&self.state, &self.keys) {
            tracing::error!(error.message = error.detail(), "the public keys of changes could not be written");
            let left =
                format!("`{KEYS_FILE}` could not be written and still has the old keys; the next start writes it.");
            rotated.note = Some(rotated.note.map_or(left.clone(), |note| format!("{note} {left}")));
        }
        Ok(rotated)
    }
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
