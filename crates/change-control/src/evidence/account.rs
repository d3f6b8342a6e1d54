//! The files that say how a change went. Each is RFC 8785 JSON, but the difference, which is a text. Nothing here is secret: the
//! public plan holds masked texts and commitments, reports were masked when they were written, and of a step's arguments
//! only the digest is told.

use std::collections::BTreeMap;

use platform::policy::Risk;
use platform::{Error, Json, canonical};
use serde::{Deserialize, Serialize};
use serde_json::Map;
use tool_runtime::ports::config_changer::{Carrier, Handle};

use super::archive::Files;
use crate::changes::Changes;
use crate::model::attempt::{Attempt, AttemptOutcome, Direction};
use crate::model::change::{
    ApproversNeeded, Cancel, Change, ChangeId, DeviceProgress, Requester, RunResult, Transition, Trouble,
};
use crate::model::plan::{InstanceReference, TypeReference};
use crate::model::state::State;
use crate::model::submission::Submission;
use crate::view::difference::PlanView;

/// [`Account`].
pub const CHANGE: &str = "change.json";
/// The public plan (`PublicPlan`): its SHA-256 is the plan's hash.
pub const PLAN: &str = "plan.json";
/// What the plan said would differ, masked, as people read it.
pub const DIFF: &str = "diff.txt";
/// [`Submitted`].
pub const SUBMISSION: &str = "submission.json";
/// Decisions (`Approval`), in their order.
pub const APPROVALS: &str = "approvals.json";
/// The signed grant (`SignedGrant`).
pub const GRANT: &str = "grant.json";
/// Attempts ([`Sent`]), by announcement.
pub const ATTEMPTS: &str = "attempts.json";
/// Devices as the run left them (`DeviceProgress`), by id: with the checks afterwards.
pub const DEVICES: &str = "devices.json";
/// [`Before`].
pub const CHECKS_BEFORE: &str = "checks_before.json";

/// The change itself: who asked for what and why, and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// Id.
    pub id: ChangeId,
    /// How it ended.
    pub state: State,
    /// Type.
    #[serde(rename = "type")]
    pub change_type: TypeReference,
    /// Where it was done.
    pub instance: InstanceReference,
    /// What and where, in a line.
    pub title: String,
    /// Why, in the requester's words.
    pub reason: String,
    /// Who asked, and who acted for them.
    pub requester: Requester,
    /// Devices that were named.
    pub device_ids: Vec<String>,
    /// The change that it undoes.
    pub undoes: Option<ChangeId>,
    /// The highest risk of its steps.
    pub risk: Option<Risk>,
    /// Hash of its plan.
    pub plan_hash: Option<String>,
    /// When the plan was made, milliseconds since the epoch.
    pub planned_at_ms: Option<i64>,
    /// Who had to approve, by the policy of the time of the submission.
    pub approvers: Option<ApproversNeeded>,
    /// Who asked it to stop.
    pub cancel: Option<Cancel>,
    /// What came of the run.
    pub result: Option<RunResult>,
    /// Why it ended badly.
    pub trouble: Option<Trouble>,
    /// States, oldest first.
    pub history: Vec<Transition>,
    /// When it was asked for, milliseconds since the epoch.
    pub created_at_ms: i64,
}

/// What was handed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Submitted {
    /// Its digest: what approvals and grant name.
    pub digest: String,
    /// The submission.
    pub submission: Submission,
}

/// An attempt, without its arguments.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sent {
    /// The device.
    pub device_id: String,
    /// Which way.
    pub direction: Direction,
    /// 1 for the first of this device and direction.
    pub number: u32,
    /// `x-request-id` of its call: the audit records have the same.
    pub call_id: String,
    /// What carried the lines.
    pub carrier: Carrier,
    /// SHA-256 of the RFC 8785 JSON of the whole step, hexadecimal.
    pub step_sha256: String,
    /// When it was announced, milliseconds since the epoch.
    pub announced_at_ms: i64,
    /// The target's names of it.
    pub handle: Option<Handle>,
    /// What is known about it.
    pub outcome: AttemptOutcome,
}

