//! The log of one process: open, append, read the latest, close. Next: [`crate::writer`], which does the writing.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::hmac;
use platform::Json;
use platform::audit::{AuditEntry, AuditFilter, AuditLog, AuditPosition, AuditProofs};
use platform::clock::SharedClock;
use platform::error::Error;
use platform::telemetry::audit_log::{AuditSource, AuditStanding};
use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::anchor::{Anchors, Delivered};
use crate::checkpoint::CheckpointSink;
use crate::error::AuditFault;
use crate::file;
use crate::keys::{AuditKeys, PublicKey};
use crate::offline::proof::Proof;
use crate::offline::proving;
use crate::opening::{self, Begun, Setting};
use crate::payload::{self, Month, Payloads};
use crate::query;
use crate::record::{PreparedRecord, Sealing};
use crate::recovery::Opened;
use crate::registry::Registry;
use crate::replica::Replica;
use crate::rotation;
use crate::spool::SPOOL_BYTES;
use crate::stats::{AuditStats, Counters};
use crate::writer::{CHECKPOINT_EVERY, Message};

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
    /// Where logs are opened and closed and checkpoints are countersigned. Without one a checkpoint has the log's own
    /// signature only.
    pub registry: Option<Registry>,
    /// The database that holds every record too, before its reply; without one, `audit.db` is the only place.
    pub replica: Option<Replica>,
    /// Size of `audit.spool`, which is taken in advance for the records of undo steps.
    pub spool_bytes: u64,
    /// Keys that the folder's log may still have been made with: then it is closed under them and a new one begins.
    pub retired: Vec<AuditKeys>,
    /// What the configured ones among them have taken.
    pub delivered: Option<Arc<Delivered>>,
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
            registry: None,
            replica: None,
            spool_bytes: SPOOL_BYTES,
            retired: Vec::new(),
            delivered: None,
            payloads: None,
        }
    }

    /// Adds the configured anchors.
    #[must_use]
    pub fn anchored(mut self, anchors: Anchors) -> Self {
        self.sinks.extend(anchors.sinks);
        self.delivered = Some(anchors.delivered);
        self
    }
}

/// The audit log in `audit.db` of one folder. Dropping it closes it too, and blocks for that; [`Self::close`] is better.
pub struct AuditLogFile {
    // Empty while and after it is closed: whoever comes then is refused, never put into a queue that nobody reads.
    queue: RwLock<Option<Queue>>,
    writer: Mutex<Option<JoinHandle<()>>>,
    pub(crate) reader: Arc<Mutex<Connection>>,
    counters: Arc<Counters>,
    service: String,
    public_key: Mutex<PublicKey>,
    delivered: Option<Arc<Delivered>>,
    registered: bool,
    pub(crate) payloads: Option<Payloads>,
}

// The way to the writer, with what binds a record to the log that is written then.
struct Queue {
    sender: Sender<Message>,
    arguments_key: hmac::Key,
    origin: String,
}

impl AuditLogFile {
    /// Opens the log of a folder, makes it where there is none, closes what the last process left open (T25), and writes
    /// `audit.opened` (after a crash also `audit.recovered`). Blocks for a few file operations, and with a registry for its
    /// answers: call it on a thread that may block.
    ///
    /// Errors: `audit_locked`, `audit_key_unusable`, `audit_log_damaged`, `audit_rolled_back`, `audit_forked`,
    /// `audit_log_elsewhere`, `audit_unavailable`.
    pub fn open(options: AuditOptions, keys: &AuditKeys, clock: SharedClock) -> Result<(Self, Opened), AuditFault> {
        let counters = Arc::new(Counters::default());
        let registered = options.registry.is_some();
        let setting = Setting {
            folder: options.folder,
            service: options.service,
            checkpoint_every: options.checkpoint_every.clamp(1, CHECKPOINT_EVERY),
            checkpoint_within: options.checkpoint_within,
            busy: options.busy,
            registry: options.registry,
            replica: options.replica,
            spool_bytes: options.spool_bytes,
            clock,
            counters: Arc::clone(&counters),
        };
        let path = setting.database();
        let service = setting.service.clone();
        let Begun { writer, opened } = opening::open(setting, keys, &options.retired, options.sinks)?;
        let public_key = writer.public_key();
        let reader = Arc::new(Mutex::new(file::open_for_reading(&path)?));
        let (queue, receiver) = channel();
        let thread = std::thread::Builder::new()
            .name("audit-writer".to_owned())
            .spawn({
                let reader = Arc::clone(&reader);
                move || writer.run(&receiver, &reader)
            })
            .map_err(|e| AuditFault::io(&path, e))?;
        let log = Self {
            queue: RwLock::new(Some(Queue {
                sender: queue,
                arguments_key: keys.arguments_key(),
                origin: public_key.origin.clone().unwrap_or_default(),
            })),
            writer: Mutex::new(Some(thread)),
            reader,
            counters,
            service,
            public_key: Mutex::new(public_key),
            delivered: options.delivered,
            registered,
            payloads: options.payloads,
        };
        Ok((log, opened))
    }

