//! T22: work that goes on as a task. Durable, sealed, its caller's alone; every question about it goes by the road.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use platform::audit::{Outcome, Phase};
use platform::resource::Resource;
use platform::store::Op;
use platform::{CallContext, Error, ErrorKind, Json, Principal};
use platform_suites::tokens::person;
use serde_json::json;
use tool_runtime::pipeline::{LongTask, TASK_S};
use tool_runtime::{Answer, FollowUp, ToolOutput};

use crate::fixture::{Lab, SERVER, alice, cx, cx_of};

fn follow_up() -> FollowUp {
    FollowUp { tool: "read_thing".into(), arguments: json!({"text": "handle-7", "wait_s": 20}) }
}

/// A task that `add_note` left behind.
async fn begun(lab: &Lab) -> LongTask {
    let structured = json!({"said": {"state": "canary-first"}, "device": "dev-1", "message": "begun"});
    let answer = Answer { structured, text: None, follow_up: None, replayed: false, queued_ms: 0 };
    lab.road.begin_task(&cx(), SERVER, "add_note", &answer, &follow_up()).await.unwrap()
}

async fn ask(lab: &Lab, cx: CallContext, task: &LongTask) -> Result<LongTask, Error> {
    lab.road.task(&Arc::new(cx), &task.id).await
}

/// `read_thing` says "running" so often, then that it is done.
fn runs(lab: &Lab, times: usize) {
    let left = Arc::new(AtomicUsize::new(times));
    lab.target.script("read_thing", move |_, arguments| {
        let running = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok();
        async move {
            let message = if running { "half way" } else { "all done" };
            let structured = json!({"said": arguments, "message": message, "device": null, "extra": "canary-last"});
            Ok(ToolOutput { structured, follow_up: running.then(follow_up) })
        }
    });
}

#[tokio::test]
async fn t22_a_task_is_asked_by_the_road_until_it_ends_and_its_end_is_kept() {
    let lab = Lab::new().await;
    let task = begun(&lab).await;
    assert!(task.id.len() >= 43, "256 bits: {}", task.id);
    assert!(task.ended.is_none() && task.message.as_deref() == Some("begun"));
    runs(&lab, 1);
    let seen = ask(&lab, cx(), &task).await.unwrap();
    assert!(seen.ended.is_none());
    assert_eq!(
        (seen.message.as_deref(), lab.last_record().tool.unwrap().tool.as_str()),
        (Some("half way"), "read_thing")
    );
    let seen = ask(&lab, cx(), &task).await.unwrap();
    let answer = seen.ended.unwrap().unwrap();
    // Asked without waiting, and what only the first reply knew is still there.
    assert_eq!(answer.structured["said"], json!({"text": "handle-7", "wait_s": 0}));
    assert_eq!((&answer.structured["device"], &answer.structured["message"]), (&json!("dev-1"), &json!("all done")));
    assert_eq!(lab.runs(), 2);
    let again = ask(&lab, cx(), &task).await.unwrap().ended.unwrap().unwrap();
    assert_eq!((again.structured, lab.runs()), (answer.structured, 2), "an end is not asked for again");
    let record = lab.last_record();
    assert_eq!((record.phase, record.action.as_str(), record.outcome), (Phase::Event, "task.read", Outcome::Success));
}

