//! What a restore makes of a journal (T24).

use std::path::Path;

use platform::{Error, SharedClock};

use crate::journal::Journal;

/// Parks every open run of a restored journal for good, and says how many. Nobody knows what they did after the backup, so
/// no program drives them again: a cancellation ends such a run where it stands. A file that is not there holds none. Blocks;
/// nothing else may hold the file.
///
/// Errors: those of [`WorkflowEngine::open`](crate::WorkflowEngine::open).
pub fn void_after_restore(path: &Path, clock: &SharedClock) -> Result<u64, Error> {
    if !path.is_file() {
        return Ok(0);
    }
    Ok(Journal::void(path, clock)?)
}
