//! `interlock audit`: reads the log beside the process that writes it, running or stopped; writes nothing. Only `open` asks
//! the platform itself.

mod export;
mod filters;
mod open;
mod search;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use platform::Json;
use platform::audit::{AuditFilter, AuditPosition};
use server::offline::audit as offline;
use server::offline::audit::{AuditFault, PublicKey, Report, VerifyOptions};

use crate::command::Place;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::terminal::Terminal;

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
    /// Find records, newest first. With --json: the page's records and where the next one begins.
    Search(search::Search),
    /// Write records out, oldest first.
    Export(export::Export),
    /// Open what is sealed beside a record: the arguments of a call and what its decision was made from. For auditors.
    Open(open::Open),
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
                let report = off_thread(move || offline::verify(&folder, &options)).await?.map_err(said)?;
                verified(terminal, &report)
            }
            AuditCommand::Search(search) => search.run(terminal).await,
            AuditCommand::Export(export) => export.run(terminal),
            AuditCommand::Open(open) => open.run(terminal).await,
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

// A long log takes a while: off the threads that serve.
async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Outcome<T> {
    tokio::task::spawn_blocking(work).await.map_err(|e| Failure::internal(&e))
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
    let payloads = &report.payloads;
    if payloads.present + payloads.destroyed + payloads.changed > 0 {
        lines.push(format!("  {} sealed payloads, {} destroyed", payloads.present, payloads.destroyed));
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
