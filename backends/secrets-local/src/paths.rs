//! What a path may look like, as the contract in `platform::secrets` says.

use platform::error::{Error, ErrorKind};

/// Longest path, in characters.
const LONGEST: usize = 256;

pub(crate) fn checked(path: &str) -> Result<String, Error> {
    let segment_ok = |segment: &str| {
        !matches!(segment, "" | "." | "..")
            && segment.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
    };
    if path.len() <= LONGEST && path.split('/').all(segment_ok) {
        return Ok(path.to_owned());
    }
    Err(Error::new(
        ErrorKind::InvalidInput,
        "secret_path_invalid",
        "A secret's path has segments of letters, digits, dots, underscores and hyphens between slashes, at most 256 characters in all, and none of them is `.` or `..`.",
    ))
}

/// A prefix is nothing, for all paths, or a path with or without a slash at its end.
pub(crate) fn checked_prefix(prefix: &str) -> Result<Option<String>, Error> {
    if prefix.is_empty() {
        return Ok(None);
    }
    checked(prefix.strip_suffix('/').unwrap_or(prefix)).map(Some)
}
