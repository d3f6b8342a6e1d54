//! Changing a device's configuration through a controller: render, stage, apply, poll, and the question what became of an
//! attempt that nobody heard the end of (T20, T21).

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use platform::policy::TargetFacts;
use platform::{Error, ErrorKind, Json};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Map;

use super::{DEVICE, port_tool};
use crate::artifacts::ArtifactReference;
use crate::tool::{SideEffect, Tool, ToolCx, ToolSpec};

/// One device's step of a change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepSpec {
    /// The target system's id of the device.
    #[schemars(length(min = 1, max = 64))]
    pub device_id: String,
    /// The change that it belongs to. What is staged for a change is applied for no other (T21).
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[A-Za-z0-9_-]+$"))]
    pub change: String,
    /// The template and the committed version of it that carries the lines.
    pub carrier: Carrier,
    /// Values of the template's parameters that anybody may see; an object.
    #[serde(default)]
    pub params: Map<String, Json>,
    /// Values that nobody may see, sealed as a JSON object: what [`Staged`] names. They win over `params`.
    #[serde(default)]
    pub secrets: Option<ArtifactReference>,
}

/// A committed version of a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Carrier {
    /// The template.
    pub template_id: String,
    /// The version, by its own id.
    pub version_id: String,
}

/// The vendor's own names of what was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Handle {
    /// The vendor's task.
    pub task_id: String,
    /// The vendor's deployment, once it is known.
    pub deployment_id: Option<String>,
}

/// Rendered lines, sealed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SealedLines {
    /// The unmasked text.
    pub artifact: ArtifactReference,
    /// SHA-256 of the text, hexadecimal.
    pub sha256: String,
}

/// A staged text: the version that carries it, and what it needs beside it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Staged {
    /// The version.
    pub carrier: Carrier,
    /// The secrets of the text, sealed: parameters of the template, which does not hold them itself (T21).
    pub secrets: Option<ArtifactReference>,
}

/// How far an attempt is, and by which handle it is followed from now on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Polled {
    /// The handle, perhaps with more in it than before.
    pub handle: Handle,
    /// How far it is.
    pub progress: Progress,
}

/// How far an attempt is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Progress {
    /// The vendor is at it.
    Running,
    /// The vendor says that it worked. Only the configuration tells whether it did.
    Succeeded {
        /// The vendor's words, masked.
        message: Option<String>,
    },
    /// The vendor says that it failed; something may have been applied.
    Failed {
        /// The vendor's words, masked: the device's own error lines are among them.
        message: Option<String>,
    },
}

/// An attempt that was announced and whose end nobody heard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OpenIntent {
    /// The call that announced it.
    pub call_id: String,
    /// What it was to do.
    pub step: StepSpec,
    /// When the intent was durable, milliseconds since the epoch, by the platform's clock.
    pub announced_at_ms: i64,
    /// The vendor's handle, where one came back and was stored.
    pub handle: Option<Handle>,
}

/// What became of an attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "settled", rename_all = "snake_case")]
pub enum Settled {
    /// It was accepted; this is how to follow it.
    Done {
        /// The vendor's names of it.
        handle: Handle,
    },
    /// The vendor has no record of it, and enough time has passed to say so.
    NotDone,
    /// The vendor has no record of it that would decide, and one may still come: ask again.
    Pending {
        /// When that is worth the while, milliseconds from now.
        again_in_ms: u64,
    },
    /// Nobody can tell; a person decides.
    Unknown {
        /// What was found, for that person; masked.
        evidence: Json,
    },
}

/// A running configuration that became the one that its device starts with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SavedStartup {
    /// The target system's id of the device.
    pub device_id: String,
}

