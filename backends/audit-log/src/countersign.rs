//! Brings the checkpoints of one log to the registry, oldest first, each with the proof that the log was only extended.
//! What is to be brought stands in the log's own database, so that nothing is forgotten while the store cannot be reached.
//! Next: [`crate::registry::Registry`], which judges and signs.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use rusqlite::{Connection, OptionalExtension};

use crate::error::AuditFault;
use crate::extension::extension_proof;
use crate::file::open_for_reading;
use crate::registry::{HEARTBEAT, Registry};
use crate::stats::Counters;
use crate::tree::{Frontier, Hash, leaf_hash};

/// Most records between two countersigned checkpoints: after an outage the next one covers as many as this allows.
const STRIDE: u64 = 65_536;

/// One log's way to the registry.
pub(crate) struct Countersigning {
    registry: Registry,
    connection: Connection,
    origin: String,
    instance: String,
    // Records that the last countersigned checkpoint covers.
    signed: u64,
    seen: Instant,
}

impl Countersigning {
    /// Of the log in the database at `path`, which this `instance` has open and of which `signed` records are
    /// countersigned.
    pub(crate) fn new(
        registry: Registry,
        path: &Path,
        origin: &str,
        instance: String,
        signed: u64,
    ) -> Result<Self, AuditFault> {
        let connection = open_for_reading(path)?;
        Ok(Self { registry, connection, origin: origin.to_owned(), instance, signed, seen: Instant::now() })
    }

    /// Records that are countersigned.
    pub(crate) fn signed(&self) -> u64 {
        self.signed
    }

    /// Whether a checkpoint waits.
    pub(crate) fn behind(&self) -> Result<bool, AuditFault> {
        Ok(self.next_size()?.is_some())
    }

    /// Has the next checkpoint countersigned. `None` when none waits.
    pub(crate) fn next(&mut self) -> Result<Option<Arc<str>>, AuditFault> {
        let Some(size) = self.next_size()? else { return Ok(None) };
        let note: String =
            self.connection
                .query_row("SELECT note FROM checkpoint WHERE size = ?", [size.cast_signed()], |row| row.get(0))?;
        let proof = self.proof(size)?;
        let work = self.registry.clone().countersign(self.origin.clone(), self.instance.clone(), note, proof);
        let both = self.registry.bridge().wait(work)?;
        self.signed = size;
        self.seen = Instant::now();
        Ok(Some(both.into()))
    }

    /// Shows the registry that this process lives, when it has heard nothing for a while.
    pub(crate) fn show_life(&mut self) -> Result<(), AuditFault> {
        if self.seen.elapsed() < HEARTBEAT {
            return Ok(());
        }
        let work = self.registry.clone().touch(self.origin.clone(), self.instance.clone());
        self.registry.bridge().wait(work)?;
        self.seen = Instant::now();
        Ok(())
    }

    /// Closes the log in the registry, once all its checkpoints are countersigned.
    pub(crate) fn close(&self, successor: Option<String>) -> Result<(), AuditFault> {
        let work = self.registry.clone().close(self.origin.clone(), self.instance.clone(), self.signed, successor);
        self.registry.bridge().wait(work)
    }

    // The largest waiting checkpoint within a stride, else the next one.
    fn next_size(&self) -> Result<Option<u64>, AuditFault> {
        let size: Option<i64> = self
            .connection
            .query_row(
                "SELECT coalesce(max(size) FILTER (WHERE size <= ?2), min(size)) FROM checkpoint WHERE size > ?1",
                (self.signed.cast_signed(), self.signed.saturating_add(STRIDE).cast_signed()),
                |row| row.get(0),
            )
            .optional()?
            .flatten();
        Ok(size.map(i64::unsigned_abs))
    }

    fn proof(&self, size: u64) -> Result<Vec<Hash>, AuditFault> {
        if self.signed == 0 {
            return Ok(Vec::new());
        }
        let bytes: Vec<u8> = self.connection.query_row(
            "SELECT frontier FROM checkpoint WHERE size = ?",
            [self.signed.cast_signed()],
            |row| row.get(0),
        )?;
        let edge = Frontier::from_bytes(self.signed, &bytes).ok_or_else(|| {
            AuditFault::damaged(self.signed, "the tree of the last countersigned checkpoint is unreadable")
        })?;
        let mut statement =
            self.connection.prepare_cached("SELECT line FROM audit WHERE seq > ? AND seq <= ? ORDER BY seq")?;
        let mut rows = statement.query((self.signed.cast_signed(), size.cast_signed()))?;
        let mut leaves = Vec::new();
        while let Some(row) = rows.next()? {
            leaves.push(leaf_hash(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?.as_bytes()));
        }
        if leaves.len() as u64 != size - self.signed {
            return Err(AuditFault::damaged(self.signed + 1, "a record is missing"));
        }
        Ok(extension_proof(&edge, &leaves))
    }
}

/// Marks the log as forked: it takes nothing more.
pub(crate) fn raise_fork(counters: &Counters, fault: &AuditFault) {
    if counters.forked.set(fault.to_string()).is_ok() {
        counters.failing.store(true, Ordering::Relaxed);
        tracing::error!(
            event.action = "audit.forked",
            error.message = %fault,
            "the audit log is forked; every call is refused until an operator has looked at it"
        );
    }
}
