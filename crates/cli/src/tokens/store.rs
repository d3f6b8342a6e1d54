//! Where a person's tokens are kept: in the operating system's keyring, or in a file that only they can read.
//!
//! The keyring keeps them out of backups and of other programs that read files; the file works everywhere. Each sign-in is
//! one entry, named after a digest of its resource.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use platform::canonical;
use platform::config::environment;

use super::keyring::Keyring;
use super::{Kept, file};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StoreKind {
    /// The file: it serves processes without a session of their own too, which the kernel's keyring does not.
    Auto,
    /// The operating system's keyring (on Linux the kernel's, which forgets at restart).
    Keyring,
    /// A file of mode 0600 in `$XDG_STATE_HOME/interlock`, else `~/.local/state/interlock`.
    File,
}

/// The person's tokens.
pub(crate) struct Store {
    folder: PathBuf,
    keyring: Option<Keyring>,
}

impl Store {
    /// Opens it. Errors: `no_home`, `keyring_unusable`.
    pub(crate) fn open(kind: StoreKind) -> Outcome<Self> {
        Self::at(folder()?, kind, Keyring::open)
    }

    fn at(folder: PathBuf, kind: StoreKind, keyring: fn() -> Outcome<Keyring>) -> Outcome<Self> {
        let keyring = match kind {
            StoreKind::File | StoreKind::Auto => None,
            StoreKind::Keyring => Some(keyring()?),
        };
        Ok(Self { folder, keyring })
    }

    /// The folder for locks and files.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The sign-in for a resource. Errors: `token_file_exposed`, `token_unreadable`, `keyring_unusable`.
    pub(crate) fn load(&self, resource: &str) -> Outcome<Option<Kept>> {
        let name = name_of(resource);
        let found = match &self.keyring {
            Some(keyring) => keyring.load(&name)?,
            None => file::load(&self.folder, &name)?,
        };
        Ok(found.as_ref().and_then(Kept::from_secret))
    }

    /// Where a sign-in is kept, for the person.
    pub(crate) fn place_of(&self, resource: &str) -> Outcome<String> {
        let name = name_of(resource);
        Ok(match &self.keyring {
            Some(keyring) if keyring.load(&name)?.is_some() => "the operating system's keyring".to_owned(),
            _ => file::path(&self.folder, &name).display().to_string(),
        })
    }

    /// Keeps a sign-in in place of the one before. Errors: `token_not_kept`, `keyring_unusable`.
    pub(crate) fn save(&self, kept: &Kept) -> Outcome {
        let (name, text) = (name_of(&kept.resource), kept.to_secret()?);
        if let Some(keyring) = &self.keyring {
            keyring.save(&name, &text)?;
            // One place only: an older copy would come back when the keyring forgets.
            return file::remove(&self.folder, &name);
        }
        file::save(&self.folder, &name, &text)
    }

    /// Forgets a sign-in; one that is not there is forgotten already.
    pub(crate) fn remove(&self, resource: &str) -> Outcome {
        let name = name_of(resource);
        if let Some(keyring) = &self.keyring {
            keyring.remove(&name)?;
        }
        file::remove(&self.folder, &name)
    }

    /// Remembers the platform that was signed in to last.
    pub(crate) fn set_current(&self, platform: &str) -> Outcome {
        platform::private_file::write(&self.folder.join(CURRENT), platform.as_bytes())
            .map_err(|e| unusable(&self.folder, &e))
    }

    /// The platform that was signed in to last.
    pub(crate) fn current(&self) -> Option<String> {
        let text = std::fs::read_to_string(self.folder.join(CURRENT)).ok()?;
        Some(text.trim().to_owned()).filter(|url| !url.is_empty())
    }
}

const CURRENT: &str = "current";

/// The name of a resource's entry: letters and digits, whatever the URL is.
pub(super) fn name_of(resource: &str) -> String {
    let digest = canonical::sha256(resource.trim_end_matches('/').as_bytes());
    let hex: String = digest.iter().take(12).map(|b| format!("{b:02x}")).collect();
    format!("token-{hex}")
}

/// What a folder that cannot be used means for the person.
pub(super) fn unusable(folder: &Path, error: &dyn std::fmt::Display) -> Failure {
    let message =
        format!("Tokens cannot be kept in {}; it must be a folder that only you may enter.", folder.display());
    Failure::new(Exit::Failed, "token_not_kept", message).with_detail(error)
}

/// The folder that belongs to this user (XDG Base Directory Specification).
fn folder() -> Outcome<PathBuf> {
    folder_from(&environment()).ok_or_else(|| {
        Failure::new(Exit::Usage, "no_home", "There is no home folder to keep a token in; set HOME or XDG_STATE_HOME.")
    })
}

fn folder_from(environment: &[(String, String)]) -> Option<PathBuf> {
    let value =
        |name: &str| environment.iter().find(|(n, v)| n == name && !v.is_empty()).map(|(_, v)| PathBuf::from(v));
    // The specification says that a relative path in such a variable counts as unset.
    let state = value("XDG_STATE_HOME").filter(|path| path.is_absolute());
    Some(state.or_else(|| value("HOME").map(|home| home.join(".local/state")))?.join("interlock"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::tests::kept;
    use super::{Keyring, Store, StoreKind, folder_from};

    #[test]
    fn t28_a_sign_in_is_kept_in_the_keyring_or_in_the_file_and_never_in_both() {
        for (kind, in_file) in [(StoreKind::File, true), (StoreKind::Keyring, false), (StoreKind::Auto, true)] {
            let folder = tempfile::tempdir().unwrap();
            let place = folder.path().join("interlock");
            let file = Store::at(place.clone(), StoreKind::File, Keyring::for_tests).unwrap();
            let store = Store::at(place.clone(), kind, Keyring::for_tests).unwrap();
            let mine = kept("one", 5);
            file.save(&mine).unwrap();
            store.save(&kept("two", 5)).unwrap();
            assert_eq!(store.load(&mine.resource).unwrap().unwrap().access_token.expose(), "two");
            assert_eq!(file.load(&mine.resource).unwrap().is_some(), in_file, "{kind:?}");
            store.remove(&mine.resource).unwrap();
            assert!(store.load(&mine.resource).unwrap().is_none());
            store.remove(&mine.resource).unwrap();
        }
    }

    #[test]
    fn a_machine_without_a_keyring_keeps_tokens_in_the_file_unless_it_was_told_otherwise() {
        let folder = tempfile::tempdir().unwrap();
        let at = |kind| Store::at(folder.path().join("interlock"), kind, Keyring::broken);
        assert_eq!(at(StoreKind::Keyring).err().map(|f| f.exit()), Some(5));
        let store = at(StoreKind::Auto).unwrap();
        store.save(&kept("t", 5)).unwrap();
        assert!(store.place_of(&kept("t", 5).resource).unwrap().contains("interlock/token-"));
        store.set_current("http://h").unwrap();
        assert_eq!(store.current().as_deref(), Some("http://h"));
    }

    #[test]
    fn the_folder_is_the_users() {
        let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let (home, xdg) = (set("HOME", "/h"), set("XDG_STATE_HOME", "/x"));
        assert_eq!(folder_from(std::slice::from_ref(&home)).as_deref(), Some(Path::new("/h/.local/state/interlock")));
        assert_eq!(folder_from(&[home.clone(), xdg]).as_deref(), Some(Path::new("/x/interlock")));
        assert_eq!(
            folder_from(&[home, set("XDG_STATE_HOME", "x")]).as_deref(),
            Some(Path::new("/h/.local/state/interlock"))
        );
        assert_eq!(folder_from(&[]), None);
    }
}
