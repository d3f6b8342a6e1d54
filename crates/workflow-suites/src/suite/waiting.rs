//! Signals, sleeps, and waits for the first or for all of several.

use std::time::Duration;

use serde_json::json;
use workflow_api::{Json, RunState};

use super::play::{DAY_MS, end, notes, say, signal, start, wait};
use crate::Bench;
use crate::script::{Op, Program};

/// First in, first out, per name.
pub async fn signals_come_in_order_from_before_the_wait<B: Bench>(mut bench: B) {
    let script = vec![
        Op::act(wait("w")),
        Op::signal("a"),
        Op::signal("a"),
        Op::signal("b"),
        Op::signal("a"),
        Op::Signal("a".to_owned(), Some(0)),
    ];
    start(&bench, "run", script).await;
    bench.world().begins("w").await;
    for (name, data) in [("a", json!(1)), ("b", Json::Null), ("a", json!(2)), ("nobody", json!(0)), ("a", json!(3))] {
        signal(&bench, "run", name, data).await;
    }
    bench.crash(Program::Current).await;
    bench.world().open("w");
    let run = end(&bench, "run").await;
    assert_eq!(run.result, Some(Ok(json!(["w", 1, 2, null, 3, "no signal"]))));
}

/// A limit that ended first is over; the signal waits for the next one who asks.
pub async fn a_signal_may_be_late_and_is_kept<B: Bench>(bench: B) {
    let limited = || Op::Signal("a".to_owned(), Some(DAY_MS));
    start(&bench, "run", vec![Op::act(say("x")), limited(), Op::signal("b"), limited(), limited()]).await;
    // With this note, the limit is in the journal.
    notes(&bench, "run", json!(["x"])).await;
    bench.advance(Duration::from_millis(DAY_MS));
    notes(&bench, "run", json!(["x", "no signal"])).await;
    signal(&bench, "run", "a", json!(1)).await;
    signal(&bench, "run", "b", json!(2)).await;
    signal(&bench, "run", "a", json!(3)).await;
    assert_eq!(end(&bench, "run").await.result, Some(Ok(json!(["x", "no signal", 2, 1, 3]))));
}

/// Bias by order; a loser takes nothing.
pub async fn the_first_of_several_is_the_one_that_stands_first<B: Bench>(bench: B) {
    let script = vec![
        Op::act(wait("w")),
        Op::First(vec![vec![Op::Sleep(DAY_MS)], vec![Op::signal("b")], vec![Op::signal("a")]]),
        Op::signal("a"),
    ];
    start(&bench, "run", script).await;
    bench.world().begins("w").await;
    signal(&bench, "run", "a", json!("a")).await;
    signal(&bench, "run", "b", json!("b")).await;
    bench.world().open("w");
    let run = end(&bench, "run").await;
    assert_eq!(run.result, Some(Ok(json!(["w", "b", {"first": 1}, "a"]))));
}

/// A dropped activity is not stopped, and its end troubles nobody.
pub async fn what_the_others_had_begun_goes_on_unheard<B: Bench>(mut bench: B) {
    let script =
        vec![Op::First(vec![vec![Op::once(wait("w"))], vec![Op::signal("a")]]), Op::signal("a"), Op::act(say("end"))];
    start(&bench, "run", script).await;
    bench.world().begins("w").await;
    signal(&bench, "run", "a", json!(1)).await;
    notes(&bench, "run", json!([1, {"first": 1}])).await;
    bench.world().open("w");
    bench.world().until(|world| world.ended() == ["w"]).await;
    bench.crash(Program::Current).await;
    signal(&bench, "run", "a", json!(2)).await;
    assert_eq!(end(&bench, "run").await.result, Some(Ok(json!([1, {"first": 1}, 2, "end"]))));
}

/// All of them, also those that end in another order.
pub async fn a_join_brings_all<B: Bench>(mut bench: B) {
    let branch = |value: &str| vec![Op::act(wait(value)), Op::act(say("then"))];
    start(&bench, "run", vec![Op::Join(vec![branch("x"), branch("y"), branch("z")])]).await;
    for value in ["x", "y", "z"] {
        bench.world().begins(value).await;
    }
    for (value, all) in [("z", json!(["z", "then"])), ("x", json!(["z", "then", "x", "then"]))] {
        bench.world().open(value);
        notes(&bench, "run", all).await;
    }
    bench.crash(Program::Current).await;
    bench.world().open("y");
    let run = end(&bench, "run").await;
    assert_eq!(run.result, Some(Ok(json!(["z", "then", "x", "then", "y", "then", "joined"]))));
}

/// Friday to Sunday: timers follow the clock that the platform follows.
pub async fn t8_a_sleep_of_days_survives_a_crash<B: Bench>(mut bench: B) {
    start(&bench, "run", vec![Op::Now, Op::Sleep(2 * DAY_MS), Op::Now]).await;
    bench.until("run", &|run| run.status.is_some()).await;
    bench.advance(Duration::from_millis(DAY_MS));
    bench.crash(Program::Current).await;
    let run = bench.client().describe("run").await.unwrap().unwrap();
    assert_eq!(run.state, RunState::Running);
    bench.advance(Duration::from_millis(DAY_MS));
    let run = end(&bench, "run").await;
    let Some(Ok(result)) = run.result else { panic!("{run:?}") };
    let slept = result[2].as_i64().unwrap() - result[0].as_i64().unwrap();
    assert!(slept >= 2 * DAY_MS as i64, "{slept}");
}
