//! What a replay repeats, and what becomes of a run whose program is another one.

use std::time::Duration;

use serde_json::json;
use workflow_api::{Json, RunState};

use super::play::{end, noted, notes, parked, say, signal, start};
use crate::Bench;
use crate::script::{Op, Program};

/// What a body drew before a crash is what it draws again.
pub async fn identifiers_and_times_are_the_same_in_a_replay<B: Bench>(mut bench: B) {
    let script = vec![Op::Uuid, Op::Now, Op::signal("a"), Op::Uuid, Op::Now];
    start(&bench, "run", script.clone()).await;
    start(&bench, "other", script).await;
    let before = bench.until("run", &|run| run.status.is_some()).await.status.unwrap();
    bench.crash(Program::Current).await;
    let mut all = Vec::new();
    for id in ["run", "other"] {
        signal(&bench, id, "a", Json::Null).await;
        all.push(end(&bench, id).await.result.unwrap().unwrap());
    }
    assert_eq!(all[0][0], before[0]);
    assert_eq!(all[0][1], before[1]);
    let ids = [&all[0][0], &all[0][3], &all[1][0], &all[1][3]];
    for (place, id) in ids.iter().enumerate() {
        assert!(!ids[..place].contains(id), "{ids:?}");
    }
    assert!(all[0][4].as_i64() >= all[0][1].as_i64());
}

/// How a body changes while runs wait.
pub async fn a_patch_is_for_runs_that_reach_it_first_with_the_new_program<B: Bench>(mut bench: B) {
    bench.crash(Program::Older).await;
    start(&bench, "before", vec![Op::Patched, Op::act(say("x")), Op::signal("a"), Op::Patched]).await;
    start(&bench, "beyond", vec![Op::act(say("x")), Op::signal("a"), Op::Patched, Op::signal("a"), Op::Patched]).await;
    for id in ["before", "beyond"] {
        notes(&bench, id, json!(["x"])).await;
    }
    bench.crash(Program::Current).await;
    for id in ["before", "beyond"] {
        signal(&bench, id, "a", json!(1)).await;
    }
    let (old, new) = (json!({"patched": false}), json!({"patched": true}));
    assert_eq!(end(&bench, "before").await.result, Some(Ok(json!([old, "x", 1, old]))));
    notes(&bench, "beyond", json!(["x", 1, new])).await;
    bench.crash(Program::Current).await;
    signal(&bench, "beyond", "a", json!(2)).await;
    assert_eq!(end(&bench, "beyond").await.result, Some(Ok(json!(["x", 1, new, 2, new]))));
}

/// Parked, with the place; nobody else is held up; what arrives is kept.
pub async fn a_body_that_strays_is_parked_until_its_program_is_back<B: Bench>(mut bench: B) {
    start(&bench, "run", vec![Op::act(say("x")), Op::signal("a"), Op::signal("a")]).await;
    notes(&bench, "run", json!(["x"])).await;
    bench.crash(Program::Other).await;
    signal(&bench, "run", "a", json!(1)).await;
    parked(&bench, "run", "suite.act").await;
    signal(&bench, "run", "a", json!(2)).await;
    start(&bench, "other", Vec::new()).await;
    notes(&bench, "other", json!("changed")).await;
    bench.advance(Duration::from_secs(2));
    assert_eq!(end(&bench, "other").await.result, Some(Ok(json!("changed"))));
    assert_eq!(bench.client().describe("run").await.unwrap().unwrap().state, RunState::Parked);
    bench.crash(Program::Current).await;
    let run = end(&bench, "run").await;
    assert_eq!(run.result, Some(Ok(json!(["x", 1, 2]))));
    assert_eq!(run.parked_because, None);
    assert_eq!(bench.world().values(), ["x"]);
}

/// A kind, an activity: neither is guessed, neither blocks.
pub async fn what_a_program_does_not_know_is_parked<B: Bench>(bench: B) {
    bench.client().start("kind", "nobody", Json::Null).await.unwrap();
    start(&bench, "activity", vec![Op::act(say("x")), Op::ActUnknown]).await;
    parked(&bench, "kind", "nobody").await;
    parked(&bench, "activity", "suite.unknown").await;
    assert_eq!(noted(&bench, "run", vec![Op::act(say("goes on"))]).await, json!(["goes on"]));
}

/// And others go on.
pub async fn a_body_that_panics_is_parked<B: Bench>(mut bench: B) {
    start(&bench, "run", vec![Op::act(say("x")), Op::Panic]).await;
    parked(&bench, "run", "as the script says").await;
    bench.crash(Program::Current).await;
    parked(&bench, "run", "as the script says").await;
    assert_eq!(noted(&bench, "other", vec![Op::act(say("y"))]).await, json!(["y"]));
    assert_eq!(bench.world().values(), ["x", "y"]);
}
