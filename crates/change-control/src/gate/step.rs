//! Whether the arguments of a call are those of the plan (T15): the attempt that was announced, the step of the sealed plan,
//! and what of it stands in the public plan, whose hash was approved.

use platform::policy::{Risk, TargetFacts};
use platform::{Error, Json};
use tool_runtime::ports::config_changer::{Carrier, StepSpec};

use super::not_in_plan;
use super::verified::Verified;
use crate::changes::Changes;
use crate::model::attempt::{Attempt, Direction};
use crate::model::plan::{DevicePlan, PlannedUndo, SealedPlan};

impl Verified {
    /// The plan of the device that a call names, if it is the device that the plan was made for. Error: `not_in_plan`.
    pub(super) fn device(&self, targets: &[TargetFacts]) -> Result<Option<&DevicePlan>, Error> {
        let Some(first) = targets.first() else { return Ok(None) };
        if targets.iter().any(|target| target.kind != "device" || target.id != first.id) {
            return Err(not_in_plan("a step is for one device"));
        }
        let planned = self.plan.devices.iter().find(|device| device.device_id == first.id);
        let ordered = self.plan.order.iter().flatten().any(|id| *id == first.id);
        let granted = self.grant.targets.contains(&first.id);
        let device = planned.filter(|_| ordered && granted).ok_or_else(|| not_in_plan("another device"))?;
        let sorted = |serials: &[String]| {
            let mut serials = serials.to_vec();
            serials.sort_unstable();
            serials
        };
        if sorted(&device.serials) != sorted(&first.serials) {
            return Err(not_in_plan("the device has other serial numbers than the one that was planned for"));
        }
        Ok(Some(device))
    }
}

impl Changes {
    /// Whether a write is exactly the announced step of the plan. Errors: `not_in_plan`, those of the sealed plan.
    pub(super) async fn is_planned(
        &self,
        verified: &Verified,
        device: &DevicePlan,
        attempt: &Attempt,
        arguments: &Json,
    ) -> Result<(), Error> {
        let step: StepSpec =
            serde_json::from_value(arguments.clone()).map_err(|_| not_in_plan("the arguments are no step"))?;
        if step != attempt.step {
            return Err(not_in_plan("the arguments are not those of the announced attempt"));
        }
        if step.device_id != device.device_id || step.change != verified.change.id.as_str() {
            return Err(not_in_plan("the step is of another device or change"));
        }
        if carrier(device, attempt.direction) != Some(&step.carrier) {
            return Err(not_in_plan("the step carries another version of a text"));
        }
        if attempt.direction == Direction::Forward && !shows(device, &step) {
            return Err(not_in_plan("the step has other parameters"));
        }
        let sealed = self.sealed_plan(verified).await?;
        let held = sealed.devices.iter().find(|sealed| sealed.device_id == device.device_id);
        let planned = held.and_then(|held| match attempt.direction {
            Direction::Forward => Some(&held.forward),
            Direction::Undo => held.undo.as_ref(),
        });
        if planned == Some(&step) { Ok(()) } else { Err(not_in_plan("the sealed plan holds another step")) }
    }

    async fn sealed_plan(&self, verified: &Verified) -> Result<SealedPlan, Error> {
        let plan = verified.change.plan.as_ref().ok_or_else(|| not_in_plan("there is no plan"))?;
        let bytes = self.ports(&verified.change, None)?.open(&plan.sealed).await?;
        serde_json::from_slice(&bytes).map_err(Error::internal)
    }
}

/// The version that the public plan has for this way.
fn carrier(device: &DevicePlan, direction: Direction) -> Option<&Carrier> {
    match (direction, &device.undo) {
        (Direction::Forward, _) => Some(&device.carrier),
        (Direction::Undo, PlannedUndo::Generated { carrier, .. }) => Some(carrier),
        (Direction::Undo, PlannedUndo::None { .. }) => None,
    }
}

/// Whether a forward step has the parameters of the public plan: those that anybody may see are equal, and those that stand
/// there masked come with the sealed ones.
fn shows(device: &DevicePlan, step: &StepSpec) -> bool {
    let masked = |value: &Json| value.get("commitment").is_some() && value.get("masked").is_some();
    let known = step.params.iter().all(|(name, value)| device.params.get(name) == Some(value));
    let complete = device
        .params
        .iter()
        .all(|(name, value)| step.params.contains_key(name) || (masked(value) && step.secrets.is_some()));
    known && complete
}

/// The class of a call on a device: what the plan says of a step that writes forward, and the tool's own of everything else.
pub(super) fn risk(tool: Risk, device: Option<&DevicePlan>, writes_forward: bool) -> Risk {
    match device {
        Some(device) if writes_forward => tool.max(device.risk),
        _ => tool,
    }
}
