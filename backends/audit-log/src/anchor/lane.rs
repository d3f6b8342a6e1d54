//! A thread per anchor: one that hangs or is down holds up neither the log nor the other anchors. A note that was not
//! taken is handed in again, before any newer one. Next: [`super::webhook`], [`super::syslog`], [`super::objects`].

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::delivered::Delivered;
use super::read_back;
use crate::checkpoint::CheckpointSink;
use crate::error::AuditFault;

const FIRST_RETRY: Duration = Duration::from_millis(500);
const LAST_RETRY: Duration = Duration::from_secs(30);
/// Most notes that wait for one anchor: 11 hours of a checkpoint every ten seconds.
const MOST: usize = 4_096;

struct Note {
    text: String,
    verifier_key: String,
    origin: String,
    size: u64,
}

/// A sink that takes every note at once and carries it to the real one on a thread of its own.
pub(super) struct Lane {
    notes: Option<Sender<Note>>,
    thread: Option<JoinHandle<()>>,
}

impl Lane {
    pub(super) fn start(
        place: usize,
        sink: Box<dyn CheckpointSink>,
        delivered: Arc<Delivered>,
    ) -> Result<Self, AuditFault> {
        let (notes, receiver) = channel();
        let mut carrier = Carrier { place, sink, delivered, waiting: VecDeque::new(), pause: FIRST_RETRY };
        let thread = std::thread::Builder::new()
            .name(format!("audit-anchor-{place}"))
            .spawn(move || carrier.run(&receiver))
            .map_err(|e| AuditFault::Write(format!("no thread for an anchor: {e}")))?;
        Ok(Self { notes: Some(notes), thread: Some(thread) })
    }
}

impl CheckpointSink for Lane {
    fn publish(&mut self, note: &str, verifier_key: &str) -> io::Result<()> {
        let checkpoint = read_back(note)?.checkpoint;
        let note = Note {
            text: note.to_owned(),
            verifier_key: verifier_key.to_owned(),
            origin: checkpoint.origin,
            size: checkpoint.size,
        };
        let sent = self.notes.as_ref().is_some_and(|notes| notes.send(note).is_ok());
        if sent { Ok(()) } else { Err(io::Error::other("the thread of the anchor has ended")) }
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.notes = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread of an audit anchor panicked");
        }
    }
}

struct Carrier {
    place: usize,
    sink: Box<dyn CheckpointSink>,
    delivered: Arc<Delivered>,
    waiting: VecDeque<Note>,
    pause: Duration,
}

impl Carrier {
    fn run(&mut self, notes: &Receiver<Note>) {
        loop {
            let next = match self.waiting.is_empty() {
                true => notes.recv().map_err(|_| RecvTimeoutError::Disconnected),
                false => notes.recv_timeout(self.pause),
            };
            let retry = !self.waiting.is_empty() && next.is_ok();
            match next {
                Ok(note) => {
                    self.take(note);
                    while let Ok(note) = notes.try_recv() {
                        self.take(note);
                    }
                    self.delivered.wait(self.place, self.waiting.len());
                    // A new note is no reason to ask a place again that was just down.
                    if retry && self.pause > FIRST_RETRY {
                        continue;
                    }
                    self.carry();
                }
                Err(RecvTimeoutError::Timeout) => self.carry(),
                Err(RecvTimeoutError::Disconnected) => return self.carry(),
            }
        }
    }

    // Each checkpoint covers all before it: where a place is down for long, every second one in between is enough. The
    // front stays, because it may have arrived without our knowing.
    fn take(&mut self, note: Note) {
        self.waiting.push_back(note);
        if self.waiting.len() > MOST {
            let last = self.waiting.len() - 1;
            let mut at = 0;
            self.waiting.retain(|_| {
                at += 1;
                at == 1 || at > last || at % 2 == 0
            });
        }
    }

    fn carry(&mut self) {
        while let Some(note) = self.waiting.front() {
            if let Err(error) = self.sink.publish(&note.text, &note.verifier_key) {
                tracing::warn!(%error, anchor = self.place, size = note.size, waiting = self.waiting.len(),
                    "an anchor does not take a checkpoint of the audit log; it is offered again");
                self.pause = (self.pause * 2).min(LAST_RETRY);
                break;
            }
            self.delivered.taken(self.place, &note.origin, note.size);
            self.waiting.pop_front();
            self.pause = FIRST_RETRY;
        }
        self.delivered.wait(self.place, self.waiting.len());
    }
}
