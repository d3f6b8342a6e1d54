//! `interlock audit`: reads the log beside the process that writes it, running or stopped. Only `retain` writes. Only `open` asks
//! the platform itself.

mod export;
mod filters;
mod open;
mod prove;
mod search;
mod verify;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use platform::Json;
use platform::audit::{AuditFilter, AuditPosition};
use server::offline::audit as offline;
use server::offline::audit::AuditFault;

use crate::command::{Place, read_config};
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
    /// Check every record, hash and signed checkpoint of all logs, and how they follow each other.
    Verify(verify::Verify),
    /// Prove a record, or that a log was only extended, to somebody who does not have the log.
    Prove(prove::Prove),
    /// Check a document of proofs, with nothing but it and a key or an anchor.
    CheckProof(prove::CheckProof),
    /// Find records, newest first. With --json: the page's records and where the next one begins.
    Search(search::Search),
    /// Write records out, oldest first.
    Export(export::Export),
    /// Remove records that are older than `audit.keep_days` from the log of a stopped platform; their proofs are kept. A
    /// running platform does it by itself.
    Retain {
        /// Configuration file of the platform.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
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
            AuditCommand::Verify(verify) => verify.run(terminal).await,
            AuditCommand::Prove(prove) => prove.run(terminal).await,
            AuditCommand::CheckProof(check) => check.run(terminal).await,
            AuditCommand::Search(search) => search.run(terminal).await,
            AuditCommand::Export(export) => export.run(terminal),
            AuditCommand::Retain { config } => {
                let removed = offline::retain(&read_config(&config)?.config).await?;
                let text = match removed.records {
                    0 => "nothing is old enough, or nobody vouches for it so far".to_owned(),
                    records => {
                        format!("{records} records removed, up to position {}; their proofs stand", removed.last)
                    }
                };
                terminal.result(&text, &serde_json::to_value(&removed).map_err(|e| Failure::internal(&e))?)
            }
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
