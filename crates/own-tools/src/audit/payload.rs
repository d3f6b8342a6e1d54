//! `open_audit_payload`: what policy was asked about one call, arguments included (rule T26). It is an act of governance
//! (`docs/adr/0015`): a person alone, with a second factor for this one record and this reason, and on record before it is
//! done. The answer goes to that person and is kept nowhere.

use std::sync::Arc;

use platform::audit::{AuditEntry, AuditLog, AuditPosition, Outcome, Phase};
use platform::{Error, Json};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tool_runtime::tool::typed;
use tool_runtime::{Tool, ToolCx, ToolSpec};

const NAME: &str = "open_audit_payload";

#[derive(Deserialize, JsonSchema)]
struct Args {
    /// Position of the record in the log: `event.sequence`. Of a write, that of its intent.
    #[schemars(range(min = 1))]
    record: u64,
    /// Why it has to be read: a case, a ticket, a sentence. It stands in the audit log in clear.
    #[schemars(length(min = 8, max = 500))]
    reason: String,
}

#[derive(Serialize, JsonSchema)]
struct Opened {
    /// The record.
    record: Json,
    /// What was sealed: the whole question to policy with its arguments, when and under which policy revision it was
    /// decided, and the decision.
    payload: Json,
}

pub(super) fn tool(audit: Arc<dyn AuditLog>) -> Arc<dyn Tool> {
    let spec = ToolSpec::new::<Args, Opened>(
        NAME,
        "Open a sealed payload",
        "Opens what was sealed beside one audit record: the arguments of the call and everything that its decision was made \
         from. It needs a person, a reason and a second factor for this one record, and is itself on record. For auditors.",
    )
    .confidential()
    .example(json!({"record": 1, "reason": "Case 4711: what was deployed"}));
    typed(spec, move |cx, args: Args| {
        let audit = Arc::clone(&audit);
        async move { open(audit.as_ref(), &cx, args).await }
    })
}

async fn open(audit: &dyn AuditLog, cx: &ToolCx, args: Args) -> Result<Opened, Error> {
    let record = super::at(audit, args.record).await?;
    // Before it is done: whoever has read it is on record, whatever happens next. The call's own records follow under the
    // same request id.
    let mut entry = AuditEntry::tool_call(cx.clock.now(), &cx.call, "interlock", NAME);
    entry.phase = Phase::Event;
    entry.action = "audit.payload_opened".to_owned();
    entry.outcome = Outcome::Pending;
    entry.facts.insert("record".to_owned(), args.record.into());
    entry.facts.insert("reason".to_owned(), args.reason.into());
    audit.append(entry).await?;
    let payload = audit.payload(AuditPosition(args.record)).await?;
    Ok(Opened { record, payload })
}
