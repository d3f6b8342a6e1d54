//! T7, T9: what may be kept and for whom: facts of targets, decisions about reads, results of reads. And the limits.

use platform::ErrorKind;
use platform::policy::{Decision, Effect};
use platform::shared::RateLimit;
use platform_suites::StaticPolicy;
use platform_suites::tokens::person;
use serde_json::json;
use tool_runtime::pipeline::Limits;

use crate::fixture::{Lab, cx_of, decision};

#[tokio::test]
async fn t7_an_unknown_target_is_refused_before_policy_is_asked() {
    let lab = Lab::new().await;
    let refusal = lab.call("show_device", json!({"device": "nowhere"})).await.unwrap_err();
    assert_eq!((refusal.kind(), refusal.code()), (ErrorKind::NotFound, "target_unknown"));
    assert_eq!((lab.recorded.count("policy:decide"), lab.runs()), (0, 0));
    let many: Vec<_> = (0..51).map(|n| format!("dev-{n}")).collect();
    assert_eq!(lab.refused("show_device", json!({ "devices": many })).await, "too_many_targets");
}

#[tokio::test]
async fn t7_policy_decides_over_facts_that_are_at_most_sixty_seconds_old_by_the_platforms_clock() {
    let lab = Lab::new().await;
    lab.call("show_device", json!({"device": "dev-1"})).await.unwrap();
    let input = lab.policy.asked().pop().unwrap();
    assert_eq!(input.targets.len(), 1);
    assert_eq!((input.targets[0].id.as_str(), input.targets[0].site.as_deref()), ("uuid-of-dev-1", Some("Global/Lab")));
    assert_eq!(input.arguments, json!({"device": "dev-1"}));
    lab.clock.advance(30);
    lab.call("show_device", json!({"device": "dev-1"})).await.unwrap();
    assert_eq!(lab.recorded.count("look_up:dev-1"), 1);
    assert!((30..=32).contains(&lab.policy.asked().pop().unwrap().targets[0].age_s));
    lab.clock.advance(40);
    lab.call("show_device", json!({"devices": ["dev-1", "dev-2"]})).await.unwrap();
    assert_eq!((lab.recorded.count("look_up:dev-1"), lab.recorded.count("look_up:dev-2")), (2, 1));
}

/// A policy whose decisions hold for this long.
fn holds_for(seconds: i64) -> StaticPolicy {
    StaticPolicy::new(move |input| {
        Ok(Decision { valid_until: Some(input.now + seconds), ..decision(Effect::Allow, &[]) })
    })
}

#[tokio::test]
async fn t9_decisions_about_reads_are_kept_for_equal_questions_only() {
    let lab = Lab::new().await;
    lab.policy.swap(holds_for(300));
    for _ in 0..3 {
        lab.call("read_thing", json!({"text": "a"})).await.unwrap();
    }
    assert_eq!(lab.policy.asked().len(), 1);
    lab.call("read_thing", json!({"text": "b"})).await.unwrap();
    lab.call_as(cx_of(person("bob", &["netops"])), "read_thing", json!({"text": "a"})).await.unwrap();
    lab.call_as(cx_of(person("alice", &["netops", "x"])), "read_thing", json!({"text": "a"})).await.unwrap();
    assert_eq!(lab.policy.asked().len(), 4);
}

#[tokio::test]
async fn t9_a_decision_without_an_end_or_past_it_is_asked_for_again() {
    let lab = Lab::new().await;
    for _ in 0..2 {
        lab.call("read_thing", json!({})).await.unwrap();
    }
    assert_eq!(lab.policy.asked().len(), 2, "no end = not cacheable");
    lab.policy.swap(holds_for(60));
    lab.call("read_thing", json!({})).await.unwrap();
    lab.clock.advance(61);
    lab.call("read_thing", json!({})).await.unwrap();
    assert_eq!(lab.policy.asked().len(), 4);
}

#[tokio::test]
async fn t9_decisions_about_writes_are_never_kept() {
    let lab = Lab::new().await;
    lab.policy.swap(holds_for(300));
    for _ in 0..3 {
        lab.call("add_note", json!({})).await.unwrap();
    }
    assert_eq!(lab.policy.asked().len(), 3);
}

#[tokio::test]
async fn t9_a_new_policy_denies_at_once() {
    let lab = Lab::new().await;
    lab.policy.swap(holds_for(300));
    lab.call("read_cached", json!({})).await.unwrap();
    lab.policy.decide_by(|_| StaticPolicy::decision(Effect::Deny, &["deny:new"]));
    assert_eq!(lab.refused("read_cached", json!({})).await, "denied");
}

