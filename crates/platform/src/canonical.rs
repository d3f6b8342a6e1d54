//! Canonical JSON (RFC 8785) and the digests taken over it.

use aws_lc_rs::digest;
use serde::Serialize;

use crate::error::{Error, Result};

/// RFC 8785 bytes of a value: the same value has the same bytes, whatever the order of its members.
pub fn to_bytes<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    serde_json_canonicalizer::to_vec(value).map_err(Error::internal)
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
