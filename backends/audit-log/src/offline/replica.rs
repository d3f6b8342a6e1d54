//! The same verification where replicas share a database: records come from there, keys and checkpoints from outside (T25).
//! Next: [`super::walk`].

use platform::audit::AuditReplica;
use platform::error::Error;

use super::check::{Check, Claims};
use super::evidence::{Evidence, VerifyOptions};
use super::report::{FindingKind, LogFinding, Report, Verification};
use super::walk::Walk;
use crate::keys::PublicKey;

const PAGE: usize = 1_000;

/// Verifies every log that has records in the shared database. What the registry or an anchor knows and is not there is
/// named. A log whose key nothing tells is a finding: there is no file beside it that could.
pub async fn verify_replica(replica: &dyn AuditReplica, options: &VerifyOptions) -> Result<Verification, Error> {
    let anchors = options.read_anchors()?;
    let origins = replica.origins().await?;
    let (mut reports, mut findings) = (Vec::new(), Vec::new());
    let mut find = |kind, log: &str, message: &str| {
        findings.push(LogFinding { kind, log: log.to_owned(), message: message.to_owned() });
    };
    for origin in &origins {
        let registered = options.registered(origin).and_then(|log| PublicKey::parse(&log.verifier_key).ok());
        let nobody = PublicKey { origin: None, bytes: [0; 32] };
        let known = registered.is_some();
        let evidence = Evidence::of(origin, &registered.unwrap_or(nobody), options, &anchors, false);
        if evidence.self_attested && (options.relies() || !known) {
            find(FindingKind::LogUnvouched, origin, "neither a given key, an anchor nor the registry speaks of it");
        }
        reports.push(one(replica, origin, evidence).await?);
    }
    let registered = options.registry.iter().flatten().filter(|log| log.size > 0);
    let known = registered.map(|log| log.origin.clone()).chain(anchors.origins().cloned());
    let missing: std::collections::BTreeSet<String> = known.filter(|origin| !origins.contains(origin)).collect();
    for origin in &missing {
        find(
            FindingKind::LogMissing,
            origin,
            "the registry or an anchor knows it, and the database has none of its records",
        );
    }
    Ok(Verification::new(reports, findings, Vec::new(), anchors.unreadable))
}

async fn one(replica: &dyn AuditReplica, origin: &str, evidence: Evidence) -> Result<Report, Error> {
    let anchored = !evidence.anchor.is_empty();
    let mut check = Check::new(origin.to_owned(), evidence);
    check.identity();
    let mut claims = Claims::new();
    check.outside(&mut claims, None);
    let mut walk = Walk::new(&mut check, &claims);
    let mut after = 0;
    loop {
        let page = replica.read(origin, after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.position;
        for record in &page {
            walk.record(record.position, &record.line, &record.hash);
        }
    }
    let walked = walk.finish();
    let running = check.evidence.registered.as_ref().is_some_and(|log| log.running().is_some());
    Ok(check.report(Vec::new(), anchored, running, claims.len() as u64, walked))
}
