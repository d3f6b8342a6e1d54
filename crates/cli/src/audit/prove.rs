//! `interlock audit prove` and `check-proof`: what can be shown about a log to somebody who does not have it.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::json;
use server::offline::audit::{Before, Which, check_proof, prove_consistency, prove_inclusion};

use super::verify::Trust;
use super::{folder, said};
use crate::command::Place;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::terminal::Terminal;

#[derive(Args)]
pub(super) struct Prove {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// That records are in the tree of a signed checkpoint.
    Inclusion(Inclusion),
    /// That the tree of a later checkpoint only extends that of an earlier one.
    Consistency(Consistency),
}

#[derive(Args)]
struct Inclusion {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    which: Records,
    /// The checkpoint over so many records; without it, the last one.
    #[arg(long, value_name = "RECORDS")]
    size: Option<u64>,
    /// Write the proof here; must not exist.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct Records {
    /// All records of this request.
    #[arg(long, value_name = "ID")]
    request_id: Option<String>,
    /// The record at this position, `log:position` of a log that was set aside.
    #[arg(long, value_name = "POSITION")]
    position: Option<Before>,
}

#[derive(Args)]
struct Consistency {
    #[command(flatten)]
    place: Place,
    /// The last part of a log's name; without it, the current log.
    #[arg(long, value_name = "LOG")]
    log: Option<String>,
    /// Records of the earlier checkpoint.
    #[arg(long, value_name = "RECORDS")]
    from: u64,
    /// Records of the later checkpoint; without it, the last one.
    #[arg(long, value_name = "RECORDS")]
    to: Option<u64>,
    /// Write the proof here; must not exist.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

impl Prove {
    pub(super) async fn run(self, terminal: &Terminal) -> Outcome {
        let (made, out) = match self.what {
            What::Inclusion(inclusion) => {
                let folder = folder(&inclusion.place)?;
                let which = match (inclusion.which.request_id, inclusion.which.position) {
                    (_, Some(position)) => Which::Position(position),
                    (request, None) => Which::Request(request.unwrap_or_default()),
                };
                let size = inclusion.size;
                (super::off_thread(move || prove_inclusion(&folder, &which, size)).await?, inclusion.out)
            }
            What::Consistency(Consistency { place, log, from, to, out }) => {
                let folder = folder(&place)?;
                (super::off_thread(move || prove_consistency(&folder, log.as_deref(), from, to)).await?, out)
            }
        };
        let document = made.map_err(said)?;
        let unwritable = |e: std::io::Error| {
            let message = format!("{} cannot be written; name a file that does not exist.", out.display());
            Failure::new(Exit::Usage, "export_unwritable", message).with_detail(&e)
        };
        let mut file = File::create_new(&out).map_err(unwritable)?;
        let text = serde_json::to_string_pretty(&document).map_err(|e| Failure::internal(&e))?;
        file.write_all(text.as_bytes()).and_then(|()| file.write_all(b"\n")).map_err(unwritable)?;
        let count = document.proofs.len();
        let said = format!("{count} proofs in {}; `interlock audit check-proof` checks them", out.display());
        terminal.result(&said, &json!({"proofs": count, "file": out.display().to_string()}))
    }
}

#[derive(Args)]
pub(super) struct CheckProof {
    /// The document.
    #[arg(value_name = "FILE")]
    proof: PathBuf,
    #[command(flatten)]
    trust: Trust,
    /// The line of the record as it was exported, where the proof has none because the record was removed.
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
}

impl CheckProof {
    pub(super) async fn run(self, terminal: &Terminal) -> Outcome {
        let (document, options) = (read(&self.proof)?, self.trust.options()?);
        let record = self.record.as_deref().map(read).transpose()?;
        let checked =
            super::off_thread(move || check_proof(&document, &options, record.as_deref())).await?.map_err(said)?;
        let ok = checked.iter().all(|shown| shown.ok);
        let line =
            |ok: bool, message: &str| if ok { format!("PROVEN {message}") } else { format!("NOT PROVEN {message}") };
        let lines: Vec<String> = checked.iter().map(|shown| line(shown.ok, &shown.message)).collect();
        terminal.result(&lines.join("\n"), &json!({"ok": ok, "proofs": checked}))?;
        if ok { Ok(()) } else { Err(Failure::Shown(Exit::Failed)) }
    }
}

fn read(path: &Path) -> Outcome<String> {
    std::fs::read_to_string(path).map_err(|e| {
        let message = format!("{} cannot be read.", path.display());
        Failure::new(Exit::Usage, "proof_unreadable", message).with_detail(&e)
    })
}
