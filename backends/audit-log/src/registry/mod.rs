//! The registry of logs in the store of truth (T25): which logs exist, who has them open, and the last checkpoint of each,
//! countersigned. A checkpoint that does not extend the last one is refused here, whoever brings it.
//!
//! Next: [`record`] for what is kept; [`crate::publisher`], which brings the checkpoints.

mod record;

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use platform::clock::SharedClock;
use platform::error::Error;
use platform::store::{Conflict, Expect, Op, Query, Store, TransactError};
use serde::de::DeserializeOwned;

pub use self::record::{
    AUDIT_CHECKPOINTS, AUDIT_LOGS, Fork, KeptNote, LogRecord, Predecessor, RegisteredState, Session, SessionEnd,
};
use crate::bridge::Bridge;
use crate::checkpoint::{SignatureState, SignedCheckpoint};
use crate::cosign::Cosigner;
use crate::error::AuditFault;
use crate::keys::PublicKey;
use crate::tree::{Hash, verify_consistency};

/// How often a process with an open log shows that it lives.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(20);
/// For how long after that a copy of its log elsewhere is refused.
const ALIVE: SignedDuration = SignedDuration::from_secs(60);
/// How often a change is tried again when somebody else changed the record meanwhile.
const ATTEMPTS: usize = 5;

/// The registry. Clones are the same one.
#[derive(Clone)]
pub struct Registry {
    store: Arc<dyn Store>,
    cosigner: Arc<RwLock<Arc<Cosigner>>>,
    clock: SharedClock,
    bridge: Bridge,
}

/// A log as the process that opens it finds it.
#[derive(Debug, Clone)]
pub(crate) struct LocalLog {
    pub(crate) origin: String,
    pub(crate) verifier_key: String,
    pub(crate) size: u64,
    /// Whether its last record says that it was closed.
    pub(crate) closed: bool,
    pub(crate) folder: String,
    pub(crate) file: String,
    pub(crate) predecessor: Option<Predecessor>,
}

/// What the registry says about a log, with the revision that a change must find.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) log: LogRecord,
    revision: u64,
}

impl Registry {
    /// A registry in `store`. Must be called on the runtime that serves the store.
    pub fn new(store: Arc<dyn Store>, cosigner: Cosigner, clock: SharedClock) -> Self {
        Self { store, cosigner: Arc::new(RwLock::new(Arc::new(cosigner))), clock, bridge: Bridge::here() }
    }

