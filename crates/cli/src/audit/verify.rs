//! `interlock audit verify`: all logs of a folder, against keys and anchors that were kept elsewhere.

use std::path::PathBuf;

use clap::Args;
use platform::Json;
use serde::Serialize;
use server::offline::audit::{Report, Verification, VerifyOptions, registry_in, registry_of, verify_all};

use super::{folder, said};
use crate::command::Place;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::terminal::Terminal;

/// What a verification relies on.
#[derive(Args)]
pub(super) struct Trust {
    /// A public key that was kept elsewhere, a log's or the countersigner's; may be given several times.
    #[arg(long = "public-key", value_name = "KEY")]
    public_keys: Vec<String>,
    /// Checkpoints that were kept elsewhere: a file of notes, a folder of objects, a syslog file; may be given several times.
    #[arg(long = "anchor", value_name = "PATH")]
    anchors: Vec<PathBuf>,
}

impl Trust {
    pub(super) fn options(self) -> Outcome<VerifyOptions> {
        let mut options = VerifyOptions { anchors: self.anchors, ..VerifyOptions::default() };
        for key in &self.public_keys {
            options.key(key).map_err(said)?;
        }
        Ok(options)
    }
}

#[derive(Args)]
pub(super) struct Verify {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    trust: Trust,
}

impl Verify {
    pub(super) async fn run(self, terminal: &Terminal) -> Outcome {
        let folder = folder(&self.place)?;
        let registry = match (self.place.configuration()?, &self.place.state) {
            (Some(config), _) => registry_of(&config)?,
            (None, Some(state)) => registry_in(state)?,
            (None, None) => None,
        };
        let options = VerifyOptions { registry, ..self.trust.options()? };
        let verification = super::off_thread(move || verify_all(&folder, &options)).await?.map_err(said)?;
        let value = serde_json::to_value(&verification).map_err(|e| Failure::internal(&e))?;
        terminal.result(&in_words(&verification)?, &value)?;
        if verification.ok { Ok(()) } else { Err(Failure::Shown(Exit::Failed)) }
    }
}

fn in_words(verification: &Verification) -> Outcome<String> {
    let mut lines = Vec::new();
    for report in &verification.logs {
        log_in_words(report, &mut lines)?;
    }
    for finding in &verification.findings {
        lines.push(format!("FOUND {}: {} [{}]", finding.log, finding.message, name(&finding.kind)?));
    }
    lines.extend(verification.notes.iter().map(|note| format!("note: {note}")));
    lines.push(match verification.ok {
        true => format!("{} logs, {} records: verified", verification.logs.len(), verification.records),
        false => {
            format!("{} logs, {} records: NOT as they were written", verification.logs.len(), verification.records)
        }
    });
    Ok(lines.join("\n"))
}

fn log_in_words(report: &Report, lines: &mut Vec<String>) -> Outcome {
    lines.push(format!("{}: {}", report.origin, if report.ok { "verified" } else { "NOT as it was written" }));
    lines.push(format!(
        "  {} records, {} under a signed checkpoint, {} checkpoints, {}",
        report.records,
        report.signed_records,
        report.checkpoints,
        name(&report.state)?
    ));
    if !report.open_intents.is_empty() {
        lines.push(format!("  {} writes without an outcome", report.open_intents.len()));
    }
    let payloads = &report.payloads;
    if payloads.present + payloads.destroyed + payloads.changed > 0 {
        lines.push(format!("  {} sealed payloads, {} destroyed", payloads.present, payloads.destroyed));
    }
    for finding in &report.findings {
        let at = finding.position.map(|p| format!(" at {p}")).unwrap_or_default();
        lines.push(format!("  FOUND{at}: {} [{}]", finding.message, name(&finding.kind)?));
    }
    if report.further_findings > 0 {
        lines.push(format!("  and {} more", report.further_findings));
    }
    lines.extend(report.notes.iter().map(|note| format!("  note: {note}")));
    lines.push(format!("  key: {}", report.verifier_key));
    Ok(())
}

fn name(value: &impl Serialize) -> Outcome<String> {
    let value = serde_json::to_value(value).map_err(|e| Failure::internal(&e))?;
    Ok(value.as_str().map_or_else(|| Json::to_string(&value), str::to_owned))
}
