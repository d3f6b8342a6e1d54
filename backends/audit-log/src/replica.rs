//! With a database that replicas share, a record stands there before its reply too (T25); `audit.db` is then a spool: what
//! the database missed is brought to it first, in order. Next: [`crate::writer`], which waits for it;
//! [`platform::audit::AuditReplica`] for the other end.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use platform::audit::{AuditReplica, ReplicatedRecord};
use platform::error::Error;
use rusqlite::{Connection, OptionalExtension};

use crate::bridge::Bridge;
use crate::error::AuditFault;
use crate::file::open_for_reading;
use crate::tree::Hash;

/// Most records that go in one transaction.
const AT_ONCE: u64 = 1_024;
/// After a failure, how long callers are refused without asking again.
const PAUSE: Duration = Duration::from_secs(1);

/// The database that holds every record too.
#[derive(Clone)]
pub struct Replica {
    inner: Arc<dyn AuditReplica>,
    bridge: Bridge,
}

impl Replica {
    /// Must be called on the runtime that serves the database.
    pub fn new(inner: Arc<dyn AuditReplica>) -> Self {
        Self { inner, bridge: Bridge::here() }
    }

    fn append(&self, origin: &str, records: Vec<ReplicatedRecord>) -> Result<(), AuditFault> {
        let (inner, name) = (Arc::clone(&self.inner), origin.to_owned());
        self.bridge.wait(async move { inner.append(&name, records).await.map_err(|error| said(&name, error)) })
    }

    fn last(&self, origin: &str) -> Result<Option<(u64, Hash)>, AuditFault> {
        let (inner, name) = (Arc::clone(&self.inner), origin.to_owned());
        self.bridge.wait(async move { inner.last(&name).await.map_err(|error| said(&name, error)) })
    }
}

// To a caller it is the audit that cannot be written, whatever stands behind it.
fn said(origin: &str, error: Error) -> AuditFault {
    let detail = error.detail().unwrap_or_else(|| error.message()).to_owned();
    if error.code() == "audit_forked" {
        return AuditFault::forked(origin, detail);
    }
    AuditFault::Write(format!("the records' second place: {detail}"))
}

/// One log's way there.
pub(crate) struct Shipping {
    replica: Replica,
    origin: String,
    // Records of the log that stand there.
    shipped: u64,
    failed_at: Option<(Instant, String)>,
}

impl Shipping {
    /// Compares what stands there with the log, which has `size` records.
    pub(crate) fn begin(
        replica: Replica,
        connection: &Connection,
        origin: &str,
        size: u64,
    ) -> Result<Self, AuditFault> {
        let last = replica.last(origin)?;
        let shipped = last.map_or(0, |(position, _)| position);
        if shipped > size {
            return Err(AuditFault::RolledBack { origin: origin.to_owned(), here: size, countersigned: shipped });
        }
        if let Some((position, there)) = last {
            let here: Option<Hash> = connection
                .query_row("SELECT hash FROM audit WHERE seq = ?", [position.cast_signed()], |row| row.get(0))
                .optional()?;
            if here != Some(there) {
                return Err(AuditFault::forked(origin, format!("the record at {position} is another one there")));
            }
        }
        Ok(Self { replica, origin: origin.to_owned(), shipped, failed_at: None })
    }

    /// Records of the log that stand there.
    pub(crate) fn shipped(&self) -> u64 {
        self.shipped
    }

    /// Brings everything there up to `size`, in order. After a failure it says the same for a moment without trying.
    pub(crate) fn bring(&mut self, connection: &Connection, size: u64) -> Result<(), AuditFault> {
        if self.shipped >= size {
            return Ok(());
        }
        if let Some((at, reason)) = &self.failed_at
            && at.elapsed() < PAUSE
        {
            return Err(AuditFault::Write(reason.clone()));
        }
        while self.shipped < size {
            let records = after(connection, self.shipped)?;
            let Some(last) = records.last().map(|record| record.position) else {
                return Err(AuditFault::damaged(self.shipped + 1, "a record is missing"));
            };
            if let Err(fault) = self.replica.append(&self.origin, records) {
                self.failed_at = Some((Instant::now(), fault.to_string()));
                return Err(fault);
            }
            self.shipped = last;
        }
        self.failed_at = None;
        Ok(())
    }
}

/// Brings the rest of a closed log that stands in the database at `path`.
pub(crate) fn bring_rest(replica: &Replica, path: &Path, origin: &str) -> Result<(), AuditFault> {
    let connection = open_for_reading(path)?;
    let size: i64 = connection.query_row("SELECT coalesce(max(seq), 0) FROM audit", [], |row| row.get(0))?;
    let size = size.unsigned_abs();
    Shipping::begin(replica.clone(), &connection, origin, size)?.bring(&connection, size)
}

fn after(connection: &Connection, position: u64) -> Result<Vec<ReplicatedRecord>, AuditFault> {
    let mut statement = connection.prepare_cached(
        "SELECT seq, line, hash, sealed FROM audit LEFT JOIN payload USING(seq) WHERE seq > ?1 AND seq <= ?2 ORDER BY seq",
    )?;
    let to = position.saturating_add(AT_ONCE);
    let rows = statement.query_map((position.cast_signed(), to.cast_signed()), |row| {
        Ok(ReplicatedRecord {
            position: row.get::<_, i64>(0)?.unsigned_abs(),
            line: row.get(1)?,
            hash: row.get(2)?,
            payload: row.get(3)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
