//! What a device is made of and what it is joined to: stack, modules, line cards, VLANs, neighbours, enrichment.
//!
//! Where next: [`crate::devices`], the inventory itself.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::routing::get;
use serde_json::{Value, json};
use uuid::Uuid;
use world::{Device, Family, Link, World};

use crate::devices::{self, find, software_type};
use crate::interfaces::{find_port, ports_of};
use crate::query::Params;
use crate::reply::{Answer, Fail, bare, enveloped};
use crate::simulator::{Shared, Simulator};

const BASE: &str = "/dna/intent/api/v1/network-device";

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route(&format!("{BASE}/module"), get(modules))
        .route(&format!("{BASE}/module/count"), get(count_modules))
        .route(&format!("{BASE}/module/{{id}}"), get(module))
        .route(&format!("{BASE}/collection-schedule/global"), get(schedule))
        .route(&format!("{BASE}/{{id}}/collection-schedule"), get(schedule_of))
        .route(&format!("{BASE}/{{id}}/brief"), get(brief))
        .route(&format!("{BASE}/{{id}}/stack"), get(stack))
        .route(&format!("{BASE}/{{id}}/line-card"), get(line_cards))
        .route(&format!("{BASE}/{{id}}/equipment"), get(equipment))
        .route(&format!("{BASE}/{{id}}/vlan"), get(vlans))
        .route(&format!("{BASE}/{{id}}/interface/{{port}}/neighbor"), get(neighbour))
        .route("/dna/intent/api/v1/device-enrichment-details", get(enrichment))
}

/// The module rows of a device: one per stack member.
fn module_rows(device: &Device) -> Vec<Value> {
    let rows = (1_u32..).zip(&device.members).map(|(number, member)| {
        json!({
            "id": Uuid::new_v5(&device.id, format!("module {number}").as_bytes()), "name": format!("Switch {number}"),
            "description": device.platform.type_name, "partNumber": device.platform.id, "serialNumber": member.serial,
            "vendorEquipmentType": "chassis", "operationalStateCode": "OK", "moduleIndex": number, "manufacturer": "Cisco",
            "assemblyNumber": "", "assemblyRevision": "V02", "containmentEntity": "0", "entityPhysicalIndex": (number * 1000).to_string(),
            "isFieldReplaceable": "NOT_APPLICABLE", "isReportingAlarmsAllowed": "NOT_APPLICABLE", "attributeInfo": {},
        })
    });
    rows.collect()
}

fn modules_of(simulator: &Simulator, params: &Params) -> Result<Vec<Value>, Fail> {
    let id = params.get("deviceId").ok_or_else(|| Fail::bad("Parameter deviceId is required"))?;
    Ok(module_rows(find(&simulator.world, id)?))
}

async fn modules(State(simulator): State<Shared>, params: Params) -> Answer {
    let page = params.page(500, 500)?;
    enveloped(page.of(modules_of(&simulator, &params)?))
}

async fn count_modules(State(simulator): State<Shared>, params: Params) -> Answer {
    enveloped(modules_of(&simulator, &params)?.len())
}

async fn module(State(simulator): State<Shared>, Path(id): Path<String>) -> Answer {
    let mut rows = simulator.world.managed().flat_map(module_rows);
    let found = rows.find(|row| row.get("id").and_then(Value::as_str) == Some(id.as_str()));
    enveloped(found.ok_or_else(|| Fail::missing(format!("No resource found with id: {id}")))?)
}

/// Seconds between two periodic readings.
async fn schedule() -> Answer {
    enveloped(1500)
}

async fn schedule_of(State(simulator): State<Shared>, Path(id): Path<String>) -> Answer {
    find(&simulator.world, &id)?;
    enveloped(1500)
}

async fn brief(State(simulator): State<Shared>, Path(id): Path<String>) -> Answer {
    let device = find(&simulator.world, &id)?;
    let (role, source) = simulator.role(device);
    enveloped(json!({ "id": device.id, "role": role, "roleSource": source }))
}

