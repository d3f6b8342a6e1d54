//! What a body sees. A body is an async function that is run again from its beginning after every restart, over the journal
//! of what happened: it must do the same in the same order, so that it gets time, identifiers and everything else from here. It
//! walks over no map without an order, holds no lock, spawns nothing and awaits nothing that is not from here.
//!
//! What every engine keeps:
//!
//! - An activity of [`Effect::Idempotent`](crate::Effect) is repeated after failures and crashes; every other is started once, and a start whose end
//!   is not in the journal comes back as [`WorkflowError::Interrupted`]: the body decides, nobody guesses (T20).
//! - A cancellation reaches every unshielded await, once the activity that runs has acknowledged it or ended. What is awaited
//!   through [`WorkflowContext::shielded`] is not reached: activities, signals and sleeps alike.
//! - Signals are kept in order per name from before the first wait. They carry no authority: the row in the store is the
//!   truth, and a signal only says that it is worth looking.
//! - Nothing begins before its future is polled for the first time. A wait that is dropped is over, and takes nothing; an
//!   activity that is dropped goes on, unheard.
//! - Sleeps and limits of waits follow the platform's clock, over restarts too; limits of attempts and the waits between them
//!   follow the machine's own steady time.
//! - One event is applied per poll, so that [`WorkflowContext::join`] and [`WorkflowContext::first`] see the same order again.
//! - A body that does not do what its journal says is parked until a binary comes back that does. So is a run whose kind or
//!   activity this binary does not know, one whose body panics, and one whose journal cannot be read. Other runs go on.

use std::pin::Pin;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Json;
use crate::activity::ActivityOptions;

/// A future that stays on its thread: Temporal's contexts do.
pub type LocalBoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// Everything a body may touch. No `Send`: see [`LocalBoxFuture`].
pub trait WorkflowContext: Clone + 'static {
    /// The run's id, as it was started under.
    fn run_id(&self) -> String;

    /// Runs an activity. Its input and result stand in the journal: references, never secrets.
    fn activity(
        &self,
        name: &'static str,
        input: Json,
        options: ActivityOptions,
    ) -> impl Future<Output = Result<Json, WorkflowError>>;

    /// The next signal of this name; `None` when `timeout` ends first. A timeout of zero asks whether one is there.
    fn signal(
        &self,
        name: &'static str,
        timeout: Option<Duration>,
    ) -> impl Future<Output = Result<Option<Json>, WorkflowError>>;

    /// Waits, also over restarts.
    fn sleep(&self, duration: Duration) -> impl Future<Output = Result<(), WorkflowError>>;

    /// All of them, in their order.
    fn join<'a, T: 'a>(&self, futures: Vec<LocalBoxFuture<'a, T>>) -> impl Future<Output = Vec<T>> + 'a;

    /// The first that ends, and its place; of several at once the first in the list. The others are dropped, and what they
    /// had begun goes on unheard. Of no futures none ends.
    fn first<'a, T: 'a>(&self, futures: Vec<LocalBoxFuture<'a, T>>) -> impl Future<Output = (usize, T)> + 'a;

    /// The same context out of a cancellation's reach: for undo, release and report.
    fn shielded(&self) -> Self;

    /// The time of the event that is being applied; it stands still between two awaits.
    fn now(&self) -> Timestamp;

    /// A new identifier, the same one again in a replay.
    fn uuid(&self) -> Uuid;

    /// What [`WorkflowClient::describe`](crate::WorkflowClient::describe) shows of the run.
    fn set_status(&self, status: Json);

    /// True in runs that reach this point for the first time with a binary that knows `id`, false in those whose journal was
    /// written before: how a body changes while runs wait.
    fn patched(&self, id: &'static str) -> bool;
}

/// A kind of workflow.
pub trait WorkflowDefinition: Send + Sync + 'static {
    /// Stable name; it stands in the journal.
    const NAME: &'static str;

    /// The body.
    fn run<C: WorkflowContext>(context: C, input: Json) -> impl Future<Output = Result<Json, WorkflowError>>;
}

/// Why an await, or a run, did not bring a result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "error", content = "detail", rename_all = "snake_case")]
pub enum WorkflowError {
    /// An activity failed for good.
    #[error("{activity} failed: {code}: {message}")]
    Activity {
        /// The activity.
        activity: String,
        /// Stable code.
        code: String,
        /// Safe sentence.
        message: String,
    },
    /// An activity that is not idempotent was started, and nobody heard its end: the process died, its time ran out, or a
    /// defect ended it. It may have done all, some or nothing.
    #[error("{activity} was interrupted")]
    Interrupted {
        /// The activity.
        activity: String,
        /// What it had announced, where it had ([`ActivityContext::announce`](crate::ActivityContext::announce)).
        intent: Option<String>,
    },
    /// The run was cancelled, with the reason.
    #[error("cancelled: {0}")]
    Cancelled(String),
    /// The body gave up.
    #[error("{code}: {message}")]
    Failed {
        /// Stable code.
        code: String,
        /// Safe sentence.
        message: String,
    },
}

impl From<serde_json::Error> for WorkflowError {
    /// Inputs and results are our own types: one that does not fit is a journal of another version.
    fn from(error: serde_json::Error) -> Self {
        Self::Failed { code: "workflow_data_unreadable".to_owned(), message: error.to_string() }
    }
}
