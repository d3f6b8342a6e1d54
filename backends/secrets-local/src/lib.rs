//! The secret store on one machine: `platform::secrets::SecretStore`, sealed under a master key, in one SQLite file.
//!
//! master key → HKDF-SHA256 with the file's salt → key-encryption key → wrapped data keys (`keyring`) → AES-256-GCM per
//! version, bound to path, version and key, so that a ciphertext moved elsewhere does not open. Only the sealed bytes
//! ever reach the file: field names and values stand inside them.
//!
//! Where next: [`LocalSecrets`]; `envelope` for the keys, `rekey` for how they change, `managed` for who changes them,
//! `fields` for the plaintext's form, `versions` for the rows, `kept` for those that are read again and again.

mod envelope;
mod fields;
mod kept;
mod managed;
mod paths;
mod rekey;
mod schema;
mod versions;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use platform::SharedClock;
use platform::error::Error;
use platform::secret::{Secret, SecretKey};
use platform::secrets::{SecretMetadata, SecretRules, SecretStore, SecretVersion, check_fields, check_rules};
use sqlite_file::SqliteFile;

use self::envelope::Keyring;
use self::kept::Kept;
use self::versions::{Failure, State, stored};

/// `platform::secrets::SecretStore` in a SQLite file. Clones share the file and the opened keys.
#[derive(Clone)]
pub struct LocalSecrets {
    file: SqliteFile,
    keys: Arc<ArcSwap<Keyring>>,
    kept: Arc<Kept>,
    clock: SharedClock,
}

impl LocalSecrets {
    /// Opens the store at `path` under `master`, or creates it. Blocks; call it at start.
    ///
    /// Errors: `master_key_wrong` when the file was sealed under another key (nothing is opened then),
    /// `secret_damaged`, and those of the file: `store_in_use` (T24), `store_too_new`, `store_foreign`,
    /// `store_corrupt`, `store_unavailable`.
    pub fn open(path: &Path, master: &SecretKey, clock: SharedClock) -> Result<Self, Error> {
        let now = clock.now();
        let setup = |connection: &rusqlite::Connection| envelope::open_or_create(connection, master, now);
        let (file, keys) = SqliteFile::open_with(path, schema::LAYOUT, setup).map_err(Failure::at_open)?;
        Ok(Self { file, keys: Arc::new(ArcSwap::from_pointee(keys)), kept: Arc::default(), clock })
    }

    async fn change(&self, path: &str, versions: &[u64], to: State) -> Result<(), Error> {
        let path = paths::checked(path)?;
        let versions: Vec<i64> = versions.iter().copied().map(stored).collect();
        let now = self.clock.now();
        let work = move |c: &rusqlite::Connection| versions::change(c, &path, &versions, to, now);
        self.file.write(work).await.map_err(Failure::into_error)
    }

    /// Lets another master key open the store too, until [`Self::finish_rekey`]; then only that one. Errors:
    /// `master_key_unchanged`, those of the file.
    pub async fn begin_rekey(&self, new: &SecretKey) -> Result<(), Error> {
        let (keys, new, now) = (Arc::clone(&self.keys), new.clone(), self.clock.now());
        let work = move |c: &rusqlite::Connection| rekey::begin(c, &keys.load(), &new, now);
        self.file.write(work).await.map_err(Failure::into_error)
    }

    /// Ends what [`Self::begin_rekey`] began with the same key: the former master key opens nothing any more. Errors:
    /// `master_key_wrong` when another key was marked, or none; those of the file.
    pub async fn finish_rekey(&self, new: &SecretKey) -> Result<(), Error> {
        let (new, now) = (new.clone(), self.clock.now());
        let work = move |c: &rusqlite::Connection| rekey::finish(c, &new, now);
        self.keys.store(Arc::new(self.file.write(work).await.map_err(Failure::into_error)?));
        self.forget().await
    }

