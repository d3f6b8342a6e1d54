//! The end of old records that keeps every proof (T25, `audit.keep_days`). What goes is a whole range from the beginning up
//! to a signed checkpoint that every anchor has taken; a record of the log says so first. What stays of each record is its
//! leaf, 32 bytes, and every checkpoint: so the chain and the tree verify from the first record on, whatever an anchor kept,
//! and an exported record can still be proven. A leaf tells nothing of its record, which has a random id.
//!
//! Next: [`crate::offline::verify_all`], which holds removals against what was written down.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use platform::Json;
use platform::audit::{AuditEntry, AuditLog as _, Outcome};
use platform::clock::SharedClock;
use platform::error::{Error, Result};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};
use serde::Serialize;

use crate::checkpoint::SignedCheckpoint;
use crate::error::AuditFault;
use crate::file::{self, open_for_reading, open_for_writing};
use crate::log::AuditLogFile;
use crate::offline::leaves::each_removed;
use crate::offline::walk::RETAINED;
use crate::query::sortable;
use crate::recovery::Edge;
use crate::tree::{Hash, leaf_hash};

/// How often a running platform looks.
const EVERY: Duration = Duration::from_secs(3_600);
/// Records that one transaction removes: the writer waits no longer than for these.
const BATCH: u64 = 500;
/// How long the writer has the file to itself between two of them.
const BREATH: Duration = Duration::from_millis(20);
/// How long a batch waits for the writer.
const BUSY: Duration = Duration::from_secs(10);

/// What was removed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Removed {
    /// Records that were removed now.
    pub records: u64,
    /// The last position that is gone; 0 when none is.
    pub last: u64,
}

// A removal that may be done.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Plan {
    origin: String,
    // Removed so far.
    already: u64,
    last: u64,
    root: Hash,
    chain: Hash,
    predecessor: Option<Json>,
    // Written down before, and not done to its end.
    declared: bool,
}

impl AuditLogFile {
    /// Removes the records that are older than `keep_days` days at `now`: up to the last checkpoint that covers nothing
    /// younger, that the registry has countersigned and every anchor has taken, and before the first write without an
    /// outcome. 0 days keep everything. A removal that was interrupted is finished first.
    ///
    /// Errors: `audit_log_damaged` when what would go is not as it was written: then nothing goes; `audit_unavailable`.
    pub async fn remove_records(&self, keep_days: u32, now: Timestamp) -> Result<Removed> {
        let kept = SignedDuration::from_hours(i64::from(keep_days) * 24);
        let Ok(before) = now.checked_sub(kept) else { return Ok(Removed::default()) };
        // Where replicas share a database, it must have everything before anything goes here.
        let stats = self.stats();
        if keep_days == 0 || stats.failing || stats.unreplicated > 0 {
            return Ok(Removed::default());
        }
        let path = self.database();
        let vouched = self.vouched();
        let plan_path = path.clone();
        let plan = blocking(move || plan(&plan_path, before, vouched)).await?;
        let Some(plan) = plan else { return Ok(Removed::default()) };
        if !plan.declared {
            self.append(declaration(&plan, before, keep_days, now)).await?;
        }
        let mut done = plan.already;
        while done < plan.last {
            let (path, from, last) = (path.clone(), done, plan.last.min(done + BATCH));
            blocking(move || remove(&path, from, last)).await?;
            done = last;
            tokio::time::sleep(BREATH).await;
        }
        Ok(Removed { records: done - plan.already, last: done })
    }

    /// Does that now and every hour, on a task of its own that ends with the log.
    pub fn keep_records_for(self: &Arc<Self>, keep_days: u32, clock: SharedClock) {
        let log = Arc::downgrade(self);
        tokio::spawn(async move {
            while let Some(log) = log.upgrade().filter(|log| !log.is_closed()) {
                match log.remove_records(keep_days, clock.now()).await {
                    Ok(removed) if removed.records == 0 => {}
                    Ok(Removed { records, last }) => {
                        tracing::info!(records, last, "audit records at the end of their time were removed");
                    }
                    Err(error) => tracing::error!(
                        error.code = error.code(),
                        error.message = error.detail(),
                        "audit records at the end of their time were not removed"
                    ),
                }
                drop(log);
                tokio::time::sleep(EVERY).await;
            }
        });
    }

