//! Saving: the controller copies the running configuration of devices to their startup configuration.
//!
//! Where next: [`crate::compliance`], which shows the difference of the two until then.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;
use world::{Device, Reachability};

use crate::devices::find;
use crate::effects::{Effects, Origin};
use crate::reply::{Answer, Fail, accepted, enveloped};
use crate::simulator::{Shared, Simulator};

const PATH: &str = "/dna/intent/api/v1/network-device-config/write-memory";
/// Where the rows of a saving task are kept, by its id.
const SPACE: &str = "saving";

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route(PATH, post(write_memory))
        .route("/dna/intent/api/v1/network-device-config/task", get(config_tasks))
}

async fn write_memory(State(simulator): State<Shared>, headers: HeaderMap, body: Bytes) -> Answer {
    let body: Map<String, Value> = serde_json::from_slice(&body).map_err(|error| Fail::bad(error.to_string()))?;
    let ids = body.get("deviceId").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let devices = ids.map(|id| find(&simulator.world, id)).collect::<Result<Vec<&Device>, Fail>>()?;
    if devices.is_empty() {
        return Err(Fail::bad("deviceId must hold at least one device"));
    }
    let origin = Origin::new("POST", PATH, "write_memory", &headers);
    let task = simulator.start_work(&origin, &devices, "Inventory service", "copy_Running_To_Startup")?;
    let ids: Vec<Uuid> = devices.iter().map(|device| device.id).collect();
    tokio::spawn(async move {
        simulator.pause(simulator.pace().start_ms).await;
        simulator.save_devices(task, &ids, &origin);
    });
    accepted(task)
}

impl Simulator {
    fn save_devices(&self, task: Uuid, ids: &[Uuid], origin: &Origin) {
        let (mut told, mut failed, mut rows) = (Vec::new(), None, Vec::new());
        for (at, device) in ids.iter().filter_map(|id| self.world.device(*id)).enumerate() {
            let effects = self.effects(origin, device);
            let outcome = self.save_one(device, effects, effects.keeps(at, ids.len()), origin);
            let word = if outcome.is_ok() { "Success" } else { "Failed" };
            told.push(format!("{} copy_Running_To_Startup={word}", device.id));
            rows.push(json!({
                "taskId": Uuid::new_v5(&task, device.id.as_bytes()), "parentTaskId": task, "deviceId": device.id,
                "deviceIpAddress": device.management_ip.to_string(), "hostName": self.world.hostname(device),
                "taskType": "COPY_RUNNING_TO_STARTUP", "taskStatus": word.to_uppercase(), "startTime": self.now_ms(),
                "completionTime": self.now_ms(), "detailMessage": format!("copy_Running_To_Startup={word}"),
                "failureMessage": outcome.as_ref().err(), "errorCode": Value::Null,
            }));
            failed = failed.or(outcome.err());
        }
        let kept = self.world.put_document(SPACE, &task.to_string(), Value::from(rows));
        let failed = failed.or_else(|| kept.err().map(|error| error.to_string()));
        self.end_task_logged(task, &told.join(","), None, failed);
    }

    fn save_one(&self, device: &Device, effects: Effects, takes_place: bool, origin: &Origin) -> Result<(), String> {
        if !device.has_configuration() || self.world.reachability(device) != Reachability::Reachable {
            return Err(format!("NCIM12013: Device {} is not reachable", device.id));
        }
        if takes_place {
            let before = effects.bend.keep_copy.then(|| self.startup_seen(device));
            self.world.save(device).map_err(|error| format!("NCIM00000: {error}"))?;
            match before {
                Some(text) => self.believe_startup(device, text),
                None => self.forget_startup(device),
            }
            .map_err(|error| format!("NCIM00000: {error}"))?;
            let lines = vec!["copy running-config startup-config".to_owned()];
            self.record(origin, device, "exec", lines, None).map_err(|error| format!("NCIM00000: {error}"))?;
        }
        self.aftermath(device, effects).map_err(|error| format!("NCIM00000: {error}"))
    }
}

#[derive(Deserialize)]
struct Parent {
    #[serde(rename = "parentTaskId")]
    parent: Option<Uuid>,
}

async fn config_tasks(State(simulator): State<Shared>, Query(query): Query<Parent>) -> Answer {
    let parent = query.parent.ok_or_else(|| Fail::bad("Parameter parentTaskId is required"))?;
    let hidden = simulator.task(&parent.to_string()).is_none_or(|task| task.hidden);
    let rows = (!hidden).then(|| simulator.world.document(SPACE, &parent.to_string())).flatten();
    enveloped(rows.unwrap_or_else(|| json!([])))
}
