//! `interlock change evidence get`: the signed archive of what was planned, decided and done, written to a file; and
//! `verify`, also as `interlock evidence verify`: the archive checked without a server, never by a key inside it.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, Subcommand};
use serde_json::json;
use server::offline::audit::{VerifyOptions, check_proof};
use server::offline::evidence::public_keys;
use server::offline::evidence::verify::{Checked, JudgeProofs, Judged, Outcome as Checks, Trust, Verification, verify};

use super::{call, text};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::rest::{Connection, Rest};
use crate::terminal::Terminal;

/// Bytes of a part; the tool's most.
const PART: u64 = 262_144;

#[derive(Args)]
pub(crate) struct Evidence {
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
    /// Check an archive without a server, by keys or checkpoints that were kept elsewhere.
    Verify(Verify),
}

#[derive(Args)]
struct Verify {
    /// The archive.
    file: PathBuf,
    #[command(flatten)]
    trust: Reliance,
}

/// What is relied on.
#[derive(Args)]
#[group(required = true, multiple = true)]
struct Reliance {
    /// A public key of the platform that was kept elsewhere, or a file of them; may be given several times.
    #[arg(long = "key", value_name = "KEY")]
    keys: Vec<String>,
    /// Checkpoints of the audit log that were kept elsewhere: a file of notes, a folder of objects, a syslog file; may be given several times.
    #[arg(long = "anchor", value_name = "PATH")]
    anchors: Vec<PathBuf>,
    /// A public key of the audit log that was kept elsewhere, or of its countersigner; may be given several times.
    #[arg(long = "audit-key", value_name = "KEY")]
    audit_keys: Vec<String>,
    /// State folder of a lab, whose own keys are believed: the result says that it is self-attested.
    #[arg(long, value_name = "DIR", conflicts_with = "keys")]
    state: Option<PathBuf>,
}

impl Verify {
    fn run(self, terminal: &Terminal) -> Outcome {
        let mut keys = Vec::new();
        for key in &self.trust.keys {
            keys.extend(public_keys::read(key)?);
        }
        if let Some(state) = &self.trust.state {
            keys.extend(public_keys::beside(state)?);
        }
        let mut log = VerifyOptions { anchors: self.trust.anchors, ..VerifyOptions::default() };
        for key in &self.trust.audit_keys {
            log.key(key).map_err(platform::Error::from)?;
        }
        let judge = |document: &str| match check_proof(document, &log, None) {
            Ok(shown) => Ok(shown.into_iter().map(|s| Judged { holds: s.ok, message: s.message }).collect()),
            Err(fault) => Err(platform::Error::from(fault).message().to_owned()),
        };
        let audit: Option<JudgeProofs<'_>> = if log.relies() { Some(&judge) } else { None };
        let trust = Trust { keys, self_attested: self.trust.state.is_some(), audit };
        let verification = verify(&archive(&self.file)?, &trust);
        let value = serde_json::to_value(&verification).map_err(|e| Failure::internal(&e))?;
        terminal.result(&in_words(&verification), &value)?;
        if verification.ok { Ok(()) } else { Err(Failure::Shown(Exit::Failed)) }
    }
}

/// The file's bytes; of one that is larger than an archive can be, only so many that this shows.
fn archive(file: &Path) -> Outcome<Vec<u8>> {
    let mut bytes = Vec::new();
    let most = u64::try_from(platform::artifacts::MAX_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    let read = std::fs::File::open(file).and_then(|file| file.take(most).read_to_end(&mut bytes));
    match read {
        Ok(_) => Ok(bytes),
        Err(error) => {
            let message = format!("{} cannot be read.", file.display());
            Err(Failure::new(Exit::Usage, "evidence_unreadable", message).with_detail(&error))
        }
    }
}

fn in_words(verification: &Verification) -> String {
    let mut lines: Vec<String> = Vec::new();
    for Checked { check, result, message } in &verification.checks {
        let mark = match result {
            Checks::Passed => "ok",
            Checks::Failed => "FAILED",
            Checks::NotChecked => "not checked",
        };
        lines.push(format!("{check:<11} {mark:<12} {message}"));
    }
    let change = verification.change.as_ref().map_or_else(|| "the archive".to_owned(), ToString::to_string);
    let state = verification.state.map(|state| format!(", {state}")).unwrap_or_default();
    lines.push(match (verification.ok, verification.self_attested) {
        (true, false) => format!("{change}{state}: verified"),
        (true, true) => format!("{change}{state}: verified, self-attested: the key lies in the lab's own folder"),
        (false, _) => format!("{change}{state}: NOT verified"),
    });
    lines.join("\n")
}

impl Evidence {
    pub(crate) async fn run(self, terminal: &Terminal) -> Outcome {
        let (change, output, connection) = match self.command {
            EvidenceCommand::Get { change, output, connection } => (change, output, connection),
            EvidenceCommand::Verify(verify) => return verify.run(terminal),
        };
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

fn write(file: &Path, bytes: &[u8]) -> Outcome {
    let written = std::fs::File::create_new(file).and_then(|mut file| file.write_all(bytes));
    written.map_err(|e| {
        let message = format!("{} cannot be written; a file that is there is not overwritten.", file.display());
        Failure::new(Exit::Usage, "export_unwritable", message).with_detail(&e)
    })
}
