//! The one thread that writes: what queued up while it synced is its next transaction (group commit), and only then are
//! the callers told. After a failure it refuses, keeps what nobody waits for, and looks again. Next: [`queue`] for what is
//! handed to it, [`crate::log`] for those who do.

mod queue;

use std::collections::VecDeque;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use aws_lc_rs::signature::Ed25519KeyPair;
use platform::Json;
use platform::audit::{AuditEntry, AuditPosition, Outcome};
use platform::clock::SharedClock;
use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::countersign::raise_fork;
use crate::error::AuditFault;
use crate::file::open_for_writing;
use crate::keys::PublicKey;
use crate::opening::Setting;
use crate::publisher::Publisher;
use crate::record::PreparedRecord;
use crate::recovery::Edge;
use crate::replica::Shipping;
use crate::spool::Spool;
use crate::stats::Counters;
use crate::transaction::{Written, write};

pub(crate) use self::queue::{MAX_BATCH, Message};

/// Most records that a checkpoint may be behind before one is written, plus what one batch can add.
pub(crate) const CHECKPOINT_EVERY: u64 = 1_000;

/// Everything that the thread owns.
pub(crate) struct Writer {
    pub(crate) path: PathBuf,
    pub(crate) busy: Duration,
    // None after a failure: the next attempt begins with what the file really holds.
    pub(crate) connection: Option<Connection>,
    pub(crate) edge: Edge,
    pub(crate) checkpointed: u64,
    pub(crate) checkpoint_every: u64,
    pub(crate) checkpoint_within: Duration,
    // Since when there is something that no checkpoint covers.
    pub(crate) uncovered_since: Option<Instant>,
    pub(crate) origin: String,
    pub(crate) pair: Ed25519KeyPair,
    pub(crate) arguments_key: hmac::Key,
    pub(crate) service: String,
    pub(crate) clock: SharedClock,
    pub(crate) counters: Arc<Counters>,
    pub(crate) publisher: Publisher,
    pub(crate) held: VecDeque<PreparedRecord>,
    pub(crate) spool: Spool,
    pub(crate) shipping: Option<Shipping>,
    // Whether the record that says so stands at the end of a forked log.
    pub(crate) fork_written: bool,
    // Why nothing more is written although the log is not forked: it is closed, and the next one did not begin.
    pub(crate) stopped: Option<String>,
    pub(crate) setting: Setting,
    // Locked for as long as this process writes.
    pub(crate) lock: File,
}

type Waiting = (PreparedRecord, Option<oneshot::Sender<Result<AuditPosition, AuditFault>>>);

impl Writer {
    /// Writes a record of the log's own.
    pub(crate) fn prepare(&self, entry: &AuditEntry) -> Result<PreparedRecord, AuditFault> {
        PreparedRecord::new(entry, &self.service, &self.arguments_key, None)
    }

    /// The log's name and key.
    pub(crate) fn public_key(&self) -> PublicKey {
        PublicKey::of(&self.pair).named(&self.origin)
    }

    // Whether the second place lacks records.
    fn is_behind(&self) -> bool {
        self.shipping.as_ref().is_some_and(|shipping| shipping.shipped() < self.edge.size())
    }

    fn checkpoint_is_due(&self, new: u64) -> bool {
        let uncovered = self.edge.size() + new - self.checkpointed;
        uncovered >= self.checkpoint_every
            || self.uncovered_since.is_some_and(|since| since.elapsed() >= self.checkpoint_within)
    }

