//! The engine as the suite sees it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use interlock_workflow_sqlite::{Definitions, Driver, WorkflowEngine};
use platform::clock::AdjustableClock;
use workflow_api::{RunSummary, WorkflowClient, WorkflowDefinition};
use workflow_suites::{Bench, Program, Registry, World};

/// Long enough that nothing is forgotten by itself.
pub(crate) const KEEP: Duration = Duration::from_secs(90 * 86_400);

pub(crate) struct Kinds(pub(crate) Definitions);

impl Registry for Kinds {
    fn with<D: WorkflowDefinition>(self) -> Self {
        Self(self.0.with::<D>())
    }
}

pub(crate) struct SqliteBench {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) clock: Arc<AdjustableClock>,
    pub(crate) world: World,
    pub(crate) running: Option<(WorkflowEngine, Driver)>,
}

impl SqliteBench {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut bench = Self { folder, clock: Arc::default(), world: World::default(), running: None };
        bench.begin(Program::Current);
        bench
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("workflows.db")
    }

    pub(crate) fn begin(&mut self, program: Program) {
        let definitions = program.register(Kinds(Definitions::default())).0;
        let engine = WorkflowEngine::open(&self.path(), self.clock.clone()).unwrap();
        let driver = engine.drive(definitions, self.world.activities(), KEEP).unwrap();
        self.running = Some((engine, driver));
    }

    pub(crate) fn engine(&self) -> &WorkflowEngine {
        &self.running.as_ref().unwrap().0
    }

    pub(crate) async fn end(&mut self) {
        if let Some((engine, driver)) = self.running.take() {
            drop(engine);
            driver.stop(Duration::ZERO).await;
        }
    }
}

#[async_trait]
impl Bench for SqliteBench {
    fn client(&self) -> &dyn WorkflowClient {
        self.engine()
    }

    fn world(&self) -> &World {
        &self.world
    }

    async fn crash(&mut self, program: Program) {
        self.end().await;
        self.begin(program);
    }

    fn advance(&self, by: Duration) {
        self.clock.advance(i64::try_from(by.as_secs()).unwrap());
    }

    async fn until(&self, id: &str, is: &(dyn for<'a> Fn(&'a RunSummary) -> bool + Sync)) -> RunSummary {
        let mut turns = self.engine().turns();
        loop {
            turns.mark_unchanged();
            if let Some(run) = self.engine().describe(id).await.unwrap().filter(|run| is(run)) {
                return run;
            }
            turns.changed().await.unwrap();
        }
    }
}
