//! What is removed for good, and when. Nothing here changes an answer: every reader judges expiry by the clock itself.

use rusqlite::{Connection, params};

use crate::apply::Moment;

/// How long a counter's finished window is kept, so that a call which is late with its end meets the old count.
const LATE_CALLS_S: i64 = 3600;
/// How long a settled intent is kept after its key has gone.
const SETTLED_S: i64 = 7 * 86_400;

/// Removes at most `rows` expired rows per table.
///
/// A key whose call has an intent that is open or settled as unknown stays for ever: what may have happened is never
/// executed again (T7), however long it takes to find out.
pub(crate) fn expired(connection: &Connection, now: Moment, rows: u32) -> rusqlite::Result<()> {
    let by_time = [
        ("DELETE FROM record WHERE rowid IN (SELECT rowid FROM record WHERE expires_at < ?1 LIMIT ?2)", now.0),
        (
            "DELETE FROM one_time WHERE (namespace, id) IN
                 (SELECT namespace, id FROM one_time WHERE expires_at < ?1 LIMIT ?2)",
            now.0,
        ),
        (
            "DELETE FROM counter WHERE (name, window_ends_at) IN
                 (SELECT name, window_ends_at FROM counter WHERE window_ends_at < ?1 LIMIT ?2)",
            now.0.saturating_sub(LATE_CALLS_S),
        ),
        ("DELETE FROM lock WHERE name IN (SELECT name FROM lock WHERE lease_until <= ?1 LIMIT ?2)", now.0),
        (
            "DELETE FROM idempotency WHERE rowid IN (
                 SELECT k.rowid FROM idempotency k LEFT JOIN intent i ON i.call_id = k.call_id
                 WHERE k.expires_at < ?1
                   AND (k.result IS NOT NULL OR i.call_id IS NULL OR coalesce(i.outcome, 'unknown') <> 'unknown')
                 LIMIT ?2)",
            now.0,
        ),
        (
            "DELETE FROM intent WHERE rowid IN (
                 SELECT i.rowid FROM intent i WHERE i.closed_at < ?1 AND i.outcome <> 'unknown'
                   AND NOT EXISTS (SELECT 1 FROM idempotency k WHERE k.call_id = i.call_id)
                 LIMIT ?2)",
            now.0.saturating_sub(SETTLED_S),
        ),
    ];
    for (sql, before) in by_time {
        connection.prepare_cached(sql)?.execute(params![before, rows])?;
    }
    Ok(())
}