/// What the checks saw when the plan was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Before {
    /// By device, by name of the check.
    pub devices: BTreeMap<String, Map<String, Json>>,
    /// Code of what kept them from being read, where they are not here.
    pub unreadable: Option<String>,
}

impl Changes {
    /// The account of a change.
    pub(super) async fn account_of(&self, change: &Change) -> Result<Files, Error> {
        let mut files = Files::new();
        put(&mut files, CHANGE, &Account::of(change))?;
        if change.plan.is_some()
            && let Some(plan) = self.book().plan(&change.id).await?
        {
            put(&mut files, PLAN, &plan)?;
            files.insert(DIFF.to_owned(), PlanView::of(change, &plan).diff.into_bytes());
            put(&mut files, CHECKS_BEFORE, &self.before(change).await)?;
        }
        if let Some(submission) = &change.submission {
            let submitted = Submitted { digest: submission.digest()?, submission: submission.clone() };
            put(&mut files, SUBMISSION, &submitted)?;
            put(&mut files, APPROVALS, &change.approvals)?;
        }
        if let Some(grant) = &change.grant {
            put(&mut files, GRANT, grant)?;
            put(&mut files, ATTEMPTS, &self.sent(&change.id).await?)?;
            put::<BTreeMap<String, DeviceProgress>>(&mut files, DEVICES, &change.run.devices)?;
        }
        Ok(files)
    }

    async fn sent(&self, id: &ChangeId) -> Result<Vec<Sent>, Error> {
        let attempts = self.book().attempts(id).await?;
        let mut sent = attempts.into_iter().map(Sent::of).collect::<Result<Vec<_>, Error>>()?;
        sent.sort_by(|a, b| {
            let place = |s: &Sent| (s.announced_at_ms, s.device_id.clone(), s.direction, s.number);
            place(a).cmp(&place(b))
        });
        Ok(sent)
    }

    async fn before(&self, change: &Change) -> Before {
        let opened = async { self.open_plan(change, &self.ports(change, None)?).await }.await;
        match opened {
            Ok(plan) => {
                let devices = plan.sealed.devices.into_iter().map(|device| (device.device_id, device.before));
                Before { devices: devices.collect(), unreadable: None }
            }
            Err(error) => Before { devices: BTreeMap::new(), unreadable: Some(error.code().to_owned()) },
        }
    }
}

impl Account {
    fn of(change: &Change) -> Self {
        Self {
            id: change.id.clone(),
            state: change.state,
            change_type: change.change_type.clone(),
            instance: change.instance.clone(),
            title: change.title.clone(),
            reason: change.reason.clone(),
            requester: change.requester.clone(),
            device_ids: change.device_ids.clone(),
            undoes: change.undoes.clone(),
            risk: change.risk,
            plan_hash: change.plan.as_ref().map(|plan| plan.hash.clone()),
            planned_at_ms: change.plan.as_ref().map(|plan| plan.made_at_ms),
            approvers: change.approvers.clone(),
            cancel: change.cancel.clone(),
            result: change.run.result,
            trouble: change.trouble.clone(),
            history: change.history.clone(),
            created_at_ms: change.created_at_ms,
        }
    }
}

impl Sent {
    fn of(attempt: Attempt) -> Result<Self, Error> {
        Ok(Self {
            step_sha256: canonical::digest_hex(&attempt.step)?,
            device_id: attempt.device_id,
            direction: attempt.direction,
            number: attempt.number,
            call_id: attempt.call_id,
            carrier: attempt.step.carrier,
            announced_at_ms: attempt.announced_at_ms,
            handle: attempt.handle,
            outcome: attempt.outcome,
        })
    }
}

/// Puts a value among the files.
pub(super) fn put<T: Serialize>(files: &mut Files, name: &str, value: &T) -> Result<(), Error> {
    files.insert(name.to_owned(), canonical::to_bytes(value)?);
    Ok(())
}
