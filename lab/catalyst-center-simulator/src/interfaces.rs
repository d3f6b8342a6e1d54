//! Interfaces of one device and of all.

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use serde_json::{Value, json};
use world::{Device, Interface, World};

use crate::devices::{find, time_text};
use crate::query::Params;
use crate::reply::{Answer, Fail, enveloped};
use crate::simulator::Shared;

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/dna/intent/api/v1/interface", get(all))
        .route("/dna/intent/api/v1/interface/count", get(count_all))
        .route("/dna/intent/api/v1/interface/{id}", get(one))
        .route("/dna/intent/api/v1/interface/network-device/{id}", get(of_device))
        .route("/dna/intent/api/v1/interface/network-device/{id}/count", get(count_of_device))
        .route("/dna/intent/api/v1/interface/network-device/{id}/interface-name", get(by_name))
        .route("/dna/intent/api/v1/interface/network-device/{id}/{start}/{count}", get(range))
}

fn row(world: &World, device: &Device, port: &Interface) -> Value {
    let text = |number: Option<u16>| number.map_or(String::new(), |number| number.to_string());
    let up = |up: bool| if up { "up" } else { "down" };
    let collected = world.collected_at_ms(device);
    json!({
        "id": port.id, "instanceUuid": port.id, "instanceTenantId": "5f6b7c8d9e0f1a2b3c4d5e6e", "deviceId": device.id,
        "portName": port.name, "name": port.name, "adminStatus": if port.admin_up { "UP" } else { "DOWN" }, "status": up(port.oper_up),
        "description": port.description, "duplex": if port.physical { json!("FullDuplex") } else { Value::Null },
        "speed": port.speed_kbps.to_string(), "ifIndex": port.if_index.to_string(), "mtu": "1500",
        "macAddress": port.mac.map(|byte| format!("{byte:02x}")).join(":"),
        "vlanId": match port.mode { "routed" | "trunk" => "0".to_owned(), _ => port.vlan.unwrap_or(1).to_string() },
        "voiceVlan": text(port.voice_vlan), "nativeVlanId": text(port.native_vlan), "portMode": port.mode,
        "portType": if port.physical { "Ethernet Port" } else if port.name.starts_with("Vlan") { "Ethernet SVI" } else { "Virtual" },
        "interfaceType": if port.physical { "Physical" } else { "Virtual" },
        "mediaType": if port.physical { json!("10/100/1000BaseTX") } else { Value::Null },
        "ipv4Address": port.address.map(|(address, _)| address.to_string()), "ipv4Mask": port.address.map(|(_, mask)| mask.to_string()),
        "pid": device.platform.id, "serialNo": device.members.first().map(|member| member.serial.clone()), "series": device.platform.series,
        "isisSupport": "false", "ospfSupport": "false", "owningEntityId": format!("{}_{}", device.id, port.if_index),
        "className": "SwitchPort", "lastUpdated": time_text(collected), "lastIncomingPacketTime": collected, "lastOutgoingPacketTime": collected,
        "mappedPhysicalInterfaceId": Value::Null, "mappedPhysicalInterfaceName": Value::Null, "addresses": [],
    })
}

fn rows(world: &World, device: &Device) -> Vec<Value> {
    if !device.has_configuration() {
        return Vec::new();
    }
    world.interfaces(device).iter().map(|port| row(world, device, port)).collect()
}

async fn of_device(State(simulator): State<Shared>, Path(id): Path<String>) -> Answer {
    enveloped(rows(&simulator.world, find(&simulator.world, &id)?))
}

async fn count_of_device(State(simulator): State<Shared>, Path(id): Path<String>) -> Answer {
    enveloped(rows(&simulator.world, find(&simulator.world, &id)?).len())
}

async fn range(State(simulator): State<Shared>, Path((id, start, count)): Path<(String, usize, usize)>) -> Answer {
    if start < 1 || !(1..=500).contains(&count) {
        return Err(Fail::bad("Start index begins at 1, and at most 500 records are returned"));
    }
    let rows = rows(&simulator.world, find(&simulator.world, &id)?);
    enveloped(rows.into_iter().skip(start - 1).take(count).collect::<Vec<_>>())
}

async fn by_name(State(simulator): State<Shared>, Path(id): Path<String>, params: Params) -> Answer {
    let device = find(&simulator.world, &id)?;
    let name = params.get("name").ok_or_else(|| Fail::bad("Parameter name is required"))?;
    let ports = simulator.world.interfaces(device);
    let port = ports.iter().find(|port| port.name == name);
    let port = port.ok_or_else(|| Fail::missing(format!("No interface {name} on device {id}")))?;
    enveloped(row(&simulator.world, device, port))
}

async fn all(State(simulator): State<Shared>, params: Params) -> Answer {
    let page = params.page(500, 500)?;
    let world = &simulator.world;
    enveloped(page.of(world.managed().flat_map(|device| rows(world, device))))
}

async fn count_all(State(simulator): State<Shared>) -> Answer {
    let world = &simulator.world;
    let devices = world.managed().filter(|device| device.has_configuration());
    enveloped(devices.map(|device| world.interfaces(device).len()).sum::<usize>())
}

async fn one(State(simulator): State<Shared>, Path(id): Path<String>) -> Answer {
    let world = &simulator.world;
    for device in world.managed().filter(|device| device.has_configuration()) {
        if let Some(port) = world.interfaces(device).iter().find(|port| port.id.to_string() == id) {
            return enveloped(row(world, device, port));
        }
    }
    Err(Fail::missing(format!("No resource found with id: {id}")))
}
