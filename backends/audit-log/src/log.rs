//! The log of one process: open, append, read the latest, close. Next: [`crate::writer`], which does the writing.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use aws_lc_rs::hmac;
use platform::Json;
use platform::audit::{AuditEntry, AuditFilter, AuditLog, AuditPosition, Outcome};
use platform::clock::SharedClock;
use platform::error::Error;
use rusqlite::Connection;
use serde::Serialize;
use tokio::sync::oneshot;

use crate::checkpoint::{CheckpointFile, CheckpointSink};
use crate::error::AuditFault;
use crate::file::{self, CHECKPOINTS, DATABASE, LOCK};
use crate::keys::{AuditKeys, PublicKey};
use crate::payload::{self, Month, Payloads};
use crate::publisher::Publisher;
use crate::query;
use crate::record::{PreparedRecord, Sealing};
use crate::recovery::{self, OpenIntent, Opened, PreviousEnd};
use crate::writer::{CHECKPOINT_EVERY, Counters, Message, Writer};

/// Most records that [`AuditLog::recent`] returns.
pub const MAX_RECENT: usize = 10_000;

/// How a log is opened.
pub struct AuditOptions {
    /// The folder of `audit.db`, `audit.checkpoints` and `audit.lock`; it must exist.
    pub folder: PathBuf,
    /// `service.name` of the records.
    pub service: String,
    /// Records after which a checkpoint is written; at most 1,000.
    pub checkpoint_every: u64,
    /// Time after which a checkpoint is written when there is something new.
    pub checkpoint_within: Duration,
    /// How long a write waits for a foreign lock on the database before the append is refused.
    pub busy: Duration,
    /// Further places for checkpoints (the anchor).
    pub sinks: Vec<Box<dyn CheckpointSink>>,
    /// The keys of sealed payloads; without them, records have none.
    pub payloads: Option<Payloads>,
}

impl AuditOptions {
    /// A log in `folder` with the intervals of T25: 1,000 records, 10 seconds.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            service: "interlock".to_owned(),
            checkpoint_every: CHECKPOINT_EVERY,
            checkpoint_within: Duration::from_secs(10),
            busy: Duration::from_secs(5),
            sinks: Vec::new(),
            payloads: None,
        }
    }
}

/// Counts of a running log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditStats {
    /// Records in the log.
    pub records: u64,
    /// Synced transactions since it was opened.
    pub commits: u64,
    /// Checkpoints since it was opened.
    pub checkpoints: u64,
    /// Records handed in and not yet taken up by the writer.
    pub queued: u64,
    /// Records that nobody waits for and that wait for the disk.
    pub held: u64,
    /// Records that could never be written: handed in after the end, or held when the process ended.
    pub lost: u64,
    /// Checkpoints that a sink has not taken yet.
    pub unpublished: u64,
    /// Whether the last write failed.
    pub failing: bool,
}

/// The audit log in `audit.db` of one folder. Dropping it closes it too, and blocks for that; [`Self::close`] is better.
pub struct AuditLogFile {
    // Empty while and after it is closed: whoever comes then is refused, never put into a queue that nobody reads.
    queue: RwLock<Option<Sender<Message>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
    reader: Arc<Mutex<Connection>>,
    counters: Arc<Counters>,
    arguments_key: hmac::Key,
    service: String,
    public_key: PublicKey,
    origin: String,
    pub(crate) payloads: Option<Payloads>,
}

