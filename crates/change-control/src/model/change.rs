//! The record of a change: everything hangs on it, and it is the truth about the change (T14).

use std::collections::BTreeMap;

use platform::policy::Risk;
use platform::principal::{Actor, PrincipalKind};
use platform::{Error, Json, Principal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tool_runtime::ArtifactReference;

use super::approval::{Approval, PersonRef};
use super::attempt::Direction;
use super::grant::SignedGrant;
use super::plan::{InstanceReference, PlanReference, TypeReference};
use super::state::State;
use super::submission::Submission;

/// The id of a change: `chg-` and a time-ordered UUID, at most 64 characters of `[A-Za-z0-9_-]`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct ChangeId(String);

impl ChangeId {
    /// A new one.
    pub fn mint() -> Self {
        Self(format!("chg-{}", uuid::Uuid::now_v7().simple()))
    }

    /// As a caller wrote it. Error: `change_unknown`, as for one that is not there.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let well_formed = text
            .strip_prefix("chg-")
            .is_some_and(|rest| rest.len() == 32 && rest.bytes().all(|b| b.is_ascii_hexdigit()));
        if well_formed { Ok(Self(text.to_owned())) } else { Err(unknown()) }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for ChangeId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is told of a change that is not there, or that the caller may not see.
pub fn unknown() -> Error {
    Error::new(platform::ErrorKind::NotFound, "change_unknown", "There is no such change, or it is not for you to see.")
}

/// Who asked for it: the caller as verified then, without the token. Runs are called in this name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requester {
    /// The person, or the program.
    pub who: PersonRef,
    /// Person or client.
    pub kind: PrincipalKind,
    /// Groups.
    pub groups: Vec<String>,
    /// OAuth client.
    pub client_id: String,
    /// Scopes.
    pub scopes: Vec<String>,
    /// `acr`.
    pub acr: Option<String>,
    /// `amr`.
    pub amr: Vec<String>,
    /// `auth_time`.
    pub auth_time: Option<i64>,
    /// More than one factor.
    pub mfa: bool,
    /// Who acted for them; none of these approves.
    pub actors: Vec<Actor>,
    /// What the token said about itself: revocations are compared with it.
    pub token: platform::principal::TokenFacts,
}

impl From<&Principal> for Requester {
    fn from(p: &Principal) -> Self {
        Self {
            who: PersonRef::from(p),
            kind: p.kind,
            groups: p.groups.clone(),
            client_id: p.client_id.clone(),
            scopes: p.scopes.clone(),
            acr: p.acr.clone(),
            amr: p.amr.clone(),
            auth_time: p.auth_time,
            mfa: p.mfa,
            actors: p.actors.clone(),
            token: p.token.clone(),
        }
    }
}

impl Requester {
    /// The caller that policy is asked about.
    pub fn principal(&self) -> Principal {
        Principal {
            issuer: self.who.issuer.clone(),
            subject: self.who.subject.clone(),
            person: self.who.person.clone(),
            name: self.who.name.clone(),
            kind: self.kind,
            groups: self.groups.clone(),
            client_id: self.client_id.clone(),
            scopes: self.scopes.clone(),
            acr: self.acr.clone(),
            amr: self.amr.clone(),
            auth_time: self.auth_time,
            mfa: self.mfa,
            actors: self.actors.clone(),
            token: self.token.clone(),
        }
    }

    /// Issuer and subject, for the index.
    pub fn key(&self) -> String {
        format!("{}|{}", self.who.issuer, self.who.subject)
    }
}

/// A change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// Id.
    pub id: ChangeId,
    /// Where it is.
    pub state: State,
    /// Its type.
    #[serde(rename = "type")]
    pub change_type: TypeReference,
    /// Where it is done.
    pub instance: InstanceReference,
    /// A line for people: what and where.
    pub title: String,
    /// Why, in the requester's words.
    pub reason: String,
    /// Who asked.
    pub requester: Requester,
    /// [`Requester::key`], for the index.
    pub requester_key: String,
    /// Device ids that the requester named.
    pub device_ids: Vec<String>,
    /// Inputs of the type, sealed: parameters may be secrets.
    pub inputs: ArtifactReference,
    /// The change that this one undoes.
    pub undoes: Option<ChangeId>,
    /// The highest risk of its steps, once planned.
    pub risk: Option<Risk>,
    /// The plan.
    pub plan: Option<PlanReference>,
    /// Handed in for approval.
    pub submission: Option<Submission>,
    /// How many approvals it needs, from which groups, by the policy of the time of its submission.
    pub approvers: Option<ApproversNeeded>,
    /// Decisions about the submission.
    pub approvals: Vec<Approval>,
    /// What its run holds.
    pub grant: Option<SignedGrant>,
    /// Somebody asked it to stop.
    pub cancel: Option<Cancel>,
    /// How far its run is.
    pub run: RunProgress,
    /// What came of it, where it ended badly, or why it waits.
    pub trouble: Option<Trouble>,
    /// The evidence, once it ended.
    pub evidence: Option<ArtifactReference>,
    /// Some record that the evidence names was not under a signed tree of the audit log when it was put together: it is put
    /// together again when somebody asks for it.
    #[serde(default)]
    pub evidence_awaits_proofs: bool,
    /// What happened to it, oldest first.
    pub history: Vec<Transition>,
    /// When it was asked for, milliseconds since the epoch.
    pub created_at_ms: i64,
    /// When something happened last.
    pub updated_at_ms: i64,
}

