//! The one question that the road asks change control (T14): does a valid grant cover this call? `change-control` answers it;
//! whoever has no changes answers with [`NoChanges`].
//!
//! Only a call that a change's own run makes (`CallContext::run`, which no door sets) is ever covered. The answer is verified
//! from the store each time: signature, plan, submission, window, arguments, locks, and whether somebody's account was ended.
//! It is asked before policy, which decides with [`Covered::facts`], and once more when the call is reserved (T7), where it can
//! only refuse. Where next: `pipeline/change.rs` for how the road uses it.

use async_trait::async_trait;
use platform::context::{RequestId, RunStep};
use platform::error::NextCall;
use platform::policy::{ChangeFacts, Risk, ServerFacts, TargetFacts};
use platform::{Error, ErrorKind, Json, Principal};

/// A call, as change control sees it.
#[derive(Clone, Copy)]
pub struct GateCall<'a> {
    /// The called instance.
    pub server: &'a ServerFacts,
    /// The tool.
    pub tool: &'a str,
    /// The operator's class of the tool.
    pub risk: Risk,
    /// Validated arguments without references; a keyed hash stands where a secret was.
    pub arguments: &'a Json,
    /// SHA-256 of the canonical arguments, hexadecimal.
    pub arguments_digest: &'a str,
    /// Verified facts of the targets that the arguments name.
    pub targets: &'a [TargetFacts],
    /// The caller.
    pub principal: &'a Principal,
    /// The change that the caller refers to: a reference, and no more (T12).
    pub change: Option<&'a str>,
    /// The idempotency key of the call.
    pub idempotency_key: Option<&'a str>,
    /// The call's id.
    pub call_id: RequestId,
    /// The run that makes the call.
    pub run: Option<&'a RunStep>,
}

/// By what a call of a run may go on (T19).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// The grant, together with the policy of now.
    Grant,
    /// The approved plan alone: it undoes what this run did, or looks at what this run has written to. Policy is not asked,
    /// and neither rate nor window holds it up.
    ApprovedPlan,
}

/// How long a lock is held from its last proof on, seconds: longer than the longest call of a port (T18).
pub const LOCK_LEASE_S: i64 = 600;

/// A lock that the change holds on a target of the call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldLock {
    /// Its name: [`lock_name`].
    pub name: String,
    /// The fencing number that it is held under.
    pub fence: u64,
}

/// The name of the lock of a device, the same for every connector: by serial number, all members of a stack (T18).
pub fn lock_name(serial: &str) -> String {
    format!("device:{serial}")
}

/// What covers a call.
#[derive(Debug, Clone, PartialEq)]
pub struct Covered {
    /// By what.
    pub basis: Basis,
    /// For policy.
    pub facts: ChangeFacts,
    /// The class of the step by its plan: it raises the one of the tool, and never lowers it.
    pub risk: Risk,
    /// The step undoes.
    pub undo: bool,
    /// Its end, seconds since the epoch; nothing where only the change's own state ends it.
    pub until: Option<i64>,
    /// What must be held when the first byte is sent; empty for a call that writes nothing.
    pub locks: Vec<HeldLock>,
}

/// Change control's answer. An error refuses the call.
#[async_trait]
pub trait ChangeGate: Send + Sync + 'static {
    /// Whether the run's grant, or its approved plan, covers this call of a run. Errors: `change_unknown`, `grant_invalid`,
    /// `grant_mismatch`, `grant_expired`, `grant_revoked`, `not_in_plan`, `run_step_refused`, those of the store.
    async fn covers(&self, call: &GateCall<'_>) -> Result<Covered, Error>;

    /// For a call by a door that refers to a change: where the change's plan holds exactly this step, its run is started, or is
    /// joined, and this is the answer ([`started_schema`]). The call itself executes nothing (T14). Nothing where there are no
    /// changes at all. Errors: `change_unknown`, `change_mismatch`, `change_not_approved`, `change_over`, those of the store.
    async fn join(&self, call: &GateCall<'_>) -> Result<Option<Json>, Error>;

    /// The call that plans this one as a change; nothing where no type of change does what it does.
    fn proposal(&self, call: &GateCall<'_>) -> Option<NextCall>;

    /// Whether this person may see a change, and so read what was kept about it (T27). Nobody may see one that does not exist.
    async fn shows(&self, change: &str, person: &Principal) -> Result<bool, Error> {
        let _ = (change, person);
        Ok(false)
    }
}

/// A platform without changes: nothing is covered, and no change is known.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoChanges;

#[async_trait]
impl ChangeGate for NoChanges {
    async fn covers(&self, _: &GateCall<'_>) -> Result<Covered, Error> {
        Err(Error::new(ErrorKind::NotFound, "change_unknown", "There is no such change, or it is not for you to see."))
    }

    async fn join(&self, _: &GateCall<'_>) -> Result<Option<Json>, Error> {
        Ok(None)
    }

    fn proposal(&self, _: &GateCall<'_>) -> Option<NextCall> {
        None
    }
}

/// The call that follows the change, where an answer is of the form of [`started_schema`]: server, tool, arguments.
pub fn started(answer: &Json) -> Option<(&str, &str, &Json)> {
    answer.get("change_id")?.as_str()?;
    let next = answer.get("next")?;
    Some((next.get("server")?.as_str()?, next.get("tool")?.as_str()?, next.get("arguments")?))
}

/// JSON Schema 2020-12 of what a call answers with that started or joined the run of its change, beside the tool's own result
/// (T11: some clients check what they get against the published schema).
pub fn started_schema() -> Json {
    serde_json::json!({
        "title": "ChangeStarted",
        "description": "The call refers to an approved change whose plan holds exactly this step: the change's run does it.",
        "type": "object",
        "required": ["change_id", "state", "next"],
        "properties": {
            "change_id": {"type": "string"},
            "state": {"type": "string", "description": "Where the change is."},
            "next": {
                "type": "object",
                "description": "The call that follows it.",
                "required": ["tool", "arguments", "server"],
                "properties": {"tool": {"type": "string"}, "arguments": {"type": "object"}, "server": {"type": "string"}}
            }
        }
    })
}