    fn database(&self) -> PathBuf {
        let reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        reader.path().map(PathBuf::from).unwrap_or_default()
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::result::Result<T, AuditFault> + Send + 'static,
) -> Result<T> {
    Ok(tokio::task::spawn_blocking(work).await.map_err(Error::internal)??)
}

fn declaration(plan: &Plan, before: Timestamp, keep_days: u32, now: Timestamp) -> AuditEntry {
    let mut entry = AuditEntry::event(now, RETAINED, Outcome::Success);
    let mut put = |name: &str, value: Json| drop(entry.facts.insert(name.to_owned(), value));
    put("log", plan.origin.clone().into());
    put("removed_first", 1.into());
    put("removed_last", plan.last.into());
    put("removed_root", hex::encode(plan.root).into());
    put("removed_chain", hex::encode(plan.chain).into());
    put("records", (plan.last - plan.already).into());
    put("older_than", before.to_string().into());
    put("keep_days", keep_days.into());
    if let Some(predecessor) = &plan.predecessor {
        put("predecessor", predecessor.clone());
    }
    entry
}

// What may go now. Everything that would go is checked first: damage is evidence, and stays.
fn plan(path: &Path, before: Timestamp, vouched: Option<u64>) -> std::result::Result<Option<Plan>, AuditFault> {
    let connection = open_for_reading(path)?;
    connection.execute_batch("BEGIN")?;
    let (origin, _) = file::identity(&connection)?;
    let mut edge = Edge::default();
    each_removed(&connection, |_, leaves| leaves.as_chunks::<32>().0.iter().for_each(|leaf| edge.push_leaf(*leaf)))?;
    let already = edge.size();
    let (declared, predecessor) = said(&connection)?;
    let last = match declared.filter(|declared| *declared > already) {
        Some(declared) => Some(declared),
        None => boundary(&connection, before, vouched)?.filter(|last| *last > already),
    };
    let Some(last) = last else { return Ok(None) };

    let mut statement =
        connection.prepare("SELECT seq, line, hash FROM audit WHERE seq > ? AND seq <= ? ORDER BY seq")?;
    let mut rows = statement.query([already.cast_signed(), last.cast_signed()])?;
    while let Some(row) = rows.next()? {
        let due = edge.size() + 1;
        let line = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
        let whole = row.get::<_, i64>(0)?.unsigned_abs() == due;
        if !whole || edge.push(line) != row.get::<_, Hash>(2)? {
            return Err(AuditFault::damaged(
                due,
                "a record at the end of its time is not as it was written; it is kept",
            ));
        }
    }
    let note: Option<String> = connection
        .query_row("SELECT note FROM checkpoint WHERE size = ?", [last.cast_signed()], |row| row.get(0))
        .optional()?;
    let signed = note.and_then(|note| SignedCheckpoint::parse(&note)).map(|note| note.checkpoint);
    let (root, chain) = (edge.frontier.root(), edge.chain);
    if signed.is_none_or(|signed| (signed.size, signed.root, signed.chain) != (edge.size(), root, chain)) {
        let reason =
            "records at the end of their time are not those that their checkpoint was signed over; they are kept";
        return Err(AuditFault::damaged(last, reason));
    }
    Ok(Some(Plan { origin, already, last, root, chain, predecessor, declared: declared == Some(last) }))
}

// Up to where the log itself says that records were removed, and which log it says that it follows.
fn said(connection: &Connection) -> std::result::Result<(Option<u64>, Option<Json>), AuditFault> {
    let line = |sql: &str| -> std::result::Result<Option<Json>, AuditFault> {
        let line: Option<String> = connection.query_row(sql, [], |row| row.get(0)).optional()?;
        Ok(line.and_then(|line| serde_json::from_str(&line).ok()))
    };
    let retained = line("SELECT line FROM audit WHERE action = 'audit.retained' ORDER BY seq DESC LIMIT 1")?;
    let first = line("SELECT line FROM audit WHERE seq = 1")?;
    let declared = retained.as_ref().and_then(|record| record.pointer("/interlock/removed_last")?.as_u64());
    let of = |record: &Json| record.pointer("/interlock/predecessor").cloned();
    Ok((declared, first.as_ref().or(retained.as_ref()).and_then(of)))
}

// The last checkpoint that covers nothing younger than `before`, nothing that others may not have, and no open write.
// The newest checkpoint stays out: the log goes on from the record under it.
fn boundary(
    connection: &Connection,
    before: Timestamp,
    vouched: Option<u64>,
) -> std::result::Result<Option<u64>, AuditFault> {
    let young: Option<i64> =
        connection.query_row("SELECT min(seq) FROM audit WHERE at >= ?", [sortable(before)], |row| row.get(0))?;
    let open: Option<i64> = connection.query_row(
        "SELECT min(i.seq) FROM audit i WHERE i.phase = 'intent'
         AND i.seq > (SELECT coalesce(max(seq), 0) FROM audit WHERE action = 'audit.opened')
         AND (i.request_id IS NULL
              OR (SELECT count(*) FROM audit x WHERE x.request_id = i.request_id AND x.phase = 'intent')
                 > (SELECT count(*) FROM audit x WHERE x.request_id = i.request_id AND x.phase = 'outcome'))",
        [],
        |row| row.get(0),
    )?;
    let least = [young, open].into_iter().flatten().min().map_or(i64::MAX, |first| first - 1);
    let most = vouched.map_or(i64::MAX, |size| i64::try_from(size).unwrap_or(i64::MAX)).min(least);
    let size: Option<i64> = connection.query_row(
        "SELECT max(size) FROM checkpoint WHERE size <= ? AND size < (SELECT max(size) FROM checkpoint)",
        [most],
        |row| row.get(0),
    )?;
    Ok(size.map(i64::unsigned_abs))
}

// One batch: the leaves are kept and the records go, in one transaction. The table's own triggers admit nothing else.
fn remove(path: &Path, after: u64, last: u64) -> std::result::Result<(), AuditFault> {
    let mut connection = open_for_writing(path, BUSY)?;
    // What is removed is overwritten, not only let go.
    connection.execute_batch("PRAGMA secure_delete=ON")?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let range = [after.cast_signed(), last.cast_signed()];
    let mut leaves = Vec::new();
    {
        let mut statement = transaction.prepare("SELECT line FROM audit WHERE seq > ? AND seq <= ? ORDER BY seq")?;
        let mut rows = statement.query(range)?;
        while let Some(row) = rows.next()? {
            leaves.extend(leaf_hash(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?.as_bytes()));
        }
    }
    transaction
        .execute("INSERT INTO removed(last, first, leaves) VALUES(?, ?, ?)", (range[1], range[0] + 1, leaves))?;
    transaction.execute("DELETE FROM payload WHERE seq > ? AND seq <= ?", range)?;
    transaction.execute("DELETE FROM audit WHERE seq > ? AND seq <= ?", range)?;
    transaction.commit()?;
    Ok(())
}
