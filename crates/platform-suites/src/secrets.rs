//! The contract of `platform::secrets::SecretStore`: [`suite`], and [`MemorySecrets`], which keeps it without a disk.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use platform::SharedClock;
use platform::clock::AdjustableClock;
use platform::error::{Error, ErrorKind};
use platform::secret::Secret;
use platform::secrets::{SecretMetadata, SecretStore, SecretVersion, VersionMetadata};

/// Versions that are kept of each secret unless somebody says otherwise, as in KV v2.
const MAX_VERSIONS: u64 = 10;

/// Runs every rule of the contract. `factory` makes an empty store that reads this clock.
pub async fn suite(factory: impl Fn(SharedClock) -> Arc<dyn SecretStore>) {
    let fresh = || factory(Arc::new(AdjustableClock::default()));
    versions_count_up_and_guard_writes(&*fresh()).await;
    deleted_versions_come_back_and_destroyed_ones_do_not(&*fresh()).await;
    old_versions_go(&*fresh()).await;
    paths_are_checked_and_listed(&*fresh()).await;
}

fn fields(value: &str) -> BTreeMap<String, Secret> {
    [("username".to_owned(), Secret::new("svc")), ("password".to_owned(), Secret::new(value))].into()
}

async fn password(store: &dyn SecretStore, path: &str, version: Option<u64>) -> Result<(u64, String), String> {
    let found = store.get(path, version).await.map_err(|error| error.code().to_owned())?;
    assert_eq!(found.data.len(), 2);
    Ok((found.version, found.data["password"].expose().to_owned()))
}

fn code<T: std::fmt::Debug>(answer: Result<T, Error>) -> (ErrorKind, String) {
    let error = answer.unwrap_err();
    (error.kind(), error.code().to_owned())
}

fn not_found() -> (ErrorKind, String) {
    (ErrorKind::NotFound, "secret_not_found".to_owned())
}

