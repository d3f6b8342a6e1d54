//! T15, T19: a run does what its plan holds, in its requester's name, and nothing else.

use change_control::State;
use change_control::model::attempt::{AttemptOutcome, Direction};
use platform::audit::Phase;
use platform::policy::Risk;
use platform::store::Expect;
use platform::{Clock as _, Error};
use serde_json::json;
use tool_runtime::ports::config_changer::{Carrier, StepSpec};

use super::rig::{Rig, denies, handle};

fn code<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    result.unwrap_err().code().to_owned()
}

#[tokio::test]
async fn t19_a_run_makes_the_steps_of_its_plan_and_the_record_says_by_what() {
    let rig = Rig::new().await;
    let change = rig.applying().await;
    for device in super::rig::DEVICES {
        rig.forward(&change, device).await.unwrap();
    }
    let applied: Vec<String> = rig.controller.applied.lock().unwrap().iter().map(|s| s.device_id.clone()).collect();
    assert_eq!(applied, super::rig::DEVICES);
    let entries = rig.audit.entries();
    let intent = entries.iter().find(|e| e.phase == Phase::Intent).unwrap();
    assert_eq!(intent.facts["change"], json!(change.id));
    assert_eq!(intent.facts["change_grant"], json!({"by": "grant", "undo": false, "approvers": 1}));
    assert_eq!(intent.actor.as_ref().unwrap().subject, "alice");
    assert!(!intent.undo && intent.payload.is_some());
}

#[tokio::test]
async fn t15_a_step_that_is_not_the_plans_is_not_sent() {
    let rig = Rig::new().await;
    let change = rig.applying().await;
    let attempt = rig.announce(&change, "dev-1", Direction::Forward, 1).await;
    let edits: [fn(&mut StepSpec); 4] = [
        |step| drop(step.params.insert("vlan".into(), json!(21))),
        |step| drop(step.params.insert("name".into(), json!("x"))),
        |step| drop(step.params.remove("vlan")),
        |step| step.carrier = Carrier { template_id: "tpl-1".into(), version_id: "v-4".into() },
    ];
    for edit in edits {
        // Also where the announced attempt says the same: the plan is what was approved.
        let mut announced = attempt.clone();
        edit(&mut announced.step);
        assert_eq!(code(rig.send_step(&change, &attempt, &announced.step).await), "not_in_plan");
        rig.put(&announced, Expect::Any).await;
        assert_eq!(code(rig.send(&change, &announced).await), "not_in_plan");
        rig.put(&attempt, Expect::Any).await;
    }
    let mut other = attempt.step.clone();
    other.device_id = "dev-9".into();
    assert_eq!(code(rig.send_step(&change, &attempt, &other).await), "not_in_plan");
    assert_eq!(rig.applied(), 0);
    rig.send(&change, &attempt).await.unwrap();
}

#[tokio::test]
async fn t15_a_device_that_was_replaced_is_not_the_one_of_the_plan() {
    let rig = Rig::new().await;
    let change = rig.applying().await;
    rig.controller.replaced.lock().unwrap().insert("dev-1".into(), "SN-new".into());
    assert_eq!(code(rig.forward(&change, "dev-1").await), "not_in_plan");
    assert_eq!(rig.applied(), 0);
}

#[tokio::test]
async fn t20_only_the_announced_call_is_sent_and_only_once() {
    let rig = Rig::new().await;
    let change = rig.applying().await;
    let attempt = rig.announce(&change, "dev-1", Direction::Forward, 1).await;
    let other = change_control::model::attempt::Attempt {
        call_id: platform::context::RequestId::mint().to_string(),
        ..attempt.clone()
    };
    assert_eq!(code(rig.send(&change, &other).await), "run_step_refused");
    for (handle, outcome) in
        [(Some(handle()), AttemptOutcome::Open), (None, AttemptOutcome::Accepted), (None, AttemptOutcome::NotDone)]
    {
        let sent = change_control::model::attempt::Attempt { handle, outcome, ..attempt.clone() };
        rig.put(&sent, Expect::Any).await;
        assert_eq!(code(rig.send(&change, &attempt).await), "run_step_refused");
    }
    rig.put(&attempt, Expect::Any).await;
    rig.send(&change, &attempt).await.unwrap();
    // The same call again is answered and not made.
    assert!(rig.send(&change, &attempt).await.is_ok());
    assert_eq!(rig.applied(), 1);
}

