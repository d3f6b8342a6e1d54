//! `get_audit_record`: one record by its position. Next: [`super::payload`] for what is sealed beside it.

use std::sync::Arc;

use platform::Json;
use platform::audit::AuditLog;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tool_runtime::tool::typed;
use tool_runtime::{Tool, ToolSpec};

#[derive(Deserialize, JsonSchema)]
struct Args {
    /// Position in the log: `event.sequence` of the record.
    #[schemars(range(min = 1))]
    record: u64,
}

#[derive(Serialize, JsonSchema)]
struct One {
    /// The record as the log holds it.
    record: Json,
    /// Whether something was sealed beside it that `open_audit_payload` may open.
    has_payload: bool,
}

pub(super) fn tool(audit: Arc<dyn AuditLog>) -> Arc<dyn Tool> {
    let spec = ToolSpec::new::<Args, One>(
        "get_audit_record",
        "Show an audit record",
        "Shows one record of the audit log by its position, and whether a payload was sealed beside it. For auditors.",
    )
    .example(json!({"record": 1}));
    typed(spec, move |_cx, args: Args| {
        let audit = Arc::clone(&audit);
        async move {
            let record = super::at(audit.as_ref(), args.record).await?;
            let has_payload = record.pointer("/interlock/payload").is_some();
            Ok(One { record, has_payload })
        }
    })
}