async fn versions_count_up_and_guard_writes(s: &dyn SecretStore) {
    let mismatch = (ErrorKind::Conflict, "secret_version_mismatch".to_owned());
    assert_eq!(code(s.get("api/a", None).await), not_found());
    assert_eq!(code(s.metadata("api/a").await), not_found());
    assert_eq!(code(s.put("api/a", fields("x"), Some(1)).await), mismatch);
    assert_eq!(s.put("api/a", fields("one"), Some(0)).await.unwrap(), 1);
    assert_eq!(code(s.put("api/a", fields("x"), Some(0)).await), mismatch);
    assert_eq!(s.put("api/a", fields("two"), Some(1)).await.unwrap(), 2);
    assert_eq!(code(s.put("api/a", fields("x"), Some(1)).await), mismatch);
    assert_eq!(s.put("api/a", fields("three"), None).await.unwrap(), 3);
    assert_eq!(password(s, "api/a", None).await, Ok((3, "three".to_owned())));
    assert_eq!(password(s, "api/a", Some(1)).await, Ok((1, "one".to_owned())));
    assert_eq!(code(s.get("api/a", Some(4)).await), not_found());
    assert_eq!(code(s.get("api/a", Some(0)).await), not_found());
    let metadata = s.metadata("api/a").await.unwrap();
    assert_eq!((metadata.path.as_str(), metadata.current_version, metadata.cas_required), ("api/a", 3, false));
    assert_eq!(metadata.versions.iter().map(|v| v.version).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(metadata.versions.iter().all(|v| v.deleted_at.is_none() && !v.destroyed));
    assert_eq!(metadata.versions[2].created_at, s.get("api/a", None).await.unwrap().created_at);
    assert_eq!(s.put("api/none", BTreeMap::new(), None).await.unwrap(), 1);
    assert!(s.get("api/none", None).await.unwrap().data.is_empty());
}

async fn deleted_versions_come_back_and_destroyed_ones_do_not(s: &dyn SecretStore) {
    s.put("api/a", fields("one"), None).await.unwrap();
    s.put("api/a", fields("two"), None).await.unwrap();
    s.delete("api/a", 2).await.unwrap();
    s.delete("api/a", 2).await.unwrap();
    assert_eq!(code(s.get("api/a", None).await), not_found());
    assert_eq!(code(s.get("api/a", Some(2)).await), not_found());
    assert_eq!(password(s, "api/a", Some(1)).await, Ok((1, "one".to_owned())));
    assert!(s.metadata("api/a").await.unwrap().versions[1].deleted_at.is_some());
    // A deleted version still counts as the current one.
    assert_eq!(code(s.put("api/a", fields("x"), Some(0)).await).1, "secret_version_mismatch");
    s.undelete("api/a", 2).await.unwrap();
    assert_eq!(password(s, "api/a", None).await, Ok((2, "two".to_owned())));
    s.destroy("api/a", 1).await.unwrap();
    s.destroy("api/a", 1).await.unwrap();
    assert_eq!(code(s.get("api/a", Some(1)).await), not_found());
    assert_eq!(code(s.undelete("api/a", 1).await), not_found());
    let metadata = s.metadata("api/a").await.unwrap();
    assert!(metadata.versions[0].destroyed && !metadata.versions[1].destroyed);
    for path in ["api/a", "api/b"] {
        assert_eq!(code(s.delete(path, 9).await), not_found());
        assert_eq!(code(s.undelete(path, 9).await), not_found());
        assert_eq!(code(s.destroy(path, 9).await), not_found());
    }
}

async fn old_versions_go(s: &dyn SecretStore) {
    for number in 1..=MAX_VERSIONS + 2 {
        assert_eq!(s.put("api/a", fields(&number.to_string()), Some(number - 1)).await.unwrap(), number);
    }
    assert_eq!(code(s.get("api/a", Some(2)).await), not_found());
    assert_eq!(password(s, "api/a", Some(3)).await, Ok((3, "3".to_owned())));
    let metadata = s.metadata("api/a").await.unwrap();
    assert_eq!((metadata.max_versions, metadata.versions.len() as u64), (MAX_VERSIONS, MAX_VERSIONS));
}

async fn paths_are_checked_and_listed(s: &dyn SecretStore) {
    let (longest, too_long) = ("a".repeat(256), "a".repeat(257));
    for path in ["", "/", "/a", "a/", "a//b", "a/../b", ".", "a b", "ä", "a|b", "a%2Fb", "a\0", too_long.as_str()] {
        let invalid = (ErrorKind::InvalidInput, "secret_path_invalid".to_owned());
        assert_eq!(code(s.get(path, None).await), invalid, "{path}");
        assert_eq!(code(s.put(path, fields("x"), None).await), invalid, "{path}");
        assert_eq!(code(s.metadata(path).await), invalid, "{path}");
        assert_eq!(code(s.delete(path, 1).await), invalid, "{path}");
    }
    for path in ["api/b", "api/a", "api-old/c", "api/a/x", "api", "z..z/_-.", longest.as_str()] {
        s.put(path, fields("x"), None).await.unwrap();
    }
    let all = ["aa", "api", "api-old/c", "api/a", "api/a/x", "api/b", "z..z/_-."].map(|p| p.replace("aa", &longest));
    assert_eq!(s.list("").await.unwrap(), all);
    assert_eq!(s.list("api").await.unwrap(), ["api/a", "api/a/x", "api/b"]);
    assert_eq!(s.list("api/").await.unwrap(), ["api/a", "api/a/x", "api/b"]);
    assert_eq!(s.list("api/a").await.unwrap(), ["api/a/x"]);
    assert!(s.list("nothing").await.unwrap().is_empty());
    assert_eq!(code(s.list("a/../b").await).1, "secret_path_invalid");
}

/// `platform::secrets::SecretStore` in memory, in clear.
pub struct MemorySecrets {
    clock: SharedClock,
    secrets: Mutex<BTreeMap<String, Vec<Kept>>>,
}

struct Kept {
    metadata: VersionMetadata,
    data: BTreeMap<String, Secret>,
}

impl MemorySecrets {
    /// An empty store that reads this clock.
    pub fn new(clock: SharedClock) -> Self {
        Self { clock, secrets: Mutex::new(BTreeMap::new()) }
    }

    fn secrets(&self) -> MutexGuard<'_, BTreeMap<String, Vec<Kept>>> {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, path: &str, version: u64, change: impl FnOnce(&mut Kept, Timestamp) -> bool) -> Result<(), Error> {
        check(path)?;
        let now = self.clock.now();
        let mut secrets = self.secrets();
        let kept = secrets.get_mut(path).and_then(|kept| kept.iter_mut().find(|k| k.metadata.version == version));
        if kept.is_some_and(|kept| change(kept, now)) { Ok(()) } else { Err(missing()) }
    }
}

