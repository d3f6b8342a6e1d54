//! Bodies that are data: a script of what to await, so that a test says in one place what its run does. What each await
//! brought stands in the run's status, also while it runs and where it fails.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use workflow_api::{
    ActivityOptions, Effect, Json, LocalBoxFuture, Saga, WorkflowContext, WorkflowDefinition, WorkflowError,
};

use crate::Registry;
use crate::world::ACT;

/// One thing to await.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// An activity ([`crate::world`]) with its input.
    Act {
        /// What it does.
        input: Json,
        /// Its class.
        effect: Effect,
        /// Limit of an attempt, in milliseconds.
        timeout_ms: u64,
    },
    /// An activity that no program has.
    ActUnknown,
    /// A sleep, in milliseconds.
    Sleep(u64),
    /// A signal by name, `a` or `b`, with a limit in milliseconds.
    Signal(String, Option<u64>),
    /// All of them.
    Join(Vec<Vec<Op>>),
    /// The first of them.
    First(Vec<Vec<Op>>),
    /// Out of a cancellation's reach.
    Shielded(Vec<Op>),
    /// Whatever these come to, the script goes on.
    Try(Vec<Op>),
    /// A new identifier.
    Uuid,
    /// The time, in milliseconds.
    Now,
    /// Whether the point is passed by a program that knows the patch.
    Patched,
    /// To be taken back, by an activity with this input, when the script gives up.
    Undo(Json),
    /// A defect.
    Panic,
    /// An end, with an error.
    Fail(String),
}

impl Op {
    /// An idempotent activity with three attempts.
    pub fn act(input: Json) -> Self {
        Self::Act { input, effect: Effect::Idempotent { attempts: 3 }, timeout_ms: 60_000 }
    }

    /// An activity that is not repeated.
    pub fn once(input: Json) -> Self {
        Self::Act { input, effect: Effect::Once, timeout_ms: 60_000 }
    }

    /// An activity whose outcome can be looked up.
    pub fn discoverable(input: Json) -> Self {
        Self::Act { input, effect: Effect::Discoverable, timeout_ms: 60_000 }
    }

    /// A signal without a limit.
    pub fn signal(name: &str) -> Self {
        Self::Signal(name.to_owned(), None)
    }
}

/// A script.
pub type Script = Vec<Op>;

/// The body that plays its input, a [`Script`].
pub struct Scripted;

impl WorkflowDefinition for Scripted {
    const NAME: &'static str = "scripted";

    async fn run<C: WorkflowContext>(context: C, input: Json) -> Result<Json, WorkflowError> {
        let script: Script = serde_json::from_value(input)?;
        let player = Player { log: Rc::default(), saga: Rc::default(), root: context.clone(), knows: true };
        player.play_all(context, script).await
    }
}

/// Another program's body under the same name: it sleeps for a second, whatever its input says.
pub struct Changed;

impl WorkflowDefinition for Changed {
    const NAME: &'static str = Scripted::NAME;

    async fn run<C: WorkflowContext>(context: C, _input: Json) -> Result<Json, WorkflowError> {
        context.set_status(json!("changed"));
        context.sleep(Duration::from_secs(1)).await?;
        Ok(json!("changed"))
    }
}

/// A body of an older program: it plays scripts, and [`Op::Patched`] is not in it.
pub struct Unpatched;

impl WorkflowDefinition for Unpatched {
    const NAME: &'static str = Scripted::NAME;

    async fn run<C: WorkflowContext>(context: C, input: Json) -> Result<Json, WorkflowError> {
        let script: Script = serde_json::from_value(input)?;
        let player = Player { log: Rc::default(), saga: Rc::default(), root: context.clone(), knows: false };
        player.play_all(context, script).await
    }
}

/// What program drives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// The one whose [`Scripted`] plays scripts.
    Current,
    /// An older one, which plays scripts and knows no patch.
    Older,
    /// One in which something else stands under the name.
    Other,
}

