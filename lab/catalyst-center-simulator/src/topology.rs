//! Topology: devices as nodes, cables as links, sites as a tree.

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use serde_json::{Value, json};
use world::{Reachability, SiteKind};

use crate::inventory::managed;
use crate::reply::{Answer, enveloped};
use crate::simulator::Shared;

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/dna/intent/api/v1/topology/physical-topology", get(physical))
        .route("/dna/intent/api/v1/topology/site-topology", get(sites))
}

async fn physical(State(simulator): State<Shared>) -> Answer {
    let world = &simulator.world;
    let nodes: Vec<Value> = managed(world)
        .map(|device| {
            json!({
                "id": device.id, "label": world.hostname(device), "ip": device.management_ip.to_string(), "deviceType": device.platform.type_name,
                "family": device.platform.family.name(), "role": device.role.name(), "roleSource": "AUTO", "nodeType": "device",
                "platformId": device.platform_text(), "softwareVersion": device.software_version, "networkType": "unknown", "deviceSeries": device.platform.series,
                "x": Value::Null, "y": Value::Null, "greyOut": world.reachability(device) == Reachability::Unreachable, "customParam": {}, "tags": [],
                "additionalInfo": { "macAddress": device.mac_text(), "latitude": Value::Null, "longitude": Value::Null },
            })
        })
        .collect();
    // Ports are asked for once per device, not once per link.
    let ports: Vec<Vec<world::Interface>> = managed(world)
        .map(|device| if device.has_configuration() { world.interfaces(device) } else { Vec::new() })
        .collect();
    let links: Vec<Value> = world
        .links()
        .iter()
        .filter_map(|link| {
            let [(one, one_port), (other, other_port)] = &link.ends;
            let (source, target) = (world.devices().get(*one)?, world.devices().get(*other)?);
            let find = |at: usize, name: &str| ports.get(at)?.iter().find(|port| port.name == name);
            let (a, b) = (find(*one, one_port), find(*other, other_port));
            let up = [a, b].iter().flatten().all(|port| port.oper_up);
            Some(json!({
                "id": link.id, "source": source.id, "target": target.id, "startPortName": one_port, "endPortName": other_port,
                "startPortID": a.map(|port| port.id), "endPortID": b.map(|port| port.id), "startPortSpeed": link.speed_kbps.to_string(),
                "endPortSpeed": link.speed_kbps.to_string(), "linkStatus": if up { "up" } else { "down" }, "greyOut": false, "additionalInfo": {},
            }))
        })
        .collect();
    enveloped(json!({ "id": Value::Null, "nodes": nodes, "links": links }))
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
