//! What a user of this crate declares about its file, and how a connection is opened accordingly.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use platform::canonical::sha256;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension, TransactionBehavior, params};

use crate::error::FileError;

/// How long a statement waits for another process's lock.
pub(crate) const BUSY: Duration = Duration::from_secs(5);

/// What is in the file.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    /// Tells this sort of file from others: `PRAGMA application_id`, not zero.
    pub application_id: i32,
    /// SQL of each migration, in order. Number n brings a file from schema n to n + 1. Only ever append: a
    /// changed text is refused when the file is opened.
    pub migrations: &'static [&'static str],
    /// Overwrite what is deleted with zeros.
    pub secure_delete: bool,
    /// Most reader connections at a time; at least 1.
    pub readers: usize,
}

/// Creates the file for its owner alone, since SQLite would follow the umask, and returns its one true path, so that
/// two names of one file cannot have two leases.
pub(crate) fn create_private(path: &Path) -> Result<PathBuf, FileError> {
    match OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path) {
        Ok(file) => {
            file.sync_all()?;
            if let Some(folder) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
                File::open(folder)?.sync_all()?;
            }
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error.into()),
    }
    Ok(path.canonicalize()?)
}

pub(crate) fn open_writer(path: &Path, layout: Layout) -> Result<Connection, FileError> {
    let mut connection = open(path)?;
    // A write-ahead log that cannot be had (a network file system) means commits that are not durable: refuse.
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(FileError::Unavailable(format!("journal mode is {mode}, not wal")));
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "secure_delete", layout.secure_delete)?;
    connection.pragma_update(None, "journal_size_limit", 16 * 1024 * 1024)?;
    migrate(&mut connection, path, layout)?;
    Ok(connection)
}

pub(crate) fn open_reader(path: &Path) -> Result<Connection, FileError> {
    let connection = open(path)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

fn open(path: &Path) -> Result<Connection, FileError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(64);
    // Plans are made for a statement and not for its values. Otherwise SQLite, which is built with statistics (SQLITE_ENABLE_STAT4),
    // prepares some statements anew for every value that is bound, and the cache of statements is for nothing.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(connection)
}

/// What was applied, with the digest of its text.
const NOTES: &str = "
CREATE TABLE IF NOT EXISTS interlock_migration (
    version INTEGER NOT NULL PRIMARY KEY CHECK (version >= 1),
    digest  TEXT NOT NULL
) STRICT";
const NOTE: &str = "INSERT INTO interlock_migration (version, digest) VALUES (?1, ?2)";

/// Whether the tables were made by the migrations that this program knows. A file from before the notes gets them.
fn check_applied(
    connection: &mut Connection,
    path: impl Fn() -> String,
    layout: Layout,
    version: i64,
) -> Result<(), FileError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let noted = "SELECT count(*) FROM sqlite_schema WHERE name = 'interlock_migration'";
    let noted: i64 = transaction.query_row(noted, [], |row| row.get(0))?;
    transaction.execute_batch(NOTES)?;
    // In one transaction: a file with tables and without a mark is somebody else's.
    transaction.pragma_update(None, "application_id", layout.application_id)?;
    for (number, sql) in (1..=version).zip(layout.migrations) {
        let digest = digest_of(sql);
        if noted == 0 {
            transaction.execute(NOTE, params![number, digest])?;
            continue;
        }
        let applied: Option<String> = transaction
            .query_row("SELECT digest FROM interlock_migration WHERE version = ?1", [number], |row| row.get(0))
            .optional()?;
        if applied.as_ref() != Some(&digest) {
            return Err(FileError::Changed { path: path(), version: number });
        }
    }
    transaction.commit()?;
    Ok(())
}

fn digest_of(sql: &str) -> String {
    hex::encode(sha256(sql.as_bytes()))
}

fn migrate(connection: &mut Connection, path: &Path, layout: Layout) -> Result<(), FileError> {
    let path = || path.display().to_string();
    let found: i32 = connection.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if found != layout.application_id && (found != 0 || tables != 0) {
        return Err(FileError::Foreign { path: path(), found, expected: layout.application_id });
    }
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let known = i64::try_from(layout.migrations.len()).unwrap_or(i64::MAX);
    if version > known {
        return Err(FileError::TooNew { path: path(), found: version, known });
    }
    check_applied(connection, path, layout, version)?;
    for (number, sql) in (1_i64..).zip(layout.migrations).filter(|(number, _)| *number > version) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(sql)?;
        transaction.execute(NOTE, params![number, digest_of(sql)])?;
        transaction.pragma_update(None, "user_version", number)?;
        transaction.commit()?;
    }
    Ok(())
}
