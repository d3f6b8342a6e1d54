//! What callers hand to the writer, and the loop that takes it: what queued up is one batch, and a turn of the log ends it.
//! Next: [`super`] for what becomes of a batch.

use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use platform::audit::AuditPosition;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::{Waiting, Writer};
use crate::error::AuditFault;
use crate::keys::{AuditKeys, PublicKey};
use crate::record::PreparedRecord;

/// Most records in one transaction.
pub(crate) const MAX_BATCH: usize = 1_024;
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
    /// Close this log and go on with the new one `to` under these keys.
    Rotate { keys: AuditKeys, to: String, ack: oneshot::Sender<Result<PublicKey, AuditFault>> },
}

// What ends a batch.
enum Turn {
    Close(oneshot::Sender<Result<(), AuditFault>>),
    Rotate(AuditKeys, String, oneshot::Sender<Result<PublicKey, AuditFault>>),
}

impl Writer {
    /// Serves the queue until it is closed or has no senders left. `reader` is the connection that others read by.
    pub(crate) fn run(mut self, queue: &Receiver<Message>, reader: &Mutex<Connection>) {
        loop {
            let next = match self.wake_in() {
                Some(wait) => queue.recv_timeout(wait),
                None => queue.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            let mut batch = Vec::new();
            let mut turn = None;
            let mut ended = false;
            match next {
                Ok(message) => {
                    let mut message = Some(message);
                    while let Some(now) = message.take() {
                        turn = self.take(now, &mut batch);
                        if batch.len() < MAX_BATCH && turn.is_none() {
                            message = queue.try_recv().ok();
                        }
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => ended = true,
            }
            self.serve(batch);
            match turn {
                None if ended => return self.end(),
                None => {}
                Some(Turn::Rotate(keys, to, ack)) => {
                    let rotated;
                    (self, rotated) = self.rotate(&keys, to, reader);
                    if ack.send(rotated).is_err() {
                        tracing::debug!("nobody waited for the audit log to be followed");
                    }
                }
                Some(Turn::Close(ack)) => {
                    let closed = self.close(None);
                    // Whoever hears that the log is closed may open it again at once: the lock must be free by then.
                    let rest = if closed.is_ok() {
                        self.publisher.close(None);
                        drop(self);
                        None
                    } else {
                        Some(self)
                    };
                    if ack.send(closed).is_err() {
                        tracing::debug!("nobody waited for the audit log to close");
                    }
                    match rest {
                        Some(writer) => self = writer,
                        None => return,
                    }
                }
            }
        }
    }

    // Without senders: the log was dropped and not closed.
    fn end(mut self) {
        // Whoever drops a log may be the one who serves the store and the second place: the next start asks them.
        self.publisher.leave_registry();
        self.shipping = None;
        if let Err(error) = self.close(None) {
            self.counters.lost.fetch_add(self.held.len() as u64, Ordering::Relaxed);
            tracing::error!(%error, lost = self.held.len(), "the audit log could not be closed");
        }
    }

    fn take(&self, message: Message, batch: &mut Vec<Waiting>) -> Option<Turn> {
        match message {
            Message::Append(record, ack) => batch.push((record, Some(ack))),
            Message::Detached(record) => batch.push((record, None)),
            Message::Close(ack) => return Some(Turn::Close(ack)),
            Message::Rotate { keys, to, ack } => return Some(Turn::Rotate(keys, to, ack)),
            Message::Forget(month, ack) => {
                let forgotten = match &self.connection {
                    Some(connection) => crate::payload::forget(connection, &month),
                    None => Err(AuditFault::Write("the log cannot be written now".to_owned())),
                };
                if ack.send(forgotten).is_err() {
                    tracing::debug!("nobody waited for payloads to be forgotten");
                }
                return None;
            }
        }
        self.counters.queued.fetch_sub(1, Ordering::Relaxed);
        None
    }

    fn wake_in(&self) -> Option<Duration> {
        if !self.held.is_empty() || self.spool.is_used() || self.is_behind() {
            return Some(RETRY);
        }
        self.uncovered_since.map(|since| self.checkpoint_within.saturating_sub(since.elapsed()))
    }
}