#[tokio::test]
async fn t7_results_of_reads_are_served_again_under_equal_obligations_only() {
    let lab = Lab::new().await;
    lab.target.answers("read_cached", json!({"said": {"n": 1}}));
    lab.call("read_cached", json!({"text": "a"})).await.unwrap();
    lab.target.answers("read_cached", json!({"said": {"n": 2}}));
    let again = lab.call("read_cached", json!({"text": "a"})).await.unwrap();
    let of_bob = lab.call_as(cx_of(person("bob", &["netops"])), "read_cached", json!({"text": "a"})).await.unwrap();
    assert_eq!((&again.structured["said"]["n"], &of_bob.structured["said"]["n"]), (&json!(1), &json!(1)));
    assert!(!again.replayed);
    assert_eq!((lab.runs(), lab.recorded.count("lease")), (1, 1));
    // Other arguments, other obligations: another question.
    lab.call("read_cached", json!({"text": "b"})).await.unwrap();
    lab.policy.decide_by(|_| {
        let mut masked = decision(Effect::Allow, &[("mask", true)]);
        masked.obligations.get_mut("mask").unwrap().parameters.insert("fields".into(), json!(["serial"]));
        masked
    });
    assert_eq!(lab.call("read_cached", json!({"text": "a"})).await.unwrap().structured["said"]["n"], 2);
    assert_eq!(lab.runs(), 3);
    // What does not say that it may be kept is not kept.
    lab.call("read_thing", json!({})).await.unwrap();
    lab.call("read_thing", json!({})).await.unwrap();
    assert_eq!(lab.runs(), 5);
}

#[tokio::test]
async fn t24_what_is_kept_of_a_result_is_sealed_for_its_question() {
    let lab = Lab::new().await;
    lab.target.answers("read_cached", json!({"said": {"n": "canary-in-result"}}));
    lab.call("read_cached", json!({"text": "a"})).await.unwrap();
    lab.call("read_cached", json!({"text": "b"})).await.unwrap();
    let kept = lab.shared.kept();
    assert_eq!(kept.len(), 2);
    assert!(kept.iter().all(|value| !value.windows(6).any(|window| window == b"canary")));
    assert_ne!(kept[0], kept[1], "the same result under another question");
    let again = lab.call("read_cached", json!({"text": "a"})).await.unwrap();
    assert_eq!((again.structured["said"]["n"].as_str(), lab.runs()), (Some("canary-in-result"), 2));
}

#[tokio::test]
async fn a_failure_is_never_kept_as_a_result() {
    let lab = Lab::new().await;
    lab.target.answers("read_cached", json!({"not": "the shape"}));
    assert_eq!(lab.refused("read_cached", json!({})).await, "result_invalid");
    lab.target.answers("read_cached", json!({"said": {}}));
    lab.call("read_cached", json!({})).await.unwrap();
}

#[tokio::test]
async fn t7_coarse_limits_hold_per_principal_and_per_source_before_arguments_are_looked_at() {
    let once = RateLimit { per_minute: 1, burst: 1 };
    let lab = Lab::with_limits(Limits { per_principal: once, ..Limits::default() }).await;
    lab.call("read_thing", json!({})).await.unwrap();
    let refusal = lab.call("read_thing", json!({"wrong": 1})).await.unwrap_err();
    assert_eq!((refusal.kind(), refusal.code()), (ErrorKind::RateLimited, "rate_limited"));
    assert!((1..=60).contains(&refusal.refusal().retry_after_s.unwrap()));
    lab.call_as(cx_of(person("bob", &["netops"])), "read_thing", json!({})).await.unwrap();
    let lab = Lab::with_limits(Limits { per_source: once, ..Limits::default() }).await;
    lab.call("read_thing", json!({})).await.unwrap();
    let bob = lab.call_as(cx_of(person("bob", &["netops"])), "read_thing", json!({})).await;
    assert_eq!(bob.unwrap_err().code(), "rate_limited");
}

#[tokio::test]
async fn t6_the_rate_that_policy_obliges_holds_per_device_for_everybody() {
    let lab = Lab::new().await;
    lab.policy.decide_by(|_| {
        let mut rated = decision(Effect::Allow, &[("rate", true)]);
        rated.obligations.get_mut("rate").unwrap().parameters.insert("per_minute".into(), json!(1));
        rated
    });
    lab.call("show_device", json!({"device": "dev-1"})).await.unwrap();
    lab.call("show_device", json!({"device": "dev-2"})).await.unwrap();
    let bob = lab.call_as(cx_of(person("bob", &["netops"])), "show_device", json!({"device": "dev-1"})).await;
    assert_eq!(bob.unwrap_err().code(), "rate_limited");
    assert_eq!(lab.runs(), 2);
    lab.call("read_thing", json!({})).await.unwrap();
    assert_eq!(lab.refused("read_thing", json!({})).await, "rate_limited");
}