    // Writes what waited, then the batch, in one transaction; tells each caller when it stands wherever it must stand.
    fn serve(&mut self, batch: Vec<Waiting>) {
        let behind = self.ship();
        // What the second place cannot take now is not written here either, except for what nobody waits for and for what
        // must go on: a caller who is refused should leave no record of having begun.
        let batch = match &behind {
            Ok(()) => batch,
            Err(fault) => refuse(batch, fault, |record| record.undoes()),
        };
        let waited = self.spool.waiting().len() + self.held.len();
        let due = self.checkpoint_is_due((waited + batch.len()) as u64);
        if batch.is_empty() && waited == 0 && !due && !self.spool.is_used() {
            return;
        }
        let written = self.recover().and_then(|()| {
            let new = batch.iter().map(|(record, _)| record);
            let records: Vec<&PreparedRecord> = self.spool.waiting().iter().chain(&self.held).chain(new).collect();
            if records.is_empty() && !due {
                return Ok(None);
            }
            write(&mut self.connection, &self.edge, &records, due.then_some((&*self.origin, &self.pair))).map(Some)
        });
        match written {
            Ok(written) => {
                let mut position = self.edge.size() + (self.spool.waiting().len() + self.held.len()) as u64;
                self.taken_up();
                if let Some(written) = written {
                    self.advance(written);
                }
                let stands = behind.and_then(|()| self.ship());
                for (record, ack) in batch {
                    position += 1;
                    let Some(ack) = ack else { continue };
                    let said = match &stands {
                        Err(fault) if !record.undoes() => Err(fault.here_only()),
                        _ => Ok(AuditPosition(position)),
                    };
                    if ack.send(said).is_err() {
                        tracing::debug!(position, "the caller of an audit record did not wait for it");
                    }
                }
            }
            Err(fault) => {
                self.fail(&fault);
                let batch = self.put_into_spool(batch, &fault);
                let kept = refuse(batch, &fault, |_| false);
                self.held.extend(kept.into_iter().map(|(record, _)| record));
                self.counters.held.store(self.held.len() as u64, Ordering::Relaxed);
            }
        }
    }

    // Steps that undo a change go on while the log cannot be written: their records are synced in the spool. A log that is
    // forked takes none.
    fn put_into_spool(&mut self, batch: Vec<Waiting>, fault: &AuditFault) -> Vec<Waiting> {
        let undoing = |(record, ack): &Waiting| record.undoes() && ack.is_some();
        if matches!(fault, AuditFault::Forked { .. }) || self.stopped.is_some() || !batch.iter().any(undoing) {
            return batch;
        }
        let (undo, rest): (Vec<_>, Vec<_>) = batch.into_iter().partition(undoing);
        let records: Vec<&PreparedRecord> = undo.iter().map(|(record, _)| record).collect();
        let mut position = self.edge.size() + self.spool.waiting().len() as u64;
        let put = self.spool.put(&records, self.edge.size());
        if let Err(error) = &put {
            tracing::error!(%error, "the record of an undo step has no room");
        }
        for (_, ack) in undo {
            position += 1;
            let said = put.as_ref().map(|()| AuditPosition(position)).map_err(AuditFault::repeated);
            if ack.is_some_and(|ack| ack.send(said).is_err()) {
                tracing::debug!(position, "the caller of an audit record did not wait for it");
            }
        }
        rest
    }

    // What waited stands in the log now.
    fn taken_up(&mut self) {
        self.held.clear();
        if self.spool.is_used()
            && let Err(error) = self.spool.clear()
        {
            // Each of its records is found in the log when the spool is read again.
            tracing::warn!(%error, "the spool of the audit log was not emptied");
        }
    }

    /// Brings to the second place what it lacks.
    pub(crate) fn ship(&mut self) -> Result<(), AuditFault> {
        let (size, shipping) = (self.edge.size(), self.shipping.as_mut());
        let (Some(shipping), Some(connection)) = (shipping, &self.connection) else { return Ok(()) };
        let brought = shipping.bring(connection, size);
        self.counters.unreplicated.store(size - shipping.shipped(), Ordering::Relaxed);
        match &brought {
            Ok(()) => self.works(),
            Err(fault @ AuditFault::Forked { .. }) => raise_fork(&self.counters, fault),
            Err(fault) => self.fails(fault),
        }
        brought
    }

    fn fails(&self, fault: &AuditFault) {
        if !self.counters.failing.swap(true, Ordering::Relaxed) {
            tracing::error!(error = %fault, "the audit log cannot be written; calls are refused until it can");
        }
    }

    fn works(&self) {
        if self.connection.is_some() && !self.is_behind() && self.counters.failing.swap(false, Ordering::Relaxed) {
            tracing::info!("the audit log can be written again");
        }
    }

    pub(crate) fn fail(&mut self, fault: &AuditFault) {
        self.connection = None;
        self.fails(fault);
        // A checkpoint that could not be written is tried again after its whole interval, not at once.
        if self.uncovered_since.is_some() {
            self.uncovered_since = Some(Instant::now());
        }
    }

    fn advance(&mut self, written: Written) {
        let new = written.edge.size() - self.edge.size();
        self.edge = written.edge;
        self.counters.records.store(self.edge.size(), Ordering::Relaxed);
        self.counters.commits.fetch_add(1, Ordering::Relaxed);
        self.counters.held.store(0, Ordering::Relaxed);
        self.works();
        match written.note {
            Some(note) => {
                self.checkpointed = self.edge.size();
                self.uncovered_since = None;
                self.counters.checkpoints.fetch_add(1, Ordering::Relaxed);
                self.publisher.publish(note);
            }
            None if new > 0 && self.uncovered_since.is_none() => self.uncovered_since = Some(Instant::now()),
            None => {}
        }
    }

