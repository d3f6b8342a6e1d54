//! Types of changes (T14): what a type asks for, and what it would put on each device. Everything else about a plan (reading,
//! rendering, predicting, undo, checks, order, hash) is the same for all of them and stands beside this file.
//!
//! A type is Rust that is compiled in: no document, policy or template edits how a change is made.

use std::collections::BTreeSet;

use async_trait::async_trait;
use device_config::Platform;
use platform::{Error, ErrorKind, Json};
use serde_json::Map;
use tool_runtime::ArtifactReference;
use tool_runtime::ports::PortClient;
use tool_runtime::ports::config_changer::Carrier;

use super::checks;
use super::template_deployment::TemplateDeployment;
use super::undo_change::UndoChange;
use crate::changes::Changes;
use crate::model::change::Change;
use crate::model::plan::{Check, TemplateReference, TypeReference};

/// A type of change.
#[async_trait]
pub trait ChangeType: Send + Sync + 'static {
    /// `template_deployment`.
    fn name(&self) -> &'static str;

    /// Raised when the same inputs would be planned otherwise than before.
    fn version(&self) -> u32;

    /// JSON Schema 2020-12 of its inputs; texts that are secrets are marked ([`tool_runtime::secret_arguments::MARK`]).
    fn inputs(&self) -> Json;

    /// Whether inputs can be understood, before anything is written down. Error: `change_inputs_invalid`; it names members
    /// and never values.
    fn check_inputs(&self, inputs: &Json, device_ids: &[String]) -> Result<(), Error>;

    /// What each device gets. Called again after a failure: what it leaves on the target, it finds there.
    async fn draft(
        &self,
        changes: &Changes,
        change: &Change,
        inputs: &Json,
        ports: &PortClient,
    ) -> Result<PlanDraft, Error>;

    /// What must hold on a device afterwards, beside *live equals predicted*, which always comes first.
    fn checks(&self, platform: Platform) -> Vec<Check> {
        checks::usual(platform)
    }

    /// Name and version.
    fn reference(&self) -> TypeReference {
        TypeReference { name: self.name().to_owned(), version: self.version() }
    }
}

/// What a type would put on devices. It has no `Debug`: parameters may be secrets.
pub struct PlanDraft {
    /// What is deployed.
    pub template: TemplateReference,
    /// One for each device of the change, in its order.
    pub devices: Vec<DeviceDraft>,
}

/// What a type would put on one device.
pub struct DeviceDraft {
    /// The device.
    pub device_id: String,
    /// The version that carries the lines.
    pub carrier: Carrier,
    /// Its parameters.
    pub params: Map<String, Json>,
    /// Which of them are secrets, as far as anybody said so.
    pub secret: BTreeSet<String>,
    /// Parameters that were sealed before and are not opened here: those of a staged text.
    pub sealed: Option<ArtifactReference>,
}

/// All types.
pub const TYPES: &[&dyn ChangeType] = &[&TemplateDeployment, &UndoChange];

/// The type of this name. Error: `change_type_unknown`.
pub fn change_type(name: &str) -> Result<&'static dyn ChangeType, Error> {
    TYPES.iter().copied().find(|known| known.name() == name).ok_or_else(|| {
        let known: Vec<&str> = TYPES.iter().map(|known| known.name()).collect();
        Error::new(
            ErrorKind::InvalidInput,
            "change_type_unknown",
            format!("There is no such type of change. These are there: {}.", known.join(", ")),
        )
    })
}

/// The refusal of inputs, which says what is wrong and where, never with a value.
pub(super) fn inputs_invalid(what: impl Into<String>) -> Error {
    Error::new(ErrorKind::Conflict, "change_inputs_invalid", what)
}
