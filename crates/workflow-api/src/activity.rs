//! Activities: everything a body must not do itself. They run outside the replay, with clocks, networks and stores.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::Json;

/// What a repeat would do (T20). The engine repeats the first class only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// No harm: repeated after failures and after a crash, at most so many times in all; 0 = without end.
    Idempotent {
        /// Most attempts.
        attempts: u32,
    },
    /// A repeat would act again, and the target's own records tell whether the first attempt happened: never repeated by the
    /// engine.
    Discoverable,
    /// Never resent by anybody.
    Once,
}

/// How an activity is run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ActivityOptions {
    /// What a repeat would do.
    pub effect: Effect,
    /// Longest time of one attempt.
    pub timeout: Duration,
    /// Wait before the second attempt; it doubles up to `longest_wait`.
    pub first_wait: Duration,
    /// Longest wait between two attempts.
    pub longest_wait: Duration,
}

impl ActivityOptions {
    /// Repeated at most `attempts` times in all, each at most `timeout`; waits from half a second to ten seconds between them.
    pub const fn idempotent(attempts: u32, timeout: Duration) -> Self {
        Self::of(Effect::Idempotent { attempts }, timeout)
    }

    /// Started once; an end that nobody heard is `Interrupted`.
    pub const fn discoverable(timeout: Duration) -> Self {
        Self::of(Effect::Discoverable, timeout)
    }

    /// Started once, and never again by anybody.
    pub const fn once(timeout: Duration) -> Self {
        Self::of(Effect::Once, timeout)
    }

    const fn of(effect: Effect, timeout: Duration) -> Self {
        Self { effect, timeout, first_wait: Duration::from_millis(500), longest_wait: Duration::from_secs(10) }
    }
}

/// A failed attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActivityError {
    /// Stable code.
    pub code: String,
    /// Safe sentence: it stands in the journal.
    pub message: String,
    /// Whether another attempt may succeed; only idempotent activities get one.
    pub retryable: bool,
}

impl ActivityError {
    /// The code of an attempt that ended because it saw its run's cancellation: its await answers
    /// [`WorkflowError::Cancelled`](crate::WorkflowError::Cancelled).
    pub const CANCELLED: &'static str = "cancelled";

    /// The code of an idempotent activity whose attempts all ran out of time.
    pub const TIMEOUT: &'static str = "activity_timeout";

    /// The code of an idempotent activity that failed by a defect each time.
    pub const PANICKED: &'static str = "activity_panicked";

    /// The code of an idempotent activity during whose last attempt the process died.
    pub const SPENT: &'static str = "activity_attempts_spent";

    /// A failure that another attempt would meet again.
    pub fn fatal(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), retryable: false }
    }

    /// A failure that may be gone at the next attempt.
    pub fn retryable(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), retryable: true }
    }

    /// The acknowledgement of a cancellation.
    pub fn cancelled() -> Self {
        Self::fatal(Self::CANCELLED, "The activity ended because its run was cancelled.")
    }
}

impl From<serde_json::Error> for ActivityError {
    /// Inputs and results are our own types: one that does not fit does not fit the next time either.
    fn from(error: serde_json::Error) -> Self {
        Self::fatal("workflow_data_unreadable", error.to_string())
    }
}

/// What an engine gives an attempt.
#[async_trait]
pub trait AttemptJournal: Send + Sync {
    /// Writes down what the attempt is about to do, durable when it returns; an interrupted attempt comes back with it.
    async fn announce(&self, intent: &str) -> Result<(), ActivityError>;

    /// Whether the run was cancelled: a long activity looks now and then, ends cleanly, and so acknowledges.
    fn is_cancelled(&self) -> bool;

    /// Returns when the run is cancelled, and never otherwise: beside a wait, not instead of one.
    async fn cancelled(&self);
}

/// One attempt of an activity.
#[derive(Clone)]
pub struct ActivityContext {
    /// The run.
    pub run_id: String,
    /// The same for all attempts of this activity of this run, and for no other.
    pub idempotency_key: String,
    /// 1 for the first.
    pub attempt: u32,
    /// The engine's side.
    pub journal: Arc<dyn AttemptJournal>,
}

impl ActivityContext {
    /// See [`AttemptJournal::announce`].
    pub async fn announce(&self, intent: &str) -> Result<(), ActivityError> {
        self.journal.announce(intent).await
    }

    /// See [`AttemptJournal::is_cancelled`].
    pub fn is_cancelled(&self) -> bool {
        self.journal.is_cancelled()
    }

    /// See [`AttemptJournal::cancelled`].
    pub async fn cancelled(&self) {
        self.journal.cancelled().await;
    }
}

/// What an attempt comes to.
pub type ActivityFuture = Pin<Box<dyn Future<Output = Result<Json, ActivityError>> + Send>>;

/// The function behind a name.
pub type Activity = Arc<dyn Fn(ActivityContext, Json) -> ActivityFuture + Send + Sync>;

/// Activities by name.
#[derive(Clone, Default)]
pub struct Activities(BTreeMap<&'static str, Activity>);

impl Activities {
    /// With one more; the last one under a name stands.
    #[must_use]
    pub fn with<F, Fut>(mut self, name: &'static str, activity: F) -> Self
    where
        F: Fn(ActivityContext, Json) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Json, ActivityError>> + Send + 'static,
    {
        self.0.insert(name, Arc::new(move |context, input| Box::pin(activity(context, input))));
        self
    }

    /// The function behind a name.
    pub fn get(&self, name: &str) -> Option<&Activity> {
        self.0.get(name)
    }

    /// All names.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.0.keys().copied()
    }
}
