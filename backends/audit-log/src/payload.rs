//! Sealed payloads (rule T26): what a replay needs and no reader of the log may see stands beside the record, sealed under
//! the key of its month and bound to this log and this record. The record holds the digest of the sealed bytes, so that a
//! destroyed payload leaves the chain as it was, and a changed one is named. Next: [`crate::writer`], which stores both in
//! one transaction, and [`crate::offline`], which counts them.

use std::sync::{Arc, PoisonError, RwLock};

use platform::Json;
use platform::audit::{AuditPosition, payload_absent};
use platform::audit_payload::{PayloadKey, PayloadKeys, month_of};
use platform::clock::SharedClock;
use platform::error::{Error, ErrorKind, Result};
use platform::seal::Sealer;
use rusqlite::{Connection, OptionalExtension as _};
use serde::{Deserialize, Serialize};

use crate::error::AuditFault;

/// What the month's key is used for; another use has another key.
const PURPOSE: &str = "sealed audit payloads";
/// Bytes of most payloads.
const USUAL: usize = 4_096;
/// Most rows that one transaction deletes, so that no record waits long for it.
pub(crate) const FORGET_AT_ONCE: u32 = 4_096;

/// Where a running log finds the keys of its payloads.
#[derive(Clone)]
pub struct Payloads {
    keys: Arc<dyn PayloadKeys>,
    // The month that is written now. A record of an older month, whose call took that long, is sealed under it too.
    current: Arc<RwLock<Arc<Month>>>,
    // One at a time asks for the key of a new month.
    turning: Arc<tokio::sync::Mutex<()>>,
}

/// One month's key, ready for use.
pub(crate) struct Month {
    name: String,
    id: String,
    sealer: Sealer,
}

impl Month {
    fn of(name: String, key: &PayloadKey) -> Result<Arc<Self>> {
        Ok(Arc::new(Self { name, id: key.id.clone(), sealer: Sealer::derive(&key.key, PURPOSE)? }))
    }

    /// Seals a payload for the record `event` of the log `origin`.
    pub(crate) fn seal(&self, origin: &str, event: &str, payload: &Json) -> Result<Sealed> {
        // Room for most of them: a buffer that grows is copied, and leaves its old places behind unwiped.
        let mut plain = zeroize::Zeroizing::new(Vec::with_capacity(USUAL));
        serde_json::to_writer(&mut *plain, payload).map_err(Error::internal)?;
        Ok(Sealed { key: self.id.clone(), bytes: self.sealer.seal(&place(origin, event), &plain)? })
    }
}

fn place(origin: &str, event: &str) -> String {
    format!("{origin}|{event}")
}

/// A payload as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sealed {
    /// Name of its key.
    pub(crate) key: String,
    /// Nonce, ciphertext, tag.
    pub(crate) bytes: Vec<u8>,
}

impl Sealed {
    /// What the record says of it.
    pub(crate) fn described(&self) -> Json {
        serde_json::json!({
            "key": self.key,
            "sha256": hex::encode(platform::canonical::sha256(&self.bytes)),
            "bytes": self.bytes.len(),
        })
    }
}

impl Payloads {
    /// Makes the key of the current month ready, so that no record ever has to wait for the first one.
    pub async fn ready(keys: Arc<dyn PayloadKeys>, clock: &SharedClock) -> Result<Self> {
        let name = month_of(clock.now());
        let month = Month::of(name.clone(), &keys.of_month(&name).await?)?;
        Ok(Self { keys, current: Arc::new(RwLock::new(month)), turning: Arc::default() })
    }

    /// The key at hand: for what cannot wait.
    pub(crate) fn current(&self) -> Arc<Month> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The key for what happens at `at`; that of a new month is made or fetched first.
    pub(crate) async fn at(&self, at: jiff::Timestamp) -> Result<Arc<Month>> {
        let month = self.current();
        let name = month_of(at);
        if name <= month.name {
            return Ok(month);
        }
        let _turn = self.turning.lock().await;
        let month = self.current();
        if name <= month.name {
            return Ok(month);
        }
        let month = Month::of(name.clone(), &self.keys.of_month(&name).await?)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&month);
        Ok(month)
    }

    /// Unseals what was stored for a record, given the record's line.
    pub(crate) async fn open(&self, origin: &str, stored: &Stored) -> Result<Json> {
        let Some(said) = &stored.said else { return Err(payload_absent()) };
        let Some(bytes) = &stored.sealed else { return Err(destroyed(said)) };
        if hex::encode(platform::canonical::sha256(bytes)) != said.sha256 {
            return Err(changed(said));
        }
        let Some(key) = self.keys.find(&said.key).await? else { return Err(destroyed(said)) };
        let plain = Sealer::derive(&key, PURPOSE)?.open(&place(origin, &said.event), bytes);
        let plain = zeroize::Zeroizing::new(plain.ok_or_else(|| changed(said))?);
        serde_json::from_slice(&plain).map_err(Error::internal)
    }

    pub(crate) fn keys(&self) -> &Arc<dyn PayloadKeys> {
        &self.keys
    }
}

/// A record's payload as it stands in the database.
pub(crate) struct Stored {
    said: Option<Said>,
    sealed: Option<Vec<u8>>,
}

/// What a record says of its payload.
struct Said {
    event: String,
    key: String,
    sha256: String,
}

/// What is stored for a record; `None` when there is no such record.
pub(crate) fn stored(
    connection: &Connection,
    position: AuditPosition,
) -> std::result::Result<Option<Stored>, AuditFault> {
    let position = i64::try_from(position.0).unwrap_or(i64::MAX);
    let row: Option<(String, Option<Vec<u8>>)> = connection
        .query_row(
            "SELECT line, sealed FROM audit LEFT JOIN payload USING(seq) WHERE audit.seq = ?",
            [position],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    let Some((line, sealed)) = row else { return Ok(None) };
    let record: Json = serde_json::from_str(&line)
        .map_err(|e| AuditFault::damaged(position.unsigned_abs(), format!("the record is no JSON: {e}")))?;
    let text = |pointer: &str| record.pointer(pointer).and_then(Json::as_str).map(str::to_owned);
    let said = match (text("/event/id"), text("/interlock/payload/key"), text("/interlock/payload/sha256")) {
        (Some(event), Some(key), Some(sha256)) => Some(Said { event, key, sha256 }),
        _ => None,
    };
    Ok(Some(Stored { said, sealed }))
}

/// Deletes sealed payloads of months before `month`, at most so many at once. Returns how many there were.
pub(crate) fn forget(connection: &Connection, month: &str) -> std::result::Result<u64, AuditFault> {
    connection.execute_batch("PRAGMA secure_delete=ON")?;
    let deleted = connection.execute(
        "DELETE FROM payload WHERE seq IN (SELECT seq FROM payload WHERE substr(key_id, 1, 7) < ?1 ORDER BY seq LIMIT ?2)",
        (month, FORGET_AT_ONCE),
    )?;
    Ok(deleted as u64)
}

fn destroyed(said: &Said) -> Error {
    Error::new(
        ErrorKind::NotFound,
        "audit_payload_destroyed",
        "The payload of this record was destroyed with the key of its month. The record itself stands.",
    )
    .with_detail(&said.key)
}

fn changed(said: &Said) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "audit_payload_changed",
        "The sealed payload is not the one that its record was written with. Run `interlock audit verify` and keep the \
         file for the enquiry.",
    )
    .with_detail(&said.key)
}
