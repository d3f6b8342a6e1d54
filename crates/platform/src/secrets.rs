//! The secret store: versioned like Vault's KV v2, values unprintable by type. Implementations: `backends/secrets-local`.
//!
//! Paths are slash-separated segments of `[A-Za-z0-9._-]`, at most 256 characters, without `.` or `..` segments. The
//! credential of a server instance stands at `api/<instance>`.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::error::Error;
use crate::secret::Secret;

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
    /// Latest version.
    pub current_version: u64,
    /// A write must name the version it replaces.
    pub cas_required: bool,
    /// How many versions are kept.
    pub max_versions: u64,
    /// Kept versions, oldest first.
    pub versions: Vec<VersionMetadata>,
}

/// A KV v2 secret store.
///
/// Errors: `secret_not_found` ([`NotFound`](crate::ErrorKind::NotFound)), `secret_version_mismatch` and
/// `secret_version_required` ([`Conflict`](crate::ErrorKind::Conflict)), `secret_path_invalid`
/// ([`InvalidInput`](crate::ErrorKind::InvalidInput)), `secrets_unavailable`
/// ([`Unavailable`](crate::ErrorKind::Unavailable)).
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

    /// Soft-deletes a version.
    async fn delete(&self, path: &str, version: u64) -> Result<(), Error>;

    /// Takes a soft deletion back.
    async fn undelete(&self, path: &str, version: u64) -> Result<(), Error>;

    /// Destroys a version's data for good.
    async fn destroy(&self, path: &str, version: u64) -> Result<(), Error>;
}
