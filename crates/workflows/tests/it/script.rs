//! A world of its own: a change's row that moves only as states may follow one another, devices with scripted answers, and a
//! clock that goes forward when the body waits.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use change_control::model::attempt::Direction;
use change_control::model::change::{CancelMode, DeviceState, Trouble};
use change_control::model::plan::{OnStop, SaveStartup};
use change_control::run::contract::*;
use change_control::{ChangeId, State};
use interlock_workflows::ChangeRun;
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use uuid::Uuid;
use workflow_api::{
    ActivityOptions, Effect, Json, LocalBoxFuture, WorkflowContext, WorkflowDefinition as _, WorkflowError,
};

/// What happens while the body waits.
pub(crate) type Event = Box<dyn FnOnce(&mut World)>;

/// Everything outside the body.
pub(crate) struct World {
    pub(crate) outline: Outline,
    pub(crate) state: State,
    pub(crate) states: Vec<State>,
    pub(crate) now_ms: i64,
    pub(crate) locked: bool,
    pub(crate) cancel: Option<CancelMode>,
    pub(crate) resume: bool,
    /// The engine was told to end the run.
    pub(crate) cancelled: bool,
    pub(crate) trouble: Option<Trouble>,
    pub(crate) finished: Option<Finish>,
    pub(crate) devices: BTreeMap<String, DeviceState>,
    /// Each time that it stood still: when it would try again by itself, milliseconds, or nothing for a person.
    pub(crate) holds: Vec<Option<u64>>,
    /// What was asked for, in order: `apply d1 forward 1`.
    pub(crate) log: Vec<String>,
    /// Answers by what is asked; the last one is for everything after it.
    pub(crate) answers: BTreeMap<String, VecDeque<Result<Json, WorkflowError>>>,
    /// One for each wait.
    pub(crate) events: VecDeque<Event>,
    /// What the body waited, in all.
    pub(crate) waits: u32,
}

impl World {
    /// Devices of one batch each.
    pub(crate) fn of(devices: &[&str]) -> Self {
        let names: Vec<String> = devices.iter().map(|name| (*name).to_owned()).collect();
        Self {
            outline: Outline {
                batches: names.iter().map(|name| vec![name.clone()]).collect(),
                undoable: names,
                max_fail_percentage: 0,
                on_stop: OnStop::Undo,
                save_startup: SaveStartup::Never,
                soak_s: 0,
                not_after_ms: 10_000_000_000,
                undo_s: 60,
            },
            state: State::Scheduled,
            states: vec![State::Scheduled],
            now_ms: 1_000_000_000,
            locked: false,
            cancel: None,
            resume: false,
            cancelled: false,
            trouble: None,
            finished: None,
            devices: BTreeMap::new(),
            holds: Vec::new(),
            log: Vec::new(),
            answers: BTreeMap::new(),
            events: VecDeque::new(),
            waits: 0,
        }
    }

    /// What this is answered with next: `apply d1 forward`, `verify d1 undo`, `recheck`, `enter`, ….
    pub(crate) fn answer(&mut self, asked: &str, with: impl Serialize) -> &mut Self {
        let answer = Ok(serde_json::to_value(with).unwrap());
        self.answers.entry(asked.to_owned()).or_default().push_back(answer);
        self
    }

    pub(crate) fn fail(&mut self, asked: &str, with: WorkflowError) -> &mut Self {
        self.answers.entry(asked.to_owned()).or_default().push_back(Err(with));
        self
    }

    /// What happens during the next wait that has nothing planned.
    pub(crate) fn then(&mut self, event: impl FnOnce(&mut Self) + 'static) -> &mut Self {
        self.events.push_back(Box::new(event));
        self
    }

    fn next(&mut self, asked: &str, usual: impl Serialize) -> Result<Json, WorkflowError> {
        let planned = self.answers.get_mut(asked).and_then(VecDeque::pop_front);
        planned.unwrap_or_else(|| Ok(serde_json::to_value(usual).unwrap()))
    }

    fn move_to(&mut self, to: State) {
        if self.state != to {
            assert!(self.state.may_become(to), "{} does not become {to}; asked: {:#?}", self.state, self.log);
            if self.state == State::Held {
                self.resume = false;
            }
            self.state = to;
            self.states.push(to);
            if to == State::Held && self.cancel == Some(CancelMode::Hold) {
                self.cancel = None;
            }
        }
    }

