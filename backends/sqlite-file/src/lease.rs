//! The lease on a file: a second holder is refused (T24). The operating system ends it with the process, however that
//! dies, so there is nothing to clean up and nothing to wait for.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::error::FileError;

/// An exclusive `flock` on `<file>.lock`. Not on the database itself: SQLite's own locks live there, and closing any
/// descriptor of a file drops the process's POSIX locks on it.
#[derive(Debug)]
pub(crate) struct Lease {
    file: File,
}

impl Drop for Lease {
    /// Said aloud, because closing is not enough: a child process that is just being started has a copy of the descriptor.
    fn drop(&mut self) {
        if let Err(error) = self.file.unlock() {
            tracing::warn!(%error, "a lock was not given back before its file was closed");
        }
    }
}

impl Lease {
    pub(crate) fn take(database: &Path) -> Result<Self, FileError> {
        let mut name = database.as_os_str().to_owned();
        name.push(".lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(PathBuf::from(name))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let known = file.read_to_string(&mut holder).is_ok() && !holder.trim().is_empty();
                let holder = if known { holder.trim().to_owned() } else { "?".to_owned() };
                return Err(FileError::InUse { path: database.display().to_string(), holder });
            }
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        file.set_len(0)?;
        writeln!(file, "{}", std::process::id())?;
        Ok(Self { file })
    }
}
