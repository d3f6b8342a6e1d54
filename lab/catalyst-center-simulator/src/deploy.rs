//! Template deployments: accepted at once, carried out in the background, visible as task and deployment, and merged into
//! the running configuration of each device.
//!
//! Where next: `world::World::apply` for what devices do with the lines, `world::faults` for how a test bends them.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;
use world::{Applied, Bend, Device, DeviceCommand, Fault, Occasion, Reachability, Unusable};

use crate::devices::{names, time_text};
use crate::reply::{Answer, Fail, accepted, bare};
use crate::simulator::{Shared, Simulator};
use crate::templates::{Template, Version, render, text, values};

const SPACE: &str = "deployment";
const V1: &str = "/dna/intent/api/v1/template-programmer/template/deploy";
const V2: &str = "/dna/intent/api/v2/template-programmer/template/deploy";

/// One target of a deployment.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Target {
    device: Uuid,
    name: String,
    address: String,
    status: String,
    message: String,
    #[serde(default)]
    start_ms: i64,
    #[serde(default)]
    end_ms: Option<i64>,
    target_type: String,
    params: Map<String, Value>,
    version: Uuid,
}

/// A deployment.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Deployment {
    id: Uuid,
    template: Uuid,
    template_name: String,
    version: u32,
    project: String,
    status: String,
    message: String,
    start_ms: i64,
    end_ms: Option<i64>,
    targets: Vec<Target>,
    #[serde(default)]
    task: Option<Uuid>,
}

impl Deployment {
    fn row(&self) -> Value {
        let devices: Vec<Value> = self
            .targets
            .iter()
            .map(|target| {
                json!({
                    "deviceId": target.device, "name": target.name, "ipAddress": target.address, "status": target.status,
                    "detailedStatusMessage": target.message, "identifier": target.device, "targetType": target.target_type,
                    "startTime": time_text(target.start_ms), "endTime": target.end_ms.map(time_text),
                    "duration": duration(target.start_ms, target.end_ms),
                })
            })
            .collect();
        json!({
            "deploymentId": self.id, "deploymentName": format!("TemplateDeployer{}", self.start_ms),
            "templateName": self.template_name, "templateVersion": self.version.to_string(), "projectName": self.project,
            "status": self.status, "statusMessage": self.message, "startTime": time_text(self.start_ms),
            "endTime": self.end_ms.map(time_text), "duration": duration(self.start_ms, self.end_ms), "devices": devices,
        })
    }
}

fn duration(start_ms: i64, end_ms: Option<i64>) -> Value {
    end_ms.map_or(Value::Null, |end| Value::from(format!("{:.3} seconds", (end - start_ms) as f64 / 1000.0)))
}

/// What a request asks for, after validation.
struct Order {
    template: Template,
    targets: Vec<Target>,
    versions: BTreeMap<Uuid, Version>,
    force: bool,
    save: bool,
}

/// Where the order came from, for faults and the record.
struct Origin {
    path: &'static str,
    headers: BTreeMap<String, String>,
}

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route(V1, post(deploy_v1))
        .route(V2, post(deploy_v2))
        .route("/dna/intent/api/v1/template-programmer/template/deploy/status/{id}", get(status))
}

/// The headers that name a caller.
pub(crate) fn caller(headers: &HeaderMap) -> BTreeMap<String, String> {
    ["x-caller-id", "user-agent", "x-request-id", "traceparent"]
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), headers.get(*name)?.to_str().ok()?.to_owned())))
        .collect()
}

fn read(simulator: &Simulator, body: &Bytes) -> Result<Order, Fail> {
    let body: Map<String, Value> = serde_json::from_slice(body)
        .map_err(|error| Fail::bad(format!("Request body is not a valid JSON object: {error}")))?;
    let id = text(&body, "templateId");
    if id.is_empty() {
        return Err(Fail::bad("templateId is required"));
    }
    let (template, default) = simulator
        .template_or_version(id)
        .ok_or_else(|| Fail::missing(format!("NCTP11002: Template not found: {id}")))?;
    let flag = |key: &str| body.get(key).and_then(Value::as_bool).unwrap_or(false);
    let mut versions = BTreeMap::new();
    let mut targets = Vec::new();
    for wanted in body.get("targetInfo").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object) {
        let target_type = text(wanted, "type");
        let device = device_of(simulator, target_type, text(wanted, "id"), text(wanted, "hostName"))?;
        let version = match text(wanted, "versionedTemplateId") {
            "" => default.clone(),
            other => template.versions.iter().find(|version| version.id.to_string() == other).cloned(),
        };
        let version = version.ok_or_else(|| {
            let name = text(&template.body, "name");
            Fail::bad(format!(
                "NCTP10025: Template {name} has no committed version with this id; commit it before it is deployed"
            ))
        })?;
        targets.push(Target {
            device: device.id,
            name: simulator.world.hostname(device),
            address: device.management_ip.to_string(),
            status: "INIT".to_owned(),
            message: String::new(),
            start_ms: simulator.now_ms(),
            end_ms: None,
            target_type: target_type.to_owned(),
            params: wanted.get("params").and_then(Value::as_object).cloned().unwrap_or_default(),
            version: version.id,
        });
        versions.insert(version.id, version);
    }
    if targets.is_empty() {
        return Err(Fail::bad("NCTP10028: No device data found in the request to deploy the template"));
    }
    Ok(Order { template, targets, versions, force: flag("forcePushTemplate"), save: flag("copyingConfig") })
}