#[tokio::test]
async fn t22_a_task_is_unknown_to_everybody_else_and_everywhere_else() {
    let lab = Lab::new().await;
    let task = begun(&lab).await;
    let other_client = Principal { client_id: "other".into(), ..alice() };
    let other_issuer = Principal { issuer: "https://other.test".into(), ..alice() };
    let elsewhere = CallContext { resource: Resource::McpServer("lab-2".into()), ..cx() };
    // The call that began it is no read, so it does not exist at the read-only endpoint, and neither does its task.
    let reads = CallContext { resource: Resource::McpReadonly(SERVER.into()), ..cx() };
    for stranger in [cx_of(person("bob", &["netops"])), cx_of(other_client), cx_of(other_issuer), elsewhere, reads] {
        let error = ask(&lab, stranger.clone(), &task).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::NotFound, "task_unknown"));
        let error = lab.road.cancel_task(&stranger, &task.id).await.unwrap_err();
        assert_eq!(error.code(), "task_unknown");
        assert_eq!(lab.road.knows_task(&stranger, &task.id).await.unwrap_err().code(), "task_unknown");
    }
    assert_eq!(lab.runs(), 0);
    let guessed = lab.road.task(&Arc::new(cx()), "nonesuch").await.unwrap_err();
    assert_eq!(guessed.code(), "task_unknown");
    assert!(lab.road.knows_task(&cx(), &task.id).await.is_ok());
    let aggregate = CallContext { resource: Resource::Mcp, ..cx() };
    assert!(ask(&lab, aggregate, &task).await.is_ok());
}

#[tokio::test]
async fn t22_a_task_is_kept_sealed_and_under_no_readable_id_for_a_day() {
    let lab = Lab::new().await;
    let task = begun(&lab).await;
    runs(&lab, 0);
    assert!(ask(&lab, cx(), &task).await.unwrap().ended.is_some());
    let written = lab.store.written();
    let put = |op: &Op| matches!(op, Op::Put { collection, .. } if collection.name == "tasks");
    let text = written.iter().filter(|op| put(op)).map(|op| format!("{op:?}")).collect::<String>();
    assert_eq!(written.iter().filter(|op| put(op)).count(), 2);
    for canary in ["canary-first", "canary-last", "handle-7", task.id.as_str()] {
        assert!(!text.contains(canary), "{canary} stands in the store: {text}");
    }
    lab.clock.advance(TASK_S + 1);
    assert_eq!(ask(&lab, cx(), &task).await.unwrap_err().code(), "task_unknown");
}

#[tokio::test]
async fn a_target_that_cannot_be_read_right_now_ends_no_task_and_one_that_says_no_does() {
    let lab = Lab::new().await;
    let task = begun(&lab).await;
    for kind in [ErrorKind::Unavailable, ErrorKind::Timeout, ErrorKind::Upstream, ErrorKind::RateLimited] {
        lab.target.fails("read_thing", move || Error::new(kind, "target_failed", "It is away."));
        let seen = ask(&lab, cx(), &task).await.unwrap();
        assert!(seen.ended.is_none() && seen.message.unwrap().contains("It is away."), "{kind:?}");
    }
    lab.target.fails("read_thing", || Error::new(ErrorKind::NotFound, "target_not_found", "It is gone."));
    for _ in 0..2 {
        let error = ask(&lab, cx(), &task).await.unwrap().ended.unwrap().unwrap_err();
        assert_eq!(error.code(), "target_not_found");
    }
    assert_eq!(lab.runs(), 5, "the end is kept");
}

#[tokio::test]
async fn a_wish_to_stop_is_on_record_and_the_task_says_honestly_that_it_goes_on() {
    let lab = Lab::new().await;
    let task = begun(&lab).await;
    lab.road.cancel_task(&cx(), &task.id).await.unwrap();
    let record = lab.last_record();
    assert_eq!((record.action.as_str(), record.code.as_deref()), ("task.cancel", Some("task_not_cancellable")));
    lab.target.fails("read_thing", || Error::new(ErrorKind::Timeout, "target_timeout", "Late."));
    assert!(ask(&lab, cx(), &task).await.unwrap().ended.is_none());
    runs(&lab, 0);
    let ended = ask(&lab, cx(), &task).await.unwrap();
    assert!(ended.ended.is_some());
    lab.road.cancel_task(&cx(), &task.id).await.unwrap();
    assert_eq!(lab.last_record().code.as_deref(), Some("task_ended"));
    let said: Json = ask(&lab, cx(), &task).await.unwrap().ended.unwrap().unwrap().structured;
    assert_eq!(said["message"], "all done", "a late wish changes nothing");
}
