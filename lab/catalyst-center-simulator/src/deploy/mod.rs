//! Template deployments: accepted at once, carried out in the background, visible as task and deployment, and merged into
//! the running configuration of each device.
//!
//! Where next: [`order`] for what is asked, [`work`] for carrying it out.

mod order;
mod work;

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;
use world::Device;

use self::order::{Order, already, applies, read};
pub(crate) use self::work::close_interrupted;
use crate::devices::time_text;
use crate::effects::Origin;
use crate::reply::{Answer, Fail, accepted, bare};
use crate::simulator::{Shared, Simulator};
use crate::templates::text;

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

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route(V1, post(deploy_v1))
        .route(V2, post(deploy_v2))
        .route("/dna/intent/api/v1/template-programmer/template/deploy/status/{id}", get(status))
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

/// Takes out what needs no deployment, and says why: devices of another kind, and those that hold this already.
fn reduce(simulator: &Simulator, order: &mut Order) -> Reduced {
    let name = text(&order.template.body, "name").to_owned();
    let head = format!("Deployment of  Template:\n{}.ApplicableTargets: []\n", order.template.id);
    let names = |targets: &[Target]| targets.iter().map(|target| target.name.clone()).collect::<Vec<_>>().join(", ");
    let (template, force) = (order.template.clone(), order.force);
    let (kept, foreign): (Vec<Target>, Vec<Target>) =
        order.targets.drain(..).partition(|target| applies(simulator, &template, target));
    let (wanted, held): (Vec<Target>, Vec<Target>) =
        kept.into_iter().partition(|target| force || !already(simulator, target));
    order.targets = wanted;
    match (order.targets.is_empty(), held.is_empty()) {
        (false, _) => Reduced::Deploys,
        (true, false) => {
            Reduced::Held(format!("{head}Template {name} is already deployed with same params on [{}]", names(&held)))
        }
        (true, true) => Reduced::Foreign(format!("{head}Template {name} is not applicable on [{}]", names(&foreign))),
    }
}

/// What is left of an order.
enum Reduced {
    /// Something to do.
    Deploys,
    /// Nothing: the devices hold it.
    Held(String),
    /// Nothing: the devices are of another kind.
    Foreign(String),
}

async fn deploy_v1(State(simulator): State<Shared>, headers: HeaderMap, body: Bytes) -> Answer {
    let mut order = read(&simulator, &body)?;
    let reduced = reduce(&simulator, &mut order);
    let start = time_text(simulator.now_ms());
    let (told, status) = match reduced {
        Reduced::Held(told) => (told, "SUCCESS"),
        Reduced::Foreign(told) => (told, "FAILURE"),
        Reduced::Deploys => {
            let deployment = open(&simulator, &order);
            keep(&simulator, &deployment)?;
            let told = announcement(&order, &deployment);
            let origin = Origin::new("POST", V1, "template_deploy", &headers);
            let worker = Arc::clone(&simulator);
            tokio::spawn(async move { worker.carry_out(order, deployment, None, origin).await });
            let answer = json!({
                "deploymentId": told, "startTime": start, "endTime": "", "duration": "0 seconds", "status": "INIT",
            });
            return bare(answer);
        }
    };
    bare(
        json!({ "deploymentId": told, "startTime": start, "endTime": start, "duration": "0 seconds", "status": status }),
    )
}

async fn deploy_v2(State(simulator): State<Shared>, headers: HeaderMap, body: Bytes) -> Answer {
    let mut order = read(&simulator, &body)?;
    let origin = Origin::new("POST", V2, "template_deploy", &headers);
    let devices: Vec<&Device> =
        order.targets.iter().filter_map(|target| simulator.world.device(target.device)).collect();
    let task = simulator.start_work(&origin, &devices, "NCTP", "Deployment of template is in progress")?;
    match reduce(&simulator, &mut order) {
        Reduced::Held(told) => simulator.end_task(task, &told, None, None)?,
        Reduced::Foreign(told) => simulator.end_task(task, &told.clone(), None, Some(told))?,
        Reduced::Deploys => {
            let mut deployment = open(&simulator, &order);
            deployment.task = Some(task);
            keep(&simulator, &deployment)?;
            let worker = Arc::clone(&simulator);
            tokio::spawn(async move { worker.carry_out(order, deployment, Some(task), origin).await });
        }
    }
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
