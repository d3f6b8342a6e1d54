//! What a body sees of a run: [`WorkflowContext`] over the events that were applied so far. Nothing here reads a clock, draws
//! a number or touches the file; `body` feeds it and takes what it asks for.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;
use workflow_api::{ActivityOptions, Json, LocalBoxFuture, WorkflowContext, WorkflowError};

/// What a body asked for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Command {
    Activity { name: &'static str, input: Json, options: ActivityOptions, shielded: bool },
    Timer { wait: Duration },
    Patch { id: &'static str },
}

impl Command {
    /// How the journal names it; a replay compares kind and name.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Activity { .. } => "activity",
            Self::Timer { .. } => "timer",
            Self::Patch { .. } => "patch",
        }
    }

    pub(crate) fn name(&self) -> Option<&'static str> {
        match self {
            Self::Activity { name, .. } => Some(name),
            Self::Timer { .. } => None,
            Self::Patch { id } => Some(id),
        }
    }
}

/// A command as the journal has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Past {
    pub(crate) cmd: i64,
    pub(crate) kind: String,
    pub(crate) name: Option<String>,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Happened {
    Start,
    Done { cmd: i64, result: Result<Json, WorkflowError> },
    Fired { cmd: i64 },
    Signal { name: String, data: Json },
    Cancel { reason: String },
}

pub(crate) struct Inner {
    run_id: String,
    seed: Uuid,
    now: Timestamp,
    next_cmd: i64,
    uuids: u64,
    results: BTreeMap<i64, Result<Json, WorkflowError>>,
    /// Unshielded activities whose end is not in the journal: a cancellation waits for them.
    running: BTreeSet<i64>,
    fired: BTreeSet<i64>,
    signals: BTreeMap<String, VecDeque<Json>>,
    cancelled: Option<String>,
    patches: BTreeMap<&'static str, bool>,
    /// What the journal says that the body asked for after the event that is being applied; `None` once it is written anew.
    pub(crate) expected: Option<VecDeque<Past>>,
    pub(crate) asked: Vec<(i64, Command)>,
    /// Timers that nobody waits for any more.
    pub(crate) dropped: Vec<i64>,
    pub(crate) status: Option<Json>,
    /// Where the body left its journal.
    pub(crate) strayed: Option<String>,
}

impl Inner {
    pub(crate) fn new(run_id: String, seed: Uuid) -> Self {
        Self {
            run_id,
            seed,
            now: Timestamp::UNIX_EPOCH,
            next_cmd: 0,
            uuids: 0,
            results: BTreeMap::new(),
            running: BTreeSet::new(),
            fired: BTreeSet::new(),
            signals: BTreeMap::new(),
            cancelled: None,
            patches: BTreeMap::new(),
            expected: None,
            asked: Vec::new(),
            dropped: Vec::new(),
            status: None,
            strayed: None,
        }
    }

    pub(crate) fn apply(&mut self, at: Timestamp, happened: Happened) {
        self.now = at;
        match happened {
            Happened::Start => {}
            Happened::Done { cmd, result } => {
                self.running.remove(&cmd);
                self.results.insert(cmd, result);
            }
            Happened::Fired { cmd } => {
                self.fired.insert(cmd);
            }
            Happened::Signal { name, data } => self.signals.entry(name).or_default().push_back(data),
            Happened::Cancel { reason } => {
                self.cancelled.get_or_insert(reason);
            }
        }
    }

    fn ask(&mut self, command: Command) -> i64 {
        let cmd = self.next_cmd;
        self.next_cmd += 1;
        if let Command::Activity { shielded: false, .. } = &command {
            self.running.insert(cmd);
        }
        match &mut self.expected {
            None => self.asked.push((cmd, command)),
            Some(expected) => {
                let past = expected.pop_front();
                let same = past.as_ref().is_some_and(|past| {
                    past.cmd == cmd && past.kind == command.kind() && past.name.as_deref() == command.name()
                });
                if !same && self.strayed.is_none() {
                    let had = past.map_or_else(|| "nothing".to_owned(), |p| named(&p.kind, p.name.as_deref()));
                    let asked = named(command.kind(), command.name());
                    self.strayed =
                        Some(format!("the body asks for {asked} where its journal has {had} (command {cmd})"));
                }
            }
        }
        cmd
    }

    /// The reason, once a cancellation may be heard: no unshielded activity runs any more.
    fn cancelled(&self) -> Option<WorkflowError> {
        self.cancelled.as_ref().filter(|_| self.running.is_empty()).cloned().map(WorkflowError::Cancelled)
    }
}

pub(crate) fn named(kind: &str, name: Option<&str>) -> String {
    name.map_or_else(|| format!("a {kind}"), |name| format!("{kind} `{name}`"))
}

/// The context of one run.
#[derive(Clone)]
pub(crate) struct JournalContext {
    inner: Rc<RefCell<Inner>>,
    shielded: bool,
}

impl JournalContext {
    pub(crate) fn new(inner: Rc<RefCell<Inner>>) -> Self {
        Self { inner, shielded: false }
    }

