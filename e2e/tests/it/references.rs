//! References in a call (T12): header, reserved argument and `_meta` say the same, or the call is refused.

use serde_json::json;

use crate::caller::{Answer, CENTER, Caller};

#[tokio::test]
async fn t12_references_that_disagree_are_refused_at_both_doors() {
    let caller = Caller::shared();
    let dora = caller.lab.token("dora").await;
    let alice = caller.lab.token("alice").await;
    let device = caller.switches(&alice, CENTER).await.remove(0);
    let mut arguments = caller.deployment(&alice, CENTER, &device, 3001).await;
    arguments["_interlock"] = json!({"idempotency_key": "one"});

    let rest = caller.rest_request(&alice, CENTER, "deploy_template", &arguments).header("idempotency-key", "other");
    let rest = Answer::of(rest).await;
    assert_eq!((rest.status, rest.code()), (400, Some("reference_conflict")), "{rest:?}");

    let params = json!({"name": "deploy_template", "arguments": arguments,
        "_meta": {"dev.interlock/call": {"idempotency_key": "other"}}});
    let mcp = Answer::of(caller.mcp_request(&alice, CENTER, "tools/call", &params)).await;
    assert_eq!((&mcp.body["error"]["code"], mcp.code()), (&json!(-32602), Some("reference_conflict")), "{mcp:?}");

    // The same in all places is one reference, and the call goes on to what policy says.
    let params = json!({"name": "deploy_template", "arguments": arguments,
        "_meta": {"dev.interlock/call": {"idempotency_key": "one"}}});
    let request = caller.mcp_request(&alice, CENTER, "tools/call", &params).header("idempotency-key", "\"one\"");
    let agreed = Answer::of(request).await;
    assert_eq!(agreed.code(), Some("step_up_required"), "{agreed:?}");

    // Somebody who may not know the tool learns nothing from the references either.
    let hidden = caller.rest_request(&dora, CENTER, "deploy_template", &arguments).header("idempotency-key", "other");
    let hidden = Answer::of(hidden).await;
    assert_eq!((hidden.status, hidden.code()), (404, Some("tool_unknown")), "{hidden:?}");
}