/// Changes configurations.
#[async_trait]
pub trait ConfigChanger: Send + Sync + 'static {
    /// The time after which a missing record means that nothing happened: the longest request deadline and the vendor's own
    /// timeout together (T20).
    fn settle_time(&self) -> Duration;

    /// The lines that the step would enter, as the vendor renders exactly its version.
    async fn render(&self, cx: &ToolCx, step: &StepSpec) -> Result<SealedLines, Error>;

    /// Commits a text as a template version in the project reserved for a change, and does nothing where the same text
    /// stands there already.
    async fn stage(&self, cx: &ToolCx, change: &str, device_id: &str, lines: &SealedLines) -> Result<Staged, Error>;

    /// Starts the step on its one device.
    async fn apply(&self, cx: &ToolCx, step: &StepSpec) -> Result<Handle, Error>;

    /// How far it is on this device.
    async fn poll(&self, cx: &ToolCx, device_id: &str, handle: &Handle) -> Result<Polled, Error>;

    /// What became of an attempt, from the vendor's own records.
    async fn reconcile(&self, cx: &ToolCx, intent: &OpenIntent) -> Result<Settled, Error>;

    /// Makes the running configuration of a device the one that it starts with. A repeat does no harm. Error: `save_unsupported`
    /// where the system cannot.
    async fn save_startup(&self, _: &ToolCx, _device_id: &str) -> Result<SavedStartup, Error> {
        let message = "This system does not save startup configurations. Save the device's by hand.";
        Err(Error::new(ErrorKind::InvalidInput, "save_unsupported", message))
    }
}

/// Arguments of [`SAVE`].
#[derive(Serialize, Deserialize, JsonSchema)]
pub(super) struct SaveStartup {
    /// The target system's id of the device.
    #[schemars(length(min = 1, max = 64))]
    pub(super) device_id: String,
}

/// Arguments of [`PROVE`].
#[derive(Serialize, Deserialize, JsonSchema)]
pub(super) struct Prove {
    /// The target system's id of the device.
    #[schemars(length(min = 1, max = 64))]
    pub(super) device_id: String,
}

/// What a change may rest on about a device: nothing contradicted, nothing unread, nothing older than
/// [`crate::targets::STALE_S`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProvenTarget {
    /// The target system's id of it.
    pub device_id: String,
    /// Host name.
    pub hostname: String,
    /// Serial numbers, all members of a stack.
    pub serials: Vec<String>,
    /// Site hierarchy.
    pub site: Option<String>,
    /// Role.
    pub role: Option<String>,
    /// Redundancy group.
    pub redundancy_group: Option<String>,
    /// Configuration item.
    pub ci: Option<String>,
    /// Seconds since the source was read.
    pub age_s: i64,
}

impl From<&TargetFacts> for ProvenTarget {
    fn from(facts: &TargetFacts) -> Self {
        Self {
            device_id: facts.id.clone(),
            hostname: facts.name.clone(),
            serials: facts.serials.clone(),
            site: facts.site.clone(),
            role: facts.role.clone(),
            redundancy_group: facts.redundancy_group.clone(),
            ci: facts.ci.clone(),
            age_s: facts.age_s,
        }
    }
}

/// Arguments of [`STAGE`].
#[derive(Serialize, Deserialize, JsonSchema)]
pub(super) struct Stage {
    /// The target system's id of the device.
    #[schemars(length(min = 1, max = 64))]
    pub(super) device_id: String,
    /// The change.
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[A-Za-z0-9_-]+$"))]
    pub(super) change: String,
    /// The text.
    pub(super) lines: SealedLines,
}

/// Arguments of [`POLL`].
#[derive(Serialize, Deserialize, JsonSchema)]
pub(super) struct Poll {
    /// The target system's id of the device.
    #[schemars(length(min = 1, max = 64))]
    pub(super) device_id: String,
    /// What `apply` answered with.
    pub(super) handle: Handle,
}

/// Arguments of [`RECONCILE`].
#[derive(Serialize, Deserialize, JsonSchema)]
pub(super) struct Reconcile {
    /// The target system's id of the device, as the intent has it.
    #[schemars(length(min = 1, max = 64))]
    pub(super) device_id: String,
    /// The intent.
    pub(super) intent: OpenIntent,
}

