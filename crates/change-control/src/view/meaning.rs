//! What a state means for the one who reads it: in words, in the tools that make sense, and in the call to make next.

use platform::Json;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, json};

use crate::model::approval::Verdict;
use crate::model::change::{Change, RunResult};
use crate::model::state::State;
use crate::view::shown::time;

/// How long a caller is told to wait for something to happen, seconds.
pub const WAIT_S: u64 = 20;

/// How a change stands, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It goes on by itself.
    InProgress,
    /// It waits for a person.
    Waiting,
    /// What was planned is done.
    Success,
    /// It ended in another way; `state` and `trouble` say which.
    Ended,
}

impl Standing {
    /// How a change stands. A held one that tries again by itself is as much under way as any other.
    pub fn of(change: &Change) -> Self {
        Self::of_state(change.state, change.goes_on_at_ms().is_some())
    }

    /// The same, by its state and by whether it tries again by itself.
    pub(super) fn of_state(state: State, goes_on: bool) -> Self {
        match state {
            State::Held if goes_on => Self::InProgress,
            State::Planning
            | State::Approved
            | State::Scheduled
            | State::Checking
            | State::Applying
            | State::Verifying
            | State::Soaking
            | State::Undoing => Self::InProgress,
            State::Planned | State::Submitted | State::Held | State::Parked => Self::Waiting,
            State::Done => Self::Success,
            State::PlanFailed
            | State::Rejected
            | State::Voided
            | State::Undone
            | State::UndoFailed
            | State::Stale
            | State::Cancelled
            | State::Expired => Self::Ended,
        }
    }
}

/// A call to make next.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct NextStep {
    /// Tool, of the platform's own server.
    pub tool: String,
    /// Its arguments, as far as they are known.
    pub arguments: Map<String, Json>,
}

/// What a state means for the one who reads it.
pub(super) fn message(change: &Change, nothing_to_do: bool) -> String {
    let trouble = change.trouble.as_ref().map(|t| format!(" {}", t.message)).unwrap_or_default();
    let said = match change.state {
        State::Planning => "The devices are read and the plan is made. Nothing is written.".to_owned(),
        State::Planned if nothing_to_do => {
            "The plan is made, and the devices are already what it asks for: there is nothing to submit.".to_owned()
        }
        State::Planned => "The plan is made. Show its differences with `get_change_plan`, then hand it in with \
             `submit_change`."
            .to_owned(),
        State::PlanFailed => "No plan came of it.".to_owned(),
        State::Submitted => waits_for_approval(change),
        State::Approved => "It is approved and starts as soon as its window is open.".to_owned(),
        State::Rejected => {
            "It was rejected; the reason stands under `approvals`. Plan a new change to try again.".to_owned()
        }
        State::Voided => {
            "What was approved is not what stands any more, so the approval is void. Plan it again.".to_owned()
        }
        State::Scheduled => "It waits for its window, or for devices that another change holds.".to_owned(),
        State::Checking => "Its devices are locked and compared with the plan once more.".to_owned(),
        State::Applying => "A device is being written to.".to_owned(),
        State::Verifying => "A device is being compared with what was predicted.".to_owned(),
        State::Soaking => "All is applied; the checks go on for the soak time.".to_owned(),
        State::Held => match change.goes_on_at_ms() {
            Some(at) => format!(
                "It stands still with its devices locked, and goes on by itself as soon as it can: it tries again at {}. \
                 Nobody has to do anything; `cancel_change` stops it.",
                time(at)
            ),
            None => {
                "It stands still with its devices locked. A person decides: `resume_change` goes on, `undo_change` \
                     takes back what was done."
                    .to_owned()
            }
        },
        State::Parked => {
            "Whether a step happened cannot be told from the target's records. Look at the device; then a \
             person settles it with `settle_change`. It keeps its devices locked."
                .to_owned()
        }
        State::Undoing => "What was written is being undone.".to_owned(),
        State::Done if change.run.result == Some(RunResult::Partial) => {
            "It is done in part: devices were left out or failed, as far as the plan allows; `devices` says which."
                .to_owned()
        }
        State::Done => "It is done, and the devices are what was predicted as far as `checks` says.".to_owned(),
        State::Undone if change.run.result == Some(RunResult::RestoredWithDifferences) => {
            "It was undone, and some devices are not quite what they were before; `checks` says in what.".to_owned()
        }
        State::Undone => "It was undone.".to_owned(),
        State::UndoFailed => "It could not be undone. What to do by hand stands with each device.".to_owned(),
        State::Stale => {
            "A device is not what the plan was made for any more. Nothing was written. Plan it again.".to_owned()
        }
        State::Cancelled => "It was stopped before anything was written.".to_owned(),
        State::Expired => "Its window or its approval ended before it began. Nothing was written.".to_owned(),
    };
    format!("{said}{trouble}")
}

fn waits_for_approval(change: &Change) -> String {
    let given = change.approvals.iter().filter(|a| a.verdict == Verdict::Approve).count();
    match &change.approvers {
        Some(needed) => format!(
            "It waits for approvals: {given} of {} given, by members of {}. Give an approver the link in `url`; the \
             requester cannot approve.",
            needed.count,
            needed.groups.join(" or ")
        ),
        None => "It waits for approvals. Give an approver the link in `url`; the requester cannot approve.".to_owned(),
    }
}

/// Tools that make sense.
pub(super) fn possible(change: &Change, nothing_to_do: bool) -> &'static [&'static str] {
    match change.state {
        State::Planning => &["get_change", "cancel_change"],
        State::Planned if nothing_to_do => &["get_change_plan", "cancel_change"],
        State::Planned => &["get_change_plan", "submit_change", "cancel_change"],
        State::Submitted | State::Approved | State::Scheduled | State::Checking => {
            &["get_change", "get_change_plan", "cancel_change"]
        }
        State::Applying | State::Verifying => &["get_change", "cancel_change"],
        State::Soaking => &["get_change", "cancel_change", "undo_change"],
        State::Held if change.goes_on_at_ms().is_some() => &["get_change", "cancel_change", "undo_change"],
        State::Held => &["get_change", "resume_change", "undo_change"],
        State::Parked => &["get_change", "settle_change"],
        State::Undoing => &["get_change"],
        State::Done => &["get_evidence", "undo_change"],
        State::PlanFailed | State::Stale | State::Expired | State::Voided => &["get_evidence", "plan_change"],
        State::Rejected | State::Undone | State::UndoFailed | State::Cancelled => &["get_evidence"],
    }
}

/// The one call that helps.
pub(super) fn next(change: &Change, revision: u64, nothing_to_do: bool) -> Option<NextStep> {
    let id = &change.id;
    let (tool, arguments) = match change.state {
        State::Planned if nothing_to_do => return None,
        State::Planned => ("submit_change", json!({ "change_id": id })),
        // Which way it goes is not for a model to choose.
        State::Held if change.goes_on_at_ms().is_none() => return None,
        State::Parked => ("settle_change", json!({ "change_id": id })),
        State::PlanFailed | State::Stale | State::Expired | State::Voided => (
            "plan_change",
            json!({"server": change.instance.name, "device_ids": change.device_ids, "title": change.title,
                "reason": change.reason}),
        ),
        State::Done | State::Undone | State::UndoFailed | State::Rejected | State::Cancelled => {
            ("get_evidence", json!({ "change_id": id }))
        }
        _ => ("get_change", json!({"change_id": id, "wait_s": WAIT_S, "since": revision})),
    };
    let Json::Object(arguments) = arguments else { return None };
    Some(NextStep { tool: tool.to_owned(), arguments })
}
