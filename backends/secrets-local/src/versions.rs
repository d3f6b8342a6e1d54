//! The rows of secrets and their versions, with the semantics of KV v2.

use jiff::Timestamp;
use platform::error::{Error, ErrorKind};
use platform::secrets::{SecretMetadata, SecretRules, SecretVersion, VersionMetadata};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::json;
use sqlite_file::FileError;

use crate::envelope::{Keyring, Sealed};
use crate::fields;

/// Why an operation did nothing.
#[derive(Debug)]
pub(crate) enum Failure {
    NotFound,
    /// The version stands there and has nothing to show.
    Gone(VersionMetadata),
    VersionMismatch {
        current: i64,
    },
    VersionRequired,
    WrongMasterKey,
    MasterKeyUnchanged,
    RekeyPending,
    Damaged(&'static str),
    Crypto,
    File(FileError),
}

impl From<FileError> for Failure {
    fn from(error: FileError) -> Self {
        Self::File(error)
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::File(error.into())
    }
}

impl Failure {
    /// At start the operator reads what is wrong with the file itself.
    pub(crate) fn at_open(self) -> Error {
        match self {
            Self::File(error) => error.into(),
            other => other.into_error(),
        }
    }

    pub(crate) fn into_error(self) -> Error {
        match self {
            Self::NotFound => Error::new(
                ErrorKind::NotFound,
                "secret_not_found",
                "There is no such secret or version, or it is deleted; list the paths, or undelete the version.",
            ),
            Self::Gone(version) => Self::NotFound.into_error().with_details(json!({
                "version": version.version,
                "created_at": version.created_at.to_string(),
                "deleted_at": version.deleted_at.map(|at| at.to_string()),
                "destroyed": version.destroyed,
            })),
            Self::VersionMismatch { current } => Error::new(
                ErrorKind::Conflict,
                "secret_version_mismatch",
                format!("The secret is at version {current}; read it again and write with that version."),
            ),
            Self::VersionRequired => Error::new(
                ErrorKind::Conflict,
                "secret_version_required",
                "This secret is only written with the version that the write replaces; read it and name its version.",
            ),
            Self::WrongMasterKey => Error::new(
                ErrorKind::Unavailable,
                "master_key_wrong",
                "The secret store was sealed under another master key; configure that key, or restore the matching file.",
            ),
            Self::MasterKeyUnchanged => Error::new(
                ErrorKind::Conflict,
                "master_key_unchanged",
                "The store is sealed under this very key already; make another one with `openssl rand -hex 32`.",
            ),
            Self::RekeyPending => Error::new(
                ErrorKind::Conflict,
                "rekey_pending",
                "Another master key is marked and not in force; finish that change first, by the next start or by the same command.",
            ),
            Self::Damaged(why) => Error::new(
                ErrorKind::Internal,
                "secret_damaged",
                "A secret was changed outside Interlock, or is damaged; the operator must write it again or restore a backup.",
            )
            .with_detail(why),
            Self::Crypto => Error::internal("the cryptographic library refused an operation"),
            Self::File(FileError::Defect(why)) => Error::internal(why),
            Self::File(error) => Error::new(
                ErrorKind::Unavailable,
                "secrets_unavailable",
                "The secret store cannot be used right now; try again, and tell the operator if it stays so.",
            )
            .with_detail(error),
        }
    }
}

/// What becomes of a version.
#[derive(Debug, Clone, Copy)]
pub(crate) enum State {
    Live,
    Deleted,
    Destroyed,
}

/// Paths hold no `|`, so that no two places have the same text.
pub(crate) fn bound_to(path: &str, version: i64, key_id: i64) -> String {
    format!("{path}|{version}|{key_id}")
}

/// A version as it stands in the file.
#[derive(Clone)]
pub(crate) struct SealedVersion {
    version: i64,
    created_at: i64,
    key_id: i64,
    sealed: Sealed,
}

impl SealedVersion {
    /// Opens it, at the path where it stands.
    pub(crate) fn open(self, keys: &Keyring, path: &str) -> Result<SecretVersion, Failure> {
        let Self { version, created_at, key_id, sealed } = self;
        let plaintext = keys.open(key_id, &bound_to(path, version, key_id), sealed)?;
        let data = fields::decode(&plaintext).ok_or(Failure::Damaged("a version's fields cannot be read"))?;
        Ok(SecretVersion { version: number(version)?, data, created_at: time(created_at)? })
    }
}

#[cfg(test)]
impl SealedVersion {
    pub(crate) fn numbered(version: i64) -> Self {
        Self { version, created_at: 0, key_id: 1, sealed: Sealed { nonce: Vec::new(), bytes: Vec::new() } }
    }

