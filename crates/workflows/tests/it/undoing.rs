//! The way back (T21).

use change_control::State;
use change_control::model::change::{CancelMode, DeviceState, RunResult};
use change_control::model::plan::OnStop;
use change_control::run::contract::{Followed, Rechecked, Sent, Verified};

use workflow_api::WorkflowError;

use crate::script::{World, trouble};

fn bad(state: DeviceState) -> Verified {
    Verified::Bad { state, trouble: trouble("applied_with_differences") }
}

#[test]
fn t21_a_failed_device_undoes_all_the_last_first() {
    let mut world = World::of(&["d1", "d2", "d3"]);
    world.answer("verify d2 forward", bad(DeviceState::AppliedWithDifferences));
    let ended = world.run();
    assert_eq!(ended.end(), (State::Undone, "applied_with_differences".to_owned()));
    assert_eq!(ended.finished.as_ref().unwrap().result, Some(RunResult::Restored));
    assert_eq!(ended.sent(), ["d1 forward 1", "d2 forward 1", "d2 undo 1", "d1 undo 1"]);
    assert!(!ended.log.iter().any(|line| line.contains("d3") && !line.starts_with("recheck")), "d3 was not touched");
}

#[test]
fn t21_a_device_that_is_as_before_is_not_written_to() {
    let mut world = World::of(&["d1"]);
    world.answer("follow d1 forward", Followed::Failed);
    world.answer("verify d1 before", Verified::Good);
    let ended = world.run();
    assert_eq!(ended.end().0, State::Undone);
    assert_eq!(ended.sent(), ["d1 forward 1"]);
}

#[test]
fn t21_an_undo_goes_past_what_fails_and_says_so() {
    let mut world = World::of(&["d1", "d2"]);
    world.answer("verify d2 forward", bad(DeviceState::Failed));
    world.answer("verify d2 undo", bad(DeviceState::NotRestored));
    let ended = world.run();
    assert_eq!(ended.end().0, State::UndoFailed);
    assert_eq!(ended.finished.as_ref().unwrap().result, Some(RunResult::NotRestored));
    assert_eq!(ended.sent()[2..], ["d2 undo 1", "d1 undo 1"]);
    let mut world = World::of(&["d1", "d2"]);
    world.answer("verify d2 forward", bad(DeviceState::Failed));
    world.answer("verify d2 undo", bad(DeviceState::RestoredWithDifferences));
    let ended = world.run();
    assert_eq!(ended.finished.as_ref().unwrap().result, Some(RunResult::RestoredWithDifferences));
}

#[test]
fn t21_a_refused_undo_step_is_told_and_the_others_are_undone() {
    let mut world = World::of(&["d1", "d2"]);
    world.answer("verify d2 forward", bad(DeviceState::Failed));
    world.answer("apply d2 undo", Sent::Refused { trouble: trouble("undo_too_late") });
    let ended = world.run();
    assert_eq!(ended.end().0, State::UndoFailed);
    assert_eq!(ended.devices["d2"], DeviceState::NotRestored);
    assert_eq!(ended.sent()[2..], ["d2 undo 1", "d1 undo 1"]);
}

#[test]
fn t21_a_device_without_an_undo_holds_the_run_for_a_person() {
    let mut world = World::of(&["d1", "d2"]);
    world.outline.undoable = vec!["d1".to_owned()];
    world.answer("verify d2 forward", bad(DeviceState::Failed));
    world.then(|world| {
        assert_eq!(world.state, State::Held);
        assert_eq!(world.trouble.as_ref().unwrap().code, "undo_by_hand");
        world.cancel = Some(CancelMode::Undo);
    });
    let ended = world.run();
    assert_eq!(ended.end().0, State::UndoFailed, "d2 is for a person");
    assert_eq!(ended.sent()[2..], ["d1 undo 1"]);
}

#[test]
fn t21_a_plan_that_holds_waits_for_a_person() {
    for undo in [true, false] {
        let mut world = World::of(&["d1", "d2", "d3"]);
        world.outline.on_stop = OnStop::Hold;
        world.answer("verify d2 forward", bad(DeviceState::Failed));
        world.then(move |world| {
            assert_eq!(world.state, State::Held);
            if undo {
                world.cancel = Some(CancelMode::Undo);
            } else {
                world.resume = true;
            }
        });
        let ended = world.run();
        if undo {
            assert_eq!(ended.end().0, State::Undone);
            assert_eq!(ended.sent()[2..], ["d2 undo 1", "d1 undo 1"]);
        } else {
            assert_eq!(ended.finished.as_ref().unwrap().result, Some(RunResult::Partial));
            assert_eq!(ended.sent()[2..], ["d3 forward 1"]);
        }
    }
}

#[test]
fn t21_what_cannot_be_read_is_waited_for_a_while_and_the_rest_is_undone() {
    let mut world = World::of(&["d1", "d2"]);
    world.answer("verify d2 forward", bad(DeviceState::Failed));
    for _ in 0..200 {
        world.answer("apply d2 undo", Sent::NotSent { trouble: trouble("target_unreachable") });
    }
    let ended = world.run();
    assert_eq!(ended.end().0, State::UndoFailed);
    assert_eq!(ended.sent().last(), Some(&"d1 undo 1"));
}

#[test]
fn t18_an_undo_needs_the_locks_too() {
    let mut world = World::of(&["d1"]);
    world.answer(
        "verify d1 forward",
        Verified::Later { unreadable: true, trouble: trouble("target_timeout"), again_in_ms: 5 },
    );
    world.answer("verify d1 forward", bad(DeviceState::Failed));
    world.then(|world| world.locked = false);
    let ended = world.run();
    assert_eq!(ended.end().0, State::Undone);
    assert_eq!(ended.log.iter().filter(|line| *line == "enter").count(), 2);
}

#[test]
fn t18_a_device_that_no_step_has_reached_is_not_undone_once_its_lock_was_lost() {
    for lost in [true, false] {
        let mut world = World::of(&["d1", "d2"]);
        world.answer("recheck", Rechecked::Good { skip: vec![] });
        world.answer("recheck", Rechecked::Good { skip: vec![] });
        world.answer("recheck", Rechecked::Stale { trouble: trouble("plan_stale") });
        world.answer("apply d2 forward", Sent::NotSent { trouble: trouble("target_unreachable") });
        world.then(move |world| world.locked = !lost);
        let ended = world.run();
        assert_eq!(ended.end(), (State::Undone, "plan_stale".to_owned()));
        // As long as the locks were held, whatever is there came by this run.
        let back = if lost { &["d1 undo 1"][..] } else { &["d2 undo 1", "d1 undo 1"] };
        assert_eq!(ended.sent()[2..], *back, "{:#?}", ended.log);
        let expected = if lost { DeviceState::Waiting } else { DeviceState::Undoing };
        assert_eq!(ended.devices["d2"], expected);
    }
}

#[test]
fn t21_a_defect_while_a_device_is_undone_does_not_leave_the_others() {
    let mut world = World::of(&["d1", "d2"]);
    world.answer("verify d2 forward", bad(DeviceState::Failed));
    world.fail(
        "verify d2 undo",
        WorkflowError::Activity { activity: "verify".into(), code: "internal_error".into(), message: "x".into() },
    );
    let ended = world.run();
    assert_eq!(ended.end().0, State::UndoFailed);
    assert_eq!(ended.devices["d2"], DeviceState::NotRestored);
    assert_eq!(ended.sent()[2..], ["d2 undo 1", "d1 undo 1"]);
}
