//! The thread that carries checkpoints away, in order and without holding up the writer: to the file beside the log at
//! once, to the registry for their countersignature, and with it to the anchors. What cannot be delivered is delivered
//! later. Next: [`crate::checkpoint::CheckpointSink`], [`crate::countersign`].

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::checkpoint::{CheckpointFile, CheckpointSink};
use crate::countersign::{Countersigning, raise_fork};
use crate::error::AuditFault;
use crate::registry::HEARTBEAT;
use crate::stats::Counters;

const RETRY: Duration = Duration::from_secs(1);

/// Places to which checkpoints go beside the file.
pub(crate) type Anchors = Vec<Box<dyn CheckpointSink>>;

/// What a publisher begins with.
pub(crate) struct Publishing {
    /// The file beside the log, and the notes that it lacks.
    pub(crate) beside: CheckpointFile,
    pub(crate) missing: Vec<String>,
    pub(crate) anchors: Anchors,
    /// The last countersigned note of the run before, which an anchor may have missed.
    pub(crate) last_note: Option<String>,
    pub(crate) countersigning: Option<Countersigning>,
    pub(crate) verifier_key: String,
    pub(crate) counters: Arc<Counters>,
}

enum Message {
    Note(Arc<str>),
    // The log is closed: so is its registration.
    Close(Option<String>),
}

/// The handle of the thread; dropping it lets the thread try the sinks once more and end.
pub(crate) struct Publisher {
    messages: Option<Sender<Message>>,
    registry_left: Arc<AtomicBool>,
    thread: Option<JoinHandle<Anchors>>,
}

impl Publisher {
    pub(crate) fn start(publishing: Publishing) -> std::io::Result<Self> {
        let (messages, receiver) = channel();
        let registry_left = Arc::new(AtomicBool::new(false));
        let left = Arc::clone(&registry_left);
        let thread = std::thread::Builder::new().name("audit-checkpoints".to_owned()).spawn(move || {
            let mut carrier = Carrier::new(publishing, left);
            carrier.run(&receiver);
            carrier.anchors.into_iter().map(|waiting| waiting.sink).collect()
        })?;
        Ok(Self { messages: Some(messages), registry_left, thread: Some(thread) })
    }

    pub(crate) fn publish(&self, note: String) {
        self.send(Message::Note(note.into()));
    }

    /// Asks the registry nothing more: whoever drops a log may be the one who serves the registry.
    pub(crate) fn leave_registry(&self) {
        self.registry_left.store(true, Ordering::Relaxed);
    }

    /// Delivers what it can, closes the log in the registry, ends, and gives the anchors back.
    pub(crate) fn close(&mut self, successor: Option<String>) -> Anchors {
        self.send(Message::Close(successor));
        self.end()
    }

    fn send(&self, message: Message) {
        let sent = self.messages.as_ref().is_some_and(|messages| messages.send(message).is_ok());
        if !sent {
            tracing::error!("a checkpoint of the audit log was not published: its thread has ended");
        }
    }

    fn end(&mut self) -> Anchors {
        self.messages = None;
        let Some(thread) = self.thread.take() else { return Anchors::new() };
        thread.join().unwrap_or_else(|_| {
            tracing::error!("the thread that publishes checkpoints of the audit log panicked");
            Anchors::new()
        })
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.end();
    }
}

struct Waiting {
    sink: Box<dyn CheckpointSink>,
    notes: VecDeque<Arc<str>>,
}

struct Carrier {
    beside: Waiting,
    anchors: Vec<Waiting>,
    countersigning: Option<Countersigning>,
    registry_left: Arc<AtomicBool>,
    // Whether a checkpoint waits for its countersignature, and since when.
    behind_since: Option<Instant>,
    verifier_key: String,
    counters: Arc<Counters>,
}

