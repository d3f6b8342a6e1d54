//! The way there: order, re-check, stop rules, soak, wishes to stop.

use change_control::State;
use change_control::model::change::{CancelMode, DeviceState, RunResult};
use change_control::model::plan::{OnStop, SaveStartup};
use change_control::run::contract::{Entered, Followed, Rechecked, Saved, Sent, Settling, Verified};
use workflow_api::WorkflowError;

use crate::script::{World, trouble};

#[test]
fn t18_all_devices_are_compared_first_and_each_batch_again_before_it() {
    let mut world = World::of(&["d1", "d2"]);
    world.outline.save_startup = SaveStartup::AfterSoak;
    let ended = world.run();
    assert_eq!(ended.end(), (State::Done, String::new()));
    assert_eq!(ended.finished.as_ref().unwrap().result, Some(RunResult::Complete));
    assert_eq!(
        ended.log,
        [
            "enter",
            "recheck d1,d2",
            "apply d1 forward 1",
            "follow d1 forward",
            "verify d1 forward",
            "recheck d2",
            "apply d2 forward 1",
            "follow d2 forward",
            "verify d2 forward",
            "save d1,d2",
        ]
    );
    assert!(!ended.locked);
}

#[test]
fn t22_a_run_waits_for_its_window_and_for_devices_that_others_hold() {
    let mut world = World::of(&["d1"]);
    world
        .answer("enter", Entered::Wait { again_in_ms: 3_600_000 })
        .answer("enter", Entered::Wait { again_in_ms: 5_000 });
    let ended = world.run();
    assert_eq!((ended.end().0, ended.waits), (State::Done, 2));
    let mut world = World::of(&["d1"]);
    world.answer("enter", Entered::Ended);
    let ended = world.run();
    assert!(ended.finished.is_none() && ended.sent().is_empty(), "what ended before is not run");
}

#[test]
fn t18_a_device_that_is_not_as_planned_stops_before_anything_is_written() {
    let mut world = World::of(&["d1", "d2"]);
    world.answer("recheck", Rechecked::Stale { trouble: trouble("plan_stale") });
    let ended = world.run();
    assert_eq!(ended.end(), (State::Stale, "plan_stale".to_owned()));
    assert!(ended.sent().is_empty());
}

#[test]
fn t18_a_device_that_changed_before_a_later_batch_stops_the_run_and_undoes_it() {
    let mut world = World::of(&["d1", "d2"]);
    world.answer("recheck", Rechecked::Good { skip: vec![] });
    world.answer("recheck", Rechecked::Stale { trouble: trouble("plan_stale") });
    let ended = world.run();
    assert_eq!(ended.end(), (State::Undone, "plan_stale".to_owned()));
    assert_eq!(ended.sent(), ["d1 forward 1", "d1 undo 1"]);
}

#[test]
fn t18_a_device_may_be_left_out_where_the_plan_says_so() {
    let mut world = World::of(&["d1", "d2"]);
    world.answer("recheck", Rechecked::Good { skip: vec!["d1".to_owned()] });
    let ended = world.run();
    assert_eq!(ended.sent(), ["d2 forward 1"]);
    assert_eq!(ended.devices["d1"], DeviceState::Skipped);
    assert_eq!(ended.finished.as_ref().unwrap().result, Some(RunResult::Partial));
    let mut world = World::of(&["d1"]);
    world.answer("recheck", Rechecked::Good { skip: vec!["d1".to_owned()] });
    assert_eq!(world.run().end().0, State::Stale, "with all of them left out there is nothing to do");
}

#[test]
fn t19_who_may_not_any_more_stops_before_the_next_device() {
    let mut world = World::of(&["d1", "d2"]);
    world.answer("recheck", Rechecked::Refused { trouble: trouble("run_ended") });
    assert_eq!(world.run().end(), (State::Voided, "run_ended".to_owned()));
    let mut world = World::of(&["d1", "d2"]);
    world.answer("recheck", Rechecked::Good { skip: vec![] });
    world.answer("recheck", Rechecked::Refused { trouble: trouble("run_ended") });
    let ended = world.run();
    assert_eq!(ended.end(), (State::Undone, "run_ended".to_owned()));
    assert_eq!(ended.sent(), ["d1 forward 1", "d1 undo 1"]);
}

