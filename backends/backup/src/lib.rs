//! Backups (rule T24): one archive of everything that the platform keeps, made while it runs, and the way back.
//!
//! An archive is a gzip-compressed tar: `manifest.json`, `manifest.mac`, and the members in the manifest's order. The manifest
//! names every member with its size and SHA-256; its MAC is keyed from the master key, so that nobody else can make or
//! change an archive. The members are what stands in the state folder, which is sealed there already: the master key is in
//! no archive, and without it an archive opens nothing.
//!
//! Next: [`write()`] for making one, [`Archive`] for reading one, [`place`] for what a restore does to a state folder,
//! [`restoration`] for what the restored platform remembers of it.

mod archive;
mod manifest;
pub mod place;
pub mod restoration;
mod source;
mod writing;

pub use self::archive::Archive;
pub use self::manifest::{LogEnd, Manifest, Member};
pub use self::source::{Part, Staged, stage};
pub use self::writing::write;

use platform::{Error, ErrorKind};

/// The archive was changed, cut off, or never was one.
fn damaged(why: impl std::fmt::Display) -> Error {
    Error::new(
        ErrorKind::Conflict,
        "backup_damaged",
        "The archive is not as it was written: it is damaged or was changed. Nothing was restored; use another one.",
    )
    .with_detail(why)
}

/// A file of ours could not be read or written.
fn unusable(what: &std::path::Path) -> impl Fn(std::io::Error) -> Error {
    move |error| {
        let message = format!("{} cannot be read or written: {error}.", what.display());
        Error::new(ErrorKind::Unavailable, "backup_unusable", message)
    }
}

/// A database that a newer version migrated, found in an archive; any other error as it is.
pub fn newer(error: Error) -> Error {
    if error.code() != "store_too_new" {
        return error;
    }
    Error::new(
        ErrorKind::Conflict,
        "backup_too_new",
        "A newer version of Interlock wrote this archive. Restore it with that version.",
    )
}
