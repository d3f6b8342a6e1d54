//! T4, T8, T10, T11: hidden is unknown, no is no, "not yet" comes with a link, and what the link grants covers exactly
//! what it was for.

use std::collections::BTreeSet;

use platform::audit::Outcome;
use platform::policy::Effect;
use platform::principal::PrincipalKind;
use platform::{Error, ErrorKind, Principal};
use platform_suites::StaticPolicy;
use platform_suites::tokens::person;
use serde_json::json;

use crate::fixture::{BASE, Lab, alice, cx_of, decision, keyed};

#[tokio::test]
async fn t10_hidden_unlisted_and_missing_tools_answer_alike() {
    let lab = Lab::new().await;
    let missing = lab.call("nonesuch", json!({})).await.unwrap_err();
    let unlisted = lab.call("port", json!({})).await.unwrap_err();
    lab.policy.swap(StaticPolicy::allowing().with_visible(|_| Ok(BTreeSet::new())));
    let hidden = lab.call("read_thing", json!({"wrong": 1})).await.unwrap_err();
    for refusal in [&missing, &unlisted, &hidden] {
        assert_eq!((refusal.kind(), refusal.refusal()), (ErrorKind::NotFound, missing.refusal()));
        assert_eq!(refusal.code(), "tool_unknown");
    }
    assert_eq!(lab.runs(), 0);
}

#[tokio::test]
async fn t10_one_visibility_query_serves_equal_groups_until_the_policy_changes() {
    let lab = Lab::new().await;
    for subject in ["alice", "bob", "carol"] {
        lab.call_as(cx_of(person(subject, &["netops"])), "read_thing", json!({})).await.unwrap();
    }
    assert_eq!(lab.recorded.count("policy:visible"), 1);
    lab.call_as(cx_of(person("dave", &["helpdesk"])), "read_thing", json!({})).await.unwrap();
    assert_eq!(lab.recorded.count("policy:visible"), 2);
    lab.policy.swap(StaticPolicy::allowing());
    lab.call("read_thing", json!({})).await.unwrap();
    assert_eq!(lab.recorded.count("policy:visible"), 3);
}

#[tokio::test]
async fn t11_no_is_denied_and_its_reasons_are_for_the_log() {
    let lab = Lab::new().await;
    lab.policy.decide_by(|_| StaticPolicy::decision(Effect::Deny, &["deny:freeze"]));
    let refusal = lab.call("add_note", json!({})).await.unwrap_err();
    assert_eq!((refusal.kind(), refusal.code()), (ErrorKind::Forbidden, "denied"));
    assert!(!refusal.message().contains("freeze") && refusal.refusal().url.is_none());
    let entry = lab.last_record();
    assert_eq!(entry.outcome, Outcome::Refused);
    assert_eq!(entry.decision.unwrap().reasons, ["deny:freeze"]);
    assert_eq!((lab.runs(), lab.recorded.count("lease")), (0, 0));
}

#[tokio::test]
async fn t4_a_challenge_is_a_link_and_equal_refusals_share_it() {
    let lab = Lab::new().await;
    let first = lab.call("configure_device", json!({"device": "dev-1"})).await.unwrap_err();
    assert_eq!((first.kind(), first.code()), (ErrorKind::Unmet, "step_up_required"));
    assert_eq!(first.refusal().unmet[0].obligation, "step_up");
    let url = first.refusal().url.clone().unwrap();
    assert!(url.strip_prefix(BASE).unwrap().starts_with("/elevate/"), "{url}");
    let again = lab.call("configure_device", json!({"device": "dev-1"})).await.unwrap_err();
    assert_eq!(again.refusal().url.as_ref(), Some(&url));
    let other = lab.call("configure_device", json!({"device": "dev-2"})).await.unwrap_err();
    assert_ne!(other.refusal().url.as_ref(), Some(&url));
    assert_eq!(lab.runs(), 0);
}

