//! Render, apply, poll. A step is one committed version, by its id, on one device; it is always forced, because what the
//! controller believes the device to hold is not what the device holds.

use std::time::Duration;

use async_trait::async_trait;
use http::Method;
use platform::artifacts::ArtifactKind;
use platform::{Error, ErrorKind, Json};
use serde_json::{Map, json};
use tool_runtime::ports::ConfigChanger;
use tool_runtime::ports::config_changer::{
    Handle, OpenIntent, Polled, Progress, SavedStartup, SealedLines, Settled, Staged, StepSpec,
};
use tool_runtime::{ArtifactReference, ToolCx};

use super::{CenterPorts, reconcile, staging};
use crate::vendor::deployments::{self, End, Order, TaskState, task_state, told};
use crate::vendor::tasks;
use crate::vendor::templates::{self, RESERVED, VendorTemplate, VendorVersion};

/// The request of `apply` may live 45 s; the vendor's services give each other up to five minutes before one gives up, and
/// until then a request that it has accepted can still become a task.
pub(super) const SETTLE: Duration = Duration::from_secs(45 + 300);

#[async_trait]
impl ConfigChanger for CenterPorts {
    fn settle_time(&self) -> Duration {
        SETTLE
    }

    async fn render(&self, cx: &ToolCx, step: &StepSpec) -> Result<SealedLines, Error> {
        self.carrier(cx, step).await?;
        let params = params_of(cx, step).await?;
        let version = &step.carrier.version_id;
        let preview = templates::preview(&self.api, cx, version, &step.device_id, &params).await?;
        // A release that knows templates only, and no versions, would render the latest or the draft.
        if preview.template_id.as_deref() != Some(version) {
            return Err(Error::new(
                ErrorKind::Upstream,
                "render_other_version",
                "Catalyst Center rendered another version than the one that was asked for. A step cannot be planned on it.",
            ));
        }
        let errors = preview.errors();
        if let (Some(lines), true) = (preview.lines(), errors.is_empty()) {
            return sealed(cx, lines).await;
        }
        // The vendor's words may quote a value; the names of the parameters stand in front of them.
        let names: Vec<&str> = errors.iter().filter_map(|e| e.split_once(':')).map(|(name, _)| name).collect();
        let message = "Catalyst Center cannot render this version with these parameters. Correct the parameters.";
        Err(Error::new(ErrorKind::InvalidInput, "render_refused", message).with_details(json!({ "parameters": names })))
    }

    async fn stage(&self, cx: &ToolCx, change: &str, device_id: &str, lines: &SealedLines) -> Result<Staged, Error> {
        staging::stage(self, cx, change, device_id, lines).await
    }

    async fn apply(&self, cx: &ToolCx, step: &StepSpec) -> Result<Handle, Error> {
        if let Some(journal) = &cx.journal {
            journal.preparing();
        }
        let (template, _) = self.carrier(cx, step).await?;
        let params = params_of(cx, step).await?;
        let order = Order {
            template_id: &step.carrier.template_id,
            version_id: &step.carrier.version_id,
            composite: template.composite,
            device_id: &step.device_id,
            params: &params,
            force: true,
        };
        let task_id = deployments::start(&self.api, cx, &order).await?;
        Ok(Handle { task_id, deployment_id: None })
    }

    async fn poll(&self, cx: &ToolCx, device_id: &str, handle: &Handle) -> Result<Polled, Error> {
        let mut handle = handle.clone();
        if handle.deployment_id.is_none() {
            let progress = match task_state(&tasks::read(&self.api, cx, &handle.task_id).await?) {
                TaskState::Deploying(id) => {
                    handle.deployment_id = Some(id);
                    None
                }
                TaskState::Running => Some(Progress::Running),
                TaskState::Needless(said) => Some(Progress::Succeeded { message: told(Some(&said)) }),
                TaskState::Failed(said) => Some(Progress::Failed { message: told(Some(&said)) }),
            };
            if let Some(progress) = progress {
                return Ok(Polled { handle, progress });
            }
        }
        let deployment_id = handle.deployment_id.as_deref().unwrap_or_default();
        let found = deployments::read(&self.api, cx, deployment_id).await?;
        let device = found.devices.iter().find(|d| d.device_id.as_deref() == Some(device_id));
        let said = device.and_then(|d| d.detailed_status_message.as_deref());
        let message = told(said.filter(|m| !m.is_empty()).or(found.status_message.as_deref()));
        let progress = match found.end() {
            None => Progress::Running,
            // A deployment that does not name the device has done nothing for it.
            Some(End::Success) if device.is_some() => Progress::Succeeded { message },
            Some(_) => Progress::Failed { message },
        };
        Ok(Polled { handle, progress })
    }

    async fn reconcile(&self, cx: &ToolCx, intent: &OpenIntent) -> Result<Settled, Error> {
        reconcile::reconcile(self, cx, intent).await
    }

    async fn save_startup(&self, cx: &ToolCx, device_id: &str) -> Result<SavedStartup, Error> {
        const WRITE_MEMORY: &str = "/dna/intent/api/v1/network-device-config/write-memory";
        let task = tasks::start(&self.api, cx, Method::POST, WRITE_MEMORY, &json!({"deviceId": [device_id]})).await?;
        tasks::succeed(&self.api, cx, &task).await?;
        Ok(SavedStartup { device_id: device_id.to_owned() })
    }
}

impl CenterPorts {
    /// The template of a step and the number of its version, which must be committed, and free or staged for this change.
    pub(super) async fn carrier(&self, cx: &ToolCx, step: &StepSpec) -> Result<(VendorTemplate, Option<u64>), Error> {
        let template = templates::versions(&self.api, cx, &step.carrier.template_id).await?;
        let project = template.project_name.as_deref();
        if templates::is_reserved(project) && project != Some(&*project_of(&step.change)) {
            return Err(templates::reserved());
        }
        let version = template.versions_info.iter().find(|version| version.id == step.carrier.version_id);
        let number = version.map(VendorVersion::number).ok_or_else(version_unknown)?;
        Ok((template, number))
    }
}

pub(super) fn version_unknown() -> Error {
    Error::new(
        ErrorKind::NotFound,
        "template_version_unknown",
        "This template has no committed version with this id. Plan the step again on a version that it has.",
    )
}

/// The project that is reserved for a change.
pub(super) fn project_of(change: &str) -> String {
    format!("{RESERVED}{change}")
}

/// The values of a step, the sealed ones among them.
async fn params_of(cx: &ToolCx, step: &StepSpec) -> Result<Map<String, Json>, Error> {
    let mut params = step.params.clone();
    if let Some(secrets) = &step.secrets {
        params.extend(opened(cx, secrets).await?);
    }
    Ok(params)
}

async fn opened(cx: &ToolCx, secrets: &ArtifactReference) -> Result<Map<String, Json>, Error> {
    let bytes = cx.artifacts.open_unmasked(&secrets.id).await?;
    // Serde's own message would repeat what it stumbled over.
    serde_json::from_slice(&bytes).map_err(|_| Error::internal("sealed values are no object"))
}

/// Keeps lines where nobody reads them.
async fn sealed(cx: &ToolCx, lines: &str) -> Result<SealedLines, Error> {
    let artifact = cx.artifacts.put_sealed_unmasked(ArtifactKind::Plan, "text/plain", lines.as_bytes()).await?;
    Ok(SealedLines { artifact, sha256: hex::encode(platform::canonical::sha256(lines.as_bytes())) })
}
