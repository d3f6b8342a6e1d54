//! What the body of a run and its activities say to each other. The body (`workflows`) decides the order; activities look, act
//! and write down. Everything here stands in a journal: identifiers, codes and safe sentences, never a secret.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::attempt::Direction;
use crate::model::change::{CancelMode, ChangeId, DeviceState, RunResult, Trouble};
use crate::model::plan::{OnStop, SaveStartup};
use crate::model::state::State;

/// Name of the workflow that makes a plan.
pub const PLAN_WORKFLOW: &str = "change_plan";
/// Name of the workflow that runs a change.
pub const RUN_WORKFLOW: &str = "change_run";
/// The one signal: the change's row is worth looking at. It carries nothing.
pub const NUDGE: &str = "nudge";

/// Makes the plan. [`Of`] → nothing.
pub const MAKE_PLAN: &str = "change.make_plan";
/// Reads what a run needs of the plan, and takes the change over. [`Of`] → [`Begun`].
pub const BEGIN: &str = "change.begin";
/// Takes the locks when it is time. [`Of`] → [`Entered`].
pub const ENTER: &str = "change.enter";
/// Moves the change, keeps its locks, and looks at what people want. [`Advance`] → [`Looked`].
pub const ADVANCE: &str = "change.advance";
/// Compares devices with the plan, and asks whether the run may go on (T18). [`Recheck`] → [`Rechecked`].
pub const RECHECK: &str = "change.recheck";
/// Announces an attempt and sends it (T20): the one activity that must not be repeated. [`Try`] → [`Sent`].
pub const APPLY: &str = "change.apply";
/// Asks the target what became of an attempt. [`Follow`] → [`Settling`].
pub const SETTLE: &str = "change.settle";
/// Follows an accepted attempt to its end. [`Follow`] → [`Followed`].
pub const FOLLOW: &str = "change.follow";
/// Compares a device with what was predicted, or with what it was before. [`Verify`] → [`Verified`].
pub const VERIFY: &str = "change.verify";
/// Saves startup configurations. [`Devices`] → [`Saved`].
pub const SAVE: &str = "change.save_startup";
/// Ends the run: last state, result, locks freed. [`Finish`] → nothing.
pub const FINISH: &str = "change.finish";

/// How long after the start of a step's activity nobody can be sending any more, seconds.
pub const APPLY_S: u64 = 330;

/// The change that it is about.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Of {
    /// The change.
    pub change: ChangeId,
}

/// Whether there is something to run.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "begun", rename_all = "snake_case")]
pub enum Begun {
    /// Yes.
    Run {
        /// What of the plan the order of steps depends on.
        outline: Outline,
    },
    /// It ended before.
    Ended {
        /// Where it is.
        state: State,
    },
}

/// What of the plan the order of steps depends on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outline {
    /// Device ids in batches, in order.
    pub batches: Vec<Vec<String>>,
    /// Devices whose undo the plan has.
    pub undoable: Vec<String>,
    /// The run stops when more than this share of the devices failed, percent.
    pub max_fail_percentage: u32,
    /// What a stop means.
    pub on_stop: OnStop,
    /// When the startup configuration is saved.
    pub save_startup: SaveStartup,
    /// How long checks go on, seconds.
    pub soak_s: u64,
    /// The window's end, milliseconds since the epoch.
    pub not_after_ms: i64,
    /// Expected time of all undo steps, seconds.
    pub undo_s: u64,
}

impl Outline {
    /// All devices, in order.
    pub fn devices(&self) -> impl Iterator<Item = &String> {
        self.batches.iter().flatten()
    }

    /// The moment from which the window has room for nothing but the undo, milliseconds since the epoch.
    pub fn last_call_ms(&self) -> i64 {
        self.not_after_ms.saturating_sub(i64::try_from(self.undo_s.saturating_mul(1000)).unwrap_or(i64::MAX))
    }
}

/// What came of the wish to begin.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "entered", rename_all = "snake_case")]
pub enum Entered {
    /// All devices are locked, and the change is `checking`.
    Locked,
    /// It is not time, or somebody else holds a device.
    Wait {
        /// When that is worth another look, milliseconds from now.
        again_in_ms: u64,
    },
    /// It ended: somebody cancelled it, or its window is over.
    Ended,
}

/// Where the change goes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Advance {
    /// The change.
    pub change: ChangeId,
    /// Where to; nothing only looks.
    pub to: Option<State>,
    /// A few safe words.
    pub why: String,
    /// Why it waits; replaces what stood there.
    pub trouble: Option<Trouble>,
    /// When a held run tries again by itself, milliseconds from now; nothing where it waits for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again_in_ms: Option<u64>,
    /// The batch that begins.
    pub batch: Option<u32>,
    /// What becomes of devices.
    pub devices: Vec<(String, DeviceState)>,
}

/// What the row says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Looked {
    /// Where the change is.
    pub state: State,
    /// Its locks are held.
    pub locked: bool,
    /// Somebody asked it to stop.
    pub cancel: Option<CancelMode>,
    /// Somebody asked a held run to go on; moving on takes it.
    pub resume: bool,
}

