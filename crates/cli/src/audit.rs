//! `interlock audit`: reads the log beside the process that writes it, running or stopped; writes nothing.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;
use platform::Json;
use platform::audit::{AuditFilter, AuditPosition};
use serde_json::json;
use server::offline::audit as offline;
use server::offline::audit::{AuditFault, ExportFilter, PublicKey, Report, VerifyOptions};

use crate::command::Place;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::terminal::{Terminal, gone};

#[derive(Args)]
pub(crate) struct Audit {
    #[command(subcommand)]
    command: AuditCommand,
}

#[derive(Subcommand)]
enum AuditCommand {
    /// Show the latest records, oldest first. With --json: JSON lines.
    Tail {
        #[command(flatten)]
        place: Place,
        /// How many.
        #[arg(long, short = 'n', default_value_t = 20)]
        limit: usize,
        /// Only records of this request, by the reply's `x-request-id`.
        #[arg(long, value_name = "ID")]
        request_id: Option<String>,
        /// Go on with new records until stopped.
        #[arg(long, short)]
        follow: bool,
    },
    /// Check every record, hash and signed checkpoint.
    Verify {
        #[command(flatten)]
        place: Place,
        /// The log's public key, kept elsewhere; without it and an anchor the answer is self-attested.
        #[arg(long, value_name = "KEY")]
        public_key: Option<String>,
        /// File of checkpoints kept elsewhere.
        #[arg(long, value_name = "FILE")]
        anchor: Option<PathBuf>,
    },
    /// Write records out, oldest first.
    Export(Export),
}

#[derive(Args)]
struct Export {
    #[command(flatten)]
    place: Place,
    /// Form of the records.
    #[arg(long, value_enum, default_value_t = Form::JsonLines)]
    format: Form,
    /// Not before this time, for example 2026-08-01T00:00:00Z.
    #[arg(long, value_name = "TIME")]
    from: Option<Timestamp>,
    /// Before this time.
    #[arg(long, value_name = "TIME")]
    until: Option<Timestamp>,
    /// Only records of this request.
    #[arg(long, value_name = "ID")]
    request_id: Option<String>,
    /// Write here instead of standard output; must not exist.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Form {
    /// A canonical line per record, byte for byte as stored.
    JsonLines,
    /// A table for a spreadsheet.
    Csv,
}

impl Audit {
    pub(crate) async fn run(self, terminal: &Terminal) -> Outcome {
        match self.command {
            AuditCommand::Tail { place, limit, request_id, follow } => {
                let filter = AuditFilter { request_id, ..AuditFilter::default() };
                tail(terminal, &folder(&place)?, filter, limit, follow).await
            }
            AuditCommand::Verify { place, public_key, anchor } => {
                let public_key = public_key.as_deref().map(PublicKey::parse).transpose().map_err(said)?;
                let options = VerifyOptions { public_key, anchor };
                let folder = folder(&place)?;
                // A long log takes a while: off the threads that serve.
                let report = tokio::task::spawn_blocking(move || offline::verify(&folder, &options)).await;
                verified(terminal, &report.map_err(|e| Failure::internal(&e))?.map_err(said)?)
            }
            AuditCommand::Export(export) => export.run(terminal),
        }
    }
}

fn folder(place: &Place) -> Outcome<PathBuf> {
    Ok(match (place.configuration()?, &place.state) {
        (Some(config), _) => offline::folder_of(&config)?,
        (None, state) => offline::folder_in(state.as_deref().unwrap_or(Path::new(".")))?,
    })
}

fn said(fault: AuditFault) -> Failure {
    platform::Error::from(fault).into()
}

