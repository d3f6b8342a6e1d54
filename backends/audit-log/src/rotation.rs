//! Several logs in one folder: the closed one moves below it, under the digits of its origin, and a new one with its own
//! origin and keys begins in its place. A process that dies in between leaves `audit.rotating`, and the next one finishes.
//! Next: [`crate::opening`], which begins the new log.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use platform::Json;
use platform::audit::{AuditEntry, Outcome, Phase};
use rusqlite::{Connection, OptionalExtension};
use serde::{Deserialize, Serialize};

use crate::checkpoint::SignedCheckpoint;
use crate::error::AuditFault;
use crate::file::{self, CHECKPOINTS, DATABASE, open_for_reading};
use crate::recovery::{self, OpenIntent};
use crate::registry::Predecessor;

/// Says that a log is being followed, until that is done.
const ROTATING: &str = "audit.rotating";
/// Why a log was followed when its keys changed.
pub(crate) const KEYS_ROTATED: &str = "keys_rotated";
const PREFIX: &str = "interlock.audit/";

/// A change from one log to the next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Change {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) reason: String,
    /// After a fork: the old log's last countersigned tree. Its files may hold more or less.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) forked: Option<Predecessor>,
}

/// What a new log begins with.
#[derive(Debug, Default)]
pub(crate) struct Beginning {
    pub(crate) origin: String,
    pub(crate) predecessor: Option<Predecessor>,
    /// Records after `audit.opened`: what the old log left open.
    pub(crate) first: Vec<AuditEntry>,
    /// The writes among them whose outcome nobody knows.
    pub(crate) unknown: Vec<OpenIntent>,
}

/// A name for a new log.
pub(crate) fn fresh_origin() -> String {
    format!("{PREFIX}{}", uuid::Uuid::new_v4().simple())
}

/// Where a closed log of this origin stands. One that was put back and left again stands beside its first copy.
pub(crate) fn archive_of(folder: &Path, origin: &str) -> PathBuf {
    let mut last = archive_name(folder, origin, 1);
    let mut copy = 2;
    while archive_name(folder, origin, copy).join(DATABASE).exists() {
        last = archive_name(folder, origin, copy);
        copy += 1;
    }
    last
}

fn archive_name(folder: &Path, origin: &str, copy: u32) -> PathBuf {
    let digits = origin.strip_prefix(PREFIX).unwrap_or("other");
    folder.join(if copy == 1 { digits.to_owned() } else { format!("{digits}-{copy}") })
}

/// Writes down durably that a log is about to be followed.
pub(crate) fn announce(folder: &Path, change: &Change) -> Result<(), AuditFault> {
    let path = folder.join(ROTATING);
    let write = || {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        file.write_all(serde_json::to_string(change)?.as_bytes())?;
        file.sync_all()?;
        sync_folder(folder)
    };
    write().map_err(|e| AuditFault::io(&path, e))
}

/// Takes that back, or says that it is done.
pub(crate) fn conclude(folder: &Path) -> Result<(), AuditFault> {
    let path = folder.join(ROTATING);
    match std::fs::remove_file(&path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(AuditFault::io(&path, e)),
        _ => sync_folder(folder).map_err(|e| AuditFault::io(&path, e)),
    }
}

/// Finishes what a process that died left between two logs. What the new log begins with, when the old one was closed;
/// otherwise the old one simply goes on.
pub(crate) fn unfinished(folder: &Path, now: Timestamp) -> Result<Option<Beginning>, AuditFault> {
    let path = folder.join(ROTATING);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(AuditFault::io(&path, e)),
    };
    // Cut short before anything else was done.
    let Ok(change) = serde_json::from_str::<Change>(&text) else {
        conclude(folder)?;
        return Ok(None);
    };
    let database = folder.join(DATABASE);
    if let Some((origin, _)) = file::identity_at(&database)? {
        let connection = open_for_reading(&database)?;
        if origin != change.from {
            // The new log stands there. Without a record it is made again, with the name that it was to have.
            let records: i64 = connection.query_row("SELECT count(*) FROM audit", [], |row| row.get(0))?;
            if records > 0 {
                conclude(folder)?;
                return Ok(None);
            }
            return Ok(Some(after(folder, &change, now)?));
        }
        if change.forked.is_none() && successor_of(&connection)?.as_deref() != Some(change.to.as_str()) {
            conclude(folder)?;
            return Ok(None);
        }
    }
    archive(folder, &change.from)?;
    Ok(Some(after(folder, &change, now)?))
}

