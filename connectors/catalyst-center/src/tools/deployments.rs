//! Deployment of a template, and following it. A deployment that takes longer than a moment goes on by itself and is
//! followed with `get_deployment`. What is sent and how it is read stands in `vendor::deployments`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use platform::{Error, Json};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};
use tool_runtime::combinators::{Poll, poll_until, single_followed};
use tool_runtime::tool::parse_arguments;
use tool_runtime::{FollowUp, SideEffect, Tool, ToolCx, ToolOutput, ToolSpec};

use super::devices::DEVICE;
use super::work::{GRACE, Status, WAIT};
use crate::client::Api;
use crate::vendor;
use crate::vendor::deployments::{End, Order, TaskState, task_state, told};
use crate::vendor::tasks;
use crate::vendor::templates::{open_to_all, versions};

#[derive(Deserialize, JsonSchema)]
struct DeployTemplate {
    /// Catalyst Center's id of the template, from `get_all_templates`.
    #[schemars(length(min = 1, max = 64))]
    template_id: String,
    /// Catalyst Center's id of the device, from `list_devices`.
    #[schemars(length(min = 1, max = 64))]
    device_id: String,
    /// Values of the template's parameters.
    #[serde(default)]
    params: Map<String, Json>,
    /// Deploy again although the device has this version with the same parameters already.
    #[serde(default)]
    force: bool,
}

/// What became of a deployment.
#[derive(Serialize, JsonSchema)]
struct Deployment {
    /// `success`, `failure`, or `in_progress`: then follow it with `get_deployment`.
    status: Status,
    /// Template, where it is known.
    template_id: Option<String>,
    /// Device, where it is known.
    device_id: Option<String>,
    /// Handle for `get_deployment`.
    deployment_id: Option<String>,
    /// What Catalyst Center says about it.
    message: Option<String>,
    /// One entry per device.
    devices: Vec<DeviceDeployment>,
}

/// One device of a deployment.
#[derive(Serialize, JsonSchema)]
struct DeviceDeployment {
    /// Device.
    device_id: Option<String>,
    /// Host name.
    name: Option<String>,
    /// The vendor's status, for example `SUCCESS`.
    status: Option<String>,
    /// What the device or Catalyst Center says.
    message: Option<String>,
}

struct Deploy {
    spec: ToolSpec,
    api: Arc<Api>,
}

pub(super) fn deploy_template(api: &Arc<Api>) -> Arc<dyn Tool> {
    let spec = ToolSpec::new::<DeployTemplate, Deployment>("deploy_template", "Deploy a template",
        "Deploys the latest committed version of a template to one device. Look at `preview_template` first. Answers within \
         seconds: with the result, or `in_progress` and a `deployment_id` to follow with `get_deployment`.")
    .targets(DEVICE)
    .effect(SideEffect::Discoverable)
    .timeout(Duration::from_secs(45))
    .example(json!({"template_id": "…", "device_id": "…", "params": {"vlan_id": 120, "vlan_name": "GUESTS"}}));
    Arc::new(Deploy { spec, api: Arc::clone(api) })
}

#[async_trait]
impl Tool for Deploy {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    async fn call(&self, cx: ToolCx, arguments: Json) -> Result<ToolOutput, Error> {
        let args: DeployTemplate = parse_arguments(arguments)?;
        let task_id = start(&self.api, &cx, &args).await?;
        let until = (Instant::now() + WAIT).min(cx.deadline);
        let followed = tokio::time::timeout_at((until + GRACE).into(), follow(&self.api, &cx, &task_id, until)).await;
        let (deployment_id, mut seen) = match followed {
            Ok(Ok(found)) => found,
            // It was accepted, so it goes on whatever its polls answer; and the handle is what the caller needs.
            Ok(Err(error)) => {
                tracing::warn!(
                    http.request.id = %cx.call.request_id,
                    error.code = error.code(),
                    error.message = error.detail(),
                    "a started deployment cannot be followed"
                );
                (None, plain(Status::InProgress, UNFOLLOWED))
            }
            Err(_elapsed) => (None, plain(Status::InProgress, UNFOLLOWED)),
        };
        seen.template_id = Some(args.template_id);
        seen.device_id = Some(args.device_id);
        let handle = deployment_id.unwrap_or(format!("task:{task_id}"));
        seen.deployment_id = Some(handle.clone());
        let running = matches!(seen.status, Status::InProgress);
        let mut output = ToolOutput::of(&seen)?;
        output.follow_up = running.then(|| follow_up(&handle));
        Ok(output)
    }
}

/// What is said of a deployment that was accepted and cannot be watched at the moment.
const UNFOLLOWED: &str = "Catalyst Center accepted the deployment and does not say at the moment how it goes.";

