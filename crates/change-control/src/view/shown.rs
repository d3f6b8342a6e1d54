//! A change as callers see it: where it is, what that means, and what may follow. Everything in it is safe to show: texts
//! of devices and parameters stand in plan and reports masked, and inputs stand in neither.

use jiff::Timestamp;
use platform::Error;
use platform::policy::Risk;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;
use tool_runtime::{ArtifactReference, FollowUp};

use super::meaning::{NextStep, Standing, WAIT_S, message, next, possible};
use crate::book::{Kept, Listed};
use crate::model::approval::Verdict;
use crate::model::change::{ApproversNeeded, CancelMode, Change, CheckResult, DeviceState, RunResult, Trouble};
use crate::model::plan::{DevicePlan, PlannedUndo, PublicPlan};
use crate::model::state::State;

/// A change in a list.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ChangeRow {
    /// Id: what the other tools for changes take.
    pub change_id: String,
    /// Where it is.
    pub state: State,
    /// The same in one word.
    pub status: Standing,
    /// What and where.
    pub title: String,
    /// Server instance.
    pub server: String,
    /// Type of change.
    pub change_type: String,
    /// Who asked for it.
    pub requested_by: String,
    /// `change` or `disruptive`, once planned.
    pub risk: Option<String>,
    /// Number of devices.
    pub devices: usize,
    /// Ticket, where one was named.
    pub ticket: Option<String>,
    /// RFC 3339.
    pub created_at: String,
    /// When something happened last, RFC 3339.
    pub updated_at: String,
}

impl ChangeRow {
    /// The row of a change.
    pub fn of(change: Listed) -> Self {
        Self {
            change_id: change.id.to_string(),
            state: change.state,
            status: Standing::of_state(change.state, change.run.goes_on_at_ms.is_some()),
            title: change.title,
            server: change.instance.name,
            change_type: change.change_type.name,
            requested_by: change.requester.who.name,
            risk: change.risk.map(name_of),
            devices: change.device_ids.len(),
            ticket: change.submission.and_then(|s| s.ticket),
            created_at: time(change.created_at_ms),
            updated_at: time(change.updated_at_ms),
        }
    }
}

/// A change.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ChangeView {
    /// Id.
    pub change_id: String,
    /// Goes up with everything that happens: give it as `since` to wait for more.
    pub revision: u64,
    /// `in_progress`: it goes on by itself; `waiting`: for a person; `success`; `ended` in another way.
    pub status: Standing,
    /// Where it is.
    pub state: State,
    /// What that means, and what comes next, in a sentence or two.
    pub message: String,
    /// When a held change tries again by itself, RFC 3339; nothing where it waits for a person.
    pub goes_on_at: Option<String>,
    /// What and where.
    pub title: String,
    /// Why, in the requester's words.
    pub reason: String,
    /// Type of change.
    pub change_type: String,
    /// Server instance.
    pub server: String,
    /// Who asked for it.
    pub requested_by: String,
    /// The change that this one undoes.
    pub undoes: Option<String>,
    /// `change` or `disruptive`, once planned.
    pub risk: Option<String>,
    /// Hash of the plan: what an approval binds.
    pub plan_hash: Option<String>,
    /// When the plan was made, RFC 3339.
    pub planned_at: Option<String>,
    /// Devices, in the order in which they are written to.
    pub devices: Vec<DeviceView>,
    /// What was handed in for approval.
    pub submission: Option<SubmissionView>,
    /// Who must approve.
    pub approvers: Option<ApproversNeeded>,
    /// Decisions so far.
    pub approvals: Vec<ApprovalView>,
    /// The change's page: people look at it there, and approvers decide there. There is no other way to approve.
    pub url: String,
    /// Somebody asked it to stop.
    pub cancel: Option<CancelView>,
    /// What came of its run.
    pub result: Option<RunResult>,
    /// Why it ended badly, or waits.
    pub trouble: Option<Trouble>,
    /// The evidence, once it ended.
    pub evidence: Option<ArtifactReference>,
    /// What happened, oldest first.
    pub history: Vec<StepView>,
    /// RFC 3339.
    pub created_at: String,
    /// When something happened last, RFC 3339.
    pub updated_at: String,
    /// Tools that make sense in this state.
    pub possible: Vec<String>,
    /// The call to make next.
    pub next: Option<NextStep>,
}

/// How far one device is.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DeviceView {
    /// The server's id of it.
    pub device_id: String,
    /// Host name, once planned.
    pub hostname: Option<String>,
    /// Site, where known.
    pub site: Option<String>,
    /// Batch, from 1.
    pub batch: Option<usize>,
    /// `change` or `disruptive`.
    pub risk: Option<String>,
    /// Lines that will differ.
    pub changed_lines: usize,
    /// `generated`, or why there is none.
    pub undo: Option<String>,
    /// Where it is.
    pub state: DeviceState,
    /// When it was last written to, RFC 3339.
    pub last_write_at: Option<String>,
    /// What was compared, and what came of it; masked.
    pub checks: Vec<CheckResult>,
    /// The device's own error lines, masked.
    pub device_errors: Vec<String>,
    /// What somebody has to do by hand.
    pub by_hand: Vec<String>,
}

/// What was handed in for approval.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SubmissionView {
    /// Digest: what an approval names.
    pub digest: String,
    /// Ticket.
    pub ticket: Option<String>,
    /// It does not run before, RFC 3339.
    pub not_before: String,
    /// It is over by then, its undo included, RFC 3339.
    pub not_after: String,
}

