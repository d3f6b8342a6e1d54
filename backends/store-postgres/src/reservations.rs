//! One-time ids, counters and fenced locks.

use platform::store::{Conflict, OpResult};
use postgres_database::Transaction;

use crate::apply::{Abort, Moment, column, signed, unsigned};
use crate::locks::name as digest_of;
use crate::text::{from_column, to_column};

pub(crate) async fn consume_once(
    transaction: &Transaction<'_>,
    now: Moment,
    namespace: &str,
    id: &str,
    expires_at: i64,
) -> Result<OpResult, Abort> {
    let digest = digest_of(0, &[namespace, id]);
    let written = transaction
        .execute(
            "INSERT INTO store_one_time (digest, namespace, id, expires_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (digest) DO UPDATE SET expires_at = excluded.expires_at
             WHERE store_one_time.expires_at < $5",
            &[&digest.as_slice(), &namespace, &to_column(id), &expires_at, &now.0],
        )
        .await?;
    if written == 0 { Err(Conflict::AlreadyUsed.into()) } else { Ok(OpResult::Done) }
}

pub(crate) async fn add_if_below(
    transaction: &Transaction<'_>,
    counter: &str,
    amount: u64,
    limit: u64,
    window_ends_at: i64,
) -> Result<OpResult, Abort> {
    if amount == 0 {
        return Err(Abort::Defect(format!("counter {counter}: the amount is 0")));
    }
    let digest = digest_of(0, &[counter]);
    let standing = transaction
        .query_opt(
            "SELECT value FROM store_counter WHERE digest = $1 AND window_ends_at = $2",
            &[&digest.as_slice(), &window_ends_at],
        )
        .await?;
    let standing = standing.map(|row| column(&row, 0)).transpose()?;
    let current = unsigned(standing.unwrap_or(0), "counter")?;
    let Some(value) = current.checked_add(amount).filter(|value| *value <= limit) else {
        return Err(Conflict::LimitReached { current }.into());
    };
    transaction
        .execute(
            "INSERT INTO store_counter (digest, window_ends_at, name, value) VALUES ($1, $2, $3, $4)
             ON CONFLICT (digest, window_ends_at) DO UPDATE SET value = excluded.value",
            &[&digest.as_slice(), &window_ends_at, &to_column(counter), &signed(value, "counter")?],
        )
        .await?;
    Ok(OpResult::Count(value))
}

pub(crate) async fn take_lock(
    transaction: &Transaction<'_>,
    now: Moment,
    name: &str,
    holder: &str,
    lease_until: i64,
) -> Result<OpResult, Abort> {
    let digest = digest_of(0, &[name]);
    let held = transaction
        .query_opt(
            "SELECT holder, lease_until FROM store_lock WHERE digest = $1 AND lease_until > $2",
            &[&digest.as_slice(), &now.0],
        )
        .await?;
    if let Some(row) = held {
        let (holder, lease_until) = (from_column(column(&row, 0)?), column(&row, 1)?);
        return Err(Conflict::Locked { holder, lease_until }.into());
    }
    let row = transaction
        .query_opt(
            "INSERT INTO store_lock (digest, name, holder, fence, lease_until)
             VALUES ($1, $2, $3, nextval('store_fence'), $4)
             ON CONFLICT (digest) DO UPDATE SET
                 holder = excluded.holder, fence = excluded.fence, lease_until = excluded.lease_until
             RETURNING fence",
            &[&digest.as_slice(), &to_column(name), &to_column(holder), &lease_until],
        )
        .await?;
    let fence = row.map(|row| column(&row, 0)).transpose()?;
    let fence = fence.ok_or_else(|| Abort::Defect("a lock that was taken has no fence".to_owned()))?;
    Ok(OpResult::Fence(unsigned(fence, "fence")?))
}

/// A lease that has run out is lost even if nobody has taken the lock since: somebody may have, and freed it.
pub(crate) async fn keep_lock(
    transaction: &Transaction<'_>,
    now: Moment,
    name: &str,
    fence: u64,
    lease_until: i64,
) -> Result<OpResult, Abort> {
    let digest = digest_of(0, &[name]);
    let kept = transaction
        .execute(
            "UPDATE store_lock SET lease_until = $3 WHERE digest = $1 AND fence = $2 AND lease_until > $4",
            &[&digest.as_slice(), &signed(fence, "fence")?, &lease_until, &now.0],
        )
        .await?;
    if kept == 0 { Err(Conflict::LockLost.into()) } else { Ok(OpResult::Done) }
}

pub(crate) async fn free_lock(transaction: &Transaction<'_>, name: &str, fence: u64) -> Result<OpResult, Abort> {
    let digest = digest_of(0, &[name]);
    transaction
        .execute(
            "DELETE FROM store_lock WHERE digest = $1 AND fence = $2",
            &[&digest.as_slice(), &signed(fence, "fence")?],
        )
        .await?;
    Ok(OpResult::Done)
}
