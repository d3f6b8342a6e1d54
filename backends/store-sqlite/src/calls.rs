//! Idempotency keys and intents: what is known about a call with a side effect (rules T7, T20).
//!
//! A key answers by what stands behind it: its result; or, where its call has an intent that is open, settled as
//! unknown, or settled without a result having been stored, that the outcome is unknown; or that the call still runs.
//! Only an intent settled as `not_started` makes a key free again.

use platform::Json;
use platform::store::{Conflict, OpResult, OpenIntent, Voided};
use rusqlite::{Connection, OptionalExtension, params};

use crate::apply::{Abort, Moment};

/// What names an idempotency key.
#[derive(Clone, Copy)]
pub(crate) struct Key<'a> {
    pub(crate) scope: &'a str,
    pub(crate) key: &'a str,
}

/// What is known about the call of a key.
struct Known {
    digest: String,
    call_id: String,
    result: Option<Vec<u8>>,
    expires_at: i64,
    intent: Intent,
}

enum Intent {
    None,
    Open,
    Settled(String),
}

impl Known {
    /// Whether the key says nothing any more: never while its call may have had an effect that nobody knows about.
    fn is_free(&self, now: Moment) -> bool {
        let expired = self.expires_at < now.0;
        match (&self.result, &self.intent) {
            (Some(_), _) | (None, Intent::None) => expired,
            (None, Intent::Open) => false,
            (None, Intent::Settled(outcome)) => match outcome.as_str() {
                "not_started" => true,
                "unknown" => false,
                _ => expired,
            },
        }
    }
}

fn known(connection: &Connection, key: Key<'_>) -> Result<Option<Known>, Abort> {
    let mut statement = connection.prepare_cached(
        "SELECT k.digest, k.call_id, k.result, k.expires_at, i.call_id IS NOT NULL, i.outcome
         FROM idempotency k LEFT JOIN intent i ON i.call_id = k.call_id
         WHERE k.scope = ?1 AND k.key = ?2",
    )?;
    let found = statement.query_row(params![key.scope, key.key], |row| {
        let intent = match (row.get(4)?, row.get(5)?) {
            (false, _) => Intent::None,
            (true, None) => Intent::Open,
            (true, Some(outcome)) => Intent::Settled(outcome),
        };
        Ok(Known { digest: row.get(0)?, call_id: row.get(1)?, result: row.get(2)?, expires_at: row.get(3)?, intent })
    });
    Ok(found.optional()?)
}

/// What a key that is not free answers a call with `digest`.
pub(crate) fn state(
    connection: &Connection,
    now: Moment,
    key: Key<'_>,
    digest: &str,
) -> Result<Option<Conflict>, Abort> {
    let known = known(connection, key)?.filter(|known| !known.is_free(now));
    Ok(known.map(|known| match known {
        Known { digest: other, .. } if other != digest => Conflict::KeyMismatch,
        Known { result: Some(result), .. } => Conflict::KeyDone { result },
        Known { intent: Intent::None, .. } => Conflict::KeyInProgress,
        Known { call_id, .. } => Conflict::KeyOutcomeUnknown { call_id },
    }))
}

pub(crate) fn reserve_key(
    connection: &Connection,
    now: Moment,
    key: Key<'_>,
    digest: &str,
    call_id: &str,
    expires_at: i64,
) -> Result<OpResult, Abort> {
    if let Some(conflict) = state(connection, now, key, digest)? {
        return Err(conflict.into());
    }
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO idempotency (scope, key, digest, call_id, result, expires_at)
             VALUES (?1, ?2, ?3, ?4, NULL, ?5)",
        )?
        .execute(params![key.scope, key.key, digest, call_id, expires_at])?;
    Ok(OpResult::Done)
}

pub(crate) fn complete_key(connection: &Connection, key: Key<'_>, result: &[u8]) -> Result<OpResult, Abort> {
    match known(connection, key)? {
        None => return Err(Abort::Defect(format!("no key is reserved in {}", key.scope))),
        Some(Known { result: Some(result), .. }) => return Err(Conflict::KeyDone { result }.into()),
        Some(_) => {}
    }
    connection
        .prepare_cached("UPDATE idempotency SET result = ?3 WHERE scope = ?1 AND key = ?2")?
        .execute(params![key.scope, key.key, result])?;
    Ok(OpResult::Done)
}

pub(crate) fn release_key(connection: &Connection, key: Key<'_>) -> Result<OpResult, Abort> {
    connection
        .prepare_cached(
            "DELETE FROM idempotency WHERE scope = ?1 AND key = ?2 AND result IS NULL AND NOT EXISTS
                 (SELECT 1 FROM intent i WHERE i.call_id = idempotency.call_id AND i.outcome IS NOT 'not_started')",
        )?
        .execute(params![key.scope, key.key])?;
    Ok(OpResult::Done)
}

