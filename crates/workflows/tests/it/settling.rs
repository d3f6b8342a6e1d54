//! What nobody heard the end of (T20).

use change_control::State;
use change_control::run::contract::{Followed, Sent, Settling};
use workflow_api::WorkflowError;

use crate::script::{World, trouble};

fn interrupted() -> WorkflowError {
    WorkflowError::Interrupted { activity: "change.apply".to_owned(), intent: None }
}

#[test]
fn t20_an_interrupted_step_is_settled_by_the_targets_records_and_not_sent_again() {
    let mut world = World::of(&["d1"]);
    world.fail("apply d1 forward", interrupted());
    world.answer("settle d1 forward", Settling::Pending { again_in_ms: 5_000, trouble: None });
    let ended = world.run();
    assert_eq!(ended.end().0, State::Done);
    assert_eq!(ended.sent(), ["d1 forward 1"]);
    assert_eq!(ended.log.iter().filter(|line| *line == "settle d1 forward").count(), 2);
}

#[test]
fn t20_any_failure_of_the_sending_activity_counts_as_perhaps_sent() {
    let error = WorkflowError::Activity {
        activity: "change.apply".into(),
        code: "store_unavailable".into(),
        message: "x".into(),
    };
    for failure in [interrupted(), error] {
        let mut world = World::of(&["d1"]);
        world.fail("apply d1 forward", failure);
        world.answer("settle d1 forward", Settling::Ended);
        assert_eq!(world.run().sent(), ["d1 forward 1"]);
    }
}

#[test]
fn t20_what_certainly_did_not_happen_is_compared_again_and_tried_under_a_new_number() {
    let mut world = World::of(&["d1", "d2"]);
    world.answer("apply d1 forward", Sent::Unclear).answer("settle d1 forward", Settling::NotDone);
    let ended = world.run();
    assert_eq!(ended.end().0, State::Done);
    assert_eq!(ended.sent(), ["d1 forward 1", "d1 forward 2", "d2 forward 1"]);
    let second = ended.log.iter().position(|line| line == "apply d1 forward 2").unwrap();
    assert_eq!(ended.log[second - 1], "recheck d1", "{:#?}", ended.log);
}

#[test]
fn t20_a_target_that_never_takes_a_step_up_is_not_asked_for_ever() {
    let mut world = World::of(&["d1"]);
    for _ in 0..9 {
        world.answer("apply d1 forward", Sent::Unclear).answer("settle d1 forward", Settling::NotDone);
    }
    let ended = world.run();
    assert_eq!(ended.end(), (State::Undone, "step_not_taken".to_owned()));
    assert_eq!(ended.sent().iter().filter(|sent| sent.contains("forward")).count(), 5);
}

#[test]
fn t20_what_cannot_be_told_parks_the_run_with_its_locks_until_a_person_settles_it() {
    for done in [true, false] {
        let mut world = World::of(&["d1", "d2"]);
        world.fail("apply d1 forward", interrupted());
        for _ in 0..2 {
            world.answer("settle d1 forward", Settling::Unknown { trouble: trouble("outcome_unknown") });
        }
        world.answer("settle d1 forward", if done { Settling::Ended } else { Settling::NotDone });
        world.then(|world| {
            assert_eq!(world.state, State::Parked);
            assert_eq!(world.trouble.as_ref().unwrap().code, "outcome_unknown");
            assert!(world.locked);
        });
        let ended = world.run();
        assert_eq!(ended.end().0, State::Done);
        let sent = if done {
            &["d1 forward 1", "d2 forward 1"][..]
        } else {
            &["d1 forward 1", "d1 forward 2", "d2 forward 1"]
        };
        assert_eq!(ended.sent(), sent);
    }
}

#[test]
fn t20_a_parked_run_that_lost_its_locks_meanwhile_takes_them_again_before_it_goes_on() {
    let mut world = World::of(&["d1"]);
    world.answer("apply d1 forward", Sent::Unclear);
    world.answer("settle d1 forward", Settling::Unknown { trouble: trouble("outcome_unknown") });
    world.answer("settle d1 forward", Settling::Ended);
    world.then(|world| world.locked = false);
    let ended = world.run();
    assert_eq!(ended.end().0, State::Done);
    assert_eq!(ended.log.iter().filter(|line| *line == "enter").count(), 2);
    let mut world = World::of(&["d1"]);
    world.answer("follow d1 forward", Followed::Failed);
    world.answer("apply d1 undo", Sent::Unclear);
    world.answer("settle d1 undo", Settling::Unknown { trouble: trouble("outcome_unknown") });
    world.answer("settle d1 undo", Settling::Ended);
    world.then(|world| world.locked = false);
    let ended = world.run();
    assert_eq!(ended.end().0, State::Undone);
    assert_eq!(ended.log.iter().filter(|line| *line == "enter").count(), 2);
    assert_eq!(ended.sent(), ["d1 forward 1", "d1 undo 1"]);
}

#[test]
fn t20_the_same_holds_for_undo_steps() {
    let mut world = World::of(&["d1"]);
    world.answer("follow d1 forward", Followed::Failed);
    world.fail("apply d1 undo", interrupted());
    world.answer("settle d1 undo", Settling::Unknown { trouble: trouble("outcome_unknown") });
    world.answer("settle d1 undo", Settling::NotDone);
    world.then(|world| assert_eq!(world.state, State::Parked));
    let ended = world.run();
    assert_eq!(ended.end().0, State::Undone);
    assert_eq!(ended.sent(), ["d1 forward 1", "d1 undo 1", "d1 undo 2"]);
}

#[test]
fn t20_a_controller_that_answers_nothing_holds_the_run_until_it_does() {
    let mut world = World::of(&["d1"]);
    for _ in 0..30 {
        world.answer(
            "follow d1 forward",
            Followed::Unreadable { trouble: trouble("target_timeout"), again_in_ms: 10_000 },
        );
    }
    let ended = world.run();
    assert_eq!(ended.end().0, State::Done);
    assert!(ended.states.contains(&State::Held));
    assert_eq!(ended.sent(), ["d1 forward 1"]);
}

#[test]
fn t20_a_denied_handle_is_settled() {
    let mut world = World::of(&["d1"]);
    world.answer("follow d1 forward", Followed::Lost);
    world.answer("settle d1 forward", Settling::Unknown { trouble: trouble("outcome_unknown") });
    let ended = world.run();
    assert!(ended.states.contains(&State::Parked));
    assert_eq!(ended.sent(), ["d1 forward 1"]);
}

#[test]
fn t20_a_step_that_was_not_sent_is_sent_later() {
    let mut world = World::of(&["d1"]);
    for _ in 0..7 {
        world.answer("apply d1 forward", Sent::NotSent { trouble: trouble("target_unreachable") });
    }
    let ended = world.run();
    assert_eq!(ended.end().0, State::Done);
    assert_eq!(ended.sent().len(), 8);
}
