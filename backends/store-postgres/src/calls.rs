//! Idempotency keys and intents: what is known about a call with a side effect (rules T7, T20).
//!
//! A key answers by what stands behind it: its result; or, where its call has an intent that is open, settled as
//! unknown, or settled without a result having been stored, that the outcome is unknown; or that the call still runs.
//! Only an intent settled as `not_started` makes a key free again.

use platform::Json;
use platform::store::{Conflict, OpResult, OpenIntent, Voided};
use postgres_database::{Database, Row, Transaction};

use crate::apply::{Abort, Moment, column};
use crate::locks::{self, name as digest_of};
use crate::text::{from_column, to_column};

/// What names an idempotency key.
#[derive(Clone, Copy)]
pub(crate) struct Key<'a> {
    pub(crate) scope: &'a str,
    pub(crate) key: &'a str,
}

impl Key<'_> {
    fn digest(self) -> [u8; 32] {
        digest_of(0, &[self.scope, self.key])
    }
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

const KNOWN: &str = "
SELECT k.request_digest, k.call_id, k.result, k.expires_at, i.digest IS NOT NULL, i.outcome
FROM store_idempotency k LEFT JOIN store_intent i ON i.digest = k.intent_digest
WHERE k.digest = $1";

impl Known {
    fn read(row: &Row) -> Result<Self, Abort> {
        let intent = match (column(row, 4)?, column(row, 5)?) {
            (false, _) => Intent::None,
            (true, None) => Intent::Open,
            (true, Some(outcome)) => Intent::Settled(outcome),
        };
        Ok(Self {
            digest: from_column(column(row, 0)?),
            call_id: from_column(column(row, 1)?),
            result: column(row, 2)?,
            expires_at: column(row, 3)?,
            intent,
        })
    }

    /// Under the key's lock, with the intent behind it locked as well.
    async fn find(transaction: &Transaction<'_>, key: Key<'_>) -> Result<Option<Self>, Abort> {
        let digest = key.digest();
        let Some(row) = transaction.query_opt(KNOWN, &[&digest.as_slice()]).await? else { return Ok(None) };
        locks::intent(transaction, &Self::read(&row)?.call_id).await?;
        // Read again: the intent may have changed before it was locked; the key cannot have.
        let row = transaction.query_opt(KNOWN, &[&digest.as_slice()]).await?;
        row.as_ref().map(Self::read).transpose()
    }

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

    /// What a key that is not free answers a call with `digest`.
    fn answer(self, digest: &str) -> Conflict {
        match self {
            Self { digest: other, .. } if other != digest => Conflict::KeyMismatch,
            Self { result: Some(result), .. } => Conflict::KeyDone { result },
            Self { intent: Intent::None, .. } => Conflict::KeyInProgress,
            Self { call_id, .. } => Conflict::KeyOutcomeUnknown { call_id },
        }
    }
}

/// For one who only asks: one statement, one moment.
pub(crate) async fn key_state(
    database: &Database,
    now: Moment,
    key: Key<'_>,
    digest: &str,
) -> Result<Option<Conflict>, Abort> {
    let rows = database.read(KNOWN, &[&key.digest().as_slice()]).await?;
    let known = rows.first().map(Known::read).transpose()?;
    Ok(known.filter(|known| !known.is_free(now)).map(|known| known.answer(digest)))
}

pub(crate) async fn reserve_key(
    transaction: &Transaction<'_>,
    now: Moment,
    key: Key<'_>,
    digest: &str,
    call_id: &str,
    expires_at: i64,
) -> Result<OpResult, Abort> {
    if let Some(known) = Known::find(transaction, key).await?.filter(|known| !known.is_free(now)) {
        return Err(known.answer(digest).into());
    }
    let (key_digest, intent_digest) = (key.digest(), digest_of(0, &[call_id]));
    transaction
        .execute(
            "INSERT INTO store_idempotency
                 (digest, scope, key, request_digest, intent_digest, call_id, result, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, NULL, $7)
             ON CONFLICT (digest) DO UPDATE SET
                 request_digest = excluded.request_digest, intent_digest = excluded.intent_digest,
                 call_id = excluded.call_id, result = NULL, expires_at = excluded.expires_at",
            &[
                &key_digest.as_slice(),
                &to_column(key.scope),
                &to_column(key.key),
                &to_column(digest),
                &intent_digest.as_slice(),
                &to_column(call_id),
                &expires_at,
            ],
        )
        .await?;
    Ok(OpResult::Done)
}

pub(crate) async fn complete_key(
    transaction: &Transaction<'_>,
    key: Key<'_>,
    result: &[u8],
) -> Result<OpResult, Abort> {
    let digest = key.digest();
    let stored =
        transaction.query_opt("SELECT result FROM store_idempotency WHERE digest = $1", &[&digest.as_slice()]).await?;
    let Some(row) = stored else { return Err(Abort::Defect(format!("no key is reserved in {}", key.scope))) };
    if let Some(result) = column(&row, 0)? {
        return Err(Conflict::KeyDone { result }.into());
    }
    transaction
        .execute("UPDATE store_idempotency SET result = $2 WHERE digest = $1", &[&digest.as_slice(), &result])
        .await?;
    Ok(OpResult::Done)
}

