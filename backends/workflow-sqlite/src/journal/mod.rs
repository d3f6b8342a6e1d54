//! The journal: every statement against the file. Each write of a driver, and of a client that shares its process, asks first
//! whether the lease is still its own, in the same transaction, so that a driver that was paused and replaced changes nothing.
//!
//! Where next: `lease` for who drives; `turn` for what one event of a run commits; `work` for the inbox, timers and attempts;
//! `doors` for what clients do; `upkeep` for parking, retention and restored journals.

mod doors;
mod lease;
mod turn;
mod upkeep;
mod work;

use std::path::Path;

use platform::SharedClock;
use rusqlite::Connection;
use sqlite_file::SqliteFile;

use crate::error::JournalError;
pub(crate) use crate::journal::turn::Turn;
pub(crate) use crate::journal::work::{Arrived, Started, Ticket, happened, result_text};

pub(crate) type Result<T, E = JournalError> = std::result::Result<T, E>;

/// The file, held with an epoch. Clones share both.
#[derive(Clone)]
pub(crate) struct Journal {
    file: SqliteFile,
    epoch: i64,
    pub(crate) clock: SharedClock,
}

impl Journal {
    /// Opens the file and takes the lease. Blocks.
    pub(crate) fn open(path: &Path, clock: SharedClock) -> Result<Self> {
        let now = clock.now().as_millisecond();
        let setup = move |connection: &Connection| {
            let epoch = lease::take(connection, now)?;
            upkeep::try_parked_again(connection)?;
            Ok::<_, JournalError>(epoch)
        };
        let (file, epoch) = SqliteFile::open_with(path, crate::schema::LAYOUT, setup)?;
        Ok(Self { file, epoch, clock })
    }

    /// Parks what is open in a journal that was restored; see [`crate::void_after_restore`]. Blocks.
    pub(crate) fn void(path: &Path, clock: &SharedClock) -> Result<u64> {
        let now = clock.now().as_millisecond();
        let setup = move |connection: &Connection| upkeep::park_restored(connection, now);
        let (_, parked) = SqliteFile::open_with(path, crate::schema::LAYOUT, setup)?;
        Ok(parked)
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.clock.now().as_millisecond()
    }

    async fn read<T: Send + 'static>(&self, job: impl FnOnce(&Connection) -> Result<T> + Send + 'static) -> Result<T> {
        self.file.read(job).await
    }

    /// A write under the lease.
    async fn write<T: Send + 'static>(&self, job: impl FnOnce(&Connection) -> Result<T> + Send + 'static) -> Result<T> {
        let epoch = self.epoch;
        self.file
            .write(move |connection| {
                lease::check(connection, epoch)?;
                job(connection)
            })
            .await
    }

    /// Keeps the lease for a while longer.
    pub(crate) async fn renew(&self) -> Result<()> {
        let now = self.now_ms();
        self.write(move |connection| lease::renew(connection, now)).await
    }

    /// Gives the lease back, so that a driver on another machine need not wait for its end.
    pub(crate) async fn release(&self) -> Result<()> {
        self.write(lease::release).await
    }
}

/// Runs are named by a number in the file.
pub(crate) type RunKey = i64;

pub(crate) fn unreadable(what: &str, error: impl std::fmt::Display) -> JournalError {
    JournalError::Unreadable(format!("{what}: {error}"))
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Journal").field("epoch", &self.epoch).finish_non_exhaustive()
    }
}
