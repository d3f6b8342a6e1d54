//! Tasks as a caller sees them (extension `io.modelcontextprotocol/tasks`, SEP-2663): work that goes on after the reply.
//!
//! The handler owns tasks: it makes them durable before it answers, gives them unguessable ids, and checks on every
//! question that they are the caller's (rules T20, T22). Next: `handler`.

use platform::Json;

use crate::asking::InputRequired;
use crate::handler::CallReply;

/// A task at one moment.
#[derive(Debug)]
pub struct Task {
    /// Unguessable; no authority by itself.
    pub id: String,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339.
    pub updated_at: String,
    /// How long it is kept after its creation; `None` = without end.
    pub ttl_ms: Option<u64>,
    /// How often to ask.
    pub poll_ms: Option<u64>,
    /// For people.
    pub message: Option<String>,
    /// Where it is.
    pub state: TaskState,
}

/// Where a task is.
#[derive(Debug)]
pub enum TaskState {
    /// Under way.
    Working,
    /// Waits for its caller.
    InputRequired(InputRequired),
    /// Ended with a reply; a refusal is one too.
    Completed(Box<CallReply>),
    /// Ended with a JSON-RPC error.
    Failed {
        /// Code.
        code: i32,
        /// Message.
        message: String,
        /// Data.
        data: Option<Json>,
    },
    /// Cancelled before it ended.
    Cancelled,
}
