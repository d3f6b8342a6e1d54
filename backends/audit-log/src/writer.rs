//! The one thread that writes: what queued up while it synced is its next transaction (group commit), and only then are
//! the callers told. After a failure it refuses, keeps what nobody waits for, and looks again. Next: [`crate::log`].

use std::collections::VecDeque;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use aws_lc_rs::signature::Ed25519KeyPair;
use platform::audit::{AuditEntry, AuditPosition, Outcome};
use platform::clock::SharedClock;
use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::oneshot;

use crate::checkpoint::Checkpoint;
use crate::error::AuditFault;
use crate::file::open_for_writing;
use crate::publisher::Publisher;
use crate::record::PreparedRecord;
use crate::recovery::Edge;

/// Most records in one transaction.
pub(crate) const MAX_BATCH: usize = 1_024;
/// Most records that a checkpoint may be behind before one is written, plus what one batch can add.
pub(crate) const CHECKPOINT_EVERY: u64 = 1_000;
const RETRY: Duration = Duration::from_secs(1);

/// What callers hand to the writer.
pub(crate) enum Message {
    /// Somebody waits for it.
    Append(PreparedRecord, oneshot::Sender<Result<AuditPosition, AuditFault>>),
    /// Nobody waits, and it is not given up.
    Detached(PreparedRecord),
    /// Delete some sealed payloads of months before this one, and say how many.
    Forget(String, oneshot::Sender<Result<u64, AuditFault>>),
    /// Write everything, say so, end. Nothing is sent after it until it failed.
    Close(oneshot::Sender<Result<(), AuditFault>>),
}

/// What is counted while the log runs.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) records: AtomicU64,
    pub(crate) commits: AtomicU64,
    pub(crate) checkpoints: AtomicU64,
    pub(crate) queued: AtomicU64,
    pub(crate) held: AtomicU64,
    pub(crate) lost: AtomicU64,
    pub(crate) unpublished: Arc<AtomicU64>,
    pub(crate) failing: AtomicBool,
}

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
    // Locked for as long as this process writes.
    pub(crate) _lock: File,
}

type Waiting = (PreparedRecord, Option<oneshot::Sender<Result<AuditPosition, AuditFault>>>);

impl Writer {
    /// Writes a record of the log's own.
    pub(crate) fn prepare(&self, entry: &AuditEntry) -> Result<PreparedRecord, AuditFault> {
        PreparedRecord::new(entry, &self.service, &self.arguments_key, None)
    }

