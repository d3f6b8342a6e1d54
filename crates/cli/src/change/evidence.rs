//! `interlock change evidence get`: the signed archive of what was planned, decided and done, written to a file.

use std::io::Write as _;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, Subcommand};
use serde_json::json;

use super::{call, text};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::rest::{Connection, Rest};
use crate::terminal::Terminal;

/// Bytes of a part; the tool's most.
const PART: u64 = 262_144;

#[derive(Args)]
pub(super) struct Evidence {
    #[command(subcommand)]
    command: EvidenceCommand,
}

#[derive(Subcommand)]
enum EvidenceCommand {
    /// Write the evidence of a change that has ended to a file.
    Get {
        /// Id of the change.
        change: String,
        /// File; `<change>.tar` in this folder when left out. One that is there is not overwritten.
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
        #[command(flatten)]
        connection: Connection,
    },
}

impl Evidence {
    pub(super) async fn run(self, terminal: &Terminal) -> Outcome {
        let EvidenceCommand::Get { change, output, connection } = self.command;
        let rest = connection.open(terminal).await?;
        let evidence = call(&rest, "get_evidence", &json!({ "change_id": change })).await?;
        let file = output.unwrap_or_else(|| format!("{}.tar", text(&evidence["change_id"])).into());
        let bytes = read(&rest, &text(&evidence["artifact"]["id"])).await?;
        write(&file, &bytes)?;
        let says = format!("{} bytes of evidence are in {}", bytes.len(), file.display());
        terminal.result(&says, &json!({"change_id": evidence["change_id"], "file": file, "bytes": bytes.len(), "artifact": evidence["artifact"]}))
    }
}

/// An artifact, part by part.
async fn read(rest: &Rest, id: &str) -> Outcome<Vec<u8>> {
    let (mut all, mut offset) = (Vec::new(), 0);
    loop {
        let part = call(rest, "get_artifact", &json!({"artifact_id": id, "offset": offset, "limit": PART})).await?;
        let content = part["content"].as_str().unwrap_or_default();
        match part["encoding"].as_str() {
            Some("base64") => all.extend(STANDARD.decode(content).map_err(|e| Failure::internal(&e))?),
            _ => all.extend_from_slice(content.as_bytes()),
        }
        match part["next_offset"].as_u64() {
            Some(next) if next > offset => offset = next,
            _ => return Ok(all),
        }
    }
}

fn write(file: &std::path::Path, bytes: &[u8]) -> Outcome {
    let written = std::fs::File::create_new(file).and_then(|mut file| file.write_all(bytes));
    written.map_err(|e| {
        let message = format!("{} cannot be written; a file that is there is not overwritten.", file.display());
        Failure::new(Exit::Usage, "export_unwritable", message).with_detail(&e)
    })
}
