//! `search_audit` and `list_my_calls`: records page by page, the latest page first. Next: [`super::record`] for one of them.

use std::sync::Arc;

use platform::Json;
use platform::audit::{AuditFilter, AuditLog};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tool_runtime::tool::typed;
use tool_runtime::{Tool, ToolSpec};

use super::{Which, position};

#[derive(Deserialize, JsonSchema)]
struct Args {
    /// Only records of this person, by name or subject.
    #[schemars(length(min = 1, max = 256))]
    person: Option<String>,
    #[serde(flatten)]
    which: Which,
}

#[derive(Serialize, JsonSchema)]
struct Page {
    /// Records as the log holds them (Elastic Common Schema), oldest first. Arguments stand in none of them.
    records: Vec<Json>,
    /// For the page of older records: give it as `before`. Nothing when there are no older ones.
    next_before: Option<u64>,
}

pub(super) fn all(audit: Arc<dyn AuditLog>) -> Arc<dyn Tool> {
    let spec = ToolSpec::new::<Args, Page>(
        "search_audit",
        "Search the audit log",
        "Finds records of the audit log by time, person, server, tool, change, outcome and code: who did what, what was \
         decided and why, and what came of it. The latest come first; `next_before` leads to older ones. For auditors.",
    )
    .example(json!({"person": "alice", "outcome": "refused", "limit": 20}));
    typed(spec, move |_cx, args: Args| {
        let audit = Arc::clone(&audit);
        async move {
            let limit = args.which.limit;
            let filter = AuditFilter { person: args.person, ..args.which.filter() };
            let (records, next_before) = page(audit.as_ref(), filter, limit).await?;
            Ok(Page { records, next_before })
        }
    })
}

#[derive(Serialize, JsonSchema)]
struct OwnCalls {
    /// Your calls, oldest first. A write has two entries: its intent and its outcome.
    calls: Vec<OwnCall>,
    /// For the page of older calls: give it as `before`. Nothing when there are no older ones.
    next_before: Option<u64>,
}

#[derive(Serialize, JsonSchema)]
struct OwnCall {
    /// Position in the audit log.
    position: u64,
    /// When it was.
    at: String,
    /// `call`, or for a write `intent` and `outcome`.
    phase: String,
    /// Server instance.
    server: String,
    /// Tool.
    tool: String,
    /// Ids of what it was about.
    targets: Vec<String>,
    /// `success`, `failure`, `refused`, `pending`, `unknown`.
    outcome: String,
    /// Stable code of a refusal or failure.
    code: Option<String>,
    /// `x-request-id`: what `explain_refusal` takes.
    request_id: String,
    /// OAuth client by which you called.
    client_id: String,
    /// Who acted for you, outermost first.
    act: Vec<String>,
}

pub(super) fn own(audit: Arc<dyn AuditLog>) -> Arc<dyn Tool> {
    let spec = ToolSpec::new::<Which, OwnCalls>(
        "list_my_calls",
        "List my calls",
        "Lists your own calls from the audit log, also those that an agent made for you: when, what, and what came of them. \
         The latest come first; `next_before` leads to older ones.",
    )
    .example(json!({"outcome": "refused", "limit": 10}));
    typed(spec, move |cx, which: Which| {
        let audit = Arc::clone(&audit);
        async move {
            let caller = &cx.call.principal;
            let limit = which.limit;
            let filter = AuditFilter { actor: Some((caller.issuer.clone(), caller.subject.clone())), ..which.filter() };
            let (records, next_before) = page(audit.as_ref(), filter, limit).await?;
            let calls = records.iter().filter_map(own_call).collect();
            Ok(OwnCalls { calls, next_before })
        }
    })
}

async fn page(
    audit: &dyn AuditLog,
    filter: AuditFilter,
    limit: usize,
) -> Result<(Vec<Json>, Option<u64>), platform::Error> {
    // One more than the page, to know whether there is another.
    let mut records = audit.recent(filter, limit + 1).await?;
    let more = records.len() > limit;
    if more {
        records.remove(0);
    }
    let next_before = records.first().and_then(position).filter(|_| more);
    Ok((records, next_before))
}

/// A record of a call; nothing for an event, for example a sign-in.
fn own_call(record: &Json) -> Option<OwnCall> {
    let text = |pointer: &str| record.pointer(pointer).and_then(Json::as_str).map(str::to_owned);
    let texts = |pointer: &str| {
        let list = record.pointer(pointer).and_then(Json::as_array);
        list.map(|list| list.iter().filter_map(Json::as_str).map(str::to_owned).collect()).unwrap_or_default()
    };
    Some(OwnCall {
        position: position(record)?,
        at: text("/@timestamp")?,
        phase: text("/interlock/phase").filter(|phase| phase != "event")?,
        server: text("/interlock/server")?,
        tool: text("/interlock/tool")?,
        targets: texts("/interlock/targets"),
        outcome: text("/interlock/outcome")?,
        code: text("/interlock/code"),
        request_id: text("/interlock/request_id").unwrap_or_default(),
        client_id: text("/interlock/client_id").unwrap_or_default(),
        act: texts("/interlock/act"),
    })
}
