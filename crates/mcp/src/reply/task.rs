//! Tasks in rmcp's types (extension `io.modelcontextprotocol/tasks`).
//!
//! `failed` means that the protocol failed; a tool that refused or failed is a completed task whose result says so.
//! Tasks never carry `requestState`.

use platform::CallContext;
use rmcp::model::{
    CallToolResponse, CreateTaskResult, DetailedTask, ErrorData, JsonObject, Task as WireTask, TaskPayload, TaskStatus,
};

use super::asking::{allowed, input_requests};
use super::{Replied, outcome};
use crate::asking::ClientAbilities;
use crate::error::internal;
use crate::revision::Era;
use crate::task::{Task, TaskState};

/// The answer of a call that became a task.
pub(crate) fn created(task: &Task) -> CreateTaskResult {
    CreateTaskResult::new(base(task))
}

fn base(task: &Task) -> WireTask {
    let status = match task.state {
        TaskState::Working => TaskStatus::Working,
        TaskState::InputRequired(_) => TaskStatus::InputRequired,
        TaskState::Completed(_) => TaskStatus::Completed,
        TaskState::Failed { .. } => TaskStatus::Failed,
        TaskState::Cancelled => TaskStatus::Cancelled,
    };
    let mut wire = WireTask::new(&task.id, status, &task.created_at, &task.updated_at);
    wire.status_message.clone_from(&task.message);
    wire.ttl_ms = task.ttl_ms;
    wire.poll_interval_ms = task.poll_ms;
    wire
}

/// The answer of `tasks/get`.
pub(crate) fn detailed(task: Task, cx: &CallContext, abilities: ClientAbilities) -> Result<DetailedTask, ErrorData> {
    let wire = base(&task);
    let payload = match task.state {
        TaskState::Working => TaskPayload::Working,
        TaskState::Cancelled => TaskPayload::Cancelled,
        TaskState::InputRequired(asked) => {
            allowed(&asked, abilities)?;
            TaskPayload::InputRequired { input_requests: input_requests(asked.requests)? }
        }
        TaskState::Completed(reply) => match outcome(*reply, cx, Era::Modern, abilities) {
            Ok(Replied::Complete(done)) => TaskPayload::Completed { result: result(done)? },
            Ok(_) => return Err(internal("a task ended with a reply that is no end")),
            Err(error) => TaskPayload::Failed { error: object(&error)? },
        },
        TaskState::Failed { code, message, data } => {
            let error = ErrorData::new(rmcp::model::ErrorCode(code), message, data);
            TaskPayload::Failed { error: object(&error)? }
        }
    };
    Ok(DetailedTask::new(wire, payload))
}

fn result(done: super::Outcome) -> Result<JsonObject, ErrorData> {
    match done.into_rmcp(Era::Modern, None)? {
        CallToolResponse::Complete(result) => object(&result),
        _ => Err(internal("a task ended with a reply that is no end")),
    }
}

fn object(value: &impl serde::Serialize) -> Result<JsonObject, ErrorData> {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::Object(object)) => Ok(object),
        Ok(_) => Err(internal("a task's end is no object")),
        Err(error) => Err(internal(error)),
    }
}
