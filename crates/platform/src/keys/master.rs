//! Where the master key comes from (rule T28): a file, a credential of the service manager, or the environment. Whoever
//! serves never invents one, and takes none that anybody could guess.
//!
//! A key that never leaves a key management service, and unwraps the store's own key there, would be another variant of
//! [`MasterKeySource`]; none is in this build.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::Deserialize;
use zeroize::{Zeroize as _, Zeroizing};

use super::environment;
use crate::error::{Error, ErrorKind, Result};
use crate::private_file;
use crate::seal;
use crate::secret::{Secret, SecretKey};

/// How the key of a lab begins, so that it is known for one wherever it is carried (T30).
const LAB: &str = "lab:";
/// Larger is no key.
const LARGEST: u64 = 1024;

/// A source of the master key: `file:<path>`, `credential:<name>` or `environment`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum MasterKeySource {
    /// A file of the user who serves, mode 0400.
    File(PathBuf),
    /// A credential of the service manager, `$CREDENTIALS_DIRECTORY/<name>` (systemd's `LoadCredential`).
    Credential(String),
    /// `INTERLOCK_MASTER_KEY`; see [`environment`].
    Environment,
}

impl FromStr for MasterKeySource {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let plain = |name: &str| !name.is_empty() && !name.contains('/') && name != "." && name != "..";
        match text.split_once(':') {
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.into())),
            Some(("credential", name)) if plain(name) => Ok(Self::Credential(name.to_owned())),
            None if text == "environment" => Ok(Self::Environment),
            _ => Err(format!(
                "`{text}` in `master_key` is no source of a key; there are `file:<path>`, `credential:<name>` and \
                 `environment`"
            )),
        }
    }
}

impl TryFrom<String> for MasterKeySource {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Display for MasterKeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Credential(name) => write!(f, "credential:{name}"),
            Self::Environment => f.write_str("environment"),
        }
    }
}

/// A master key, and whether a lab made it.
#[derive(Debug)]
pub struct MasterKey {
    /// The key.
    pub key: SecretKey,
    /// A lab made it: good for nothing else (T30).
    pub of_a_lab: bool,
}

impl MasterKeySource {
    /// Reads the key. What comes by the environment is there once. Errors: `master_key_missing`, `master_key_exposed`,
    /// `master_key_malformed`, `master_key_weak`.
    pub fn read(&self) -> Result<MasterKey> {
        let shown = self.to_string();
        let text = match self {
            Self::File(path) => read_private(path, &shown, 0o077)?,
            Self::Credential(name) => {
                let folder = environment::variable("CREDENTIALS_DIRECTORY").ok_or_else(|| {
                    missing(&shown, "CREDENTIALS_DIRECTORY is not set; let the service manager load the credential")
                })?;
                // The service manager lets its user in by an access list, whose mask shows as rights of the group.
                read_private(&Path::new(&folder).join(name), &shown, 0o007)?
            }
            Self::Environment => environment::handed_over().ok_or_else(|| {
                missing(&shown, "INTERLOCK_MASTER_KEY was not set when the process started, or was read before")
            })?,
        };
        parse(&text, &shown)
    }
}

/// Makes the master key of a lab where there is none, and reads it. Errors: those of [`MasterKeySource::read`].
pub fn of_lab(path: &Path) -> Result<SecretKey> {
    if !path.exists() {
        let key = seal::random_key()?.to_hex();
        let text = Zeroizing::new(format!("{LAB}{}", key.expose()));
        // Whole and under its name on the disk before the first secret is sealed under it.
        private_file::write_as(path, text.as_bytes(), 0o400).map_err(Error::internal)?;
    }
    Ok(MasterKeySource::File(path.to_owned()).read()?.key)
}

/// Puts another key in place of the one in a file, whole or not at all, and durable when this returns. Errors: the file
/// system's.
pub fn replace_file(path: &Path, key: &SecretKey) -> std::io::Result<()> {
    private_file::write_as(path, key.to_hex().expose().as_bytes(), 0o400)
}

/// What a file holds that nobody else may read; checked on the open file.
fn read_private(path: &Path, shown: &str, forbidden: u32) -> Result<Secret> {
    let mut file = File::open(path).map_err(|e| missing(shown, &e.to_string()))?;
    let found = file.metadata().map_err(|e| missing(shown, &e.to_string()))?;
    let exposed = |why: String, fix: String| {
        let message = format!("The master key {shown} {why}. {fix}");
        Error::new(ErrorKind::Unavailable, "master_key_exposed", message)
    };
    let owner = found.uid();
    if owner != 0 && owner != rustix::process::geteuid().as_raw() {
        let fix = "It must belong to the user who serves, or to root.".to_owned();
        return Err(exposed("belongs to somebody else".to_owned(), fix));
    }
    if found.mode() & forbidden != 0 {
        let why = format!("has mode {:03o} and can be read by others", found.mode() & 0o777);
        return Err(exposed(why, format!("Run `chmod 0400 {}`.", path.display())));
    }
    if !found.is_file() || found.len() > LARGEST {
        return Err(malformed(shown));
    }
    // With room for all of it at once: a buffer that grows leaves its old place behind.
    let mut text = Zeroizing::new(String::with_capacity(2048));
    file.read_to_string(&mut text).map_err(|_| malformed(shown))?;
    Ok(Secret::new(std::mem::take(&mut *text)))
}