/// Devices to look at.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Recheck {
    /// The change.
    pub change: ChangeId,
    /// Devices that are about to be written to.
    pub devices: Vec<String>,
    /// How many devices, these and those before, an undo would have to reach.
    pub reach: usize,
}

/// What the look brought.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "rechecked", rename_all = "snake_case")]
pub enum Rechecked {
    /// All is as planned, and the run may go on.
    Good {
        /// Devices that are not as planned, and that the plan says to leave out.
        skip: Vec<String>,
    },
    /// Devices are not what the plan was made for.
    Stale {
        /// With both digests.
        trouble: Trouble,
    },
    /// It was read, and it says no.
    Refused {
        /// Why.
        trouble: Trouble,
    },
    /// The window has no room for it and its undo.
    NoRoom {
        /// Why.
        trouble: Trouble,
    },
    /// It cannot be read.
    Unreadable {
        /// Why.
        trouble: Trouble,
        /// When that is worth another try, milliseconds.
        again_in_ms: u64,
    },
    /// The locks were lost; take them again first.
    LocksLost,
}

/// One attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Try {
    /// The change.
    pub change: ChangeId,
    /// The device.
    pub device_id: String,
    /// Which way.
    pub direction: Direction,
    /// 1 for the first of this device and direction.
    pub number: u32,
}

/// What came of sending.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "sent", rename_all = "snake_case")]
pub enum Sent {
    /// The target accepted it; its handle is stored.
    Accepted,
    /// Nothing was sent, and a repeat would not help.
    Refused {
        /// Why.
        trouble: Trouble,
    },
    /// Nothing was sent, and a later try may succeed.
    NotSent {
        /// Why.
        trouble: Trouble,
    },
    /// Perhaps it happened.
    Unclear,
}

/// An attempt to find out about.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Follow {
    /// Which.
    pub attempt: Try,
    /// It is too late to wait for what cannot be read: that counts as unknown now.
    pub last_call: bool,
}

/// What the target says about an attempt whose end nobody heard.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "settling", rename_all = "snake_case")]
pub enum Settling {
    /// It was accepted: follow it.
    Accepted,
    /// It ended; compare.
    Ended,
    /// It certainly did not happen.
    NotDone,
    /// It can be told later.
    Pending {
        /// When that is worth another look, milliseconds.
        again_in_ms: u64,
        /// Why, where the target does not answer.
        trouble: Option<Trouble>,
    },
    /// A person decides (T20).
    Unknown {
        /// What was found, masked.
        trouble: Trouble,
    },
}

/// How far an accepted attempt is.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "followed", rename_all = "snake_case")]
pub enum Followed {
    /// The target is at it.
    Running,
    /// The target says that it ended well; only the configuration tells.
    Succeeded,
    /// The target says that it failed; something may have been applied.
    Failed,
    /// The target does not say.
    Unreadable {
        /// Why.
        trouble: Trouble,
        /// When that is worth another try, milliseconds.
        again_in_ms: u64,
    },
    /// The target denies the handle, or it was too long silent: settle it.
    Lost,
}

/// A device to compare.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Verify {
    /// The change.
    pub change: ChangeId,
    /// The device.
    pub device_id: String,
    /// With what: the prediction, or the configuration before.
    pub direction: Direction,
    /// What is still stale or cannot be read now is told as not compared.
    pub last_call: bool,
    /// The target said that the step failed: the device counts as failed whatever is found.
    pub failed: bool,
    /// Nothing was written yet in this direction: a difference says nothing about a write.
    pub before: bool,
}

/// What the comparison brought.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "verified", rename_all = "snake_case")]
pub enum Verified {
    /// It is what was predicted, or what it was before, and all checks hold.
    Good,
    /// It differs, a check does not hold, or something could not be compared.
    Bad {
        /// What became of the device.
        state: DeviceState,
        /// The first reason.
        trouble: Trouble,
    },
    /// It cannot be compared now.
    Later {
        /// It cannot be read at all; otherwise what was seen is only too old.
        unreadable: bool,
        /// Why.
        trouble: Trouble,
        /// When that is worth another try, milliseconds.
        again_in_ms: u64,
    },
}

/// Devices.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Devices {
    /// The change.
    pub change: ChangeId,
    /// Which.
    pub devices: Vec<String>,
}

/// What came of saving.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Saved {
    /// Devices that could not be saved, and are reported so.
    pub failed: Vec<String>,
}

/// How a run ends.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Finish {
    /// The change.
    pub change: ChangeId,
    /// Its last state.
    pub to: State,
    /// A few safe words.
    pub why: String,
    /// What came of it.
    pub result: Option<RunResult>,
    /// What went wrong.
    pub trouble: Option<Trouble>,
}

/// How a person settles a parked attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SettledBy {
    /// It happened: the device is compared next.
    Done,
    /// It did not happen: it is tried again.
    NotDone,
}

impl Trouble {
    /// With nothing beside its sentence.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), detail: platform::Json::Null }
    }
}
