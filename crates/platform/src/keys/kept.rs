//! The purposes' keys in the secret store: made at the first start, rotated while everything runs, retired when nothing
//! that an old version sealed is of use any more. Version n of the secret is version n of the key; writing needs the
//! version that it replaces, so that two processes never make one version twice.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::purpose::Purpose;
use super::versions::{PurposeKey, Versions};
use crate::error::{Error, ErrorKind, Result};
use crate::seal::{self, Sealer};
use crate::secret::{Secret, SecretKey};
use crate::secrets::SecretStore;

/// Whoever has this secret has been started by a build that still derived some keys from the master key, or by a later one.
const SIGN_OF_AN_EARLIER_START: &str = "platform/keys/audit";
const FIELD: &str = "key";

/// One version, as operators see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeptVersion {
    /// Number, 1 for the first.
    pub version: u32,
    /// Since when it is there.
    pub created_at: Timestamp,
}

/// All purposes' keys. Clones share them.
#[derive(Clone)]
pub struct PurposeKeys(Arc<Inner>);

struct Inner {
    secrets: Arc<dyn SecretStore>,
    /// In the order of [`Purpose::ALL`].
    keys: [PurposeKey; Purpose::ALL.len()],
    /// One change at a time in this process; the secret store guards against others.
    changing: tokio::sync::Mutex<()>,
}

impl PurposeKeys {
    /// Reads the key of every purpose, and makes those that are missing: call it before anything else writes below
    /// `platform/keys`. In a store that an earlier build began, version 1 of a key that used to be derived from the master
    /// key is what it was, so that nothing that was sealed is lost. Errors: the secret store's.
    pub async fn open(secrets: Arc<dyn SecretStore>, master: &SecretKey) -> Result<Self> {
        let earlier = secrets.list("platform/keys").await?.iter().any(|path| path == SIGN_OF_AN_EARLIER_START);
        let mut keys = Vec::new();
        for purpose in Purpose::ALL {
            let derived = purpose.derived_before().filter(|_| earlier);
            let first = || match derived {
                Some(label) => seal::derive_key(master, label),
                None => seal::random_key(),
            };
            keys.push(PurposeKey::of(read_or_make(secrets.as_ref(), purpose, first).await?));
        }
        let keys = keys.try_into().map_err(|_| Error::internal("there is not one key for each purpose"))?;
        Ok(Self(Arc::new(Inner { secrets, keys, changing: tokio::sync::Mutex::default() })))
    }

    /// The key of a purpose.
    pub fn key(&self, purpose: Purpose) -> PurposeKey {
        self.0.keys[purpose as usize].clone()
    }

    /// Seals and opens for a purpose.
    pub fn sealer(&self, purpose: Purpose) -> Sealer {
        Sealer::new(self.key(purpose))
    }

    /// The kept versions of a purpose's key, oldest first. Errors: the secret store's.
    pub async fn versions(&self, purpose: Purpose) -> Result<Vec<KeptVersion>> {
        let found = self.0.secrets.metadata(&purpose.path()).await?;
        let kept = found.versions.iter().filter(|v| !v.destroyed && v.deleted_at.is_none());
        kept.map(|v| Ok(KeptVersion { version: number(v.version)?, created_at: v.created_at })).collect()
    }

    /// Makes a new version, which seals from now on; the kept ones still open. Returns its number. Errors:
    /// `key_versions_full`, `secret_version_mismatch` when another process rotated at the same moment, the secret store's.
    pub async fn rotate(&self, purpose: Purpose) -> Result<u32> {
        let _one = self.0.changing.lock().await;
        let (path, secrets) = (purpose.path(), self.0.secrets.as_ref());
        let found = secrets.metadata(&path).await?;
        let oldest = found.versions.iter().find(|v| !v.destroyed).map_or(found.current_version, |v| v.version);
        // The store forgets the oldest version beyond its limit; a key that still opens something must not go so.
        if found.current_version + 1 >= oldest + found.max_versions {
            return Err(Error::new(
                ErrorKind::Conflict,
                "key_versions_full",
                format!(
                    "The key `{}` has {} versions that still open something. Wait until the oldest is retired, or retire \
                     the old ones now.",
                    purpose.name(),
                    found.max_versions
                ),
            ));
        }
        secrets.put(&path, fields(&seal::random_key()?), Some(found.current_version)).await?;
        let versions = read(secrets, purpose).await?;
        let key = self.key(purpose);
        key.replace(versions);
        Ok(key.current())
    }

    /// Destroys the versions whose replacement is at least the purpose's overlap old, and returns their numbers; with
    /// `all`, every version but the current one. What they sealed does not open any more. Errors: the secret store's.
    pub async fn retire(&self, purpose: Purpose, now: Timestamp, all: bool) -> Result<Vec<u32>> {
        let _one = self.0.changing.lock().await;
        let kept = self.versions(purpose).await?;
        let ended = |replaced: &KeptVersion| {
            let overlap = purpose.overlap_s();
            all || overlap.is_some_and(|overlap| now.as_second() - replaced.created_at.as_second() >= overlap)
        };
        let retired: Vec<u32> = kept.windows(2).filter(|pair| ended(&pair[1])).map(|pair| pair[0].version).collect();
        for version in &retired {
            self.0.secrets.destroy(&purpose.path(), u64::from(*version)).await?;
        }
        if !retired.is_empty() {
            self.key(purpose).replace(read(self.0.secrets.as_ref(), purpose).await?);
        }
        Ok(retired)
    }
}

async fn read_or_make(
    secrets: &dyn SecretStore,
    purpose: Purpose,
    first: impl FnOnce() -> Result<SecretKey>,
) -> Result<Versions> {
    match read(secrets, purpose).await {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            match secrets.put(&purpose.path(), fields(&first()?), Some(0)).await {
                // Another process was first.
                Err(error) if error.kind() != ErrorKind::Conflict => return Err(error),
                _ => {}
            }
            read(secrets, purpose).await
        }
        other => other,
    }
}

async fn read(secrets: &dyn SecretStore, purpose: Purpose) -> Result<Versions> {
    let path = purpose.path();
    let mut versions = BTreeMap::new();
    for found in secrets.metadata(&path).await?.versions {
        if found.destroyed || found.deleted_at.is_some() {
            continue;
        }
        let version = secrets.get(&path, Some(found.version)).await?;
        let field = version.data.get(FIELD).ok_or_else(|| damaged(purpose))?;
        let mut good = Ok(());
        let key = SecretKey::from_bytes(|bytes| good = hex::decode_to_slice(field.expose(), bytes));
        good.map_err(|_| damaged(purpose))?;
        versions.insert(number(found.version)?, key);
    }
    Versions::of(versions).ok_or_else(|| damaged(purpose))
}

fn fields(key: &SecretKey) -> BTreeMap<String, Secret> {
    BTreeMap::from([(FIELD.to_owned(), key.to_hex())])
}

fn number(version: u64) -> Result<u32> {
    u32::try_from(version).map_err(Error::internal)
}

fn damaged(purpose: Purpose) -> Error {
    Error::new(
        ErrorKind::Internal,
        "platform_key_damaged",
        format!(
            "The key `{}` in the secret store was changed outside Interlock; restore the store from a backup.",
            purpose.name()
        ),
    )
}
