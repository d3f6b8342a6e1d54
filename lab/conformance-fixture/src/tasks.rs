//! The tasks. Each belongs to who made it; where it is follows from the time and the answers, so nothing runs in the
//! background.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use mcp::asking::{Answers, InputRequest, InputRequired};
use mcp::task::{Task, TaskState};
use mcp::{CallReply, ToolCall};
use platform::{CallContext, Error, ErrorKind, Json, Result, SharedClock};
use serde_json::json;
use tokio::time::Instant;

use crate::rounds::{accepted, form};
use crate::said;

/// How long a task is kept, and how many there are at most.
const TTL: Duration = Duration::from_secs(600);
const AT_MOST: usize = 1_000;
const POLL_MS: u64 = 100;

/// What a task does.
enum Work {
    /// Ends by itself with this text.
    Wait(String),
    /// Ends by itself with a failure of the tool.
    Fail,
    /// Ends by itself with a failure of the protocol.
    Break,
    /// Ends when all questions are answered.
    Ask { open: BTreeMap<String, InputRequest>, answers: Answers },
}

struct Entry {
    owner: String,
    made: Instant,
    created: Timestamp,
    updated: Timestamp,
    lasts: Duration,
    cancelled: bool,
    work: Work,
}

impl Entry {
    fn state(&self) -> TaskState {
        if self.cancelled {
            return TaskState::Cancelled;
        }
        if let Work::Ask { open, answers } = &self.work {
            if !open.is_empty() {
                return TaskState::InputRequired(InputRequired { requests: open.clone(), state: None });
            }
            let answers: BTreeMap<_, _> = answers.responses.iter().collect();
            return TaskState::Completed(Box::new(said(json!(answers).to_string())));
        }
        if self.made.elapsed() < self.lasts {
            return TaskState::Working;
        }
        match &self.work {
            Work::Wait(text) => TaskState::Completed(Box::new(said(text))),
            Work::Fail => TaskState::Completed(Box::new(CallReply::Refused(Error::new(
                ErrorKind::Upstream,
                "test_error",
                "This job fails on purpose.",
            )))),
            Work::Break | Work::Ask { .. } => {
                TaskState::Failed { code: -32603, message: "This job breaks on purpose.".to_owned(), data: None }
            }
        }
    }

    fn shown(&self, id: &str) -> Task {
        let state = self.state();
        let ended = matches!(self.work, Work::Wait(_) | Work::Fail | Work::Break)
            && matches!(state, TaskState::Completed(_) | TaskState::Failed { .. });
        let updated = if ended { self.created.checked_add(self.lasts).unwrap_or(self.updated) } else { self.updated };
        Task {
            id: id.to_owned(),
            created_at: self.created.to_string(),
            updated_at: updated.to_string(),
            ttl_ms: u64::try_from(TTL.as_millis()).ok(),
            poll_ms: Some(POLL_MS),
            message: None,
            state,
        }
    }
}

/// All tasks of the fixture.
pub(crate) struct Tasks {
    clock: SharedClock,
    all: Mutex<HashMap<String, Entry>>,
}

fn owner(cx: &CallContext) -> String {
    format!("{}\n{}", cx.principal.issuer, cx.principal.subject)
}

