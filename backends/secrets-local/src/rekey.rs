//! New keys under a running store: another master key, which rewraps the data keys and nothing else, and another data key,
//! under which everything is sealed again. Each step is one transaction.
//!
//! Another master key takes two: after [`begin`] either key opens the file, after [`finish`] only the new one. Between them
//! the key changes wherever it is kept; a crash there is healed by [`crate::envelope::open_or_create`], which finishes when
//! it is given the new key.

use std::sync::Arc;

use jiff::Timestamp;
use platform::seal;
use platform::secret::SecretKey;
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::envelope::{self, DataKey, Kek, Keyring, Sealed};
use crate::versions::{Failure, bound_to};

/// What is known about the keys of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    /// How many master keys there were, this one included, and since when it is.
    pub(crate) master: (i64, Option<i64>),
    /// Since when another one is marked.
    pub(crate) pending: Option<i64>,
    /// Data keys: id, and when they were made.
    pub(crate) data: Vec<(i64, i64)>,
}

pub(crate) fn standing(connection: &Connection) -> Result<Standing, Failure> {
    let master =
        connection.query_row("SELECT master_version, since FROM header", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let pending = connection.query_row("SELECT since FROM rekey", [], |row| row.get(0)).optional()?;
    let mut statement = connection.prepare("SELECT key_id, created_at FROM keyring ORDER BY key_id")?;
    let data = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<rusqlite::Result<_>>()?;
    Ok(Standing { master, pending, data })
}

/// Wraps every data key under `new` beside its present wrapping. An earlier mark is forgotten.
pub(crate) fn begin(connection: &Connection, keys: &Keyring, new: &SecretKey, now: Timestamp) -> Result<(), Failure> {
    if is_present(connection, new)? {
        return Err(Failure::MasterKeyUnchanged);
    }
    connection.execute("DELETE FROM rekey", [])?;
    connection.execute("DELETE FROM rewrapped", [])?;
    let salt: [u8; 32] = seal::random().map_err(|_| Failure::Crypto)?;
    let kek = envelope::derive(new, &salt)?;
    let check = envelope::check_value(&kek)?;
    connection.execute(
        "INSERT INTO rekey (one, since, salt, check_nonce, check_value) VALUES (1, ?1, ?2, ?3, ?4)",
        params![now.as_microsecond(), salt.as_slice(), check.nonce, check.bytes],
    )?;
    for (id, key) in keys.data() {
        let wrapped = envelope::wrap(&kek, id, key.bytes())?;
        connection.execute(
            "INSERT INTO rewrapped (key_id, nonce, wrapped) VALUES (?1, ?2, ?3)",
            params![id, wrapped.nonce, wrapped.bytes],
        )?;
    }
    Ok(())
}

fn is_present(connection: &Connection, key: &SecretKey) -> Result<bool, Failure> {
    let header = connection.query_row("SELECT salt, check_nonce, check_value FROM header", [], |row| {
        let salt: Vec<u8> = row.get(0)?;
        Ok((salt, Sealed { nonce: row.get(1)?, bytes: row.get(2)? }))
    })?;
    Ok(envelope::opens(&envelope::derive(key, &header.0)?, header.1))
}

/// The key-encryption key of a marked change, if `master` is the new key.
pub(crate) fn marked(connection: &Connection, master: &SecretKey) -> Result<Option<Kek>, Failure> {
    let row = connection
        .query_row("SELECT salt, check_nonce, check_value FROM rekey", [], |row| {
            let salt: Vec<u8> = row.get(0)?;
            Ok((salt, Sealed { nonce: row.get(1)?, bytes: row.get(2)? }))
        })
        .optional()?;
    let Some((salt, check)) = row else { return Ok(None) };
    let kek = envelope::derive(master, &salt)?;
    Ok(envelope::opens(&kek, check).then_some(kek))
}

/// Lets the marked wrapping take the place of the present one; the old master key opens nothing from then on. Returns the
/// keyring under the new key.
pub(crate) fn finish(connection: &Connection, new: &SecretKey, now: Timestamp) -> Result<Keyring, Failure> {
    let Some(kek) = marked(connection, new)? else { return Err(Failure::WrongMasterKey) };
    connection.execute(
        "UPDATE header SET (salt, check_nonce, check_value) = (SELECT salt, check_nonce, check_value FROM rekey),
            master_version = master_version + 1, since = ?1",
        [now.as_microsecond()],
    )?;
    connection.execute(
        "UPDATE keyring SET (nonce, wrapped) =
            (SELECT r.nonce, r.wrapped FROM rewrapped r WHERE r.key_id = keyring.key_id)",
        [],
    )?;
    connection.execute("DELETE FROM rewrapped", [])?;
    connection.execute("DELETE FROM rekey", [])?;
    envelope::read_keyring(connection, kek)
}

/// Makes one more data key, which seals from the moment the returned keyring is used.
pub(crate) fn add_data_key(connection: &Connection, keys: &Keyring, now: Timestamp) -> Result<Keyring, Failure> {
    if standing(connection)?.pending.is_some() {
        return Err(Failure::RekeyPending);
    }
    let id = keys.newest() + 1;
    let key = DataKey::new(seal::random_key().map_err(|_| Failure::Crypto)?)?;
    let wrapped = keys.wrap(id, key.bytes())?;
    connection.execute(
        "INSERT INTO keyring (key_id, created_at, nonce, wrapped) VALUES (?1, ?2, ?3, ?4)",
        params![id, now.as_microsecond(), wrapped.nonce, wrapped.bytes],
    )?;
    Ok(keys.with(id, Arc::new(key)))
}

/// Seals under the newest data key every version that an older one sealed, and destroys the older keys. Returns how many
/// versions there were, and the keyring that is left.
pub(crate) fn reseal(connection: &Connection, keys: &Keyring) -> Result<(u64, Keyring), Failure> {
    if standing(connection)?.pending.is_some() {
        return Err(Failure::RekeyPending);
    }
    let newest = keys.newest();
    let mut resealed = 0;
    let mut rows = connection
        .prepare("SELECT path, version, key_id, nonce, sealed FROM version WHERE key_id <> ?1 AND destroyed = 0")?;
    let mut write = connection
        .prepare("UPDATE version SET key_id = ?3, nonce = ?4, sealed = ?5 WHERE path = ?1 AND version = ?2")?;
    let old = rows.query_map([newest], |row| {
        let place: (String, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok((place, Sealed { nonce: row.get(3)?, bytes: row.get(4)? }))
    })?;
    for row in old.collect::<rusqlite::Result<Vec<_>>>()? {
        let ((path, version, key_id), sealed) = row;
        let plain = keys.open(key_id, &bound_to(&path, version, key_id), sealed)?;
        let (key_id, sealed) = keys.seal(|key_id| bound_to(&path, version, key_id), &plain)?;
        write.execute(params![path, version, key_id, sealed.nonce, sealed.bytes])?;
        resealed += 1;
    }
    // What is destroyed names its old key still, and opens under none.
    connection.execute("UPDATE version SET key_id = ?1 WHERE destroyed = 1", [newest])?;
    connection.execute("DELETE FROM keyring WHERE key_id <> ?1", [newest])?;
    Ok((resealed, keys.only_newest()))
}
