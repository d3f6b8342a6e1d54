//! The newer inventory, `/networkDevices`: other words for the same devices, and a query in a body.
//!
//! Where next: [`crate::devices`], the inventory of every release.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::routing::{get, post};
use serde_json::{Map, Value, json};
use world::{Device, Reachability};

use crate::conditions::Conditions;
use crate::devices::{find, software_type};
use crate::inventory::managed;
use crate::query::{Filter, Page, Params};
use crate::reply::{Answer, Fail, enveloped, enveloped_texts};
use crate::simulator::{Shared, Simulator};

const BASE: &str = "/dna/intent/api/v1/networkDevices";

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route(BASE, get(list))
        .route(&format!("{BASE}/count"), get(count))
        .route(&format!("{BASE}/query"), post(query))
        .route(&format!("{BASE}/query/count"), post(query_count))
        .route(&format!("{BASE}/{{id}}"), get(one))
}

fn reach(simulator: &Simulator, device: &Device) -> &'static str {
    match simulator.world.reachability(device) {
        Reachability::Reachable => "REACHABLE",
        Reachability::PingReachable => "ONLY_PING_REACHABLE",
        Reachability::Unreachable => "UNREACHABLE",
    }
}

pub(crate) fn row(simulator: &Simulator, device: &Device) -> Value {
    let world = &simulator.world;
    let (role, role_source) = simulator.role(device);
    let collected = world.collected_at_ms(device);
    json!({
        "id": device.id, "managementAddress": device.management_ip.to_string(), "dnsResolvedManagementIpAddress": device.management_ip.to_string(),
        "hostname": world.hostname(device), "macAddress": device.mac_text(),
        "serialNumbers": device.members.iter().map(|member| &member.serial).collect::<Vec<_>>(),
        "type": device.platform.type_name, "family": device.platform.family.name(), "series": device.platform.series,
        "status": "MANAGED", "platformIds": device.members.iter().map(|_| device.platform.id).collect::<Vec<_>>(),
        "softwareType": software_type(device), "softwareVersion": device.software_version, "vendor": "Cisco",
        "stackDevice": device.members.len() > 1, "bootTime": world.booted_at_ms(device),
        "role": role.replace(' ', "_"), "roleSource": role_source, "apEthernetMacAddress": Value::Null, "apManagerInterfaceIpAddress": Value::Null,
        "apWlcIpAddress": Value::Null, "deviceSupportLevel": "SUPPORTED", "snmpLocation": "", "snmpContact": "",
        "reachabilityStatus": reach(simulator, device), "managementState": "MANAGED", "lastSuccessfulResyncReasons": ["PERIODIC"],
        "resyncStartTime": collected - 20_000, "resyncEndTime": collected, "resyncReasons": ["PERIODIC"], "pendingResyncRequestCount": 0,
        "pendingResyncRequestReasons": [], "resyncIntervalSource": "GLOBAL", "resyncIntervalMinutes": 1440, "errorCode": Value::Null,
        "errorDescription": Value::Null, "userDefinedFields": {},
    })
}

/// The value of a field that filters and orders know.
fn field(simulator: &Simulator, device: &Device, key: &str) -> Option<Value> {
    let world = &simulator.world;
    Some(match key {
        "id" => json!(device.id),
        "managementAddress" => json!(device.management_ip.to_string()),
        "hostname" => json!(world.hostname(device)),
        "macAddress" => json!(device.mac_text()),
        "serialNumber" | "serialNumbers" => {
            json!(device.members.iter().map(|member| &member.serial).collect::<Vec<_>>())
        }
        "type" => json!(device.platform.type_name),
        "family" => json!(device.platform.family.name()),
        "series" => json!(device.platform.series),
        "role" => json!(simulator.role(device).0.replace(' ', "_")),
        "status" | "managementState" => json!("MANAGED"),
        "reachabilityStatus" => json!(reach(simulator, device)),
        "softwareType" => json!(software_type(device)),
        "softwareVersion" => json!(device.software_version),
        "platformId" | "platformIds" => json!([device.platform.id]),
        "stackDevice" => json!(device.members.len() > 1),
        "vendor" => json!("Cisco"),
        _ => return None,
    })
}

/// The text filters of the list.
const FILTERS: [&str; 8] = [
    "managementAddress",
    "serialNumber",
    "family",
    "status",
    "managementState",
    "reachabilityStatus",
    "role",
    "softwareType",
];

fn passes(simulator: &Simulator, filter: &Filter, device: &Device) -> bool {
    match filter.key {
        "managementAddress" => filter.passes(&device.management_ip.to_string()),
        "serialNumber" => device.members.iter().any(|member| filter.passes(&member.serial)),
        "family" => filter.passes(device.platform.family.name()),
        "reachabilityStatus" => filter.passes(reach(simulator, device)),
        "role" => filter.passes(&simulator.role(device).0.replace(' ', "_")),
        "softwareType" => filter.passes(software_type(device)),
        // Every device of the inventory is managed.
        _ => filter.passes("MANAGED"),
    }
}

