//! The type `undo_change`: the undo texts of a change that is over, as a change of their own (T19). It passes every gate
//! again, and it is planned on what the devices are now: what others have changed since stands in its prediction.

use std::collections::BTreeSet;

use async_trait::async_trait;
use platform::canonical::sha256;
use platform::{Error, ErrorKind, Json};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, json};
use tool_runtime::ports::PortClient;
use tool_runtime::ports::config_changer::SealedLines;
use tool_runtime::tool::schema_of;

use super::change_type::{ChangeType, DeviceDraft, PlanDraft, inputs_invalid};
use crate::changes::Changes;
use crate::model::change::Change;
use crate::model::plan::TemplateReference;

/// The type.
pub struct UndoChange;

/// The name of the type.
pub const NAME: &str = "undo_change";

/// It asks for nothing: what is undone stands in the change.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Inputs {}

#[async_trait]
impl ChangeType for UndoChange {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> u32 {
        1
    }

    fn inputs(&self) -> Json {
        schema_of::<Inputs>()
    }

    fn check_inputs(&self, inputs: &Json, _: &[String]) -> Result<(), Error> {
        let read: Result<Inputs, _> = serde_json::from_value(inputs.clone());
        read.map(drop).map_err(|_| inputs_invalid("An undo has no inputs: what is undone stands in the change."))
    }

    async fn draft(
        &self,
        changes: &Changes,
        change: &Change,
        _: &Json,
        ports: &PortClient,
    ) -> Result<PlanDraft, Error> {
        let undone =
            change.undoes.as_ref().ok_or_else(|| inputs_invalid("No change is named that is to be undone."))?;
        let undone = changes.book().get(undone).await?.change;
        let plan = changes.open_plan(&undone, ports).await?;
        let mut devices = Vec::new();
        for device_id in &change.device_ids {
            let text = plan.sealed_device(device_id).and_then(|device| device.undo_lines.as_ref());
            let artifact = text.ok_or_else(|| not_undoable(device_id))?.clone();
            let bytes = ports.open(&artifact).await?;
            let lines = SealedLines { artifact, sha256: hex::encode(sha256(&bytes)) };
            let staged = ports.stage(change.id.as_str(), device_id, &lines).await?;
            devices.push(DeviceDraft {
                device_id: device_id.clone(),
                carrier: staged.carrier,
                params: Map::new(),
                secret: BTreeSet::new(),
                sealed: staged.secrets,
            });
        }
        let template = plan.public.template;
        let template = TemplateReference { name: format!("undo of {}", template.name), newest: false, ..template };
        Ok(PlanDraft { template, devices })
    }
}

fn not_undoable(device_id: &str) -> Error {
    refused("The plan of that change has no undo for this device. Plan a change that mends it.")
        .with_details(json!({ "device_id": device_id }))
}

/// The refusal to undo a change that has left nothing on any device.
pub(super) fn nothing_to_undo() -> Error {
    refused("That change has left nothing on its devices that could be taken back.")
}

fn refused(why: &'static str) -> Error {
    Error::new(ErrorKind::Conflict, "change_not_undoable", why)
}
