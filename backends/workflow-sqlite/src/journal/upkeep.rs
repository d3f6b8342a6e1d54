//! Parking, retention, and what a restored journal means.

use rusqlite::{Connection, params};

use super::{Journal, Result, RunKey};

/// Finished runs that one transaction removes, so that nobody waits long for somebody else's rubbish.
const PURGE: i64 = 50;

/// Runs that were parked for their bodies are tried again: another binary may know them. Those of a restored journal wait
/// for a person.
pub(super) fn try_parked_again(connection: &Connection) -> Result<()> {
    connection.execute(
        "UPDATE inbox SET held = 0 WHERE held = 1 AND run IN
             (SELECT key FROM run WHERE state = 'parked' AND restored = 0)",
        [],
    )?;
    connection.execute(
        "UPDATE run SET state = 'running', parked_because = NULL WHERE state = 'parked' AND restored = 0",
        [],
    )?;
    Ok(())
}

/// Open runs of a restored journal wait for a person, and nothing that they hold goes on.
pub(super) fn park_restored(connection: &Connection, now: i64) -> Result<u64> {
    let because = "the journal was restored from a backup: nobody knows what the run did after it";
    let parked = connection.execute(
        "UPDATE run SET state = 'parked', restored = 1, parked_because = ?1, updated_at = ?2
         WHERE state IN ('running', 'parked')",
        params![because, now],
    )?;
    connection.execute("UPDATE inbox SET held = 1", [])?;
    connection.execute("DELETE FROM timer", [])?;
    Ok(u64::try_from(parked).unwrap_or(0))
}

impl Journal {
    /// Parks a run. What arrives from now on waits unread.
    pub(crate) async fn park(&self, run: RunKey, because: String) -> Result<()> {
        let now = self.now_ms();
        self.write(move |connection| {
            let parked = connection
                .prepare_cached(
                    "UPDATE run SET state = 'parked', parked_because = ?2, updated_at = ?3
                     WHERE key = ?1 AND state = 'running'",
                )?
                .execute(params![run, because, now])?;
            if parked == 1 {
                connection.prepare_cached("UPDATE inbox SET held = 1 WHERE run = ?1")?.execute([run])?;
            }
            Ok(())
        })
        .await
    }

    /// Removes some runs that ended before `before`, in milliseconds. Whether there may be more.
    pub(crate) async fn purge(&self, before: i64) -> Result<bool> {
        self.write(move |connection| {
            let gone = connection
                .prepare_cached(
                    "DELETE FROM run WHERE key IN
                         (SELECT key FROM run WHERE state IN ('completed', 'failed', 'cancelled') AND updated_at < ?1
                          ORDER BY updated_at LIMIT ?2)",
                )?
                .execute(params![before, PURGE])?;
            Ok(i64::try_from(gone).is_ok_and(|gone| gone == PURGE))
        })
        .await
    }
}
