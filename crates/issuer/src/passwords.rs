//! Argon2id (rule T5, RFC 9106) with the parameters of the OWASP Password Storage Cheat Sheet, off the async threads and
//! never more than a few at once. Who may try, and how often, stands in `throttle`.

use std::sync::Arc;
use std::time::Duration;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use platform::{Error, ErrorKind, Secret};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use zeroize::Zeroizing;

const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// Each hash takes 19 MiB; this many at once is all that a flood of sign-ins can take.
const AT_ONCE: usize = 2;
/// Memory asked for, of which only the blocks in use are touched. From 32 MiB on, an allocation has a place of its own and is given
/// back when it is freed: by glibc at once (mallopt(3), M_MMAP_THRESHOLD), by mimalloc, which the program uses, with the next thing
/// that it does. The 19 MiB alone would stay with every thread of glibc's that ever hashed a password.
const ROOM: usize = 33 << 20;
/// A sign-in that waits longer than this for its turn is refused: the queue must not outlive the people in it.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// A password as the store keeps it. Its parameters stand beside it, so that stronger ones can come later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PasswordHash {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    salt: String,
    hash: String,
}

/// The right to hash one password now. A caller that checks the throttle while holding it cannot be overtaken by more
/// than [`AT_ONCE`] parallel guesses.
pub(crate) struct Turn {
    _permit: OwnedSemaphorePermit,
}

/// Hashes and verifies passwords.
pub(crate) struct Passwords {
    turns: Arc<Semaphore>,
}

impl Passwords {
    pub(crate) fn new() -> Self {
        Self { turns: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// Waits for a turn. Error: `sign_in_busy` ([`ErrorKind::Unavailable`]).
    pub(crate) async fn turn(&self) -> Result<Turn, Error> {
        let waited = tokio::time::timeout(LONGEST_WAIT, Arc::clone(&self.turns).acquire_owned()).await;
        match waited {
            Ok(Ok(permit)) => Ok(Turn { _permit: permit }),
            _ => Err(Error::new(
                ErrorKind::Unavailable,
                "sign_in_busy",
                "Too many people are signing in right now. Try again in a minute.",
            )
            .with_retry_after(Duration::from_secs(60))),
        }
    }

    /// Hashes a new password under a new salt.
    pub(crate) async fn hash(&self, password: Secret) -> Result<PasswordHash, Error> {
        let turn = self.turn().await?;
        let hashed = tokio::task::spawn_blocking(move || {
            let mut salt = [0; 16];
            aws_lc_rs::rand::fill(&mut salt).map_err(Error::internal)?;
            let hash = derive(&password, &salt, MEMORY_KIB, PASSES, LANES)?;
            Ok(PasswordHash {
                memory_kib: MEMORY_KIB,
                passes: PASSES,
                lanes: LANES,
                salt: STANDARD_NO_PAD.encode(salt),
                hash: STANDARD_NO_PAD.encode(hash.as_slice()),
            })
        });
        let hashed = hashed.await.map_err(Error::internal)?;
        drop(turn);
        hashed
    }

    /// Whether `password` is the one behind `stored`. Without a stored one the same work is done for the same answer,
    /// so that time does not tell which names exist.
    pub(crate) async fn verify(
        &self,
        turn: Turn,
        password: Secret,
        stored: Option<PasswordHash>,
    ) -> Result<(bool, Turn), Error> {
        let checked = tokio::task::spawn_blocking(move || {
            let known = stored.is_some();
            let stored = stored.unwrap_or_else(|| PasswordHash {
                memory_kib: MEMORY_KIB,
                passes: PASSES,
                lanes: LANES,
                salt: STANDARD_NO_PAD.encode([0_u8; 16]),
                hash: STANDARD_NO_PAD.encode([0_u8; 32]),
            });
            let salt = STANDARD_NO_PAD.decode(&stored.salt).map_err(Error::internal)?;
            let expected = STANDARD_NO_PAD.decode(&stored.hash).map_err(Error::internal)?;
            let hash = derive(&password, &salt, stored.memory_kib, stored.passes, stored.lanes)?;
            Ok((bool::from(hash.as_slice().ct_eq(&expected)) && known, turn))
        });
        checked.await.map_err(Error::internal)?
    }
}

fn derive(password: &Secret, salt: &[u8], memory: u32, passes: u32, lanes: u32) -> Result<Zeroizing<[u8; 32]>, Error> {
    let params = Params::new(memory, passes, lanes, Some(32)).map_err(Error::internal)?;
    let blocks = params.block_count();
    let mut memory: Vec<Block> = Vec::new();
    memory.try_reserve_exact(blocks.max(ROOM / Block::SIZE)).map_err(Error::internal)?;
    memory.resize(blocks, Block::new());
    let mut out = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into_with_memory(password.expose().as_bytes(), salt, out.as_mut_slice(), &mut memory)
        .map_err(Error::internal)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::{PasswordHash, Passwords};

    #[tokio::test]
    async fn t5_a_password_verifies_only_against_its_own_hash_and_nothing_without_one() {
        let passwords = Passwords::new();
        let stored = passwords.hash("correct horse".into()).await.unwrap();
        let again = passwords.hash("correct horse".into()).await.unwrap();
        assert_ne!(stored, again, "every hash has its own salt");
        assert_eq!((stored.memory_kib, stored.passes, stored.lanes), (19_456, 2, 1));
        assert!(check(&passwords, "correct horse", Some(stored.clone())).await);
        assert!(!check(&passwords, "correct hors", Some(stored)).await);
        assert!(!check(&passwords, "correct horse", None).await);
    }

    async fn check(passwords: &Passwords, password: &str, stored: Option<PasswordHash>) -> bool {
        let turn = passwords.turn().await.unwrap();
        passwords.verify(turn, password.into(), stored).await.unwrap().0
    }
}
