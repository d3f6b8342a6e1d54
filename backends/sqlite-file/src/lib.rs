//! One SQLite file, held by one process: open with the settings that make a commit durable, migrate forward, write
//! through one thread with group commit, read through a few connections.
//!
//! Where next: [`SqliteFile`] for the handle, [`Layout`] for what a user of this crate declares, `writer` for group
//! commit, `lease` for the rule that a second process is refused (T24).

mod copy;
mod error;
mod layout;
mod lease;
mod readers;
mod writer;

use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;

pub use self::copy::{Claim, claim, copy};
pub use self::error::FileError;
pub use self::layout::Layout;
use self::lease::Lease;
use self::readers::Readers;
use self::writer::Writer;

/// A SQLite file that this process holds. Clones share it; the last one to go finishes what was queued, folds the
/// write-ahead log into the file, and gives the lease back.
#[derive(Clone)]
pub struct SqliteFile {
    inner: Arc<Inner>,
}

// The order matters on drop: no more writes, no more readers, and only then the lease.
struct Inner {
    writer: Writer,
    readers: Readers,
    _lease: Lease,
}

impl SqliteFile {
    /// Opens `path`, creates it (mode 0600) where it is missing, and migrates it. Blocks; call it at start.
    ///
    /// Errors: `store_in_use` when another holder is there (T24), `store_too_new` when a newer binary has migrated it,
    /// `store_migration_changed` when another build has, `store_foreign` when it is another sort of file, `store_corrupt`, `store_unavailable`.
    pub fn open(path: &Path, layout: Layout) -> Result<Self, FileError> {
        Self::open_with(path, layout, |_| Ok::<(), FileError>(())).map(|(file, ())| file)
    }

    /// Like [`open`](Self::open), and runs `setup` in a transaction of its own before anybody else can read or write.
    pub fn open_with<T, E>(
        path: &Path,
        layout: Layout,
        setup: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<(Self, T), E>
    where
        E: From<FileError>,
    {
        let path = layout::create_private(path)?;
        let lease = Lease::take(&path)?;
        let connection = layout::open_writer(&path, layout)?;
        let set_up = writer::alone(&connection, setup)?;
        let readers = Readers::new(path, layout.readers);
        let writer = Writer::start(connection)?;
        Ok((Self { inner: Arc::new(Inner { writer, readers, _lease: lease }) }, set_up))
    }

    /// Runs `job` on the writer thread, in a savepoint of its own: an `Err` undoes this job and nothing else. Returns
    /// when the transaction is on disk. Dropping the future does not take back a job that was queued.
    ///
    /// The error is the job's own, or a [`FileError`] when the file failed: then nothing of the job happened, except
    /// after [`FileError::OutcomeUnknown`].
    pub async fn write<T, E, F>(&self, job: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<FileError> + Send + 'static,
        F: FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    {
        self.inner.writer.write(job).await
    }

    /// Runs `job` on a reader connection, in one snapshot that holds everything acknowledged before the call.
    pub async fn read<T, E, F>(&self, job: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<FileError> + Send + 'static,
        F: FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    {
        // The readers are shared by way of `inner`, so that a read in flight keeps the lease as well.
        let permit = self.inner.readers.permit().await?;
        let inner = Arc::clone(&self.inner);
        let task = tokio::task::spawn_blocking(move || {
            let answer = inner.readers.run(job);
            drop(permit);
            answer
        });
        task.await.unwrap_or_else(|failed| Err(FileError::Defect(format!("a read panicked: {failed}")).into()))
    }

    /// A number that is another one after every write that was acknowledged. What was read after this said n is what stands in
    /// the file for as long as it says n.
    pub fn generation(&self) -> u64 {
        self.inner.writer.groups()
    }

    /// Folds the write-ahead log into the file and empties it, so that overwritten pages are gone from both.
    pub async fn checkpoint(&self) -> Result<(), FileError> {
        self.inner.writer.checkpoint().await
    }
}

impl std::fmt::Debug for SqliteFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteFile").finish_non_exhaustive()
    }
}
