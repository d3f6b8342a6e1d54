//! The audit log of a running or stopped platform, read only (T25).

use std::path::{Path, PathBuf};

use platform::config::Config;
use platform::{Error, ErrorKind, Result};

pub use audit_log::offline::search::{Before, Page, search};
pub use audit_log::offline::{FindingKind, Format, LogState, Report, VerifyOptions, export, tail, verify};
pub use audit_log::{AuditFault, PublicKey};

use super::local_file;
use crate::lab_state::LabState;

/// The folder of the log that a configuration names.
pub fn folder_of(config: &Config) -> Result<PathBuf> {
    local_file(&config.audit.url, "local", &config.platform.state)
}

/// The folder of a lab's log, or `state` itself when it is one. Errors: `audit_not_found`.
pub fn folder_in(state: &Path) -> Result<PathBuf> {
    let below = LabState::at(state).audit();
    let holds = |folder: &Path| folder.join("audit.db").is_file();
    [below.as_path(), state].into_iter().find(|folder| holds(folder)).map(Path::to_owned).ok_or_else(|| {
        let message =
            format!("There is no audit log in {}; name a lab's state folder or the log's own.", state.display());
        Error::new(ErrorKind::NotFound, "audit_not_found", message)
    })
}