#[tokio::test]
async fn t4_an_elevation_for_a_change_covers_the_person_on_this_server_through_this_client_for_fifteen_minutes() {
    let lab = Lab::new().await;
    let (one, two) = (json!({"device": "dev-1"}), json!({"device": "dev-2"}));
    let refusal = lab.call("configure_device", one.clone()).await.unwrap_err();
    lab.elevate(&refusal, &alice()).await.unwrap();
    lab.call("configure_device", one.clone()).await.unwrap();
    lab.call("configure_device", two).await.unwrap();
    let other_client = Principal { client_id: "other".into(), ..alice() };
    let other_issuer = Principal { issuer: "https://other.test".into(), ..alice() };
    for stranger in [other_client, other_issuer, person("bob", &["netops"])] {
        let refused = lab.call_as(cx_of(stranger), "configure_device", one.clone()).await;
        assert_eq!(refused.unwrap_err().code(), "step_up_required");
    }
    // What was granted for a change is not one for something worse.
    assert_eq!(lab.refused("reload_device", one.clone()).await, "step_up_required");
    assert_eq!(lab.refused("approve_change", json!({})).await, "step_up_required");
    lab.clock.advance(15 * 60 + 1);
    assert_eq!(lab.refused("configure_device", one).await, "step_up_required");
    assert_eq!(lab.runs(), 2);
}

#[tokio::test]
async fn t4_an_elevation_for_something_disruptive_covers_one_call_with_these_arguments_once() {
    let lab = Lab::new().await;
    let (one, two) = (json!({"device": "dev-1"}), json!({"device": "dev-2"}));
    let refusal = lab.call("reload_device", one.clone()).await.unwrap_err();
    lab.elevate(&refusal, &alice()).await.unwrap();
    assert_eq!(lab.refused("reload_device", two).await, "step_up_required");
    assert_eq!(lab.refused("approve_change", json!({})).await, "step_up_required");
    lab.call("reload_device", one.clone()).await.unwrap();
    // Used up: the repeat gets a link again, and that link leads on.
    let refusal = lab.call("reload_device", one.clone()).await.unwrap_err();
    assert_eq!(refusal.code(), "step_up_required");
    assert_eq!(lab.runs(), 1);
    lab.elevate(&refusal, &alice()).await.unwrap();
    lab.call("reload_device", one).await.unwrap();
    assert_eq!(lab.runs(), 2);
}

#[tokio::test]
async fn t4_of_two_calls_at_once_only_one_gets_the_single_use_elevation() {
    let lab = Lab::new().await;
    let one = json!({"device": "dev-1"});
    let refusal = lab.call("reload_device", one.clone()).await.unwrap_err();
    lab.elevate(&refusal, &alice()).await.unwrap();
    let (a, b) = tokio::join!(lab.call("reload_device", one.clone()), lab.call("reload_device", one));
    let refused = [a, b].into_iter().filter_map(Result::err).collect::<Vec<_>>();
    assert_eq!((refused.len(), lab.runs()), (1, 1));
    assert!(["step_up_used", "step_up_required"].contains(&refused[0].code()), "{refused:?}");
}

#[tokio::test]
async fn t7_a_single_use_elevation_comes_back_when_the_call_could_not_begin() {
    let lab = Lab::new().await;
    let one = json!({"device": "dev-1"});
    let refusal = lab.call("reload_device", one.clone()).await.unwrap_err();
    lab.elevate(&refusal, &alice()).await.unwrap();
    lab.secrets.fail(true);
    assert_eq!(lab.refused("reload_device", one.clone()).await, "secrets_unavailable");
    lab.secrets.fail(false);
    lab.call("reload_device", one.clone()).await.unwrap();
    assert_eq!(lab.refused("reload_device", one).await, "step_up_required");
    assert_eq!(lab.runs(), 1);
}

