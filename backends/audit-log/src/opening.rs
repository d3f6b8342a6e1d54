//! From a folder to a log that is written: what the last process left is closed (T25), the registry agrees, and the first
//! records of this one stand. Next: [`crate::writer`], which goes on from there; [`crate::rotation`] for several logs.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use platform::Json;
use platform::audit::{AuditEntry, AuditPosition, Outcome};
use platform::clock::SharedClock;
use rusqlite::{Connection, OptionalExtension};

use crate::checkpoint::{CheckpointFile, SignatureState, SignedCheckpoint};
use crate::countersign::Countersigning;
use crate::error::AuditFault;
use crate::file::{self, CHECKPOINTS, DATABASE, LOCK};
use crate::keys::{AuditKeys, PublicKey};
use crate::publisher::{Anchors, Publisher, Publishing};
use crate::recovery::{self, Opened, PreviousEnd};
use crate::registry::{Entry, LocalLog, LogRecord, RegisteredState, Registry};
use crate::replica::{Replica, Shipping};
use crate::rotation::{self, Beginning, Change};
use crate::spool::{SPOOL, Spool};
use crate::stats::Counters;
use crate::tree::Hash;
use crate::writer::Writer;

/// What stays the same from one log of a folder to the next.
#[derive(Clone)]
pub(crate) struct Setting {
    pub(crate) folder: PathBuf,
    pub(crate) service: String,
    pub(crate) checkpoint_every: u64,
    pub(crate) checkpoint_within: Duration,
    pub(crate) busy: Duration,
    pub(crate) registry: Option<Registry>,
    pub(crate) replica: Option<Replica>,
    pub(crate) spool_bytes: u64,
    pub(crate) clock: SharedClock,
    pub(crate) counters: Arc<Counters>,
}

impl Setting {
    pub(crate) fn database(&self) -> PathBuf {
        self.folder.join(DATABASE)
    }
}

/// A log that was opened.
pub(crate) struct Begun {
    pub(crate) writer: Writer,
    pub(crate) opened: Opened,
}

/// Opens the log of the folder. `retired` are keys that it may still have been made with: then it is closed under them, and
/// the next log begins under `keys`.
pub(crate) fn open(
    setting: Setting,
    keys: &AuditKeys,
    retired: &[AuditKeys],
    anchors: Anchors,
) -> Result<Begun, AuditFault> {
    let lock = lock(&setting.folder.join(LOCK))?;
    let now = setting.clock.now();
    let mut beginning = rotation::unfinished(&setting.folder, now)?;
    if beginning.is_none() {
        beginning = after_fork(&setting, now)?;
    }
    let made_with = file::identity_at(&setting.database())?.map(|(_, key)| key);
    let known = |candidate: &&AuditKeys| candidate.public_key().is_ok_and(|key| Some(key.to_string()) == made_with);
    let Some(old) = retired.iter().find(known).filter(|_| beginning.is_none()) else {
        return begin(setting, lock, keys, beginning, anchors);
    };
    let Begun { writer, opened } = begin(setting, lock, old, None, anchors)?;
    let writer = writer.follow(keys, rotation::fresh_origin()).map_err(|(_, fault)| fault)?;
    Ok(Begun { writer, opened })
}

