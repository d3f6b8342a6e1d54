//! The plan (T15): what everybody may see and an approval binds, and beside it what only the platform opens.
//!
//! A value that may hold a secret stands in the public plan masked, with a commitment: an HMAC under a key derived from a nonce
//! that only the sealed plan holds. The hash verifies without unsealing, and an auditor can be shown single values.

use platform::Json;
use platform::policy::Risk;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Map;
use tool_runtime::ArtifactReference;
use tool_runtime::ports::config_changer::{Carrier, StepSpec};

/// The version of the form of plans.
pub const PLAN_VERSION: u32 = 1;

/// A plan as everybody may see it. Technical content only; its hash is SHA-256 over its RFC 8785 JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PublicPlan {
    /// [`PLAN_VERSION`].
    pub v: u32,
    /// The change that it is of: staged texts are deployable for it alone.
    pub change: String,
    /// The type of change that made it.
    #[serde(rename = "type")]
    pub change_type: TypeReference,
    /// Where it will be done.
    pub instance: InstanceReference,
    /// What is deployed.
    pub template: TemplateReference,
    /// Batches of device ids, in order; the devices of a batch are written to one after another.
    pub order: Vec<Vec<String>>,
    /// The run stops when more than this share of the devices failed, percent.
    pub max_fail_percentage: u32,
    /// What a stop means.
    pub on_stop: OnStop,
    /// What a device means that is not what the plan was made for.
    pub on_stale: OnStale,
    /// When the startup configuration is saved.
    pub save_startup: SaveStartup,
    /// How long checks go on after the last device, seconds.
    pub soak_s: u64,
    /// A device each, in the order of `order`.
    pub devices: Vec<DevicePlan>,
    /// How long it may take.
    pub estimates: Estimates,
}

/// A type of change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TypeReference {
    /// `template_deployment`.
    pub name: String,
    /// Its version.
    pub version: u32,
    /// SHA-256, hexadecimal, of what makes the type what it is to whoever approves: name, version, schema of its inputs, checks
    /// of each platform, tools of its steps. A plan without one was made by a program that told none, and does not run any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// A server instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InstanceReference {
    /// Name, as in `/mcp/<name>`.
    pub name: String,
    /// Connector.
    pub connector: String,
    /// Environment.
    pub environment: String,
}

/// A committed version of a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TemplateReference {
    /// The template.
    pub template_id: String,
    /// The version, by its own id.
    pub version_id: String,
    /// Its name, for people.
    pub name: String,
    /// It was the newest committed version when the plan was made. A newer one makes the plan stale (T18): whoever committed it
    /// meant it to be used. A version that was old by intent stays what was meant.
    pub newest: bool,
}

/// What a stop means for the devices that were written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnStop {
    /// All of them are undone, the last first.
    Undo,
    /// The run stands still and waits for a person.
    Hold,
}

/// What a device means that is not what the plan was made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnStale {
    /// The run stops.
    Stop,
    /// The device is left out.
    SkipDevice,
}

/// When the startup configuration is saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SaveStartup {
    /// The run saves nothing.
    Never,
    /// After the last check has held.
    AfterSoak,
}

/// How long it may take, seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Estimates {
    /// All batches.
    pub apply_s: u64,
    /// The undo of all of them.
    pub undo_s: u64,
}

/// What will happen to one device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DevicePlan {
    /// The target system's id of it.
    pub device_id: String,
    /// Host name.
    pub hostname: String,
    /// Serial numbers, all members of a stack.
    pub serials: Vec<String>,
    /// `ios-xe`, `nx-os`, `ios-xr`, `asa`.
    pub platform: String,
    /// Site hierarchy.
    pub site: Option<String>,
    /// Role.
    pub role: Option<String>,
    /// Redundancy group.
    pub redundancy_group: Option<String>,
    /// Configuration item.
    pub ci: Option<String>,
    /// What it was when the plan was made.
    pub baseline: Baseline,
    /// The template's parameters.
    pub params: Map<String, Json>,
    /// The carrier of the lines.
    pub carrier: Carrier,
    /// The lines that will be entered.
    pub lines: Vec<Committed>,
    /// What will differ, masked.
    pub diff: Vec<DiffLine>,
    /// Devices with the same one are shown together.
    pub diff_group: String,
    /// Lines of which the model does not know what they do.
    pub unmodelled: Vec<Unmodelled>,
    /// Lines that may cost the way of management and the like.
    pub dangers: Vec<Danger>,
    /// `change` or `disruptive`.
    #[schemars(with = "String")]
    pub risk: Risk,
    /// Commitment to the canonical configuration that is expected afterwards.
    pub predicted: String,
    /// How it is undone.
    pub undo: PlannedUndo,
    /// What must hold afterwards.
    pub checks: Vec<Check>,
}

/// A device's configuration when the plan was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// Commitment to its canonical form.
    pub commitment: String,
    /// When it was read, milliseconds since the epoch.
    pub read_at_ms: i64,
    /// The time that the source gives, milliseconds since the epoch.
    pub source_at_ms: Option<i64>,
    /// The source had masked secrets before we saw them.
    pub secrets_unseen: bool,
}

/// A text that may hold a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Committed {
    /// As people may see it.
    pub masked: String,
    /// Commitment to what it is.
    pub commitment: String,
}