#[tokio::test]
async fn t8_whatever_policy_says_disruptive_and_control_never_run_without_a_single_use_elevation() {
    let lab = Lab::new().await;
    lab.policy.swap(StaticPolicy::allowing());
    assert_eq!(lab.refused("reload_device", json!({"device": "dev-1"})).await, "step_up_required");
    assert_eq!(lab.refused("approve_change", json!({})).await, "step_up_required");
    assert_eq!(lab.runs(), 0);
}

#[tokio::test]
async fn t8_a_decision_that_contradicts_itself_does_not_run() {
    let lab = Lab::new().await;
    let mut allow_but_unmet = decision(Effect::Allow, &[("step_up", false)]);
    allow_but_unmet.allow = true;
    let mut allow_but_challenge = decision(Effect::Challenge, &[]);
    allow_but_challenge.allow = true;
    let mut effect_only = decision(Effect::Allow, &[]);
    effect_only.allow = false;
    let unknown_obligation = decision(Effect::Challenge, &[("two_keys", false)]);
    for (decision, code) in [
        (allow_but_unmet, "step_up_required"),
        (allow_but_challenge, "obligation_unmet"),
        (effect_only, "obligation_unmet"),
        (unknown_obligation, "obligation_unmet"),
    ] {
        lab.policy.decide_by(move |_| decision.clone());
        assert_eq!(lab.refused("add_note", json!({})).await, code);
    }
    assert_eq!(lab.runs(), 0);
}

#[tokio::test]
async fn t8_a_policy_that_fails_refuses() {
    let lab = Lab::new().await;
    lab.policy.swap(StaticPolicy::new(|_| {
        Err(Error::new(ErrorKind::Unavailable, "policy_unavailable", "Policy cannot be asked."))
    }));
    assert_eq!(lab.refused("read_thing", json!({})).await, "policy_unavailable");
    assert_eq!(lab.runs(), 0);
}

#[tokio::test]
async fn t11_change_required_names_every_unmet_obligation_and_where_to_read_on() {
    let lab = Lab::new().await;
    lab.policy.decide_by(|_| decision(Effect::Challenge, &[("change", false), ("step_up", false)]));
    let refusal = lab.call("configure_device", json!({"device": "dev-1"})).await.unwrap_err();
    assert_eq!((refusal.kind(), refusal.code()), (ErrorKind::Unmet, "change_required"));
    let unmet: Vec<_> = refusal.refusal().unmet.iter().map(|u| u.obligation.as_str()).collect();
    assert_eq!(unmet, ["change", "step_up"]);
    assert_eq!(refusal.refusal().url.as_deref(), Some("https://interlock.test/errors/change_required"));
}

#[tokio::test]
async fn t4_a_client_of_its_own_cannot_step_up() {
    let lab = Lab::new().await;
    let robot = Principal { kind: PrincipalKind::Client, ..person("robot", &["netops"]) };
    let refusal = lab.call_as(cx_of(robot), "configure_device", json!({"device": "dev-1"})).await.unwrap_err();
    assert_eq!(refusal.code(), "step_up_required");
    assert_eq!(refusal.refusal().url, None);
    assert_eq!(lab.recorded.count("store:put:elevation_requests"), 0);
}

#[tokio::test]
async fn t4_only_the_person_that_was_refused_with_a_fresh_second_factor_is_granted_anything() {
    let lab = Lab::new().await;
    let refusal = lab.call("configure_device", json!({"device": "dev-1"})).await.unwrap_err();
    let other = lab.elevate(&refusal, &person("bob", &["netops"])).await.unwrap_err();
    assert_eq!(other.code(), "elevation_other_person");
    let id = refusal.refusal().url.clone().unwrap().rsplit_once('/').unwrap().1.to_owned();
    let request = lab.road.elevations().find(&id).await.unwrap();
    let fresh = lab.fresh(&alice());
    let stale = fresh.auth_time.map(|at| at - 15 * 60 - 1);
    let future = fresh.auth_time.map(|at| at + 3600);
    for weak in [
        Principal { mfa: false, ..fresh.clone() },
        Principal { auth_time: None, ..fresh.clone() },
        Principal { auth_time: stale, ..fresh.clone() },
        Principal { auth_time: future, ..fresh.clone() },
    ] {
        assert_eq!(
            lab.road.elevations().grant(&request, (&weak).into()).await.unwrap_err().code(),
            "second_factor_missing"
        );
    }
    assert_eq!(lab.refused("configure_device", json!({"device": "dev-1"})).await, "step_up_required");
    // The link ends too.
    lab.clock.advance(31 * 60);
    assert_eq!(lab.road.elevations().find(&id).await.unwrap_err().code(), "elevation_request_unknown");
}