    fn act(&mut self, name: &'static str, input: Json) -> Result<Json, WorkflowError> {
        let short = name.strip_prefix("change.").unwrap_or(name);
        match name {
            BEGIN => self.next("begin", Begun::Run { outline: self.outline.clone() }),
            ENTER => {
                self.log.push("enter".to_owned());
                let answer = self.next("enter", Entered::Locked)?;
                if matches!(read(answer.clone()), Entered::Locked) {
                    self.locked = true;
                    if self.state == State::Scheduled {
                        self.move_to(State::Checking);
                    }
                }
                Ok(answer)
            }
            ADVANCE => {
                let step: Advance = read(input);
                if let Some(to) = step.to
                    && (self.locked || matches!(to, State::Held | State::Parked))
                {
                    self.move_to(to);
                    if to == State::Held {
                        self.holds.push(step.again_in_ms);
                    }
                    self.trouble.clone_from(&step.trouble);
                    self.devices.extend(step.devices);
                }
                let (state, locked) = (self.state, self.locked);
                Ok(json!(Looked { state, locked, cancel: self.cancel, resume: self.resume }))
            }
            RECHECK => {
                let asked: Recheck = read(input);
                self.log.push(format!("recheck {}", asked.devices.join(",")));
                if !self.locked {
                    return Ok(json!(Rechecked::LocksLost));
                }
                self.next("recheck", Rechecked::Good { skip: Vec::new() })
            }
            APPLY => {
                let which: Try = read(input);
                let asked = format!("apply {} {}", which.device_id, which.direction.as_str());
                let numbered = format!("{asked} {}", which.number);
                assert!(!self.log.contains(&numbered), "sent twice: {numbered}");
                assert!(self.locked, "sent without locks");
                self.log.push(numbered);
                self.next(&asked, Sent::Accepted)
            }
            SETTLE | FOLLOW => {
                let follow: Follow = read(input);
                let Try { device_id, direction, .. } = &follow.attempt;
                let asked = format!("{short} {device_id} {}", direction.as_str());
                self.log.push(asked.clone());
                if name == SETTLE {
                    self.next(&asked, Settling::Accepted)
                } else {
                    self.next(&asked, Followed::Succeeded)
                }
            }
            VERIFY => {
                let verify: Verify = read(input);
                let when = if verify.before { "before" } else { verify.direction.as_str() };
                let asked = format!("verify {} {when}", verify.device_id);
                self.log.push(asked.clone());
                let forward = verify.direction == Direction::Forward;
                let usual = if verify.before || (forward && verify.failed) {
                    Verified::Bad { state: DeviceState::Failed, trouble: trouble("differs") }
                } else {
                    Verified::Good
                };
                self.next(&asked, usual)
            }
            SAVE => {
                let asked: Devices = read(input);
                self.log.push(format!("save {}", asked.devices.join(",")));
                self.next("save", Saved { failed: Vec::new() })
            }
            FINISH => {
                let end: Finish = read(input);
                self.move_to(end.to);
                self.locked = false;
                self.finished = Some(end);
                Ok(Json::Null)
            }
            other => panic!("no such activity: {other}"),
        }
    }

    /// Runs the body to its end.
    pub(crate) fn run(self) -> Self {
        let world = Rc::new(RefCell::new(self));
        let script = Script { world: Rc::clone(&world), shielded: false };
        let input = json!(Of { change: ChangeId::mint() });
        let mut body = pin!(ChangeRun::run(script, input));
        match body.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(result) => drop(result.unwrap()),
            Poll::Pending => panic!("nothing in a script is pending"),
        }
        world.replace(Self::of(&[]))
    }

    /// Its last state, and the code of its trouble.
    pub(crate) fn end(&self) -> (State, String) {
        let end = self.finished.as_ref().unwrap();
        (end.to, end.trouble.as_ref().map(|t| t.code.clone()).unwrap_or_default())
    }

    /// What was sent, in order.
    pub(crate) fn sent(&self) -> Vec<&str> {
        self.log.iter().filter_map(|line| line.strip_prefix("apply ")).collect()
    }
}

pub(crate) fn trouble(code: &str) -> Trouble {
    Trouble::new(code, "A sentence.")
}

fn read<T: DeserializeOwned>(json: Json) -> T {
    serde_json::from_value(json).unwrap()
}

/// The context over it. Everything is ready at once.
#[derive(Clone)]
struct Script {
    world: Rc<RefCell<World>>,
    shielded: bool,
}

impl Script {
    fn cancelled(&self) -> Result<(), WorkflowError> {
        if self.world.borrow().cancelled && !self.shielded {
            return Err(WorkflowError::Cancelled("by an operator".to_owned()));
        }
        Ok(())
    }
}

impl WorkflowContext for Script {
    fn run_id(&self) -> String {
        "run".to_owned()
    }

    async fn activity(&self, name: &'static str, input: Json, options: ActivityOptions) -> Result<Json, WorkflowError> {
        self.cancelled()?;
        assert_eq!(name == APPLY, options.effect == Effect::Discoverable, "{name}: the class of its effect");
        let mut world = self.world.borrow_mut();
        assert!(world.log.len() < 500, "it goes round in circles: {:#?}", world.log);
        world.act(name, input)
    }

    async fn signal(&self, _: &'static str, timeout: Option<Duration>) -> Result<Option<Json>, WorkflowError> {
        self.cancelled()?;
        let mut world = self.world.borrow_mut();
        world.waits += 1;
        assert!(world.waits < 2_000, "it waits for ever in {}: {:#?}", world.state, world.log);
        world.now_ms += i64::try_from(timeout.unwrap().as_millis()).unwrap();
        if let Some(event) = world.events.pop_front() {
            event(&mut world);
        }
        Ok(None)
    }

    async fn sleep(&self, _: Duration) -> Result<(), WorkflowError> {
        panic!("a run waits for nudges, so that people are heard")
    }

    /// Devices are done one after another.
    fn join<'a, T: 'a>(&self, _: Vec<LocalBoxFuture<'a, T>>) -> impl Future<Output = Vec<T>> + 'a {
        std::future::pending()
    }

    fn first<'a, T: 'a>(&self, _: Vec<LocalBoxFuture<'a, T>>) -> impl Future<Output = (usize, T)> + 'a {
        std::future::pending()
    }

    fn shielded(&self) -> Self {
        Self { shielded: true, ..self.clone() }
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.world.borrow().now_ms).unwrap()
    }

    fn uuid(&self) -> Uuid {
        panic!("identifiers are minted by activities")
    }

    fn set_status(&self, _: Json) {}

    fn patched(&self, _: &'static str) -> bool {
        true
    }
}
