//! What is removed for good, and when. Nothing here changes an answer: every reader judges expiry by the clock itself.
//!
//! It takes no lock of the store. A row that a transaction is changing is left alone (SKIP LOCKED), and one that was changed
//! in between is looked at again (each condition stands in the outer statement too, which PostgreSQL checks once more on the
//! new row). Replicas' clocks differ a little, so nothing goes in its first minutes of being expired.

use postgres_database::{Database, DatabaseError};

use crate::apply::Moment;

/// Most rows that one purge takes from one table, so that no caller waits long for somebody else's rubbish.
const ROWS: i64 = 512;
/// How far two replicas' clocks may be apart.
const SKEW_S: i64 = 300;
/// How long a counter's finished window is kept, so that a call which is late with its end meets the old count.
const LATE_CALLS_S: i64 = 3600;
/// How long a settled intent is kept after its key has gone.
const SETTLED_S: i64 = 7 * 86_400;

/// `$1` is the time before which it expired, `$2` the most rows.
///
/// A key whose call has an intent that is open or settled as unknown stays for ever: what may have happened is never
/// executed again (T7), however long it takes to find out.
const BY_TIME: [(&str, i64); 6] = [
    (
        "DELETE FROM store_record WHERE expires_at < $1 AND (collection, id) IN
             (SELECT collection, id FROM store_record WHERE expires_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)",
        SKEW_S,
    ),
    (
        "DELETE FROM store_one_time WHERE expires_at < $1 AND digest IN
             (SELECT digest FROM store_one_time WHERE expires_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)",
        SKEW_S,
    ),
    (
        "DELETE FROM store_counter WHERE (digest, window_ends_at) IN
             (SELECT digest, window_ends_at FROM store_counter WHERE window_ends_at < $1 LIMIT $2
              FOR UPDATE SKIP LOCKED)",
        LATE_CALLS_S,
    ),
    (
        "DELETE FROM store_lock WHERE lease_until <= $1 AND digest IN
             (SELECT digest FROM store_lock WHERE lease_until <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED)",
        SKEW_S,
    ),
    (
        "DELETE FROM store_idempotency d WHERE d.expires_at < $1 AND d.digest IN (
             SELECT k.digest FROM store_idempotency k LEFT JOIN store_intent i ON i.digest = k.intent_digest
             WHERE k.expires_at < $1
               AND (k.result IS NOT NULL OR i.digest IS NULL OR coalesce(i.outcome, 'unknown') <> 'unknown')
             LIMIT $2 FOR UPDATE OF k SKIP LOCKED)",
        SKEW_S,
    ),
    (
        "DELETE FROM store_intent d WHERE d.closed_at < $1 AND d.outcome <> 'unknown' AND d.digest IN (
             SELECT i.digest FROM store_intent i WHERE i.closed_at < $1 AND i.outcome <> 'unknown'
               AND NOT EXISTS (SELECT 1 FROM store_idempotency k WHERE k.intent_digest = i.digest)
             LIMIT $2 FOR UPDATE SKIP LOCKED)",
        SETTLED_S,
    ),
];

/// Removes some of what has expired, and returns whether there is more.
pub(crate) async fn some(database: &Database, now: Moment) -> Result<bool, DatabaseError> {
    let mut more = false;
    for (sql, kept_s) in BY_TIME {
        let before = now.0.saturating_sub(kept_s);
        let removed: u64 = database
            .write::<_, DatabaseError, _>(move |transaction| {
                Box::pin(async move { transaction.execute(sql, &[&before, &ROWS]).await })
            })
            .await?;
        more |= removed == ROWS.unsigned_abs();
    }
    Ok(more)
}

/// Removes all that has expired.
pub(crate) async fn everything(database: &Database, now: Moment) -> Result<(), DatabaseError> {
    while some(database, now).await? {}
    Ok(())
}
