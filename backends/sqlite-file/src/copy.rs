//! A copy of a file as of one moment, made beside the process that has it, and a claim on a file that nobody has.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use crate::error::FileError;
use crate::layout;
use crate::lease::Lease;

/// Copies the database at `from` to `to`, which must not exist: what was committed when the copy began, without free pages
/// and without a write-ahead log. Whoever writes to it goes on meanwhile. Blocks. Errors as those of opening.
pub fn copy(from: &Path, to: &Path) -> Result<(), FileError> {
    // The copy is filled through the same connection, so this one cannot be a reader only.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(from, flags)?;
    connection.busy_timeout(layout::BUSY)?;
    let name = to.to_str().ok_or_else(|| FileError::Unavailable("a path is no text".to_owned()))?;
    connection.execute("VACUUM INTO ?1", [name])?;
    std::fs::File::open(to)?.sync_all()?;
    Ok(())
}

/// A file that is held and not opened: nobody else opens it meanwhile (T24).
#[derive(Debug)]
pub struct Claim {
    _lease: Lease,
}

/// Claims the file at `path`, whether it exists or not. Error: [`FileError::InUse`] when another holder is there.
pub fn claim(path: &Path) -> Result<Claim, FileError> {
    // The one true path, as a holder names it: the file itself may be missing.
    let path = match path.canonicalize() {
        Ok(path) => path,
        Err(_) => match (path.parent().filter(|p| !p.as_os_str().is_empty()), path.file_name()) {
            (Some(folder), Some(name)) => folder.canonicalize()?.join(name),
            _ => path.to_owned(),
        },
    };
    Ok(Claim { _lease: Lease::take(&path)? })
}
