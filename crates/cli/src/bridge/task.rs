//! Long work for clients that cannot follow it: the bridge declares tasks to the platform, follows the task it gets
//! (SEP-2663: `tasks/get` at the interval that the platform names), tells the progress, and answers with the end result.
//!
//! Input that a task asks for becomes an ordinary `input_required` result; the client's repeat carries the answers back
//! to the task, under a state that names it. The platform judges every one of these requests by itself.

use std::time::{Duration, Instant};

use platform::Json;
use serde_json::json;

use super::message::Message;
use super::progress::Progress;
use super::relay::Relay;
use super::upstream::Answer;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};

/// How long one task is followed.
const LONGEST: Duration = Duration::from_secs(3600);
/// The interval when the platform names none, and the bounds of what it may name.
const INTERVAL_MS: u64 = 1000;
const INTERVAL_BOUNDS_MS: (u64, u64) = (200, 30_000);
/// Failed looks in a row before the wait is given up.
const FAILURES: u32 = 5;
/// What the state of a waiting task begins with.
const STATE: &str = "interlock-bridge-task:";

/// The id of the task that an answer announces.
pub(super) fn created(answer: &Answer) -> Option<&str> {
    let result = answer.result();
    result["taskId"].as_str().filter(|_| result["resultType"] == "task")
}

/// The task that a repeated call gives answers to, with the answers.
pub(super) fn continued(message: &Message) -> Option<(&str, &Json)> {
    let task = message.body["requestState"].as_str()?.strip_prefix(STATE)?;
    Some((task, &message.body["inputResponses"])).filter(|_| message.method == "tools/call")
}

/// A request of our own about a task, in the name of the client's `call`.
pub(super) fn request(relay: &Relay, call: &Message, method: &str, task: &str, more: Json) -> Outcome<Message> {
    let mut params = json!({"taskId": task, "_meta": call.meta_with_tasks()});
    if let (Some(params), Json::Object(more)) = (params.as_object_mut(), more) {
        params.extend(more);
    }
    let line = json!({"jsonrpc": "2.0", "id": relay.next_id(), "method": method, "params": params});
    Message::parse(&line.to_string()).map_err(|e| Failure::internal(&e.message))
}

/// Gives a task the input that it waits for.
pub(super) async fn update(relay: &Relay, call: &Message, task: &str, responses: &Json) -> Outcome {
    let update = request(relay, call, "tasks/update", task, json!({"inputResponses": responses}))?;
    let answer = relay.upstream.ask(&update, &update.text, &mut Progress::unheard()).await?;
    match answer.whole.get("error") {
        None => Ok(()),
        Some(error) => Err(failed(error)),
    }
}

/// Follows a task to its end; the answer to the call with `id`.
pub(super) async fn follow(
    relay: &Relay,
    call: &Message,
    id: &Json,
    task: &str,
    first: &Json,
    progress: &mut Progress,
) -> Outcome<Answer> {
    let until = Instant::now() + LONGEST;
    let mut state = first.clone();
    let mut failures = 0;
    loop {
        match state["status"].as_str() {
            Some("completed") => {
                let mut result = state["result"].take();
                if let Some(members) = result.as_object_mut() {
                    members.entry("resultType").or_insert_with(|| "complete".into());
                }
                return Ok(answer(json!({"jsonrpc": "2.0", "id": id, "result": result})));
            }
            Some("failed") => return Ok(answer(json!({"jsonrpc": "2.0", "id": id, "error": state["error"]}))),
            Some("cancelled") => {
                let message = "The work was cancelled before it ended; its record says how far it came.";
                return Err(Failure::new(Exit::Failed, "task_cancelled", message));
            }
            Some("input_required") if !state["inputRequests"].is_null() => {
                let result = json!({"resultType": "input_required", "inputRequests": state["inputRequests"],
                    "requestState": format!("{STATE}{task}")});
                return Ok(answer(json!({"jsonrpc": "2.0", "id": id, "result": result})));
            }
            _ => {}
        }
        let says = state["statusMessage"].as_str().unwrap_or("The work goes on.");
        progress.tell(says).await;
        if Instant::now() >= until {
            let message =
                format!("The work goes on as task {task} and was followed for an hour; look later how it ended.");
            return Err(Failure::new(Exit::Unavailable, "task_goes_on", message));
        }
        let interval = state["pollIntervalMs"].as_u64().unwrap_or(INTERVAL_MS);
        tokio::time::sleep(Duration::from_millis(interval.clamp(INTERVAL_BOUNDS_MS.0, INTERVAL_BOUNDS_MS.1))).await;
        let look = request(relay, call, "tasks/get", task, Json::Null)?;
        match relay.upstream.ask(&look, &look.text, &mut Progress::unheard()).await {
            Ok(seen) => match seen.whole.get("error") {
                None => (state, failures) = (seen.result().clone(), 0),
                Some(error) => return Err(failed(error)),
            },
            // The work goes on without us; a platform that restarts still has it.
            Err(failure) if failure.exit() == Exit::Unavailable as u8 && failures < FAILURES => failures += 1,
            Err(failure) => return Err(failure),
        }
    }
}

fn answer(whole: Json) -> Answer {
    Answer { text: whole.to_string(), whole }
}

fn failed(error: &Json) -> Failure {
    let message = error["message"].as_str().unwrap_or("The task cannot be followed any more.");
    let code = error["data"]["code"].as_str().unwrap_or("task_unknown");
    Failure::new(Exit::Failed, code, message)
}
