//! Changing a device's configuration through a controller: render, stage, apply, poll, and the question what became of an
//! attempt that nobody heard the end of (T20, T21).

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use platform::{Error, Json};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::artifacts::ArtifactReference;
use crate::tool::{Tool, ToolCx};

/// One device's step of a change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepSpec {
    /// The target system's id of the device.
    pub device_id: String,
    /// The template and the committed version of it that carries the lines.
    pub carrier: Carrier,
    /// Values of the template's parameters.
    pub params: Json,
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
    /// Nobody can tell; a person decides.
    Unknown {
        /// What was found, for that person; masked.
        evidence: Json,
    },
}

/// Changes configurations.
#[async_trait]
pub trait ConfigChanger: Send + Sync + 'static {
    /// The time after which a missing record means that nothing happened: the longest request deadline and the vendor's own
    /// timeout together (T20).
    fn settle_time(&self) -> Duration;

    /// The lines that the step would enter, as the vendor renders them.
    async fn render(&self, cx: &ToolCx, step: &StepSpec) -> Result<SealedLines, Error>;

    /// Commits a text as a template version in the project reserved for a change, and does nothing where the same text
    /// stands there already.
    async fn stage(&self, cx: &ToolCx, change: &str, device_id: &str, lines: &SealedLines) -> Result<Carrier, Error>;

    /// Starts the step on its one device.
    async fn apply(&self, cx: &ToolCx, step: &StepSpec) -> Result<Handle, Error>;

    /// How far it is.
    async fn poll(&self, cx: &ToolCx, handle: &Handle) -> Result<(Handle, Progress), Error>;

    /// What became of an attempt, from the vendor's own records.
    async fn reconcile(&self, cx: &ToolCx, intent: &OpenIntent) -> Result<Settled, Error>;
}

/// Its tools.
pub(crate) fn tools(_port: &Arc<dyn ConfigChanger>) -> Vec<Arc<dyn Tool>> {
    Vec::new()
}