/// Who must approve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApproversNeeded {
    /// Members of these may; an empty list: nobody may.
    pub groups: Vec<String>,
    /// How many of them.
    pub count: u32,
}

/// A wish to stop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cancel {
    /// After the current device.
    pub mode: CancelMode,
    /// Who.
    pub by: PersonRef,
    /// Why.
    pub reason: String,
    /// When, milliseconds since the epoch.
    pub at_ms: i64,
}

/// What a stop means for devices that were written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CancelMode {
    /// Stand still.
    Hold,
    /// Undo them.
    Undo,
}

/// How far a run is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunProgress {
    /// Id of the workflow.
    pub workflow: Option<String>,
    /// Batch, from 0.
    pub batch: u32,
    /// By device id.
    pub devices: BTreeMap<String, DeviceProgress>,
    /// Fencing numbers of the locks that it holds, by lock name (T18).
    pub fences: BTreeMap<String, u64>,
    /// The attempt that a person has to settle (T20): id of its record.
    pub parked_on: Option<String>,
    /// The state that a held or parked run goes back to.
    pub resume: Option<State>,
    /// Until when undo steps may be made, milliseconds since the epoch (T19).
    pub undo_until_ms: Option<i64>,
    /// When a held run tries again by itself, milliseconds since the epoch; nothing where it waits for a person.
    #[serde(default)]
    pub goes_on_at_ms: Option<i64>,
    /// Somebody asked a held run to go on; the run takes it.
    #[serde(default)]
    pub resume_asked: bool,
    /// What came of it, once it ended.
    #[serde(default)]
    pub result: Option<RunResult>,
}

/// What came of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunResult {
    /// Every device is what was predicted.
    Complete,
    /// Devices were left out or failed, within what the plan allows.
    Partial,
    /// Every device that was written to is what it was before.
    Restored,
    /// Every device that was written to was undone, and some are not quite what they were before.
    RestoredWithDifferences,
    /// Some device could not be undone.
    NotRestored,
}

/// How far one device is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceProgress {
    /// `waiting`, `skipped`, `applying`, `applied`, `verified`, `applied_with_differences`, `failed`, `undoing`, `restored`,
    /// `restored_with_differences`, `not_restored`.
    pub state: DeviceState,
    /// Attempts, by direction.
    pub attempts: BTreeMap<Direction, u32>,
    /// When it was last written to, milliseconds since the epoch.
    pub last_write_ms: Option<i64>,
    /// What was compared, and what came of it; masked.
    pub report: Vec<CheckResult>,
    /// The device's own error lines, masked.
    pub device_errors: Vec<String>,
    /// What somebody has to do by hand.
    pub by_hand: Vec<String>,
}

/// Where a device is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeviceState {
    /// Nothing was done to it.
    Waiting,
    /// It is left out: it is not what the plan was made for.
    Skipped,
    /// It is being written to, or was and nobody has looked.
    Applying,
    /// It was written to.
    Applied,
    /// It is what was predicted.
    Verified,
    /// It was written to and is not what was predicted.
    AppliedWithDifferences,
    /// The target says that it failed, or a check did.
    Failed,
    /// It is being undone.
    Undoing,
    /// It is what it was before.
    Restored,
    /// It was undone and is not quite what it was before.
    RestoredWithDifferences,
    /// It could not be undone.
    NotRestored,
}

/// What came of one check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckResult {
    /// The check.
    pub name: String,
    /// Which way the device had been written to.
    pub direction: Direction,
    /// `passed`, `failed`, `not_compared`: a report never says more than was compared.
    pub result: String,
    /// What was seen and expected; masked.
    pub detail: Json,
    /// When the source saw it, milliseconds since the epoch.
    pub source_at_ms: Option<i64>,
    /// When it was compared, milliseconds since the epoch.
    pub at_ms: i64,
}

/// Why it ended badly, or waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Trouble {
    /// Stable code; it has a page.
    pub code: String,
    /// Safe sentence.
    pub message: String,
    /// More, masked: both digests where there are two.
    pub detail: Json,
}

/// A step of a change's life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Transition {
    /// When, milliseconds since the epoch.
    pub at_ms: i64,
    /// Where it went.
    pub to: State,
    /// A few safe words.
    pub why: String,
}

impl Change {
    /// It stands still with its locks, and tries again by itself: then, milliseconds since the epoch.
    pub fn goes_on_at_ms(&self) -> Option<i64> {
        self.run.goes_on_at_ms.filter(|_| self.state == State::Held)
    }

    /// Moves it, or says that this cannot follow.
    pub fn become_state(&mut self, to: State, at_ms: i64, why: impl Into<String>) -> Result<(), Error> {
        if !self.state.may_become(to) {
            return Err(Error::new(
                platform::ErrorKind::Conflict,
                "change_state",
                format!("A change that is {} does not become {to}.", self.state),
            ));
        }
        self.state = to;
        self.updated_at_ms = at_ms;
        self.history.push(Transition { at_ms, to, why: why.into() });
        Ok(())
    }
}