    pub(crate) fn version(&self) -> i64 {
        self.version
    }
}

/// The row of a version, or of the current one.
pub(crate) fn row(connection: &Connection, path: &str, version: Option<i64>) -> Result<SealedVersion, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT v.version, v.created_at, v.key_id, v.nonce, v.sealed
         FROM secret s JOIN version v ON v.path = s.path AND v.version = coalesce(?2, s.current_version)
         WHERE s.path = ?1 AND v.deleted_at IS NULL AND v.destroyed = 0",
    )?;
    let row = statement.query_row(params![path, version], |row| {
        let sealed = Sealed { nonce: row.get(3)?, bytes: row.get(4)? };
        Ok(SealedVersion { version: row.get(0)?, created_at: row.get(1)?, key_id: row.get(2)?, sealed })
    });
    match row.optional()? {
        Some(row) => Ok(row),
        None => Err(gone(connection, path, version)?),
    }
}

/// Why a version cannot be read: it is not there, or it was deleted or destroyed.
fn gone(connection: &Connection, path: &str, version: Option<i64>) -> Result<Failure, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT v.version, v.created_at, v.deleted_at, v.destroyed
         FROM secret s JOIN version v ON v.path = s.path AND v.version = coalesce(?2, s.current_version)
         WHERE s.path = ?1",
    )?;
    let row = statement.query_row(params![path, version], version_row).optional()?;
    Ok(row.map(shown).transpose()?.map_or(Failure::NotFound, Failure::Gone))
}

type VersionRow = (i64, i64, Option<i64>, bool);

fn version_row(row: &Row<'_>) -> rusqlite::Result<VersionRow> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
}

fn shown((version, created_at, deleted_at, destroyed): VersionRow) -> Result<VersionMetadata, Failure> {
    Ok(VersionMetadata {
        version: number(version)?,
        created_at: time(created_at)?,
        deleted_at: deleted_at.map(time).transpose()?,
        destroyed,
    })
}

