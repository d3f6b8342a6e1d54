//! The secret store: versioned like Vault's KV v2, values unprintable by type. Implementations: `backends/secrets-local`.
//!
//! Paths are slash-separated segments of `[A-Za-z0-9._-]`, at most 256 characters, without `.` or `..` segments. The
//! credential of a server instance stands at `api/<instance>`; what stands below `platform/` is the platform's own.
//!
//! Next: [`SecretStore`] for what a store does, [`check_path`] and [`check_fields`] for what every one of them refuses.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::error::{Error, ErrorKind};
use crate::secret::Secret;

/// Longest path, in bytes.
const LONGEST_PATH: usize = 256;
/// Keys that the platform makes for itself.
const OWN_KEYS: &str = "platform/keys";
/// Most fields of one version.
pub const MOST_FIELDS: usize = 64;
/// Most bytes of one version: names and values together.
pub const MOST_BYTES: usize = 1 << 20;
/// Longest name of a field, in bytes.
const LONGEST_FIELD: usize = 128;
/// Most members of custom metadata, as in KV v2.
const MOST_CUSTOM: usize = 64;
/// Longest name and value of custom metadata, in bytes, as in KV v2.
const LONGEST_CUSTOM: (usize, usize) = (128, 512);
/// Most versions that a rule may keep.
pub const MOST_VERSIONS: u64 = 1000;

/// One version of a secret.
#[derive(Debug, Clone)]
pub struct SecretVersion {
    /// 1 for the first.
    pub version: u64,
    /// Field name to value.
    pub data: BTreeMap<String, Secret>,
    /// When it was written.
    pub created_at: Timestamp,
}

/// What may be shown about one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionMetadata {
    /// Version number.
    pub version: u64,
    /// When it was written.
    pub created_at: Timestamp,
    /// Soft-deleted since.
    pub deleted_at: Option<Timestamp>,
    /// Destroyed for good.
    pub destroyed: bool,
}

/// What may be shown about a secret: never a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretMetadata {
    /// Path.
    pub path: String,
    /// Latest version; 0 where rules stand and nothing was written.
    pub current_version: u64,
    /// A write must name the version it replaces.
    pub cas_required: bool,
    /// How many versions are kept.
    pub max_versions: u64,
    /// What operators wrote beside it: owner, purpose, ticket. In clear.
    pub custom: BTreeMap<String, String>,
    /// Kept versions, oldest first.
    pub versions: Vec<VersionMetadata>,
}

/// What to change of a secret's rules; what is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SecretRules {
    /// Whether a write must name the version it replaces.
    pub cas_required: Option<bool>,
    /// How many versions are kept, 1 to 1000. What is too much goes with the next write.
    pub max_versions: Option<u64>,
    /// All custom metadata, in place of what stands there: at most 64 members, names of at most 128 bytes, values of at
    /// most 512.
    pub custom: Option<BTreeMap<String, String>>,
}

/// A KV v2 secret store.
///
/// Errors: `secret_not_found` ([`NotFound`](ErrorKind::NotFound)); where a version is soft-deleted or destroyed, its
/// details say so, as KV v2 does. `secret_version_mismatch` and `secret_version_required`
/// ([`Conflict`](ErrorKind::Conflict)), `secret_path_invalid`, `secret_field_invalid`, `secret_rules_invalid`
/// ([`InvalidInput`](ErrorKind::InvalidInput)), `secret_too_large` ([`TooLarge`](ErrorKind::TooLarge)),
/// `secrets_unavailable` ([`Unavailable`](ErrorKind::Unavailable)).
#[async_trait]
pub trait SecretStore: Send + Sync + 'static {
    /// Reads a version; the current one when `version` is absent. Soft-deleted and destroyed versions are not found.
    async fn get(&self, path: &str, version: Option<u64>) -> Result<SecretVersion, Error>;

    /// Writes a new version and returns its number. `cas`: absent = whatever is there, 0 = must not exist yet,
    /// n = the current version must be n.
    async fn put(&self, path: &str, data: BTreeMap<String, Secret>, cas: Option<u64>) -> Result<u64, Error>;

    /// Metadata of one secret.
    async fn metadata(&self, path: &str) -> Result<SecretMetadata, Error>;

    /// Paths below a prefix, sorted.
    async fn list(&self, prefix: &str) -> Result<Vec<String>, Error>;

    /// Changes the rules of a secret, also of one that is written later.
    async fn set_rules(&self, path: &str, rules: SecretRules) -> Result<(), Error>;

    /// Soft-deletes versions: all of them, or none where one is not there. What is deleted or destroyed already stays as
    /// it is.
    async fn delete_versions(&self, path: &str, versions: &[u64]) -> Result<(), Error>;

    /// Takes soft deletions back: all of them, or none where one is not there or was destroyed.
    async fn undelete_versions(&self, path: &str, versions: &[u64]) -> Result<(), Error>;

    /// Destroys the data of versions for good: all of them, or none where one is not there.
    async fn destroy_versions(&self, path: &str, versions: &[u64]) -> Result<(), Error>;

    /// Removes the secret with every version, its metadata and its rules, for good.
    async fn delete_all(&self, path: &str) -> Result<(), Error>;

    /// Soft-deletes a version.
    async fn delete(&self, path: &str, version: u64) -> Result<(), Error> {
        self.delete_versions(path, &[version]).await
    }

    /// Takes a soft deletion back.
    async fn undelete(&self, path: &str, version: u64) -> Result<(), Error> {
        self.undelete_versions(path, &[version]).await
    }

    /// Destroys a version's data for good.
    async fn destroy(&self, path: &str, version: u64) -> Result<(), Error> {
        self.destroy_versions(path, &[version]).await
    }
}

