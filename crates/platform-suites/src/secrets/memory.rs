//! A secret store in memory that keeps the contract, in clear.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use platform::SharedClock;
use platform::error::{Error, ErrorKind};
use platform::secret::Secret;
use platform::secrets::{
    SecretMetadata, SecretRules, SecretStore, SecretVersion, VersionMetadata, check_fields, check_path, check_rules,
};

use super::MAX_VERSIONS;

/// `platform::secrets::SecretStore` in memory, in clear.
pub struct MemorySecrets {
    clock: SharedClock,
    secrets: Mutex<BTreeMap<String, Standing>>,
}

/// A secret with its rules.
struct Standing {
    current: u64,
    cas_required: bool,
    max_versions: u64,
    custom: BTreeMap<String, String>,
    kept: Vec<Kept>,
}

impl Default for Standing {
    fn default() -> Self {
        let (custom, kept) = (BTreeMap::new(), Vec::new());
        Self { current: 0, cas_required: false, max_versions: MAX_VERSIONS, custom, kept }
    }
}

#[derive(Clone)]
struct Kept {
    metadata: VersionMetadata,
    data: BTreeMap<String, Secret>,
}

impl MemorySecrets {
    /// An empty store that reads this clock.
    pub fn new(clock: SharedClock) -> Self {
        Self { clock, secrets: Mutex::new(BTreeMap::new()) }
    }

    fn secrets(&self) -> MutexGuard<'_, BTreeMap<String, Standing>> {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes all of these versions, or none.
    fn change(&self, path: &str, versions: &[u64], change: impl Fn(&mut Kept, Timestamp) -> bool) -> Result<(), Error> {
        check_path(path)?;
        let now = self.clock.now();
        let mut secrets = self.secrets();
        let standing = secrets.get_mut(path).ok_or_else(missing)?;
        let mut changed = standing.kept.clone();
        for version in versions {
            let kept = changed.iter_mut().find(|k| k.metadata.version == *version);
            if !kept.is_some_and(|kept| change(kept, now)) {
                return Err(missing());
            }
        }
        standing.kept = changed;
        Ok(())
    }
}

fn missing() -> Error {
    Error::new(ErrorKind::NotFound, "secret_not_found", "There is no such secret.")
}

fn gone(version: &VersionMetadata) -> Error {
    missing().with_details(serde_json::json!({
        "version": version.version, "created_at": version.created_at.to_string(),
        "deleted_at": version.deleted_at.map(|at| at.to_string()), "destroyed": version.destroyed,
    }))
}

#[async_trait]
impl SecretStore for MemorySecrets {
    async fn get(&self, path: &str, version: Option<u64>) -> Result<SecretVersion, Error> {
        check_path(path)?;
        let secrets = self.secrets();
        let standing = secrets.get(path).ok_or_else(missing)?;
        let wanted = version.unwrap_or(standing.current);
        let kept = standing.kept.iter().find(|k| k.metadata.version == wanted).ok_or_else(missing)?;
        let VersionMetadata { version, created_at, deleted_at, destroyed } = kept.metadata;
        if deleted_at.is_some() || destroyed {
            return Err(gone(&kept.metadata));
        }
        Ok(SecretVersion { version, data: kept.data.clone(), created_at })
    }

    async fn put(&self, path: &str, data: BTreeMap<String, Secret>, cas: Option<u64>) -> Result<u64, Error> {
        check_path(path)?;
        check_fields(&data)?;
        let created_at = self.clock.now();
        let mut secrets = self.secrets();
        let (current, cas_required) = secrets.get(path).map_or((0, false), |s| (s.current, s.cas_required));
        if cas.is_some_and(|expected| expected != current) {
            return Err(Error::new(ErrorKind::Conflict, "secret_version_mismatch", "Read the secret again."));
        }
        if cas.is_none() && cas_required {
            return Err(Error::new(ErrorKind::Conflict, "secret_version_required", "Name the version."));
        }
        let version = current + 1;
        let standing = secrets.entry(path.to_owned()).or_default();
        standing.current = version;
        let metadata = VersionMetadata { version, created_at, deleted_at: None, destroyed: false };
        standing.kept.push(Kept { metadata, data });
        let most = standing.max_versions;
        standing.kept.retain(|k| k.metadata.version + most > version);
        Ok(version)
    }

    async fn metadata(&self, path: &str) -> Result<SecretMetadata, Error> {
        check_path(path)?;
        let secrets = self.secrets();
        let standing = secrets.get(path).ok_or_else(missing)?;
        Ok(SecretMetadata {
            path: path.to_owned(),
            current_version: standing.current,
            cas_required: standing.cas_required,
            max_versions: standing.max_versions,
            custom: standing.custom.clone(),
            versions: standing.kept.iter().map(|k| k.metadata.clone()).collect(),
        })
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, Error> {
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        if !prefix.is_empty() {
            check_path(prefix)?;
        }
        let below =
            |path: &&String| prefix.is_empty() || path.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('/'));
        Ok(self.secrets().keys().filter(below).cloned().collect())
    }

    async fn set_rules(&self, path: &str, rules: SecretRules) -> Result<(), Error> {
        check_path(path)?;
        check_rules(&rules)?;
        let mut secrets = self.secrets();
        let standing = secrets.entry(path.to_owned()).or_default();
        standing.cas_required = rules.cas_required.unwrap_or(standing.cas_required);
        standing.max_versions = rules.max_versions.unwrap_or(standing.max_versions);
        if let Some(custom) = rules.custom {
            standing.custom = custom;
        }
        Ok(())
    }

    async fn delete_versions(&self, path: &str, versions: &[u64]) -> Result<(), Error> {
        self.change(path, versions, |kept, now| {
            kept.metadata.deleted_at.get_or_insert(now);
            true
        })
    }

    async fn undelete_versions(&self, path: &str, versions: &[u64]) -> Result<(), Error> {
        self.change(path, versions, |kept, _| {
            kept.metadata.deleted_at = None;
            !kept.metadata.destroyed
        })
    }

    async fn destroy_versions(&self, path: &str, versions: &[u64]) -> Result<(), Error> {
        self.change(path, versions, |kept, _| {
            kept.metadata.destroyed = true;
            kept.data.clear();
            true
        })
    }

    async fn delete_all(&self, path: &str) -> Result<(), Error> {
        check_path(path)?;
        self.secrets().remove(path).map(drop).ok_or_else(missing)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::MemorySecrets;

    #[tokio::test]
    async fn the_secrets_in_memory_keep_the_contract() {
        crate::secrets::suite(|clock| Arc::new(MemorySecrets::new(clock))).await;
    }
}
