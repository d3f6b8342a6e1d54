//! The file `audit.db`: opening, tables, triggers. The only place that knows how SQLite is set up. Next:
//! [`crate::writer`] for the rows.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::error::AuditFault;

/// Name of the database within the log's folder.
pub(crate) const DATABASE: &str = "audit.db";
/// Name of the file of checkpoints within the log's folder.
pub(crate) const CHECKPOINTS: &str = "audit.checkpoints";
/// Name of the file that the writing process holds locked.
pub(crate) const LOCK: &str = "audit.lock";

/// The triggers without which the tables could be changed by an ordinary statement.
pub(crate) const TRIGGERS: [&str; 10] = [
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
];

// What is looked up by column is generated from the line, so that nothing beside the line can say something else.
const SCHEMA: &str = "
CREATE TABLE log(
  id INTEGER PRIMARY KEY CHECK(id = 1), origin TEXT NOT NULL, public_key TEXT NOT NULL, made_at TEXT NOT NULL
) STRICT;
CREATE TABLE audit(
  seq INTEGER PRIMARY KEY, line TEXT NOT NULL, hash BLOB NOT NULL,
  phase TEXT GENERATED ALWAYS AS (line ->> '$.interlock.phase') VIRTUAL,
  action TEXT GENERATED ALWAYS AS (line ->> '$.event.action') VIRTUAL,
  request_id TEXT GENERATED ALWAYS AS (line ->> '$.http.request.id') VIRTUAL,
  issuer TEXT GENERATED ALWAYS AS (line ->> '$.interlock.issuer') VIRTUAL,
  subject TEXT GENERATED ALWAYS AS (line ->> '$.user.id') VIRTUAL
) STRICT;
CREATE INDEX audit_by_request ON audit(request_id) WHERE request_id IS NOT NULL;
CREATE INDEX audit_by_actor ON audit(subject, issuer) WHERE subject IS NOT NULL;
CREATE INDEX audit_writes ON audit(seq) WHERE phase IN ('intent', 'outcome');
CREATE INDEX audit_opened ON audit(seq) WHERE action = 'audit.opened';
CREATE TABLE checkpoint(size INTEGER PRIMARY KEY, note TEXT NOT NULL, frontier BLOB NOT NULL) STRICT;

CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN SELECT raise(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN SELECT raise(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_only_next BEFORE INSERT ON audit
  WHEN NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM audit)
  BEGIN SELECT raise(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER checkpoint_no_update BEFORE UPDATE ON checkpoint BEGIN SELECT raise(ABORT, 'append-only'); END;
CREATE TRIGGER checkpoint_no_delete BEFORE DELETE ON checkpoint BEGIN SELECT raise(ABORT, 'append-only'); END;
CREATE TRIGGER checkpoint_only_next BEFORE INSERT ON checkpoint
  WHEN NEW.size <= (SELECT coalesce(max(size), -1) FROM checkpoint)
  BEGIN SELECT raise(ABORT, 'append-only'); END;
CREATE TRIGGER log_no_update BEFORE UPDATE ON log BEGIN SELECT raise(ABORT, 'append-only'); END;
CREATE TRIGGER log_no_delete BEFORE DELETE ON log BEGIN SELECT raise(ABORT, 'append-only'); END;
CREATE TRIGGER log_only_once BEFORE INSERT ON log WHEN (SELECT count(*) FROM log) > 0
  BEGIN SELECT raise(ABORT, 'append-only'); END;
";

// Beside the records, so that a payload can be destroyed and the records stand. A log of an earlier version gets it at its
// next opening.
const PAYLOADS: &str = "
CREATE TABLE IF NOT EXISTS payload(seq INTEGER PRIMARY KEY, key_id TEXT NOT NULL, sealed BLOB NOT NULL) STRICT;
CREATE TRIGGER IF NOT EXISTS payload_no_update BEFORE UPDATE ON payload
  BEGIN SELECT raise(ABORT, 'a payload is never changed'); END;
";

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

/// Makes the tables of a new log in one transaction and names the log. Nothing happens when they are there.
pub(crate) fn lay_tables(
    connection: &mut Connection,
    origin: &str,
    public_key: &str,
    made_at: &str,
) -> Result<(), AuditFault> {
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let there: bool =
        transaction.query_row("SELECT count(*) > 0 FROM sqlite_schema WHERE name = 'log'", [], |row| row.get(0))?;
    if !there {
        transaction.execute_batch(SCHEMA)?;
    }
    transaction.execute_batch(PAYLOADS)?;
    if !there {
        transaction.execute("INSERT INTO log VALUES(1, ?, ?, ?)", [origin, public_key, made_at])?;
    }
    transaction.commit()?;
    Ok(())
}

/// The name of the log and the public key that it was made with.
pub(crate) fn identity(connection: &Connection) -> Result<(String, String), AuditFault> {
    Ok(connection.query_row("SELECT origin, public_key FROM log", [], |row| Ok((row.get(0)?, row.get(1)?)))?)
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

/// The same of a database as it was made.
pub(crate) fn schema_as_made() -> Result<BTreeMap<String, String>, AuditFault> {
    let connection = Connection::open_in_memory()?;
    connection.execute_batch(SCHEMA)?;
    connection.execute_batch(PAYLOADS)?;
    schema_of(&connection)
}
