//! What is signed: the manifest names every other file with its digest, so that one signature holds for all of them.

use std::collections::BTreeMap;

use platform::{Error, canonical};
use serde::{Deserialize, Serialize};

use super::archive::Files;
use crate::model::change::ChangeId;
use crate::model::state::State;

/// The first member of a manifest.
pub const FORMAT: &str = "interlock.change.evidence/1";
/// What an archive is signed for.
pub const EVIDENCE: &str = "interlock change evidence v1";
/// The manifest's file.
pub const MANIFEST: &str = "manifest.json";
/// The signature's file.
pub const SIGNATURE: &str = "signature.json";
/// Where files of the audit log's words are.
pub const AUDIT: &str = "audit/";

/// The manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: String,
    /// The change.
    pub change: ChangeId,
    /// How it ended.
    pub state: State,
    /// [`content_of`] the files: the audit log holds the same.
    pub content: String,
    /// How many audit records are about it.
    pub records: usize,
    /// How many of them are proven to be under a signed tree of the audit log.
    pub proven: usize,
    /// Every file but this one and the signature, by name.
    pub files: BTreeMap<String, FileEntry>,
}

/// A file of the archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// How many bytes.
    pub bytes: usize,
    /// SHA-256 of them, hexadecimal.
    pub sha256: String,
}

/// The signature. No key is in it: whoever verifies has the key from elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignatureFile {
    /// [`EVIDENCE`].
    pub signed_for: String,
    /// Version of the platform's key `changes`.
    pub key: u32,
    /// Ed25519 (RFC 8032) over `<signed_for> 0x00 <bytes of the manifest>`; base64url.
    pub signature: String,
}

/// What the manifest says of files.
pub fn entries(files: &Files) -> BTreeMap<String, FileEntry> {
    let entry = |bytes: &Vec<u8>| FileEntry { bytes: bytes.len(), sha256: hex::encode(canonical::sha256(bytes)) };
    files.iter().map(|(name, bytes)| (name.clone(), entry(bytes))).collect()
}

/// SHA-256 of the RFC 8785 JSON of names and digests of the files that say how the change went: all that do not come from the
/// audit log, which is told this digest.
pub fn content_of(files: &Files) -> Result<String, Error> {
    let told = |name: &str| !name.starts_with(AUDIT) && name != MANIFEST && name != SIGNATURE;
    let digests: BTreeMap<&str, String> = files
        .iter()
        .filter(|(name, _)| told(name))
        .map(|(name, bytes)| (name.as_str(), hex::encode(canonical::sha256(bytes))))
        .collect();
    canonical::digest_hex(&digests)
}
