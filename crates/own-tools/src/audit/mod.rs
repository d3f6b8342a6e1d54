//! The audit log as tools: `search_audit`, `get_audit_record` and `open_audit_payload` show what others did, and policy
//! keeps them for a group of its own; `list_my_calls` shows everybody their own calls. Nothing here looks at a group:
//! who may call what is policy's answer (rule T26).

mod payload;
mod record;
mod search;

use std::sync::Arc;

use jiff::Timestamp;
use platform::audit::{AuditFilter, AuditLog, AuditPosition, Outcome};
use platform::{Error, Json};
use schemars::JsonSchema;
use serde::Deserialize;
use tool_runtime::Tool;

pub(super) fn tools(audit: &Arc<dyn AuditLog>) -> [Arc<dyn Tool>; 4] {
    let log = || Arc::clone(audit);
    [search::all(log()), search::own(log()), record::tool(log()), payload::tool(log())]
}

/// Which calls: what is left out admits every record.
#[derive(Debug, Default, Deserialize, JsonSchema)]
struct Which {
    /// Only this server instance.
    #[schemars(length(min = 1, max = 128))]
    server: Option<String>,
    /// Only this tool.
    #[schemars(length(min = 1, max = 128))]
    tool: Option<String>,
    /// Only records that name this change.
    #[schemars(length(min = 1, max = 64))]
    change: Option<String>,
    /// Only records with this outcome.
    outcome: Option<WhichOutcome>,
    /// Only records with this code of a refusal or failure, for example `denied`.
    #[schemars(length(min = 1, max = 64))]
    code: Option<String>,
    /// Only the call with this `x-request-id`.
    #[schemars(length(min = 1, max = 64))]
    request_id: Option<String>,
    /// Not before this time (RFC 3339), for example `2026-08-01T00:00:00Z`.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    from: Option<Timestamp>,
    /// Before this time (RFC 3339).
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    until: Option<Timestamp>,
    /// Only records before this position: the `next_before` of the page before.
    #[schemars(range(min = 1))]
    before: Option<u64>,
    /// Most records of a page.
    #[serde(default = "fifty")]
    #[schemars(range(min = 1, max = 200))]
    limit: usize,
}

fn fifty() -> usize {
    50
}

/// What came of a call.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum WhichOutcome {
    /// It worked.
    Success,
    /// It was let through and failed.
    Failure,
    /// It was not let through.
    Refused,
    /// It was about to happen: the intent of a write.
    Pending,
    /// It cannot be told.
    Unknown,
}

impl Which {
    fn filter(self) -> AuditFilter {
        AuditFilter {
            request_id: self.request_id,
            server: self.server,
            tool: self.tool,
            change: self.change,
            outcome: self.outcome.map(|outcome| match outcome {
                WhichOutcome::Success => Outcome::Success,
                WhichOutcome::Failure => Outcome::Failure,
                WhichOutcome::Refused => Outcome::Refused,
                WhichOutcome::Pending => Outcome::Pending,
                WhichOutcome::Unknown => Outcome::Unknown,
            }),
            code: self.code,
            from: self.from,
            until: self.until,
            before: self.before.map(AuditPosition),
            ..AuditFilter::default()
        }
    }
}

fn position(record: &Json) -> Option<u64> {
    record.pointer("/event/sequence").and_then(Json::as_u64)
}

/// The one record at a position.
async fn at(audit: &dyn AuditLog, position: u64) -> Result<Json, Error> {
    let only = AuditFilter {
        after: Some(AuditPosition(position.saturating_sub(1))),
        before: Some(AuditPosition(position.saturating_add(1))),
        ..AuditFilter::default()
    };
    audit.recent(only, 1).await?.pop().ok_or_else(platform::audit::record_unknown)
}
