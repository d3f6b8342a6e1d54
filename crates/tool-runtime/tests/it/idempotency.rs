//! T7, T20: one key is one attempt. Its result is kept, sealed; what cannot be told is never executed again.

use std::sync::Arc;
use std::time::Duration;

use platform::audit::{Outcome, Phase};
use platform::policy::Effect;
use platform::store::{Op, Store as _};
use platform::{Error, ErrorKind, Principal};
use platform_suites::StaticPolicy;
use platform_suites::tokens::person;
use serde_json::json;
use tokio::sync::Notify;
use tool_runtime::ToolOutput;

use crate::fixture::{Lab, alice, code, cx_of, keyed};

#[tokio::test]
async fn t7_a_repeat_gets_the_stored_result_and_does_not_act_again() {
    let lab = Lab::new().await;
    lab.target.answers("add_note", json!({"said": {"secret-of-the-result": "canary"}}));
    let first = lab.keyed("k-1", "add_note", json!({"text": "a"})).await.unwrap();
    lab.target.answers("add_note", json!({"said": {"other": 1}}));
    let second = lab.keyed("k-1", "add_note", json!({"text": "a"})).await.unwrap();
    assert_eq!((first.structured.clone(), second.replayed), (second.structured, true));
    assert_eq!(lab.runs(), 1);
    // A replay is a call without an effect: one record, and the record says so.
    let entry = lab.last_record();
    assert_eq!((entry.phase, entry.outcome), (Phase::Call, Outcome::Success));
    assert_eq!(entry.facts["replayed"], true);
    // What is kept is sealed.
    let kept: Vec<_> = lab.store.written();
    let plain = |bytes: &[u8]| bytes.windows(6).any(|w| w == b"canary");
    assert!(kept.iter().any(|op| matches!(op, Op::CompleteKey { .. })));
    assert!(!kept.iter().any(|op| matches!(op, Op::CompleteKey { result, .. } if plain(result))));
    assert!(!format!("{kept:?}").contains("canary"));
}

#[tokio::test]
async fn t26_a_confidential_result_is_kept_under_no_key_and_the_call_is_not_done_twice() {
    let lab = Lab::new().await;
    lab.target.answers("tell_once", json!({"said": {"opened": 1}}));
    assert_eq!(lab.keyed("k-1", "tell_once", json!({})).await.unwrap().structured["said"]["opened"], 1);
    assert_eq!(code(lab.keyed("k-1", "tell_once", json!({})).await), "result_not_kept");
    assert_eq!(lab.runs(), 1);
    // What failed is told again as ever.
    lab.target.answers("tell_once", json!({"not": "the shape"}));
    assert_eq!(code(lab.keyed("k-2", "tell_once", json!({})).await), "result_invalid");
    assert_eq!(code(lab.keyed("k-2", "tell_once", json!({})).await), "result_invalid");
}

#[tokio::test]
async fn t7_a_second_use_of_a_key_with_other_arguments_is_a_conflict() {
    let lab = Lab::new().await;
    lab.keyed("k-1", "add_note", json!({"text": "a"})).await.unwrap();
    let refusal = lab.keyed("k-1", "add_note", json!({"text": "b"})).await.unwrap_err();
    assert_eq!((refusal.kind(), refusal.code()), (ErrorKind::Conflict, "idempotency_conflict"));
    assert_eq!(lab.runs(), 1);
}

#[tokio::test]
async fn t7_a_key_belongs_to_one_principal_one_client_and_one_tool() {
    let lab = Lab::new().await;
    lab.keyed("k-1", "add_note", json!({})).await.unwrap();
    assert!(!lab.keyed("k-1", "put_note", json!({})).await.unwrap().replayed);
    for stranger in [person("bob", &["netops"]), Principal { client_id: "other".into(), ..alice() }] {
        let mut cx = cx_of(stranger);
        cx.references.idempotency_key = Some("k-1".into());
        assert!(!lab.call_as(cx, "add_note", json!({})).await.unwrap().replayed);
    }
    assert_eq!(lab.runs(), 4);
}

