//! The durable engine under changes: bodies of `workflows`, activities of `change_control`, over the engine of the
//! configuration. Neither of them names the other two.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use change_control::Changes;
use platform::config::WorkflowsConfig;
use platform::{Result, SharedClock};
use tokio::task::JoinHandle;
use tool_runtime::Pipeline;
use workflow_sqlite::{Definitions, Driver, WorkflowEngine};
use workflows::engine::{Starter, activities};
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
        changes.attach(road, Arc::new(Starter::on(Arc::new(engine.clone()))))?;
        Ok(Self { changes, engine, keep: config.keep() })
    }

    /// Lets runs go on, from where the last process left them, keeps their locks, and ends submissions that nobody decided about.
    pub(crate) async fn drive(&self) -> Result<Driving> {
        let changes = Arc::clone(&self.changes);
        let locks = tokio::spawn(async move { changes.keep_locks(std::future::pending()).await });
        let changes = Arc::clone(&self.changes);
        let expiry = tokio::spawn(async move { changes.expire_submissions(std::future::pending()).await });
        let definitions = Definitions::default().with::<ChangePlan>().with::<ChangeRun>();
        let driver = self.engine.drive(definitions, activities(&self.changes), self.keep)?;
        self.changes.restart_planning().await?;
        self.changes.start_approved().await?;
        Ok(Driving { driver, locks, expiry })
    }
}

/// Runs that go on.
pub(crate) struct Driving {
    driver: Driver,
    locks: JoinHandle<()>,
    expiry: JoinHandle<()>,
}

impl Driving {
    /// Stops in good order: an activity that is under way gets `grace`. Locks outlive the process by their lease.
    pub(crate) async fn stop(self, grace: Duration) {
        self.driver.stop(grace).await;
        self.locks.abort();
        self.expiry.abort();
    }
}
