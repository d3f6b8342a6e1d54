//! What a run is: its body, its end, and how runs are listed.

use serde_json::json;
use workflow_api::{Json, RunState, WorkflowError};

use super::play::{end, noted, notes, say, signal, start};
use crate::Bench;
use crate::script::Op;

/// Activities, signals, status and result; starting an id that is there does nothing.
pub async fn a_run_does_what_its_body_says<B: Bench>(bench: B) {
    start(&bench, "run", vec![Op::act(say("one")), Op::signal("a"), Op::act(say("two"))]).await;
    notes(&bench, "run", json!(["one"])).await;
    bench.client().start("run", "scripted", json!([])).await.unwrap();
    signal(&bench, "run", "a", json!({"go": true})).await;
    let run = end(&bench, "run").await;
    assert_eq!(run.state, RunState::Completed);
    assert_eq!(run.result, Some(Ok(json!(["one", {"go": true}, "two"]))));
    assert_eq!(run.workflow, "scripted");
    assert_eq!(bench.world().values(), ["one", "two"]);
    assert_eq!(bench.client().describe("nobody").await.unwrap(), None);
}

/// A body's error is the run's.
pub async fn an_error_of_the_body_is_the_end_of_the_run<B: Bench>(bench: B) {
    start(&bench, "run", vec![Op::Fail("gave_up".to_owned())]).await;
    let run = end(&bench, "run").await;
    assert_eq!(run.state, RunState::Failed);
    let error = WorkflowError::Failed { code: "gave_up".to_owned(), message: "As the script says.".to_owned() };
    assert_eq!(run.result, Some(Err(error)));
}

/// Nothing happens, and nobody is told otherwise.
pub async fn runs_that_have_ended_hear_nothing<B: Bench>(bench: B) {
    assert_eq!(noted(&bench, "run", vec![Op::act(say("x"))]).await, json!(["x"]));
    let before = bench.client().describe("run").await.unwrap();
    for id in ["run", "nobody"] {
        signal(&bench, id, "a", Json::Null).await;
        bench.client().cancel(id, "too late").await.unwrap();
    }
    bench.client().start("run", "scripted", json!([])).await.unwrap();
    assert_eq!(noted(&bench, "next", vec![Op::act(say("y"))]).await, json!(["y"]));
    assert_eq!(bench.client().describe("run").await.unwrap(), before);
    assert_eq!(bench.client().describe("nobody").await.unwrap(), None);
}

/// All, and by state.
pub async fn lists_are_paged_the_newest_first<B: Bench>(bench: B) {
    for n in 0..5 {
        noted(&bench, &format!("done-{n}"), Vec::new()).await;
    }
    start(&bench, "waits", vec![Op::signal("a")]).await;
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = bench.client().list(None, after.as_deref(), 4).await.unwrap();
        seen.extend(page.runs.into_iter().map(|run| run.id));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, ["waits", "done-4", "done-3", "done-2", "done-1", "done-0"]);
    let running = bench.client().list(Some(RunState::Running), None, 500).await.unwrap();
    assert_eq!(running.runs.iter().map(|run| run.id.as_str()).collect::<Vec<_>>(), ["waits"]);
    assert_eq!(running.next, None);
    let done = bench.client().list(Some(RunState::Completed), None, 2).await.unwrap();
    assert_eq!(done.runs.len(), 2);
    for limit in [0, 501] {
        assert!(bench.client().list(None, None, limit).await.is_err(), "{limit}");
    }
}