/// Opens the log at the folder's first place, or makes it.
pub(crate) fn begin(
    setting: Setting,
    lock: File,
    keys: &AuditKeys,
    beginning: Option<Beginning>,
    anchors: Anchors,
) -> Result<Begun, AuditFault> {
    let path = setting.database();
    let followed = beginning.is_some();
    if !followed && file::identity_at(&path)?.is_none() {
        nothing_was_lost(&setting)?;
    }
    private_file(&path)?;
    let now = setting.clock.now();
    let pair = keys.pair()?;
    let bare = PublicKey::of(&pair);
    let mut beginning = beginning.unwrap_or_default();
    if beginning.origin.is_empty() {
        beginning.origin = rotation::fresh_origin();
    }

    let mut connection = file::open_for_writing(&path, setting.busy)?;
    file::lay_tables(&mut connection, &beginning.origin, &bare.to_string(), &now.to_string())?;
    let (origin, made_with) = file::identity(&connection)?;
    if made_with != bare.to_string() {
        return Err(AuditFault::Key("this audit log was made with another checkpoint key"));
    }
    let beside = setting.folder.join(CHECKPOINTS);
    let missing = recovery::missing_notes(&connection, &beside, &origin, &bare)?;
    let (edge, checkpointed) = recovery::edge(&connection, &origin, &bare)?;
    let previous = recovery::previous_end(&connection)?;
    let open = recovery::open_intents(&connection, now)?;
    let last = AuditPosition(edge.size());
    let public_key = bare.named(&origin);

    let shipping = match &setting.replica {
        None => None,
        Some(replica) => Some(Shipping::begin(replica.clone(), &connection, &origin, edge.size())?),
    };
    let mut spool = Spool::open(&setting.folder.join(SPOOL), setting.spool_bytes)?;
    drop_written(&connection, &mut spool)?;
    let registered = match &setting.registry {
        None => None,
        Some(registry) => {
            let local = LocalLog {
                origin: origin.clone(),
                verifier_key: public_key.to_string(),
                size: edge.size(),
                closed: previous == PreviousEnd::Closed,
                folder: shown(&setting.folder),
                file: file_identity(&path)?,
                predecessor: beginning.predecessor.clone(),
            };
            Some(register(registry, &connection, &bare, local)?)
        }
    };
    let countersigning = match (&setting.registry, &registered) {
        (Some(registry), Some(registered)) => {
            Some(Countersigning::new(registry.clone(), &path, &origin, registered.instance.clone(), registered.signed)?)
        }
        _ => None,
    };
    let counters = Arc::clone(&setting.counters);
    counters.countersigned.store(registered.as_ref().map_or(0, |registered| registered.signed), Ordering::Relaxed);
    let publisher = Publisher::start(Publishing {
        beside: CheckpointFile::new(&beside),
        missing,
        anchors,
        last_note: registered.and_then(|registered| registered.note),
        countersigning,
        verifier_key: public_key.to_string(),
        counters: Arc::clone(&counters),
    })
    .map_err(|e| AuditFault::io(&path, e))?;

    let mut own = vec![opened_record(now, &setting, &public_key, previous, last, &beginning)];
    if previous == PreviousEnd::Crashed {
        let mut entry = AuditEntry::event(now, "audit.recovered", Outcome::Success);
        entry.facts.insert("last_position".to_owned(), Json::from(last.0));
        entry.facts.insert("last_checkpoint".to_owned(), Json::from(checkpointed));
        entry.facts.insert("unknown_outcomes".to_owned(), Json::from(open.len()));
        own.push(entry);
    }
    let (mut unknown, outcomes): (Vec<_>, Vec<_>) = open.into_iter().unzip();
    own.extend(outcomes);
    own.append(&mut beginning.first);
    unknown.append(&mut beginning.unknown);

    let mut writer = Writer {
        path,
        busy: setting.busy,
        connection: Some(connection),
        edge,
        checkpointed,
        checkpoint_every: setting.checkpoint_every,
        checkpoint_within: setting.checkpoint_within,
        uncovered_since: None,
        origin,
        pair,
        arguments_key: keys.arguments_key(),
        service: setting.service.clone(),
        clock: Arc::clone(&setting.clock),
        counters,
        publisher,
        held: std::collections::VecDeque::new(),
        spool,
        shipping,
        fork_written: false,
        stopped: None,
        setting,
        lock,
    };
    writer.write_own(&own)?;
    writer.ship()?;
    if followed {
        rotation::conclude(&writer.setting.folder)?;
        settle_predecessor(&writer.setting, &writer.origin, beginning.predecessor.as_ref().map(|p| p.log.as_str()));
    }
    Ok(Begun { writer, opened: Opened { previous, last, unknown } })
}

struct Registered {
    instance: String,
    signed: u64,
    note: Option<String>,
}

fn register(
    registry: &Registry,
    connection: &Connection,
    key: &PublicKey,
    local: LocalLog,
) -> Result<Registered, AuditFault> {
    let entry = registry.bridge().wait(registry.clone().find(local.origin.clone()))?;
    if let Some(entry) = &entry {
        registry.judge(entry, &local, |size| signed_root(connection, key, size))?;
    }
    let known = entry.as_ref().map(|entry: &Entry| &entry.log);
    let signed = known.map_or(0, |log: &LogRecord| log.size);
    let note = known.map(|log| log.note.clone()).filter(|note| !note.is_empty());
    let instance = registry.bridge().wait(registry.clone().enter(entry, local))?;
    Ok(Registered { instance, signed, note })
}

// A process that died between writing the spool's records into the log and emptying it has left both.
fn drop_written(connection: &Connection, spool: &mut Spool) -> Result<(), AuditFault> {
    if spool.waiting().is_empty() {
        return Ok(());
    }
    let mut statement = connection.prepare("SELECT line FROM audit WHERE seq > ?")?;
    let mut rows = statement.query([i64::try_from(spool.base()).unwrap_or(i64::MAX)])?;
    while let Some(row) = rows.next()? {
        spool.drop_line(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?);
    }
    Ok(())
}

// The root of the checkpoint of that size, where there is one with the log's signature.
fn signed_root(connection: &Connection, key: &PublicKey, size: u64) -> Result<Option<Hash>, AuditFault> {
    let note: Option<String> = connection
        .query_row("SELECT note FROM checkpoint WHERE size = ?", [size.cast_signed()], |row| row.get(0))
        .optional()?;
    Ok(note
        .and_then(|note| SignedCheckpoint::parse(&note))
        .filter(|signed| signed.checkpoint.size == size && signed.judge(key) == SignatureState::Good)
        .map(|signed| signed.checkpoint.root))
}

