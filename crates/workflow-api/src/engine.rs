//! Runs from outside: what doors and owners do with an engine. Errors are the engine's own words in a boxed error; who calls
//! an engine turns them into the platform's.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Json;
use crate::context::WorkflowError;

/// Where a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// It goes on or waits.
    Running,
    /// The body does not do what its journal says, or its kind is unknown to this binary: it waits for another one.
    Parked,
    /// It ended with a result.
    Completed,
    /// It ended with an error.
    Failed,
    /// It ended by a cancellation.
    Cancelled,
}

/// A run, as lists show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunSummary {
    /// Its id.
    pub id: String,
    /// Its kind.
    pub workflow: String,
    /// Where it is.
    pub state: RunState,
    /// What the body set last.
    pub status: Option<Json>,
    /// What it ended with.
    pub result: Option<Result<Json, WorkflowError>>,
    /// Why it is parked.
    pub parked_because: Option<String>,
    /// When it was started.
    pub started_at: Timestamp,
    /// When something happened last.
    pub updated_at: Timestamp,
}

/// A page of runs, the newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunPage {
    /// Runs.
    pub runs: Vec<RunSummary>,
    /// Where the next page begins.
    pub next: Option<String>,
}

/// What an engine's client fails with.
pub type EngineError = Box<dyn std::error::Error + Send + Sync>;

/// Runs, from outside.
#[async_trait]
pub trait WorkflowClient: Send + Sync + 'static {
    /// Starts a run, durable when this returns; starting one under an id that is there does nothing.
    async fn start(&self, id: &str, workflow: &str, input: Json) -> Result<(), EngineError>;

    /// Sends a signal, durable when this returns; to a run that has ended it does nothing.
    async fn signal(&self, id: &str, name: &str, data: Json) -> Result<(), EngineError>;

    /// Cancels a run; see [`crate::context`] for what that means.
    async fn cancel(&self, id: &str, reason: &str) -> Result<(), EngineError>;

    /// One run.
    async fn describe(&self, id: &str) -> Result<Option<RunSummary>, EngineError>;

    /// Runs in a state, or all; `after` is [`RunPage::next`]; at most `limit`, 1 to 500.
    async fn list(&self, state: Option<RunState>, after: Option<&str>, limit: usize) -> Result<RunPage, EngineError>;
}
