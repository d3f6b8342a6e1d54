//! One-time ids, counters and fenced locks.

use platform::store::{Conflict, OpResult};
use rusqlite::{Connection, OptionalExtension, params};

use crate::apply::{Abort, Moment, signed, unsigned};

pub(crate) fn consume_once(
    connection: &Connection,
    now: Moment,
    namespace: &str,
    id: &str,
    expires_at: i64,
) -> Result<OpResult, Abort> {
    let written = connection
        .prepare_cached(
            "INSERT INTO one_time (namespace, id, expires_at) VALUES (?1, ?2, ?3)
             ON CONFLICT (namespace, id) DO UPDATE SET expires_at = excluded.expires_at
             WHERE one_time.expires_at < ?4",
        )?
        .execute(params![namespace, id, expires_at, now.0])?;
    if written == 0 { Err(Conflict::AlreadyUsed.into()) } else { Ok(OpResult::Done) }
}

pub(crate) fn add_if_below(
    connection: &Connection,
    counter: &str,
    amount: u64,
    limit: u64,
    window_ends_at: i64,
) -> Result<OpResult, Abort> {
    if amount == 0 {
        return Err(Abort::Defect(format!("counter {counter}: the amount is 0")));
    }
    let standing: Option<i64> = connection
        .prepare_cached("SELECT value FROM counter WHERE name = ?1 AND window_ends_at = ?2")?
        .query_row(params![counter, window_ends_at], |row| row.get(0))
        .optional()?;
    let current = unsigned(standing.unwrap_or(0), "counter")?;
    let Some(value) = current.checked_add(amount).filter(|value| *value <= limit) else {
        return Err(Conflict::LimitReached { current }.into());
    };
    connection
        .prepare_cached(
            "INSERT INTO counter (name, window_ends_at, value) VALUES (?1, ?2, ?3)
             ON CONFLICT (name, window_ends_at) DO UPDATE SET value = excluded.value",
        )?
        .execute(params![counter, window_ends_at, signed(value, "counter")?])?;
    Ok(OpResult::Count(value))
}

pub(crate) fn take_lock(
    connection: &Connection,
    now: Moment,
    name: &str,
    holder: &str,
    lease_until: i64,
) -> Result<OpResult, Abort> {
    let held: Option<(String, i64)> = connection
        .prepare_cached("SELECT holder, lease_until FROM lock WHERE name = ?1 AND lease_until > ?2")?
        .query_row(params![name, now.0], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    if let Some((holder, lease_until)) = held {
        return Err(Conflict::Locked { holder, lease_until }.into());
    }
    let fence: i64 = connection
        .prepare_cached("UPDATE fence SET last = last + 1 RETURNING last")?
        .query_row([], |row| row.get(0))?;
    connection
        .prepare_cached(
            "INSERT INTO lock (name, holder, fence, lease_until) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (name) DO UPDATE SET
                 holder = excluded.holder, fence = excluded.fence, lease_until = excluded.lease_until",
        )?
        .execute(params![name, holder, fence, lease_until])?;
    Ok(OpResult::Fence(unsigned(fence, "fence")?))
}

/// A lease that has run out is lost even if nobody has taken the lock since: somebody may have, and freed it.
pub(crate) fn keep_lock(
    connection: &Connection,
    now: Moment,
    name: &str,
    fence: u64,
    lease_until: i64,
) -> Result<OpResult, Abort> {
    let kept = connection
        .prepare_cached("UPDATE lock SET lease_until = ?3 WHERE name = ?1 AND fence = ?2 AND lease_until > ?4")?
        .execute(params![name, signed(fence, "fence")?, lease_until, now.0])?;
    if kept == 0 { Err(Conflict::LockLost.into()) } else { Ok(OpResult::Done) }
}

pub(crate) fn free_lock(connection: &Connection, name: &str, fence: u64) -> Result<OpResult, Abort> {
    connection
        .prepare_cached("DELETE FROM lock WHERE name = ?1 AND fence = ?2")?
        .execute(params![name, signed(fence, "fence")?])?;
    Ok(OpResult::Done)
}
