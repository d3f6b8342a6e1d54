//! Tokens in the operating system's keyring, through `keyring-core` with one store: the kernel's keyring on Linux. It
//! needs no service and no cryptography of ours, is closed to other users, and forgets at restart. Elsewhere there is
//! none, and the file is used.

use std::sync::Arc;

use keyring_core::{CredentialStore, Entry};
use platform::Secret;

use crate::exit::Exit;
use crate::failure::{Failure, Outcome};

/// The name of this program in the keyring.
const SERVICE: &str = "interlock";

pub(super) struct Keyring(Arc<CredentialStore>);

impl Keyring {
    /// The machine's keyring; tried out, because a container may have the calls and forbid them.
    #[cfg(target_os = "linux")]
    pub(super) fn open() -> Outcome<Self> {
        let store = linux_keyutils_keyring_store::Store::new().map_err(unusable)?;
        let keyring = Self(store);
        keyring.load("probe")?;
        Ok(keyring)
    }

    /// The machine's keyring.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn open() -> Outcome<Self> {
        Err(unusable(keyring_core::Error::NoDefaultStore))
    }

    pub(super) fn load(&self, name: &str) -> Outcome<Option<Secret>> {
        match self.entry(name)?.get_password() {
            Ok(text) => Ok(Some(Secret::from(text))),
            Err(keyring_core::Error::NoEntry) => Ok(None),
            Err(error) => Err(unusable(error)),
        }
    }

    pub(super) fn save(&self, name: &str, text: &Secret) -> Outcome {
        self.entry(name)?.set_password(text.expose()).map_err(unusable)
    }

    pub(super) fn remove(&self, name: &str) -> Outcome {
        match self.entry(name)?.delete_credential() {
            Ok(()) | Err(keyring_core::Error::NoEntry) => Ok(()),
            Err(error) => Err(unusable(error)),
        }
    }

    fn entry(&self, name: &str) -> Outcome<Entry> {
        self.0.build(SERVICE, name, None).map_err(unusable)
    }

    /// The library's own store for tests.
    #[cfg(test)]
    pub(super) fn for_tests() -> Outcome<Self> {
        Ok(Self(keyring_core::mock::Store::new().map_err(unusable)?))
    }

    /// A machine without one.
    #[cfg(test)]
    pub(super) fn broken() -> Outcome<Self> {
        Err(unusable(keyring_core::Error::NoDefaultStore))
    }
}

fn unusable(error: keyring_core::Error) -> Failure {
    // `BadEncoding` and its like carry what was read; only the kind of failure is said.
    let kind = match &error {
        keyring_core::Error::NoStorageAccess(cause) | keyring_core::Error::PlatformFailure(cause) => cause.to_string(),
        keyring_core::Error::NoDefaultStore => "there is no keyring on this system".to_owned(),
        keyring_core::Error::TooLong(what, most) => format!("{what} is longer than {most}"),
        _ => "the entry cannot be used".to_owned(),
    };
    let message = "The operating system's keyring cannot be used; keep tokens in a file with --store file.";
    Failure::new(Exit::Unavailable, "keyring_unusable", message).with_detail(&kind)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use platform::Secret;

    use super::Keyring;

    #[test]
    fn t28_the_kernels_keyring_keeps_replaces_and_forgets_where_the_machine_has_one() {
        let Ok(keyring) = Keyring::open() else {
            eprintln!("this machine lends out no keyring; the file store is proven beside this test");
            return;
        };
        let name = format!("test-{}", std::process::id());
        for text in ["one", "two"] {
            keyring.save(&name, &Secret::new(text)).unwrap();
            assert_eq!(keyring.load(&name).unwrap().unwrap().expose(), text);
        }
        keyring.remove(&name).unwrap();
        keyring.remove(&name).unwrap();
    }
}
