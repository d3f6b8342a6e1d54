//! Cancellation, what is shielded from it, and compensation.

use std::time::Duration;

use serde_json::json;
use workflow_api::{RunState, WorkflowError};

use super::play::{DAY_MS, cancelled, end, failed, notes, say, signal, start, wait};
use crate::Bench;
use crate::script::{Op, Program};

/// Sleeps, signals, and what would begin next.
pub async fn a_cancellation_reaches_what_waits<B: Bench>(bench: B) {
    start(&bench, "sleeps", vec![Op::Try(vec![Op::Sleep(DAY_MS)]), Op::act(say("never"))]).await;
    start(&bench, "listens", vec![Op::Try(vec![Op::signal("a")]), Op::Sleep(1)]).await;
    for id in ["sleeps", "listens"] {
        bench.client().cancel(id, "enough").await.unwrap();
        bench.client().cancel(id, "a second reason").await.unwrap();
        let run = end(&bench, id).await;
        assert_eq!(run.state, RunState::Cancelled);
        assert_eq!(run.result, Some(Err(WorkflowError::Cancelled("enough".to_owned()))));
        assert_eq!(run.status, Some(json!([cancelled("enough"), cancelled("enough")])));
    }
    assert!(bench.world().begun().is_empty());
}

/// While the activity goes on, nobody in the body hears of the cancellation: an undo that began now would race with it.
pub async fn a_cancellation_is_heard_after_the_running_activity_has_acknowledged<B: Bench>(bench: B) {
    let script = vec![Op::Join(vec![
        vec![Op::Try(vec![Op::Sleep(DAY_MS)])],
        vec![Op::Try(vec![Op::once(json!({"do": "yield", "value": "y"}))])],
        vec![Op::Shielded(vec![Op::signal("a")]), Op::Try(vec![Op::act(say("new"))])],
    ])];
    start(&bench, "run", script).await;
    bench.world().begins("y").await;
    bench.client().cancel("run", "stop").await.unwrap();
    signal(&bench, "run", "a", json!("seen")).await;
    notes(&bench, "run", json!(["seen"])).await;
    bench.world().open("y");
    let run = end(&bench, "run").await;
    let stop = cancelled("stop");
    assert_eq!(run.status, Some(json!(["seen", stop, stop, stop, "joined"])));
    assert_eq!(bench.world().values(), ["y"], "nothing began after the cancellation");
}

/// It ends as it ends; the next await is cancelled.
pub async fn an_activity_that_does_not_look_keeps_its_result<B: Bench>(bench: B) {
    start(&bench, "run", vec![Op::once(wait("w")), Op::act(say("never"))]).await;
    bench.world().begins("w").await;
    bench.client().cancel("run", "stop").await.unwrap();
    bench.world().open("w");
    let run = end(&bench, "run").await;
    assert_eq!(run.state, RunState::Cancelled);
    assert_eq!(run.status, Some(json!(["w", cancelled("stop")])));
    assert_eq!(bench.world().values(), ["w"]);
}

/// Undo, release and report need all three.
pub async fn a_shield_keeps_activities_sleeps_and_signals<B: Bench>(bench: B) {
    let script = vec![
        Op::Try(vec![Op::signal("a")]),
        Op::Shielded(vec![
            Op::act(say("undo")),
            Op::Sleep(DAY_MS),
            Op::Signal("a".to_owned(), Some(DAY_MS)),
            Op::signal("b"),
        ]),
    ];
    start(&bench, "run", script).await;
    bench.client().cancel("run", "stop").await.unwrap();
    notes(&bench, "run", json!([cancelled("stop"), "undo"])).await;
    bench.advance(Duration::from_millis(DAY_MS));
    notes(&bench, "run", json!([cancelled("stop"), "undo", "slept"])).await;
    bench.advance(Duration::from_millis(DAY_MS));
    notes(&bench, "run", json!([cancelled("stop"), "undo", "slept", "no signal"])).await;
    signal(&bench, "run", "b", json!("go")).await;
    let run = end(&bench, "run").await;
    assert_eq!(run.state, RunState::Completed, "a body that has dealt with it may end well");
}

/// What was cancelled stays so: an activity that is repeated after the crash hears of it.
pub async fn a_cancellation_survives_a_crash<B: Bench>(mut bench: B) {
    let script = vec![Op::Join(vec![
        vec![Op::Try(vec![Op::act(json!({"do": "yield", "value": "y"}))])],
        vec![Op::Shielded(vec![Op::signal("a")])],
    ])];
    start(&bench, "run", script).await;
    bench.world().begins("y").await;
    bench.client().cancel("run", "stop").await.unwrap();
    signal(&bench, "run", "a", json!("seen")).await;
    notes(&bench, "run", json!(["seen"])).await;
    bench.crash(Program::Current).await;
    let run = end(&bench, "run").await;
    assert_eq!(run.status, Some(json!(["seen", cancelled("stop"), "joined"])));
    assert_eq!(bench.world().values(), ["y"], "a cancelled activity is not begun again");
}

/// The last first, all of them, those that failed by name, and out of a cancellation's reach.
pub async fn compensation_goes_backwards_past_failures<B: Bench>(bench: B) {
    let script = vec![
        Op::Undo(say("first")),
        Op::Undo(json!({"do": "fail", "value": "second"})),
        Op::Undo(say("third")),
        Op::Sleep(DAY_MS),
    ];
    start(&bench, "run", script).await;
    bench.client().cancel("run", "stop").await.unwrap();
    let run = end(&bench, "run").await;
    assert_eq!(run.state, RunState::Cancelled);
    assert_eq!(bench.world().values(), ["third", "second", "first"]);
    let mut left = failed("suite_failed", "As the script says.");
    left["uncompensated"] = json!("second");
    assert_eq!(run.status, Some(json!([cancelled("stop"), left])));
}