fn parse(text: &Secret, shown: &str) -> Result<MasterKey> {
    let text = text.expose().trim();
    let (of_a_lab, digits) = match text.strip_prefix(LAB) {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let mut read = Ok(());
    let key = SecretKey::from_bytes(|bytes| read = hex::decode_to_slice(digits, bytes));
    read.map_err(|_| malformed(shown))?;
    if is_weak(key.expose()) {
        return Err(Error::new(
            ErrorKind::Unavailable,
            "master_key_weak",
            format!(
                "The master key {shown} is no random one: its bytes follow a pattern. Make one with `openssl rand -hex 32`."
            ),
        ));
    }
    Ok(MasterKey { key, of_a_lab })
}

/// Whether bytes were written by hand: few different ones, or one step from each to the next. Of random keys, fewer than
/// one in 10¹³ looks so.
fn is_weak(bytes: &[u8; 32]) -> bool {
    let mut sorted = Zeroizing::new(*bytes);
    sorted.sort_unstable();
    let different = 1 + sorted.windows(2).filter(|pair| pair[0] != pair[1]).count();
    let mut steps = bytes.windows(2).map(|pair| pair[1].wrapping_sub(pair[0]));
    let first = steps.next();
    let weak = different < 16 || steps.all(|step| Some(step) == first);
    sorted.zeroize();
    weak
}

fn missing(shown: &str, why: &str) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "master_key_missing",
        format!("The master key {shown} cannot be read ({why}). Let `secrets.master_key` name where it is."),
    )
}

fn malformed(shown: &str) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "master_key_malformed",
        format!("The master key {shown} is not 64 hexadecimal digits. Make one with `openssl rand -hex 32`."),
    )
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;

    use super::{MasterKeySource, is_weak, of_lab, replace_file};
    use crate::seal::random;
    use crate::secret::SecretKey;

    const GOOD: &str = "8c1f0a97d2e4b56370fe19a8c3d5427b6e90f1a2b3c4d5e60718293a4b5c6d7f";

    fn file(folder: &Path, text: &str, mode: u32) -> MasterKeySource {
        let path = folder.join("key");
        drop(std::fs::remove_file(&path));
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        MasterKeySource::File(path)
    }

    #[test]
    fn t28_a_source_is_a_file_a_credential_or_the_environment() {
        for text in ["file:/etc/interlock/master.key", "credential:master", "environment"] {
            assert_eq!(text.parse::<MasterKeySource>().unwrap().to_string(), text);
        }
        for text in
            ["", "/etc/key", "file:", "credential:", "credential:a/b", "credential:..", "vault:x", "environment:x"]
        {
            assert!(text.parse::<MasterKeySource>().unwrap_err().contains("master_key"), "{text}");
        }
    }

    #[test]
    fn t28_a_key_that_others_can_read_is_none_and_so_is_one_that_is_no_key() {
        let folder = tempfile::tempdir().unwrap();
        let code = |text: &str, mode| {
            file(folder.path(), text, mode).read().map(|m| m.of_a_lab).map_err(|e| e.code().to_owned())
        };
        assert_eq!(code(GOOD, 0o400), Ok(false));
        assert_eq!(code(&format!("{GOOD}\n"), 0o600), Ok(false));
        assert_eq!(code(&format!("lab:{GOOD}"), 0o400), Ok(true));
        for mode in [0o440, 0o404, 0o644] {
            assert_eq!(code(GOOD, mode), Err("master_key_exposed".to_owned()), "{mode:o}");
        }
        for text in ["", "abc", &GOOD[2..], &"z".repeat(64), &"a".repeat(5000)] {
            assert_eq!(code(text, 0o400), Err("master_key_malformed".to_owned()), "{text}");
        }
        let none = MasterKeySource::File(folder.path().join("none"));
        assert_eq!(none.read().unwrap_err().code(), "master_key_missing");
    }

    #[test]
    fn t30_a_key_that_anybody_could_guess_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for text in ["00".repeat(32), "5a".repeat(32), "0123456789abcdef".repeat(4), "deadbeef".repeat(8)] {
            assert_eq!(file(folder.path(), &text, 0o400).read().unwrap_err().code(), "master_key_weak", "{text}");
        }
        let ascending: [u8; 32] = std::array::from_fn(|i| u8::try_from(i).unwrap());
        assert!(is_weak(&ascending));
        for _ in 0..1000 {
            assert!(!is_weak(&random().unwrap()));
        }
    }

    #[test]
    fn t30_the_key_of_a_lab_says_so_wherever_it_is_carried() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lab.key");
        let key = of_lab(&path).unwrap();
        assert_eq!(of_lab(&path).unwrap().expose(), key.expose(), "the second start finds it");
        let carried = folder.path().join("carried");
        std::fs::copy(&path, &carried).unwrap();
        assert!(MasterKeySource::File(carried).read().unwrap().of_a_lab);
    }

    #[test]
    fn t28_a_key_file_is_replaced_whole_and_stays_private() {
        let folder = tempfile::tempdir().unwrap();
        let MasterKeySource::File(path) = file(folder.path(), GOOD, 0o400) else { panic!() };
        let new = SecretKey::new(random().unwrap());
        replace_file(&path, &new).unwrap();
        assert_eq!(MasterKeySource::File(path.clone()).read().unwrap().key.expose(), new.expose());
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o400);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