// A folder without a log where the store knows that one was written: it was deleted, or the disk is another.
fn nothing_was_lost(setting: &Setting) -> Result<(), AuditFault> {
    let Some(registry) = &setting.registry else { return Ok(()) };
    let known = |log: &LogRecord| log.fork.is_none() && log.successor.is_none() && log.size > 0;
    match written_here(setting, registry)?.into_iter().find(known) {
        None => Ok(()),
        Some(log) => Err(AuditFault::RolledBack { origin: log.origin, here: 0, countersigned: log.size }),
    }
}

// A log that was left behind because of a fork is put aside, whole, and a new one begins. Its files may be gone.
fn after_fork(setting: &Setting, now: Timestamp) -> Result<Option<Beginning>, AuditFault> {
    let Some(registry) = &setting.registry else { return Ok(None) };
    let left = match file::identity_at(&setting.database())? {
        Some((origin, _)) => registry
            .bridge()
            .wait(registry.clone().find(origin))?
            .map(|entry| entry.log)
            .filter(|log| log.fork.is_some()),
        None => written_here(setting, registry)?
            .into_iter()
            .find(|log| log.state == RegisteredState::Forked && log.successor.is_none()),
    };
    let Some(log) = left else { return Ok(None) };
    let change = Change {
        from: log.origin.clone(),
        to: rotation::fresh_origin(),
        reason: String::new(),
        forked: log.as_forked_predecessor(),
    };
    tracing::warn!(interlock.log = log.origin, "the audit log was left behind after a fork; a new one begins");
    Ok(Some(rotation::leave(&setting.folder, &change, now)?))
}

// The logs that the store knows to have been written in this folder last.
fn written_here(setting: &Setting, registry: &Registry) -> Result<Vec<LogRecord>, AuditFault> {
    let (asked, folder, host) = (registry.clone(), shown(&setting.folder), crate::registry::host());
    let mut logs = registry.bridge().wait(async move { asked.logs().await })?;
    logs.retain(|log| log.sessions.last().is_some_and(|last| last.host == host && last.folder == folder));
    Ok(logs)
}

// A log that was followed while the store could not be reached is closed there now.
fn settle_predecessor(setting: &Setting, successor: &str, log: Option<&str>) {
    let (Some(registry), Some(log)) = (&setting.registry, log) else { return };
    let settle = || {
        if let Some(replica) = &setting.replica {
            crate::replica::bring_rest(replica, &rotation::archive_of(&setting.folder, log).join(DATABASE), log)?;
        }
        let entry = registry.bridge().wait(registry.clone().find(log.to_owned()))?;
        let Some(entry) = entry.filter(|entry| entry.log.state == RegisteredState::Open) else { return Ok(()) };
        let Some(session) = entry.log.running() else { return Ok(()) };
        let path = rotation::archive_of(&setting.folder, log).join(DATABASE);
        let mut rest = Countersigning::new(registry.clone(), &path, log, session.instance.clone(), entry.log.size)?;
        while rest.next()?.is_some() {}
        rest.close(Some(successor.to_owned()))
    };
    if let Err(error) = settle() {
        tracing::warn!(%error, interlock.log = log, "the log before this one could not be closed in the store");
    }
}

fn opened_record(
    now: Timestamp,
    setting: &Setting,
    key: &PublicKey,
    previous: PreviousEnd,
    last: AuditPosition,
    beginning: &Beginning,
) -> AuditEntry {
    let mut entry = AuditEntry::event(now, "audit.opened", Outcome::Success);
    let mut put = |name: &str, value: Json| entry.facts.insert(name.to_owned(), value);
    put("log", Json::from(key.origin.clone()));
    put("verifier_key", Json::from(key.to_string()));
    if let Some(registry) = &setting.registry {
        put("countersigner", Json::from(registry.cosigner().key().to_string()));
    }
    let previous = match previous {
        PreviousEnd::None => "none",
        PreviousEnd::Closed => "closed",
        PreviousEnd::Crashed => "crashed",
    };
    put("previous", Json::from(previous));
    put("last_position", Json::from(last.0));
    if let Some(predecessor) = &beginning.predecessor {
        put("predecessor", serde_json::to_value(predecessor).unwrap_or_default());
    }
    entry
}

fn shown(folder: &Path) -> String {
    folder.canonicalize().unwrap_or_else(|_| folder.to_owned()).display().to_string()
}

// A copy of the file has another inode number or time of birth; the same file after a restart has not.
fn file_identity(path: &Path) -> Result<String, AuditFault> {
    let metadata = path.metadata().map_err(|e| AuditFault::io(path, e))?;
    let born = metadata.created().ok().and_then(|born| born.duration_since(std::time::UNIX_EPOCH).ok());
    Ok(format!("{}-{}", metadata.ino(), born.map_or(0, |born| born.as_nanos())))
}

// Only the owner reads the log; SQLite gives its other files the same mode.
pub(crate) fn private_file(path: &Path) -> Result<File, AuditFault> {
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