async fn stack(State(simulator): State<Shared>, Path(id): Path<String>) -> Answer {
    let device = find(&simulator.world, &id)?;
    let count = device.members.len();
    let switches = (1_usize..).zip(&device.members).map(|(number, member)| {
        json!({
            "stackMemberNumber": number, "serialNumber": member.serial, "platformId": device.platform.id,
            "role": match number { 1 => "ACTIVE", 2 => "STANDBY", _ => "MEMBER" }, "state": "READY", "macAddress": device.mac_text(),
            "hwPriority": 0, "switchPriority": 16 - number, "numNextReload": number, "softwareImage": device.software_version,
            "entPhysicalIndex": (number * 1000).to_string(),
        })
    });
    let cables = (1..=count).filter(|_| count > 1).map(|number| {
        let next = number % count + 1;
        json!({
            "name": format!("StackSub-St{number}-1"), "switchPort": format!("{number}/1"), "neighborPort": format!("{next}/2"),
            "isSynchOk": "Yes", "linkActive": true, "linkOk": true, "nrLinkOkChanges": 1, "stackCableLengthInfo": "50cm",
            "stackPortOperStatusInfo": "OK",
        })
    });
    enveloped(json!({
        "deviceId": device.id, "stackSwitchInfo": switches.collect::<Vec<_>>(), "stackPortInfo": cables.collect::<Vec<_>>(),
        "svlSwitchInfo": [],
    }))
}

async fn line_cards(State(simulator): State<Shared>, Path(id): Path<String>) -> Answer {
    let device = find(&simulator.world, &id)?;
    let rows = (1_u32..).zip(&device.members).map(|(number, member)| {
        json!({ "serialno": member.serial, "partno": device.platform.id, "switchno": number.to_string(), "slotno": "1" })
    });
    enveloped(rows.collect::<Vec<_>>())
}

async fn equipment(State(simulator): State<Shared>, Path(id): Path<String>) -> Answer {
    let device = find(&simulator.world, &id)?;
    let rows = (1_u32..).zip(&device.members).map(|(number, member)| {
        json!({
            "instanceUuid": Uuid::new_v5(&device.id, format!("equipment {number}").as_bytes()), "name": format!("Switch {number}"),
            "productId": device.platform.id, "serialNumber": member.serial, "description": device.platform.type_name,
            "vendorEquipmentType": "Chassis", "operationalStateCode": "OK", "manufacturer": "Cisco",
        })
    });
    enveloped(rows.collect::<Vec<_>>())
}

/// The VLANs that a device carries, by the interfaces that name them.
async fn vlans(State(simulator): State<Shared>, Path(id): Path<String>, params: Params) -> Answer {
    let device = find(&simulator.world, &id)?;
    let wanted = params.get("interfaceType");
    let mut rows = Vec::new();
    for port in ports_of(&simulator.world, device) {
        let kind = if port.physical { "Physical" } else { "Virtual" };
        let svi = port.name.strip_prefix("Vlan").and_then(|number| number.parse::<u16>().ok());
        let access = port.vlan.filter(|_| port.mode == "access");
        if wanted.is_some_and(|wanted| !wanted.eq_ignore_ascii_case(kind)) {
            continue;
        }
        let Some(vlan) = svi.or(access) else { continue };
        let network = port.address.map(|(address, mask)| (address, mask, u32::from(mask).count_ones()));
        rows.push(json!({
            "interfaceName": port.name, "vlanNumber": vlan, "vlanType": if svi.is_some() { "Data" } else { "" },
            "ipAddress": network.map(|(address, ..)| address.to_string()), "mask": network.map(|(.., length)| length),
            "networkAddress": network.map(|(address, mask, _)| std::net::Ipv4Addr::from(u32::from(address) & u32::from(mask)).to_string()),
            "prefix": network.map(|(.., length)| length.to_string()),
            "numberOfIPs": network.map(|(.., length)| (1_u64 << (32 - length)).saturating_sub(2)),
        }));
    }
    enveloped(rows)
}

