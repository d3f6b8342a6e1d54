//! What every [`AuditLog`] must do: append in order and durably, refuse nothing it acknowledged, filter, keep arguments
//! out. A backend calls [`every_rule`] from one test. Next: `backends/audit-log`, the first that passes it.

use std::sync::Arc;

use jiff::Timestamp;
use platform::Json;
use platform::audit::{AuditActor, AuditEntry, AuditFilter, AuditLog, AuditedTool, Outcome, Phase};
use serde_json::json;

/// A rule that was broken.
pub type Broken = Box<dyn std::error::Error + Send + Sync>;

/// Gives logs to the suite.
#[async_trait::async_trait]
pub trait AuditLogs: Send + Sync {
    /// Opens the one log of this run: the first time a new one, later the same one again after what `end` did.
    async fn open(&self) -> Result<Arc<dyn AuditLog>, Broken>;

    /// Ends the log as an orderly stop does; the suite holds no handle of it any more.
    async fn end(&self) -> Result<(), Broken>;
}

fn hold(rule: bool, what: &str) -> Result<(), Broken> {
    if rule { Ok(()) } else { Err(what.into()) }
}

/// A tool call's record by `subject` under `request`.
pub fn tool_call(subject: &str, request: &str) -> AuditEntry {
    let mut entry = AuditEntry::event(Timestamp::UNIX_EPOCH, "tool.call", Outcome::Success);
    entry.phase = Phase::Call;
    entry.request_id = Some(request.to_owned());
    entry.actor = Some(AuditActor {
        issuer: "https://issuer.example".to_owned(),
        subject: subject.to_owned(),
        name: subject.to_owned(),
        groups: vec!["network-engineers".to_owned()],
        client_id: "suite".to_owned(),
        act: Vec::new(),
    });
    entry.tool = Some(AuditedTool {
        server: "catalyst-center".to_owned(),
        tool: "get_device".to_owned(),
        risk: None,
        targets: vec!["device-1".to_owned()],
    });
    entry
}

fn requests(records: &[Json]) -> Vec<&str> {
    records.iter().filter_map(|record| record.pointer("/http/request/id").and_then(Json::as_str)).collect()
}

/// Runs all rules in turn on one log.
pub async fn every_rule(logs: &dyn AuditLogs) -> Result<(), Broken> {
    let log = logs.open().await?;
    positions_rise_and_recent_is_oldest_first(log.as_ref()).await?;
    filters_admit_only_their_own(log.as_ref()).await?;
    every_filter_finds_its_own(log.as_ref()).await?;
    arguments_stay_out(log.as_ref()).await?;
    detached_records_keep_their_place(log.as_ref()).await?;
    drop(log);
    logs.end().await?;
    let log = logs.open().await?;
    let kept = log.recent(AuditFilter { request_id: Some("order-1".to_owned()), ..Default::default() }, 10).await?;
    hold(kept.len() == 1, "T25: an acknowledged record is there after a restart")?;
    drop(log);
    logs.end().await
}

async fn positions_rise_and_recent_is_oldest_first(log: &dyn AuditLog) -> Result<(), Broken> {
    let first = log.append(tool_call("alice", "order-1")).await?;
    let second = log.append(tool_call("bob", "order-2")).await?;
    let third = log.append(tool_call("alice", "order-3")).await?;
    hold(first < second && second < third, "positions rise")?;
    let latest = log.recent(AuditFilter::default(), 2).await?;
    hold(requests(&latest) == ["order-2", "order-3"], "recent gives the latest, oldest first")?;
    let after = log.recent(AuditFilter { after: Some(second), ..Default::default() }, 10).await?;
    hold(requests(&after) == ["order-3"], "after admits what stands behind that position only")?;
    hold(log.recent(AuditFilter::default(), 0).await?.is_empty(), "a limit of zero gives nothing")
}