pub(crate) fn put(
    connection: &Connection,
    keys: &Keyring,
    path: &str,
    plaintext: &[u8],
    cas: Option<i64>,
    now: Timestamp,
) -> Result<u64, Failure> {
    let standing: Option<(i64, bool, i64)> = connection
        .prepare_cached("SELECT current_version, cas_required, max_versions FROM secret WHERE path = ?1")?
        .query_row([path], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let current = standing.map_or(0, |(current, ..)| current);
    match cas {
        Some(expected) if expected != current => return Err(Failure::VersionMismatch { current }),
        None if standing.is_some_and(|(_, cas_required, _)| cas_required) => return Err(Failure::VersionRequired),
        _ => {}
    }
    let version = current + 1;
    let (key_id, sealed) = keys.seal(|key_id| bound_to(path, version, key_id), plaintext)?;
    let max_versions: i64 = connection
        .prepare_cached(
            "INSERT INTO secret (path, current_version) VALUES (?1, ?2)
             ON CONFLICT (path) DO UPDATE SET current_version = excluded.current_version RETURNING max_versions",
        )?
        .query_row(params![path, version], |row| row.get(0))?;
    connection
        .prepare_cached(
            "INSERT INTO version (path, version, created_at, key_id, nonce, sealed) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![path, version, now.as_microsecond(), key_id, sealed.nonce, sealed.bytes])?;
    prune(connection, path, version, max_versions)?;
    number(version)
}

fn prune(connection: &Connection, path: &str, current: i64, max_versions: i64) -> Result<(), Failure> {
    connection
        .prepare_cached("DELETE FROM version WHERE path = ?1 AND version <= ?2")?
        .execute(params![path, current.saturating_sub(max_versions)])?;
    Ok(())
}

pub(crate) fn set_rules(connection: &Connection, path: &str, rules: &SecretRules) -> Result<(), Failure> {
    let custom = rules.custom.as_ref().map(serde_json::to_string).transpose();
    let custom = custom.map_err(|_| Failure::Damaged("custom metadata cannot be written as JSON"))?;
    connection
        .execute("INSERT INTO secret (path, current_version) VALUES (?1, 0) ON CONFLICT (path) DO NOTHING", [path])?;
    connection.execute(
        "UPDATE secret SET cas_required = coalesce(?2, cas_required), max_versions = coalesce(?3, max_versions),
             custom = coalesce(?4, custom) WHERE path = ?1",
        params![path, rules.cas_required, rules.max_versions.map(stored), custom],
    )?;
    Ok(())
}

pub(crate) fn metadata(connection: &Connection, path: String) -> Result<SecretMetadata, Failure> {
    let rules = connection
        .prepare_cached("SELECT current_version, cas_required, max_versions, custom FROM secret WHERE path = ?1")?
        .query_row([&path], |row| {
            let custom: String = row.get(3)?;
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, custom))
        })
        .optional()?;
    let (current_version, cas_required, max_versions, custom) = rules.ok_or(Failure::NotFound)?;
    let custom = serde_json::from_str(&custom).map_err(|_| Failure::Damaged("custom metadata cannot be read"))?;
    let mut statement = connection.prepare_cached(
        "SELECT version, created_at, deleted_at, destroyed FROM version WHERE path = ?1 ORDER BY version",
    )?;
    let rows = statement.query_map([&path], version_row)?;
    let versions = rows.map(|row| shown(row?)).collect::<Result<_, _>>()?;
    let (current_version, max_versions) = (number(current_version)?, number(max_versions)?);
    Ok(SecretMetadata { path, current_version, cas_required, max_versions, custom, versions })
}

pub(crate) fn delete_all(connection: &Connection, path: &str) -> Result<(), Failure> {
    let found = connection.execute("DELETE FROM secret WHERE path = ?1", [path])?;
    if found == 0 { Err(Failure::NotFound) } else { Ok(()) }
}

pub(crate) fn list(connection: &Connection, prefix: Option<&str>) -> Result<Vec<String>, Failure> {
    // `0` is the character after `/`: a range that holds exactly the paths below the prefix.
    let (from, to) = match prefix {
        Some(prefix) => (format!("{prefix}/"), format!("{prefix}0")),
        None => (String::new(), "~".to_owned()),
    };
    let mut statement =
        connection.prepare_cached("SELECT path FROM secret WHERE path >= ?1 AND path < ?2 ORDER BY path")?;
    let rows = statement.query_map([from, to], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Deleting what is deleted or destroyed, and destroying what is destroyed, changes nothing; what is destroyed does not
/// come back. One version that is not there undoes the whole change: the caller's savepoint takes the others back.
pub(crate) fn change(
    connection: &Connection,
    path: &str,
    versions: &[i64],
    to: State,
    now: Timestamp,
) -> Result<(), Failure> {
    for version in versions {
        let found = match to {
            State::Deleted => connection.execute(
                "UPDATE version SET deleted_at = coalesce(deleted_at, ?3) WHERE path = ?1 AND version = ?2",
                params![path, version, now.as_microsecond()],
            ),
            State::Live => connection.execute(
                "UPDATE version SET deleted_at = NULL WHERE path = ?1 AND version = ?2 AND destroyed = 0",
                params![path, version],
            ),
            State::Destroyed => connection.execute(
                "UPDATE version SET destroyed = 1, nonce = NULL, sealed = NULL WHERE path = ?1 AND version = ?2",
                params![path, version],
            ),
        }?;
        if found == 0 {
            return Err(Failure::NotFound);
        }
    }
    Ok(())
}

/// As SQLite keeps a number. No version is as high as one that does not fit, so that such a one is simply not found.
pub(crate) fn stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn number(stored: i64) -> Result<u64, Failure> {
    u64::try_from(stored).map_err(|_| Failure::Damaged("a number is negative"))
}

fn time(microseconds: i64) -> Result<Timestamp, Failure> {
    Timestamp::from_microsecond(microseconds).map_err(|_| Failure::Damaged("a time is out of range"))
}
