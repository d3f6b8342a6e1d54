//! Export: the lines as they stand (JSON Lines, the form whose hashes can be checked again) or a table of the usual
//! columns (CSV, RFC 4180). Next: [`crate::record`] for the members.

use std::io::Write;
use std::path::Path;

use jiff::Timestamp;
use platform::Json;
use platform::audit::AuditFilter;
use serde::{Deserialize, Serialize};

use crate::error::AuditFault;
use crate::file::{database_at, open_for_reading};

/// In which form records leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// One canonical line per record, byte for byte as stored.
    JsonLines,
    /// A header and one row per record; cells that a spreadsheet would take for a formula begin with an apostrophe.
    Csv,
}

/// Which records leave.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExportFilter {
    /// By request, caller, position.
    pub records: AuditFilter,
    /// Not before this time.
    pub from: Option<Timestamp>,
    /// Before this time.
    pub until: Option<Timestamp>,
}

const COLUMNS: [(&str, &str); 22] = [
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
    ("effect", "/interlock/decision/effect"),
    ("reasons", "/interlock/decision/reasons"),
    ("arguments_hmac", "/interlock/arguments_hmac"),
    ("duration_ns", "/event/duration"),
];

/// Writes the records that `filter` admits to `out`, oldest first, and returns how many there were. `state` is the log's
/// folder or its database. What is read is one moment of the log, however long the writing takes.
pub fn export(state: &Path, format: Format, filter: &ExportFilter, out: &mut dyn Write) -> Result<u64, AuditFault> {
    let path = database_at(state);
    let connection = open_for_reading(&path)?;
    let gone = |source| AuditFault::Io { path: "the export's destination".into(), source };
    let (issuer, subject) = filter.records.actor.clone().unzip();
    let mut statement = connection.prepare(
        "SELECT seq, line FROM audit WHERE seq > ?1 AND (?2 IS NULL OR request_id = ?2)
         AND (?3 IS NULL OR (issuer = ?3 AND subject = ?4)) ORDER BY seq",
    )?;
    let after = filter.records.after.map_or(0, |after| i64::try_from(after.0).unwrap_or(i64::MAX));
    let mut rows = statement.query((after, &filter.records.request_id, issuer, subject))?;
    if format == Format::Csv {
        write_row(out, COLUMNS.iter().map(|(name, _)| (*name).to_owned())).map_err(gone)?;
    }
    let mut count = 0;
    while let Some(row) = rows.next()? {
        let position = row.get::<_, i64>(0)?.unsigned_abs();
        let line = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
        let record: Json = serde_json::from_str(line)
            .map_err(|e| AuditFault::damaged(position, format!("the record is no JSON: {e}")))?;
        if !within(&record, filter) {
            continue;
        }
        match format {
            Format::JsonLines => out.write_all(line.as_bytes()).and_then(|()| out.write_all(b"\n")),
            Format::Csv => write_row(out, COLUMNS.iter().map(|(_, pointer)| cell(record.pointer(pointer)))),
        }
        .map_err(gone)?;
        count += 1;
    }
    out.flush().map_err(gone)?;
    Ok(count)
}

// A record without a readable time is shown rather than hidden.
fn within(record: &Json, filter: &ExportFilter) -> bool {
    let at: Option<Timestamp> = record.pointer("/@timestamp").and_then(Json::as_str).and_then(|at| at.parse().ok());
    at.is_none_or(|at| filter.from.is_none_or(|from| at >= from) && filter.until.is_none_or(|until| at < until))
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
