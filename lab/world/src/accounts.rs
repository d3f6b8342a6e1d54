//! The accounts of one simulated system: who may sign in, and with which password. Scripts add and remove them at the
//! lab's admin door, as an administrator of the real system would; a file keeps them for the next start.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{PoisonError, RwLock};

use platform::{Secret, private_file};

/// Accounts by name.
pub struct Accounts {
    file: Option<PathBuf>,
    known: RwLock<BTreeMap<String, Secret>>,
}

impl Accounts {
    /// One account, in memory only.
    pub fn one(username: &str, password: Secret) -> Self {
        Self { file: None, known: RwLock::new(BTreeMap::from([(username.to_owned(), password)])) }
    }

    /// The accounts that a file keeps; the first start has one.
    ///
    /// # Errors
    /// The file's.
    pub fn open(file: PathBuf, username: &str, password: Secret) -> std::io::Result<Self> {
        let known = match std::fs::read(&file) {
            Ok(bytes) => serde_json::from_slice(&bytes)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                BTreeMap::from([(username.to_owned(), password)])
            }
            Err(error) => return Err(error),
        };
        Ok(Self { file: Some(file), known: RwLock::new(known) })
    }

    /// Whether these sign somebody in.
    pub fn accepts(&self, username: &str, password: &str) -> bool {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.get(username).is_some_and(|known| known.expose() == password)
    }

    /// Whether there is such an account.
    pub fn has(&self, username: &str) -> bool {
        self.known.read().unwrap_or_else(PoisonError::into_inner).contains_key(username)
    }

    /// Names, sorted.
    pub fn names(&self) -> Vec<String> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    /// Gives an account a password, or removes it. Sessions of an account live on under a new password, and end with it.
    ///
    /// # Errors
    /// The file's; then nothing has changed.
    pub fn set(&self, username: &str, password: Option<Secret>) -> std::io::Result<()> {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let mut next = known.clone();
        match password {
            Some(password) => drop(next.insert(username.to_owned(), password)),
            None => drop(next.remove(username)),
        }
        if let Some(file) = &self.file {
            let shown: BTreeMap<&str, &str> = next.iter().map(|(name, p)| (name.as_str(), p.expose())).collect();
            private_file::write(file, &serde_json::to_vec(&shown)?)?;
        }
        *known = next;
        Ok(())
    }
}
