//! `change_run`: the order in which an approved change is done. What is true stands in the change's row; this only says what
//! comes next, so that it can be said again after a crash, over the journal.
//!
//! Window and locks · every device compared with the plan · per batch: compared again · per device: applied, followed,
//! verified · soak · startup saved · done. Whatever stops it follows the plan: undo, the last device first, or stand still
//! with the locks and wait for a person.
//!
//! - `step`: one device, one direction: applied, followed, settled, compared
//! - `undo`: the way back
//! - `calls`: the activities, typed

mod calls;
mod step;
mod undo;

use std::collections::BTreeMap;
use std::time::Duration;

use change_control::model::attempt::Direction;
use change_control::model::change::{CancelMode, DeviceState, RunResult, Trouble};
use change_control::model::plan::{OnStop, SaveStartup};
use change_control::run::contract::{
    Advance, Begun, Entered, Finish, Looked, Of, Outline, RUN_WORKFLOW, Rechecked, Verified, Verify,
};
use change_control::{ChangeId, State};
use workflow_api::{Json, WorkflowContext, WorkflowDefinition, WorkflowError};

use self::calls::Calls;
use self::step::Stepped;

/// How long a held or parked run waits for a nudge before it looks by itself.
const LOOK_EVERY: Duration = Duration::from_secs(600);
/// How far apart the checks of a soak are at most, seconds.
const SOAK_EVERY_S: i64 = 60;

/// Runs a change.
pub struct ChangeRun;

impl WorkflowDefinition for ChangeRun {
    const NAME: &'static str = RUN_WORKFLOW;

    async fn run<C: WorkflowContext>(context: C, input: Json) -> Result<Json, WorkflowError> {
        let Of { change } = serde_json::from_value(input)?;
        let calls = Calls { context, change };
        let outline = match calls.begin().await? {
            Begun::Run { outline } => outline,
            Begun::Ended { state } => return Ok(serde_json::json!({ "state": state })),
        };
        let mut run = Run::new(calls, outline);
        if !run.enter().await? {
            return Ok(serde_json::json!({ "ended": "before it began" }));
        }
        loop {
            let stop = match run.forward().await {
                Ok(Forward::Done) => return run.done().await,
                Ok(Forward::Stopped(stop)) => stop,
                // The engine was told to end the run: what was written is undone or held, as the plan says.
                Err(WorkflowError::Cancelled(why)) => {
                    run.calls = run.calls.shielded();
                    Stop::planned(Trouble::new("run_cancelled", why))
                }
                Err(WorkflowError::Activity { code, message, .. } | WorkflowError::Failed { code, message }) => {
                    Stop { mode: Some(OnStop::Hold), ..Stop::planned(Trouble::new(&code, message)) }
                }
                Err(error @ WorkflowError::Interrupted { .. }) => return Err(error),
            };
            if let Some(ended) = run.stopped(stop).await? {
                return Ok(ended);
            }
        }
    }
}

/// A run under way.
struct Run<C> {
    calls: Calls<C>,
    outline: Outline,
    /// Number of the last attempt, by device and direction.
    attempts: BTreeMap<(String, Direction), u32>,
    /// Devices that a forward step was announced for, in that order.
    touched: Vec<String>,
    /// Those among them that a step may have reached.
    written: Vec<String>,
    /// Devices that are left out.
    skipped: Vec<String>,
    /// Devices that failed.
    failed: Vec<String>,
    /// Devices that are done.
    verified: Vec<String>,
    /// Batches whose devices were compared under the locks that are held.
    checked: bool,
}

/// How the forward part ends.
enum Forward {
    /// All batches are through, and the soak.
    Done,
    /// It stopped.
    Stopped(Stop),
}

/// Why the forward part stopped, and what that means.
struct Stop {
    trouble: Trouble,
    /// What a person asked for; else the plan says.
    mode: Option<OnStop>,
    /// The last state where nothing was written at all.
    unwritten: State,
}

impl Stop {
    /// By the plan's own rule.
    const fn planned(trouble: Trouble) -> Self {
        Self { trouble, mode: None, unwritten: State::Voided }
    }

    fn cancelled(mode: CancelMode) -> Self {
        let mode = match mode {
            CancelMode::Hold => OnStop::Hold,
            CancelMode::Undo => OnStop::Undo,
        };
        let trouble = Trouble::new("change_cancelled", "Somebody asked the run to stop.");
        Self { trouble, mode: Some(mode), unwritten: State::Cancelled }
    }
}

impl<C: WorkflowContext> Run<C> {
    fn new(calls: Calls<C>, outline: Outline) -> Self {
        let (touched, written, skipped) = (Vec::new(), Vec::new(), Vec::new());
        let (failed, verified) = (Vec::new(), Vec::new());
        Self { calls, outline, attempts: BTreeMap::new(), touched, written, skipped, failed, verified, checked: false }
    }

