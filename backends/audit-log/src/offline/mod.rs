//! The log without the process that writes it: verification, export, the latest records, proofs. All of it only reads,
//! and works beside a running platform too.
//!
//! Where to go next: [`verify()`] for what is checked, [`Report`] for what it says, [`export()`] for the formats.

mod export;
mod folder;
mod payloads;
mod report;
pub mod search;
mod verify;

use std::path::Path;

use platform::Json;
use platform::audit::{AuditFilter, AuditPosition};
use rusqlite::Connection;

use crate::error::AuditFault;
use crate::file::{database_at, open_for_reading};
use crate::tree::{self, Hash, leaf_hash};

pub use export::{Format, export};
pub use folder::{LogPlace, logs};
pub use payloads::{PayloadCounts, count_payloads};
pub use report::{Finding, FindingKind, LogState, Report};
pub use search::search;
pub use verify::{VerifyOptions, verify};

/// The latest `limit` records that `filter` admits, oldest first. `state` is the log's folder or its database.
pub fn tail(state: &Path, filter: &AuditFilter, limit: usize) -> Result<Vec<Json>, AuditFault> {
    crate::query::recent(&open_for_reading(&database_at(state))?, filter, limit)
}

/// The leaf of a record and the audit path that shows it in the tree of the first `size` records. `None` when there is
/// no such record or tree.
pub fn prove_inclusion(
    state: &Path,
    position: AuditPosition,
    size: u64,
) -> Result<Option<(Hash, Vec<Hash>)>, AuditFault> {
    let leaves = leaves(&open_for_reading(&database_at(state))?, size)?;
    let index = usize::try_from(position.0).ok().and_then(|position| position.checked_sub(1));
    Ok(index.filter(|_| leaves.len() as u64 == size).and_then(|index| {
        let path = tree::inclusion_proof(&leaves, index)?;
        Some((*leaves.get(index)?, path))
    }))
}

/// The proof that the tree of the first `old` records is a prefix of the tree of the first `new`. `None` when there are
/// no such trees.
pub fn prove_consistency(state: &Path, old: u64, new: u64) -> Result<Option<Vec<Hash>>, AuditFault> {
    let leaves = leaves(&open_for_reading(&database_at(state))?, new)?;
    let old = usize::try_from(old).ok().filter(|_| leaves.len() as u64 == new);
    Ok(old.and_then(|old| tree::consistency_proof(&leaves, old)))
}

fn leaves(connection: &Connection, size: u64) -> Result<Vec<Hash>, AuditFault> {
    let mut statement = connection.prepare("SELECT line FROM audit WHERE seq <= ? ORDER BY seq")?;
    let mut rows = statement.query([i64::try_from(size).unwrap_or(i64::MAX)])?;
    let mut leaves = Vec::new();
    while let Some(row) = rows.next()? {
        leaves.push(leaf_hash(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?.as_bytes()));
    }
    Ok(leaves)
}
