//! T7: the order in which a call passes the stages, as the parts around the pipeline see it; and what a failing audit
//! log means (T25).

use platform::audit::{Outcome, Phase};
use platform::{Error, ErrorKind};
use serde_json::json;
use tool_runtime::pipeline::STAGES;

use crate::fixture::{Lab, alice, code, cx, keyed, request};

#[test]
fn t7_the_list_of_stages_is_the_one_of_the_rule() {
    let rule = "audit_open resolve limit validate targets authorise replay step_up cache reserve intent lease execute \
                output redact audit_close";
    assert_eq!(STAGES.join(" "), rule);
}

#[tokio::test]
async fn t7_a_write_passes_every_stage_in_order_and_its_intent_is_durable_before_the_lease() {
    let lab = Lab::new().await;
    let refusal = lab.call("reload_device", json!({"device": "dev-1"})).await.unwrap_err();
    lab.elevate(&refusal, &alice()).await.unwrap();
    // Known facts are known: the second call needs no look-up of its target.
    lab.clock.advance(61);
    lab.recorded.take();
    lab.call_as(keyed("k-1"), "reload_device", json!({"device": "dev-1"})).await.unwrap();
    let expected = [
        "take:principal",
        "take:source",
        "lease",
        "look_up:dev-1",
        "store:get:elevations",
        "policy:decide",
        "store:key_state",
        "store:reserve_key",
        "store:consume",
        "store:delete:elevations",
        "store:open_intent",
        "audit:intent",
        "lease",
        "execute",
        "store:complete_key",
        "store:close_intent:success",
        "audit:outcome",
    ];
    assert_eq!(lab.recorded.all(), expected);
}

#[tokio::test]
async fn t7_a_read_passes_every_stage_in_order() {
    let lab = Lab::new().await;
    lab.call("read_cached", json!({})).await.unwrap();
    let expected = [
        "policy:visible",
        "take:principal",
        "take:source",
        "policy:decide",
        "cache:find",
        "lease",
        "execute",
        "cache:keep",
        "audit:call",
    ];
    assert_eq!(lab.recorded.all(), expected);
}

#[tokio::test]
async fn t25_when_the_intent_cannot_be_written_nothing_is_leased_and_nothing_runs() {
    let lab = Lab::new().await;
    lab.audit.fail(Some(Phase::Intent));
    let refused = lab.keyed("k-1", "add_note", json!({})).await;
    assert_eq!(code(refused), "audit_unavailable");
    assert_eq!((lab.runs(), lab.recorded.count("lease")), (0, 0));
    assert_eq!(lab.recorded.count("store:close_intent:not_started"), 1);
    // The key is free again, and no intent is left for anybody to settle.
    use platform::store::Store as _;
    assert!(lab.store.open_intents().await.unwrap().is_empty());
    lab.audit.fail(None);
    assert!(!lab.keyed("k-1", "add_note", json!({})).await.unwrap().replayed);
    assert_eq!(lab.runs(), 1);
}

#[tokio::test]
async fn t25_an_intent_that_stands_on_this_machine_alone_is_refused_and_has_its_outcome() {
    let lab = Lab::new().await;
    lab.audit.stand_here_only(Some(Phase::Intent));
    assert_eq!(lab.refused("add_note", json!({})).await, "audit_unavailable");
    assert_eq!((lab.runs(), lab.recorded.count("lease")), (0, 0));
    let phases = |lab: &Lab| lab.audit.entries().iter().map(|entry| entry.phase).collect::<Vec<_>>();
    assert_eq!(phases(&lab), [Phase::Intent, Phase::Outcome]);
    // An outcome that stands so is not written a second time.
    lab.audit.stand_here_only(Some(Phase::Outcome));
    assert_eq!(lab.refused("add_note", json!({})).await, "outcome_unknown");
    assert_eq!(phases(&lab), [Phase::Intent, Phase::Outcome, Phase::Intent, Phase::Outcome]);
}

