//! The keys: derived, wrapped, checked, and used.

use std::collections::BTreeMap;

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use aws_lc_rs::rand;
use jiff::Timestamp;
use platform::secret::SecretKey;
use rusqlite::{Connection, OptionalExtension, params};
use zeroize::{Zeroize, Zeroizing};

use crate::fields::TAG;
use crate::versions::Failure;

/// Separates this key from any other that may one day be derived from the same master key.
const KEK_PURPOSE: &[u8] = b"interlock secrets: key-encryption key, 1";
const CHECK_BOUND_TO: &str = "interlock secrets: check value, 1";

/// Sealed bytes and the nonce they were sealed under.
pub(crate) struct Sealed {
    pub(crate) nonce: Vec<u8>,
    pub(crate) bytes: Vec<u8>,
}

/// The opened data keys. The newest one seals.
pub(crate) struct Keyring {
    keys: BTreeMap<i64, RandomizedNonceKey>,
}

impl Keyring {
    /// Seals with the newest key; `bound_to` gets its id.
    pub(crate) fn seal(&self, bound_to: impl Fn(i64) -> String, plaintext: &[u8]) -> Result<(i64, Sealed), Failure> {
        let (id, key) = self.keys.last_key_value().ok_or(Failure::Damaged("the keyring is empty"))?;
        Ok((*id, seal(key, &bound_to(*id), plaintext)?))
    }

    /// Opens what was sealed under key `id`.
    pub(crate) fn open(&self, id: i64, bound_to: &str, sealed: Sealed) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let key = self.keys.get(&id).ok_or(Failure::Damaged("a version names a key that is not in the keyring"))?;
        open(key, bound_to, sealed).map_err(|Unspecified| Failure::Damaged("a version does not open where it stands"))
    }
}

/// Opens the header and the keyring, or makes them in an empty file.
pub(crate) fn open_or_create(connection: &Connection, master: &SecretKey, now: Timestamp) -> Result<Keyring, Failure> {
    let header = connection
        .query_row("SELECT salt, check_nonce, check_value FROM header", [], |row| {
            let salt: Vec<u8> = row.get(0)?;
            Ok((salt, Sealed { nonce: row.get(1)?, bytes: row.get(2)? }))
        })
        .optional()?;
    let Some((salt, check)) = header else { return create(connection, master, now) };
    let kek = derive(master, &salt)?;
    open(&kek, CHECK_BOUND_TO, check).map_err(|Unspecified| Failure::WrongMasterKey)?;
    let mut statement = connection.prepare("SELECT key_id, nonce, wrapped FROM keyring")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, Sealed { nonce: row.get(1)?, bytes: row.get(2)? })))?;
    let mut keys = BTreeMap::new();
    for row in rows {
        let (id, wrapped) = row?;
        let bytes = open(&kek, &wrap_bound_to(id), wrapped)
            .map_err(|Unspecified| Failure::Damaged("a data key does not open under the master key"))?;
        keys.insert(id, RandomizedNonceKey::new(&AES_256_GCM, &bytes).map_err(crypto)?);
    }
    if keys.is_empty() {
        return Err(Failure::Damaged("the keyring is empty"));
    }
    Ok(Keyring { keys })
}

fn create(connection: &Connection, master: &SecretKey, now: Timestamp) -> Result<Keyring, Failure> {
    // A file that has lost its header must not get a new one: its secrets would be gone behind a clean face.
    let rows = "SELECT (SELECT count(*) FROM keyring) + (SELECT count(*) FROM version)";
    let rows: i64 = connection.query_row(rows, [], |row| row.get(0))?;
    if rows != 0 {
        return Err(Failure::Damaged("the header is missing"));
    }
    let mut salt = [0; 32];
    rand::fill(&mut salt).map_err(crypto)?;
    let kek = derive(master, &salt)?;
    let check = seal(&kek, CHECK_BOUND_TO, b"open")?;
    let header = "INSERT INTO header (one, salt, check_nonce, check_value) VALUES (1, ?1, ?2, ?3)";
    connection.execute(header, params![salt.as_slice(), check.nonce, check.bytes])?;
    let mut bytes = Zeroizing::new([0; 32]);
    rand::fill(bytes.as_mut_slice()).map_err(crypto)?;
    let wrapped = seal(&kek, &wrap_bound_to(1), bytes.as_slice())?;
    let key = "INSERT INTO keyring (key_id, created_at, nonce, wrapped) VALUES (1, ?1, ?2, ?3)";
    connection.execute(key, params![now.as_microsecond(), wrapped.nonce, wrapped.bytes])?;
    let key = RandomizedNonceKey::new(&AES_256_GCM, bytes.as_slice()).map_err(crypto)?;
    Ok(Keyring { keys: [(1, key)].into() })
}

fn wrap_bound_to(key_id: i64) -> String {
    format!("interlock secrets: data key {key_id}, 1")
}

fn derive(master: &SecretKey, salt: &[u8]) -> Result<RandomizedNonceKey, Failure> {
    let secret = Salt::new(HKDF_SHA256, salt).extract(master.expose());
    let purpose = [KEK_PURPOSE];
    let expanded = secret.expand(&purpose, &AES_256_GCM).map_err(crypto)?;
    let mut bytes = Zeroizing::new([0; 32]);
    expanded.fill(bytes.as_mut_slice()).map_err(crypto)?;
    RandomizedNonceKey::new(&AES_256_GCM, bytes.as_slice()).map_err(crypto)
}

fn seal(key: &RandomizedNonceKey, bound_to: &str, plaintext: &[u8]) -> Result<Sealed, Failure> {
    // Sealing happens in place, so only a failure leaves plaintext here; the capacity keeps it from being copied.
    let mut bytes = Zeroizing::new(Vec::with_capacity(plaintext.len() + TAG));
    bytes.extend_from_slice(plaintext);
    let nonce = key.seal_in_place_append_tag(Aad::from(bound_to.as_bytes()), &mut *bytes).map_err(crypto)?;
    Ok(Sealed { nonce: nonce.as_ref().to_vec(), bytes: std::mem::take(&mut *bytes) })
}

fn open(key: &RandomizedNonceKey, bound_to: &str, sealed: Sealed) -> Result<Zeroizing<Vec<u8>>, Unspecified> {
    let nonce = Nonce::try_assume_unique_for_key(&sealed.nonce)?;
    let mut bytes = Zeroizing::new(sealed.bytes);
    let length = key.open_in_place(nonce, Aad::from(bound_to.as_bytes()), &mut bytes)?.len();
    bytes[length..].zeroize();
    bytes.truncate(length);
    Ok(bytes)
}

fn crypto(_: Unspecified) -> Failure {
    Failure::Crypto
}
