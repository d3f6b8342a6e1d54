//! The file `audit.db`: opening it, and bringing its layout forward. The only place that knows how SQLite is set up. Next:
//! [`crate::schema`] for the tables, [`crate::writer`] for the rows.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::error::AuditFault;
use crate::schema::STEPS;

/// Name of the database within the log's folder.
pub(crate) const DATABASE: &str = "audit.db";
/// Name of the file of checkpoints within the log's folder.
pub(crate) const CHECKPOINTS: &str = "audit.checkpoints";
/// Name of the file that the writing process holds locked.
pub(crate) const LOCK: &str = "audit.lock";

/// The triggers without which the tables could be changed by an ordinary statement.
pub(crate) const TRIGGERS: [&str; 13] = [
    "audit_no_delete",
    "audit_no_update",
    "audit_only_next",
    "checkpoint_no_delete",
    "checkpoint_no_update",
    "checkpoint_only_next",
    "log_no_delete",
    "log_no_update",
    "log_only_once",
    "payload_no_update",
    "removed_no_delete",
    "removed_no_update",
    "removed_only_next",
];

/// The writer's connection: WAL, every commit synced.
pub(crate) fn open_for_writing(path: &Path, busy: Duration) -> Result<Connection, AuditFault> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(busy)?;
    connection.execute_batch("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA trusted_schema=OFF;")?;
    Ok(connection)
}

/// A reader's connection; it works beside a running writer. Nothing can be written through it.
pub(crate) fn open_for_reading(path: &Path) -> Result<Connection, AuditFault> {
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.execute_batch("PRAGMA query_only=ON; PRAGMA trusted_schema=OFF;")?;
    Ok(connection)
}

/// Makes the tables of a new log in one transaction and names the log; brings those of an older version forward. Nothing
/// happens when they are up to date. Error: [`AuditFault::Newer`].
pub(crate) fn lay_tables(
    connection: &mut Connection,
    origin: &str,
    public_key: &str,
    made_at: &str,
) -> Result<(), AuditFault> {
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let taken = steps_taken(&transaction)?;
    for step in STEPS.iter().skip(taken) {
        transaction.execute_batch(step)?;
    }
    if taken < STEPS.len() {
        transaction.pragma_update(None, "user_version", i64::try_from(STEPS.len()).unwrap_or(i64::MAX))?;
    }
    if taken == 0 {
        transaction.execute("INSERT INTO log VALUES(1, ?, ?, ?)", [origin, public_key, made_at])?;
    }
    transaction.commit()?;
    Ok(())
}

/// How many steps of [`STEPS`] a file has taken; 0 of an empty one. Error: [`AuditFault::Newer`].
pub(crate) fn steps_taken(connection: &Connection) -> Result<usize, AuditFault> {
    let there: bool =
        connection.query_row("SELECT count(*) > 0 FROM sqlite_schema WHERE name = 'log'", [], |row| row.get(0))?;
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    match usize::try_from(version) {
        Ok(version) if version <= STEPS.len() => Ok(if there { version.max(1) } else { 0 }),
        _ => Err(AuditFault::Newer(version)),
    }
}

/// The name of the log and the public key that it was made with.
pub(crate) fn identity(connection: &Connection) -> Result<(String, String), AuditFault> {
    Ok(connection.query_row("SELECT origin, public_key FROM log", [], |row| Ok((row.get(0)?, row.get(1)?)))?)
}

/// The same of the database at `path`, where there is one with a log in it. For whoever may write there: a file that was
/// being made when the power failed is first taken back to what it was, which a reader cannot do.
pub(crate) fn identity_at(path: &Path) -> Result<Option<(String, String)>, AuditFault> {
    if !path.exists() {
        return Ok(None);
    }
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    let made: bool =
        connection.query_row("SELECT count(*) > 0 FROM sqlite_schema WHERE name = 'log'", [], |row| row.get(0))?;
    if made { Ok(Some(identity(&connection)?)) } else { Ok(None) }
}

/// The database of a log: `path` itself, or `audit.db` in it when it is a folder.
pub(crate) fn database_at(path: &Path) -> PathBuf {
    if path.is_dir() { path.join(DATABASE) } else { path.to_owned() }
}

/// The statements that made the tables, indexes and triggers of a database, by name.
pub(crate) fn schema_of(connection: &Connection) -> Result<BTreeMap<String, String>, AuditFault> {
    let mut statement = connection.prepare(
        "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite~_%' ESCAPE '~'",
    )?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The same of a database as it was made by the first `steps` steps.
pub(crate) fn schema_as_made(steps: usize) -> Result<BTreeMap<String, String>, AuditFault> {
    let connection = Connection::open_in_memory()?;
    for step in STEPS.iter().take(steps) {
        connection.execute_batch(step)?;
    }
    schema_of(&connection)
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::{lay_tables, schema_as_made, schema_of, steps_taken};
    use crate::error::AuditFault;
    use crate::schema::STEPS;

    #[test]
    fn t25_a_file_of_an_older_layout_is_brought_forward_and_keeps_its_name() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(STEPS[0]).unwrap();
        connection.execute("INSERT INTO log VALUES(1, 'old', 'key', 'then')", []).unwrap();
        connection
            .execute("INSERT INTO audit(seq, line, hash) VALUES(1, '{\"event\":{\"code\":\"denied\"}}', x'00')", [])
            .unwrap();
        assert_eq!(steps_taken(&connection).unwrap(), 1);
        lay_tables(&mut connection, "new", "other", "now").unwrap();
        assert_eq!(steps_taken(&connection).unwrap(), STEPS.len());
        assert_eq!(schema_of(&connection).unwrap(), schema_as_made(STEPS.len()).unwrap());
        let row: (String, String) = connection
            .query_row("SELECT origin, (SELECT code FROM audit) FROM log", [], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap();
        assert_eq!(row, ("old".to_owned(), "denied".to_owned()));
    }

    #[test]
    fn t25_a_file_of_a_newer_layout_is_refused() {
        let mut connection = Connection::open_in_memory().unwrap();
        lay_tables(&mut connection, "new", "key", "now").unwrap();
        connection.pragma_update(None, "user_version", 99).unwrap();
        let refused = lay_tables(&mut connection, "new", "key", "now").unwrap_err();
        assert!(matches!(refused, AuditFault::Newer(99)));
        assert_eq!(platform::Error::from(refused).code(), "audit_schema_newer");
    }
}
