//! Changing one interface: description, administrative state, access VLAN, voice VLAN; and clearing its MAC addresses.
//! The controller turns the wish into lines and enters them, so that everything else shows them.
//!
//! Where next: [`crate::interfaces`], which shows interfaces, [`crate::effects`] for what faults do.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::routing::{get, post, put};
use serde_json::{Map, Value, json};
use uuid::Uuid;
use world::{Device, Interface};

use crate::devices::failure_text;
use crate::effects::Origin;
use crate::interfaces::find_port;
use crate::query::Params;
use crate::reply::{Answer, Fail, accepted, enveloped};
use crate::simulator::{Shared, Simulator};

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/dna/intent/api/v1/interface/{id}", put(update))
        .route("/dna/intent/api/v1/interface/{id}/legit-operation", get(legit))
        .route("/dna/intent/api/v1/interface/{id}/operation", post(operate))
}

/// What a request asks for; absent fields stay as they are.
struct Wish {
    description: Option<String>,
    up: Option<bool>,
    vlan: Option<i64>,
    voice_vlan: Option<i64>,
}

impl Wish {
    fn read(body: &Bytes) -> Result<Self, Fail> {
        let body: Map<String, Value> = serde_json::from_slice(body)
            .map_err(|error| Fail::bad(format!("Request body is not a valid JSON object: {error}")))?;
        let number = |key: &str| match body.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match value.as_i64().or_else(|| value.as_str().and_then(|text| text.parse().ok())) {
                Some(number) if (1..=4094).contains(&number) => Ok(Some(number)),
                _ => Err(Fail::bad(format!("Invalid value for {key}: {value}"))),
            },
        };
        let up = match body.get("adminStatus").and_then(Value::as_str) {
            None => None,
            Some("UP") => Some(true),
            Some("DOWN") => Some(false),
            Some(other) => return Err(Fail::bad(format!("Invalid adminStatus {other}: it must be UP or DOWN"))),
        };
        let description = body.get("description").and_then(Value::as_str).map(str::to_owned);
        let wish = Self { description, up, vlan: number("vlanId")?, voice_vlan: number("voiceVlanId")? };
        if wish.description.as_ref().is_some_and(|text| text.contains(['\n', '\r']) || text.len() > 200) {
            return Err(Fail::bad("Invalid description: one line of at most 200 characters"));
        }
        if wish.description.is_none() && wish.up.is_none() && wish.vlan.is_none() && wish.voice_vlan.is_none() {
            return Err(Fail::bad("At least one of description, adminStatus, vlanId and voiceVlanId is required"));
        }
        Ok(wish)
    }

    /// The lines that carry it out.
    fn lines(&self, port: &Interface) -> Vec<String> {
        let mut lines = vec![format!("interface {}", port.name)];
        match self.description.as_deref() {
            None => {}
            Some("") => lines.push(" no description".to_owned()),
            Some(text) => lines.push(format!(" description {text}")),
        }
        lines.extend(self.vlan.map(|vlan| format!(" switchport access vlan {vlan}")));
        lines.extend(self.voice_vlan.map(|vlan| format!(" switchport voice vlan {vlan}")));
        lines.extend(self.up.map(|up| if up { " no shutdown".to_owned() } else { " shutdown".to_owned() }));
        lines
    }
}

/// Why a property of a port cannot be changed; the controller changes edge ports only.
fn obstacle(port: &Interface, property: &str) -> Option<&'static str> {
    let edge = port.physical && port.mode != "routed" && port.mode != "trunk";
    match property {
        "description" => None,
        "adminStatus" if port.mode == "trunk" => Some("Admin status of an uplink or trunk port cannot be changed"),
        "vlan" | "voiceVlan" if !edge => Some("VLAN can be changed on access ports only"),
        _ => None,
    }
}

