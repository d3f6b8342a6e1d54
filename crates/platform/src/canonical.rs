//! Canonical JSON (RFC 8785) and the digests taken over it.

use aws_lc_rs::digest;
use serde::Serialize;

use crate::Json;
use crate::error::{Error, Result};

/// Larger integers have no double of their own, and RFC 8785 writes numbers as doubles: 2^53 - 1.
const MAX_INTEGER: u64 = (1 << 53) - 1;

/// RFC 8785 bytes of a value: the same value has the same bytes, whatever the order of its members.
pub fn to_bytes<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    serde_json_canonicalizer::to_vec(value).map_err(Error::internal)
}

/// [`to_bytes`] of a JSON value. Most are plain, and are written as they are.
pub fn json_bytes(value: &Json) -> Result<Vec<u8>> {
    if is_plain(value) { serde_json::to_vec(value).map_err(Error::internal) } else { to_bytes(value) }
}

/// Whether Serde writes a value in its canonical form: every name in it is ASCII and they stand in order, every number is an
/// integer that a double holds exactly. Texts are escaped alike.
pub fn is_plain(value: &Json) -> bool {
    match value {
        Json::Null | Json::Bool(_) | Json::String(_) => true,
        Json::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => is_plain_integer(number),
            (None, Some(number)) => is_plain_integer(number.unsigned_abs()),
            (None, None) => false,
        },
        Json::Array(items) => items.iter().all(is_plain),
        Json::Object(members) => are_plain(members),
    }
}

/// The same for the members of an object.
pub fn are_plain(members: &serde_json::Map<String, Json>) -> bool {
    let mut before = None;
    members.iter().all(|(name, value)| {
        let ordered = before.replace(name).is_none_or(|before| before < name);
        ordered && name.is_ascii() && is_plain(value)
    })
}

/// Whether an integer is written the same as a double.
pub fn is_plain_integer(number: u64) -> bool {
    number <= MAX_INTEGER
}

/// SHA-256.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    out
}

/// SHA-256 of the RFC 8785 bytes, in lower-case hexadecimal.
pub fn digest_hex<T: Serialize>(value: &T) -> Result<String> {
    Ok(hex::encode(sha256(&to_bytes(value)?)))
}

/// [`digest_hex`] of a JSON value.
pub fn json_digest_hex(value: &Json) -> Result<String> {
    Ok(hex::encode(sha256(&json_bytes(value)?)))
}
