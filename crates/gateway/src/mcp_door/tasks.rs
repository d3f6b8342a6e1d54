//! Tasks as the protocol has them (T22): for callers that declared them on this very request. The pipeline keeps them; here
//! they get their words.

use mcp::CallReply;
use mcp::task::{Task, TaskState};
use tool_runtime::pipeline::{LongTask, TASK_S};

use super::text;

/// How often a caller should ask, milliseconds.
const POLL_MS: u64 = 2_000;

/// A task on its way to the caller.
pub(super) fn wire(task: LongTask) -> Task {
    let LongTask { id, created_at, updated_at, message, ended, .. } = task;
    let state = match ended {
        None => TaskState::Working,
        Some(Ok(answer)) => TaskState::Completed(Box::new(text::reply(answer.structured, answer.queued_ms, None))),
        Some(Err(error)) => TaskState::Completed(Box::new(CallReply::Refused(error))),
    };
    Task {
        id,
        created_at,
        updated_at,
        ttl_ms: u64::try_from(TASK_S * 1_000).ok(),
        poll_ms: Some(POLL_MS),
        message,
        state,
    }
}
