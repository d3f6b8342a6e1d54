//! An audit log in memory, for tests that look at what was recorded and for those that make the log fail.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use platform::Json;
use platform::audit::{AuditEntry, AuditFilter, AuditLog, AuditPosition, payload_absent, record_unknown};
use platform::error::{Error, ErrorKind};
use serde_json::json;

/// Collects entries. Positions count from 1.
#[derive(Default)]
pub struct MemoryAudit {
    entries: Mutex<Vec<AuditEntry>>,
    failing: AtomicBool,
}

impl MemoryAudit {
    /// The entries of one action, in the order of appending.
    pub fn of(&self, action: &str) -> Vec<AuditEntry> {
        self.entries().into_iter().filter(|entry| entry.action == action).collect()
    }

    /// Everything that was appended, oldest first.
    pub fn entries(&self) -> Vec<AuditEntry> {
        self.kept().clone()
    }

    /// From now on appends fail with `audit_unavailable`, until this is called with `false`.
    pub fn fail_appends(&self, failing: bool) {
        self.failing.store(failing, Ordering::SeqCst);
    }

    fn kept(&self) -> MutexGuard<'_, Vec<AuditEntry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl AuditLog for MemoryAudit {
    async fn append(&self, entry: AuditEntry) -> Result<AuditPosition, Error> {
        if self.failing.load(Ordering::SeqCst) {
            let message = "The audit log cannot be written, so nothing was done; try again later.";
            return Err(Error::new(ErrorKind::Unavailable, "audit_unavailable", message));
        }
        let mut kept = self.kept();
        kept.push(entry);
        Ok(AuditPosition(kept.len() as u64))
    }

    fn append_detached(&self, entry: AuditEntry) {
        self.kept().push(entry);
    }

    async fn payload(&self, position: AuditPosition) -> Result<Json, Error> {
        let index = usize::try_from(position.0).unwrap_or(usize::MAX).checked_sub(1);
        let entry = index.and_then(|index| self.kept().get(index).cloned()).ok_or_else(record_unknown)?;
        entry.payload.ok_or_else(payload_absent)
    }

    async fn recent(&self, filter: AuditFilter, limit: usize) -> Result<Vec<Json>, Error> {
        let admits = |(position, entry): &(u64, &AuditEntry)| admits(&filter, *position, entry);
        let kept = self.kept();
        let mut records: Vec<_> =
            (1..).zip(kept.iter()).filter(admits).map(|(position, entry)| shown(position, entry)).collect();
        records.drain(..records.len().saturating_sub(limit));
        Ok(records)
    }
}

fn admits(filter: &AuditFilter, position: u64, entry: &AuditEntry) -> bool {
    let (actor, tool) = (entry.actor.as_ref(), entry.tool.as_ref());
    let change = entry.facts.get("change").and_then(Json::as_str);
    let is = |wanted: &Option<String>, value: Option<&str>| wanted.as_deref().is_none_or(|w| value == Some(w));
    filter.after.is_none_or(|after| position > after.0)
        && filter.before.is_none_or(|before| position < before.0)
        && is(&filter.request_id, entry.request_id.as_deref())
        && filter.actor.as_ref().is_none_or(|(i, s)| actor.is_some_and(|a| a.issuer == *i && a.subject == *s))
        && filter.person.as_ref().is_none_or(|p| actor.is_some_and(|a| a.name == *p || a.subject == *p))
        && is(&filter.server, tool.map(|tool| tool.server.as_str()))
        && is(&filter.tool, tool.map(|tool| tool.tool.as_str()))
        && is(&filter.change, change)
        && filter.outcome.is_none_or(|outcome| entry.outcome == outcome)
        && is(&filter.code, entry.code.as_deref())
        && filter.from.is_none_or(|from| entry.at >= from)
        && filter.until.is_none_or(|until| entry.at < until)
}

/// The record as far as tests look at it, its members named as the real log names them. Arguments never enter a record.
fn shown(position: u64, entry: &AuditEntry) -> Json {
    let mut record = json!({
        "@timestamp": entry.at.to_string(),
        "event": {
            "sequence": position,
            "action": entry.action,
            "outcome": entry.outcome,
            "code": entry.code,
        },
        "user": entry.actor,
        "trace": {"id": entry.trace_id},
        "interlock": {
            "phase": entry.phase,
            "request_id": entry.request_id,
            "client_request_id": entry.client_request_id,
            "outcome": entry.outcome,
            "code": entry.code,
            "server": entry.tool.as_ref().map(|t| &t.server),
            "tool": entry.tool.as_ref().map(|t| &t.tool),
            "decision": entry.decision,
            "facts": entry.facts,
        },
    });
    if let Some(own) = record["interlock"].as_object_mut() {
        own.extend(entry.facts.clone());
    }
    record
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use platform::audit::{AuditEntry, AuditFilter, AuditLog, AuditPosition, Outcome};
    use serde_json::json;

    use super::MemoryAudit;

    #[tokio::test]
    async fn t25_recent_shows_what_the_filter_admits_and_never_arguments() {
        let log = MemoryAudit::default();
        for id in ["a", "b", "a", "a"] {
            let mut entry = AuditEntry::event(Timestamp::UNIX_EPOCH, "tool.call", Outcome::Success);
            entry.request_id = Some(id.to_owned());
            entry.arguments = Some(json!({"password": "canary"}));
            log.append(entry).await.unwrap();
        }
        let filter = AuditFilter { request_id: Some("a".into()), after: Some(AuditPosition(1)), ..Default::default() };
        let records = log.recent(filter, 5).await.unwrap();
        let places: Vec<_> = records.iter().map(|record| record["event"]["sequence"].clone()).collect();
        assert_eq!(places, [json!(3), json!(4)]);
        assert_eq!(log.recent(AuditFilter::default(), 1).await.unwrap()[0]["event"]["sequence"], 4);
        assert!(!json!(records).to_string().contains("canary"));
        log.fail_appends(true);
        let entry = AuditEntry::event(Timestamp::UNIX_EPOCH, "tool.call", Outcome::Success);
        assert_eq!(log.append(entry).await.unwrap_err().code(), "audit_unavailable");
        assert_eq!(log.entries().len(), 4);
    }
}