fn matching<'a>(simulator: &'a Simulator, params: &Params) -> Result<Vec<&'a Device>, Fail> {
    let (world, index) = (&simulator.world, &simulator.inventory);
    let few: Option<Vec<&Device>> = if params.get("id").is_some() {
        Some(params.all("id").into_iter().filter_map(|id| find(world, id).ok()).collect())
    } else {
        let serial = params.exact("serialNumber").and_then(|serial| index.by_serial(world, serial));
        let address = || params.exact("managementAddress").and_then(|address| index.by_address(world, address));
        serial.or_else(address).map(|device| vec![device])
    };
    let filters = params.filters(&FILTERS);
    let stacked = params.get("stackDevice").map(|wanted| wanted.eq_ignore_ascii_case("true"));
    let passes = |device: &&Device| {
        stacked.is_none_or(|wanted| wanted == (device.members.len() > 1))
            && filters.iter().all(|filter| passes(simulator, filter, device))
    };
    let mut found: Vec<&Device> = match few {
        Some(few) => few.into_iter().filter(passes).collect(),
        None => {
            let all = || managed(world).filter(passes).map(|device| device.index).collect();
            let found = simulator.found(&format!("newer {stacked:?} {filters:?}"), all);
            found.iter().filter_map(|at| world.devices().get(*at)).collect()
        }
    };
    let descending = params.get("order").is_some_and(|order| order.eq_ignore_ascii_case("desc"));
    sort(simulator, &mut found, params.get("sortBy"), descending)?;
    Ok(found)
}

fn sort(simulator: &Simulator, found: &mut Vec<&Device>, by: Option<&str>, descending: bool) -> Result<(), Fail> {
    let Some(key) = by else { return Ok(()) };
    let mut keyed = Vec::with_capacity(found.len());
    for device in found.iter() {
        let value = field(simulator, device, key).ok_or_else(|| Fail::bad(format!("Invalid sortBy {key}")))?;
        keyed.push((value.as_str().map_or_else(|| value.to_string(), str::to_owned), *device));
    }
    keyed.sort_by(|one, other| one.0.cmp(&other.0));
    if descending {
        keyed.reverse();
    }
    *found = keyed.into_iter().map(|(_, device)| device).collect();
    Ok(())
}

async fn list(State(simulator): State<Shared>, params: Params) -> Answer {
    let page = params.page(500, 500)?;
    let rows = page.of(matching(&simulator, &params)?);
    enveloped_texts(&rows.into_iter().map(|device| simulator.newer_row_text(device)).collect::<Vec<_>>())
}

async fn count(State(simulator): State<Shared>, params: Params) -> Answer {
    enveloped(json!({ "count": matching(&simulator, &params)?.len() }))
}

async fn one(State(simulator): State<Shared>, Path(id): Path<String>) -> Answer {
    enveloped(row(&simulator, find(&simulator.world, &id)?))
}

/// The devices that a query in a body means, and its page.
fn asked<'a>(simulator: &'a Simulator, body: &Bytes) -> Result<(Vec<&'a Device>, Page), Fail> {
    let body: Map<String, Value> = serde_json::from_slice(body).map_err(|error| Fail::bad(error.to_string()))?;
    let empty = json!({});
    let filter = body.get("filter").unwrap_or(&empty);
    let conditions = Conditions::read(filter.get("filters"), filter.get("logicalOperator"))?;
    let mut found = Vec::new();
    for device in managed(&simulator.world) {
        if conditions.meets(&|key| field(simulator, device, key))? {
            found.push(device);
        }
    }
    let page = body.get("page").unwrap_or(&empty);
    let order = page.get("sortBy").map(|by| by.as_array().and_then(|list| list.first()).unwrap_or(by));
    let text = |key: &str| order.and_then(|order| order.get(key)).and_then(Value::as_str);
    let descending = text("order").is_some_and(|order| order.eq_ignore_ascii_case("desc"));
    sort(simulator, &mut found, text("name"), descending)?;
    Ok((found, Page::read(page, 500, 500)?))
}

async fn query(State(simulator): State<Shared>, body: Bytes) -> Answer {
    let (found, page) = asked(&simulator, &body)?;
    enveloped_texts(&page.of(found).into_iter().map(|device| simulator.newer_row_text(device)).collect::<Vec<_>>())
}

async fn query_count(State(simulator): State<Shared>, body: Bytes) -> Answer {
    enveloped(json!({ "count": asked(&simulator, &body)?.0.len() }))
}
