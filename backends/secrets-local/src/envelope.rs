//! The keys: derived, wrapped, checked, and used. Where next: `rekey` for how they change.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use jiff::Timestamp;
use platform::seal;
use platform::secret::SecretKey;
use rusqlite::{Connection, OptionalExtension, params};
use zeroize::{Zeroize, Zeroizing};

use crate::fields::TAG;
use crate::rekey;
use crate::versions::Failure;

/// Separates this key from any other that may one day be derived from the same master key.
const KEK_PURPOSE: &[u8] = b"interlock secrets: key-encryption key, 1";
const CHECK_BOUND_TO: &str = "interlock secrets: check value, 1";

/// Sealed bytes and the nonce they were sealed under.
#[derive(Clone)]
pub(crate) struct Sealed {
    pub(crate) nonce: Vec<u8>,
    pub(crate) bytes: Vec<u8>,
}

/// The key that wraps data keys.
pub(crate) type Kek = RandomizedNonceKey;

/// A data key: ready to seal, and its bytes, to be wrapped under another key.
pub(crate) struct DataKey {
    bytes: SecretKey,
    cipher: RandomizedNonceKey,
}

impl DataKey {
    pub(crate) fn new(bytes: SecretKey) -> Result<Self, Failure> {
        let cipher = cipher(&bytes)?;
        Ok(Self { bytes, cipher })
    }

    pub(crate) fn bytes(&self) -> &SecretKey {
        &self.bytes
    }
}

/// The opened data keys, never none of them, and what wraps them. The newest one seals.
#[derive(Clone)]
pub(crate) struct Keyring {
    kek: Arc<Kek>,
    newest: (i64, Arc<DataKey>),
    older: BTreeMap<i64, Arc<DataKey>>,
}

impl Keyring {
    fn of(kek: Kek, mut keys: BTreeMap<i64, Arc<DataKey>>) -> Result<Self, Failure> {
        let newest = keys.pop_last().ok_or(Failure::Damaged("the keyring is empty"))?;
        Ok(Self { kek: Arc::new(kek), newest, older: keys })
    }

    /// Seals with the newest key; `bound_to` gets its id.
    pub(crate) fn seal(&self, bound_to: impl Fn(i64) -> String, plaintext: &[u8]) -> Result<(i64, Sealed), Failure> {
        let (id, key) = &self.newest;
        Ok((*id, seal(&key.cipher, &bound_to(*id), plaintext)?))
    }

    /// Opens what was sealed under key `id`.
    pub(crate) fn open(&self, id: i64, bound_to: &str, sealed: Sealed) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let key = if id == self.newest.0 { Some(&self.newest.1) } else { self.older.get(&id) };
        let key = key.ok_or(Failure::Damaged("a version names a key that is not in the keyring"))?;
        open(&key.cipher, bound_to, sealed)
            .map_err(|Unspecified| Failure::Damaged("a version does not open where it stands"))
    }

    /// Id of the key that seals.
    pub(crate) fn newest(&self) -> i64 {
        self.newest.0
    }

    /// All data keys.
    pub(crate) fn data(&self) -> impl Iterator<Item = (i64, &DataKey)> {
        let older = self.older.iter().map(|(id, key)| (*id, key.as_ref()));
        older.chain([(self.newest.0, self.newest.1.as_ref())])
    }

    /// Wraps a data key.
    pub(crate) fn wrap(&self, id: i64, key: &SecretKey) -> Result<Sealed, Failure> {
        wrap(&self.kek, id, key)
    }

    /// With one more key, which seals from now on.
    pub(crate) fn with(&self, id: i64, key: Arc<DataKey>) -> Self {
        let mut older = self.older.clone();
        older.insert(self.newest.0, Arc::clone(&self.newest.1));
        Self { kek: Arc::clone(&self.kek), newest: (id, key), older }
    }

    /// Without the keys that seal no more.
    pub(crate) fn only_newest(&self) -> Self {
        Self { kek: Arc::clone(&self.kek), newest: self.newest.clone(), older: BTreeMap::new() }
    }
}