pub(crate) fn release_abandoned(connection: &Connection) -> Result<u64, Abort> {
    let released = connection.execute(
        "DELETE FROM idempotency WHERE result IS NULL
             AND NOT EXISTS (SELECT 1 FROM intent i WHERE i.call_id = idempotency.call_id)",
        [],
    )?;
    Ok(released as u64)
}

/// How far the fencing numbers jump after a restore: more than were given out since any backup.
const FENCE_JUMP: i64 = 1 << 32;

/// After a restore, nobody knows how what was under way has ended.
pub(crate) fn void_after_restore(connection: &Connection, now: Moment) -> Result<Voided, Abort> {
    let intents =
        connection.execute("UPDATE intent SET outcome = 'unknown', closed_at = ?1 WHERE outcome IS NULL", [now.0])?;
    let keys = connection.query_row(
        "SELECT count(*) FROM idempotency k LEFT JOIN intent i ON i.call_id = k.call_id
         WHERE k.result IS NULL AND (i.call_id IS NULL OR i.outcome = 'unknown')",
        [],
        |row| row.get::<_, i64>(0),
    )?;
    connection.execute(
        "INSERT INTO intent (call_id, body, opened_at, outcome, closed_at)
         SELECT DISTINCT k.call_id, '{\"reserved_in_a_backup\":true}', ?1, 'unknown', ?1 FROM idempotency k
         WHERE k.result IS NULL AND NOT EXISTS (SELECT 1 FROM intent i WHERE i.call_id = k.call_id)",
        [now.0],
    )?;
    let locks = connection.execute("DELETE FROM lock", [])?;
    connection.execute("UPDATE fence SET last = last + ?1", [FENCE_JUMP])?;
    Ok(Voided { keys: keys.unsigned_abs(), intents: intents as u64, locks: locks as u64 })
}

pub(crate) fn open_intent(connection: &Connection, now: Moment, call_id: &str, body: &Json) -> Result<OpResult, Abort> {
    let written = connection
        .prepare_cached("INSERT OR IGNORE INTO intent (call_id, body, opened_at) VALUES (?1, ?2, ?3)")?
        .execute(params![call_id, serde_json::to_string(body)?, now.0])?;
    if written == 0 { Err(Abort::Defect(format!("call {call_id} has an intent already"))) } else { Ok(OpResult::Done) }
}

pub(crate) fn set_handle(connection: &Connection, call_id: &str, handle: &Json) -> Result<OpResult, Abort> {
    let written = connection
        .prepare_cached("UPDATE intent SET handle = ?2 WHERE call_id = ?1 AND outcome IS NULL")?
        .execute(params![call_id, serde_json::to_string(handle)?])?;
    if written == 0 { Err(Conflict::NoIntent.into()) } else { Ok(OpResult::Done) }
}

/// An intent that was closed as unknown can be closed once more, when somebody has found out (T20).
pub(crate) fn close_intent(
    connection: &Connection,
    now: Moment,
    call_id: &str,
    outcome: &str,
) -> Result<OpResult, Abort> {
    if !matches!(outcome, "success" | "failure" | "not_started" | "unknown") {
        return Err(Abort::Defect(format!("call {call_id}: {outcome} is no outcome")));
    }
    let written = connection
        .prepare_cached(
            "UPDATE intent SET outcome = ?2, closed_at = ?3
             WHERE call_id = ?1 AND (outcome IS NULL OR (outcome = 'unknown' AND ?2 <> 'unknown'))",
        )?
        .execute(params![call_id, outcome, now.0])?;
    if written == 0 { Err(Conflict::NoIntent.into()) } else { Ok(OpResult::Done) }
}

pub(crate) fn open_intents(connection: &Connection) -> Result<Vec<OpenIntent>, Abort> {
    let mut statement = connection.prepare_cached(
        "SELECT call_id, body, handle, opened_at FROM intent WHERE outcome IS NULL ORDER BY opened_at, rowid",
    )?;
    let rows = statement.query_map([], |row| {
        let texts: (String, String, Option<String>, i64) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        Ok(texts)
    })?;
    let mut intents = Vec::new();
    for row in rows {
        let (call_id, body, handle, opened_at) = row?;
        let handle = handle.map(|text| serde_json::from_str(&text)).transpose()?;
        intents.push(OpenIntent { call_id, body: serde_json::from_str(&body)?, handle, opened_at });
    }
    Ok(intents)
}