    /// The log's name and key: what an auditor keeps elsewhere.
    pub fn public_key(&self) -> PublicKey {
        self.public_key.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Counts, for metrics and `doctor`.
    pub fn stats(&self) -> AuditStats {
        let mut stats = self.counters.read();
        stats.unpublished = stats.unpublished.max(self.delivered.as_ref().map_or(0, |delivered| delivered.waiting()));
        stats
    }

    /// Up to which size others vouch for this log: the registry, and every anchor. `None` when there are none.
    pub(crate) fn vouched(&self) -> Option<u64> {
        let origin = self.public_key().origin.unwrap_or_default();
        let anchored = self.delivered.as_ref().and_then(|delivered| delivered.everywhere(&origin));
        let registered = self.registered.then(|| self.counters.read().countersigned);
        [anchored, registered].into_iter().flatten().min()
    }

    /// Closes this log and goes on with a new one under `keys` (T28): its own origin, and a first record that names this
    /// log. Nobody is refused meanwhile. Returns the new log's name and key. On an error the old log goes on, or, when it
    /// was closed already, every call is refused until the next start, which finishes the change.
    pub async fn rotate(&self, keys: &AuditKeys) -> Result<PublicKey, Error> {
        let (ack, done) = oneshot::channel();
        let to = rotation::fresh_origin();
        let before = {
            let mut queue = self.queue.write().unwrap_or_else(PoisonError::into_inner);
            let queue = queue.as_mut().ok_or(AuditFault::Closed)?;
            let message = Message::Rotate { keys: keys.clone(), to: to.clone(), ack };
            queue.sender.send(message).map_err(|_| AuditFault::Closed)?;
            // What is handed in from now on stands in the new log.
            let next = Queue { sender: queue.sender.clone(), arguments_key: keys.arguments_key(), origin: to };
            std::mem::replace(queue, next)
        };
        match done.await.unwrap_or(Err(AuditFault::Closed)) {
            Ok(key) => {
                *self.public_key.lock().unwrap_or_else(PoisonError::into_inner) = key.clone();
                Ok(key)
            }
            Err(fault) => {
                if let Some(queue) = self.queue.write().unwrap_or_else(PoisonError::into_inner).as_mut() {
                    *queue = before;
                }
                Err(fault.into())
            }
        }
    }

    /// Writes everything that was handed in before, `audit.closed` and a last checkpoint, and ends the writer. On an error
    /// the log stays open and this can be called again.
    pub async fn close(&self) -> Result<(), Error> {
        let queue = self.queue.write().unwrap_or_else(PoisonError::into_inner).take().ok_or(AuditFault::Closed)?;
        let (ack, done) = oneshot::channel();
        let sent = queue.sender.send(Message::Close(ack)).map_err(|_| AuditFault::Closed);
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
        queue.as_ref().and_then(|queue| queue.sender.send(message).ok()).ok_or(AuditFault::Closed)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.queue.read().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    // One lock for both: a record that is bound to a log is queued before that log ends.
    fn enqueue(
        &self,
        entry: &AuditEntry,
        month: Option<&Month>,
        message: impl FnOnce(PreparedRecord) -> Message,
    ) -> Result<(), AuditFault> {
        let queue = self.queue.read().unwrap_or_else(PoisonError::into_inner);
        let queue = queue.as_ref().ok_or(AuditFault::Closed)?;
        let sealing = month.map(|month| Sealing { origin: &queue.origin, month });
        let record = PreparedRecord::new(entry, &self.service, &queue.arguments_key, sealing)?;
        self.counters.queued.fetch_add(1, Ordering::Relaxed);
        queue.sender.send(message(record)).map_err(|_| {
            self.counters.queued.fetch_sub(1, Ordering::Relaxed);
            AuditFault::Closed
        })
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

impl AuditSource for AuditLogFile {
    fn standing(&self) -> AuditStanding {
        self.stats().into()
    }
}

#[async_trait]
impl AuditLog for AuditLogFile {
    async fn append(&self, entry: AuditEntry) -> Result<AuditPosition, Error> {
        let month = match (&entry.payload, &self.payloads) {
            (Some(_), Some(payloads)) => Some(payloads.at(entry.at).await?),
            _ => None,
        };
        let (ack, done) = oneshot::channel();
        self.enqueue(&entry, month.as_deref(), |record| Message::Append(record, ack))?;
        Ok(done.await.unwrap_or(Err(AuditFault::Closed))?)
    }

    fn append_detached(&self, entry: AuditEntry) {
        let month = self.payloads.as_ref().map(Payloads::current);
        if let Err(error) = self.enqueue(&entry, month.as_deref(), Message::Detached) {
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
        let origin = self.public_key().origin.unwrap_or_default();
        let reader = self.reader.clone();
        let found = tokio::task::spawn_blocking(move || {
            let connection = reader.lock().unwrap_or_else(PoisonError::into_inner);
            payload::stored(&connection, position)
        });
        let stored = found.await.map_err(Error::internal)??.ok_or_else(platform::audit::record_unknown)?;
        match &self.payloads {
            Some(payloads) => payloads.open(&origin, &stored).await,
            None => Err(platform::audit::payload_absent()),
        }
    }

    async fn prove(&self, positions: &[AuditPosition]) -> Result<Option<AuditProofs>, Error> {
        let origin = self.public_key().origin.unwrap_or_default();
        let (reader, positions) = (self.reader.clone(), positions.to_vec());
        let made = tokio::task::spawn_blocking(move || {
            let path = reader.lock().unwrap_or_else(PoisonError::into_inner).path().map(PathBuf::from);
            // A connection of its own: the leaves of a long log are read for a while.
            let connection = file::open_for_reading(&path.unwrap_or_default())?;
            proving::prove(&connection, &origin, &positions)
        });
        let document = made.await.map_err(Error::internal)??;
        let covered = document.proofs.iter().filter_map(Proof::position).map(AuditPosition).collect();
        Ok(Some(AuditProofs { document: serde_json::to_value(&document).map_err(Error::internal)?, covered }))
    }
}
