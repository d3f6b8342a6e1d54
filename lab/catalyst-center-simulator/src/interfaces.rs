//! Interfaces of one device and of all, as the controller last read them.
//!
//! Interfaces are expanded on demand; a walk over all devices of a large world only skips by counts that it remembers.
//! Where next: [`crate::interface_update`], which changes one.

use std::collections::HashMap;
use std::sync::{Mutex, OnceLock, PoisonError};

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use serde_json::{Value, json};
use uuid::Uuid;
use world::interfaces::physical_ports;
use world::{Device, Interface, World};

use crate::devices::{find, time_text};
use crate::inventory::managed;
use crate::query::Params;
use crate::reply::{Answer, Fail, enveloped};
use crate::simulator::{Shared, Simulator};

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/dna/intent/api/v1/interface", get(all))
        .route("/dna/intent/api/v1/interface/count", get(count_all))
        .route("/dna/intent/api/v1/interface/isis", get(isis))
        .route("/dna/intent/api/v1/interface/ospf", get(ospf))
        .route("/dna/intent/api/v1/interface/ip-address/{address}", get(by_address))
        .route("/dna/intent/api/v1/interface/{id}", get(one))
        .route("/dna/intent/api/v1/interface/network-device/{id}", get(of_device))
        .route("/dna/intent/api/v1/interface/network-device/{id}/count", get(count_of_device))
        .route("/dna/intent/api/v1/interface/network-device/{id}/interface-name", get(by_name))
        .route("/dna/intent/api/v1/interface/network-device/{id}/{start}/{count}", get(range))
}

/// What is remembered about interfaces; all of it can be found again.
#[derive(Default)]
pub(crate) struct Known {
    /// Device of every hardware port.
    owners: OnceLock<HashMap<Uuid, u32>>,
    /// Device of logical interfaces that somebody asked for.
    logical: Mutex<HashMap<Uuid, u32>>,
    /// Number of interfaces of devices that nobody has changed.
    counts: Mutex<HashMap<usize, usize>>,
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

/// The interfaces of a device as the controller last read them.
pub(crate) fn ports_of(world: &World, device: &Device) -> Vec<Interface> {
    if device.has_configuration() { world.interfaces_collected(device) } else { Vec::new() }
}

fn rows(world: &World, device: &Device) -> Vec<Value> {
    ports_of(world, device).iter().map(|port| row(world, device, port)).collect()
}

/// The interface with this id and its device, or the controller's refusal.
pub(crate) fn find_port<'a>(simulator: &'a Simulator, id: &str) -> Result<(&'a Device, Interface), Fail> {
    let missing = || Fail::missing(format!("No resource found with id: {id}"));
    let wanted = Uuid::parse_str(id).map_err(|_| missing())?;
    let world = &simulator.world;
    let known = &simulator.known_ports;
    let within = |device: &'a Device| {
        ports_of(world, device).into_iter().find(|port| port.id == wanted).map(|port| (device, port))
    };
    let owners = known.owners.get_or_init(|| {
        let devices = managed(world).filter(|device| device.has_configuration());
        devices
            .flat_map(|device| {
                let at = u32::try_from(device.index).unwrap_or(u32::MAX);
                physical_ports(device).into_iter().map(move |port| (world.interface_id(device, &port.name), at))
            })
            .collect()
    });
    let held = owners.get(&wanted).copied();
    let held = held.or_else(|| known.logical.lock().unwrap_or_else(PoisonError::into_inner).get(&wanted).copied());
    if let Some(at) = held {
        return world.devices().get(at as usize).and_then(within).ok_or_else(missing);
    }
    let found = managed(world).find_map(within).ok_or_else(missing)?;
    let at = u32::try_from(found.0.index).unwrap_or(u32::MAX);
    known.logical.lock().unwrap_or_else(PoisonError::into_inner).insert(wanted, at);
    Ok(found)
}

impl Simulator {
    fn count_ports(&self, device: &Device) -> usize {
        if !device.has_configuration() {
            return 0;
        }
        if self.world.is_edited(device) {
            return ports_of(&self.world, device).len();
        }
        let held = self.known_ports.counts.lock().unwrap_or_else(PoisonError::into_inner).get(&device.index).copied();
        held.unwrap_or_else(|| {
            let count = ports_of(&self.world, device).len();
            self.known_ports.counts.lock().unwrap_or_else(PoisonError::into_inner).insert(device.index, count);
            count
        })
    }
}

async fn of_device(State(simulator): State<Shared>, Path(id): Path<String>) -> Answer {
    enveloped(rows(&simulator.world, find(&simulator.world, &id)?))
}

async fn count_of_device(State(simulator): State<Shared>, Path(id): Path<String>) -> Answer {
    enveloped(simulator.count_ports(find(&simulator.world, &id)?))
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
    let ports = ports_of(&simulator.world, device);
    let port = ports.iter().find(|port| port.name == name);
    let port = port.ok_or_else(|| Fail::missing(format!("No interface {name} on device {id}")))?;
    enveloped(row(&simulator.world, device, port))
}

async fn by_address(State(simulator): State<Shared>, Path(address): Path<String>) -> Answer {
    let world = &simulator.world;
    let has = |port: &&Interface| port.address.is_some_and(|(own, _)| own.to_string() == address);
    let managing = simulator.inventory.by_address(world, &address);
    let found = managing.into_iter().chain(managed(world)).find_map(|device| {
        let rows: Vec<Value> =
            ports_of(world, device).iter().filter(has).map(|port| row(world, device, port)).collect();
        (!rows.is_empty()).then_some(rows)
    });
    enveloped(found.ok_or_else(|| Fail::missing(format!("No resource found with ip address: {address}")))?)
}

async fn all(State(simulator): State<Shared>, params: Params) -> Answer {
    let page = params.page(500, 500)?;
    let world = &simulator.world;
    let (mut skip, mut found) = (page.skip, Vec::new());
    for device in managed(world) {
        let count = simulator.count_ports(device);
        if skip >= count {
            skip -= count;
            continue;
        }
        found.extend(rows(world, device).into_iter().skip(skip));
        skip = 0;
        if found.len() >= page.limit {
            break;
        }
    }
    found.truncate(page.limit);
    enveloped(found)
}

async fn count_all(State(simulator): State<Shared>) -> Answer {
    enveloped(managed(&simulator.world).map(|device| simulator.count_ports(device)).sum::<usize>())
}

async fn one(State(simulator): State<Shared>, Path(id): Path<String>) -> Answer {
    let (device, port) = find_port(&simulator, &id)?;
    enveloped(row(&simulator.world, device, &port))
}

/// No device of the world speaks IS-IS to the controller's knowledge.
async fn isis() -> Answer {
    enveloped(json!([]))
}

/// Interfaces with an OSPF line of their own; the controller tells of 500 at most.
async fn ospf(State(simulator): State<Shared>) -> Answer {
    let world = &simulator.world;
    let mut found = Vec::new();
    for device in managed(world).filter(|device| device.has_configuration() && device.role != world::Role::Access) {
        let text = world.collected(device).text();
        let mut here = None;
        for line in text.lines() {
            match line.strip_prefix("interface ") {
                Some(name) => here = Some(name),
                None if line.starts_with(" ip ospf ") => {
                    let ports = ports_of(world, device);
                    found.extend(
                        ports
                            .iter()
                            .filter(|port| Some(port.name.as_str()) == here)
                            .map(|port| row(world, device, port)),
                    );
                }
                None => {}
            }
        }
        if found.len() >= 500 {
            break;
        }
    }
    enveloped(found)
}
