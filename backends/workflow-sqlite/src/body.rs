//! Bodies in memory: the registry of kinds, the replay that brings a body to where its journal ends, and one poll per event.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use jiff::Timestamp;
use uuid::Uuid;
use workflow_api::{Json, LocalBoxFuture, WorkflowDefinition, WorkflowError};

use crate::context::{Command, Happened, Inner, JournalContext, Past, named};

type Ended = Result<Json, WorkflowError>;
type Start = Arc<dyn Fn(JournalContext, Json) -> LocalBoxFuture<'static, Ended> + Send + Sync>;

/// Kinds of workflows by name.
#[derive(Clone, Default)]
pub struct Definitions(BTreeMap<&'static str, Start>);

impl Definitions {
    /// With one more; the last one under a name stands.
    #[must_use]
    pub fn with<D: WorkflowDefinition>(mut self) -> Self {
        self.0.insert(D::NAME, Arc::new(|context, input| Box::pin(D::run(context, input))));
        self
    }

    /// All names.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.0.keys().copied()
    }
}

/// A run, as far as its body needs it.
pub(crate) struct Origin {
    pub(crate) id: String,
    pub(crate) workflow: String,
    pub(crate) input: String,
    pub(crate) seed: String,
}

/// What one poll came to.
#[derive(Default)]
pub(crate) struct Step {
    pub(crate) asked: Vec<(i64, Command)>,
    pub(crate) dropped: Vec<i64>,
    pub(crate) status: Option<Json>,
    pub(crate) ended: Option<Ended>,
}

/// A body in memory.
pub(crate) struct Live {
    pub(crate) origin: Origin,
    inner: Rc<RefCell<Inner>>,
    future: Option<LocalBoxFuture<'static, Ended>>,
    /// Number of its next event.
    pub(crate) next_seq: i64,
    /// Time of its last event, in milliseconds: a run's time never runs back.
    pub(crate) last_at: i64,
    /// The event that the replay stands at, with what the body asked for after it.
    ahead: Option<(Timestamp, Happened, VecDeque<Past>)>,
}

impl Live {
    /// A body before its first event. Error: why the run must be parked.
    pub(crate) fn begin(definitions: &Definitions, origin: Origin) -> Result<Self, String> {
        let start = definitions.0.get(origin.workflow.as_str());
        let start = start.ok_or_else(|| format!("this program knows no workflow `{}`", origin.workflow))?;
        let seed = Uuid::parse_str(&origin.seed).map_err(|error| format!("the run's seed is unreadable: {error}"))?;
        let input = serde_json::from_str(&origin.input);
        let input = input.map_err(|error| format!("the run's input is unreadable: {error}"))?;
        let inner = Rc::new(RefCell::new(Inner::new(origin.id.clone(), seed)));
        let context = JournalContext::new(Rc::clone(&inner));
        let future = guarded(|| start(context, input))?;
        Ok(Self { origin, inner, future: Some(future), next_seq: 0, last_at: 0, ahead: None })
    }

    /// The journal goes on with something that happened.
    pub(crate) fn replay_happened(&mut self, at: Timestamp, happened: Happened) -> Result<(), String> {
        self.replay_ahead()?;
        self.ahead = Some((at, happened, VecDeque::new()));
        Ok(())
    }

    /// The journal goes on with what the body asked for.
    pub(crate) fn replay_asked(&mut self, past: Past) -> Result<(), String> {
        let (_, _, asked) = self.ahead.as_mut().ok_or("the journal begins with a command")?;
        asked.push_back(past);
        Ok(())
    }

    /// Plays the event that stands ahead; at the end of the journal, the last one.
    pub(crate) fn replay_ahead(&mut self) -> Result<(), String> {
        let Some((at, happened, asked)) = self.ahead.take() else { return Ok(()) };
        self.inner.borrow_mut().expected = Some(asked);
        let step = self.poll(at, happened)?;
        let mut inner = self.inner.borrow_mut();
        if let Some(strayed) = inner.strayed.take() {
            return Err(strayed);
        }
        if let Some(past) = inner.expected.take().and_then(|mut left| left.pop_front()) {
            let had = named(&past.kind, past.name.as_deref());
            return Err(format!("the journal has {had} where the body asks for nothing (command {})", past.cmd));
        }
        if step.ended.is_some() {
            return Err("the body ends where its journal goes on".to_owned());
        }
        Ok(())
    }

    /// Applies what happened now. Error: why the run must be parked; the body is of no use then.
    pub(crate) fn step(&mut self, at: Timestamp, happened: Happened) -> Result<Step, String> {
        self.inner.borrow_mut().expected = None;
        self.poll(at, happened)
    }

    fn poll(&mut self, at: Timestamp, happened: Happened) -> Result<Step, String> {
        self.inner.borrow_mut().apply(at, happened);
        let future = self.future.as_mut().ok_or("the body has ended")?;
        let polled = guarded(|| future.as_mut().poll(&mut Context::from_waker(Waker::noop())))?;
        let ended = match polled {
            Poll::Ready(ended) => {
                // Dropped here, so that what it waited for is dropped within this step.
                let future = self.future.take();
                guarded(|| drop(future))?;
                Some(ended)
            }
            Poll::Pending => None,
        };
        let mut inner = self.inner.borrow_mut();
        Ok(Step {
            asked: std::mem::take(&mut inner.asked),
            dropped: std::mem::take(&mut inner.dropped),
            status: inner.status.take(),
            ended,
        })
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        let future = self.future.take();
        if let Err(panicked) = guarded(|| drop(future)) {
            tracing::error!(%panicked, "a workflow's body panicked while it was taken out of memory");
        }
    }
}

/// A panic of a body is its run's trouble, and nobody else's.
fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let words = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let words = words.or_else(|| panic.downcast_ref::<String>().cloned());
        format!("the body panicked: {}", words.unwrap_or_else(|| "without a word".to_owned()))
    })
}