fn missing() -> Error {
    Error::new(ErrorKind::NotFound, "secret_not_found", "There is no such secret.")
}

fn check(path: &str) -> Result<(), Error> {
    let letter = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let bad = |segment: &str| ["", ".", ".."].contains(&segment) || !segment.chars().all(letter);
    if path.len() > 256 || path.split('/').any(bad) {
        return Err(Error::new(ErrorKind::InvalidInput, "secret_path_invalid", "The path is not acceptable."));
    }
    Ok(())
}

#[async_trait]
impl SecretStore for MemorySecrets {
    async fn get(&self, path: &str, version: Option<u64>) -> Result<SecretVersion, Error> {
        check(path)?;
        let secrets = self.secrets();
        let kept = secrets.get(path).ok_or_else(missing)?;
        let wanted = version.or_else(|| kept.last().map(|k| k.metadata.version));
        let live =
            |k: &&Kept| Some(k.metadata.version) == wanted && k.metadata.deleted_at.is_none() && !k.metadata.destroyed;
        let kept = kept.iter().find(live).ok_or_else(missing)?;
        let VersionMetadata { version, created_at, .. } = kept.metadata;
        Ok(SecretVersion { version, data: kept.data.clone(), created_at })
    }

    async fn put(&self, path: &str, data: BTreeMap<String, Secret>, cas: Option<u64>) -> Result<u64, Error> {
        check(path)?;
        let created_at = self.clock.now();
        let mut secrets = self.secrets();
        let current = secrets.get(path).and_then(|kept| kept.last()).map_or(0, |k| k.metadata.version);
        if cas.is_some_and(|expected| expected != current) {
            return Err(Error::new(ErrorKind::Conflict, "secret_version_mismatch", "Read the secret again."));
        }
        let version = current + 1;
        let kept = secrets.entry(path.to_owned()).or_default();
        kept.push(Kept { metadata: VersionMetadata { version, created_at, deleted_at: None, destroyed: false }, data });
        kept.retain(|k| k.metadata.version + MAX_VERSIONS > version);
        Ok(version)
    }

    async fn metadata(&self, path: &str) -> Result<SecretMetadata, Error> {
        check(path)?;
        let secrets = self.secrets();
        let kept = secrets.get(path).ok_or_else(missing)?;
        Ok(SecretMetadata {
            path: path.to_owned(),
            current_version: kept.last().map_or(0, |k| k.metadata.version),
            cas_required: false,
            max_versions: MAX_VERSIONS,
            versions: kept.iter().map(|k| k.metadata.clone()).collect(),
        })
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, Error> {
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        if !prefix.is_empty() {
            check(prefix)?;
        }
        let below =
            |path: &&String| prefix.is_empty() || path.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('/'));
        Ok(self.secrets().keys().filter(below).cloned().collect())
    }

    async fn delete(&self, path: &str, version: u64) -> Result<(), Error> {
        self.change(path, version, |kept, now| {
            kept.metadata.deleted_at.get_or_insert(now);
            true
        })
    }

    async fn undelete(&self, path: &str, version: u64) -> Result<(), Error> {
        self.change(path, version, |kept, _| {
            kept.metadata.deleted_at = None;
            !kept.metadata.destroyed
        })
    }

    async fn destroy(&self, path: &str, version: u64) -> Result<(), Error> {
        self.change(path, version, |kept, _| {
            kept.metadata.destroyed = true;
            kept.data.clear();
            true
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::MemorySecrets;

    #[tokio::test]
    async fn the_secrets_in_memory_keep_the_contract() {
        super::suite(|clock| Arc::new(MemorySecrets::new(clock))).await;
    }
}
