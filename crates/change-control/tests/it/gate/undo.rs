//! T19: what undoes a run rests on the approved plan alone, and goes no further than it.

use change_control::State;
use change_control::model::attempt::Direction;
use platform::audit::Phase;
use platform::context::RunStep;
use platform::{Clock as _, Error};
use tool_runtime::change_gate::LOCK_LEASE_S;

use super::rig::{DEVICES, Rig, denies, handle};

fn code<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    result.unwrap_err().code().to_owned()
}

#[tokio::test]
async fn t19_an_undo_goes_on_whatever_became_of_policy_window_and_requester() {
    let rig = Rig::new().await;
    let change = rig.applying().await;
    rig.forward(&change, "dev-1").await.unwrap();
    rig.edit(&change, |change| change.state = State::Undoing).await;
    rig.decide(denies);
    let now = rig.clock.epoch_seconds();
    rig.floors.0.lock().unwrap().push(("alice".into(), None, now));
    // After the window, and within the day.
    rig.clock.advance(20_000);
    let fences = rig.lock(&change.id, &DEVICES).await;
    rig.edit(&change, |change| change.run.fences.clone_from(&fences)).await;
    let attempt = rig.announce(&change, "dev-1", Direction::Undo, 1).await;
    rig.send(&change, &attempt).await.unwrap();
    assert_eq!(rig.applied(), 2);
    let entries = rig.audit.entries();
    let intent = entries.iter().rev().find(|e| e.phase == Phase::Intent).unwrap();
    assert!(intent.undo, "the record would not go on when the disk is full");
    assert_eq!(intent.decision.as_ref().unwrap().reasons, ["grant:approved_plan"]);
    // So does following it, and looking at what was written forward.
    for undo in [true, false] {
        let run = RunStep { change: change.id.to_string(), undo, attempt: None };
        let ports = rig.changes.ports(&change, Some(run)).unwrap();
        ports.poll("dev-1", &handle()).await.unwrap();
        // Of a device that nothing was written to, there is nothing to look at.
        assert_eq!(code(ports.poll("dev-2", &handle()).await), if undo { "denied" } else { "grant_revoked" });
    }
}

#[tokio::test]
async fn t19_an_undo_is_for_devices_that_the_run_has_written_to() {
    let rig = Rig::new().await;
    let change = rig.applying().await;
    rig.forward(&change, "dev-1").await.unwrap();
    rig.edit(&change, |change| change.state = State::Undoing).await;
    let attempt = rig.announce(&change, "dev-2", Direction::Undo, 1).await;
    assert_eq!(code(rig.send(&change, &attempt).await), "run_step_refused");
    assert_eq!(rig.applied(), 1);
}

#[tokio::test]
async fn t19_an_undo_belongs_to_a_change_that_undoes() {
    let rig = Rig::new().await;
    let change = rig.applying().await;
    rig.forward(&change, "dev-1").await.unwrap();
    let attempt = rig.announce(&change, "dev-1", Direction::Undo, 1).await;
    for state in [State::Applying, State::Held, State::Parked, State::Done] {
        rig.edit(&change, |change| change.state = state).await;
        assert_eq!(code(rig.send(&change, &attempt).await), "run_step_refused", "{state}");
    }
    assert_eq!(rig.applied(), 1);
}

#[tokio::test]
async fn t19_an_undo_has_the_bytes_of_the_plan() {
    let rig = Rig::new().await;
    let change = rig.applying().await;
    rig.forward(&change, "dev-1").await.unwrap();
    rig.edit(&change, |change| change.state = State::Undoing).await;
    let attempt = rig.announce(&change, "dev-1", Direction::Undo, 1).await;
    let mut forward = attempt.clone();
    forward.step = super::rig::step(&change.id, "dev-1", Direction::Forward);
    rig.put(&forward, platform::store::Expect::Any).await;
    assert_eq!(code(rig.send(&change, &forward).await), "not_in_plan");
    assert_eq!(rig.applied(), 1);
}

#[tokio::test]
async fn t19_an_undo_ends_a_day_after_the_last_forward_step() {
    let rig = Rig::new().await;
    let change = rig.applying().await;
    rig.forward(&change, "dev-1").await.unwrap();
    rig.edit(&change, |change| change.state = State::Undoing).await;
    rig.clock.advance(86_400);
    let fences = rig.lock(&change.id, &DEVICES).await;
    rig.edit(&change, |change| change.run.fences.clone_from(&fences)).await;
    let attempt = rig.announce(&change, "dev-1", Direction::Undo, 1).await;
    assert_eq!(code(rig.send(&change, &attempt).await), "grant_expired");
    assert_eq!(rig.applied(), 1);
}

#[tokio::test]
async fn t18_an_undo_needs_the_lock_as_well() {
    let rig = Rig::new().await;
    let change = rig.applying().await;
    rig.forward(&change, "dev-1").await.unwrap();
    rig.edit(&change, |change| change.state = State::Undoing).await;
    rig.clock.advance(LOCK_LEASE_S + 1);
    rig.lock(&change_control::ChangeId::mint(), &["dev-1"]).await;
    let attempt = rig.announce(&change, "dev-1", Direction::Undo, 1).await;
    assert_eq!(code(rig.send(&change, &attempt).await), "lock_lost");
    assert_eq!(rig.applied(), 1);
}