/// Starts the deployment of the latest committed version.
async fn start(api: &Api, cx: &ToolCx, args: &DeployTemplate) -> Result<String, Error> {
    if let Some(journal) = &cx.journal {
        journal.preparing();
    }
    let template = versions(api, cx, &args.template_id).await?;
    open_to_all(template.project_name.as_deref())?;
    let version = template.latest_committed()?;
    let order = Order {
        template_id: &args.template_id,
        version_id: &version.id,
        composite: template.composite,
        device_id: &args.device_id,
        params: &args.params,
        force: args.force,
    };
    vendor::deployments::start(api, cx, &order).await
}

/// Polls the task until it names the deployment, then the deployment until it ends.
async fn follow(api: &Api, cx: &ToolCx, task_id: &str, until: Instant) -> Result<(Option<String>, Deployment), Error> {
    let task = poll_until(until, || async {
        Ok(match task_state(&tasks::read(api, cx, task_id).await?) {
            TaskState::Running => Poll::Pending(TaskState::Running),
            other => Poll::Ready(other),
        })
    })
    .await?;
    let (Poll::Ready(state) | Poll::Pending(state)) = task;
    match state {
        TaskState::Deploying(id) => {
            let seen = poll_until(until, || status(api, cx, &id)).await?;
            let (Poll::Ready(deployment) | Poll::Pending(deployment)) = seen;
            Ok((Some(id), deployment))
        }
        TaskState::Needless(what) => Ok((None, plain(Status::Success, &what))),
        TaskState::Failed(why) => Ok((None, plain(Status::Failure, &why))),
        TaskState::Running => Ok((None, plain(Status::InProgress, "Catalyst Center has not begun yet."))),
    }
}

fn plain(status: Status, message: &str) -> Deployment {
    let message = told(Some(message));
    Deployment { status, template_id: None, device_id: None, deployment_id: None, message, devices: Vec::new() }
}

async fn status(api: &Api, cx: &ToolCx, deployment_id: &str) -> Result<Poll<Deployment>, Error> {
    let found = vendor::deployments::read(api, cx, deployment_id).await?;
    let status = match found.end() {
        Some(End::Success) => Status::Success,
        Some(End::Failure) => Status::Failure,
        None => Status::InProgress,
    };
    let running = matches!(status, Status::InProgress);
    let deployment = Deployment {
        status,
        template_id: None,
        device_id: None,
        deployment_id: Some(deployment_id.to_owned()),
        message: told(found.status_message.as_deref()),
        devices: found
            .devices
            .into_iter()
            .map(|d| DeviceDeployment {
                message: told(d.detailed_status_message.as_deref()),
                device_id: d.device_id,
                name: d.name,
                status: d.status,
            })
            .collect(),
    };
    Ok(if running { Poll::Pending(deployment) } else { Poll::Ready(deployment) })
}

#[derive(Deserialize, JsonSchema)]
struct GetDeployment {
    /// `deployment_id` of `deploy_template`.
    #[schemars(length(min = 1, max = 80))]
    deployment_id: String,
    /// Wait up to this many seconds for the end.
    #[serde(default)]
    #[schemars(range(max = 25))]
    wait_s: u64,
}

pub(super) fn get_deployment(api: &Arc<Api>) -> Arc<dyn Tool> {
    let spec = ToolSpec::new::<GetDeployment, Deployment>(
        "get_deployment",
        "Get a deployment",
        "Shows what became of a deployment; waits up to `wait_s` seconds for its end.",
    )
    .timeout(Duration::from_secs(40))
    .example(json!({"deployment_id": "…", "wait_s": 20}));
    single_followed(api, spec, |api, cx, args: GetDeployment| async move {
        let seen = get(&api, &cx, &args).await?;
        let handle = seen.deployment_id.as_deref().unwrap_or(&args.deployment_id);
        let follow_up = matches!(seen.status, Status::InProgress).then(|| follow_up(handle));
        Ok((seen, follow_up))
    })
}

async fn get(api: &Api, cx: &ToolCx, args: &GetDeployment) -> Result<Deployment, Error> {
    let until = (Instant::now() + Duration::from_secs(args.wait_s)).min(cx.deadline);
    if let Some(task_id) = args.deployment_id.strip_prefix("task:") {
        let (id, mut seen) = follow(api, cx, task_id, until).await?;
        seen.deployment_id = Some(id.unwrap_or_else(|| args.deployment_id.clone()));
        return Ok(seen);
    }
    let (Poll::Ready(seen) | Poll::Pending(seen)) = poll_until(until, || status(api, cx, &args.deployment_id)).await?;
    Ok(seen)
}

/// The call that tells how a deployment goes on.
fn follow_up(handle: &str) -> FollowUp {
    FollowUp { tool: "get_deployment".into(), arguments: json!({"deployment_id": handle, "wait_s": 20}) }
}