    /// Waits for the window and for the devices; false when it ended before.
    async fn enter(&self) -> Result<bool, WorkflowError> {
        loop {
            match self.calls.enter().await? {
                Entered::Locked => return Ok(true),
                Entered::Ended => return Ok(false),
                Entered::Wait { again_in_ms } => self.calls.nudged(Duration::from_millis(again_in_ms)).await?,
            }
        }
    }

    /// Takes locks again that were lost: from here on everything has to be compared again. A device that no step of this run
    /// has reached is not this run's any more: what is found on it may be another holder's, and is not undone.
    async fn relock(&mut self) -> Result<(), WorkflowError> {
        self.checked = false;
        let (mine, others): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.touched).into_iter().partition(|device| self.written.contains(device));
        self.touched = mine;
        let trouble =
            Trouble::new("lock_lost", "The run lost its locks. It takes them again and looks at its devices.");
        let step = Advance {
            trouble: Some(trouble),
            again_in_ms: Some(0),
            devices: others.into_iter().map(|device| (device, DeviceState::Waiting)).collect(),
            ..self.calls.step(Some(State::Held), "its locks were lost, and are taken again")
        };
        self.calls.advance(step).await?;
        self.enter().await.map(drop)
    }

    /// All batches, and the soak.
    async fn forward(&mut self) -> Result<Forward, WorkflowError> {
        let batches = self.outline.batches.clone();
        for (number, batch) in batches.iter().enumerate() {
            let batch_number = u32::try_from(number).unwrap_or(u32::MAX);
            for device in batch {
                while self.is_left(device) {
                    if let Some(stop) = self.one(batch_number, batch, device).await? {
                        return Ok(Forward::Stopped(stop));
                    }
                }
            }
            // The next batch is looked at again before it begins.
            self.checked = false;
        }
        if self.touched.is_empty() {
            return Ok(Forward::Stopped(Stop {
                trouble: Trouble::new("plan_stale", "No device is what the plan was made for."),
                mode: None,
                unwritten: State::Stale,
            }));
        }
        match self.soak().await? {
            Some(stop) => Ok(Forward::Stopped(stop)),
            None => Ok(Forward::Done),
        }
    }

    /// One device, with everything that has to be true before it.
    async fn one(&mut self, number: u32, batch: &[String], device: &String) -> Result<Option<Stop>, WorkflowError> {
        loop {
            if !self.checked
                && let Some(stop) = self.compared(batch).await?
            {
                return Ok(Some(stop));
            }
            if self.skipped.contains(device) {
                return Ok(None);
            }
            let step = Advance {
                batch: Some(number),
                devices: vec![(device.clone(), DeviceState::Applying)],
                ..self.calls.step(Some(State::Applying), "the next device")
            };
            // Before anything is said to be applied: a wish to stop, and the locks.
            let looked = self.calls.look().await?;
            if let Some(stop) = wish_to_stop(&looked) {
                return Ok(Some(stop));
            }
            if !looked.locked || !self.calls.advance(step).await?.locked {
                self.relock().await?;
                continue;
            }
            if !self.touched.contains(device) {
                self.touched.push(device.clone());
            }
            break;
        }
        let stepped = match self.step(device).await {
            Ok(stepped) => stepped,
            Err(error) => {
                // It was written to, and nobody has looked.
                self.failed.push(device.clone());
                return Err(error);
            }
        };
        match stepped {
            Stepped::Good => self.verified.push(device.clone()),
            Stepped::Stopped(stop) => return Ok(Some(stop)),
            Stepped::NotDone => self.checked = false,
            Stepped::Bad { trouble } => {
                self.failed.push(device.clone());
                let (failed, all) = (self.failed.len(), self.outline.devices().count());
                let most = usize::try_from(self.outline.max_fail_percentage).unwrap_or(100);
                if failed * 100 > most * all {
                    return Ok(Some(Stop::planned(trouble)));
                }
            }
        }
        Ok(None)
    }

    /// Compares what is about to be written to with the plan (T18): all devices before the first batch, those of a batch
    /// before it. What cannot be read is waited for, until the window has room only for the undo.
    async fn compared(&mut self, batch: &[String]) -> Result<Option<Stop>, WorkflowError> {
        let devices: Vec<String> = if self.touched.is_empty() {
            self.outline.devices().filter(|device| self.is_left(device)).cloned().collect()
        } else {
            batch.iter().filter(|device| self.is_left(device)).cloned().collect()
        };
        let reach = self.touched.iter().filter(|device| !devices.contains(device)).count() + devices.len();
        let mut held = false;
        loop {
            if !held {
                self.calls.go(State::Checking, "devices are compared with the plan").await?;
            }
            let (trouble, wait) = match self.calls.recheck(&devices, reach).await? {
                Rechecked::Good { skip } => {
                    if held {
                        self.calls.go(State::Checking, "it can be read again").await?;
                    }
                    self.skip(skip).await?;
                    self.checked = true;
                    return Ok(None);
                }
                Rechecked::Stale { trouble } => {
                    return Ok(Some(Stop { trouble, mode: None, unwritten: State::Stale }));
                }
                Rechecked::Refused { trouble } => return Ok(Some(Stop::planned(trouble))),
                Rechecked::NoRoom { trouble } => {
                    return Ok(Some(Stop { trouble, mode: None, unwritten: State::Expired }));
                }
                Rechecked::LocksLost => {
                    self.relock().await?;
                    held = true;
                    continue;
                }
                Rechecked::Unreadable { trouble, again_in_ms } => (trouble, Duration::from_millis(again_in_ms)),
            };
            if self.is_last_call() {
                return Ok(Some(Stop { trouble, mode: None, unwritten: State::Expired }));
            }
            let looked = self.calls.delayed("it cannot be read now, and is asked again", trouble, wait).await?;
            if let Some(stop) = wish_to_stop(&looked) {
                return Ok(Some(stop));
            }
            held = true;
            self.calls.nudged(wait).await?;
        }
    }

    async fn skip(&mut self, devices: Vec<String>) -> Result<(), WorkflowError> {
        if devices.is_empty() {
            return Ok(());
        }
        let states = devices.iter().map(|device| (device.clone(), DeviceState::Skipped)).collect();
        self.calls.advance(Advance { devices: states, ..self.calls.step(Some(State::Checking), "left out") }).await?;
        self.skipped.extend(devices);
        Ok(())
    }

    /// Checks go on for a while after the last device.
    async fn soak(&mut self) -> Result<Option<Stop>, WorkflowError> {
        let ends = self.calls.context.now().as_second().saturating_add(i64::try_from(self.outline.soak_s).unwrap_or(0));
        let mut why = "all devices are done";
        let mut next = self.calls.context.now().as_second();
        loop {
            let now = self.calls.context.now().as_second();
            if now >= ends {
                return Ok(None);
            }
            next = if next <= now { ends.min(now.saturating_add(SOAK_EVERY_S)) } else { next };
            let looked = self.calls.go(State::Soaking, why).await?;
            why = "checks go on";
            if let Some(stop) = wish_to_stop(&looked) {
                return Ok(Some(stop));
            }
            let left = u64::try_from(next - now).unwrap_or_default();
            self.calls.nudged(Duration::from_secs(left)).await?;
            let now = self.calls.context.now().as_second();
            if now < next {
                // Somebody wants something; the checks have their time.
                continue;
            }
            let last = now >= ends;
            for device in self.verified.clone() {
                let verify = Verify {
                    change: self.calls.change.clone(),
                    device_id: device.clone(),
                    direction: Direction::Forward,
                    last_call: last,
                    failed: false,
                    before: false,
                };
                if let Verified::Bad { trouble, .. } = self.calls.verify(&verify).await? {
                    self.verified.retain(|verified| *verified != device);
                    self.failed.push(device);
                    return Ok(Some(Stop::planned(trouble)));
                }
            }
        }
    }

    /// Saves what has held, and ends.
    async fn done(&self) -> Result<Json, WorkflowError> {
        let mut trouble = None;
        if self.outline.save_startup == SaveStartup::AfterSoak && !self.verified.is_empty() {
            let saved = self.calls.save(&self.verified).await?;
            if !saved.failed.is_empty() {
                trouble = Some(Trouble {
                    code: "startup_not_saved".to_owned(),
                    message: "The change is done, and the startup configuration of some devices could not be saved."
                        .to_owned(),
                    detail: serde_json::json!({ "devices": saved.failed }),
                });
            }
        }
        let whole = self.failed.is_empty() && self.skipped.is_empty();
        let result = Some(if whole { RunResult::Complete } else { RunResult::Partial });
        self.calls.finish(Finish { result, trouble, ..self.calls.end(State::Done, "done") }).await
    }

    /// Whether the device is still to be done.
    fn is_left(&self, device: &String) -> bool {
        ![&self.verified, &self.failed, &self.skipped].into_iter().any(|done| done.contains(device))
    }

    /// Whether the window has room only for the undo.
    fn is_last_call(&self) -> bool {
        self.calls.context.now().as_millisecond() >= self.outline.last_call_ms()
    }
}

/// What a person wants of a run that goes on.
fn wish_to_stop(looked: &Looked) -> Option<Stop> {
    looked.cancel.map(Stop::cancelled)
}

/// The id of the run's workflow.
pub fn run_id(change: &ChangeId) -> String {
    format!("run-{change}")
}

/// The id of the workflow that plans.
pub fn plan_id(change: &ChangeId) -> String {
    format!("plan-{change}")
}
