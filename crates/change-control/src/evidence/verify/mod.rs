//! Checks an archive of evidence with nothing but itself and what was kept elsewhere: public keys of the platform, or checkpoints
//! of its audit log. A key that is in the archive is believed only where a checkpoint from elsewhere covers the record that
//! names it. The report says what was checked, what did not hold, and what could not be checked (T25).
//!
//! Next: `change` for what a change has to be in itself, `log` for what the audit log vouches for.

mod change;
mod log;

use platform::keys::PublicKey;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::archive::{Files, unpack};
use super::manifest::{EVIDENCE, FORMAT, MANIFEST, Manifest, SIGNATURE, SignatureFile, content_of, entries};
use crate::model::change::ChangeId;
use crate::model::state::State;

/// What came of one check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It holds.
    Passed,
    /// It does not hold.
    Failed,
    /// It could not be checked; the message says why.
    NotChecked,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// `archive`, `manifest`, `files`, `signature`, `states`, `plan`, `submission`, `approvals`, `grant`, `attempts`, `calls`,
    /// `audit`, `content`.
    pub check: &'static str,
    /// What came of it.
    pub result: Outcome,
    /// What was found, in a sentence.
    pub message: String,
}

/// What a verification says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// The archive is what the platform signed, and nothing in it contradicts anything else.
    pub ok: bool,
    /// Nothing was relied on but what a lab keeps beside the archive.
    pub self_attested: bool,
    /// The change, where the archive says so.
    pub change: Option<ChangeId>,
    /// How it ended.
    pub state: Option<State>,
    /// In the order in which they were made.
    pub checks: Vec<Checked>,
}

/// What the verifier of the audit log says of a proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// Whether it holds.
    pub holds: bool,
    /// Why, in a sentence.
    pub message: String,
}

/// Judges the proofs of a document of the audit log, in its order; an error is a sentence.
pub type JudgeProofs<'a> = &'a dyn Fn(&str) -> Result<Vec<Judged>, String>;

/// What is relied on.
#[derive(Default)]
pub struct Trust<'a> {
    /// Public keys of the platform that were kept elsewhere.
    pub keys: Vec<PublicKey>,
    /// The keys lie beside the archive, in a lab.
    pub self_attested: bool,
    /// The audit log's verifier with what it relies on; nothing where no key or checkpoint of the log is at hand.
    pub audit: Option<JudgeProofs<'a>>,
}

/// What was checked so far.
#[derive(Default)]
struct Checks(Vec<Checked>);

impl Checks {
    fn passed(&mut self, check: &'static str, message: impl Into<String>) {
        self.0.push(Checked { check, result: Outcome::Passed, message: message.into() });
    }

    fn failed(&mut self, check: &'static str, message: impl Into<String>) {
        self.0.push(Checked { check, result: Outcome::Failed, message: message.into() });
    }

    fn not_checked(&mut self, check: &'static str, message: impl Into<String>) {
        self.0.push(Checked { check, result: Outcome::NotChecked, message: message.into() });
    }

    /// One line for a check that may find several things wrong.
    fn settle(&mut self, check: &'static str, wrong: Vec<String>, right: impl Into<String>) {
        if wrong.is_empty() {
            self.passed(check, right);
        }
        for message in wrong {
            self.failed(check, message);
        }
    }

    fn any_failed(&self) -> bool {
        self.0.iter().any(|checked| checked.result == Outcome::Failed)
    }

    fn has_passed(&self, check: &str) -> bool {
        self.0.iter().any(|checked| checked.check == check && checked.result == Outcome::Passed)
    }
}