    /// Serves the queue until it is closed or has no senders left.
    pub(crate) fn run(mut self, queue: &Receiver<Message>) {
        loop {
            let next = match self.wake_in() {
                Some(wait) => queue.recv_timeout(wait),
                None => queue.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            let mut batch = Vec::new();
            let mut closing = None;
            let mut ended = false;
            match next {
                Ok(message) => {
                    let mut message = Some(message);
                    while let Some(now) = message.take() {
                        self.take(now, &mut batch, &mut closing);
                        if batch.len() < MAX_BATCH {
                            message = queue.try_recv().ok();
                        }
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => ended = true,
            }
            self.serve(batch);
            if ended || closing.is_some() {
                let closed = self.close();
                if let (true, Err(error)) = (ended, &closed) {
                    self.counters.lost.fetch_add(self.held.len() as u64, Ordering::Relaxed);
                    tracing::error!(%error, lost = self.held.len(), "the audit log could not be closed");
                }
                let done = ended || closed.is_ok();
                // Whoever hears that the log is closed may open it again at once: the lock must be free by then.
                let rest = if done {
                    drop(self);
                    None
                } else {
                    Some(self)
                };
                if let Some(closing) = closing
                    && closing.send(closed).is_err()
                {
                    tracing::debug!("nobody waited for the audit log to close");
                }
                match rest {
                    Some(writer) => self = writer,
                    None => return,
                }
            }
        }
    }

    fn take(
        &self,
        message: Message,
        batch: &mut Vec<Waiting>,
        closing: &mut Option<oneshot::Sender<Result<(), AuditFault>>>,
    ) {
        match message {
            Message::Append(record, ack) => batch.push((record, Some(ack))),
            Message::Detached(record) => batch.push((record, None)),
            Message::Close(ack) => {
                *closing = Some(ack);
                return;
            }
            Message::Forget(month, ack) => {
                let forgotten = match &self.connection {
                    Some(connection) => crate::payload::forget(connection, &month),
                    None => Err(AuditFault::Write("the log cannot be written now".to_owned())),
                };
                if ack.send(forgotten).is_err() {
                    tracing::debug!("nobody waited for payloads to be forgotten");
                }
                return;
            }
        }
        self.counters.queued.fetch_sub(1, Ordering::Relaxed);
    }

    fn wake_in(&self) -> Option<Duration> {
        if !self.held.is_empty() {
            return Some(RETRY);
        }
        self.uncovered_since.map(|since| self.checkpoint_within.saturating_sub(since.elapsed()))
    }

    fn checkpoint_is_due(&self, new: u64) -> bool {
        let uncovered = self.edge.size() + new - self.checkpointed;
        uncovered >= self.checkpoint_every
            || self.uncovered_since.is_some_and(|since| since.elapsed() >= self.checkpoint_within)
    }

    // Writes what was held, then the batch, in one transaction; tells each caller.
    fn serve(&mut self, batch: Vec<Waiting>) {
        let due = self.checkpoint_is_due((self.held.len() + batch.len()) as u64);
        if batch.is_empty() && self.held.is_empty() && !due {
            return;
        }
        let written = self.recover().and_then(|()| {
            let records: Vec<&PreparedRecord> =
                self.held.iter().chain(batch.iter().map(|(record, _)| record)).collect();
            write(&mut self.connection, &self.edge, &records, due.then_some((&*self.origin, &self.pair)))
        });
        match written {
            Ok(written) => {
                let mut position = self.edge.size() + self.held.len() as u64;
                self.held.clear();
                self.advance(written);
                for (_, ack) in batch {
                    position += 1;
                    if let Some(ack) = ack
                        && ack.send(Ok(AuditPosition(position))).is_err()
                    {
                        tracing::debug!(position, "the caller of an audit record did not wait for it");
                    }
                }
            }
            Err(fault) => {
                self.fail(&fault);
                for (record, ack) in batch {
                    match ack {
                        None => self.held.push_back(record),
                        Some(ack) => drop(ack.send(Err(AuditFault::Write(fault.to_string())))),
                    }
                }
                self.counters.held.store(self.held.len() as u64, Ordering::Relaxed);
            }
        }
    }

    fn fail(&mut self, fault: &AuditFault) {
        self.connection = None;
        if !self.counters.failing.swap(true, Ordering::Relaxed) {
            tracing::error!(error = %fault, "the audit log cannot be written; calls are refused until it can");
        }
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
        if self.counters.failing.swap(false, Ordering::Relaxed) {
            tracing::info!("the audit log can be written again");
        }
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

    // After a failure: opens the file again and goes on from what it holds. A commit that failed may still have reached
    // the disk; its records stand in the log then, and those that were held are not written twice.
    fn recover(&mut self) -> Result<(), AuditFault> {
        if self.connection.is_some() {
            return Ok(());
        }
        let connection = open_for_writing(&self.path, self.busy)?;
        let mut edge = self.edge.clone();
        let held = &mut self.held;
        edge.catch_up(&connection, |line| held.retain(|record| !record.is_line(line)))?;
        self.edge = edge;
        self.connection = Some(connection);
        Ok(())
    }

    /// Writes the log's own records at once, with a checkpoint.
    pub(crate) fn write_own(&mut self, entries: &[AuditEntry]) -> Result<(), AuditFault> {
        let own = entries.iter().map(|entry| self.prepare(entry)).collect::<Result<Vec<_>, _>>()?;
        let written = self.recover().and_then(|()| {
            let records: Vec<&PreparedRecord> = self.held.iter().chain(&own).collect();
            write(&mut self.connection, &self.edge, &records, Some((&self.origin, &self.pair)))
        });
        match written {
            Ok(written) => {
                self.held.clear();
                self.advance(written);
                Ok(())
            }
            Err(fault) => {
                self.fail(&fault);
                Err(fault)
            }
        }
    }

    fn close(&mut self) -> Result<(), AuditFault> {
        let entry = AuditEntry::event(self.clock.now(), "audit.closed", Outcome::Success);
        self.write_own(&[entry])?;
        // So that a copy of `audit.db` alone is the whole log. Where a reader stands in the way, nothing is lost.
        if let Some(connection) = &self.connection
            && let Err(error) = connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")
        {
            tracing::debug!(%error, "the audit log keeps its write-ahead file");
        }
        Ok(())
    }
}

struct Written {
    edge: Edge,
    note: Option<String>,
}

// One synced transaction: the records in order and, where one is due, the checkpoint over all of them.
fn write(
    connection: &mut Option<Connection>,
    edge: &Edge,
    records: &[&PreparedRecord],
    checkpoint: Option<(&str, &Ed25519KeyPair)>,
) -> Result<Written, AuditFault> {
    let Some(connection) = connection else { return Err(AuditFault::Closed) };
    let mut edge = edge.clone();
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    {
        let mut insert = transaction.prepare_cached("INSERT INTO audit(seq, line, hash) VALUES(?, ?, ?)")?;
        let mut beside = transaction.prepare_cached("INSERT INTO payload(seq, key_id, sealed) VALUES(?, ?, ?)")?;
        for record in records {
            let position = edge.size() + 1;
            let line = record.line(position);
            let hash = edge.push(&line);
            insert.execute((position.cast_signed(), line, hash))?;
            if let Some(sealed) = record.sealed() {
                beside.execute((position.cast_signed(), &sealed.key, &sealed.bytes))?;
            }
        }
    }
    let mut note = None;
    if let Some((origin, pair)) = checkpoint {
        let text =
            Checkpoint { origin: origin.to_owned(), size: edge.size(), root: edge.frontier.root(), chain: edge.chain }
                .sign(pair);
        transaction.execute(
            "INSERT INTO checkpoint(size, note, frontier) VALUES(?, ?, ?)",
            (edge.size().cast_signed(), &text, edge.frontier.to_bytes()),
        )?;
        note = Some(text);
    }
    transaction.commit()?;
    Ok(Written { edge, note })
}