async fn filters_admit_only_their_own(log: &dyn AuditLog) -> Result<(), Broken> {
    let alice = Some(("https://issuer.example".to_owned(), "alice".to_owned()));
    let hers = log.recent(AuditFilter { actor: alice.clone(), ..Default::default() }, 10).await?;
    hold(requests(&hers) == ["order-1", "order-3"], "an actor's records, all of them and no others")?;
    let foreign = Some(("https://other.example".to_owned(), "alice".to_owned()));
    let none = log.recent(AuditFilter { actor: foreign, ..Default::default() }, 10).await?;
    hold(none.is_empty(), "the same subject of another issuer is somebody else")?;
    let both = AuditFilter { request_id: Some("order-2".to_owned()), actor: alice, ..Default::default() };
    hold(log.recent(both, 10).await?.is_empty(), "filters narrow each other")
}

async fn every_filter_finds_its_own(log: &dyn AuditLog) -> Result<(), Broken> {
    let mut entry = tool_call("dora", "filter-1");
    entry.at = "2026-03-01T00:00:00.5Z".parse()?;
    entry.outcome = Outcome::Refused;
    entry.code = Some("denied".to_owned());
    entry.actor.as_mut().ok_or("a tool call has an actor")?.name = "Dora D.".to_owned();
    let tool = entry.tool.as_mut().ok_or("a tool call has a tool")?;
    (tool.server, tool.tool) = ("github".to_owned(), "merge".to_owned());
    entry.facts.insert("change".to_owned(), json!("CHG-1"));
    let at = entry.at;
    let position = log.append(entry).await?;
    let all = AuditFilter::default;
    let text = |value: &str| Some(value.to_owned());
    for (what, filter) in [
        ("a person's name", AuditFilter { person: text("Dora D."), ..all() }),
        ("a person's subject", AuditFilter { person: text("dora"), ..all() }),
        ("a server", AuditFilter { server: text("github"), ..all() }),
        ("a tool", AuditFilter { tool: text("merge"), ..all() }),
        ("a change", AuditFilter { change: text("CHG-1"), ..all() }),
        ("an outcome", AuditFilter { outcome: Some(Outcome::Refused), ..all() }),
        ("a code", AuditFilter { code: text("denied"), ..all() }),
        ("a time", AuditFilter { from: Some(at), until: Some(at + jiff::Span::new().nanoseconds(1)), ..all() }),
    ] {
        hold(requests(&log.recent(filter.clone(), 10).await?) == ["filter-1"], &format!("{what} finds its record"))?;
        let before = AuditFilter { before: Some(position), ..filter.clone() };
        hold(log.recent(before, 10).await?.is_empty(), &format!("{what} narrows with a position"))?;
        let until = AuditFilter { until: Some(at), from: filter.from, ..filter };
        hold(log.recent(until, 10).await?.is_empty(), &format!("{what} narrows with a time"))?;
    }
    Ok(())
}

async fn arguments_stay_out(log: &dyn AuditLog) -> Result<(), Broken> {
    let mut entry = tool_call("alice", "arguments-1");
    entry.arguments = Some(json!({"b": 1, "a": "canary-in-arguments"}));
    log.append(entry).await?;
    let mut entry = tool_call("alice", "arguments-2");
    entry.arguments = Some(json!({"a": "canary-in-arguments", "b": 1}));
    log.append(entry).await?;
    let mut entry = tool_call("alice", "arguments-3");
    entry.arguments = Some(json!({"a": "canary-in-arguments", "b": 2}));
    log.append(entry).await?;
    let records = log.recent(AuditFilter::default(), 3).await?;
    hold(!format!("{records:?}").contains("canary-in-arguments"), "T26: arguments never enter a record")?;
    let hashes: Vec<Option<&str>> =
        records.iter().map(|r| r.pointer("/interlock/arguments_hmac").and_then(Json::as_str)).collect();
    hold(hashes.iter().all(Option::is_some), "T26: their keyed hash does")?;
    hold(hashes[0] == hashes[1] && hashes[1] != hashes[2], "T26: over canonical bytes")
}

async fn detached_records_keep_their_place(log: &dyn AuditLog) -> Result<(), Broken> {
    log.append_detached(tool_call("carol", "detached-1"));
    log.append(tool_call("carol", "detached-2")).await?;
    let records = log.recent(AuditFilter::default(), 2).await?;
    hold(requests(&records) == ["detached-1", "detached-2"], "a detached record stands before what came later")
}
