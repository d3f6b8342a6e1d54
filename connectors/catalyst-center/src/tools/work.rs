//! Work of the vendor's that goes on after its reply: `get_task` follows it, and every tool that starts some waits for its end
//! for a moment in the same way.

use std::sync::Arc;
use std::time::{Duration, Instant};

use platform::{Error, Json};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tool_runtime::combinators::{Poll, single_followed};
use tool_runtime::{FollowUp, Tool, ToolCx, ToolSpec};

use crate::client::Api;
use crate::vendor::deployments::told;
use crate::vendor::tasks;

/// How long a tool that starts work waits for its end.
pub(super) const WAIT: Duration = Duration::from_secs(5);
/// How long after that a poll that hangs is given up.
pub(super) const GRACE: Duration = Duration::from_millis(500);

/// State of work.
#[derive(Serialize, JsonSchema, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    Success,
    Failure,
    InProgress,
}

/// Work of Catalyst Center's.
#[derive(Serialize, JsonSchema)]
pub(super) struct Work {
    /// `success`, `failure`, or `in_progress`: then follow it with `get_task`.
    pub(super) status: Status,
    /// Catalyst Center's id of the work: `get_task` follows it.
    task_id: String,
    /// What Catalyst Center says about it; secrets are masked.
    message: Option<String>,
    /// When it began, by Catalyst Center's clock, milliseconds since the epoch.
    started_ms: Option<i64>,
    /// When it ended, by the same clock.
    ended_ms: Option<i64>,
}

#[derive(Deserialize, JsonSchema)]
struct GetTask {
    /// `task_id` of the tool that started the work.
    #[schemars(length(min = 1, max = 64))]
    task_id: String,
    /// Wait up to this many seconds for the end.
    #[serde(default)]
    #[schemars(range(max = 25))]
    wait_s: u64,
}

pub(super) fn get_task(api: &Arc<Api>) -> Arc<dyn Tool> {
    let spec = ToolSpec::new::<GetTask, Work>(
        "get_task",
        "Get a task",
        "Shows how work of Catalyst Center goes that another tool has started; waits up to `wait_s` seconds for its end.",
    )
    .timeout(Duration::from_secs(40))
    .example(json!({"task_id": "…", "wait_s": 20}));
    single_followed(api, spec, |api, cx, args: GetTask| async move {
        let until = (Instant::now() + Duration::from_secs(args.wait_s)).min(cx.deadline);
        let work = seen(&api, &cx, &args.task_id, until).await?;
        Ok(followed(work))
    })
}

async fn seen(api: &Api, cx: &ToolCx, task_id: &str, until: Instant) -> Result<Work, Error> {
    let (status, task) = match tasks::wait(api, cx, task_id, until).await? {
        Poll::Ready(task) if task.is_error => (Status::Failure, task),
        Poll::Ready(task) => (Status::Success, task),
        Poll::Pending(task) => (Status::InProgress, task),
    };
    Ok(Work {
        status,
        task_id: task_id.to_owned(),
        message: told(Some(task.words())),
        started_ms: task.started_ms(),
        ended_ms: task.ended_ms(),
    })
}

/// What became of work within a moment. It was accepted, so that it goes on whatever its polls answer.
pub(super) async fn moment(api: &Api, cx: &ToolCx, task_id: &str) -> Work {
    let until = (Instant::now() + WAIT).min(cx.deadline);
    match tokio::time::timeout_at((until + GRACE).into(), seen(api, cx, task_id, until)).await {
        Ok(Ok(work)) => work,
        Ok(Err(error)) => {
            tracing::warn!(
                http.request.id = %cx.call.request_id,
                error.code = error.code(),
                error.message = error.detail(),
                "started work cannot be followed"
            );
            unfollowed(task_id)
        }
        Err(_elapsed) => unfollowed(task_id),
    }
}

fn unfollowed(task_id: &str) -> Work {
    let message = "Catalyst Center accepted the work and does not say at the moment how it goes.";
    Work {
        status: Status::InProgress,
        task_id: task_id.to_owned(),
        message: Some(message.to_owned()),
        started_ms: None,
        ended_ms: None,
    }
}

/// Work with the call that follows it, while it goes on.
pub(super) fn followed(work: Work) -> (Work, Option<FollowUp>) {
    let arguments: Json = json!({"task_id": work.task_id, "wait_s": 20});
    let follow_up = (work.status == Status::InProgress).then(|| FollowUp { tool: "get_task".into(), arguments });
    (work, follow_up)
}
