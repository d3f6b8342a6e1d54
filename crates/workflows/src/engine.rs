//! Where changes meet an engine that they do not know: runs are started by its client, and it calls their activities. What replays
//! is none of this.

use std::sync::Arc;

use async_trait::async_trait;
use change_control::run::contract::{NUDGE, Of, PLAN_WORKFLOW, RUN_WORKFLOW};
use change_control::{ChangeId, Changes, RunStarter};
use platform::{Error, ErrorKind, Json, Result};
use workflow_api::{Activities, ActivityError, WorkflowClient};

/// Starts and nudges runs on an engine.
pub struct Starter(Arc<dyn WorkflowClient>);

impl Starter {
    /// On the engine of this client.
    pub fn on(engine: Arc<dyn WorkflowClient>) -> Self {
        Self(engine)
    }

    async fn started(&self, id: &str, workflow: &str, change: &ChangeId) -> Result<()> {
        let input = serde_json::to_value(Of { change: change.clone() }).map_err(Error::internal)?;
        self.0.start(id, workflow, input).await.map_err(unavailable)
    }
}

#[async_trait]
impl RunStarter for Starter {
    async fn plan(&self, change: &ChangeId) -> Result<()> {
        self.started(&crate::plan_id(change), PLAN_WORKFLOW, change).await
    }

    async fn start(&self, change: &ChangeId) -> Result<()> {
        self.started(&crate::run_id(change), RUN_WORKFLOW, change).await
    }

    async fn nudge(&self, change: &ChangeId) -> Result<()> {
        self.0.signal(&crate::run_id(change), NUDGE, Json::Null).await.map_err(unavailable)
    }
}

fn unavailable(error: impl std::fmt::Display) -> Error {
    let message = "Changes cannot be worked on while their engine cannot write. Try again in a moment.";
    Error::new(ErrorKind::Unavailable, "changes_unavailable", message).with_detail(error)
}

/// Change control's activities, as an engine runs them. What may be gone at the next try is tried again; a defect of ours too,
/// because an activity begins by reading what is true now.
pub fn activities(changes: &Arc<Changes>) -> Activities {
    change_control::run::activities(changes).into_iter().fold(Activities::default(), |all, (name, activity)| {
        all.with(name, move |_, input| {
            let activity = Arc::clone(&activity);
            async move { activity(input).await.map_err(|error| failed(name, &error)) }
        })
    })
}

fn failed(activity: &str, error: &Error) -> ActivityError {
    let why = error.detail().unwrap_or(error.code());
    tracing::warn!(workflow.activity = activity, error.code = error.code(), error.message = why, "an activity failed");
    let retryable = matches!(
        error.kind(),
        ErrorKind::Unavailable
            | ErrorKind::Timeout
            | ErrorKind::RateLimited
            | ErrorKind::Upstream
            | ErrorKind::Internal
    ) || error.code() == "change_busy";
    ActivityError { code: error.code().to_owned(), message: error.message().to_owned(), retryable }
}
