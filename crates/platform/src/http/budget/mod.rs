//! The outbound budget of one target (T31): how many requests per minute and at once, shared fairly between those on whose
//! behalf they are sent. Every attempt counts, also a login and a retry: the target counts them too.
//!
//! Who cannot be served before its deadline is told at once, with the time when it may come back. Waiting is measured.
//!
//! Next: [`claim`] for on whose behalf a request is sent, `queue` for whose turn it is.

mod claim;
mod queue;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

pub use self::claim::{Claim, Class};
use self::queue::Queue;
use crate::error::{Error, ErrorKind};

/// How much a target is asked.
#[derive(Debug, Clone, Copy)]
pub struct BudgetOptions {
    /// Most requests within any minute; at least 1.
    pub calls_per_minute: u32,
    /// Most requests at once; at least 1.
    pub concurrency: u32,
}

/// One target's budget. Clones are the same one.
#[derive(Clone)]
pub(super) struct Budget(Arc<Inner>);

struct Inner {
    queue: Mutex<State>,
}

struct State {
    queue: Queue<oneshot::Sender<Permit>>,
    /// Whether a task waits for time to pass.
    driven: bool,
}

/// Leave to send one request.
#[must_use]
pub(super) struct Permit {
    budget: Budget,
    granted_at: Instant,
    /// When it was sent.
    sent_at: Option<Instant>,
    took: Option<Duration>,
}

/// Stands in the line until it is served or goes away.
struct InLine<'a> {
    budget: &'a Budget,
    ticket: u64,
}

impl Budget {
    pub(super) fn new(options: BudgetOptions) -> Self {
        let options = BudgetOptions {
            calls_per_minute: options.calls_per_minute.max(1),
            concurrency: options.concurrency.max(1),
        };
        Self(Arc::new(Inner { queue: Mutex::new(State { queue: Queue::new(options), driven: false }) }))
    }

    /// Waits for leave to send, on behalf of `claim`. Errors: `target_busy`: nothing was sent.
    pub(super) async fn acquire(&self, claim: &Claim, target: &str, deadline: Instant) -> Result<Permit, Error> {
        let began = Instant::now();
        let (wake, woken) = oneshot::channel();
        let ticket = self.lock().queue.enter(claim.class(), claim.caller(), wake);
        let Some(ticket) = ticket else { return Err(busy(target, Duration::from_secs(5))) };
        let line = InLine { budget: self, ticket };
        self.go();
        let late = {
            let state = self.lock();
            let wait = state.queue.estimate(ticket, began);
            (began + wait > deadline).then_some(wait)
        };
        if let Some(wait) = late {
            drop(line);
            // It may have been let go in the very moment.
            return woken_already(woken).ok_or_else(|| busy(target, wait));
        }
        let permit = tokio::time::timeout_at(deadline, woken).await;
        claim.waited(began.elapsed());
        let wait = self.lock().queue.estimate(ticket, Instant::now());
        drop(line);
        match permit {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(busy(target, wait.max(Duration::from_secs(1)))),
        }
    }

    /// How many wait.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.lock().queue.waiting()
    }

    /// Lets go who may go, and sees to it that somebody looks again when time alone lets the next one go.
    fn go(&self) {
        let now = Instant::now();
        let go = self.lock().queue.dispatch(now);
        for wake in go {
            let permit = Permit { budget: self.clone(), granted_at: now, sent_at: None, took: None };
            // Who has gone away in between gives it back by dropping it.
            drop(wake.send(permit));
        }
        let mut state = self.lock();
        if !state.driven && state.queue.wakes_at(now).is_some() {
            // None at the end of the process, when what is left of its tasks is dropped.
            let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
            state.driven = true;
            drop(state);
            runtime.spawn(self.clone().drive());
        }
    }

    /// Looks again whenever time lets somebody go, until nobody waits for time.
    async fn drive(self) {
        loop {
            let next = {
                let mut state = self.lock();
                let next = state.queue.wakes_at(Instant::now());
                state.driven = next.is_some();
                next
            };
            let Some(next) = next else { return };
            tokio::time::sleep_until(next).await;
            self.go();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn woken_already(mut woken: oneshot::Receiver<Permit>) -> Option<Permit> {
    woken.try_recv().ok()
}

impl Permit {
    /// The request leaves now.
    pub(super) fn sends(&mut self) {
        self.sent_at = Some(Instant::now());
    }

    /// The target answered.
    pub(super) fn answered(&mut self) {
        self.took = self.sent_at.map(|at| at.elapsed());
        self.budget.lock().queue.accepted();
    }

    /// The target said that it is asked too often.
    pub(super) fn refused(&mut self, after: Option<Duration>) {
        self.budget.lock().queue.refused(after, Instant::now());
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.budget.lock().queue.finished(self.granted_at, self.sent_at.is_some(), self.took);
        self.budget.go();
    }
}

impl Drop for InLine<'_> {
    fn drop(&mut self) {
        if self.budget.lock().queue.leave(self.ticket) {
            // Who stood behind may have come nearer.
            self.budget.go();
        }
    }
}

fn busy(target: &str, wait: Duration) -> Error {
    Error::new(
        ErrorKind::RateLimited,
        "target_busy",
        format!("{target} is asked as often as it may be, and this request would wait too long. Repeat it later."),
    )
    .with_retry_after(wait)
}

#[cfg(test)]
mod tests;
