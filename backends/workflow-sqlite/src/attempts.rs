//! Attempts of activities: each stands in the journal before it does anything, and its end goes there with the row that
//! named it. Only an idempotent activity is tried again; another that was begun and not heard to end is `Interrupted`.
//!
//! The waits between attempts and the limits of one follow the machine's own steady time; a run's sleeps follow the clock.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt;
use platform::failpoint;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;
use workflow_api::activity::AttemptJournal;
use workflow_api::{Activities, ActivityContext, ActivityError, Effect, Json, WorkflowError};

use crate::error::JournalError;
use crate::journal::{Journal, RunKey, Started, Ticket, result_text};
use crate::trouble::Trouble;

type Outcome = Result<Json, WorkflowError>;

/// Runs attempts on the runtime of the one who drives.
pub(crate) struct Attempts {
    pub(crate) journal: Journal,
    pub(crate) activities: Activities,
    pub(crate) wake: Arc<Notify>,
    pub(crate) trouble: Trouble,
    pub(crate) runtime: Handle,
    pub(crate) tasks: TaskTracker,
    /// Ends every attempt where it stands, as a crash would.
    pub(crate) halt: CancellationToken,
    running: Mutex<HashMap<(RunKey, i64), Arc<Stop>>>,
}

/// What a running attempt hears of its run's cancellation.
#[derive(Default)]
struct Stop {
    shielded: bool,
    token: CancellationToken,
    reason: OnceLock<String>,
}

impl Stop {
    fn heard(&self) -> Option<WorkflowError> {
        let reason = || WorkflowError::Cancelled(self.reason.get().cloned().unwrap_or_default());
        self.token.is_cancelled().then(reason)
    }

    fn ring(&self, reason: &str) {
        // The first reason stands.
        self.reason.get_or_init(|| reason.to_owned());
        self.token.cancel();
    }
}

impl Attempts {
    pub(crate) fn new(
        journal: Journal,
        activities: Activities,
        wake: Arc<Notify>,
        trouble: Trouble,
        runtime: Handle,
    ) -> Self {
        let running = Mutex::default();
        let (tasks, halt) = (TaskTracker::new(), CancellationToken::new());
        Self { journal, activities, wake, trouble, runtime, tasks, halt, running }
    }

    /// Whether this program has the activity.
    pub(crate) fn knows(&self, name: &str) -> bool {
        self.activities.get(name).is_some()
    }

    /// Begins, or goes on with, an activity whose row stands in the journal.
    pub(crate) fn launch(self: &Arc<Self>, ticket: Ticket) {
        let stop = Arc::new(Stop { shielded: ticket.shielded, ..Stop::default() });
        if let Some(reason) = &ticket.cancelled {
            stop.ring(reason);
        }
        let place = (ticket.run, ticket.cmd);
        self.running().insert(place, Arc::clone(&stop));
        let attempts = Arc::clone(self);
        let work = async move {
            let halt = attempts.halt.clone();
            tokio::select! {
                biased;
                () = halt.cancelled() => {}
                () = attempts.see_through(ticket, &stop) => {}
            }
            attempts.running().remove(&place);
        };
        self.tasks.spawn_on(work, &self.runtime);
    }

    /// Tells the unshielded activities of a run that it is cancelled.
    pub(crate) fn cancel(&self, run: RunKey, reason: &str) {
        for ((of, _), stop) in self.running().iter() {
            if *of == run && !stop.shielded {
                stop.ring(reason);
            }
        }
    }