/// The tool that tells on which facts about a device a change may rest, or why on none: it asks no port, because the road
/// has proven them before.
pub const PROVE: &str = "port_prove_target";
/// The tool behind [`ConfigChanger::render`].
pub const RENDER: &str = "port_render_lines";
/// The tool behind [`ConfigChanger::stage`].
pub const STAGE: &str = "port_stage_lines";
/// The tool behind [`ConfigChanger::apply`].
pub const APPLY: &str = "port_apply_step";
/// The tool behind [`ConfigChanger::poll`].
pub const POLL: &str = "port_poll_step";
/// The tool behind [`ConfigChanger::reconcile`].
pub const RECONCILE: &str = "port_reconcile_step";
/// The tool behind [`ConfigChanger::save_startup`].
pub const SAVE: &str = "port_save_startup";

/// Its tools. Their classes in the operator's table: `render` and `poll` read the controller; `stage` leaves a text on the
/// controller that nothing enters into a device, as a branch holds a text that nothing has merged, so that it is a `record`
/// and possible before anybody has approved (T21); `apply` is the `change`, and so is `save_startup`, of which a repeat does no harm; `reconcile` may ask the device itself, and is a
/// `probe`.
pub(super) fn tools(port: &Arc<dyn ConfigChanger>) -> Vec<Arc<dyn Tool>> {
    let prove = ToolSpec::new::<Prove, ProvenTarget>(
        PROVE,
        "Prove a target",
        "Tells what is known of a device, as far as a change may rest on it.",
    )
    .targets(DEVICE)
    .proven_targets();
    let render = ToolSpec::new::<StepSpec, SealedLines>(
        RENDER,
        "Render a step",
        "Renders the lines that a step of a change would enter into its device.",
    );
    let stage = ToolSpec::new::<Stage, Staged>(
        STAGE,
        "Stage a text",
        "Commits a text as a template version in the project that is reserved for a change.",
    )
    .timeout(Duration::from_secs(90));
    let apply = ToolSpec::new::<StepSpec, Handle>(
        APPLY,
        "Apply a step",
        "Starts a step of a change on its one device. What became of it, `port_poll_step` tells.",
    )
    .effect(SideEffect::Discoverable)
    .timeout(Duration::from_secs(45));
    let poll = ToolSpec::new::<Poll, Polled>(POLL, "Follow a step", "Tells how far a step of a change is.");
    let reconcile = ToolSpec::new::<Reconcile, Settled>(
        RECONCILE,
        "Settle an attempt",
        "Tells what became of an attempt whose end nobody heard, from the target system's own records.",
    )
    .timeout(Duration::from_secs(90));
    let save = ToolSpec::new::<SaveStartup, SavedStartup>(
        SAVE,
        "Save a startup configuration",
        "Makes the running configuration of one device the one that it starts with, for change control.",
    )
    .timeout(Duration::from_secs(90));
    vec![
        port_tool(port, save.targets(DEVICE), |port, cx, args: SaveStartup| async move {
            port.save_startup(&cx, &args.device_id).await
        }),
        port_tool(port, prove, |_, cx, _: Prove| async move {
            let facts = cx.targets.first().ok_or_else(|| Error::internal("a proven target without facts"))?;
            Ok(ProvenTarget::from(facts))
        }),
        port_tool(
            port,
            render.targets(DEVICE),
            |port, cx, step: StepSpec| async move { port.render(&cx, &step).await },
        ),
        port_tool(port, stage.targets(DEVICE), |port, cx, args: Stage| async move {
            port.stage(&cx, &args.change, &args.device_id, &args.lines).await
        }),
        port_tool(port, apply.targets(DEVICE), |port, cx, step: StepSpec| async move { port.apply(&cx, &step).await }),
        port_tool(port, poll.targets(DEVICE), |port, cx, args: Poll| async move {
            port.poll(&cx, &args.device_id, &args.handle).await
        }),
        port_tool(port, reconcile.targets(DEVICE), |port, cx, args: Reconcile| async move {
            // The facts that policy decided about are those of `device_id`.
            if args.device_id != args.intent.step.device_id {
                return Err(Error::internal("an intent of another device"));
            }
            port.reconcile(&cx, &args.intent).await
        }),
    ]
}