impl AuditLogFile {
    /// Opens the log of a folder, makes it where there is none, closes what the last process left open (T25), and writes
    /// `audit.opened` (after a crash also `audit.recovered`). Blocks for a few file operations.
    pub fn open(options: AuditOptions, keys: &AuditKeys, clock: SharedClock) -> Result<(Self, Opened), AuditFault> {
        let lock = lock(&options.folder.join(LOCK))?;
        let path = options.folder.join(DATABASE);
        private_file(&path)?;
        let pair = keys.pair()?;
        let bare = PublicKey::of(&pair);
        let now = clock.now();

        let mut connection = file::open_for_writing(&path, options.busy)?;
        let fresh = format!("interlock.audit/{}", uuid::Uuid::new_v4().simple());
        file::lay_tables(&mut connection, &fresh, &bare.to_string(), &now.to_string())?;
        let (origin, made_with) = file::identity(&connection)?;
        if made_with != bare.to_string() {
            return Err(AuditFault::Key("this audit log was made with another checkpoint key"));
        }
        let beside = options.folder.join(CHECKPOINTS);
        let missing = recovery::missing_notes(&connection, &beside, &origin, &bare)?;
        let (edge, checkpointed) = recovery::edge(&connection, &origin, &bare)?;
        let previous = recovery::previous_end(&connection)?;
        let open = recovery::open_intents(&connection, now)?;
        let last = AuditPosition(edge.size());

        let public_key = bare.named(&origin);
        let counters = Arc::new(Counters::default());
        let mut sinks: Vec<Box<dyn CheckpointSink>> = vec![Box::new(CheckpointFile::new(&beside))];
        sinks.extend(options.sinks);
        let thread_fault = |source| AuditFault::io(&path, source);
        let publisher =
            Publisher::start(sinks, public_key.to_string(), counters.unpublished.clone()).map_err(thread_fault)?;
        missing.into_iter().for_each(|note| publisher.publish(note));

        let mut writer = Writer {
            path: path.clone(),
            busy: options.busy,
            connection: Some(connection),
            edge,
            checkpointed,
            checkpoint_every: options.checkpoint_every.clamp(1, CHECKPOINT_EVERY),
            checkpoint_within: options.checkpoint_within,
            uncovered_since: None,
            origin: origin.clone(),
            pair,
            arguments_key: keys.arguments_key(),
            service: options.service.clone(),
            clock,
            counters: counters.clone(),
            publisher,
            held: std::collections::VecDeque::new(),
            _lock: lock,
        };
        let mut own = vec![opened_record(now, &public_key, previous, last)];
        if previous == PreviousEnd::Crashed {
            own.push(recovered_record(now, last, checkpointed, &open));
        }
        let (unknown, outcomes): (Vec<_>, Vec<_>) = open.into_iter().unzip();
        own.extend(outcomes);
        writer.write_own(&own)?;

        let reader = file::open_for_reading(&path)?;
        let (queue, receiver) = channel();
        let thread = std::thread::Builder::new()
            .name("audit-writer".to_owned())
            .spawn(move || writer.run(&receiver))
            .map_err(thread_fault)?;
        let log = Self {
            queue: RwLock::new(Some(queue)),
            writer: Mutex::new(Some(thread)),
            reader: Arc::new(Mutex::new(reader)),
            counters,
            arguments_key: keys.arguments_key(),
            service: options.service,
            public_key,
            origin,
            payloads: options.payloads,
        };
        Ok((log, Opened { previous, last, unknown }))
    }

    /// The log's name and key: what an auditor keeps elsewhere.
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// Counts, for metrics and `doctor`.
    pub fn stats(&self) -> AuditStats {
        let c = &self.counters;
        AuditStats {
            records: c.records.load(Ordering::Relaxed),
            commits: c.commits.load(Ordering::Relaxed),
            checkpoints: c.checkpoints.load(Ordering::Relaxed),
            queued: c.queued.load(Ordering::Relaxed),
            held: c.held.load(Ordering::Relaxed),
            lost: c.lost.load(Ordering::Relaxed),
            unpublished: c.unpublished.load(Ordering::Relaxed),
            failing: c.failing.load(Ordering::Relaxed),
        }
    }

    /// Writes everything that was handed in before, `audit.closed` and a last checkpoint, and ends the writer. On an error
    /// the log stays open and this can be called again.
    pub async fn close(&self) -> Result<(), Error> {
        let queue = self.queue.write().unwrap_or_else(PoisonError::into_inner).take().ok_or(AuditFault::Closed)?;
        let (ack, done) = oneshot::channel();
        let sent = queue.send(Message::Close(ack)).map_err(|_| AuditFault::Closed);
        let closed = match sent {
            Ok(()) => done.await.unwrap_or(Err(AuditFault::Closed)),
            Err(fault) => Err(fault),
        };
        if closed.is_err() {
            *self.queue.write().unwrap_or_else(PoisonError::into_inner) = Some(queue);
        }
        Ok(closed?)
    }

    fn send(&self, message: Message) -> Result<(), AuditFault> {
        let queue = self.queue.read().unwrap_or_else(PoisonError::into_inner);
        queue.as_ref().and_then(|queue| queue.send(message).ok()).ok_or(AuditFault::Closed)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.queue.read().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    fn enqueue(&self, message: Message) -> Result<(), AuditFault> {
        self.counters.queued.fetch_add(1, Ordering::Relaxed);
        self.send(message).inspect_err(|_| {
            self.counters.queued.fetch_sub(1, Ordering::Relaxed);
        })
    }

    fn prepare(&self, entry: &AuditEntry, month: Option<&Month>) -> Result<PreparedRecord, AuditFault> {
        let sealing = month.map(|month| Sealing { origin: &self.origin, month });
        PreparedRecord::new(entry, &self.service, &self.arguments_key, sealing)
    }

    /// Deletes some sealed payloads of months before `month`; returns how many. The chain does not hold them.
    pub(crate) async fn forget(&self, month: &str) -> Result<u64, AuditFault> {
        let (ack, done) = oneshot::channel();
        self.send(Message::Forget(month.to_owned(), ack))?;
        done.await.unwrap_or(Err(AuditFault::Closed))
    }
}

impl Drop for AuditLogFile {
    fn drop(&mut self) {
        *self.queue.get_mut().unwrap_or_else(PoisonError::into_inner) = None;
        let thread = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the writer of the audit log panicked");
        }
    }
}