#[tokio::test]
async fn t25_when_the_outcome_cannot_be_written_the_caller_is_not_told_success() {
    let lab = Lab::new().await;
    lab.audit.fail(Some(Phase::Outcome));
    // Nor that nothing happened: it did. Its record is kept for when there is room.
    assert_eq!(lab.refused("add_note", json!({})).await, "outcome_unknown");
    assert_eq!((lab.runs(), lab.recorded.count("audit:outcome:detached")), (1, 1));
    lab.target.fails("add_note", || Error::new(ErrorKind::Conflict, "target_refused", "The target says no."));
    assert_eq!(lab.refused("add_note", json!({})).await, "audit_unavailable");
    assert_eq!(lab.recorded.count("audit:outcome:detached"), 2);
    lab.audit.fail(Some(Phase::Call));
    assert_eq!(lab.refused("read_thing", json!({})).await, "audit_unavailable");
    // A refusal that is not on record is not told either.
    assert_eq!(lab.refused("nonesuch", json!({})).await, "audit_unavailable");
}

#[tokio::test]
async fn t25_reads_and_refusals_have_one_record_and_writes_exactly_two_under_one_request_id() {
    let lab = Lab::new().await;
    lab.call("read_thing", json!({})).await.unwrap();
    lab.refused("nonesuch", json!({})).await;
    lab.refused("reload_device", json!({"device": "dev-1"})).await;
    let one = |outcome, code: Option<&str>| (Phase::Call, outcome, code.map(str::to_owned));
    assert_eq!(
        lab.records(),
        [
            one(Outcome::Success, None),
            one(Outcome::Refused, Some("tool_unknown")),
            one(Outcome::Refused, Some("step_up_required"))
        ]
    );
    let before = lab.records().len();
    let cx = cx();
    let id = cx.request_id.to_string();
    lab.road.call(std::sync::Arc::new(cx), request("add_note", json!({"text": "hi"}))).await.unwrap();
    let written = lab.audit.entries().split_off(before);
    let phases: Vec<_> = written.iter().map(|e| (e.phase, e.outcome)).collect();
    assert_eq!(phases, [(Phase::Intent, Outcome::Pending), (Phase::Outcome, Outcome::Success)]);
    assert!(written.iter().all(|e| e.request_id.as_deref() == Some(&id)));
}

#[tokio::test]
async fn t25_a_record_says_who_what_under_which_decision_and_hands_arguments_over_as_a_value_only() {
    let lab = Lab::new().await;
    lab.call("show_device", json!({"device": "dev-1", "text": "canary"})).await.unwrap();
    let entry = lab.last_record();
    assert_eq!(entry.arguments, Some(json!({"device": "dev-1", "text": "canary"})));
    let tool = entry.tool.clone().unwrap();
    assert_eq!((tool.server.as_str(), tool.tool.as_str()), ("lab-1", "show_device"));
    assert_eq!(tool.risk, Some(platform::policy::Risk::Probe));
    assert_eq!(tool.targets, ["uuid-of-dev-1"]);
    let decision = entry.decision.clone().unwrap();
    assert_eq!((decision.effect.as_str(), decision.reasons.as_slice()), ("allow", &["grant:test".to_owned()][..]));
    let actor = entry.actor.clone().unwrap();
    assert_eq!((actor.subject.as_str(), actor.client_id.as_str()), ("alice", "test-client"));
    assert_eq!(entry.client_request_id.as_deref(), Some("theirs-1"));
    assert_eq!(entry.protocol.as_deref(), Some("mcp"));
    assert!(entry.trace_id.is_some() && entry.duration_us.is_some() && entry.source.is_some());
    // Nothing else of the record may hold them: the log hashes `arguments`, seals `payload`, and keeps the rest in clear.
    let rest = platform::audit::AuditEntry { arguments: None, payload: None, ..entry };
    assert!(!format!("{rest:?}").contains("canary"));
}
