//! Compliance: one row per device, details per type. A running configuration that differs from the startup one is
//! `NON_COMPLIANT` until it is saved; the other types never change here.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::routing::{get, post};
use serde_json::{Map, Value, json};
use world::{Device, DeviceCommand, Reachability, World};

use crate::deploy::caller;
use crate::devices::find;
use crate::query::Params;
use crate::reply::{Answer, Fail, accepted, bare, enveloped};
use crate::simulator::Shared;

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/dna/intent/api/v1/compliance", get(list).post(run))
        .route("/dna/intent/api/v1/compliance/", post(run))
        .route("/dna/intent/api/v1/compliance/count", get(count))
        .route("/dna/intent/api/v1/compliance/detail", get(details))
        .route("/dna/intent/api/v1/compliance/detail/count", get(details_count))
        .route("/dna/intent/api/v1/compliance/{id}", get(one))
        .route("/dna/intent/api/v1/compliance/{id}/detail", get(one_detail))
        .route("/dna/intent/api/v1/network-device-config/write-memory", post(write_memory))
}

fn managed(world: &World) -> impl Iterator<Item = &Device> {
    world.managed().filter(|device| device.has_configuration())
}

fn status(world: &World, device: &Device) -> &'static str {
    if world.is_unsaved(device) { "NON_COMPLIANT" } else { "COMPLIANT" }
}

fn row(world: &World, device: &Device) -> Value {
    let at = world.collected_at_ms(device);
    json!({
        "deviceUuid": device.id, "complianceStatus": status(world, device),
        "message": if world.is_unsaved(device) { "Running configuration is different from the startup configuration" } else { "" },
        "scheduleTime": "", "lastUpdateTime": at,
    })
}

fn matching<'a>(world: &'a World, params: &Params) -> Vec<&'a Device> {
    let ids = params.all("deviceUuid");
    managed(world)
        .filter(|device| ids.is_empty() || ids.iter().any(|id| device.id.to_string() == *id))
        .filter(|device| params.passes("complianceStatus", status(world, device)))
        .collect()
}

async fn list(State(simulator): State<Shared>, params: Params) -> Answer {
    let page = params.page(500, 500)?;
    let rows = page.of(matching(&simulator.world, &params));
    enveloped(rows.into_iter().map(|device| row(&simulator.world, device)).collect::<Vec<_>>())
}

async fn count(State(simulator): State<Shared>, params: Params) -> Answer {
    enveloped(matching(&simulator.world, &params).len())
}

async fn one(State(simulator): State<Shared>, Path(id): Path<String>) -> Answer {
    enveloped(row(&simulator.world, find(&simulator.world, &id)?))
}

/// The rows of a device, one per type.
fn detail_rows(world: &World, device: &Device, diffs: bool) -> Vec<Value> {
    let at = world.collected_at_ms(device);
    let unsaved = world.is_unsaved(device);
    let types =
        [("RUNNING_CONFIG", unsaved), ("IMAGE", false), ("PSIRT", false), ("NETWORK_PROFILE", false), ("EOX", false)];
    types
        .iter()
        .map(|(kind, broken)| {
            let sources = if *broken {
                let list = if diffs { differences(world, device) } else { Vec::new() };
                json!([{
                    "name": "startup", "nameWithBusinessKey": "startup", "displayName": "Startup vs Running Configuration", "type": "RUNNING_CONFIG",
                    "sourceEnum": "INV", "count": differences(world, device).len(), "diffList": list, "networkProfileName": Value::Null, "licenseAppName": Value::Null,
                    "provisioningArea": Value::Null, "businessKey": { "resourceName": "startup", "businessKeyAttributes": {}, "otherAttributes": {} },
                }])
            } else {
                json!([])
            };
            json!({
                "deviceUuid": device.id, "complianceType": kind, "status": if *broken { "NON_COMPLIANT" } else { "COMPLIANT" },
                "state": "SUCCESS", "lastSyncTime": at, "lastUpdateTime": at, "sourceInfoList": sources, "ackStatus": "UNACKNOWLEDGED",
                "message": Value::Null, "additionalDataURL": "", "remediationSupported": *kind == "RUNNING_CONFIG",
            })
        })
        .collect()
}

/// Lines that stand in one of the two configurations only.
fn differences(world: &World, device: &Device) -> Vec<Value> {
    let (running, startup) = (paths(&world.running(device)), paths(&world.startup(device)));
    let only = |here: &[String], there: &[String]| -> Vec<String> {
        here.iter().filter(|line| !there.contains(line)).cloned().collect()
    };
    let added = only(&running, &startup).into_iter().map(|path| {
        json!({ "op": "ADD", "configuredValue": path, "intendedValue": Value::Null, "path": path, "moveFromPath": "", "businessKey": "", "extendedAttributes": {} })
    });
    let removed = only(&startup, &running).into_iter().map(|path| {
        json!({ "op": "REMOVE", "configuredValue": Value::Null, "intendedValue": path, "path": path, "moveFromPath": "", "businessKey": "", "extendedAttributes": {} })
    });
    added.chain(removed).collect()
}

