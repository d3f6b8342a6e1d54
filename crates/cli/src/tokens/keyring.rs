//! Tokens in the operating system's keyring, through `keyring-core` with one store: the kernel's keyring on Linux. It
//! needs no service and no cryptography of ours, is closed to other users, and forgets at restart. Elsewhere there is
//! none, and the file is used.

use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use keyring_core::{CredentialStore, Entry};
use platform::Secret;

use crate::exit::Exit;
use crate::failure::{Failure, Outcome};

/// The name of this program in the keyring.
const SERVICE: &str = "interlock";

/// A keyring, behind a thread of its own: on Linux, the keys that a thread may read depend on that thread's session, and
/// a runtime moves work from one to another.
pub(super) struct Keyring(Sender<Job>);

type Job = Box<dyn FnOnce(&Arc<CredentialStore>) + Send>;

impl Keyring {
    /// The machine's keyring; tried out, because a container may have the calls and forbid them.
    pub(super) fn open() -> Outcome<Self> {
        let keyring = Self::over(system)?;
        keyring.load("probe")?;
        Ok(keyring)
    }

    fn over(store: fn() -> keyring_core::Result<Arc<CredentialStore>>) -> Outcome<Self> {
        let (jobs, todo) = channel::<Job>();
        let (opened, open) = channel();
        std::thread::spawn(move || {
            let store = store();
            let answer = store.as_ref().map(|_| ()).map_err(unusable);
            // Whoever opens it waits for this.
            drop(opened.send(answer));
            if let Ok(store) = store {
                todo.into_iter().for_each(|job| job(&store));
            }
        });
        open.recv().unwrap_or_else(|ended| Err(Failure::internal(&ended)))?;
        Ok(Self(jobs))
    }

    fn with<T: Send + 'static>(
        &self,
        name: &str,
        work: impl FnOnce(&Entry) -> keyring_core::Result<T> + Send + 'static,
    ) -> Outcome<Option<T>> {
        let (name, (done, answer)) = (name.to_owned(), channel());
        let job: Job = Box::new(move |store| {
            let result = store.build(SERVICE, &name, None).and_then(|entry| work(&entry));
            drop(done.send(match result {
                Ok(found) => Ok(Some(found)),
                Err(keyring_core::Error::NoEntry) => Ok(None),
                Err(error) => Err(unusable(&error)),
            }));
        });
        self.0.send(job).map_err(|ended| Failure::internal(&ended))?;
        answer.recv().unwrap_or_else(|ended| Err(Failure::internal(&ended)))
    }

    pub(super) fn load(&self, name: &str) -> Outcome<Option<Secret>> {
        Ok(self.with(name, |entry| entry.get_password())?.map(Secret::from))
    }

    pub(super) fn save(&self, name: &str, text: &Secret) -> Outcome {
        let text = text.clone();
        self.with(name, move |entry| entry.set_password(text.expose())).map(drop)
    }

    pub(super) fn remove(&self, name: &str) -> Outcome {
        self.with(name, |entry| entry.delete_credential()).map(drop)
    }

    /// The library's own store for tests.
    #[cfg(test)]
    pub(super) fn for_tests() -> Outcome<Self> {
        Self::over(|| Ok(keyring_core::mock::Store::new()?))
    }

    /// A machine without one.
    #[cfg(test)]
    pub(super) fn broken() -> Outcome<Self> {
        Self::over(|| Err(keyring_core::Error::NoDefaultStore))
    }
}

/// The kernel's keyring. A process without a session of its own (a container's, a service's) gets one first: otherwise
/// the store would make one between two of its own calls, and lose sight of what it wrote before.
#[cfg(target_os = "linux")]
fn system() -> keyring_core::Result<Arc<CredentialStore>> {
    use linux_keyutils::{KeyRing, KeyRingIdentifier};
    KeyRing::from_special_id(KeyRingIdentifier::Session, true)
        .and_then(|_| KeyRing::get_persistent(KeyRingIdentifier::Session))
        .map_err(|error| keyring_core::Error::NoStorageAccess(Box::new(error)))?;
    Ok(linux_keyutils_keyring_store::Store::new()?)
}

#[cfg(not(target_os = "linux"))]
fn system() -> keyring_core::Result<Arc<CredentialStore>> {
    Err(keyring_core::Error::NoDefaultStore)
}

fn unusable(error: &keyring_core::Error) -> Failure {
    // `BadEncoding` and its like carry what was read; only the kind of failure is said.
    let kind = match error {
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
            // Each as if another process came: what one keeps the next one has to find.
            let other = Keyring::open().unwrap();
            other.load(&name).unwrap();
            other.save(&name, &Secret::new(text)).unwrap();
            assert_eq!(other.load(&name).unwrap().unwrap().expose(), text);
            assert_eq!(Keyring::open().unwrap().load(&name).unwrap().unwrap().expose(), text);
        }
        keyring.remove(&name).unwrap();
        keyring.remove(&name).unwrap();
    }
}
