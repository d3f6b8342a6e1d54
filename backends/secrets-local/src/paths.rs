//! Paths as the store takes them; what may stand in one is the contract's.

use platform::error::Error;
use platform::secrets::check_path;

pub(crate) fn checked(path: &str) -> Result<String, Error> {
    check_path(path)?;
    Ok(path.to_owned())
}

/// A prefix is nothing, for all paths, or a path with or without a slash at its end.
pub(crate) fn checked_prefix(prefix: &str) -> Result<Option<String>, Error> {
    if prefix.is_empty() {
        return Ok(None);
    }
    checked(prefix.strip_suffix('/').unwrap_or(prefix)).map(Some)
}