#[test]
fn t18_what_cannot_be_read_holds_the_run_until_it_can() {
    let mut world = World::of(&["d1"]);
    for _ in 0..3 {
        world.answer("recheck", Rechecked::Unreadable { trouble: trouble("target_timeout"), again_in_ms: 10_000 });
    }
    let ended = world.run();
    assert_eq!(ended.end().0, State::Done);
    assert!(ended.states.contains(&State::Held));
    let mut world = World::of(&["d1"]);
    world.outline.not_after_ms = world.now_ms + 120_000;
    for _ in 0..20 {
        world.answer("recheck", Rechecked::Unreadable { trouble: trouble("target_timeout"), again_in_ms: 10_000 });
    }
    let ended = world.run();
    assert_eq!(
        ended.end(),
        (State::Expired, "target_timeout".to_owned()),
        "until the window has room only for the undo"
    );
    assert!(ended.sent().is_empty());
}

#[test]
fn t22_a_run_says_when_it_goes_on_by_itself_and_when_it_needs_a_person() {
    let limited = || trouble("rate_limited");
    let mut world = World::of(&["d1"]);
    world.answer("recheck", Rechecked::Unreadable { trouble: limited(), again_in_ms: 10_000 });
    world.answer("apply d1 forward", Sent::NotSent { trouble: limited() });
    world.answer("apply d1 forward", Sent::Unclear);
    world.answer("settle d1 forward", Settling::Pending { again_in_ms: 5_000, trouble: Some(limited()) });
    world.answer("follow d1 forward", Followed::Unreadable { trouble: limited(), again_in_ms: 4_000 });
    world.answer("verify d1 forward", Verified::Later { unreadable: true, trouble: limited(), again_in_ms: 3_000 });
    let ended = world.run();
    assert_eq!(ended.end().0, State::Done);
    assert_eq!(ended.holds, [10_000, 10_000, 5_000, 4_000, 3_000].map(Some));
    let mut world = World::of(&["d1", "d2"]);
    world.outline.on_stop = OnStop::Hold;
    world.answer("verify d1 forward", Verified::Bad { state: DeviceState::Failed, trouble: trouble("check_failed") });
    world.then(|world| world.cancel = Some(CancelMode::Undo));
    let ended = world.run();
    assert_eq!(ended.end().0, State::Undone);
    assert!(!ended.holds.is_empty() && ended.holds.iter().all(Option::is_none), "{:?}", ended.holds);
}

#[test]
fn t18_a_window_without_room_for_the_undo_begins_nothing() {
    let mut world = World::of(&["d1"]);
    world.answer("recheck", Rechecked::NoRoom { trouble: trouble("window_too_short") });
    assert_eq!(world.run().end(), (State::Expired, "window_too_short".to_owned()));
}

#[test]
fn t18_a_run_that_lost_its_locks_takes_them_again_and_compares_again() {
    let mut world = World::of(&["d1", "d2"]);
    world.answer(
        "verify d1 forward",
        Verified::Later { unreadable: false, trouble: trouble("observation_stale"), again_in_ms: 5 },
    );
    world.then(|world| world.locked = false);
    let ended = world.run();
    assert_eq!(ended.end().0, State::Done);
    let again = ended.log.iter().rposition(|line| line == "enter").unwrap();
    let compared = ended.log.iter().rposition(|line| line == "recheck d2").unwrap();
    let sent = ended.log.iter().position(|line| line == "apply d2 forward 1").unwrap();
    assert!(again < compared && compared < sent, "{:#?}", ended.log);
}

#[test]
fn t22_a_wish_to_stop_is_heard_after_the_device_that_is_under_way() {
    let mut world = World::of(&["d1", "d2", "d3"]);
    world.answer("follow d1 forward", Followed::Running);
    world.answer(
        "verify d1 forward",
        Verified::Later { unreadable: false, trouble: trouble("observation_stale"), again_in_ms: 5 },
    );
    world.outline.on_stop = OnStop::Hold;
    world.answer("recheck", Rechecked::Good { skip: vec![] });
    world.answer("recheck", Rechecked::Unreadable { trouble: trouble("target_timeout"), again_in_ms: 10 });
    world.then(|_| ()).then(|world| world.cancel = Some(CancelMode::Undo));
    let ended = world.run();
    assert_eq!(ended.end().0, State::Undone);
    assert_eq!(ended.sent(), ["d1 forward 1", "d1 undo 1"]);
}

