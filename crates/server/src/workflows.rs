//! The durable engine under changes: bodies of `workflows`, activities of `change_control`, over the engine of the
//! configuration. Neither of them names the other two.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use change_control::run::contract::{NUDGE, Of, PLAN_WORKFLOW, RUN_WORKFLOW};
use change_control::{ChangeId, Changes, RunStarter};
use platform::config::WorkflowsConfig;
use platform::{Error, ErrorKind, Json, Result, SharedClock};
use tokio::task::JoinHandle;
use tool_runtime::Pipeline;
use workflow_api::{Activities, ActivityError, WorkflowClient};
use workflow_sqlite::{Definitions, Driver, WorkflowEngine};
use workflows::{ChangePlan, ChangeRun};

use crate::offline::local_file;

/// Changes with the engine that does them; it is driven once the platform serves.
pub struct Runs {
    /// Changes.
    pub changes: Arc<Changes>,
    engine: WorkflowEngine,
    keep: Duration,
}

impl Runs {
    /// Opens the engine, and tells changes of it and of the road.
    pub(crate) fn open(
        changes: Arc<Changes>,
        road: &Arc<Pipeline>,
        config: &WorkflowsConfig,
        state: &Path,
        clock: &SharedClock,
    ) -> Result<Self> {
        let engine = WorkflowEngine::open(&local_file(&config.url, "sqlite", state)?, Arc::clone(clock))?;
        changes.attach(road, Arc::new(Starter(Arc::new(engine.clone()))))?;
        Ok(Self { changes, engine, keep: config.keep() })
    }

    /// Lets runs go on, from where the last process left them, and keeps their locks.
    pub(crate) async fn drive(&self) -> Result<Driving> {
        let changes = Arc::clone(&self.changes);
        let locks = tokio::spawn(async move { changes.keep_locks(std::future::pending()).await });
        let definitions = Definitions::default().with::<ChangePlan>().with::<ChangeRun>();
        let driver = self.engine.drive(definitions, activities(&self.changes), self.keep)?;
        self.changes.restart_planning().await?;
        self.changes.start_approved().await?;
        Ok(Driving { driver, locks })
    }
}

/// Runs that go on.
pub(crate) struct Driving {
    driver: Driver,
    locks: JoinHandle<()>,
}

impl Driving {
    /// Stops in good order: an activity that is under way gets `grace`. Locks outlive the process by their lease.
    pub(crate) async fn stop(self, grace: Duration) {
        self.driver.stop(grace).await;
        self.locks.abort();
    }
}

/// Starts and nudges runs on an engine.
struct Starter(Arc<dyn WorkflowClient>);

#[async_trait]
impl RunStarter for Starter {
    async fn plan(&self, change: &ChangeId) -> Result<()> {
        self.started(&workflows::plan_id(change), PLAN_WORKFLOW, change).await
    }

    async fn start(&self, change: &ChangeId) -> Result<()> {
        self.started(&workflows::run_id(change), RUN_WORKFLOW, change).await
    }

    async fn nudge(&self, change: &ChangeId) -> Result<()> {
        self.0.signal(&workflows::run_id(change), NUDGE, Json::Null).await.map_err(unavailable)
    }
}

impl Starter {
    async fn started(&self, id: &str, workflow: &str, change: &ChangeId) -> Result<()> {
        let input = serde_json::to_value(Of { change: change.clone() }).map_err(Error::internal)?;
        self.0.start(id, workflow, input).await.map_err(unavailable)
    }
}

fn unavailable(error: impl std::fmt::Display) -> Error {
    let message = "Changes cannot be worked on while their engine cannot write. Try again in a moment.";
    Error::new(ErrorKind::Unavailable, "changes_unavailable", message).with_detail(error)
}

/// Change control's activities, as an engine runs them. What may be gone at the next try is tried again; a defect of ours too,
/// because an activity begins by reading what is true now.
fn activities(changes: &Arc<Changes>) -> Activities {
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