impl Tasks {
    pub(crate) fn new(clock: SharedClock) -> Self {
        Self { clock, all: Mutex::default() }
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn make(&self, cx: &CallContext, lasts: Duration, work: Work) -> CallReply {
        let mut all = self.all();
        all.retain(|_, entry| entry.made.elapsed() < TTL);
        if all.len() >= AT_MOST {
            return CallReply::Refused(Error::new(
                ErrorKind::RateLimited,
                "too_many_tasks",
                "Too many tasks are kept.",
            ));
        }
        let (id, now) = (uuid::Uuid::new_v4().to_string(), self.clock.now());
        let entry =
            Entry { owner: owner(cx), made: Instant::now(), created: now, updated: now, lasts, cancelled: false, work };
        // The first answer shows a task under way, even one that ends at once: its end is asked for.
        let task = Task { state: TaskState::Working, ..entry.shown(&id) };
        all.insert(id, entry);
        CallReply::Task(Box::new(task))
    }

    fn with<T>(&self, cx: &CallContext, id: &str, change: impl FnOnce(&mut Entry) -> T) -> Result<T> {
        let mut all = self.all();
        match all.get_mut(id) {
            Some(entry) if entry.owner == owner(cx) => Ok(change(entry)),
            _ => Err(Error::new(ErrorKind::NotFound, "task_unknown", "There is no such task.")),
        }
    }

    pub(crate) fn task(&self, cx: &CallContext, id: &str) -> Result<Task> {
        self.with(cx, id, |entry| entry.shown(id))
    }

    pub(crate) fn update(&self, cx: &CallContext, id: &str, brought: Answers) -> Result<()> {
        let now = self.clock.now();
        self.with(cx, id, |entry| {
            if entry.cancelled {
                return;
            }
            if let Work::Ask { open, answers } = &mut entry.work {
                for (key, answer) in brought.responses {
                    if open.remove(&key).is_some() {
                        answers.responses.insert(key, answer);
                        entry.updated = now;
                    }
                }
            }
        })
    }

    pub(crate) fn cancel(&self, cx: &CallContext, id: &str) -> Result<()> {
        let now = self.clock.now();
        self.with(cx, id, |entry| {
            if matches!(entry.state(), TaskState::Working | TaskState::InputRequired(_)) {
                entry.cancelled = true;
                entry.updated = now;
            }
        })
    }
}

/// Answers the tools of this module.
pub(crate) async fn call(tasks: &Tasks, cx: &CallContext, call: &ToolCall) -> Option<CallReply> {
    let able = call.abilities.tasks;
    let second = Duration::from_secs(1);
    Some(match call.name.as_str() {
        "slow_compute" => {
            let seconds = call.arguments.get("seconds").and_then(Json::as_f64).unwrap_or(1.0).clamp(0.0, 120.0);
            let lasts = Duration::from_secs_f64(seconds);
            let label = call.arguments.get("label").and_then(Json::as_str).unwrap_or("nothing");
            let text = format!("Computed {label} in {seconds} s.");
            if able {
                return Some(tasks.make(cx, lasts, Work::Wait(text)));
            }
            tokio::time::sleep(lasts).await;
            said(text)
        }
        "failing_job" | "protocol_error_job" | "test_tool_with_task" if !able => CallReply::NeedsTasks,
        "failing_job" => tasks.make(cx, second, Work::Fail),
        "protocol_error_job" => tasks.make(cx, second, Work::Break),
        "confirm_delete" => {
            let file = call.arguments.get("filename").and_then(Json::as_str).unwrap_or("nothing");
            let question = form(&format!("Delete {file}?"), json!({"confirm": {"type": "boolean"}}));
            asking(tasks, cx, call, [("confirm", question)])
        }
        "multi_input" => {
            let name = form("What is your name?", json!({"name": {"type": "string"}}));
            let confirm = form("Are you sure?", json!({"confirm": {"type": "boolean"}}));
            asking(tasks, cx, call, [("name", name), ("confirm", confirm)])
        }
        "test_tool_with_task" => match accepted(&call.answers, "user_name", "name").and_then(Json::as_str) {
            Some(name) => tasks.make(cx, second / 2, Work::Wait(format!("Hello, {name}!"))),
            None => {
                let question = form("What is your name?", json!({"name": {"type": "string"}}));
                CallReply::InputRequired(InputRequired {
                    requests: [("user_name".to_owned(), question)].into(),
                    state: None,
                })
            }
        },
        _ => return None,
    })
}

/// A task that asks; for callers without tasks, a call that asks.
fn asking<const N: usize>(
    tasks: &Tasks,
    cx: &CallContext,
    call: &ToolCall,
    questions: [(&str, InputRequest); N],
) -> CallReply {
    let open: BTreeMap<_, _> = questions
        .into_iter()
        .map(|(key, question)| (key.to_owned(), question))
        .filter(|(key, _)| !call.answers.responses.contains_key(key))
        .collect();
    if call.abilities.tasks {
        return tasks.make(cx, Duration::ZERO, Work::Ask { open, answers: Answers::default() });
    }
    match open.is_empty() {
        true => said("All questions are answered."),
        false => CallReply::InputRequired(InputRequired { requests: open, state: None }),
    }
}