    /// The countersigning key in use.
    pub fn cosigner(&self) -> Arc<Cosigner> {
        Arc::clone(&self.cosigner.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Signs with another key from now on (T28). What the old one signed keeps its meaning: notes name their key.
    pub fn use_cosigner(&self, cosigner: Cosigner) {
        *self.cosigner.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(cosigner);
    }

    /// All logs, ordered by origin.
    pub async fn logs(&self) -> Result<Vec<LogRecord>, AuditFault> {
        let mut logs: Vec<LogRecord> = Vec::new();
        loop {
            let after = logs.last().map(|log| log.origin.clone());
            let page = Query {
                collection: AUDIT_LOGS,
                filter: None,
                after: after.as_deref(),
                limit: 1_000,
                descending: false,
            };
            let page = self.store.list(page).await.map_err(AuditFault::Store)?;
            let whole = page.len() == 1_000;
            for found in page {
                logs.push(read(found.body)?);
            }
            if !whole {
                return Ok(logs);
            }
        }
    }

    /// One log.
    pub async fn log(&self, origin: &str) -> Result<Option<LogRecord>, AuditFault> {
        Ok(find(self.store.as_ref(), origin).await?.map(|entry| entry.log))
    }

    pub(crate) fn bridge(&self) -> &Bridge {
        &self.bridge
    }

    pub(crate) async fn find(self, origin: String) -> Result<Option<Entry>, AuditFault> {
        find(self.store.as_ref(), &origin).await
    }

    /// Whether a process may go on with the log that it found. `root_at` tells the signed root of its checkpoint of a size.
    pub(crate) fn judge(
        &self,
        entry: &Entry,
        local: &LocalLog,
        root_at: impl FnOnce(u64) -> Result<Option<Hash>, AuditFault>,
    ) -> Result<(), AuditFault> {
        let log = &entry.log;
        if log.verifier_key != local.verifier_key {
            return Err(AuditFault::forked(&log.origin, "the store knows this log under another key"));
        }
        if local.size < log.size {
            return Err(AuditFault::RolledBack {
                origin: log.origin.clone(),
                here: local.size,
                countersigned: log.size,
            });
        }
        if log.size > 0 && root_at(log.size)?.map(hex::encode).as_deref() != Some(log.root.as_str()) {
            let reason = format!("its first {} records are not those that were countersigned", log.size);
            return Err(AuditFault::forked(&log.origin, reason));
        }
        if let Some(successor) = &log.successor {
            return Err(AuditFault::forked(&log.origin, format!("the log {successor} follows it already")));
        }
        // The lock of the file shows that nobody else has *this* file; a copy of it has no such witness.
        let elsewhere = log.running().filter(|session| session.file != local.file);
        if let Some(session) = elsewhere
            && self.clock.now().duration_since(log.seen_at) < ALIVE
        {
            return Err(AuditFault::Elsewhere {
                origin: log.origin.clone(),
                host: session.host.clone(),
                folder: session.folder.clone(),
            });
        }
        Ok(())
    }

    /// Writes down that this process has the log open, and how the one before it ended. Returns the session's name.
    pub(crate) async fn enter(self, entry: Option<Entry>, local: LocalLog) -> Result<String, AuditFault> {
        let now = self.clock.now();
        let (mut log, expect) = match entry {
            Some(entry) => (entry.log, Expect::Revision(entry.revision)),
            None => (LogRecord::new(&local.origin, &local.verifier_key, now), Expect::Absent),
        };
        if let Some(last) = log.sessions.last_mut().filter(|last| last.end.is_none()) {
            last.end = Some(if local.closed { SessionEnd::Closed } else { SessionEnd::Crashed });
            last.closed_at = Some(now);
            last.closed_size = Some(local.size);
        }
        let instance = uuid::Uuid::new_v4().to_string();
        log.sessions.push(Session {
            instance: instance.clone(),
            host: host(),
            folder: local.folder,
            file: local.file,
            opened_at: now,
            opened_size: local.size,
            closed_at: None,
            closed_size: None,
            end: None,
        });
        let surplus = log.sessions.len().saturating_sub(record::SESSIONS);
        log.sessions.drain(..surplus);
        log.state = RegisteredState::Open;
        log.seen_at = now;
        log.predecessor = log.predecessor.or(local.predecessor);
        let mut ops = vec![put(&log, expect)?];
        // What was left behind by a fork learns what follows it in the same moment.
        if let Some(predecessor) = &log.predecessor
            && let Some(mut before) = find(self.store.as_ref(), &predecessor.log).await?
            && before.log.fork.is_some()
        {
            before.log.successor = Some(log.origin.clone());
            ops.push(put(&before.log, Expect::Revision(before.revision))?);
        }
        if transact(self.store.as_ref(), ops).await? {
            return Ok(instance);
        }
        Err(AuditFault::forked(&log.origin, "another process opened it at the same moment"))
    }

    /// Countersigns a checkpoint, if it extends the last one and this session has the log open. A checkpoint that stands
    /// there already is returned as it stands.
    pub(crate) async fn countersign(
        self,
        origin: String,
        instance: String,
        note: String,
        proof: Vec<Hash>,
    ) -> Result<String, AuditFault> {
        let signed = SignedCheckpoint::parse(&note)
            .filter(|signed| signed.checkpoint.origin == origin)
            .ok_or_else(|| AuditFault::damaged(0, "what was to be countersigned is no checkpoint of this log"))?;
        for _ in 0..ATTEMPTS {
            let entry = self.own(&origin, &instance).await?;
            let mut log = entry.log;
            let new = &signed.checkpoint;
            let (root, chain) = (hex::encode(new.root), hex::encode(new.chain));
            if log.size == new.size && log.root == root && log.chain == chain {
                return Ok(log.note);
            }
            let key = PublicKey::parse(&log.verifier_key)?;
            if signed.judge(&key) != SignatureState::Good {
                return Err(AuditFault::forked(&origin, "a checkpoint is not signed by the key of its log"));
            }
            if !extends(&log, new.size, &new.root, &proof) {
                let reason = format!(
                    "the checkpoint of {} records does not extend the countersigned one of {}",
                    new.size, log.size
                );
                return Err(AuditFault::forked(&origin, reason));
            }
            let (now, cosigner) = (self.clock.now(), self.cosigner());
            let both = cosigner.sign(&note, &signed, now);
            log.countersigner = cosigner.key().to_string();
            (log.size, log.root, log.chain) = (new.size, root, chain);
            log.note.clone_from(&both);
            log.checkpoints += 1;
            log.checkpointed_at = Some(now);
            log.seen_at = now;
            let kept = KeptNote { origin: origin.clone(), size: new.size, at: now, note: both.clone() };
            let ops = vec![put(&log, Expect::Revision(entry.revision))?, keep(&kept)?];
            if transact(self.store.as_ref(), ops).await? {
                return Ok(both);
            }
        }
        Err(AuditFault::Store(busy()))
    }

    /// Shows that the process lives. Error: another one has taken the log.
    pub(crate) async fn touch(self, origin: String, instance: String) -> Result<(), AuditFault> {
        self.change(&origin, &instance, |log, now| log.seen_at = now).await
    }

    /// Closes the session when everything up to its end is countersigned.
    pub(crate) async fn close(
        self,
        origin: String,
        instance: String,
        size: u64,
        successor: Option<String>,
    ) -> Result<(), AuditFault> {
        self.change(&origin, &instance, |log, now| {
            if log.size != size {
                return;
            }
            log.state = RegisteredState::Closed;
            log.seen_at = now;
            log.successor.clone_from(&successor);
            if let Some(last) = log.sessions.last_mut() {
                (last.end, last.closed_at, last.closed_size) = (Some(SessionEnd::Closed), Some(now), Some(size));
            }
        })
        .await
    }

    async fn change(
        &self,
        origin: &str,
        instance: &str,
        edit: impl Fn(&mut LogRecord, Timestamp),
    ) -> Result<(), AuditFault> {
        for _ in 0..ATTEMPTS {
            let mut entry = self.own(origin, instance).await?;
            edit(&mut entry.log, self.clock.now());
            if transact(self.store.as_ref(), vec![put(&entry.log, Expect::Revision(entry.revision))?]).await? {
                return Ok(());
            }
        }
        Err(AuditFault::Store(busy()))
    }

    // The record of a log that this session has open.
    async fn own(&self, origin: &str, instance: &str) -> Result<Entry, AuditFault> {
        let entry = find(self.store.as_ref(), origin)
            .await?
            .ok_or_else(|| AuditFault::forked(origin, "the store does not know it any more"))?;
        if let Some(fork) = &entry.log.fork {
            return Err(AuditFault::forked(origin, format!("it was left behind: {}", fork.reason)));
        }
        if entry.log.running().is_none_or(|session| session.instance != instance) {
            return Err(AuditFault::forked(origin, "another process has it open"));
        }
        Ok(entry)
    }
}

/// Origin and number of records of the log in a folder, as [`record_fork`] wants them; `None` where there is none. Nobody may have it
/// open for writing.
pub fn log_in(folder: &Path) -> Result<Option<(String, u64)>, AuditFault> {
    let path = folder.join(crate::file::DATABASE);
    let Some((origin, _)) = crate::file::identity_at(&path)? else { return Ok(None) };
    let connection = crate::file::open_for_reading(&path)?;
    let size: i64 = connection.query_row("SELECT coalesce(max(seq), 0) FROM audit", [], |row| row.get(0))?;
    Ok(Some((origin, size.unsigned_abs())))
}

/// Leaves a log behind at `at_size` records, because what goes on from here does not continue it: a backup was restored, or
/// its folder is lost. The next start puts its files aside and begins a new log whose first record names this one, its last
/// countersigned tree, and `why`. The platform must be stopped. A log that the store does not know is written down as
/// forked too.
pub async fn record_fork(
    store: &dyn Store,
    now: Timestamp,
    origin: &str,
    at_size: u64,
    why: &str,
) -> Result<(), AuditFault> {
    let (mut log, expect) = match find(store, origin).await? {
        Some(entry) => (entry.log, Expect::Revision(entry.revision)),
        None => (LogRecord::new(origin, "", now), Expect::Absent),
    };
    log.state = RegisteredState::Forked;
    log.fork = Some(Fork { at_size, reason: why.to_owned(), at: now });
    if transact(store, vec![put(&log, expect)?]).await? {
        return Ok(());
    }
    Err(AuditFault::Store(busy()))
}

async fn find(store: &dyn Store, origin: &str) -> Result<Option<Entry>, AuditFault> {
    let found = store.get(AUDIT_LOGS, origin).await.map_err(AuditFault::Store)?;
    found.map(|found| Ok(Entry { log: read(found.body)?, revision: found.revision })).transpose()
}

fn put(log: &LogRecord, expect: Expect) -> Result<Op, AuditFault> {
    let body = serde_json::to_value(log).map_err(|e| AuditFault::Store(Error::internal(e)))?;
    Ok(Op::Put { collection: AUDIT_LOGS, id: log.origin.clone(), expect, body, expires_at: None })
}

fn keep(note: &KeptNote) -> Result<Op, AuditFault> {
    let body = serde_json::to_value(note).map_err(|e| AuditFault::Store(Error::internal(e)))?;
    let id = format!("{}@{}", note.origin, note.at.strftime("%Y-%m-%dT%H"));
    Ok(Op::Put { collection: AUDIT_CHECKPOINTS, id, expect: Expect::Any, body, expires_at: None })
}

// False when a record is not at the expected revision.
async fn transact(store: &dyn Store, ops: Vec<Op>) -> Result<bool, AuditFault> {
    match store.transact(ops).await {
        Ok(_) => Ok(true),
        Err(TransactError::Conflict { conflict: Conflict::Revision { .. }, .. }) => Ok(false),
        Err(error) => Err(AuditFault::Store(error.into())),
    }
}

fn read<T: DeserializeOwned>(body: platform::Json) -> Result<T, AuditFault> {
    serde_json::from_value(body)
        .map_err(|e| AuditFault::Store(Error::internal(format!("a record of the registry of logs is unreadable: {e}"))))
}

fn extends(log: &LogRecord, size: u64, root: &Hash, proof: &[Hash]) -> bool {
    if log.size == 0 {
        return true;
    }
    let mut before = Hash::default();
    hex::decode_to_slice(&log.root, &mut before).is_ok()
        && log.size < size
        && verify_consistency(log.size, &before, size, root, proof)
}

fn busy() -> Error {
    Error::new(
        platform::ErrorKind::Unavailable,
        "audit_unavailable",
        "The registry of audit logs was changed by others at every attempt; try again.",
    )
}

/// Name of this machine.
pub(crate) fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
