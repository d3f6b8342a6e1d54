//! The thread that carries checkpoints to their sinks, in order and without holding up the writer: a sink that fails gets
//! the same note again. Next: [`crate::checkpoint::CheckpointSink`].

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::checkpoint::CheckpointSink;

const RETRY: Duration = Duration::from_secs(1);

/// The handle of the thread; dropping it lets the thread try once more and end.
pub(crate) struct Publisher {
    notes: Option<Sender<Arc<str>>>,
    thread: Option<JoinHandle<()>>,
}

struct Waiting {
    sink: Box<dyn CheckpointSink>,
    notes: VecDeque<Arc<str>>,
}

impl Publisher {
    /// Starts the thread. `unpublished` counts notes that a sink still waits for.
    pub(crate) fn start(
        sinks: Vec<Box<dyn CheckpointSink>>,
        verifier_key: String,
        unpublished: Arc<AtomicU64>,
    ) -> std::io::Result<Self> {
        let (notes, receiver) = channel();
        let sinks: Vec<Waiting> = sinks.into_iter().map(|sink| Waiting { sink, notes: VecDeque::new() }).collect();
        let thread = std::thread::Builder::new()
            .name("audit-checkpoints".to_owned())
            .spawn(move || run(sinks, &receiver, &verifier_key, &unpublished))?;
        Ok(Self { notes: Some(notes), thread: Some(thread) })
    }

    pub(crate) fn publish(&self, note: String) {
        let sent = self.notes.as_ref().is_some_and(|notes| notes.send(note.into()).is_ok());
        if !sent {
            tracing::error!("a checkpoint of the audit log was not published: its thread has ended");
        }
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.notes = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that publishes checkpoints of the audit log panicked");
        }
    }
}

fn run(mut sinks: Vec<Waiting>, notes: &Receiver<Arc<str>>, key: &str, unpublished: &AtomicU64) {
    loop {
        let waiting = sinks.iter().any(|sink| !sink.notes.is_empty());
        let next =
            if waiting { notes.recv_timeout(RETRY) } else { notes.recv().map_err(|_| RecvTimeoutError::Disconnected) };
        let ended = next == Err(RecvTimeoutError::Disconnected);
        if let Ok(note) = next {
            sinks.iter_mut().for_each(|sink| sink.notes.push_back(note.clone()));
        }
        for waiting in &mut sinks {
            while let Some(note) = waiting.notes.front() {
                if let Err(error) = waiting.sink.publish(note, key) {
                    tracing::warn!(%error, "a checkpoint of the audit log cannot be published yet");
                    break;
                }
                waiting.notes.pop_front();
            }
        }
        let left = sinks.iter().map(|sink| sink.notes.len()).max().unwrap_or(0);
        unpublished.store(left as u64, Ordering::Relaxed);
        if ended {
            return;
        }
    }
}
