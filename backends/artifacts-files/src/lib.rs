//! Artifacts (rule T27) as files of one folder, for one process.
//!
//! ```text
//! <folder>/lock                      held while the process lives
//! <folder>/ab/cdef…                  sealed content; the first two digits of its id are the folder
//! <folder>/ab/cdef….<name>.ref       one of its references, JSON
//! <folder>/ab/.new-<n>               being written; a crash leaves it behind, and the next start removes it
//! ```
//!
//! Every file is written beside its place, synced, and renamed; then its folder is synced. A content is in its place before
//! its first reference, so a crash leaves at most a content without one, which the next sweep removes. Each of the 256
//! folders has a lock of its own in this process: a sweep never takes a content away from under a put. Next: [`shard`].

mod shard;

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use platform::artifacts::{ArtifactId, ArtifactStore, SealedArtifact, StoredReference, Swept, unavailable};
use platform::{Error, ErrorKind};

use self::shard::Shard;

/// How many folders there are: one for each value of the first two digits.
const SHARDS: usize = 256;

/// Artifacts in a folder.
#[derive(Clone)]
pub struct ArtifactFiles(Arc<Inner>);

struct Inner {
    folder: PathBuf,
    shards: Vec<Mutex<()>>,
    /// Where the next sweep goes on.
    sweeping: AtomicUsize,
    /// Numbers files that are being written.
    written: AtomicUsize,
    /// Holds the lease for as long as the process lives.
    _lease: File,
}

impl ArtifactFiles {
    /// Opens a folder, and makes it for its owner alone where it is missing. Errors: `artifacts_in_use` when another
    /// process has it, `artifacts_unavailable`.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(unavailable)?;
        let folder = folder.canonicalize().map_err(unavailable)?;
        let lease = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(folder.join("lock"))
            .map_err(unavailable)?;
        lease.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => Error::new(
                ErrorKind::Unavailable,
                "artifacts_in_use",
                "Another process uses this folder of artifacts; stop it, or name another folder with `artifacts.url`.",
            ),
            TryLockError::Error(error) => unavailable(error),
        })?;
        for shard in shards(&folder).map_err(unavailable)? {
            Shard::at(shard).remove_unfinished().map_err(unavailable)?;
        }
        sync(&folder).map_err(unavailable)?;
        Ok(Self(Arc::new(Inner {
            folder,
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            sweeping: AtomicUsize::new(0),
            written: AtomicUsize::new(0),
            _lease: lease,
        })))
    }

    /// Works on the folder of an id, on a thread where waiting for a disk does no harm.
    async fn on<T: Send + 'static>(
        &self,
        id: &ArtifactId,
        work: impl FnOnce(&Inner, &Shard, &str) -> io::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let (inner, id) = (Arc::clone(&self.0), id.clone());
        let done = tokio::task::spawn_blocking(move || {
            let (shard, rest) = id.as_str().split_at_checked(2).unwrap_or_default();
            let number = usize::from_str_radix(shard, 16).unwrap_or_default();
            let _alone = inner.alone(number);
            work(&inner, &Shard::at(inner.folder.join(shard)), rest)
        });
        done.await.map_err(Error::internal)?.map_err(unavailable)
    }
}

impl Inner {
    fn alone(&self, shard: usize) -> Option<MutexGuard<'_, ()>> {
        // Nothing is guarded but files, and those are whole after every step.
        self.shards.get(shard).map(|lock| lock.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn number(&self) -> usize {
        self.written.fetch_add(1, Ordering::Relaxed)
    }

    fn put(&self, shard: &Shard, rest: &str, artifact: &SealedArtifact) -> io::Result<()> {
        if shard.make()? {
            sync(&self.folder)?;
        }
        if artifact.replace_content || shard.content(rest)?.is_none() {
            shard.write_content(rest, &artifact.content, self.number())?;
        }
        let there = shard.reference(rest, &artifact.reference.name)?;
        let stays = |there: &StoredReference| there.facts.keep_until >= artifact.reference.facts.keep_until;
        if artifact.replace_reference || !there.as_ref().is_some_and(stays) {
            shard.write_reference(rest, &artifact.reference, self.number())?;
        }
        Ok(())
    }

    /// One pass over the folders at most, from where the last one ended, until `limit` references are gone.
    fn sweep(&self, now: i64, limit: usize) -> io::Result<Swept> {
        let mut swept = Swept::default();
        for _ in 0..SHARDS {
            let number = self.sweeping.load(Ordering::Relaxed) % SHARDS;
            let _alone = self.alone(number);
            let shard = Shard::at(self.folder.join(format!("{number:02x}")));
            let removed = usize::try_from(swept.references).unwrap_or(usize::MAX);
            let done = shard.sweep(now, limit.saturating_sub(removed), &mut swept)?;
            if !done {
                swept.more = true;
                break;
            }
            self.sweeping.store(number + 1, Ordering::Relaxed);
        }
        Ok(swept)
    }
}

#[async_trait]
impl ArtifactStore for ArtifactFiles {
    async fn put(&self, artifact: SealedArtifact) -> Result<(), Error> {
        self.on(&artifact.id.clone(), move |inner, shard, rest| inner.put(shard, rest, &artifact)).await
    }

    async fn references(&self, id: &ArtifactId) -> Result<Vec<StoredReference>, Error> {
        self.on(id, |_, shard, rest| shard.references(rest)).await
    }

    async fn content(&self, id: &ArtifactId) -> Result<Option<Vec<u8>>, Error> {
        self.on(id, |_, shard, rest| shard.content(rest)).await
    }

    async fn sweep(&self, now: i64, limit: usize) -> Result<Swept, Error> {
        let inner = Arc::clone(&self.0);
        let swept = tokio::task::spawn_blocking(move || inner.sweep(now, limit));
        swept.await.map_err(Error::internal)?.map_err(unavailable)
    }
}

/// The folders that are there.
fn shards(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in folder.read_dir()? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.push(entry.path());
        }
    }
    Ok(found)
}

/// Makes names in a folder durable.
fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
