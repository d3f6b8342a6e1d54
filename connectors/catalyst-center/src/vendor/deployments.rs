//! Deployments of template versions: the one write to devices that this controller takes. The vendor's handle (its task) is
//! written down before the first poll (T20); the task names the deployment, and the deployment tells the rest.

use http::Method;
use platform::failpoint::reach;
use platform::http::Request;
use platform::{Error, Json};
use serde::Deserialize;
use serde_json::{Map, json};
use tool_runtime::ToolCx;
use tool_runtime::ports::config_changer::Handle;

use super::tasks::{self, Task};
use crate::client::{Api, segment};

const DEPLOY: &str = "/dna/intent/api/v2/template-programmer/template/deploy";
/// What the vendor's progress text says when it sends nothing, because the device has it already.
const ALREADY: &str = "already deployed";
/// Where the vendor's progress text names the deployment; the typo is the vendor's.
const MARK: &str = "Template Deployemnt Id:";

/// What is to be deployed.
pub(crate) struct Order<'a> {
    pub(crate) template_id: &'a str,
    /// A committed version, by its own id.
    pub(crate) version_id: &'a str,
    pub(crate) composite: bool,
    pub(crate) device_id: &'a str,
    pub(crate) params: &'a Map<String, Json>,
    /// Also where the device has this version with these values already, as the controller believes.
    pub(crate) force: bool,
}

/// Starts a deployment and writes the vendor's handle down; its task's id. What came before it was preparation.
pub(crate) async fn start(api: &Api, cx: &ToolCx, order: &Order<'_>) -> Result<String, Error> {
    let target = json!({
        "type": "MANAGED_DEVICE_UUID",
        "id": order.device_id,
        "params": order.params,
        "versionedTemplateId": order.version_id,
    });
    let body = json!({
        "templateId": order.version_id,
        "mainTemplateId": order.template_id,
        "forcePushTemplate": order.force,
        "isComposite": order.composite,
        "targetInfo": [target],
    });
    let request = Request::new(Method::POST, DEPLOY, cx.deadline).json(&body)?;
    if let Some(journal) = &cx.journal {
        journal.sending();
    }
    let task_id = tasks::started(&api.request(cx, request).await?)?;
    reach("apply.replied");
    if let Some(journal) = &cx.journal {
        let handle = Handle { task_id: task_id.clone(), deployment_id: None };
        journal.started(serde_json::to_value(handle).map_err(Error::internal)?).await?;
    }
    Ok(task_id)
}

/// What a task has to say of its deployment.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum TaskState {
    Running,
    /// It names the deployment, which tells the rest.
    Deploying(String),
    /// Nothing was to be done.
    Needless(String),
    Failed(String),
}

/// Reads it.
pub(crate) fn task_state(task: &Task) -> TaskState {
    let text = task.progress.as_deref().unwrap_or_default();
    match deployment_of(task) {
        Some(id) => TaskState::Deploying(id.to_owned()),
        None if task.is_error => TaskState::Failed(task.words().to_owned()),
        None if task.has_ended() && text.contains(ALREADY) => TaskState::Needless(text.to_owned()),
        None if task.has_ended() => TaskState::Failed(text.to_owned()),
        None => TaskState::Running,
    }
}

/// The deployment that a task names.
pub(crate) fn deployment_of(task: &Task) -> Option<&str> {
    let (_, rest) = task.progress.as_deref()?.split_once(MARK)?;
    rest.trim().split([' ', '|', ',']).next().filter(|id| !id.is_empty())
}

/// A deployment.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VendorDeployment {
    pub(crate) status: Option<String>,
    pub(crate) status_message: Option<String>,
    pub(crate) template_name: Option<String>,
    /// A number, as text.
    pub(crate) template_version: Option<Json>,
    pub(crate) project_name: Option<String>,
    #[serde(default)]
    pub(crate) devices: Vec<VendorDeviceDeployment>,
}

/// One device of it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VendorDeviceDeployment {
    pub(crate) device_id: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) status: Option<String>,
    pub(crate) detailed_status_message: Option<String>,
}

/// How a deployment ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Success,
    Failure,
}

impl VendorDeployment {
    /// Its end, once it has come. A success of the whole with a device that failed is no success.
    pub(crate) fn end(&self) -> Option<End> {
        let failed = |d: &VendorDeviceDeployment| d.status.as_deref().is_some_and(|s| s.contains("FAIL"));
        match self.status.as_deref() {
            Some("SUCCESS") if !self.devices.iter().any(failed) => Some(End::Success),
            Some("SUCCESS" | "FAILURE") => Some(End::Failure),
            _ => None,
        }
    }
}

/// Reads a deployment.
pub(crate) async fn read(api: &Api, cx: &ToolCx, deployment_id: &str) -> Result<VendorDeployment, Error> {
    let id = segment(deployment_id)?;
    api.get(cx, &format!("/dna/intent/api/v1/template-programmer/template/deploy/status/{id}")).await
}

/// The vendor's words, without the secrets of a configuration line that they may quote.
pub(crate) fn told(message: Option<&str>) -> Option<String> {
    let message = message.filter(|m| !m.is_empty())?;
    Some(device_config::mask(device_config::Platform::IosXe, message).text)
}