/// Verifies an archive.
pub fn verify(archive: &[u8], trust: &Trust<'_>) -> Verification {
    let mut checks = Checks::default();
    let manifest = match unpack(archive) {
        Ok(files) => {
            checks.passed("archive", format!("{} files, and nothing beside them", files.len()));
            examine(&files, trust, &mut checks)
        }
        Err(wrong) => {
            checks.failed("archive", wrong);
            None
        }
    };
    let ok = !checks.any_failed() && checks.has_passed("signature");
    let (change, state) = manifest.map(|manifest| (manifest.change, manifest.state)).unzip();
    Verification { ok, self_attested: trust.self_attested, change, state, checks: checks.0 }
}

fn examine(files: &Files, trust: &Trust<'_>, checks: &mut Checks) -> Option<Manifest> {
    let manifest = match read::<Manifest>(files, MANIFEST) {
        Ok(Some(manifest)) if manifest.format == FORMAT => manifest,
        Ok(Some(_)) => return none(checks, format!("`{MANIFEST}` is of another format than {FORMAT}.")),
        Ok(None) => return none(checks, format!("`{MANIFEST}` is missing.")),
        Err(wrong) => return none(checks, wrong),
    };
    checks.passed("manifest", format!("it names {} files", manifest.files.len()));
    digests(files, &manifest, checks);
    let log = log::examine(files, &manifest, trust, checks);
    let keys: Vec<PublicKey> = trust.keys.iter().chain(&log.keys).cloned().collect();
    signature(files, &keys, checks);
    change::examine(files, &manifest, &keys, &log, checks);
    Some(manifest)
}

fn none(checks: &mut Checks, wrong: String) -> Option<Manifest> {
    checks.failed("manifest", wrong);
    None
}

fn digests(files: &Files, manifest: &Manifest, checks: &mut Checks) {
    let mut there = entries(files);
    there.retain(|name, _| name != MANIFEST && name != SIGNATURE);
    let mut wrong: Vec<String> = manifest
        .files
        .iter()
        .filter_map(|(name, entry)| match there.get(name) {
            None => Some(format!("`{name}` is missing.")),
            Some(found) if found != entry => Some(format!(
                "`{name}` is not what was signed: its SHA-256 is {}, and not {}.",
                found.sha256, entry.sha256
            )),
            Some(_) => None,
        })
        .collect();
    let more = there.keys().filter(|name| !manifest.files.contains_key(*name));
    wrong.extend(more.map(|name| format!("`{name}` was added.")));
    checks.settle("files", wrong, "every file has the digest of the manifest");
    match content_of(files) {
        Ok(content) if content == manifest.content => {}
        _ => checks.failed("content", "The digest of the account is not the one in the manifest."),
    }
}

fn signature(files: &Files, keys: &[PublicKey], checks: &mut Checks) {
    let signed = match read::<SignatureFile>(files, SIGNATURE) {
        Ok(Some(signed)) => signed,
        Ok(None) => return checks.failed("signature", format!("`{SIGNATURE}` is missing.")),
        Err(wrong) => return checks.failed("signature", wrong),
    };
    let manifest = files.get(MANIFEST).map(Vec::as_slice).unwrap_or_default();
    let holds = |key: &&PublicKey| key.verifies(EVIDENCE, manifest, &signed.signature);
    if signed.signed_for != EVIDENCE {
        checks.failed("signature", "It was signed for something else than evidence.");
    } else if keys.is_empty() {
        let message = "No public key of the platform is at hand: none was given, and no checkpoint that was given covers the \
                       record that names one.";
        checks.not_checked("signature", message);
    } else if let Some(key) = keys.iter().find(holds) {
        checks.passed("signature", format!("the manifest is signed by the key {}", key.key));
    } else {
        checks.failed("signature", "The manifest is signed by no key that is relied on.");
    }
}

/// A file as JSON; nothing where it is missing. The error is a sentence.
fn read<T: DeserializeOwned>(files: &Files, name: &str) -> Result<Option<T>, String> {
    let Some(bytes) = files.get(name) else { return Ok(None) };
    serde_json::from_slice(bytes).map(Some).map_err(|_| format!("`{name}` cannot be read."))
}