#[tokio::test]
async fn t7_a_decision_that_ran_out_before_the_reservation_does_not_run() {
    let lab = Lab::new().await;
    let clock = std::sync::Arc::clone(&lab.clock);
    lab.policy.decide_by(move |input| {
        // The window closes while the call is on its way.
        clock.advance(10);
        platform::policy::Decision { valid_until: Some(input.now + 5), ..decision(Effect::Allow, &[]) }
    });
    let refused = lab.call_as(keyed("k-1"), "add_note", json!({})).await;
    assert_eq!(refused.unwrap_err().code(), "decision_expired");
    assert_eq!((lab.runs(), lab.recorded.count("store:reserve_key")), (0, 0));
}

/// The last part of a refusal's link.
fn request_id(refusal: &Error) -> String {
    refusal.refusal().url.as_ref().unwrap().rsplit_once('/').unwrap().1.to_owned()
}

/// A policy that asks for a second factor where its author wants it, with facts of an elevation as the only proof.
fn careful() -> StaticPolicy {
    StaticPolicy::new(|input| {
        let met = input.elevation.is_some();
        let mut decision = decision(if met { Effect::Allow } else { Effect::Challenge }, &[("step_up", met)]);
        decision.valid_until = Some(input.now + 60);
        Ok(decision)
    })
}

#[tokio::test]
async fn t4_a_step_up_that_policy_asks_for_a_probe_or_a_read_can_be_met_and_ends_when_it_is_ended() {
    let lab = Lab::new().await;
    lab.policy.swap(careful());
    for (tool, arguments) in [("show_device", json!({"device": "dev-1"})), ("read_thing", json!({}))] {
        let refusal = lab.call(tool, arguments.clone()).await.unwrap_err();
        assert_eq!(refusal.code(), "step_up_required");
        lab.elevate(&refusal, &alice()).await.unwrap();
        lab.call(tool, arguments.clone()).await.unwrap();
        assert_eq!(lab.last_record().facts["step_up"]["by"], "elevation");
        lab.call(tool, arguments.clone()).await.unwrap();
        let held = lab.road.elevations().held(&alice().issuer, "alice").await.unwrap();
        assert_eq!((held.len(), held[0].single_use, held[0].tool.as_deref()), (1, false, None));
        lab.road.elevations().end(&alice().issuer, "alice", &held[0].id).await.unwrap();
        assert_eq!(lab.refused(tool, arguments).await, "step_up_required", "a kept decision outlived it");
    }
    assert_eq!(lab.runs(), 4);
}

#[tokio::test]
async fn t4_only_its_person_sees_and_ends_an_elevation() {
    let lab = Lab::new().await;
    let one = json!({"device": "dev-1"});
    for tool in ["configure_device", "reload_device"] {
        let refusal = lab.call(tool, one.clone()).await.unwrap_err();
        lab.elevate(&refusal, &alice()).await.unwrap();
    }
    let (road, issuer) = (lab.road.elevations(), alice().issuer);
    let held = road.held(&issuer, "alice").await.unwrap();
    assert_eq!(held.iter().filter(|h| h.tool.as_deref() == Some("reload_device") && h.single_use).count(), 1);
    assert_eq!(held.len(), 2);
    assert!(road.held(&issuer, "bob").await.unwrap().is_empty());
    assert!(road.held("https://other.test", "alice").await.unwrap().is_empty());
    for held in &held {
        assert_eq!(road.end(&issuer, "bob", &held.id).await.unwrap_err().code(), "elevation_unknown");
    }
    lab.call("configure_device", one.clone()).await.unwrap();
    assert_eq!(road.end_all(&issuer, "alice").await.unwrap(), 2);
    assert_eq!(lab.refused("configure_device", one.clone()).await, "step_up_required");
    assert_eq!(lab.refused("reload_device", one).await, "step_up_required");
}

