//! T26: what policy was asked goes to the log to be sealed, once per call, whatever was answered; and so that the answer
//! can be replayed.

use platform::audit::Phase;
use platform::audit_payload::{DecisionRecord, NotEvaluated, replay};
use platform::policy::{Decision, Effect};
use platform_suites::StaticPolicy;
use serde_json::{Value, json};

use crate::fixture::{Lab, alice, decision};

#[tokio::test]
async fn t26_allowed_challenged_and_denied_calls_hand_over_their_whole_question() {
    let lab = Lab::new().await;
    lab.call("show_device", json!({"device": "dev-1"})).await.unwrap();
    lab.call("reload_device", json!({"device": "dev-1"})).await.unwrap_err();
    lab.policy.decide_by(|_| decision(Effect::Deny, &[]));
    lab.call("show_device", json!({"device": "dev-2"})).await.unwrap_err();
    let records: Vec<DecisionRecord> =
        lab.audit.entries().iter().map(|e| DecisionRecord::read(e.payload.as_ref().unwrap()).unwrap()).collect();
    let effects: Vec<_> = records.iter().map(|r| r.decision.as_ref().unwrap().effect).collect();
    assert_eq!(effects, [Effect::Allow, Effect::Challenge, Effect::Deny]);
    assert_eq!(records.iter().map(|r| &r.input).collect::<Vec<_>>(), lab.policy.asked().iter().collect::<Vec<_>>());
    assert_eq!(records[0].input.targets[0].id, "uuid-of-dev-1");
    assert_eq!(records[2].input.arguments, json!({"device": "dev-2"}));
}

#[tokio::test]
async fn t26_the_intent_of_a_write_has_the_payload_and_its_outcome_has_none() {
    let lab = Lab::new().await;
    let refusal = lab.call("reload_device", json!({"device": "dev-1"})).await.unwrap_err();
    lab.elevate(&refusal, &alice()).await.unwrap();
    lab.call("reload_device", json!({"device": "dev-1"})).await.unwrap();
    let written: Vec<_> =
        lab.audit.entries().into_iter().filter(|e| e.phase != Phase::Call).map(|e| (e.phase, e.payload)).collect();
    let [(Phase::Intent, Some(payload)), (Phase::Outcome, None)] = written.as_slice() else {
        panic!("an intent with a payload and an outcome without one: {written:?}")
    };
    let record = DecisionRecord::read(payload).unwrap();
    assert!(record.input.elevation.is_some(), "the verified elevation is part of the question");
}

#[tokio::test]
async fn t26_a_call_that_never_reached_policy_has_nothing_to_replay_and_one_without_an_answer_says_so() {
    let lab = Lab::new().await;
    lab.call("read_thing", json!({"unknown": 1})).await.unwrap_err();
    assert_eq!(lab.last_record().payload, None);
    lab.policy.swap(StaticPolicy::new(|_| Err(platform::Error::internal("no policy"))));
    lab.call("read_thing", json!({})).await.unwrap_err();
    let payload = lab.last_record().payload.unwrap();
    assert_eq!(DecisionRecord::read(&payload).unwrap().decision, None);
    let found = replay(lab.policy.as_ref(), [&payload]).await;
    assert_eq!(found.not_evaluated.into_iter().collect::<Vec<_>>(), [(NotEvaluated::Undecided, 1)]);
}

#[tokio::test]
async fn t9_t26_a_kept_decision_is_replayed_at_the_time_when_it_was_made() {
    let lab = Lab::new().await;
    let holding = |input: &platform::policy::DecisionInput| {
        Ok(Decision { valid_until: Some(input.now + 60), ..decision(Effect::Allow, &[]) })
    };
    lab.policy.swap(StaticPolicy::new(holding));
    lab.call("read_thing", json!({})).await.unwrap();
    lab.clock.advance(2);
    lab.call("read_thing", json!({})).await.unwrap();
    assert_eq!(lab.policy.asked().len(), 1, "the second answer was kept");
    let payloads: Vec<Value> = lab.audit.entries().into_iter().filter_map(|e| e.payload).collect();
    let read: Vec<_> = payloads.iter().map(|p| DecisionRecord::read(p).unwrap()).collect();
    assert_eq!((read[1].input.now - read[0].input.now, read[1].decided_at), (2, read[0].decided_at));
    let found = replay(lab.policy.as_ref(), &payloads).await;
    assert_eq!((found.same, found.different.len()), (2, 0));
}