async fn tail(terminal: &Terminal, folder: &Path, mut filter: AuditFilter, limit: usize, follow: bool) -> Outcome {
    let mut limit = limit;
    loop {
        for record in offline::tail(folder, &filter, limit).map_err(said)? {
            let text = if terminal.json { record.to_string() } else { in_words(&record) };
            terminal.line(&text)?;
            filter.after = record.pointer("/event/sequence").and_then(Json::as_u64).map(AuditPosition).or(filter.after);
        }
        if !follow {
            return Ok(());
        }
        limit = 10_000;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// A record in one line: when, who, what, how it ended, under which request.
fn in_words(record: &Json) -> String {
    let text = |pointer: &str| record.pointer(pointer).and_then(Json::as_str);
    let mut words = vec![text("/@timestamp").unwrap_or("-"), text("/user/name").unwrap_or("-")];
    words.push(text("/event/action").unwrap_or("-"));
    let tool = text("/interlock/server").zip(text("/interlock/tool")).map(|(server, tool)| format!("{server}/{tool}"));
    words.extend(tool.as_deref());
    words.extend(text("/interlock/outcome"));
    words.extend(text("/event/code"));
    words.extend(text("/http/request/id"));
    words.join("  ")
}

fn verified(terminal: &Terminal, report: &Report) -> Outcome {
    let value = serde_json::to_value(report).map_err(|e| Failure::internal(&e))?;
    let state = value["state"].as_str().unwrap_or_default();
    let mut lines = vec![
        format!("{}: {}", report.origin, if report.ok { "verified" } else { "NOT as it was written" }),
        format!(
            "  {} records, {} under a signed checkpoint, {} checkpoints, {state}",
            report.records, report.signed_records, report.checkpoints
        ),
    ];
    if !report.open_intents.is_empty() {
        lines.push(format!("  {} writes without an outcome", report.open_intents.len()));
    }
    for finding in &report.findings {
        let at = finding.position.map(|p| format!(" at {p}")).unwrap_or_default();
        let kind = serde_json::to_value(finding.kind).map_err(|e| Failure::internal(&e))?;
        lines.push(format!("  FOUND{at}: {} [{}]", finding.message, kind.as_str().unwrap_or_default()));
    }
    if report.further_findings > 0 {
        lines.push(format!("  and {} more", report.further_findings));
    }
    lines.extend(report.notes.iter().map(|note| format!("  note: {note}")));
    lines.push(format!("  key: {}", report.verifier_key));
    terminal.result(&lines.join("\n"), &value)?;
    if report.ok { Ok(()) } else { Err(Failure::Shown(Exit::Failed)) }
}

impl Export {
    fn run(self, terminal: &Terminal) -> Outcome {
        let folder = folder(&self.place)?;
        let format = match self.format {
            Form::JsonLines => offline::Format::JsonLines,
            Form::Csv => offline::Format::Csv,
        };
        let records = AuditFilter { request_id: self.request_id, ..AuditFilter::default() };
        let filter = ExportFilter { records, from: self.from, until: self.until };
        let Some(out) = self.out else {
            let mut out = Reader { out: BufWriter::new(std::io::stdout().lock()), gone: None };
            let done = offline::export(&folder, format, &filter, &mut out);
            return match out.gone {
                Some(error) => Err(gone(&error)),
                None => done.map(drop).map_err(said),
            };
        };
        let unwritable = |e: std::io::Error| {
            let message = format!("{} cannot be written; name a file that does not exist.", out.display());
            Failure::new(Exit::Usage, "export_unwritable", message).with_detail(&e)
        };
        let mut file = BufWriter::new(File::create_new(&out).map_err(unwritable)?);
        let count = offline::export(&folder, format, &filter, &mut file).map_err(said)?;
        let text = format!("{count} records in {}", out.display());
        terminal.result(&text, &json!({"records": count, "file": out.display().to_string()}))
    }
}

/// Standard output that remembers how it failed: a reader that left is no failure of the log.
struct Reader<W> {
    out: W,
    gone: Option<std::io::Error>,
}

impl<W: Write> Reader<W> {
    fn noted<T>(&mut self, result: std::io::Result<T>) -> std::io::Result<T> {
        if let Err(error) = &result {
            self.gone = Some(error.kind().into());
        }
        result
    }
}

impl<W: Write> Write for Reader<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let result = self.out.write(bytes);
        self.noted(result)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        let result = self.out.flush();
        self.noted(result)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::in_words;

    #[test]
    fn a_record_is_one_line_with_its_request() {
        let record = json!({"@timestamp": "T", "user": {"name": "alice"}, "event": {"action": "tool.call", "code": "denied"},
            "http": {"request": {"id": "r"}}, "interlock": {"server": "s", "tool": "t", "outcome": "refused"}});
        assert_eq!(in_words(&record), "T  alice  tool.call  s/t  refused  denied  r");
        assert_eq!(in_words(&json!({})), "-  -  -");
    }
}
