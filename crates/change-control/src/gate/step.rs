//! Whether the arguments of a call are those of the plan (T15): of the attempt that was announced, and of the step of the sealed
//! plan, which agrees with the public one, whose hash was approved.

use platform::policy::TargetFacts;
use platform::{Error, Json};
use tool_runtime::ports::config_changer::StepSpec;

use super::not_in_plan;
use super::verified::Verified;
use crate::changes::Changes;
use crate::model::attempt::{Attempt, Direction};
use crate::model::plan::DevicePlan;

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
    /// Whether a write is exactly the announced step of the plan. Errors: `not_in_plan`, `plan_altered`,
    /// those of the store of artifacts.
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
        // Opening it compares its steps with the public plan, whose hash was approved.
        let opened = self.open_plan(&verified.change, &self.ports(&verified.change, None)?).await?;
        let planned = opened.sealed_device(&device.device_id).and_then(|sealed| match attempt.direction {
            Direction::Forward => Some(&sealed.forward),
            Direction::Undo => sealed.undo.as_ref(),
        });
        if planned == Some(&step) { Ok(()) } else { Err(not_in_plan("the plan holds another step")) }
    }
}