// What follows an archived log that was closed. Its process is gone, so its open writes have no known outcome.
fn after(folder: &Path, change: &Change, now: Timestamp) -> Result<Beginning, AuditFault> {
    let path = archive_of(folder, &change.from).join(DATABASE);
    let predecessor = change.forked.clone();
    if !path.exists() {
        return Ok(Beginning { origin: change.to.clone(), predecessor, ..Beginning::default() });
    }
    let connection = open_for_reading(&path)?;
    let predecessor = match predecessor {
        Some(predecessor) => predecessor,
        None => last_tree(&connection, &change.from, &change.reason)?,
    };
    let (unknown, mut first): (Vec<_>, Vec<_>) = recovery::open_intents(&connection, now)?.into_iter().unzip();
    for entry in &mut first {
        entry.facts.insert("intent_log".to_owned(), Json::from(change.from.clone()));
    }
    Ok(Beginning { origin: change.to.clone(), predecessor: Some(predecessor), first, unknown })
}

/// Leaves a log behind because of a fork: puts what is here of it aside, whole.
pub(crate) fn leave(folder: &Path, change: &Change, now: Timestamp) -> Result<Beginning, AuditFault> {
    announce(folder, change)?;
    archive(folder, &change.from)?;
    after(folder, change, now)
}

/// A new log after one that ends in order while calls are under way: their intents stand at its beginning once more.
pub(crate) fn carried(connection: &Connection, change: &Change, now: Timestamp) -> Result<Beginning, AuditFault> {
    let mut first = Vec::new();
    for (intent, outcome) in recovery::open_intents(connection, now)? {
        let mut entry = outcome;
        entry.phase = Phase::Intent;
        entry.outcome = Outcome::Pending;
        entry.code = None;
        entry.facts.clear();
        let from = serde_json::json!({"log": change.from, "position": intent.position.0});
        entry.facts.insert("carried_from".to_owned(), from);
        first.push(entry);
    }
    Ok(Beginning { origin: change.to.clone(), predecessor: None, first, unknown: Vec::new() })
}

/// The last tree of a closed log, as the next one names it.
pub(crate) fn last_tree(connection: &Connection, origin: &str, reason: &str) -> Result<Predecessor, AuditFault> {
    let note: String =
        connection.query_row("SELECT note FROM checkpoint ORDER BY size DESC LIMIT 1", [], |row| row.get(0))?;
    let last = SignedCheckpoint::parse(&note)
        .ok_or_else(|| AuditFault::damaged(0, "the last checkpoint of the log before this one is unreadable"))?;
    Ok(Predecessor {
        log: origin.to_owned(),
        size: last.checkpoint.size,
        root: hex::encode(last.checkpoint.root),
        chain: hex::encode(last.checkpoint.chain),
        reason: reason.to_owned(),
    })
}

// The log that the last record names, when it says that this one is closed.
fn successor_of(connection: &Connection) -> Result<Option<String>, AuditFault> {
    let found: Option<Option<String>> = connection
        .query_row(
            "SELECT line ->> '$.interlock.successor' FROM audit
             WHERE seq = (SELECT max(seq) FROM audit) AND action = 'audit.closed'",
            [],
            |row| row.get(0),
        )
        .optional()?;
    Ok(found.flatten())
}

/// Moves the files of the log below the folder. Nobody of this process has them open. Can be repeated.
pub(crate) fn archive(folder: &Path, origin: &str) -> Result<(), AuditFault> {
    let here = file::identity_at(&folder.join(DATABASE))?;
    if here.is_none_or(|(here, _)| here != origin) {
        return Ok(());
    }
    let mut copy = 1;
    while archive_name(folder, origin, copy).join(DATABASE).exists() {
        copy += 1;
    }
    let to = archive_name(folder, origin, copy);
    let work = || {
        std::fs::create_dir_all(&to)?;
        // The database last: as long as it is here, this is done again.
        for name in [CHECKPOINTS.to_owned(), format!("{DATABASE}-wal"), format!("{DATABASE}-shm"), DATABASE.to_owned()]
        {
            match std::fs::rename(folder.join(&name), to.join(&name)) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
        }
        sync_folder(&to)?;
        sync_folder(folder)
    };
    work().map_err(|e| AuditFault::io(&to, e))
}

fn sync_folder(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}