    /// Nothing new begins out of shield once the run is cancelled: waits until the cancellation may be heard.
    async fn heard(&self) -> Result<(), WorkflowError> {
        poll_fn(|_| {
            let inner = self.inner.borrow();
            if self.shielded || inner.cancelled.is_none() {
                return Poll::Ready(Ok(()));
            }
            inner.cancelled().map_or(Poll::Pending, |cancelled| Poll::Ready(Err(cancelled)))
        })
        .await
    }
}

/// A timer that somebody waits for.
struct Waited {
    inner: Rc<RefCell<Inner>>,
    cmd: i64,
}

impl Waited {
    fn fired(&self) -> bool {
        self.inner.borrow().fired.contains(&self.cmd)
    }
}

impl Drop for Waited {
    fn drop(&mut self) {
        // A body that is taken out of memory drops its timers while nobody borrows; one that panicked may borrow still.
        if let Ok(mut inner) = self.inner.try_borrow_mut()
            && !inner.fired.remove(&self.cmd)
        {
            inner.dropped.push(self.cmd);
        }
    }
}

impl WorkflowContext for JournalContext {
    fn run_id(&self) -> String {
        self.inner.borrow().run_id.clone()
    }

    async fn activity(&self, name: &'static str, input: Json, options: ActivityOptions) -> Result<Json, WorkflowError> {
        self.heard().await?;
        let shielded = self.shielded;
        let cmd = self.inner.borrow_mut().ask(Command::Activity { name, input, options, shielded });
        poll_fn(|_| self.inner.borrow_mut().results.remove(&cmd).map_or(Poll::Pending, Poll::Ready)).await
    }

    async fn signal(&self, name: &'static str, timeout: Option<Duration>) -> Result<Option<Json>, WorkflowError> {
        self.heard().await?;
        let take = || self.inner.borrow_mut().signals.get_mut(name).and_then(VecDeque::pop_front);
        if let Some(data) = take() {
            return Ok(Some(data));
        }
        let timer = timeout.map(|wait| {
            let cmd = self.inner.borrow_mut().ask(Command::Timer { wait });
            Waited { inner: Rc::clone(&self.inner), cmd }
        });
        poll_fn(|_| {
            if let Some(data) = take() {
                return Poll::Ready(Ok(Some(data)));
            }
            if let Some(cancelled) = self.inner.borrow().cancelled().filter(|_| !self.shielded) {
                return Poll::Ready(Err(cancelled));
            }
            if timer.as_ref().is_some_and(Waited::fired) { Poll::Ready(Ok(None)) } else { Poll::Pending }
        })
        .await
    }

    async fn sleep(&self, duration: Duration) -> Result<(), WorkflowError> {
        self.heard().await?;
        let cmd = self.inner.borrow_mut().ask(Command::Timer { wait: duration });
        let timer = Waited { inner: Rc::clone(&self.inner), cmd };
        poll_fn(|_| {
            if timer.fired() {
                return Poll::Ready(Ok(()));
            }
            let cancelled = self.inner.borrow().cancelled().filter(|_| !self.shielded);
            cancelled.map_or(Poll::Pending, |cancelled| Poll::Ready(Err(cancelled)))
        })
        .await
    }

    fn join<'a, T: 'a>(&self, futures: Vec<LocalBoxFuture<'a, T>>) -> impl Future<Output = Vec<T>> + 'a {
        let mut waiting: Vec<_> = futures.into_iter().map(Some).collect();
        let mut ended: Vec<Option<T>> = waiting.iter().map(|_| None).collect();
        poll_fn(move |cx| {
            for (place, future) in ended.iter_mut().zip(&mut waiting) {
                if let Some(running) = future
                    && let Poll::Ready(value) = running.as_mut().poll(cx)
                {
                    *place = Some(value);
                    *future = None;
                }
            }
            if waiting.iter().any(Option::is_some) {
                return Poll::Pending;
            }
            Poll::Ready(ended.iter_mut().filter_map(Option::take).collect())
        })
    }

    fn first<'a, T: 'a>(&self, futures: Vec<LocalBoxFuture<'a, T>>) -> impl Future<Output = (usize, T)> + 'a {
        let mut futures = futures;
        poll_fn(move |cx| {
            for (place, future) in futures.iter_mut().enumerate() {
                if let Poll::Ready(value) = future.as_mut().poll(cx) {
                    futures.clear();
                    return Poll::Ready((place, value));
                }
            }
            Poll::Pending
        })
    }

    fn shielded(&self) -> Self {
        Self { inner: Rc::clone(&self.inner), shielded: true }
    }

    fn now(&self) -> Timestamp {
        self.inner.borrow().now
    }

    fn uuid(&self) -> Uuid {
        let mut inner = self.inner.borrow_mut();
        inner.uuids += 1;
        Uuid::new_v5(&inner.seed, format!("uuid:{}", inner.uuids).as_bytes())
    }

    fn set_status(&self, status: Json) {
        self.inner.borrow_mut().status = Some(status);
    }

    fn patched(&self, id: &'static str) -> bool {
        let mut inner = self.inner.borrow_mut();
        if let Some(known) = inner.patches.get(id) {
            return *known;
        }
        let new = match inner.expected.as_ref() {
            None => true,
            Some(expected) => {
                expected.front().is_some_and(|past| past.kind == "patch" && past.name.as_deref() == Some(id))
            }
        };
        if new {
            inner.ask(Command::Patch { id });
        }
        inner.patches.insert(id, new);
        new
    }
}