fn device_of<'a>(simulator: &'a Simulator, kind: &str, id: &str, hostname: &str) -> Result<&'a Device, Fail> {
    let world = &simulator.world;
    let by = |wanted: &str| world.managed().find(|device| names(world, device).iter().any(|name| name == wanted));
    match kind {
        "MANAGED_DEVICE_UUID" | "DEFAULT" | "" => crate::devices::find(world, id),
        "MANAGED_DEVICE_IP" | "MANAGED_DEVICE_HOSTNAME" => {
            let wanted = if id.is_empty() { hostname } else { id };
            by(wanted).ok_or_else(|| Fail::missing(format!("NCTP10020: Device not found: {wanted}")))
        }
        other => Err(Fail::bad(format!("Target type {other} is not supported for a managed device"))),
    }
}

/// The targets that already hold this version with these values; the controller skips them unless it is forced.
fn already(simulator: &Simulator, target: &Target) -> bool {
    let held = simulator.world.document("deployed", &format!("{}/{}", target.device, target.version));
    held.is_some_and(|held| held == Value::Object(target.params.clone()))
}

fn open(simulator: &Simulator, order: &Order) -> Deployment {
    let version = order.targets.first().and_then(|target| order.versions.get(&target.version));
    Deployment {
        id: Uuid::new_v4(),
        template: order.template.id,
        template_name: text(&order.template.body, "name").to_owned(),
        version: version.map_or(0, |version| version.number),
        project: simulator.project_of(&order.template).map(|project| project.name).unwrap_or_default(),
        status: "INIT".to_owned(),
        message: String::new(),
        start_ms: simulator.now_ms(),
        end_ms: None,
        targets: order.targets.clone(),
        task: None,
    }
}

fn announcement(order: &Order, deployment: &Deployment) -> String {
    let targets: Vec<&str> = order.targets.iter().map(|target| target.name.as_str()).collect();
    format!(
        "Deployment of  Template:\n{}.ApplicableTargets: [{}]Template Deployemnt Id: {}",
        order.template.id,
        targets.join(", "),
        deployment.id
    )
}

fn skipped_text(order: &Order) -> String {
    let targets: Vec<&str> = order.targets.iter().map(|target| target.name.as_str()).collect();
    format!(
        "Deployment of  Template:\n{}.ApplicableTargets: []\nTemplate {} is already deployed with same params on [{}]",
        order.template.id,
        text(&order.template.body, "name"),
        targets.join(", ")
    )
}

async fn deploy_v1(State(simulator): State<Shared>, headers: HeaderMap, body: Bytes) -> Answer {
    let mut order = read(&simulator, &body)?;
    let told = skipped_text(&order);
    order.targets.retain(|target| order.force || !already(&simulator, target));
    let start = time_text(simulator.now_ms());
    if order.targets.is_empty() {
        return bare(
            json!({ "deploymentId": told, "startTime": start, "endTime": start, "duration": "0 seconds", "status": "SUCCESS" }),
        );
    }
    let deployment = open(&simulator, &order);
    keep(&simulator, &deployment)?;
    let text = announcement(&order, &deployment);
    let worker = Arc::clone(&simulator);
    let origin = Origin { path: V1, headers: caller(&headers) };
    tokio::spawn(async move { worker.carry_out(order, deployment, None, origin).await });
    bare(json!({ "deploymentId": text, "startTime": start, "endTime": "", "duration": "0 seconds", "status": "INIT" }))
}