#[tokio::test]
async fn t7_a_replay_needs_the_role_grant_but_not_the_obligations() {
    let lab = Lab::new().await;
    let one = json!({"device": "dev-1"});
    let refusal = lab.keyed("k-1", "reload_device", one.clone()).await.unwrap_err();
    lab.elevate(&refusal, &alice()).await.unwrap();
    lab.keyed("k-1", "reload_device", one.clone()).await.unwrap();
    // The elevation is used up, and the result is still there for who may ask.
    assert!(lab.keyed("k-1", "reload_device", one.clone()).await.unwrap().replayed);
    lab.policy.decide_by(|_| StaticPolicy::decision(Effect::Deny, &["deny:test"]));
    assert_eq!(code(lab.keyed("k-1", "reload_device", one).await), "denied");
}

/// Waits until the store has what was left for later.
async fn until(lab: &Lab, name: &str, times: usize) {
    for _ in 0..600 {
        if lab.recorded.count(name) >= times {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{name}: {:?}", lab.recorded.all());
}

#[tokio::test]
async fn t7_a_result_that_cannot_be_stored_is_not_promised_and_is_there_when_it_can() {
    let lab = Lab::new().await;
    lab.store.fail(&["store:complete_key"]);
    assert_eq!(code(lab.keyed("k-1", "add_note", json!({})).await), "outcome_unknown");
    assert_eq!(code(lab.keyed("k-1", "add_note", json!({})).await), "outcome_unknown");
    assert_eq!(lab.runs(), 1, "it is not done again");
    lab.store.fail(&[]);
    until(&lab, "store:complete_key", 2).await;
    let repeat = lab.keyed("k-1", "add_note", json!({})).await.unwrap();
    assert!(repeat.replayed);
    assert!(lab.store.open_intents().await.unwrap().is_empty());
    assert_eq!(lab.runs(), 1);
}

#[tokio::test]
async fn t7_a_reservation_that_cannot_be_given_back_is_given_back_later() {
    let lab = Lab::new().await;
    lab.store.fail(&["store:open_intent", "store:release_key"]);
    assert_eq!(code(lab.keyed("k-1", "add_note", json!({})).await), "store_unavailable");
    assert_eq!(code(lab.keyed("k-1", "add_note", json!({})).await), "idempotency_in_progress");
    lab.store.fail(&[]);
    until(&lab, "store:release_key", 2).await;
    assert!(!lab.keyed("k-1", "add_note", json!({})).await.unwrap().replayed);
    assert_eq!(lab.runs(), 1);
}

#[tokio::test]
async fn t7_a_failure_is_kept_under_its_key_too() {
    let lab = Lab::new().await;
    lab.target.fails("add_note", || {
        Error::new(ErrorKind::Conflict, "target_refused", "The target says no.").with_details(json!({"why": "locked"}))
    });
    let first = lab.keyed("k-1", "add_note", json!({})).await.unwrap_err();
    lab.target.answers("add_note", json!({"said": {}}));
    let second = lab.keyed("k-1", "add_note", json!({})).await.unwrap_err();
    assert_eq!((second.kind(), second.refusal()), (first.kind(), first.refusal()));
    assert_eq!((second.code(), lab.runs()), ("target_refused", 1));
    assert!(lab.store.open_intents().await.unwrap().is_empty());
}

#[tokio::test]
async fn t7_a_key_whose_call_still_runs_is_in_progress_and_then_done() {
    let lab = Arc::new(Lab::new().await);
    let (started, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let signals = (Arc::clone(&started), Arc::clone(&go_on));
    lab.target.script("configure_device", move |_, _| {
        let (started, go_on) = signals.clone();
        async move {
            started.notify_one();
            go_on.notified().await;
            Ok(ToolOutput { structured: json!({"said": {"n": 1}}), follow_up: None })
        }
    });
    lab.policy.swap(StaticPolicy::allowing());
    let running = {
        let lab = Arc::clone(&lab);
        tokio::spawn(async move { lab.keyed("k-1", "configure_device", json!({})).await })
    };
    started.notified().await;
    let refusal = lab.keyed("k-1", "configure_device", json!({})).await.unwrap_err();
    assert_eq!((refusal.kind(), refusal.code()), (ErrorKind::Conflict, "idempotency_in_progress"));
    assert!(refusal.refusal().retry_after_s.is_some());
    // One that asked the store before the call ended and looked afterwards must not be told that nobody knows.
    let gate = Arc::new(Notify::new());
    *lab.store.before_settling.lock().unwrap() = Some(Arc::clone(&gate));
    let late = {
        let lab = Arc::clone(&lab);
        tokio::spawn(async move { lab.keyed("k-1", "configure_device", json!({})).await })
    };
    while lab.store.before_settling.lock().unwrap().is_some() {
        tokio::task::yield_now().await;
    }
    go_on.notify_one();
    let first = running.await.unwrap().unwrap();
    gate.notify_one();
    let late = late.await.unwrap().unwrap();
    assert_eq!((late.structured, late.replayed), (first.structured, true));
    assert_eq!(lab.runs(), 1);
}

#[tokio::test]
async fn t20_a_timed_out_write_that_may_have_happened_is_unknown_and_never_executed_again() {
    let lab = Lab::new().await;
    lab.target.script("add_note", |_, _| std::future::pending());
    let refusal = lab.keyed("k-1", "add_note", json!({})).await.unwrap_err();
    assert_eq!((refusal.kind(), refusal.code()), (ErrorKind::Conflict, "outcome_unknown"));
    let entry = lab.last_record();
    assert_eq!((entry.phase, entry.outcome), (Phase::Outcome, Outcome::Unknown));
    let open = lab.store.open_intents().await.unwrap();
    assert_eq!(open.len(), 1);
    assert_eq!(refusal.refusal().details, Some(json!({"call_id": open[0].call_id})));
    assert_eq!(open[0].body["tool"], "add_note");
    // The key answers the same for ever, a day later too.
    lab.target.answers("add_note", json!({"said": {}}));
    for _ in 0..2 {
        let again = lab.keyed("k-1", "add_note", json!({})).await.unwrap_err();
        assert_eq!((again.code(), &again.refusal().details), ("outcome_unknown", &refusal.refusal().details));
        lab.clock.advance(25 * 3600);
    }
    assert_eq!(lab.runs(), 1);
}

#[tokio::test]
async fn t20_a_timed_out_write_that_may_be_repeated_is_a_failure() {
    let lab = Lab::new().await;
    lab.target.script("put_note", |_, _| std::future::pending());
    assert_eq!(code(lab.keyed("k-1", "put_note", json!({})).await), "deadline_exceeded");
    assert_eq!(lab.last_record().outcome, Outcome::Failure);
    assert!(lab.store.open_intents().await.unwrap().is_empty());
}

#[tokio::test]
async fn t20_what_may_have_taken_effect_is_unknown_and_what_was_never_sent_is_not() {
    for (kind, code_of, unknown) in [
        (ErrorKind::Upstream, "target_garbled", true),
        (ErrorKind::Upstream, "target_failed", true),
        (ErrorKind::Upstream, "target_forbidden", false),
        (ErrorKind::Unavailable, "target_unreachable", false),
        (ErrorKind::Unavailable, "target_circuit_open", false),
        (ErrorKind::Unavailable, "target_broke_off", true),
        (ErrorKind::Internal, "internal_error", true),
        (ErrorKind::Conflict, "target_refused", false),
    ] {
        let lab = Lab::new().await;
        lab.target.fails("add_note", move || Error::new(kind, code_of, "It failed."));
        let expected = if unknown { "outcome_unknown" } else { code_of };
        assert_eq!(code(lab.keyed("k-1", "add_note", json!({})).await), expected);
        assert_eq!(lab.store.open_intents().await.unwrap().len(), usize::from(unknown), "{code_of}");
    }
}

#[tokio::test]
async fn t20_a_write_that_finished_but_whose_result_cannot_be_shown_is_not_a_failure() {
    let lab = Lab::new().await;
    lab.target.answers("add_note", json!({"not": "the shape"}));
    assert_eq!(code(lab.keyed("k-1", "add_note", json!({})).await), "outcome_unknown");
    assert_eq!(lab.store.open_intents().await.unwrap().len(), 1);
    assert_eq!(code(lab.keyed("k-1", "add_note", json!({})).await), "outcome_unknown");
    assert_eq!(lab.runs(), 1);
}

#[tokio::test]
async fn t20_the_handle_that_a_tool_writes_down_is_in_its_intent() {
    let lab = Lab::new().await;
    lab.target.script("add_note", |cx, _| async move {
        cx.journal.unwrap().started(json!({"task": "t-1"})).await?;
        std::future::pending().await
    });
    let cx = keyed("k-1");
    let id = cx.request_id.to_string();
    assert_eq!(code(lab.call_as(cx, "add_note", json!({})).await), "outcome_unknown");
    let open = lab.store.open_intents().await.unwrap();
    assert_eq!((open[0].call_id.as_str(), &open[0].handle), (id.as_str(), &Some(json!({"task": "t-1"}))));
}

#[tokio::test]
async fn t7_a_failure_before_the_tool_ran_gives_the_key_back() {
    let lab = Lab::new().await;
    lab.secrets.fail(true);
    assert_eq!(code(lab.keyed("k-1", "add_note", json!({})).await), "secrets_unavailable");
    assert_eq!(lab.recorded.count("store:close_intent:not_started"), 1);
    assert!(lab.store.open_intents().await.unwrap().is_empty());
    let phases: Vec<_> = lab.records().into_iter().map(|(phase, outcome, _)| (phase, outcome)).collect();
    assert_eq!(phases, [(Phase::Intent, Outcome::Pending), (Phase::Outcome, Outcome::Failure)]);
    lab.secrets.fail(false);
    // Free again, for other arguments even.
    assert!(!lab.keyed("k-1", "add_note", json!({"text": "b"})).await.unwrap().replayed);
    assert_eq!(lab.runs(), 1);
}

#[tokio::test]
async fn t7_of_two_equal_calls_at_once_one_acts() {
    let lab = Arc::new(Lab::new().await);
    lab.target.script("add_note", |_, _| async {
        tokio::task::yield_now().await;
        Ok(ToolOutput { structured: json!({"said": {}}), follow_up: None })
    });
    let calls: Vec<_> = (0..8)
        .map(|_| {
            let lab = Arc::clone(&lab);
            tokio::spawn(async move { lab.keyed("k-1", "add_note", json!({})).await })
        })
        .collect();
    for call in calls {
        match call.await.unwrap() {
            Ok(_) => {}
            Err(e) => assert_eq!(e.code(), "idempotency_in_progress"),
        }
    }
    assert_eq!(lab.runs(), 1);
    let done = tokio::time::timeout(Duration::from_secs(60), lab.road.drain());
    done.await.unwrap();
    assert!(lab.keyed("k-1", "add_note", json!({})).await.unwrap().replayed);
}

#[tokio::test]
async fn a_key_on_a_tool_that_only_reads_means_nothing() {
    let lab = Lab::new().await;
    for _ in 0..2 {
        assert!(!lab.keyed("k-1", "read_thing", json!({})).await.unwrap().replayed);
    }
    assert_eq!((lab.runs(), lab.recorded.count("store:key_state")), (2, 0));
}
