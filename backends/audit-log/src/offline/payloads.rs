//! Sealed payloads of a log, counted and compared with what the records say of them (rule T26). That one is gone is no
//! finding: payloads are destroyed on purpose. That one is another is. Next: [`super::verify()`].

use std::collections::BTreeSet;
use std::path::Path;

use rusqlite::Connection;
use serde::Serialize;

use crate::error::AuditFault;
use crate::file::{database_at, open_for_reading};

/// How many payloads there are and are no more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct PayloadCounts {
    /// As they were written.
    pub present: u64,
    /// Gone: destroyed at the end of their time.
    pub destroyed: u64,
    /// Present, and the key that opens them is not among those that were named; 0 where none were named.
    pub missing_key: u64,
    /// Not as they were written.
    pub changed: u64,
}

/// Counts the payloads of the log in `state` (its folder or its database), given the names of the keys that exist.
pub fn count_payloads(state: &Path, keys: &BTreeSet<String>) -> Result<PayloadCounts, AuditFault> {
    Ok(check(&open_for_reading(&database_at(state))?, Some(keys))?.counts)
}

/// What [`check`] found: the counts, and the position and a sentence of each payload that is not as it was written.
pub(super) struct Checked {
    pub(super) counts: PayloadCounts,
    pub(super) changed: Vec<(u64, String)>,
}

/// Compares every payload with its record. `keys`: names of the keys that exist, where that is known.
pub(super) fn check(connection: &Connection, keys: Option<&BTreeSet<String>>) -> Result<Checked, AuditFault> {
    let mut checked = Checked { counts: PayloadCounts::default(), changed: Vec::new() };
    let there: bool =
        connection.query_row("SELECT count(*) > 0 FROM sqlite_schema WHERE name = 'payload'", [], |row| row.get(0))?;
    if !there {
        return Ok(checked);
    }
    // A damaged line is a finding of its own, and says nothing of a payload.
    let said = "CASE WHEN json_valid(line) THEN line ->> '$.interlock.payload.sha256' END, \
                CASE WHEN json_valid(line) THEN line ->> '$.interlock.payload.key' END";
    let sql = format!(
        "SELECT coalesce(audit.seq, payload.seq), {said}, payload.sealed, payload.key_id \
         FROM audit FULL OUTER JOIN payload ON payload.seq = audit.seq \
         WHERE payload.seq IS NOT NULL OR instr(line, '\"payload\":') > 0 ORDER BY 1"
    );
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let position = row.get::<_, i64>(0)?.unsigned_abs();
        let (digest, key): (Option<String>, Option<String>) = (row.get(1)?, row.get(2)?);
        let (sealed, stands_under): (Option<Vec<u8>>, Option<String>) = (row.get(3)?, row.get(4)?);
        match (digest, sealed) {
            (Some(_), None) => checked.counts.destroyed += 1,
            (Some(digest), Some(sealed)) => {
                if hex::encode(platform::canonical::sha256(&sealed)) != digest || stands_under != key {
                    checked.find(position, "the sealed payload is not the one that the record was written with");
                } else if keys.is_some_and(|keys| key.is_some_and(|key| !keys.contains(&key))) {
                    checked.counts.missing_key += 1;
                } else {
                    checked.counts.present += 1;
                }
            }
            (None, Some(_)) => checked.find(position, "a sealed payload stands where no record has one"),
            (None, None) => {}
        }
    }
    Ok(checked)
}

impl Checked {
    fn find(&mut self, position: u64, message: &str) {
        self.counts.changed += 1;
        self.changed.push((position, message.to_owned()));
    }
}
