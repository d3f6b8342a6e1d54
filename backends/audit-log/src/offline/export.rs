//! Export: the lines as they stand (JSON Lines, the form whose hashes can be checked again) or a table of the usual
//! columns (CSV, RFC 4180). Next: [`crate::record`] for the members.

use std::io::Write;
use std::path::Path;

use platform::Json;
use platform::audit::AuditFilter;
use serde::{Deserialize, Serialize};

use super::folder::logs;
use crate::error::AuditFault;
use crate::query::{self, Order};

/// In which form records leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// One canonical line per record, byte for byte as stored.
    JsonLines,
    /// A header and one row per record; cells that a spreadsheet would take for a formula begin with an apostrophe.
    Csv,
}

const COLUMNS: [(&str, &str); 23] = [
    ("position", "/event/sequence"),
    ("timestamp", "/@timestamp"),
    ("action", "/event/action"),
    ("phase", "/interlock/phase"),
    ("outcome", "/interlock/outcome"),
    ("code", "/event/code"),
    ("request_id", "/http/request/id"),
    ("client_request_id", "/interlock/client_request_id"),
    ("trace_id", "/trace/id"),
    ("source", "/source/ip"),
    ("issuer", "/interlock/issuer"),
    ("subject", "/user/id"),
    ("name", "/user/name"),
    ("client_id", "/interlock/client_id"),
    ("server", "/interlock/server"),
    ("tool", "/interlock/tool"),
    ("risk", "/interlock/risk"),
    ("targets", "/interlock/targets"),
    ("change", "/interlock/change"),
    ("effect", "/interlock/decision/effect"),
    ("reasons", "/interlock/decision/reasons"),
    ("arguments_hmac", "/interlock/arguments_hmac"),
    ("duration_ns", "/event/duration"),
];

/// Writes the records that `filter` admits to `out`, oldest first, log after log, and returns how many there were. `state`
/// is the logs' folder or one database. What is read is one moment of each log, however long the writing takes.
pub fn export(state: &Path, format: Format, filter: &AuditFilter, out: &mut dyn Write) -> Result<u64, AuditFault> {
    let gone = |source| AuditFault::Io { path: "the export's destination".into(), source };
    if format == Format::Csv {
        write_row(out, COLUMNS.iter().map(|(name, _)| (*name).to_owned()).chain(["log".to_owned()])).map_err(gone)?;
    }
    let mut count = 0;
    for log in logs(state)? {
        query::each(&log.open()?, filter, Order::OldestFirst, None, |position, line| {
            match format {
                Format::JsonLines => out.write_all(line.as_bytes()).and_then(|()| out.write_all(b"\n")),
                Format::Csv => {
                    let record = query::parsed(position, line)?;
                    let cells = COLUMNS.iter().map(|(_, pointer)| cell(record.pointer(pointer)));
                    write_row(out, cells.chain([log.short().to_owned()]))
                }
            }
            .map_err(gone)?;
            count += 1;
            Ok(())
        })?;
    }
    out.flush().map_err(gone)?;
    Ok(count)
}

fn cell(value: Option<&Json>) -> String {
    match value {
        None | Some(Json::Null) => String::new(),
        Some(Json::String(text)) => text.clone(),
        Some(Json::Array(items)) => items.iter().map(|item| cell(Some(item))).collect::<Vec<_>>().join(" "),
        Some(other) => other.to_string(),
    }
}

fn write_row(out: &mut dyn Write, cells: impl Iterator<Item = String>) -> std::io::Result<()> {
    let cells: Vec<String> = cells
        .map(|cell| {
            let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
            let cell = if formula { format!("'{cell}") } else { cell };
            if cell.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
        })
        .collect();
    write!(out, "{}\r\n", cells.join(","))
}