async fn update(
    State(simulator): State<Shared>,
    Path(id): Path<String>,
    params: Params,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let (device, port) = find_port(&simulator, &id)?;
    let wish = Wish::read(&body)?;
    let wanted =
        [("adminStatus", wish.up.is_some()), ("vlan", wish.vlan.is_some()), ("voiceVlan", wish.voice_vlan.is_some())];
    if let Some(reason) = wanted.iter().filter(|(_, asked)| *asked).find_map(|(name, _)| obstacle(&port, name)) {
        return Err(Fail::bad(format!("{reason}: {}", port.name)));
    }
    let preview = match params.get("deploymentMode").unwrap_or("Deploy") {
        "Deploy" => false,
        "Preview" => true,
        other => return Err(Fail::bad(format!("Invalid deploymentMode {other}: it must be Preview or Deploy"))),
    };
    let path = format!("/dna/intent/api/v1/interface/{id}");
    let origin = Origin::new("PUT", path, "interface_update", &headers);
    let task = simulator.start_work(&origin, &[device], "Inventory service", "Interface update has been started")?;
    let (lines, device) = (wish.lines(&port), device.id);
    if preview {
        simulator.end_task(task, "Preview of the interface update is ready", Some(lines.join("\n")), None)?;
        return accepted(task);
    }
    tokio::spawn(async move {
        simulator.pause(simulator.pace().start_ms + simulator.pace().least_ms).await;
        let outcome = simulator.world.device(device).map(|device| simulator.enter(device, &lines, &origin));
        let told = json!({ "interfaceUuid": id, "portName": port.name });
        match outcome {
            Some(Ok(())) => {
                simulator.end_task_logged(
                    task,
                    "Interface has been updated successfully",
                    Some(told.to_string()),
                    None,
                );
            }
            Some(Err(reason)) => {
                simulator.end_task_logged(task, "Interface update failed", Some(told.to_string()), Some(reason))
            }
            None => simulator.end_task_logged(
                task,
                "Interface update failed",
                None,
                Some("NCIM12001: No such device".to_owned()),
            ),
        }
    });
    accepted(task)
}

impl Simulator {
    /// Enters lines on a device as the controller itself; the error is the reason of the task.
    fn enter(&self, device: &Device, lines: &[String], origin: &Origin) -> Result<(), String> {
        let effects = self.effects(origin, device);
        let applied = self
            .world
            .apply(device, &lines.join("\n"), effects.bend)
            .map_err(|error| failure_text(&self.world, device, &error))?;
        let sent = applied.lines.iter().map(|line| line.line.clone()).collect();
        self.record(origin, device, "config", sent, None).map_err(|error| format!("NCIM00000: {error}"))?;
        self.settle(device, effects).map_err(|error| format!("NCIM00000: {error}"))?;
        match effects.told(applied.error) {
            None => Ok(()),
            Some(error) => Err(format!("NCIM12030: CLI command failed on the device: {error}")),
        }
    }
}

async fn legit(State(simulator): State<Shared>, Path(id): Path<String>) -> Answer {
    let (_, port) = find_port(&simulator, &id)?;
    let row = |name: &str| {
        let reason = obstacle(&port, name);
        json!({ "name": name, "applicable": reason.is_none(), "failureReason": reason })
    };
    let edge = port.physical && port.mode == "access";
    let properties = ["description", "adminStatus", "vlan", "voiceVlan"].map(row);
    enveloped(json!({
        "interfaceUuid": id, "properties": properties,
        "operations": [{
            "name": "ClearMacAddress", "applicable": edge,
            "failureReason": (!edge).then_some("MAC addresses can be cleared on access ports only"),
        }],
    }))
}

async fn operate(State(simulator): State<Shared>, Path(id): Path<String>, headers: HeaderMap, body: Bytes) -> Answer {
    let (device, port) = find_port(&simulator, &id)?;
    let body: Map<String, Value> = serde_json::from_slice(&body).map_err(|error| Fail::bad(error.to_string()))?;
    if body.get("operation").and_then(Value::as_str) != Some("ClearMacAddress") {
        return Err(Fail::bad("The only operation is ClearMacAddress"));
    }
    let path = format!("/dna/intent/api/v1/interface/{id}/operation");
    let origin = Origin::new("POST", path, "interface_operation", &headers);
    let task: Uuid = simulator.start_work(&origin, &[device], "Inventory service", "Clearing MAC addresses")?;
    let command = format!("clear mac address-table dynamic interface {}", port.name);
    let answer = simulator.world.exec(device, &command).map_err(|error| failure_text(&simulator.world, device, &error));
    if answer.is_ok() {
        let kept = simulator.record(&origin, device, "exec", vec![command], None);
        kept.map_err(|error| Fail::broken(&error))?;
    }
    simulator.end_task(task, "MAC addresses have been cleared", None, answer.err())?;
    accepted(task)
}
