//! What the audit log vouches for: that its records about the change are in a tree that it signed, and that one of them holds the
//! digest of this account.

use std::collections::BTreeMap;

use platform::Json;
use platform::keys::PublicKey;

use super::{Checks, Trust, read};
use crate::evidence::archive::Files;
use crate::evidence::manifest::Manifest;
use crate::evidence::records::{CALLS, Call, PROOFS, RECORDS, calls, keys_in, position, tells};

/// What the log says.
#[derive(Default)]
pub(super) struct Log {
    /// Keys that a proven record names.
    pub(super) keys: Vec<PublicKey>,
    /// Calls, by request id.
    pub(super) calls: BTreeMap<String, Vec<Call>>,
    /// Whether there are records at all.
    pub(super) there: bool,
}

pub(super) fn examine(files: &Files, manifest: &Manifest, trust: &Trust<'_>, checks: &mut Checks) -> Log {
    let records: Vec<Json> = match read(files, RECORDS) {
        Ok(Some(records)) => records,
        Ok(None) => {
            checks.failed("audit", format!("`{RECORDS}` is missing."));
            return Log::default();
        }
        Err(wrong) => {
            checks.failed("audit", wrong);
            return Log::default();
        }
    };
    let called = calls(&records);
    match read::<Vec<Call>>(files, CALLS) {
        Ok(Some(told)) if told == called => {
            checks.passed("calls", format!("{} records of calls, as the audit log has them", told.len()));
        }
        Ok(_) => checks.failed("calls", format!("`{CALLS}` says something else than the audit records.")),
        Err(wrong) => checks.failed("calls", wrong),
    }
    let proven = proven(files, &records, trust, checks);
    let tell: Vec<&Json> = records.iter().filter(|record| tells(record, &manifest.change, &manifest.content)).collect();
    let vouched = tell.iter().filter(|record| position(record).is_some_and(|at| proven.contains(&at)));
    let keys: Vec<PublicKey> = vouched.flat_map(|record| keys_in(record)).collect();
    match (tell.is_empty(), keys.is_empty()) {
        (true, _) => checks.failed("content", "No audit record holds the digest of this account."),
        (false, true) => checks.not_checked(
            "content",
            "An audit record holds the digest of this account; whether the log has that record could not be checked.",
        ),
        (false, false) => {
            checks.passed("content", "a record in the signed tree of the audit log holds the digest of this account");
        }
    }
    let mut by_request: BTreeMap<String, Vec<Call>> = BTreeMap::new();
    for call in called {
        by_request.entry(call.request_id.clone().unwrap_or_default()).or_default().push(call);
    }
    Log { keys, calls: by_request, there: !records.is_empty() }
}

/// Positions of the records that are in a signed tree.
fn proven(files: &Files, records: &[Json], trust: &Trust<'_>, checks: &mut Checks) -> Vec<u64> {
    let document: Json = match read(files, PROOFS) {
        Ok(Some(document)) => document,
        Ok(None) => {
            checks.not_checked("audit", "The audit log of this platform gave no proofs.");
            return Vec::new();
        }
        Err(wrong) => {
            checks.failed("audit", wrong);
            return Vec::new();
        }
    };
    let proofs = document["proofs"].as_array().cloned().unwrap_or_default();
    if proofs.is_empty() {
        checks.not_checked("audit", "No signed checkpoint covered the records when the archive was made.");
        return Vec::new();
    }
    let Some(judge) = trust.audit else {
        let message = format!("{} proofs; no checkpoint and no key of the audit log was given.", proofs.len());
        checks.not_checked("audit", message);
        return Vec::new();
    };
    let judged = match judge(&document.to_string()) {
        Ok(judged) => judged,
        Err(wrong) => {
            checks.failed("audit", wrong);
            return Vec::new();
        }
    };
    let mut wrong: Vec<String> =
        judged.iter().filter(|judged| !judged.holds).map(|judged| judged.message.clone()).collect();
    if judged.len() != proofs.len() {
        wrong.push("Not every proof was judged.".to_owned());
    }
    let by_position: BTreeMap<u64, &Json> = records.iter().filter_map(|r| position(r).map(|at| (at, r))).collect();
    let mut good = Vec::new();
    for (proof, _) in proofs.iter().zip(&judged).filter(|(_, judged)| judged.holds) {
        let at = proof["position"].as_u64().unwrap_or_default();
        let line = proof["record"].as_str().and_then(|line| serde_json::from_str::<Json>(line).ok());
        match (by_position.get(&at), line) {
            (Some(record), Some(line)) if **record == line => good.push(at),
            _ => wrong.push(format!("The audit record at {at} is not the one that is proven.")),
        }
    }
    let open = records.len().saturating_sub(good.len());
    checks.settle("audit", wrong, format!("{} records are in a signed tree of the audit log", good.len()));
    if open > 0 && !checks.any_failed() {
        checks
            .not_checked("audit", format!("{open} records are proven by nothing: the log signed its tree after them."));
    }
    good
}