#[async_trait]
impl AuditLog for AuditLogFile {
    async fn append(&self, entry: AuditEntry) -> Result<AuditPosition, Error> {
        let month = match (&entry.payload, &self.payloads) {
            (Some(_), Some(payloads)) => Some(payloads.at(entry.at).await?),
            _ => None,
        };
        let record = self.prepare(&entry, month.as_deref())?;
        let (ack, done) = oneshot::channel();
        self.enqueue(Message::Append(record, ack))?;
        Ok(done.await.unwrap_or(Err(AuditFault::Closed))?)
    }

    fn append_detached(&self, entry: AuditEntry) {
        let month = self.payloads.as_ref().map(Payloads::current);
        let queued = self.prepare(&entry, month.as_deref()).and_then(|record| self.enqueue(Message::Detached(record)));
        if let Err(error) = queued {
            self.counters.lost.fetch_add(1, Ordering::Relaxed);
            tracing::error!(%error, action = entry.action, request_id = entry.request_id, "an audit record is lost");
        }
    }

    async fn recent(&self, filter: AuditFilter, limit: usize) -> Result<Vec<Json>, Error> {
        let reader = self.reader.clone();
        let found = tokio::task::spawn_blocking(move || {
            let connection = reader.lock().unwrap_or_else(PoisonError::into_inner);
            query::recent(&connection, &filter, limit.min(MAX_RECENT))
        });
        Ok(found.await.map_err(Error::internal)??)
    }

    async fn payload(&self, position: AuditPosition) -> Result<Json, Error> {
        let reader = self.reader.clone();
        let found = tokio::task::spawn_blocking(move || {
            let connection = reader.lock().unwrap_or_else(PoisonError::into_inner);
            payload::stored(&connection, position)
        });
        let stored = found.await.map_err(Error::internal)??.ok_or_else(platform::audit::record_unknown)?;
        match &self.payloads {
            Some(payloads) => payloads.open(&self.origin, &stored).await,
            None => Err(platform::audit::payload_absent()),
        }
    }
}

fn opened_record(now: jiff::Timestamp, key: &PublicKey, previous: PreviousEnd, last: AuditPosition) -> AuditEntry {
    let mut entry = AuditEntry::event(now, "audit.opened", Outcome::Success);
    entry.facts.insert("log".to_owned(), Json::from(key.origin.clone()));
    entry.facts.insert("verifier_key".to_owned(), Json::from(key.to_string()));
    let previous = match previous {
        PreviousEnd::None => "none",
        PreviousEnd::Closed => "closed",
        PreviousEnd::Crashed => "crashed",
    };
    entry.facts.insert("previous".to_owned(), Json::from(previous));
    entry.facts.insert("last_position".to_owned(), Json::from(last.0));
    entry
}

fn recovered_record(
    now: jiff::Timestamp,
    last: AuditPosition,
    checkpointed: u64,
    open: &[(OpenIntent, AuditEntry)],
) -> AuditEntry {
    let mut entry = AuditEntry::event(now, "audit.recovered", Outcome::Success);
    entry.facts.insert("last_position".to_owned(), Json::from(last.0));
    entry.facts.insert("last_checkpoint".to_owned(), Json::from(checkpointed));
    entry.facts.insert("unknown_outcomes".to_owned(), Json::from(open.len()));
    entry
}

// Only the owner reads the log; SQLite gives its other files the same mode.
fn private_file(path: &Path) -> Result<File, AuditFault> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(|e| AuditFault::io(path, e))
}

// A verifier holds the lock for an instant to see whether somebody writes: hence a few attempts.
fn lock(path: &Path) -> Result<File, AuditFault> {
    let file = private_file(path)?;
    let begun = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(e)) => return Err(AuditFault::io(path, e)),
            Err(TryLockError::WouldBlock) if begun.elapsed() > Duration::from_millis(200) => {
                return Err(AuditFault::Locked(path.to_owned()));
            }
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}