/// One person's decision.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ApprovalView {
    /// Who.
    pub by: String,
    /// What.
    pub verdict: Verdict,
    /// Why.
    pub reason: String,
    /// When, RFC 3339.
    pub at: String,
}

/// A wish to stop.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CancelView {
    /// After the current device: stand still, or undo.
    pub mode: CancelMode,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When, RFC 3339.
    pub at: String,
}

/// A step of its life.
#[derive(Debug, Serialize, JsonSchema)]
pub struct StepView {
    /// When, RFC 3339.
    pub at: String,
    /// Where it went.
    pub to: State,
    /// Why.
    pub why: String,
}

impl ChangeView {
    /// A change, its plan where there is one, and the address of its page.
    pub fn of(kept: &Kept, plan: Option<&PublicPlan>, url: String) -> Result<Self, Error> {
        let change = &kept.change;
        let nothing_to_do = plan.is_some_and(|plan| plan.devices.iter().all(|device| changed(device) == 0));
        let submission = change.submission.as_ref().map(|s| {
            Ok::<_, Error>(SubmissionView {
                digest: s.digest()?,
                ticket: s.ticket.clone(),
                not_before: time(s.window.not_before_ms),
                not_after: time(s.window.not_after_ms),
            })
        });
        Ok(Self {
            change_id: change.id.to_string(),
            revision: kept.revision,
            status: Standing::of(change),
            state: change.state,
            message: message(change, nothing_to_do),
            goes_on_at: change.goes_on_at_ms().map(time),
            title: change.title.clone(),
            reason: change.reason.clone(),
            change_type: change.change_type.name.clone(),
            server: change.instance.name.clone(),
            requested_by: change.requester.who.name.clone(),
            undoes: change.undoes.as_ref().map(ToString::to_string),
            risk: change.risk.map(name_of),
            plan_hash: change.plan.as_ref().map(|plan| plan.hash.clone()),
            planned_at: change.plan.as_ref().map(|plan| time(plan.made_at_ms)),
            devices: devices(change, plan),
            submission: submission.transpose()?,
            approvers: change.approvers.clone(),
            approvals: change
                .approvals
                .iter()
                .map(|a| ApprovalView {
                    by: a.approver.name.clone(),
                    verdict: a.verdict,
                    reason: a.reason.clone(),
                    at: time(a.at_ms),
                })
                .collect(),
            url,
            cancel: change.cancel.as_ref().map(|c| CancelView {
                mode: c.mode,
                by: c.by.name.clone(),
                reason: c.reason.clone(),
                at: time(c.at_ms),
            }),
            result: change.run.result,
            trouble: change.trouble.clone(),
            evidence: change.evidence.clone(),
            history: change
                .history
                .iter()
                .map(|t| StepView { at: time(t.at_ms), to: t.to, why: t.why.clone() })
                .collect(),
            created_at: time(change.created_at_ms),
            updated_at: time(change.updated_at_ms),
            possible: possible(change, nothing_to_do).iter().map(|tool| (*tool).to_owned()).collect(),
            next: next(change, kept.revision, nothing_to_do),
        })
    }

    /// The call that follows it while it goes on by itself.
    pub fn follow_up(&self) -> Option<FollowUp> {
        let arguments = json!({"change_id": self.change_id, "wait_s": WAIT_S, "since": self.revision});
        (self.status == Standing::InProgress).then(|| FollowUp { tool: "get_change".into(), arguments })
    }
}

fn devices(change: &Change, plan: Option<&PublicPlan>) -> Vec<DeviceView> {
    let planned = |id: &str| plan.and_then(|plan| plan.devices.iter().find(|d| d.device_id == id));
    let batch = |id: &str| {
        let at = plan.and_then(|plan| plan.order.iter().position(|batch| batch.iter().any(|d| d == id)));
        at.map(|at| at + 1)
    };
    let ids: Vec<&String> = match plan {
        Some(plan) => plan.devices.iter().map(|d| &d.device_id).collect(),
        None => change.device_ids.iter().collect(),
    };
    let view = |id: &String| {
        let (plan, progress) = (planned(id), change.run.devices.get(id));
        DeviceView {
            device_id: id.clone(),
            hostname: plan.map(|d| d.hostname.clone()),
            site: plan.and_then(|d| d.site.clone()),
            batch: batch(id),
            risk: plan.map(|d| name_of(d.risk)),
            changed_lines: plan.map_or(0, changed),
            undo: plan.map(|d| match &d.undo {
                PlannedUndo::Generated { .. } => "generated".to_owned(),
                PlannedUndo::None { reason } => format!("none: {reason}"),
            }),
            state: progress.map_or(DeviceState::Waiting, |p| p.state),
            last_write_at: progress.and_then(|p| p.last_write_ms).map(time),
            checks: progress.map(|p| p.report.clone()).unwrap_or_default(),
            device_errors: progress.map(|p| p.device_errors.clone()).unwrap_or_default(),
            by_hand: progress.map(|p| p.by_hand.clone()).unwrap_or_default(),
        }
    };
    ids.into_iter().map(view).collect()
}

/// Lines of a device that will differ.
fn changed(device: &DevicePlan) -> usize {
    device.diff.iter().filter(|line| matches!(line.sign.as_str(), "+" | "-")).count()
}

pub(super) fn name_of(risk: Risk) -> String {
    risk.as_str().to_owned()
}

/// Milliseconds since the epoch as RFC 3339.
pub(super) fn time(ms: i64) -> String {
    Timestamp::from_millisecond(ms).unwrap_or_default().to_string()
}
