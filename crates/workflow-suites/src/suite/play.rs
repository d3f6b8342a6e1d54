//! How a rule plays a script: it starts runs, signals them, and waits for what they note. Next: the rules beside it.

use serde_json::json;
use workflow_api::{Json, RunState, RunSummary, WorkflowError};

use crate::Bench;
use crate::script::Script;

pub(super) const DAY_MS: u64 = 86_400_000;

pub(super) fn say(value: &str) -> Json {
    json!({ "do": "say", "value": value })
}

pub(super) fn wait(value: &str) -> Json {
    json!({ "do": "wait", "value": value })
}

pub(super) async fn start<B: Bench>(bench: &B, id: &str, script: Script) {
    bench.client().start(id, "scripted", serde_json::to_value(script).unwrap()).await.unwrap();
}

pub(super) async fn signal<B: Bench>(bench: &B, id: &str, name: &str, data: Json) {
    bench.client().signal(id, name, data).await.unwrap();
}

pub(super) async fn end<B: Bench>(bench: &B, id: &str) -> RunSummary {
    bench.until(id, &|run| matches!(run.state, RunState::Completed | RunState::Failed | RunState::Cancelled)).await
}

/// Runs a script to its end and returns what it noted.
pub(super) async fn noted<B: Bench>(bench: &B, id: &str, script: Script) -> Json {
    start(bench, id, script).await;
    let run = end(bench, id).await;
    assert_eq!(run.state, RunState::Completed, "{run:?}");
    run.result.unwrap().unwrap()
}

pub(super) async fn notes<B: Bench>(bench: &B, id: &str, all: Json) {
    bench.until(id, &|run| run.status.as_ref() == Some(&all)).await;
}

pub(super) async fn parked<B: Bench>(bench: &B, id: &str, because: &str) {
    let run = bench.until(id, &|run| run.state == RunState::Parked).await;
    let why = run.parked_because.unwrap();
    assert!(why.contains(because), "{why}");
}

pub(super) fn cancelled(reason: &str) -> Json {
    json!({ "error": WorkflowError::Cancelled(reason.to_owned()) })
}

pub(super) fn interrupted(intent: Option<&str>) -> Json {
    let intent = intent.map(str::to_owned);
    json!({ "error": WorkflowError::Interrupted { activity: "suite.act".to_owned(), intent } })
}

pub(super) fn failed(code: &str, message: &str) -> Json {
    let (activity, code, message) = ("suite.act".to_owned(), code.to_owned(), message.to_owned());
    json!({ "error": WorkflowError::Activity { activity, code, message } })
}
