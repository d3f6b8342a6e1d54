//! The log without the process that writes it: verification, export, the latest records, proofs. All of it only reads,
//! and works beside a running platform too.
//!
//! Where to go next: [`verify_all`] for what is checked, [`Verification`] for what it says, [`proof`] for what can be shown
//! without the log, [`export()`] for the formats.

mod check;
mod evidence;
mod export;
mod folder;
pub(crate) mod leaves;
mod lineage;
mod payloads;
pub mod proof;
pub(crate) mod proving;
mod replica;
mod report;
pub mod search;
mod verify;
pub(crate) mod walk;

use std::path::Path;

use platform::Json;
use platform::audit::AuditFilter;

use crate::error::AuditFault;
use crate::file::{database_at, open_for_reading};

pub use evidence::VerifyOptions;
pub use export::{Format, export};
pub use folder::{LogPlace, logs};
pub use payloads::{PayloadCounts, count_payloads};
pub use replica::verify_replica;
pub use report::{Finding, FindingKind, LogFinding, LogState, Report, Verification};
pub use search::search;
pub use verify::{verify, verify_all};

/// The latest `limit` records that `filter` admits, oldest first. `state` is the log's folder or its database.
pub fn tail(state: &Path, filter: &AuditFilter, limit: usize) -> Result<Vec<Json>, AuditFault> {
    crate::query::recent(&open_for_reading(&database_at(state))?, filter, limit)
}