pub(crate) async fn release_key(transaction: &Transaction<'_>, key: Key<'_>) -> Result<OpResult, Abort> {
    let Some(known) = Known::find(transaction, key).await? else { return Ok(OpResult::Done) };
    let stands = match known.intent {
        Intent::None => false,
        Intent::Open => true,
        Intent::Settled(outcome) => outcome != "not_started",
    };
    if known.result.is_none() && !stands {
        let digest = key.digest();
        transaction.execute("DELETE FROM store_idempotency WHERE digest = $1", &[&digest.as_slice()]).await?;
    }
    Ok(OpResult::Done)
}

/// With everything locked.
pub(crate) async fn release_abandoned(transaction: &Transaction<'_>) -> Result<u64, Abort> {
    let released = transaction
        .execute(
            "DELETE FROM store_idempotency k WHERE k.result IS NULL
                 AND NOT EXISTS (SELECT 1 FROM store_intent i WHERE i.digest = k.intent_digest)",
            &[],
        )
        .await?;
    Ok(released)
}

/// How far the fencing numbers jump after a restore: more than were given out since any backup.
const FENCE_JUMP: i64 = 1 << 32;

/// With everything locked. After a restore, nobody knows how what was under way has ended.
pub(crate) async fn void_after_restore(transaction: &Transaction<'_>, now: Moment) -> Result<Voided, Abort> {
    let settle = "UPDATE store_intent SET outcome = 'unknown', closed_at = $1 WHERE outcome IS NULL";
    let intents = transaction.execute(settle, &[&now.0]).await?;
    let counted = transaction
        .query(
            "SELECT count(*) FROM store_idempotency k LEFT JOIN store_intent i ON i.digest = k.intent_digest
             WHERE k.result IS NULL AND (i.digest IS NULL OR i.outcome = 'unknown')",
            &[],
        )
        .await?;
    let keys: i64 = counted.first().map(|row| column(row, 0)).transpose()?.unwrap_or_default();
    transaction
        .execute(
            "INSERT INTO store_intent (digest, call_id, body, opened_at, outcome, closed_at)
             SELECT DISTINCT ON (k.intent_digest) k.intent_digest, k.call_id, '{\"reserved_in_a_backup\":true}',
                 $1::bigint, 'unknown', $1::bigint
             FROM store_idempotency k WHERE k.result IS NULL
                 AND NOT EXISTS (SELECT 1 FROM store_intent i WHERE i.digest = k.intent_digest)",
            &[&now.0],
        )
        .await?;
    let locks = transaction.execute("DELETE FROM store_lock", &[]).await?;
    transaction.execute("SELECT setval('store_fence', nextval('store_fence') + $1::bigint)", &[&FENCE_JUMP]).await?;
    Ok(Voided { keys: keys.unsigned_abs(), intents, locks })
}

pub(crate) async fn open_intent(
    transaction: &Transaction<'_>,
    now: Moment,
    call_id: &str,
    body: &Json,
) -> Result<OpResult, Abort> {
    let written = transaction
        .execute(
            "INSERT INTO store_intent (digest, call_id, body, opened_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT DO NOTHING",
            &[&digest_of(0, &[call_id]).as_slice(), &to_column(call_id), &serde_json::to_string(body)?, &now.0],
        )
        .await?;
    if written == 0 { Err(Abort::Defect(format!("call {call_id} has an intent already"))) } else { Ok(OpResult::Done) }
}

pub(crate) async fn set_handle(transaction: &Transaction<'_>, call_id: &str, handle: &Json) -> Result<OpResult, Abort> {
    let written = transaction
        .execute(
            "UPDATE store_intent SET handle = $2 WHERE digest = $1 AND outcome IS NULL",
            &[&digest_of(0, &[call_id]).as_slice(), &serde_json::to_string(handle)?],
        )
        .await?;
    if written == 0 { Err(Conflict::NoIntent.into()) } else { Ok(OpResult::Done) }
}

/// An intent that was closed as unknown can be closed once more, when somebody has found out (T20).
pub(crate) async fn close_intent(
    transaction: &Transaction<'_>,
    now: Moment,
    call_id: &str,
    outcome: &str,
) -> Result<OpResult, Abort> {
    if !matches!(outcome, "success" | "failure" | "not_started" | "unknown") {
        return Err(Abort::Defect(format!("call {call_id}: {outcome} is no outcome")));
    }
    let written = transaction
        .execute(
            "UPDATE store_intent SET outcome = $2, closed_at = $3
             WHERE digest = $1 AND (outcome IS NULL OR (outcome = 'unknown' AND $2 <> 'unknown'))",
            &[&digest_of(0, &[call_id]).as_slice(), &outcome, &now.0],
        )
        .await?;
    if written == 0 { Err(Conflict::NoIntent.into()) } else { Ok(OpResult::Done) }
}

pub(crate) async fn open_intents(database: &Database) -> Result<Vec<OpenIntent>, Abort> {
    let sql = "SELECT call_id, body, handle, opened_at FROM store_intent WHERE outcome IS NULL
               ORDER BY opened_at, place";
    let rows = database.read(sql, &[]).await?;
    rows.iter()
        .map(|row| {
            let (body, handle): (&str, Option<&str>) = (column(row, 1)?, column(row, 2)?);
            Ok(OpenIntent {
                call_id: from_column(column(row, 0)?),
                body: serde_json::from_str(body)?,
                handle: handle.map(serde_json::from_str).transpose()?,
                opened_at: column(row, 3)?,
            })
        })
        .collect()
}