/// A line of a difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DiffLine {
    /// `+`, `-` or a blank for what stands around it.
    pub sign: String,
    /// The line with its indentation, masked.
    pub line: String,
}

/// A line of which the model does not know what it does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Unmodelled {
    /// The line, masked.
    pub line: String,
    /// Why.
    pub why: String,
}

/// A line that asks for attention.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Danger {
    /// `management_path`, `aaa`, `vty`, `default_route`, …: `device_config::DangerKind`.
    pub kind: String,
    /// The line, masked.
    pub line: String,
    /// The device has this line already, and entering it once more does nothing: it makes no step disruptive. Left out where it
    /// is not so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub already_there: bool,
}

/// How a device is undone (T21).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum PlannedUndo {
    /// Lines that were computed, and proven on the model to lead from the prediction to the baseline.
    Generated {
        /// The staged version that carries them.
        carrier: Carrier,
        /// The lines.
        lines: Vec<Committed>,
    },
    /// There is none, which makes the step `disruptive`.
    None {
        /// Why.
        reason: String,
    },
}

/// What must hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// `live_equals_predicted`, `reachability`, `interfaces`, `neighbors`, ….
    pub name: String,
    /// More about it; an object.
    pub of: Json,
    /// How many worse than before are still good.
    pub tolerance: u64,
    /// Commitment to what it saw when the plan was made, which is what later observations are compared with; nothing for the
    /// check that compares with the plan's own prediction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
}

impl PublicPlan {
    /// The plan of one device.
    pub fn device(&self, device_id: &str) -> Option<&DevicePlan> {
        self.devices.iter().find(|device| device.device_id == device_id)
    }

    /// The highest risk of its steps.
    pub fn risk(&self) -> Risk {
        let disruptive = self.devices.iter().any(|device| device.risk == Risk::Disruptive);
        if disruptive { Risk::Disruptive } else { Risk::Change }
    }

    /// No line of it would change anything, as far as the model knows every line: there is nothing to approve.
    pub fn changes_nothing(&self) -> bool {
        self.devices.iter().all(DevicePlan::changes_nothing)
    }

    /// The refusal of a plan that changes nothing, where it is handed in for approval.
    pub fn require_effect(&self) -> Result<(), platform::Error> {
        if !self.changes_nothing() {
            return Ok(());
        }
        Err(platform::Error::new(
            platform::ErrorKind::Conflict,
            "plan_changes_nothing",
            "The devices already are what this change would make of them. There is nothing to approve.",
        ))
    }
}

impl DevicePlan {
    /// No line of it would change anything, as far as the model knows every line.
    pub fn changes_nothing(&self) -> bool {
        self.diff.is_empty() && self.unmodelled.is_empty() && self.risk != Risk::Disruptive
    }
}

/// What only the platform opens: sealed as an artifact whose reference the change holds.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedPlan {
    /// 32 random bytes, hexadecimal: commitments are made under a key derived from it.
    pub nonce: String,
    /// A device each, in the plan's order.
    pub devices: Vec<SealedDevice>,
}

/// The sealed part of one device's plan. The texts are artifacts of their own (`PortClient::seal`).
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedDevice {
    /// The device.
    pub device_id: String,
    /// Running configuration that the plan was made for.
    pub baseline: ArtifactReference,
    /// SHA-256 of its canonical form, hexadecimal.
    pub baseline_sha256: String,
    /// Lines that will be entered.
    pub lines: ArtifactReference,
    /// SHA-256 of them, hexadecimal.
    pub lines_sha256: String,
    /// Configuration that is expected afterwards.
    pub predicted: ArtifactReference,
    /// SHA-256 of its canonical form, hexadecimal.
    pub predicted_sha256: String,
    /// The forward step.
    pub forward: StepSpec,
    /// The step that undoes it.
    pub undo: Option<StepSpec>,
    /// The lines of that step.
    pub undo_lines: Option<ArtifactReference>,
    /// What the checks saw before, by name: what later observations are compared with.
    pub before: Map<String, Json>,
}

/// Where a change's plan is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanReference {
    /// SHA-256 of the public plan's RFC 8785 JSON, hexadecimal.
    pub hash: String,
    /// The sealed plan.
    pub sealed: ArtifactReference,
    /// When it was made, milliseconds since the epoch.
    pub made_at_ms: i64,
}

/// The hash of a public plan (T15).
pub fn plan_hash(plan: &PublicPlan) -> Result<String, platform::Error> {
    platform::canonical::digest_hex(plan)
}

/// Whether a public plan is the one of this hash; nothing has to be unsealed for it. Error: `plan_altered`, with both hashes.
pub fn verify_public_plan(plan: &PublicPlan, hash: &str) -> Result<(), platform::Error> {
    let found = plan_hash(plan)?;
    if found == hash {
        return Ok(());
    }
    let details = serde_json::json!({ "expected": hash, "found": found });
    Err(altered().with_details(details))
}

/// What is told of a plan that is not what its hash or its commitments say.
pub fn altered() -> platform::Error {
    platform::Error::new(
        platform::ErrorKind::Conflict,
        "plan_altered",
        "The stored plan is not the one that was made. It is not used; an operator has to look at the store.",
    )
}
