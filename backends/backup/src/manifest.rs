//! What an archive says about itself.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use platform::keyed_hash::KeyedHash;
use platform::secret::SecretKey;
use platform::{Error, ErrorKind, Json};
use serde::{Deserialize, Serialize};
use serde_json::Map;

use crate::damaged;

/// The form of archives that this version writes and reads.
const FORM: u32 = 1;
/// The purpose of the key.
const PURPOSE: &str = "archives of backups";

/// The contents of an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    form: u32,
    /// Names the key of the MAC and tells nothing else about it.
    key: String,
    /// Version of the program that wrote it.
    pub version: String,
    /// Public URL of the platform.
    pub platform: String,
    /// When its copy was begun, RFC 3339.
    pub created_at: String,
    /// How far each audit log had come, the current one first.
    pub logs: Vec<LogEnd>,
    /// Members, in their order.
    pub members: Vec<Member>,
}

/// The end of an audit log in an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogEnd {
    /// Its name.
    pub origin: String,
    /// Number of records.
    pub records: u64,
    /// Root of the tree over them, lower-case hexadecimal.
    pub root: String,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// Path below the state folder, `/` between its parts.
    pub name: String,
    /// Bytes.
    pub bytes: u64,
    /// SHA-256, lower-case hexadecimal.
    pub sha256: String,
}

/// Only the form, of whatever came.
#[derive(Deserialize)]
struct Form {
    form: u32,
    key: String,
}

impl Manifest {
    pub(crate) fn new(
        keys: &Keys,
        (version, platform, created_at): (String, String, String),
        logs: Vec<LogEnd>,
        members: Vec<Member>,
    ) -> Self {
        Self { form: FORM, key: keys.name(), version, platform, created_at, logs, members }
    }

    /// Reads what came with this MAC. Errors: `backup_too_new`, `backup_other_key`, `backup_damaged`.
    pub(crate) fn read(keys: &Keys, bytes: &[u8], mac: &[u8]) -> Result<Self, Error> {
        let Form { form, key } = serde_json::from_slice(bytes).map_err(damaged)?;
        if form > FORM {
            return Err(Error::new(
                ErrorKind::Conflict,
                "backup_too_new",
                "A newer version of Interlock wrote this archive. Restore it with that version.",
            ));
        }
        if key != keys.name() {
            return Err(Error::new(
                ErrorKind::Conflict,
                "backup_other_key",
                "This archive was written under another master key. Configure that key, and restore again.",
            ));
        }
        if verify_slices_are_equal(keys.mac(bytes).as_bytes(), mac.trim_ascii()).is_err() {
            return Err(damaged("the manifest was changed"));
        }
        serde_json::from_slice(bytes).map_err(damaged)
    }

    /// SHA-256 of the manifest, lower-case hexadecimal: names the archive in the audit log.
    pub fn digest(&self) -> Result<String, Error> {
        platform::canonical::digest_hex(self)
    }

    /// What the audit log is told of a restore of it.
    pub fn told(&self) -> Result<Map<String, Json>, Error> {
        Ok(Map::from_iter([
            ("backup".to_owned(), self.digest()?.into()),
            ("backup_of".to_owned(), self.created_at.clone().into()),
            ("logs".to_owned(), serde_json::to_value(&self.logs).map_err(Error::internal)?),
        ]))
    }
}

/// The key of manifests.
pub(crate) struct Keys(KeyedHash);

impl Keys {
    pub(crate) fn of(master: &SecretKey) -> Result<Self, Error> {
        KeyedHash::derive(master, PURPOSE).map(Self)
    }

    fn name(&self) -> String {
        self.0.hex_of(&[b"name"])[..16].to_owned()
    }

    pub(crate) fn mac(&self, manifest: &[u8]) -> String {
        self.0.hex_of(&[b"manifest", manifest])
    }
}

/// A name that stays below the folder it is unpacked in.
pub(crate) fn is_safe(name: &str) -> bool {
    let part = |part: &str| {
        !matches!(part, "" | "." | "..")
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
    };
    name.len() <= 512 && name.split('/').all(part)
}

#[cfg(test)]
mod tests {
    use platform::secret::SecretKey;

    use super::{Keys, Manifest, is_safe};

    fn keys(byte: u8) -> Keys {
        Keys::of(&SecretKey::new([byte; 32])).unwrap()
    }

    #[test]
    fn t24_a_manifest_is_believed_only_unchanged_and_under_its_key() {
        let facts = || ("1".to_owned(), "https://p.example".to_owned(), "2026-01-01T00:00:00Z".to_owned());
        let manifest = Manifest::new(&keys(1), facts(), Vec::new(), Vec::new());
        let bytes = serde_json::to_vec(&manifest).unwrap();
        let mac = keys(1).mac(&bytes);
        assert_eq!(Manifest::read(&keys(1), &bytes, mac.as_bytes()).unwrap(), manifest);
        let code = |keys: &Keys, bytes: &[u8], mac: &str| {
            Manifest::read(keys, bytes, mac.as_bytes()).unwrap_err().code().to_owned()
        };
        assert_eq!(code(&keys(2), &bytes, &mac), "backup_other_key");
        let changed = String::from_utf8(bytes.clone()).unwrap().replace("p.example", "q.example");
        assert_eq!(code(&keys(1), changed.as_bytes(), &mac), "backup_damaged");
        assert_eq!(code(&keys(1), &bytes, &keys(2).mac(&bytes)), "backup_damaged");
        assert_eq!(code(&keys(1), b"nonsense", &mac), "backup_damaged");
        let newer = String::from_utf8(bytes).unwrap().replace("\"form\":1", "\"form\":2");
        assert_eq!(code(&keys(1), newer.as_bytes(), &mac), "backup_too_new");
    }

    #[test]
    fn names_stay_below_the_folder() {
        for name in ["store.db", "audit/audit.db", "artifacts/ab/cdef.x-1.ref"] {
            assert!(is_safe(name), "{name}");
        }
        for name in ["", "/etc/passwd", "../x", "a/../../x", "a//b", "a/", ".", "a\\b", "a b", "ä"] {
            assert!(!is_safe(name), "{name}");
        }
    }
}
