//! `explain_refusal`: why one of the caller's own calls was refused, from the audit log; or what a code means.

use std::sync::Arc;

use platform::audit::{AuditFilter, AuditLog};
use platform::{Error, ErrorKind, Json};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tool_runtime::tool::typed;
use tool_runtime::{Tool, ToolCx, ToolSpec};

#[derive(Deserialize, JsonSchema)]
struct Args {
    /// `x-request-id` of the refused call; nothing = your latest refused call.
    #[schemars(length(max = 64))]
    request_id: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct Explained {
    /// `x-request-id` of the call.
    request_id: String,
    /// When it was.
    at: String,
    /// Server and tool.
    server: String,
    /// Tool.
    tool: String,
    /// What came of it.
    outcome: String,
    /// Stable code.
    code: Option<String>,
    /// What policy decided: `allow`, `challenge`, `deny`; nothing when the call did not get that far.
    effect: Option<String>,
    /// Policy's reasons: `grant:…`, `deny:…`, `unmet:…`.
    reasons: Vec<String>,
    /// Policy revision that decided.
    policy_revision: Option<String>,
    /// What to do, in one sentence.
    advice: String,
}

const NAME: &str = "explain_refusal";

pub(super) fn tool(audit: Arc<dyn AuditLog>) -> Arc<dyn Tool> {
    let spec = ToolSpec::new::<Args, Explained>(
        NAME,
        "Explain a refusal",
        "Explains why a call of yours was refused: what policy decided, its reasons, and what to do next. \
         Give the x-request-id of the call, or nothing for your latest refusal.",
    );
    typed(spec, move |cx, args: Args| {
        let audit = Arc::clone(&audit);
        async move { explain(audit.as_ref(), &cx, args).await }
    })
}

async fn explain(audit: &dyn AuditLog, cx: &ToolCx, args: Args) -> Result<Explained, Error> {
    let p = &cx.call.principal;
    // Only the caller's own calls: the filter is on the actor, whatever id is asked for.
    let filter = AuditFilter {
        request_id: args.request_id.clone(),
        actor: Some((p.issuer.clone(), p.subject.clone())),
        ..AuditFilter::default()
    };
    let records = audit.recent(filter, 200).await?;
    let refused = |r: &&Json| text(r, "/interlock/outcome").is_some_and(|o| o == "refused" || o == "failure");
    // Without an id, the question is about something else than a question that failed before.
    let own = |r: &&Json| text(r, "/interlock/tool").is_some_and(|t| t == NAME) && args.request_id.is_none();
    let record = records.iter().rev().find(|r| refused(r) && !own(r));
    let record = record.ok_or_else(|| {
        Error::new(ErrorKind::NotFound, "refusal_unknown", "There is no refused call of yours with that request id.")
    })?;
    let code = text(record, "/interlock/code");
    Ok(Explained {
        request_id: text(record, "/interlock/request_id").unwrap_or_default(),
        at: text(record, "/@timestamp").unwrap_or_default(),
        server: text(record, "/interlock/server").unwrap_or_default(),
        tool: text(record, "/interlock/tool").unwrap_or_default(),
        outcome: text(record, "/interlock/outcome").unwrap_or_default(),
        effect: text(record, "/interlock/decision/effect"),
        reasons: record
            .pointer("/interlock/decision/reasons")
            .and_then(Json::as_array)
            .map(|r| r.iter().filter_map(Json::as_str).map(str::to_owned).collect())
            .unwrap_or_default(),
        policy_revision: text(record, "/interlock/decision/revision"),
        advice: advice(code.as_deref()).to_owned(),
        code,
    })
}

fn text(record: &Json, pointer: &str) -> Option<String> {
    record.pointer(pointer).and_then(Json::as_str).map(str::to_owned)
}

fn advice(code: Option<&str>) -> &'static str {
    match code {
        Some("step_up_required" | "step_up_used") => {
            "Repeat the call, open the link in its refusal, pass the second factor, then repeat it once more."
        }
        Some("change_required") => "Make the change through an approved change that covers this call.",
        Some("denied") => "None of your groups has a grant for this tool; ask your operator for one.",
        Some("rate_limited") => "Wait as long as `retry_after_s` says, then repeat.",
        Some("invalid_arguments") => "Correct the arguments that the refusal names; the tool's schema is the rule.",
        Some("tool_unknown") => "List the tools of the server; this one does not exist for you.",
        Some("wrong_call_tool") => {
            "Make the same call through the other one of `call_read_tool` and `call_write_tool`."
        }
        Some("outcome_unknown") => "Look at the target before anything else; an operator settles the call.",
        _ => "Look the code up under /errors/<code>, or ask your operator with the request id.",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_pipeline_refusal_has_advice_of_its_own() {
        let general = advice(None);
        for code in ["step_up_required", "change_required", "denied", "rate_limited", "invalid_arguments"] {
            assert_ne!(advice(Some(code)), general, "{code}");
        }
        assert_eq!(text(&json!({"a": {"b": "c"}}), "/a/b").as_deref(), Some("c"));
    }
}