async fn deploy_v2(State(simulator): State<Shared>, headers: HeaderMap, body: Bytes) -> Answer {
    let mut order = read(&simulator, &body)?;
    let told = skipped_text(&order);
    let keys: Vec<String> = order
        .targets
        .iter()
        .filter_map(|target| simulator.world.device(target.device))
        .flat_map(|device| names(&simulator.world, device))
        .collect();
    let occasion = Occasion { system: &simulator.name, method: "POST", path: V2, device: &keys };
    let hidden = !simulator.faults.take_effects(occasion, |fault| fault == Fault::TaskHidden).is_empty();
    let task = simulator.start_task("NCTP", "Deployment of template is in progress", hidden)?;
    order.targets.retain(|target| order.force || !already(&simulator, target));
    if order.targets.is_empty() {
        simulator.end_task(task, &told, None, None)?;
        return accepted(task);
    }
    let mut deployment = open(&simulator, &order);
    deployment.task = Some(task);
    let worker = Arc::clone(&simulator);
    let origin = Origin { path: V2, headers: caller(&headers) };
    keep(&simulator, &deployment)?;
    tokio::spawn(async move { worker.carry_out(order, deployment, Some(task), origin).await });
    accepted(task)
}

async fn status(State(simulator): State<Shared>, Path(id): Path<String>) -> Answer {
    let deployment =
        load(&simulator, &id).ok_or_else(|| Fail::missing(format!("NCTP10030: Deployment not found: {id}")))?;
    bare(deployment.row())
}

fn load(simulator: &Simulator, id: &str) -> Option<Deployment> {
    simulator.world.document(SPACE, id).and_then(|value| serde_json::from_value(value).ok())
}

fn keep(simulator: &Simulator, deployment: &Deployment) -> Result<(), Fail> {
    let value = serde_json::to_value(deployment).map_err(|error| Fail::broken(&error))?;
    Ok(simulator.world.put_document(SPACE, &deployment.id.to_string(), value)?)
}

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
    async fn carry_out(self: Arc<Self>, order: Order, mut deployment: Deployment, task: Option<Uuid>, origin: Origin) {
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
        self.pause(self.pace.start_ms).await;
        let progress = announcement(order, deployment);
        if let Some(task) = task {
            self.advance_task(task, &progress)?;
        }
        "IN_PROGRESS".clone_into(&mut deployment.status);
        for target in &mut deployment.targets {
            "IN_PROGRESS".clone_into(&mut target.status);
        }
        keep(self, deployment)?;
        let span = self.pace.most_ms.saturating_sub(self.pace.least_ms).max(1);
        let spread = u64::try_from(deployment.id.as_u128() % u128::from(span)).unwrap_or(0);
        self.pause(self.pace.least_ms + spread).await;
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
        let keys = names(&self.world, device);
        let occasion = Occasion { system: &self.name, method: "POST", path: origin.path, device: &keys };
        let faults = self.faults.take_effects(occasion, |fault| fault != Fault::TaskHidden);
        let mut bend = Bend::default();
        for fault in &faults {
            match fault {
                Fault::AcceptedNotApplied => bend.drop_all = true,
                Fault::HalfApplied => bend.drop_half = true,
                Fault::LineRejected { line } => bend.reject_line = Some(*line),
                Fault::StaleCopy => bend.keep_copy = true,
                _ => {}
            }
        }
        let applied = self.world.apply(device, &rendered, bend).map_err(|error| match error {
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
        if order.save && applied.error.is_none() {
            self.world.save(device).map_err(|error| format!("NCTP10000: {error}"))?;
        }
        if faults.contains(&Fault::ManagementLost) {
            self.world.set_reachable(device, false).map_err(|error| format!("NCTP10000: {error}"))?;
        }
        match applied.error {
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
        let row = |mode: &str, lines: Vec<String>| DeviceCommand {
            seq: 0,
            system: self.name.clone(),
            device_id: device.id,
            hostname: self.world.hostname(device),
            serial: device.serial_text(),
            mode: mode.to_owned(),
            lines,
            at: self.clock.now().to_string(),
            deployment_id: Some(deployment.to_string()),
            via: "template_deploy".to_owned(),
            headers: origin.headers.clone(),
        };
        if !applied.lines.is_empty() {
            self.commands.write(row("config", applied.lines.iter().map(|line| line.line.clone()).collect()))?;
        }
        if !applied.exec.is_empty() {
            self.commands.write(row("exec", applied.exec.iter().map(|(command, _)| command.clone()).collect()))?;
        }
        Ok(())
    }
}
