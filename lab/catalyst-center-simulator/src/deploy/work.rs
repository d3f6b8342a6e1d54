//! Carrying an order out: rendering for each device, giving it the lines, and keeping what became of it.
//!
//! Where next: `world::World::apply` for what devices do with the lines, [`crate::effects`] for how a test bends them.

use std::sync::Arc;

use serde_json::Value;
use uuid::Uuid;
use world::{Applied, Device, Reachability, Unusable};

use super::order::Order;
use super::{Deployment, SPACE, Target, announcement, keep};
use crate::effects::Origin;
use crate::reply::Fail;
use crate::simulator::Simulator;
use crate::templates::{render, text, values};

/// Closes what a killed process left open: the controller's services restart too, and say so.
pub(crate) fn close_interrupted(simulator: &Arc<Simulator>) -> platform::Result<()> {
    for (_, value) in simulator.world.documents(SPACE) {
        let Ok(mut deployment) = serde_json::from_value::<Deployment>(value) else { continue };
        if deployment.end_ms.is_none() {
            deployment.finish(
                simulator.now_ms(),
                Some("NCTP10099: The template service was restarted during the deployment"),
            );
            keep(simulator, &deployment).map_err(|fail| platform::Error::internal(format!("{fail:?}")))?;
        }
    }
    for task in simulator.all_tasks().into_iter().filter(|task| task.end_ms.is_none()) {
        let reason = "NCTP10099: The service was restarted while the task was running".to_owned();
        simulator.end_task_logged(task.id, &task.progress, None, Some(reason));
    }
    Ok(())
}

impl Deployment {
    fn finish(&mut self, now: i64, interruption: Option<&str>) {
        for target in self.targets.iter_mut().filter(|target| target.end_ms.is_none()) {
            target.end_ms = Some(now);
            if let Some(reason) = interruption {
                "FAILURE".clone_into(&mut target.status);
                reason.clone_into(&mut target.message);
            }
        }
        let failed = self.targets.iter().filter(|target| target.status == "FAILURE").count();
        self.end_ms = Some(now);
        if failed == 0 {
            "SUCCESS".clone_into(&mut self.status);
            "Template deployed successfully".clone_into(&mut self.message);
        } else {
            "FAILURE".clone_into(&mut self.status);
            self.message = format!("Template deployment failed on {failed} of {} devices", self.targets.len());
        }
    }
}

impl Simulator {
    pub(super) async fn carry_out(
        self: Arc<Self>,
        order: Order,
        mut deployment: Deployment,
        task: Option<Uuid>,
        origin: Origin,
    ) {
        if let Err(fail) = self.try_carry_out(&order, &mut deployment, task, &origin).await {
            tracing::warn!(?fail, "a deployment could not be kept");
        }
    }

    async fn try_carry_out(
        &self,
        order: &Order,
        deployment: &mut Deployment,
        task: Option<Uuid>,
        origin: &Origin,
    ) -> Result<(), Fail> {
        self.pause(self.pace().start_ms).await;
        let progress = announcement(order, deployment);
        if let Some(task) = task {
            self.advance_task(task, &progress)?;
        }
        "IN_PROGRESS".clone_into(&mut deployment.status);
        for target in &mut deployment.targets {
            "IN_PROGRESS".clone_into(&mut target.status);
        }
        keep(self, deployment)?;
        let span = self.pace().most_ms.saturating_sub(self.pace().least_ms).max(1);
        let spread = u64::try_from(deployment.id.as_u128() % u128::from(span)).unwrap_or(0);
        self.pause(self.pace().least_ms + spread).await;
        for at in 0..deployment.targets.len() {
            let Some(target) = deployment.targets.get_mut(at) else { break };
            let outcome = self.deploy_to(order, target, deployment.id, origin);
            target.end_ms = Some(self.now_ms());
            match outcome {
                Ok(()) => {
                    "SUCCESS".clone_into(&mut target.status);
                    "Template deployed successfully on device".clone_into(&mut target.message);
                    let key = format!("{}/{}", target.device, target.version);
                    self.world.put_document("deployed", &key, Value::Object(target.params.clone()))?;
                }
                Err(message) => {
                    "FAILURE".clone_into(&mut target.status);
                    target.message = message;
                }
            }
            keep(self, deployment)?;
        }
        deployment.finish(self.now_ms(), None);
        keep(self, deployment)?;
        if let Some(task) = task {
            let reason = deployment
                .targets
                .iter()
                .find(|target| target.status == "FAILURE")
                .map(|target| target.message.clone());
            let told = match &reason {
                Some(reason) => format!("{progress} | failureReason: {reason}"),
                None => progress,
            };
            self.end_task(task, &told, Some(deployment.id.to_string()), reason)?;
        }
        Ok(())
    }

    /// Renders for one device and gives it the lines; the error is the detailed status message.
    fn deploy_to(&self, order: &Order, target: &Target, deployment: Uuid, origin: &Origin) -> Result<(), String> {
        let gone = || "NCTP10020: Device is no longer in the inventory".to_owned();
        let device = self.world.device(target.device).ok_or_else(gone)?;
        let version = order.versions.get(&target.version).ok_or_else(gone)?;
        let scope = values(&version.body, &target.params).map_err(|missing| {
            format!("NCTP10011: Template parameters are missing or invalid: {}", missing.join(", "))
        })?;
        let rendered = render::render(text(&version.body, "language"), text(&version.body, "templateContent"), &scope);
        let effects = self.effects(origin, device);
        let applied = self.world.apply(device, &rendered, effects.bend).map_err(|error| match error {
            Unusable::Unreachable if self.world.reachability(device) == Reachability::PingReachable => format!(
                "NCTP10050: Failed to deploy the template on {}: SSH connection to the device was closed by the remote host", target.address
            ),
            Unusable::Unreachable => format!(
                "NCTP10051: Failed to connect to the device {}: connection timed out. Verify that the device is reachable and managed", target.address
            ),
            Unusable::NotConfigurable => "NCTP10052: The device does not support template deployment".to_owned(),
            Unusable::State(error) => format!("NCTP10000: {error}"),
        })?;
        self.record_applied(device, &applied, deployment, origin).map_err(|error| format!("NCTP10000: {error}"))?;
        let failed = |error: platform::Error| format!("NCTP10000: {error}");
        self.settle(device, effects).map_err(failed)?;
        let complaint = effects.told(applied.error);
        if order.save && complaint.is_none() {
            self.world.save(device).map_err(failed)?;
        }
        match complaint {
            None => Ok(()),
            Some(error) => Err(format!(
                "NCTP10053: Error occurred while deploying the template on the device. CLI command failed: {error}"
            )),
        }
    }

    fn record_applied(
        &self,
        device: &Device,
        applied: &Applied,
        deployment: Uuid,
        origin: &Origin,
    ) -> std::io::Result<()> {
        let lines = applied.lines.iter().map(|line| line.line.clone()).collect();
        self.record(origin, device, "config", lines, Some(deployment))?;
        let commands = applied.exec.iter().map(|(command, _)| command.clone()).collect();
        self.record(origin, device, "exec", commands, Some(deployment))
    }
}