/// The cable in a port, with this device's end first.
pub(crate) fn cable<'a>(world: &'a World, device: &'a Device, port: &str) -> Option<(&'a Link, &'a Device, &'a str)> {
    world.links_of(device).find_map(|link| {
        let mine = usize::from(link.ends[1].0 == device.index);
        let (far, far_port) = &link.ends[1 - mine];
        (link.ends[mine].1 == port).then_some(())?;
        Some((link, world.devices().get(*far)?, far_port.as_str()))
    })
}

async fn neighbour(State(simulator): State<Shared>, Path((id, port)): Path<(String, String)>) -> Answer {
    let device = find(&simulator.world, &id)?;
    let (owner, port) = find_port(&simulator, &port)?;
    if owner.id != device.id {
        return Err(Fail::missing(format!("No interface {} on device {id}", port.id)));
    }
    // Firewalls do not tell who they are.
    let found = cable(&simulator.world, device, &port.name)
        .filter(|(_, far, _)| port.oper_up && far.platform.family != Family::Firewall);
    let Some((_, far, far_port)) = found else { return enveloped(json!({})) };
    let capabilities = match far.platform.family {
        Family::AccessPoint => json!(["TRANS_BRIDGE"]),
        Family::Router | Family::Firewall => json!(["ROUTER"]),
        Family::Switch | Family::WirelessController => json!(["ROUTER", "SWITCH", "IGMP_CONDITIONAL_FILTERING"]),
    };
    let name = simulator.world.hostname(far);
    enveloped(json!({ "neighborDevice": name, "neighborPort": far_port, "capabilities": capabilities }))
}

/// Addressed by headers: `entity_type` is `network_address` or `device_id`, `entity_value` names the device.
async fn enrichment(State(simulator): State<Shared>, headers: HeaderMap) -> Answer {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (kind, value) = (header("entity_type"), header("entity_value"));
    if value.is_empty() || !["network_address", "device_id", "mac_address"].contains(&kind) {
        return Err(Fail::bad("Headers entity_type and entity_value are required"));
    }
    let world = &simulator.world;
    let device = simulator.inventory.by_any(world, value);
    let device = device.ok_or_else(|| Fail::missing(format!("No device found for {kind} {value}")))?;
    let mut nodes = vec![node(world, device)];
    let mut links = Vec::new();
    for link in world.links_of(device) {
        let mine = usize::from(link.ends[1].0 == device.index);
        let Some(far) = world.devices().get(link.ends[1 - mine].0) else { continue };
        nodes.push(node(world, far));
        links.push(json!({
            "source": device.id, "target": far.id, "id": link.id, "label": [], "linkStatus": "UP",
            "portUtilization": Value::Null, "healthScore": world.health(far).overall,
        }));
    }
    let mut row = devices::row(&simulator, device);
    if let Value::Object(row) = &mut row {
        row.insert("neighborTopology".to_owned(), json!([{ "nodes": nodes, "links": links }]));
        row.insert("cisco360view".to_owned(), json!(format!("/dna/assurance/device/details?id={}", device.id)));
    }
    bare(json!([{ "deviceDetails": row }]))
}

fn node(world: &World, device: &Device) -> Value {
    json!({
        "id": device.id, "name": world.hostname(device), "role": device.role.name(), "ip": device.management_ip.to_string(),
        "deviceType": device.platform.type_name, "family": device.platform.family.name(), "platformId": device.platform.id,
        "softwareVersion": device.software_version, "softwareType": software_type(device), "nodeType": "NetworkDevice",
        "healthScore": world.health(device).overall, "level": 0, "count": Value::Null, "clients": 0,
    })
}
