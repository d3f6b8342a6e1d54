//! The handle on the engine, which clients hold from the moment the file is open, and the handle on its driver, which begins
//! once bodies and activities are known.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use async_trait::async_trait;
use platform::{Error, SharedClock};
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use workflow_api::{Activities, EngineError, Json, RunPage, RunState, RunSummary, WorkflowClient};

use crate::attempts::Attempts;
use crate::body::Definitions;
use crate::driver::Drive;
use crate::error::JournalError;
use crate::journal::Journal;
use crate::trouble::Trouble;

/// The engine over one file. Clones share it. Runs can be started, signalled and asked about as soon as it is open; they go
/// on while [`drive`](Self::drive)'s driver lives.
#[derive(Clone, Debug)]
pub struct WorkflowEngine {
    journal: Journal,
    wake: Arc<Notify>,
    turns: watch::Sender<u64>,
    trouble: Trouble,
    driven: Arc<AtomicBool>,
}

impl WorkflowEngine {
    /// Opens or creates the journal at `path`, migrates it and takes its lease. Blocks; call it at start. Sleeps and time
    /// limits of waits follow `clock`.
    ///
    /// Errors: `store_in_use` when another process drives it (T24), `store_too_new`, `store_migration_changed`,
    /// `store_foreign`, `store_corrupt`, `store_unavailable`.
    pub fn open(path: &Path, clock: SharedClock) -> Result<Self, Error> {
        let journal = Journal::open(path, clock)?;
        Ok(Self {
            journal,
            wake: Arc::new(Notify::new()),
            turns: watch::Sender::new(0),
            trouble: Trouble::none(),
            driven: Arc::new(AtomicBool::new(false)),
        })
    }

    /// Begins to drive: on a thread of its own for the bodies, on the calling runtime for activities. Runs that ended longer
    /// than `keep` ago are forgotten. Once per engine.
    pub fn drive(&self, definitions: Definitions, activities: Activities, keep: Duration) -> Result<Driver, Error> {
        if self.driven.swap(true, Ordering::SeqCst) {
            return Err(Error::internal("the workflow engine is driven already"));
        }
        let attempts = Arc::new(Attempts::new(
            self.journal.clone(),
            activities,
            Arc::clone(&self.wake),
            self.trouble.clone(),
            Handle::current(),
        ));
        let stop = CancellationToken::new();
        let drive = Drive {
            journal: self.journal.clone(),
            definitions,
            attempts: Arc::clone(&attempts),
            wake: Arc::clone(&self.wake),
            stop: stop.clone(),
            turns: self.turns.clone(),
            trouble: self.trouble.clone(),
            keep,
        };
        // Its own small runtime: a driver neither waits for nor holds up the threads of calls.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(Error::internal)?;
        let thread = thread::Builder::new().name("workflows".to_owned()).spawn(move || runtime.block_on(drive.run()));
        let thread = thread.map_err(Error::internal)?;
        Ok(Driver { journal: self.journal.clone(), attempts, stop, thread: Some(thread) })
    }

    /// What the engine cannot do just now, where there is something: its file fails, or another driver took it over.
    pub fn trouble(&self) -> watch::Receiver<Option<String>> {
        self.trouble.watch()
    }

    /// A number that grows whenever runs have gone on: who waits for a run looks again when it does.
    pub fn turns(&self) -> watch::Receiver<u64> {
        self.turns.subscribe()
    }

    fn woken<T>(&self, result: Result<T, JournalError>) -> Result<T, EngineError> {
        self.wake.notify_one();
        result.map_err(told)
    }
}

fn told(error: JournalError) -> EngineError {
    Box::new(Error::from(error))
}

#[async_trait]
impl WorkflowClient for WorkflowEngine {
    async fn start(&self, id: &str, workflow: &str, input: Json) -> Result<(), EngineError> {
        let started = self.journal.start(id, workflow, &input).await;
        self.woken(started)
    }

    async fn signal(&self, id: &str, name: &str, data: Json) -> Result<(), EngineError> {
        let sent = self.journal.signal(id, name, &data).await;
        self.woken(sent)
    }

    async fn cancel(&self, id: &str, reason: &str) -> Result<(), EngineError> {
        let sent = self.journal.cancel(id, reason).await;
        self.woken(sent)
    }

    async fn describe(&self, id: &str) -> Result<Option<RunSummary>, EngineError> {
        self.journal.describe(id).await.map_err(told)
    }

    async fn list(&self, state: Option<RunState>, after: Option<&str>, limit: usize) -> Result<RunPage, EngineError> {
        self.journal.list(state, after, limit).await.map_err(told)
    }
}

/// The driver of an engine. Dropped, it ends at once, as a crash would end it: activities that run are found again by the
/// next one.
pub struct Driver {
    journal: Journal,
    attempts: Arc<Attempts>,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl Driver {
    /// Ends in good order: no body goes further, activities that run get `grace` to end, and the lease is given back.
    pub async fn stop(mut self, grace: Duration) {
        self.end_thread();
        self.attempts.tasks.close();
        if tokio::time::timeout(grace, self.attempts.tasks.wait()).await.is_err() {
            self.attempts.halt.cancel();
            self.attempts.tasks.wait().await;
        }
        if let Err(error) = self.journal.release().await {
            tracing::warn!(%error, "the lease on the workflow journal was not given back");
        }
    }

    fn end_thread(&mut self) {
        self.stop.cancel();
        let Some(thread) = self.thread.take() else { return };
        if thread.join().is_err() {
            tracing::error!("the thread of the workflows panicked");
        }
    }
}

impl std::fmt::Debug for Driver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Driver").field("journal", &self.journal).finish_non_exhaustive()
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.attempts.halt.cancel();
        self.end_thread();
    }
}