    fn running(&self) -> std::sync::MutexGuard<'_, HashMap<(RunKey, i64), Arc<Stop>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn see_through(&self, ticket: Ticket, stop: &Stop) {
        let (run, cmd) = (ticket.run, ticket.cmd);
        let ended = async {
            let Some(outcome) = self.outcome(ticket, stop).await? else { return Ok(()) };
            failpoint::reach("journal.result_known");
            let text = result_text(&outcome)?;
            self.trouble.insist("the end of an activity", || self.journal.finish(run, cmd, text.clone())).await
        };
        match ended.await {
            Ok(()) => self.wake.notify_one(),
            // Another driver has the run: it finds the attempt in the journal.
            Err(JournalError::LeaseLost) => self.halt.cancel(),
            Err(error) => tracing::error!(%error, "an activity's end cannot be written"),
        }
    }

    /// How the activity ends; `None` when its run has ended without it.
    async fn outcome(&self, mut ticket: Ticket, stop: &Stop) -> Result<Option<Outcome>, JournalError> {
        let name = ticket.name.clone();
        let limit = match ticket.options.effect {
            Effect::Idempotent { attempts: 0 } => u32::MAX,
            Effect::Idempotent { attempts } => attempts,
            Effect::Discoverable | Effect::Once => 1,
        };
        if ticket.attempt > 0 && !repeatable(&ticket) {
            return Ok(Some(Err(WorkflowError::Interrupted { activity: name, intent: ticket.intent })));
        }
        loop {
            if ticket.attempt >= limit {
                let error = ticket.last_error.unwrap_or_else(|| {
                    let message = format!("The process ended during each of {} attempts.", ticket.attempt);
                    ActivityError::fatal(ActivityError::SPENT, message)
                });
                return Ok(Some(Err(failed(name, error))));
            }
            tokio::select! {
                biased;
                () = stop.token.cancelled() => {}
                () = tokio::time::sleep(self.wait_for(&ticket)) => {}
            }
            if let Some(cancelled) = stop.heard() {
                return Ok(Some(Err(cancelled)));
            }
            ticket.attempt += 1;
            let begin = || self.journal.begin_attempt(ticket.run, ticket.cmd, ticket.attempt);
            match self.trouble.insist("the begin of an attempt", begin).await? {
                Started::Begun => {}
                Started::Cancelled(reason) => return Ok(Some(Err(WorkflowError::Cancelled(reason)))),
                Started::Gone => return Ok(None),
            }
            let error = match self.attempt(&ticket, stop).await {
                Ended::Well(value) => return Ok(Some(Ok(value))),
                Ended::Unheard { intent, .. } if !repeatable(&ticket) => {
                    return Ok(Some(Err(WorkflowError::Interrupted { activity: name, intent })));
                }
                Ended::Unheard { error, .. } | Ended::Badly(error) => error,
            };
            if error.code == ActivityError::CANCELLED
                && let Some(cancelled) = stop.heard()
            {
                return Ok(Some(Err(cancelled)));
            }
            if !error.retryable || !repeatable(&ticket) {
                return Ok(Some(Err(failed(name, error))));
            }
            let wait = i64::try_from(wait_after(&ticket).as_millis()).unwrap_or(i64::MAX);
            ticket.next_at = self.journal.now_ms().saturating_add(wait);
            let text = serde_json::to_string(&error).unwrap_or_default();
            ticket.last_error = Some(error);
            let put_off = || self.journal.put_off(ticket.run, ticket.cmd, ticket.next_at, text.clone());
            if ticket.attempt < limit {
                self.trouble.insist("a failed attempt", put_off).await?;
            }
        }
    }

    fn wait_for(&self, ticket: &Ticket) -> Duration {
        let left = ticket.next_at.saturating_sub(self.journal.now_ms());
        // A clock that was set back does not hold an attempt for longer than its longest wait.
        Duration::from_millis(u64::try_from(left).unwrap_or(0)).min(wait_after(ticket))
    }

    async fn attempt(&self, ticket: &Ticket, stop: &Stop) -> Ended {
        let Some(activity) = self.activities.get(&ticket.name) else {
            return Ended::Badly(ActivityError::fatal("activity_unknown", "This program does not know the activity."));
        };
        let journal = Arc::new(Announced {
            journal: self.journal.clone(),
            run: ticket.run,
            cmd: ticket.cmd,
            attempt: ticket.attempt,
            token: stop.token.clone(),
            intent: Mutex::new(None),
        });
        let context = ActivityContext {
            run_id: ticket.run_id.clone(),
            idempotency_key: key_of(ticket),
            attempt: ticket.attempt,
            journal: Arc::clone(&journal) as Arc<dyn AttemptJournal>,
        };
        let input = ticket.input.clone();
        let work = AssertUnwindSafe(async move { activity(context, input).await }).catch_unwind();
        let intent = || journal.intent.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match tokio::time::timeout(ticket.options.timeout, work).await {
            Ok(Ok(Ok(value))) => Ended::Well(value),
            Ok(Ok(Err(error))) => Ended::Badly(error),
            Ok(Err(_)) => {
                let error = ActivityError::retryable(ActivityError::PANICKED, "The activity failed by a defect.");
                Ended::Unheard { intent: intent(), error }
            }
            Err(_) => {
                let message =
                    format!("The activity did not end within {} seconds.", ticket.options.timeout.as_secs_f64());
                Ended::Unheard { intent: intent(), error: ActivityError::retryable(ActivityError::TIMEOUT, message) }
            }
        }
    }
}

/// How one attempt ended.
enum Ended {
    Well(Json),
    Badly(ActivityError),
    /// Nobody knows how far it came.
    Unheard {
        intent: Option<String>,
        error: ActivityError,
    },
}

fn repeatable(ticket: &Ticket) -> bool {
    matches!(ticket.options.effect, Effect::Idempotent { .. })
}

/// The wait after the attempt that failed last: it doubles.
fn wait_after(ticket: &Ticket) -> Duration {
    let doubled = 2_u32.saturating_pow(ticket.attempt.saturating_sub(1));
    ticket.options.first_wait.saturating_mul(doubled).min(ticket.options.longest_wait)
}

/// The same for all attempts of one activity; the run's seed is in it, so that a later run of the same id has others.
fn key_of(ticket: &Ticket) -> String {
    let seed = Uuid::parse_str(&ticket.seed).unwrap_or(Uuid::NAMESPACE_OID);
    Uuid::new_v5(&seed, format!("activity:{}", ticket.cmd).as_bytes()).to_string()
}

fn failed(activity: String, error: ActivityError) -> WorkflowError {
    WorkflowError::Activity { activity, code: error.code, message: error.message }
}

/// The journal's side of one attempt.
struct Announced {
    journal: Journal,
    run: RunKey,
    cmd: i64,
    attempt: u32,
    token: CancellationToken,
    intent: Mutex<Option<String>>,
}

#[async_trait]
impl AttemptJournal for Announced {
    async fn announce(&self, intent: &str) -> Result<(), ActivityError> {
        let written = self.journal.announce(self.run, self.cmd, self.attempt, intent.to_owned()).await;
        match written {
            Ok(true) => {
                *self.intent.lock().unwrap_or_else(PoisonError::into_inner) = Some(intent.to_owned());
                Ok(())
            }
            Ok(false) => Err(ActivityError::fatal("activity_over", "The run has ended without this activity.")),
            Err(error) => {
                tracing::warn!(%error, "an intent could not be written down");
                let message = "What was about to be done could not be written down; nothing was done.";
                Err(ActivityError::retryable("journal_unavailable", message))
            }
        }
    }

    fn is_cancelled(&self) -> bool {
        self.token.is_cancelled()
    }

    async fn cancelled(&self) {
        self.token.cancelled().await;
    }
}