impl Carrier {
    fn new(publishing: Publishing, registry_left: Arc<AtomicBool>) -> Self {
        let Publishing { beside, missing, anchors, last_note, countersigning, verifier_key, counters } = publishing;
        let missing: VecDeque<Arc<str>> = missing.into_iter().map(Arc::from).collect();
        // Without a registry the log's own signature is all there is.
        let first =
            if countersigning.is_none() { missing.clone() } else { last_note.into_iter().map(Arc::from).collect() };
        let anchors = anchors.into_iter().map(|sink| Waiting { sink, notes: first.clone() }).collect();
        let behind_since = countersigning.as_ref().map(|_| Instant::now());
        let beside = Waiting { sink: Box::new(beside), notes: missing };
        Self { beside, anchors, countersigning, registry_left, behind_since, verifier_key, counters }
    }

    fn run(&mut self, messages: &Receiver<Message>) {
        self.deliver();
        loop {
            let next = match self.wake_in() {
                Some(wait) => messages.recv_timeout(wait),
                None => messages.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match next {
                Ok(Message::Note(note)) => {
                    if self.countersigning.is_none() {
                        self.anchors.iter_mut().for_each(|sink| sink.notes.push_back(note.clone()));
                    } else if self.behind_since.is_none() {
                        self.behind_since = Some(Instant::now());
                    }
                    self.beside.notes.push_back(note);
                    self.deliver();
                }
                Ok(Message::Close(successor)) => {
                    self.deliver();
                    return self.close(successor);
                }
                Err(RecvTimeoutError::Timeout) => self.deliver(),
                Err(RecvTimeoutError::Disconnected) => return self.deliver(),
            }
        }
    }

    fn wake_in(&self) -> Option<Duration> {
        let waiting = self.behind_since.is_some()
            || [&self.beside].into_iter().chain(&self.anchors).any(|sink| !sink.notes.is_empty());
        if waiting {
            return Some(RETRY);
        }
        self.countersigning.as_ref().map(|_| HEARTBEAT)
    }

    fn deliver(&mut self) {
        self.beside.deliver(&self.verifier_key);
        if !self.registry_left.load(Ordering::Relaxed)
            && let Err(fault) = self.countersign()
        {
            match fault {
                AuditFault::Forked { .. } => {
                    raise_fork(&self.counters, &fault);
                    self.countersigning = None;
                    self.behind_since = None;
                }
                other => tracing::warn!(error = %other, "a checkpoint of the audit log cannot be countersigned yet"),
            }
        }
        self.anchors.iter_mut().for_each(|sink| sink.deliver(&self.verifier_key));
        let left = [&self.beside].into_iter().chain(&self.anchors).map(|sink| sink.notes.len()).max().unwrap_or(0);
        self.counters.unpublished.store(left as u64, Ordering::Relaxed);
        self.counters.waits_since(self.behind_since);
    }

    fn countersign(&mut self) -> Result<(), AuditFault> {
        let Some(countersigning) = &mut self.countersigning else { return Ok(()) };
        while let Some(note) = countersigning.next()? {
            self.counters.countersigned.store(countersigning.signed(), Ordering::Relaxed);
            self.anchors.iter_mut().for_each(|sink| sink.notes.push_back(note.clone()));
        }
        self.behind_since = None;
        countersigning.show_life()
    }

    fn close(&mut self, successor: Option<String>) {
        let Some(countersigning) = &self.countersigning else { return };
        let closed = match countersigning.behind() {
            Ok(false) => countersigning.close(successor),
            Ok(true) => {
                return tracing::warn!("the audit log is closed here and not in the store: the next start does it");
            }
            Err(fault) => Err(fault),
        };
        if let Err(fault) = closed {
            tracing::warn!(error = %fault, "the audit log is closed here and not in the store: the next start does it");
        }
    }
}

impl Waiting {
    fn deliver(&mut self, key: &str) {
        while let Some(note) = self.notes.front() {
            if let Err(error) = self.sink.publish(note, key) {
                tracing::warn!(%error, "a checkpoint of the audit log cannot be published yet");
                break;
            }
            self.notes.pop_front();
        }
    }
}