#[tokio::test]
async fn t4_a_link_is_good_for_one_grant() {
    let lab = Lab::new().await;
    let refusal = lab.call("reload_device", json!({"device": "dev-1"})).await.unwrap_err();
    let (road, id) = (lab.road.elevations(), request_id(&refusal));
    let request = road.find(&id).await.unwrap();
    let fresh = lab.fresh(&alice());
    road.grant(&request, (&fresh).into()).await.unwrap();
    assert_eq!(road.find(&id).await.unwrap_err().code(), "elevation_request_unknown");
    // Nor by somebody who looked at it in time.
    assert_eq!(road.grant(&request, (&fresh).into()).await.unwrap_err().code(), "elevation_request_unknown");
}

#[tokio::test]
async fn t4_a_factor_that_was_given_before_the_refusal_opens_nothing_that_is_bound_to_one_call() {
    let lab = Lab::new().await;
    let earlier = lab.fresh(&alice());
    lab.clock.advance(60);
    let one = json!({"device": "dev-1"});
    let refusal = lab.call("reload_device", one.clone()).await.unwrap_err();
    let road = lab.road.elevations();
    let request = road.find(&request_id(&refusal)).await.unwrap();
    let refused = road.grant(&request, (&earlier).into()).await.unwrap_err();
    assert_eq!(refused.code(), "second_factor_missing");
    assert_eq!(lab.refused("reload_device", one.clone()).await, "step_up_required");
    // For a change it counts while it is fresh, and its fifteen minutes run from the factor.
    let refusal = lab.call("configure_device", one.clone()).await.unwrap_err();
    let request = road.find(&request_id(&refusal)).await.unwrap();
    let granted = road.grant(&request, (&earlier).into()).await.unwrap();
    assert_eq!(granted.facts.expires_at, earlier.auth_time.unwrap() + 15 * 60);
    lab.call("configure_device", one).await.unwrap();
}

#[tokio::test]
async fn t4_who_waits_for_an_answer_hears_of_it() {
    let lab = Lab::new().await;
    let refusal = lab.call("configure_device", json!({"device": "dev-1"})).await.unwrap_err();
    let id = request_id(&refusal);
    let road = lab.road.elevations();
    assert!(!road.answered(&id, std::time::Duration::ZERO).await.unwrap());
    let patience = std::time::Duration::from_secs(600);
    let alice = alice();
    let (answered, granted) = tokio::join!(road.answered(&id, patience), lab.elevate(&refusal, &alice));
    granted.unwrap();
    assert!(answered.unwrap());
    assert!(road.answered("nonesuch", patience).await.unwrap());
}

#[tokio::test]
async fn t4_the_request_tells_its_person_what_the_call_is_about() {
    let lab = Lab::new().await;
    let refusal = lab.call("reload_device", json!({"device": "dev-1"})).await.unwrap_err();
    let request = lab.road.elevations().find(&request_id(&refusal)).await.unwrap();
    let shown = format!("{:?}", request.shown);
    // The target under its verified name first, then what the caller wrote.
    assert!(request.shown.len() == 2 && shown.contains("Global/Lab") && shown.contains("dev-1"), "{shown}");
    assert_eq!(request.source, "127.0.0.1");
    // By a token it can never be met, and the refusal says so.
    assert_eq!(refusal.refusal().details, Some(json!({"by": ["elevation"], "max_age_s": 900})));
}
