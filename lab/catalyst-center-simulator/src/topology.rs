//! Topology: devices as nodes, cables as links, sites as a tree.

use std::collections::{BTreeSet, HashMap, HashSet};

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use serde_json::{Value, json};
use world::{Device, Interface, Reachability, SiteKind, World};

use crate::devices::software_type;
use crate::interfaces::ports_of;
use crate::inventory::managed;
use crate::query::Params;
use crate::reply::{Answer, Fail, enveloped};
use crate::simulator::{Shared, Simulator};

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/dna/intent/api/v1/topology/physical-topology", get(physical))
        .route("/dna/intent/api/v1/topology/l2/{vlan}", get(layer_2))
        .route("/dna/intent/api/v1/topology/l3/{protocol}", get(layer_3))
        .route("/dna/intent/api/v1/topology/vlan/vlan-names", get(vlan_names))
        .route("/dna/intent/api/v1/topology/site-topology", get(sites))
}

fn node(world: &World, device: &Device) -> Value {
    json!({
        "id": device.id, "label": world.hostname(device), "ip": device.management_ip.to_string(), "deviceType": device.platform.type_name,
        "family": device.platform.family.name(), "role": device.role.name(), "roleSource": "AUTO", "nodeType": "device", "osType": software_type(device),
        "platformId": device.platform_text(), "softwareVersion": device.software_version, "networkType": "unknown", "deviceSeries": device.platform.series,
        "x": Value::Null, "y": Value::Null, "greyOut": world.reachability(device) == Reachability::Unreachable, "customParam": {}, "tags": [],
        "additionalInfo": { "macAddress": device.mac_text(), "latitude": Value::Null, "longitude": Value::Null },
    })
}

/// The topology of the devices that are wanted, and of the cables between them; with `mode`, only those whose ends are in
/// this mode. Ports are expanded only for that, once per device.
fn graph(simulator: &Simulator, wanted: impl Fn(&Device) -> bool, mode: Option<&str>) -> Value {
    let world = &simulator.world;
    let devices: Vec<&Device> = managed(world).filter(|device| wanted(device)).collect();
    let shown: HashSet<usize> = devices.iter().map(|device| device.index).collect();
    let ports: HashMap<usize, Vec<Interface>> = match mode {
        Some(_) => devices.iter().map(|device| (device.index, ports_of(world, device))).collect(),
        None => HashMap::new(),
    };
    let fits = |(at, name): &(usize, String)| {
        mode.is_none_or(|mode| {
            let port = ports.get(at).and_then(|ports| ports.iter().find(|port| port.name == *name));
            port.is_none_or(|port| port.mode == mode)
        })
    };
    let links = world.links().iter().filter(|link| link.ends.iter().all(|end| shown.contains(&end.0) && fits(end)));
    let links = links.filter_map(|link| {
        let [(one, one_port), (other, other_port)] = &link.ends;
        let (source, target) = (world.devices().get(*one)?, world.devices().get(*other)?);
        let id = |device: &Device, port: &str| device.has_configuration().then(|| world.interface_id(device, port));
        let up = world.link_up(link);
        Some(json!({
            "id": link.id, "source": source.id, "target": target.id, "startPortName": one_port, "endPortName": other_port,
            "startPortID": id(source, one_port), "endPortID": id(target, other_port), "startPortSpeed": link.speed_kbps.to_string(),
            "endPortSpeed": link.speed_kbps.to_string(), "linkStatus": if up { "up" } else { "down" }, "greyOut": !up, "additionalInfo": {},
        }))
    });
    let links: Vec<Value> = links.collect();
    json!({ "id": Value::Null, "nodes": devices.iter().map(|device| node(world, device)).collect::<Vec<_>>(), "links": links })
}

async fn physical(State(simulator): State<Shared>, params: Params) -> Answer {
    let known = params.get("nodeType").is_none_or(|wanted| wanted.eq_ignore_ascii_case("device"));
    enveloped(graph(&simulator, |_| known, None))
}

/// The devices that have a VLAN, and the cables that carry it: trunks.
async fn layer_2(State(simulator): State<Shared>, Path(vlan): Path<String>) -> Answer {
    let number = vlan.trim_start_matches("Vlan").parse::<u16>().ok().filter(|number| (1..=4094).contains(number));
    let number = number.ok_or_else(|| Fail::bad(format!("Invalid VLAN {vlan}")))?;
    let header = format!("vlan {number}");
    let has = |device: &Device| {
        device.has_configuration() && simulator.world.collected(device).text().lines().any(|line| line == header)
    };
    enveloped(graph(&simulator, has, Some("trunk")))
}

/// The devices that run a routing protocol, and the routed cables between them.
async fn layer_3(State(simulator): State<Shared>, Path(protocol): Path<String>) -> Answer {
    let lead = match protocol.to_ascii_lowercase().as_str() {
        "ospf" => "router ospf",
        "bgp" => "router bgp",
        "isis" => "router isis",
        "eigrp" => "router eigrp",
        "static" => "ip route",
        other => return Err(Fail::bad(format!("Invalid topology type {other}"))),
    };
    let runs = |device: &Device| {
        device.has_configuration()
            && simulator.world.collected(device).text().lines().any(|line| line.starts_with(lead))
    };
    enveloped(graph(&simulator, runs, Some("routed")))
}

/// Every VLAN that some device has, as the topology page offers them.
async fn vlan_names(State(simulator): State<Shared>) -> Answer {
    let mut seen = BTreeSet::new();
    for device in managed(&simulator.world).filter(|device| device.has_configuration()).take(500) {
        let text = simulator.world.collected(device).text();
        seen.extend(text.lines().filter_map(|line| line.strip_prefix("vlan ")?.parse::<u16>().ok()));
    }
    enveloped(seen.into_iter().map(|number| json!(format!("Vlan{number}"))).collect::<Vec<_>>())
}

async fn sites(State(simulator): State<Shared>) -> Answer {
    let world = &simulator.world;
    let rows: Vec<Value> = world
        .sites()
        .iter()
        .filter(|site| site.kind != SiteKind::Global)
        .map(|site| {
            let kind = match site.kind {
                SiteKind::Floor => "floor",
                SiteKind::Building => "building",
                SiteKind::Area | SiteKind::Global => "area",
            };
            json!({
                "id": site.id, "name": site.name, "parentId": site.parent.and_then(|at| world.sites().get(at)).map(|above| above.id),
                "latitude": site.latitude.to_string(), "longitude": site.longitude.to_string(), "locationType": kind,
                "locationAddress": site.address, "locationCountry": site.country, "displayName": site.name_hierarchy, "groupNameHierarchy": site.name_hierarchy,
            })
        })
        .collect();
    enveloped(json!({ "sites": rows }))
}