/// Opens the header and the keyring, or makes them in an empty file. A change of the master key that was marked is finished
/// when this is the new key.
pub(crate) fn open_or_create(connection: &Connection, master: &SecretKey, now: Timestamp) -> Result<Keyring, Failure> {
    let header = connection
        .query_row("SELECT salt, check_nonce, check_value FROM header", [], |row| {
            let salt: Vec<u8> = row.get(0)?;
            Ok((salt, Sealed { nonce: row.get(1)?, bytes: row.get(2)? }))
        })
        .optional()?;
    let Some((salt, check)) = header else { return create(connection, master, now) };
    let kek = derive(master, &salt)?;
    match opens(&kek, check) {
        true => read_keyring(connection, kek),
        false => rekey::finish(connection, master, now),
    }
}

/// The data keys as they stand in the file.
pub(crate) fn read_keyring(connection: &Connection, kek: Kek) -> Result<Keyring, Failure> {
    let mut statement = connection.prepare("SELECT key_id, nonce, wrapped FROM keyring")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, Sealed { nonce: row.get(1)?, bytes: row.get(2)? })))?;
    let mut keys = BTreeMap::new();
    for row in rows {
        let (id, wrapped) = row?;
        let damaged = Failure::Damaged("a data key does not open under the master key");
        let opened = open(&kek, &wrap_bound_to(id), wrapped).ok().filter(|bytes| bytes.len() == 32);
        let opened = opened.ok_or(damaged)?;
        let bytes = SecretKey::from_bytes(|bytes| bytes.copy_from_slice(&opened));
        keys.insert(id, Arc::new(DataKey::new(bytes)?));
    }
    Keyring::of(kek, keys)
}

fn create(connection: &Connection, master: &SecretKey, now: Timestamp) -> Result<Keyring, Failure> {
    // A file that has lost its header must not get a new one: its secrets would be gone behind a clean face.
    let rows = "SELECT (SELECT count(*) FROM keyring) + (SELECT count(*) FROM version)";
    let rows: i64 = connection.query_row(rows, [], |row| row.get(0))?;
    if rows != 0 {
        return Err(Failure::Damaged("the header is missing"));
    }
    let salt: [u8; 32] = seal::random().map_err(|_| Failure::Crypto)?;
    let kek = derive(master, &salt)?;
    let check = check_value(&kek)?;
    let header = "INSERT INTO header (one, salt, check_nonce, check_value, since) VALUES (1, ?1, ?2, ?3, ?4)";
    connection.execute(header, params![salt.as_slice(), check.nonce, check.bytes, now.as_microsecond()])?;
    let key = DataKey::new(seal::random_key().map_err(|_| Failure::Crypto)?)?;
    let wrapped = wrap(&kek, 1, key.bytes())?;
    let row = "INSERT INTO keyring (key_id, created_at, nonce, wrapped) VALUES (1, ?1, ?2, ?3)";
    connection.execute(row, params![now.as_microsecond(), wrapped.nonce, wrapped.bytes])?;
    Keyring::of(kek, [(1, Arc::new(key))].into())
}

/// A sealed constant: it opens under the right key only.
pub(crate) fn check_value(kek: &Kek) -> Result<Sealed, Failure> {
    seal(kek, CHECK_BOUND_TO, b"open")
}

/// Whether this key sealed the check value.
pub(crate) fn opens(kek: &Kek, check: Sealed) -> bool {
    open(kek, CHECK_BOUND_TO, check).is_ok()
}

/// Wraps a data key.
pub(crate) fn wrap(kek: &Kek, id: i64, key: &SecretKey) -> Result<Sealed, Failure> {
    seal(kek, &wrap_bound_to(id), key.expose())
}

fn wrap_bound_to(key_id: i64) -> String {
    format!("interlock secrets: data key {key_id}, 1")
}

/// The key that wraps data keys, of a master key and a file's salt.
pub(crate) fn derive(master: &SecretKey, salt: &[u8]) -> Result<Kek, Failure> {
    let secret = Salt::new(HKDF_SHA256, salt).extract(master.expose());
    let purpose = [KEK_PURPOSE];
    let expanded = secret.expand(&purpose, &AES_256_GCM).map_err(crypto)?;
    let mut filled = Ok(());
    let bytes = SecretKey::from_bytes(|bytes| filled = expanded.fill(bytes));
    filled.map_err(crypto)?;
    cipher(&bytes)
}

fn cipher(key: &SecretKey) -> Result<RandomizedNonceKey, Failure> {
    RandomizedNonceKey::new(&AES_256_GCM, key.expose()).map_err(crypto)
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
