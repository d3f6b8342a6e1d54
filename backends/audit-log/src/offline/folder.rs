//! The logs of a folder: the current one in it, and those that were closed and set aside in folders below, each under the
//! last part of its name. Next: [`super::search`] and [`super::export()`], which read them one after the other.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension};

use crate::error::AuditFault;
use crate::file::{DATABASE, open_for_reading};

/// One log of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPlace {
    /// Its database.
    pub database: PathBuf,
    /// Its name.
    pub origin: String,
    /// When it was made.
    pub made_at: String,
    /// Whether it lies in the folder itself; the others were set aside.
    pub current: bool,
}

impl LogPlace {
    /// The last part of the log's name, by which people name it.
    pub fn short(&self) -> &str {
        short(&self.origin)
    }

    pub(crate) fn open(&self) -> Result<Connection, AuditFault> {
        open_for_reading(&self.database)
    }

    fn at(database: PathBuf, current: bool) -> Result<Option<Self>, AuditFault> {
        let connection = open_for_reading(&database)?;
        let named = connection
            .query_row("SELECT origin, made_at FROM log", [], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        Ok(named.map(|(origin, made_at)| Self { database, origin, made_at, current }))
    }
}

/// The part of a log's name behind its last slash.
pub(crate) fn short(origin: &str) -> &str {
    origin.rsplit_once('/').map_or(origin, |(_, short)| short)
}

/// The logs of `state`, oldest first. `state` is a folder, or one log's database.
pub fn logs(state: &Path) -> Result<Vec<LogPlace>, AuditFault> {
    if !state.is_dir() {
        return Ok(LogPlace::at(state.to_owned(), true)?.into_iter().collect());
    }
    let mut found = Vec::new();
    let unread = |e| AuditFault::io(state, e);
    for entry in std::fs::read_dir(state).map_err(unread)? {
        let database = entry.map_err(unread)?.path().join(DATABASE);
        if database.is_file() {
            found.extend(LogPlace::at(database, false)?);
        }
    }
    let database = state.join(DATABASE);
    if database.is_file() {
        found.extend(LogPlace::at(database, true)?);
    }
    let made = |log: &LogPlace| log.made_at.parse::<jiff::Timestamp>().ok();
    found.sort_by_key(|log| (log.current, made(log), log.origin.clone()));
    Ok(found)
}