#[test]
fn t22_a_held_run_goes_on_where_it_stood() {
    let mut world = World::of(&["d1", "d2"]);
    world.answer("recheck", Rechecked::Good { skip: vec![] });
    world.answer("recheck", Rechecked::Unreadable { trouble: trouble("target_timeout"), again_in_ms: 10 });
    world.then(|world| world.cancel = Some(CancelMode::Hold)).then(|_| ()).then(|world| world.resume = true);
    let ended = world.run();
    assert_eq!(ended.end(), (State::Done, String::new()));
    assert_eq!(ended.sent(), ["d1 forward 1", "d2 forward 1"]);
}

#[test]
fn a_cancel_before_the_first_device_ends_the_change() {
    let mut world = World::of(&["d1"]);
    world.cancel = Some(CancelMode::Hold);
    let ended = world.run();
    assert_eq!(ended.end().0, State::Cancelled);
    assert!(ended.sent().is_empty());
}

#[test]
fn an_engine_that_ends_the_run_does_not_cut_a_device_in_two() {
    let mut world = World::of(&["d1", "d2"]);
    world.answer("follow d1 forward", Followed::Unreadable { trouble: trouble("target_timeout"), again_in_ms: 10 });
    world.then(|world| world.cancelled = true);
    let ended = world.run();
    assert_eq!(ended.end(), (State::Undone, "run_cancelled".to_owned()));
    assert_eq!(ended.sent(), ["d1 forward 1", "d1 undo 1"]);
    assert!(ended.log.contains(&"verify d1 forward".to_owned()), "the device was seen to its end");
}

#[test]
fn checks_go_on_for_the_soak_and_one_that_fails_undoes_all() {
    let mut world = World::of(&["d1", "d2"]);
    world.outline.soak_s = 150;
    let ended = world.run();
    assert_eq!(ended.end().0, State::Done);
    assert_eq!(ended.log.iter().filter(|line| *line == "verify d1 forward").count(), 4, "one and three of the soak");
    let mut world = World::of(&["d1", "d2"]);
    world.outline.soak_s = 150;
    world.answer("verify d2 forward", Verified::Good);
    world.answer("verify d2 forward", Verified::Bad { state: DeviceState::Failed, trouble: trouble("check_failed") });
    let ended = world.run();
    assert_eq!(ended.end(), (State::Undone, "check_failed".to_owned()));
    assert_eq!(ended.sent()[2..], ["d2 undo 1", "d1 undo 1"]);
}

#[test]
fn a_startup_configuration_that_was_not_saved_is_told() {
    let mut world = World::of(&["d1"]);
    world.outline.save_startup = SaveStartup::AfterSoak;
    world.answer("save", Saved { failed: vec!["d1".to_owned()] });
    assert_eq!(world.run().end(), (State::Done, "startup_not_saved".to_owned()));
}

#[test]
fn failures_within_what_the_plan_allows_leave_a_partial_change() {
    let mut world = World::of(&["d1", "d2", "d3"]);
    world.outline.max_fail_percentage = 34;
    world.answer("verify d2 forward", Verified::Bad { state: DeviceState::Failed, trouble: trouble("check_failed") });
    let ended = world.run();
    assert_eq!(ended.end().0, State::Done);
    assert_eq!(ended.finished.as_ref().unwrap().result, Some(RunResult::Partial));
    assert_eq!(ended.sent().len(), 3);
}

#[test]
fn a_defect_of_ours_waits_for_a_person_with_everything_locked() {
    let mut world = World::of(&["d1", "d2"]);
    let defect =
        WorkflowError::Activity { activity: "verify".into(), code: "internal_error".into(), message: "x".into() };
    world.fail("verify d1 forward", defect);
    world.then(|world| {
        assert!(world.locked && world.state == State::Held);
        world.cancel = Some(CancelMode::Undo);
    });
    let ended = world.run();
    assert_eq!(ended.end(), (State::Undone, "internal_error".to_owned()));
}