/// Refuses a path of another form: `secret_path_invalid`.
pub fn check_path(path: &str) -> Result<(), Error> {
    let segment_ok = |segment: &str| {
        !matches!(segment, "" | "." | "..")
            && segment.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
    };
    if path.len() <= LONGEST_PATH && path.split('/').all(segment_ok) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::InvalidInput,
        "secret_path_invalid",
        "A secret's path has segments of letters, digits, dots, underscores and hyphens between slashes, at most 256 characters in all, and none of them is `.` or `..`.",
    ))
}

/// Refuses the platform's own keys, which are rotated and never written by hand (T28), and a path of another form:
/// `secret_path_reserved`, `secret_path_invalid`.
pub fn check_writable(path: &str) -> Result<(), Error> {
    check_path(path)?;
    if path == OWN_KEYS || path.strip_prefix(OWN_KEYS).is_some_and(|rest| rest.starts_with('/')) {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            "secret_path_reserved",
            "The platform's own keys are not written by hand; rotate them with `interlock keys rotate`.",
        ));
    }
    Ok(())
}

/// Refuses what is too much for one version: `secret_field_invalid`, `secret_too_large`. The message never names a field,
/// since a slip of the hand may have put a value there.
pub fn check_fields(data: &BTreeMap<String, Secret>) -> Result<(), Error> {
    let too_large = |message: String| Err(Error::new(ErrorKind::TooLarge, "secret_too_large", message));
    if data.len() > MOST_FIELDS {
        return too_large(format!("A secret has at most {MOST_FIELDS} fields; use several paths."));
    }
    if data.keys().any(|name| name.len() > LONGEST_FIELD || name.chars().any(char::is_control)) {
        let message = format!("The name of a field has at most {LONGEST_FIELD} bytes and no control characters.");
        return Err(Error::new(ErrorKind::InvalidInput, "secret_field_invalid", message));
    }
    if data.iter().map(|(name, value)| name.len() + value.expose().len()).sum::<usize>() > MOST_BYTES {
        return too_large(
            "A version of a secret holds at most 1 MiB; what is larger is a file, not a secret.".to_owned(),
        );
    }
    Ok(())
}

/// Refuses rules that no secret can have: `secret_rules_invalid`.
pub fn check_rules(rules: &SecretRules) -> Result<(), Error> {
    let invalid = |message: String| Err(Error::new(ErrorKind::InvalidInput, "secret_rules_invalid", message));
    if rules.max_versions.is_some_and(|most| !(1..=MOST_VERSIONS).contains(&most)) {
        return invalid(format!("A secret keeps 1 to {MOST_VERSIONS} versions."));
    }
    let (longest_name, longest_value) = LONGEST_CUSTOM;
    let fits = |custom: &BTreeMap<String, String>| {
        custom.len() <= MOST_CUSTOM
            && custom.iter().all(|(name, value)| {
                (1..=longest_name).contains(&name.len())
                    && value.len() <= longest_value
                    && !name.chars().chain(value.chars()).any(char::is_control)
            })
    };
    if !rules.custom.as_ref().is_none_or(fits) {
        return invalid(format!(
            "Custom metadata has at most {MOST_CUSTOM} members, with names of at most {longest_name} bytes and values of at most {longest_value}, without control characters."
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check_writable;

    #[test]
    fn t28_the_platforms_own_keys_are_not_written_by_hand() {
        let code = |path: &str| check_writable(path).map_err(|error| error.code().to_owned());
        for path in ["platform/keys", "platform/keys/audit", "platform/keys/a/b"] {
            assert_eq!(code(path), Err("secret_path_reserved".to_owned()), "{path}");
        }
        for path in ["platform/pages", "platform/keys-old", "api/keys", "api/platform/keys/audit"] {
            assert_eq!(code(path), Ok(()), "{path}");
        }
        assert_eq!(code("a//b"), Err("secret_path_invalid".to_owned()));
    }
}