impl Program {
    /// Registers its kinds.
    pub fn register<R: Registry>(self, registry: R) -> R {
        match self {
            Self::Current => registry.with::<Scripted>(),
            Self::Older => registry.with::<Unpatched>(),
            Self::Other => registry.with::<Changed>(),
        }
    }
}

struct Player<C> {
    log: Rc<RefCell<Vec<Json>>>,
    saga: Rc<RefCell<Saga>>,
    root: C,
    knows: bool,
}

impl<C: Clone> Clone for Player<C> {
    fn clone(&self) -> Self {
        Self { log: Rc::clone(&self.log), saga: Rc::clone(&self.saga), root: self.root.clone(), knows: self.knows }
    }
}

impl<C: WorkflowContext> Player<C> {
    async fn play_all(self, context: C, script: Script) -> Result<Json, WorkflowError> {
        let ended = self.play(context.clone(), script).await;
        if let Err(error) = ended {
            let mut saga = self.saga.take();
            for failed in saga.compensate(&context).await {
                self.note(json!({ "uncompensated": failed.input["value"], "error": failed.error }));
            }
            return Err(error);
        }
        Ok(Json::Array(self.log.borrow().clone()))
    }

    fn note(&self, what: Json) {
        self.log.borrow_mut().push(what);
        self.root.set_status(Json::Array(self.log.borrow().clone()));
    }

    fn play(&self, context: C, script: Script) -> LocalBoxFuture<'static, Result<(), WorkflowError>> {
        let player = self.clone();
        Box::pin(async move {
            for op in script {
                match player.one(&context, op).await {
                    Ok(Some(value)) => player.note(value),
                    Ok(None) => {}
                    Err(error) => {
                        player.note(json!({ "error": error }));
                        return Err(error);
                    }
                }
            }
            Ok(())
        })
    }

    async fn one(&self, context: &C, op: Op) -> Result<Option<Json>, WorkflowError> {
        let branches = |scripts: Vec<Script>| {
            scripts.into_iter().map(|script| self.play(context.clone(), script)).collect::<Vec<_>>()
        };
        Ok(Some(match op {
            Op::Act { input, effect, timeout_ms } => {
                let mut options = ActivityOptions::once(Duration::from_millis(timeout_ms));
                options.effect = effect;
                options.first_wait = Duration::from_millis(1);
                options.longest_wait = Duration::from_millis(10);
                context.activity(ACT, input, options).await?
            }
            Op::ActUnknown => {
                let options = ActivityOptions::once(Duration::from_secs(1));
                context.activity("suite.unknown", Json::Null, options).await?
            }
            Op::Sleep(ms) => {
                context.sleep(Duration::from_millis(ms)).await?;
                json!("slept")
            }
            Op::Signal(name, limit) => {
                let name = if name == "a" { "a" } else { "b" };
                let data = context.signal(name, limit.map(Duration::from_millis)).await?;
                data.unwrap_or_else(|| json!("no signal"))
            }
            Op::Join(scripts) => {
                let all = context.join(branches(scripts)).await;
                all.into_iter().collect::<Result<Vec<()>, _>>()?;
                json!("joined")
            }
            Op::First(scripts) => {
                let (place, ended) = context.first(branches(scripts)).await;
                ended?;
                json!({ "first": place })
            }
            Op::Shielded(script) => {
                self.play(context.shielded(), script).await?;
                return Ok(None);
            }
            Op::Try(script) => {
                // What it came to is noted by itself.
                drop(self.play(context.clone(), script).await);
                return Ok(None);
            }
            Op::Uuid => json!(context.uuid()),
            Op::Now => json!(context.now().as_millisecond()),
            Op::Patched if self.knows => json!({ "patched": context.patched("suite") }),
            Op::Patched => return Ok(None),
            Op::Undo(input) => {
                let options = ActivityOptions::idempotent(1, Duration::from_secs(60));
                self.saga.borrow_mut().push(ACT, input, options);
                return Ok(None);
            }
            Op::Panic => panic!("as the script says"),
            Op::Fail(code) => return Err(WorkflowError::Failed { code, message: "As the script says.".to_owned() }),
        }))
    }
}