    // A log that was found to be forked takes one last record, which says so.
    fn check_fork(&mut self) -> Result<(), AuditFault> {
        let Some(reason) = self.counters.forked.get().cloned() else { return Ok(()) };
        let fault = AuditFault::forked(&self.origin, reason.clone());
        if !self.fork_written {
            self.fork_written = true;
            let mut entry = AuditEntry::event(self.clock.now(), "audit.forked", Outcome::Failure);
            entry.code = Some("audit_forked".to_owned());
            entry.facts.insert("reason".to_owned(), Json::from(reason));
            let written = self.prepare(&entry).and_then(|record| {
                let sign = Some((&*self.origin, &self.pair));
                write(&mut self.connection, &self.edge, &[&record], sign)
            });
            match written {
                Ok(written) => self.advance(written),
                Err(error) => tracing::warn!(%error, "the end of a forked audit log does not say so"),
            }
        }
        self.counters.failing.store(true, Ordering::Relaxed);
        Err(fault)
    }

    // After a failure: opens the file again and goes on from what it holds. A commit that failed may still have reached
    // the disk; its records stand in the log then, and those that were held are not written twice.
    pub(crate) fn recover(&mut self) -> Result<(), AuditFault> {
        self.check_fork()?;
        if let Some(reason) = &self.stopped {
            return Err(AuditFault::Write(reason.clone()));
        }
        if self.connection.is_some() {
            return Ok(());
        }
        let connection = open_for_writing(&self.path, self.busy)?;
        let mut edge = self.edge.clone();
        let (held, spool) = (&mut self.held, &mut self.spool);
        edge.catch_up(&connection, |line| {
            held.retain(|record| !record.is_line(line));
            spool.drop_line(line);
        })?;
        self.edge = edge;
        self.connection = Some(connection);
        Ok(())
    }

    /// Writes the log's own records at once, with a checkpoint.
    pub(crate) fn write_own(&mut self, entries: &[AuditEntry]) -> Result<(), AuditFault> {
        let own = entries.iter().map(|entry| self.prepare(entry)).collect::<Result<Vec<_>, _>>()?;
        let written = self.recover().and_then(|()| {
            let records: Vec<&PreparedRecord> = self.spool.waiting().iter().chain(&self.held).chain(&own).collect();
            write(&mut self.connection, &self.edge, &records, Some((&self.origin, &self.pair)))
        });
        match written {
            Ok(written) => {
                self.taken_up();
                self.advance(written);
                Ok(())
            }
            Err(fault) => {
                self.fail(&fault);
                Err(fault)
            }
        }
    }

    pub(crate) fn close(&mut self, successor: Option<&str>) -> Result<(), AuditFault> {
        let mut entry = AuditEntry::event(self.clock.now(), "audit.closed", Outcome::Success);
        if let Some(successor) = successor {
            entry.facts.insert("successor".to_owned(), Json::from(successor));
        }
        match self.write_own(&[entry]) {
            // Nothing more is written to it, and its end says why.
            Err(AuditFault::Forked { .. }) if self.fork_written => return Ok(()),
            Err(_) if self.stopped.is_some() => return Ok(()),
            written => written?,
        }
        if let Err(fault) = self.ship() {
            tracing::warn!(error = %fault, "the end of the audit log stands here only; the next start brings it");
        }
        // So that a copy of `audit.db` alone is the whole log. Where a reader stands in the way, nothing is lost.
        if let Some(connection) = &self.connection
            && let Err(error) = connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")
        {
            tracing::debug!(%error, "the audit log keeps its write-ahead file");
        }
        Ok(())
    }
}

// Tells those who wait that nothing stands, except those whom `spared` names; they and what nobody waits for come back.
fn refuse(batch: Vec<Waiting>, fault: &AuditFault, spared: impl Fn(&PreparedRecord) -> bool) -> Vec<Waiting> {
    let mut kept = Vec::new();
    for (record, ack) in batch {
        match ack {
            Some(ack) if !spared(&record) => drop(ack.send(Err(fault.repeated()))),
            ack => kept.push((record, ack)),
        }
    }
    kept
}
