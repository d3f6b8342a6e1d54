//! Who drives: one row with owner, epoch and end.
//!
//! On one machine the lock of `sqlite-file` already tells that the former driver is gone, so its row is taken over at once,
//! with the next epoch. A row of another machine is taken only after its end: a lock on a shared disk may not be heard there.

use rusqlite::{Connection, OptionalExtension, params};
use sqlite_file::FileError;

use super::Result;
use crate::error::JournalError;

/// How long a lease holds without being renewed, in milliseconds.
pub(crate) const LEASE_MS: i64 = 60_000;

pub(super) fn take(connection: &Connection, now: i64) -> Result<i64> {
    let host = host();
    let held: Option<(String, String, i64, i64)> = connection
        .query_row("SELECT host, owner, epoch, expires_at FROM lease WHERE one = 1", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })
        .optional()?;
    let last = match held {
        // A clock that ran back would make the end unreachable: nobody holds it for longer than one lease from now.
        Some((other, owner, _, until)) if other != host && until > now && until <= now + LEASE_MS => {
            let holder = format!("{owner} on {other}");
            return Err(FileError::InUse { path: "the workflow journal".to_owned(), holder }.into());
        }
        Some((_, _, epoch, _)) => epoch,
        None => 0,
    };
    let epoch = last + 1;
    let owner = std::process::id().to_string();
    connection.execute(
        "INSERT INTO lease (one, host, owner, epoch, expires_at) VALUES (1, ?1, ?2, ?3, ?4)
         ON CONFLICT (one) DO UPDATE SET
             host = excluded.host, owner = excluded.owner, epoch = excluded.epoch, expires_at = excluded.expires_at",
        params![host, owner, epoch, now + LEASE_MS],
    )?;
    Ok(epoch)
}

pub(super) fn check(connection: &Connection, epoch: i64) -> Result<()> {
    let mut statement = connection.prepare_cached("SELECT 1 FROM lease WHERE one = 1 AND epoch = ?1")?;
    if statement.exists([epoch])? { Ok(()) } else { Err(JournalError::LeaseLost) }
}

pub(super) fn renew(connection: &Connection, now: i64) -> Result<()> {
    connection.execute("UPDATE lease SET expires_at = ?1", [now + LEASE_MS])?;
    Ok(())
}

pub(super) fn release(connection: &Connection) -> Result<()> {
    connection.execute("UPDATE lease SET expires_at = 0", [])?;
    Ok(())
}

fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
