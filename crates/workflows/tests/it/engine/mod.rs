//! Whole runs: the body on the engine that ships, real activities, the road with its gate, over a network of texts. Where to go
//! next: `network` for what a device and its controller do, `rig` for the rest, `holders` for two platforms over one store.

mod holders;
mod network;
mod rig;
mod standing;

use std::sync::Arc;

use change_control::model::attempt::Direction;
use change_control::model::change::{CancelMode, DeviceState, RunResult};
use change_control::model::plan::{OnStop, plan_hash};
use change_control::run::contract::SettledBy;
use change_control::run::steer::SettleRequest;
use change_control::view::meaning::Standing;
use change_control::{Change, ChangeBook, PlanOptions, State};
use platform::principal::PrincipalKind;
use platform::store::{Op, Store as _};
use platform::{CallContext, Clock as _, Principal};

use self::network::{Fault, RUNNING};
use self::rig::{Rig, cx_of, devices, trouble};

/// Without a soak.
fn quick() -> PlanOptions {
    PlanOptions { soak_s: 0, ..PlanOptions::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn checks_go_on_for_the_soak_and_then_the_startup_configuration_is_saved() {
    let rig = Rig::of(&["d1"]).await;
    let id = rig.started(&["d1"], PlanOptions { soak_s: 120, ..PlanOptions::default() }).await;
    rig.in_state(&id, State::Soaking).await;
    assert_eq!(rig.network.state().devices["d1"].startup, RUNNING);
    let change = rig.ended(&id).await;
    assert_eq!((change.state, trouble(&change)), (State::Done, ""));
    let device = rig.network.state().devices["d1"].clone();
    assert_eq!(device.startup, device.running);
}

#[tokio::test(flavor = "multi_thread")]
async fn t18_a_change_of_two_devices_is_locked_compared_applied_verified_and_done() {
    let rig = Rig::of(&["d1", "d2"]).await;
    let id = rig.started(&["d1", "d2"], quick()).await;
    let change = rig.ended(&id).await;
    assert_eq!((change.state, change.run.result), (State::Done, Some(RunResult::Complete)), "{:?}", change.trouble);
    assert_eq!(rig.network.reached(), ["d1 forward", "d2 forward"]);
    for id in ["d1", "d2"] {
        assert!(rig.network.running(id).contains("vlan 20\n name GUESTS"));
        assert_eq!(devices(&change)[id], DeviceState::Verified);
        let report = &change.run.devices[id].report;
        assert!(report.iter().all(|check| check.result == "passed") && report.len() == 2, "{report:?}");
    }
    assert!(change.run.fences.is_empty());
    let take = Op::TakeLock { name: "device:S-d1".into(), holder: "next".into(), lease_until: i64::MAX };
    rig.store.transact(vec![take]).await.unwrap();
    let states: Vec<State> = change.history.iter().map(|step| step.to).collect();
    let told = [State::Scheduled, State::Checking, State::Applying, State::Verifying, State::Done];
    assert!(told.iter().all(|state| states.contains(state)), "{states:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn t19_planned_on_friday_it_runs_on_sunday_with_nobody_signed_in() {
    let rig = Rig::of(&["d1"]).await;
    let (change, plan) = rig.planned(&["d1"], quick()).await;
    rig.approved(&change, &plan, (2 * 86_400, 2 * 86_400 + 36_000)).await;
    rig.in_state(&change.id, State::Scheduled).await;
    assert!(rig.network.reached().is_empty());
    rig.clock.advance(2 * 86_400);
    assert_eq!(rig.ended(&change.id).await.state, State::Done);
}

#[tokio::test(flavor = "multi_thread")]
async fn t19_a_disabled_account_stops_the_run_before_the_next_device_and_what_was_written_is_undone() {
    let rig = Rig::of(&["d1", "d2"]).await;
    rig.network.fail("d1", &[Fault::ManagementLost]);
    let id = rig.started(&["d1", "d2"], quick()).await;
    rig.in_state(&id, State::Held).await;
    rig.floors.0.lock().unwrap().push("alice".to_owned());
    rig.network.state().devices.get_mut("d1").unwrap().unreachable = false;
    let change = rig.ended(&id).await;
    assert_eq!((change.state, trouble(&change)), (State::Undone, "grant_revoked"));
    assert_eq!(rig.network.reached(), ["d1 forward", "d1 undo"]);
    assert_eq!(change.run.result, Some(RunResult::Restored));
}

#[tokio::test(flavor = "multi_thread")]
async fn t18_a_configuration_edited_by_hand_after_the_approval_stops_it_with_both_digests() {
    let rig = Rig::of(&["d1"]).await;
    let (change, plan) = rig.planned(&["d1"], quick()).await;
    rig.network.state().devices.get_mut("d1").unwrap().running = RUNNING.replace("desk", "printer");
    rig.approved(&change, &plan, (0, 36_000)).await;
    let change = rig.ended(&change.id).await;
    assert_eq!((change.state, trouble(&change)), (State::Stale, "plan_stale"));
    let detail = &change.trouble.unwrap().detail;
    assert!(detail["planned"].is_string() && detail["found"].is_string() && detail["planned"] != detail["found"]);
    assert!(rig.network.reached().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn t18_a_template_version_committed_after_the_approval_stops_it() {
    let rig = Rig::of(&["d1"]).await;
    let (change, plan) = rig.planned(&["d1"], quick()).await;
    let newer = ("t-v2".to_owned(), "vlan 30\n".to_owned());
    rig.network.state().templates.get_mut("t").unwrap().push(newer);
    rig.approved(&change, &plan, (0, 36_000)).await;
    let change = rig.ended(&change.id).await;
    assert_eq!((change.state, trouble(&change)), (State::Stale, "plan_stale"));
}

#[tokio::test(flavor = "multi_thread")]
async fn t15_a_plan_of_a_type_that_is_another_by_now_does_not_run() {
    for digest in [Some("00".repeat(32)), None] {
        let rig = Rig::of(&["d1"]).await;
        let (mut change, mut plan) = rig.planned(&["d1"], quick()).await;
        assert!(plan.change_type.digest.is_some());
        // As another program would have planned and hashed it.
        plan.change_type.digest = digest;
        change.plan.as_mut().unwrap().hash = plan_hash(&plan).unwrap();
        let reference = change.plan.clone();
        let edit = |kept: &mut Change| {
            kept.plan.clone_from(&reference);
            Ok(((), vec![ChangeBook::put_plan(&kept.id, &plan)?]))
        };
        rig.changes.book().update(&change.id, edit).await.unwrap();
        rig.approved(&change, &plan, (0, 36_000)).await;
        let ended = rig.ended(&change.id).await;
        assert_eq!((ended.state, trouble(&ended)), (State::Stale, "plan_stale"));
        let detail = &ended.trouble.as_ref().unwrap().detail;
        assert_eq!(detail["compared"], "change_type");
        assert_ne!(detail["planned"]["digest"], detail["found"]["digest"]);
        assert!(rig.network.reached().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_rejected_inside_a_success_fails_the_device_quotes_it_and_undoes_all() {
    let rig = Rig::of(&["d1", "d2"]).await;
    rig.network.fail("d2", &[Fault::LineRejected]);
    let id = rig.started(&["d1", "d2"], quick()).await;
    let change = rig.ended(&id).await;
    assert_eq!((change.state, trouble(&change)), (State::Undone, "applied_with_differences"));
    assert_eq!(rig.network.reached(), ["d1 forward", "d2 forward", "d2 undo", "d1 undo"]);
    let quoted = &change.trouble.as_ref().unwrap().detail["device_errors"];
    assert_eq!(quoted[0], "% Invalid input detected at '^' marker.");
    for id in ["d1", "d2"] {
        assert_eq!(devices(&change)[id], DeviceState::Restored);
        assert!(!rig.network.running(id).contains("vlan 20"));
    }
    assert_eq!(change.run.result, Some(RunResult::Restored));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_half_applies_is_undone_and_the_report_says_what_was_compared() {
    let rig = Rig::of(&["d1"]).await;
    rig.network.fail("d1", &[Fault::HalfApplied]);
    let id = rig.started(&["d1"], quick()).await;
    let change = rig.ended(&id).await;
    assert_eq!((change.state, trouble(&change)), (State::Undone, "step_failed"));
    let report = &change.run.devices["d1"].report;
    let forward: Vec<&str> =
        report.iter().filter(|c| c.direction == Direction::Forward).map(|c| c.result.as_str()).collect();
    assert_eq!(forward, ["failed"], "nothing is said of checks that were not made");
}

#[tokio::test(flavor = "multi_thread")]
async fn t20_a_lost_reply_is_settled_by_the_controllers_records_and_nothing_is_sent_twice() {
    let rig = Rig::of(&["d1", "d2"]).await;
    rig.network.fail("d1", &[Fault::ReplyLost]);
    let id = rig.started(&["d1", "d2"], quick()).await;
    assert_eq!(rig.ended(&id).await.state, State::Done);
    assert_eq!(rig.network.reached(), ["d1 forward", "d2 forward"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn t20_a_lost_request_is_sent_again_only_after_the_settle_time_under_another_number() {
    let rig = Rig::of(&["d1"]).await;
    rig.network.fail("d1", &[Fault::RequestLost]);
    let id = rig.started(&["d1"], quick()).await;
    let began = rig.clock.now();
    let change = rig.ended(&id).await;
    assert_eq!(change.state, State::Done);
    assert_eq!(rig.network.reached(), ["d1 forward"]);
    assert_eq!(change.run.devices["d1"].attempts[&Direction::Forward], 2);
    assert!(rig.clock.now().as_second() - began.as_second() >= 345);
}

fn program(name: &str) -> CallContext {
    let mut cx = cx_of(name);
    cx.principal = Arc::new(Principal { kind: PrincipalKind::Client, ..Principal::clone(&cx.principal) });
    cx
}

#[tokio::test(flavor = "multi_thread")]
async fn t20_what_cannot_be_told_parks_the_run_until_a_person_settles_it() {
    for outcome in [SettledBy::Done, SettledBy::NotDone] {
        let rig = Rig::of(&["d1", "d2"]).await;
        rig.network.fail("d1", &[Fault::Hidden]);
        let id = rig.started(&["d1", "d2"], quick()).await;
        let change = rig.in_state(&id, State::Parked).await;
        assert_eq!(trouble(&change), "outcome_unknown");
        assert!(!change.run.fences.is_empty(), "it keeps its locks");
        let request = SettleRequest { outcome, reason: "I looked at the device.".to_owned() };
        let refused = rig.changes.settle(&program("alice"), &id, request.clone()).await.unwrap_err();
        assert_eq!(refused.code(), "settled_by_person");
        let mut stranger = cx_of("eve");
        stranger.principal = Arc::new(platform_suites::tokens::person("eve", &[]));
        let stranger = rig.changes.settle(&stranger, &id, request.clone()).await;
        assert_eq!(stranger.unwrap_err().code(), "change_unknown");
        rig.changes.settle(&cx_of("alice"), &id, request.clone()).await.unwrap();
        let again = rig.changes.settle(&cx_of("alice"), &id, request).await.unwrap_err();
        assert_eq!(again.code(), "change_state");
        assert!(rig.audit.entries().iter().any(|entry| entry.action == "change.settled"));
        let change = rig.ended(&id).await;
        match outcome {
            SettledBy::Done => {
                assert_eq!(change.state, State::Done, "{:?}", change.trouble);
                assert_eq!(rig.network.reached(), ["d1 forward", "d2 forward"]);
            }
            // It had happened: the comparison before another try finds that out, and the run does not write over it.
            SettledBy::NotDone => {
                assert_eq!((change.state, trouble(&change)), (State::Undone, "plan_stale"));
                assert_eq!(rig.network.reached(), ["d1 forward", "d1 undo"]);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_whose_management_is_lost_holds_the_run_and_an_undo_of_it_is_honest() {
    let rig = Rig::of(&["d1", "d2"]).await;
    rig.network.fail("d2", &[Fault::ManagementLost]);
    let id = rig.started(&["d1", "d2"], quick()).await;
    let held = rig.in_state(&id, State::Held).await;
    assert_eq!(trouble(&held), "target_unreachable");
    rig.changes.undo(&cx_of("bob"), &id, "It does not come back.").await.unwrap();
    let change = rig.ended(&id).await;
    assert_eq!((change.state, change.run.result), (State::UndoFailed, Some(RunResult::NotRestored)));
    assert_eq!((devices(&change)["d1"], devices(&change)["d2"]), (DeviceState::Restored, DeviceState::NotRestored));
    assert_eq!(change.run.devices["d2"].by_hand, ["no vlan 20"]);
    assert!(change.run.devices["d1"].by_hand.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_that_answers_nothing_for_minutes_holds_the_run_until_it_does() {
    let rig = Rig::of(&["d1", "d2"]).await;
    rig.network.fail("d1", &[Fault::ReplyLost]);
    let (change, plan) = rig.planned(&["d1", "d2"], quick()).await;
    rig.network.state().down = true;
    rig.approved(&change, &plan, (0, 36_000)).await;
    let held = rig.in_state(&change.id, State::Held).await;
    assert!(held.run.goes_on_at_ms.is_some_and(|at| at >= held.updated_at_ms), "{:?}", held.run.goes_on_at_ms);
    let shown = rig.changes.view(&cx_of("alice"), &change.id).await.unwrap();
    if shown.state == State::Held {
        assert_eq!(shown.status, Standing::InProgress);
        assert!(shown.message.contains("goes on by itself") && shown.goes_on_at.is_some(), "{}", shown.message);
        assert_eq!(shown.next.as_ref().map(|next| next.tool.as_str()), Some("get_change"));
        assert!(!shown.possible.iter().any(|tool| tool == "resume_change"), "{:?}", shown.possible);
    }
    let since = held.updated_at_ms;
    let still = rig.until(&change.id, |_| rig.clock.now().as_millisecond() > since + 300_000).await;
    assert_eq!((still.state, trouble(&still)), (State::Held, "target_unreachable"));
    rig.network.state().down = false;
    assert_eq!(rig.ended(&change.id).await.state, State::Done);
    assert_eq!(rig.network.reached(), ["d1 forward", "d2 forward"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn t22_what_went_on_by_itself_and_now_needs_a_person_says_so_anew() {
    let rig = Rig::of(&["d1"]).await;
    rig.network.fail("d1", &[Fault::ManagementLost]);
    let (change, plan) = rig.planned(&["d1"], PlanOptions { on_stop: OnStop::Hold, ..quick() }).await;
    rig.approved(&change, &plan, (0, 1_200)).await;
    let by_itself = rig.in_state(&change.id, State::Held).await;
    assert!(by_itself.run.goes_on_at_ms.is_some(), "{:?}", by_itself.trouble);
    let waits = rig.until(&change.id, |c| c.state == State::Held && c.run.goes_on_at_ms.is_none()).await;
    let told: Vec<&str> = waits.history.iter().filter(|t| t.to == State::Held).map(|t| t.why.as_str()).collect();
    assert_eq!(told.last(), Some(&"it waits for a person"), "{told:?}");
    let shown = rig.changes.view(&cx_of("alice"), &change.id).await.unwrap();
    assert_eq!((shown.status, shown.goes_on_at.as_ref(), shown.next.as_ref()), (Standing::Waiting, None, None));
    let stops: Vec<_> = rig.audit.entries().into_iter().filter(|entry| entry.action == "change.stopped").collect();
    assert_eq!(stops.last().map(|entry| &entry.facts["why"]), Some(&"it waits for a person".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn t18_a_device_that_another_change_holds_is_waited_for_and_its_holder_named() {
    let rig = Rig::of(&["d1", "d2"]).await;
    let (second, plan) = rig.planned(&["d1"], quick()).await;
    rig.network.fail("d2", &[Fault::Hidden]);
    let first = rig.started(&["d1", "d2"], quick()).await;
    rig.in_state(&first, State::Parked).await;
    rig.approved(&second, &plan, (0, 36_000)).await;
    let waits = rig.until(&second.id, |change| trouble(change) == "device_locked").await;
    assert_eq!((waits.state, &waits.trouble.unwrap().detail["holder"]), (State::Scheduled, &first.to_string().into()));
    let request = SettleRequest { outcome: SettledBy::Done, reason: "It is there.".to_owned() };
    rig.changes.settle(&cx_of("alice"), &first, request).await.unwrap();
    assert_eq!(rig.ended(&first).await.state, State::Done);
    let change = rig.ended(&second.id).await;
    assert_eq!((change.state, trouble(&change)), (State::Stale, "plan_stale"), "the first has changed the device");
}

#[tokio::test(flavor = "multi_thread")]
async fn t18_a_holder_that_paused_beyond_its_lease_writes_nothing_until_it_has_locked_and_compared_again() {
    let rig = Rig::of(&["d1", "d2"]).await;
    rig.network.fail("d1", &[Fault::ManagementLost]);
    let id = rig.started(&["d1", "d2"], quick()).await;
    rig.in_state(&id, State::Held).await;
    rig.clock.advance(700);
    let (now, name) = (rig.clock.epoch_seconds(), "device:S-d2".to_owned());
    let take = Op::TakeLock { name: name.clone(), holder: "somebody".into(), lease_until: now + 400 };
    rig.store.transact(vec![take]).await.unwrap();
    {
        let mut state = rig.network.state();
        state.devices.get_mut("d1").unwrap().unreachable = false;
        // What the other holder did.
        let device = state.devices.get_mut("d2").unwrap();
        device.running = device.running.replace("desk", "printer");
    }
    let lost = rig.until(&id, |change| trouble(change) == "device_locked").await;
    assert_eq!(lost.state, State::Held);
    assert_eq!(rig.network.reached(), ["d1 forward"]);
    let change = rig.ended(&id).await;
    assert_eq!((change.state, trouble(&change)), (State::Undone, "plan_stale"));
    assert_eq!(rig.network.reached(), ["d1 forward", "d1 undo"], "d2 was not written to");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_process_died_goes_on_where_it_was_and_sends_nothing_twice() {
    let mut rig = Rig::of(&["d1", "d2"]).await;
    rig.network.fail("d1", &[Fault::ReplyLost]);
    let id = rig.started(&["d1", "d2"], quick()).await;
    for at in [State::Checking, State::Applying, State::Verifying] {
        rig.until(&id, |change| change.state.is_terminal() || change.history.iter().any(|step| step.to == at)).await;
        rig.crash();
    }
    let change = rig.ended(&id).await;
    assert_eq!(change.state, State::Done, "{:?}", change.trouble);
    assert_eq!(rig.network.reached(), ["d1 forward", "d2 forward"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn t22_what_was_cancelled_before_it_began_does_not_run() {
    let rig = Rig::of(&["d1"]).await;
    let (change, plan) = rig.planned(&["d1"], quick()).await;
    rig.approved(&change, &plan, (3_600, 7_200)).await;
    rig.in_state(&change.id, State::Scheduled).await;
    let cancelled = rig.changes.cancel(&cx_of("alice"), &change.id, CancelMode::Hold, "Not today.").await.unwrap();
    assert_eq!(cancelled.state, State::Cancelled);
    rig.clock.advance(4_000);
    rig.changes.starter().unwrap().nudge(&change.id).await.unwrap();
    assert!(rig.changes.resume(&cx_of("alice"), &change.id, "Yes, today.").await.is_err());
    assert!(rig.network.reached().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn t19_undoing_what_is_done_drafts_another_change() {
    let rig = Rig::of(&["d1"]).await;
    let id = rig.started(&["d1"], quick()).await;
    rig.ended(&id).await;
    let drafted = Box::pin(rig.changes.undo(&cx_of("alice"), &id, "Guests are gone.")).await.unwrap();
    assert_eq!((drafted.state, drafted.undoes.as_ref()), (State::Planning, Some(&id)));
    Box::pin(rig.changes.make_plan(&drafted.id)).await.unwrap();
    let drafted = rig.change(&drafted.id).await;
    assert_eq!(drafted.state, State::Planned, "{:?}", drafted.trouble);
    let plan = rig.changes.book().plan(&drafted.id).await.unwrap().unwrap();
    rig.approved(&drafted, &plan, (0, 36_000)).await;
    assert_eq!(rig.ended(&drafted.id).await.state, State::Done);
    assert!(!rig.network.running("d1").contains("vlan 20"));
}
