//! The audit log of a running or stopped platform, read only (T25).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use platform::clock::SystemClock;
use platform::config::Config;
use platform::{Error, ErrorKind, Result, SharedClock};

pub use audit_log::offline::proof::{Shown, Which, check as check_proof, prove_consistency, prove_inclusion};
pub use audit_log::offline::search::{Before, Page, search};
pub use audit_log::offline::{
    Finding, FindingKind, Format, LogState, Report, Verification, VerifyOptions, export, tail, verify_all,
};
use audit_log::registry::{AUDIT_LOGS, LogRecord};
pub use audit_log::{AuditFault, Removed};

use super::local_file;
use crate::compose::{Stores, open_audit, open_stores};
use platform::lab_state::LabState;

/// The folder of the log that a configuration names.
pub fn folder_of(config: &Config) -> Result<PathBuf> {
    local_file(&config.audit.url, "local", &config.platform.state)
}

/// The logs that the store of a configuration knows. `None` where it cannot be read without a server, or knows none.
pub fn registry_of(config: &Config) -> Result<Option<Vec<LogRecord>>> {
    match config.store.url.starts_with("sqlite:") {
        true => registry(&local_file(&config.store.url, "sqlite", &config.platform.state)?),
        false => Ok(None),
    }
}

/// The same of a lab's folder.
pub fn registry_in(state: &Path) -> Result<Option<Vec<LogRecord>>> {
    registry(&LabState::at(state).store())
}

fn registry(store: &Path) -> Result<Option<Vec<LogRecord>>> {
    let Some(logs) = store_sqlite::peek(store, AUDIT_LOGS)? else { return Ok(None) };
    let logs: Vec<LogRecord> =
        logs.into_iter().map(serde_json::from_value).collect::<std::result::Result<_, _>>().map_err(Error::internal)?;
    Ok(Some(logs).filter(|logs| !logs.is_empty()))
}

/// Removes the records of a stopped platform that are older than `audit.keep_days`, as it does by itself while it runs.
/// Errors: those of opening its stores and its log, `store_in_use` while it runs among them.
pub async fn retain(config: &Config) -> Result<Removed> {
    let clock: SharedClock = Arc::new(SystemClock);
    let master = config.secrets.master_key.read()?.key;
    let Stores { store, database, secrets, .. } = open_stores(config, &master, &clock).await?;
    let (audit, _) = open_audit(config, &store, database, &secrets, &clock).await?;
    let removed = audit.remove_records(config.audit.keep_days, clock.now()).await;
    audit.close().await?;
    removed
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