fn paths(config: &world::Config) -> Vec<String> {
    fn walk(nodes: &[world::Node], above: &str, out: &mut Vec<String>) {
        for node in nodes {
            let path = if above.is_empty() { node.line.clone() } else { format!("{above} / {}", node.line) };
            walk(&node.children, &path, out);
            out.push(path);
        }
    }
    let mut out = Vec::new();
    walk(config.roots(), "", &mut out);
    out
}

fn all_details(world: &World, params: &Params) -> Vec<Value> {
    let rows =
        matching(world, &without_status(params)).into_iter().flat_map(|device| detail_rows(world, device, false));
    rows.filter(|row| {
        let field = |key: &str| row.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        params.passes("complianceType", &field("complianceType")) && params.passes("complianceStatus", &field("status"))
    })
    .collect()
}

fn without_status(params: &Params) -> Params {
    params.only(&["deviceUuid"])
}

async fn details(State(simulator): State<Shared>, params: Params) -> Answer {
    let page = params.page(500, 500)?;
    enveloped(page.of(all_details(&simulator.world, &params)))
}

async fn details_count(State(simulator): State<Shared>, params: Params) -> Answer {
    enveloped(all_details(&simulator.world, &params).len())
}

async fn one_detail(State(simulator): State<Shared>, Path(id): Path<String>, params: Params) -> Answer {
    let device = find(&simulator.world, &id)?;
    let rows = detail_rows(&simulator.world, device, params.is_true("diffList"));
    let rows: Vec<Value> = rows
        .into_iter()
        .filter(|row| {
            params.passes("complianceType", row.get("complianceType").and_then(Value::as_str).unwrap_or_default())
        })
        .collect();
    bare(json!({ "deviceUuid": device.id, "response": rows, "version": "1.0" }))
}

async fn run(State(simulator): State<Shared>, body: Bytes) -> Answer {
    let body: Map<String, Value> = serde_json::from_slice(&body).map_err(|error| Fail::bad(error.to_string()))?;
    for id in body.get("deviceUuids").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
        find(&simulator.world, id)?;
    }
    let told = "Compliance report has been generated successfully";
    let task = simulator.start_task("COMPLIANCE SERVICE", told, false)?;
    simulator.end_task(task, told, None, None)?;
    accepted(task)
}

async fn write_memory(State(simulator): State<Shared>, headers: axum::http::HeaderMap, body: Bytes) -> Answer {
    let body: Map<String, Value> = serde_json::from_slice(&body).map_err(|error| Fail::bad(error.to_string()))?;
    let ids: Vec<String> = body
        .get("deviceId")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|id| id.as_str().map(str::to_owned))
        .collect();
    if ids.is_empty() {
        return Err(Fail::bad("deviceId must hold at least one device"));
    }
    for id in &ids {
        find(&simulator.world, id)?;
    }
    let task = simulator.start_task("Inventory service", "copy_Running_To_Startup", false)?;
    let headers = caller(&headers);
    tokio::spawn(async move {
        simulator.pause(simulator.pace.start_ms).await;
        let mut told = Vec::new();
        let mut failed = None;
        for device in ids.iter().filter_map(|id| find(&simulator.world, id).ok()) {
            let reached = simulator.world.reachability(device) == Reachability::Reachable;
            let saved = reached && simulator.world.save(device).is_ok();
            if saved {
                let row = DeviceCommand {
                    seq: 0,
                    system: simulator.name.clone(),
                    device_id: device.id,
                    hostname: simulator.world.hostname(device),
                    serial: device.serial_text(),
                    mode: "exec".to_owned(),
                    lines: vec!["copy running-config startup-config".to_owned()],
                    at: simulator.clock.now().to_string(),
                    deployment_id: None,
                    via: "write_memory".to_owned(),
                    headers: headers.clone(),
                };
                if let Err(error) = simulator.commands.write(row) {
                    tracing::warn!(%error, "a device command could not be recorded");
                }
            } else {
                failed = Some(format!("NCIM12013: Device {} is not reachable", device.id));
            }
            told.push(format!("{} copy_Running_To_Startup={}", device.id, if saved { "Success" } else { "Failed" }));
        }
        simulator.end_task_logged(task, &told.join(","), None, failed);
    });
    accepted(task)
}