#[tokio::test]
async fn t19_forward_steps_belong_to_a_change_that_applies() {
    let rig = Rig::new().await;
    let change = rig.applying().await;
    let attempt = rig.announce(&change, "dev-1", Direction::Forward, 1).await;
    for state in [State::Checking, State::Held, State::Parked, State::Undoing, State::Done, State::Cancelled] {
        rig.edit(&change, |change| change.state = state).await;
        assert_eq!(code(rig.send(&change, &attempt).await), "run_step_refused", "{state}");
    }
    assert_eq!(rig.applied(), 0);
}

#[tokio::test]
async fn t19_the_window_and_the_budget_bound_forward_steps() {
    let rig = Rig::new().await;
    let late = rig.applying().await;
    let attempt = rig.announce(&late, "dev-1", Direction::Forward, 1).await;
    rig.clock.advance(3_600);
    assert_eq!(code(rig.send(&late, &attempt).await), "grant_expired");

    let rig = Rig::new().await;
    let change = rig.applying_as(|_| {}, |grant| grant.writes = 1).await;
    rig.forward(&change, "dev-1").await.unwrap();
    assert_eq!(code(rig.forward(&change, "dev-2").await), "not_in_plan");
    assert_eq!(rig.applied(), 1);
}

#[tokio::test]
async fn t19_the_policy_of_now_is_asked_for_every_forward_step() {
    let rig = Rig::new().await;
    let change = rig.applying().await;
    rig.decide(denies);
    assert_eq!(code(rig.forward(&change, "dev-1").await), "denied");
    assert_eq!(code(rig.changes.still_allowed(&change).await), "denied");
    assert_eq!(rig.applied(), 0);
}

#[tokio::test]
async fn t21_a_step_that_the_plan_calls_disruptive_is_asked_about_as_one_and_needs_two() {
    let rig = Rig::new().await;
    let disruptive = |plan: &mut change_control::model::plan::PublicPlan| plan.devices[0].risk = Risk::Disruptive;
    let one = rig.applying_as(disruptive, |_| {}).await;
    let attempt = rig.announce(&one, "dev-1", Direction::Forward, 1).await;
    assert_eq!(code(rig.send(&one, &attempt).await), "change_required");
    // Whatever a policy says (T8).
    rig.decide(|_| Ok(platform_suites::StaticPolicy::decision(platform::policy::Effect::Allow, &["grant:all"])));
    assert_eq!(code(rig.send(&one, &attempt).await), "grant_invalid");
    rig.forward(&one, "dev-2").await.unwrap();
    assert_eq!(rig.applied(), 1);
}

#[tokio::test]
async fn t3_an_ended_account_or_a_lost_group_stops_forward_steps() {
    for (who, group) in [("alice", None), ("bob", None), ("alice", Some("netops")), ("bob", Some("netops"))] {
        let rig = Rig::new().await;
        let change = rig.applying().await;
        rig.forward(&change, "dev-1").await.unwrap();
        let now = rig.clock.epoch_seconds();
        rig.floors.0.lock().unwrap().push((who.to_owned(), group.map(str::to_owned), now));
        assert_eq!(code(rig.forward(&change, "dev-2").await), "grant_revoked", "{who} {group:?}");
        assert_eq!(code(rig.changes.still_allowed(&change).await), "grant_revoked");
        assert!(rig.changes.revoked_since(&change));
        assert_eq!(rig.applied(), 1);
    }
    let rig = Rig::new().await;
    let change = rig.applying().await;
    let now = rig.clock.epoch_seconds();
    rig.floors.0.lock().unwrap().extend([
        ("carol".to_owned(), None, now),
        ("alice".to_owned(), Some("admin".to_owned()), now),
        ("bob".to_owned(), None, now - 3_600),
    ]);
    rig.changes.still_allowed(&change).await.unwrap();
    rig.forward(&change, "dev-1").await.unwrap();
}

#[tokio::test]
async fn t19_a_run_that_waited_until_sunday_goes_on_without_its_requester() {
    let rig = Rig::new().await;
    let window = change_control::model::submission::Window {
        not_before_ms: rig.now_ms() + 2 * 86_400_000,
        not_after_ms: rig.now_ms() + 3 * 86_400_000,
    };
    let change = rig.applying_in(window).await;
    let attempt = rig.announce(&change, "dev-1", Direction::Forward, 1).await;
    assert_eq!(code(rig.send(&change, &attempt).await), "grant_expired");
    rig.clock.advance(2 * 86_400 + 60);
    let fences = rig.lock(&change.id, &super::rig::DEVICES).await;
    rig.edit(&change, |change| change.run.fences.clone_from(&fences)).await;
    rig.send(&change, &attempt).await.unwrap();
    assert_eq!(rig.applied(), 1);
}