    /// Makes a new data key, seals everything under it, and destroys the former ones. Returns how many versions were sealed
    /// again. Errors: `rekey_pending`, those of the file.
    pub async fn rotate_data_key(&self) -> Result<u64, Error> {
        let (keys, now) = (Arc::clone(&self.keys), self.clock.now());
        let work = move |c: &rusqlite::Connection| rekey::add_data_key(c, &keys.load(), now);
        self.keys.store(Arc::new(self.file.write(work).await.map_err(Failure::into_error)?));
        // Whatever is written from here on takes the new key: the writer's jobs run one after another.
        let keys = Arc::clone(&self.keys);
        let work = move |c: &rusqlite::Connection| rekey::reseal(c, &keys.load());
        let (resealed, keys) = self.file.write(work).await.map_err(Failure::into_error)?;
        self.keys.store(Arc::new(keys));
        self.forget().await?;
        Ok(resealed)
    }

    /// Sealed bytes are overwritten in the file; this takes their older copy out of the write-ahead log too.
    async fn forget(&self) -> Result<(), Error> {
        self.kept.forget();
        self.file.checkpoint().await.map_err(|error| Failure::from(error).into_error())
    }
}

#[async_trait]
impl SecretStore for LocalSecrets {
    async fn get(&self, path: &str, version: Option<u64>) -> Result<SecretVersion, Error> {
        let path = paths::checked(path)?;
        // The keys first: those that are in force now open what stands in the file now.
        let keys = self.keys.load_full();
        let generation = self.file.generation();
        if version.is_none()
            && let Some(row) = self.kept.find(generation, &path)
        {
            return row.open(&keys, &path).map_err(Failure::into_error);
        }
        let (keys, at) = (Arc::clone(&self.keys), path.clone());
        let work = move |c: &rusqlite::Connection| {
            let row = versions::row(c, &at, version.map(stored))?;
            Ok((row.clone().open(&keys.load(), &at)?, row))
        };
        let (found, row) = self.file.read(work).await.map_err(Failure::into_error)?;
        if version.is_none() {
            self.kept.keep(generation, path, row);
        }
        Ok(found)
    }

    async fn put(&self, path: &str, data: BTreeMap<String, Secret>, cas: Option<u64>) -> Result<u64, Error> {
        let path = paths::checked(path)?;
        check_fields(&data)?;
        let plaintext = fields::encode(&data)?;
        let keys = Arc::clone(&self.keys);
        let now = self.clock.now();
        let work =
            move |c: &rusqlite::Connection| versions::put(c, &keys.load(), &path, &plaintext, cas.map(stored), now);
        self.file.write(work).await.map_err(Failure::into_error)
    }

    async fn metadata(&self, path: &str) -> Result<SecretMetadata, Error> {
        let path = paths::checked(path)?;
        self.file.read(move |c| versions::metadata(c, path)).await.map_err(Failure::into_error)
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, Error> {
        let prefix = paths::checked_prefix(prefix)?;
        self.file.read(move |c| versions::list(c, prefix.as_deref())).await.map_err(Failure::into_error)
    }

    async fn set_rules(&self, path: &str, rules: SecretRules) -> Result<(), Error> {
        let path = paths::checked(path)?;
        check_rules(&rules)?;
        let work = move |c: &rusqlite::Connection| versions::set_rules(c, &path, &rules);
        self.file.write(work).await.map_err(Failure::into_error)
    }

    async fn delete_versions(&self, path: &str, versions: &[u64]) -> Result<(), Error> {
        self.change(path, versions, State::Deleted).await
    }

    async fn undelete_versions(&self, path: &str, versions: &[u64]) -> Result<(), Error> {
        self.change(path, versions, State::Live).await
    }

    async fn destroy_versions(&self, path: &str, versions: &[u64]) -> Result<(), Error> {
        self.change(path, versions, State::Destroyed).await?;
        self.forget().await
    }

    async fn delete_all(&self, path: &str) -> Result<(), Error> {
        let path = paths::checked(path)?;
        self.file.write(move |c| versions::delete_all(c, &path)).await.map_err(Failure::into_error)?;
        self.forget().await
    }
}

impl std::fmt::Debug for LocalSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalSecrets").field("file", &self.file).finish_non_exhaustive()
    }
}
