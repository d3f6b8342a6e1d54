//! Assurance: health of the network and of devices, detail of one device.
//!
//! Where next: [`crate::issues`] for what is wrong, [`crate::site_health`] for places, [`crate::clients`] for people's devices.

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use serde_json::{Value, json};
use world::{Device, Family, Health, Reachability, Role};

use crate::inventory::managed;
use crate::query::Params;
use crate::reply::{Answer, Fail, bare, enveloped};
use crate::simulator::Shared;

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/dna/intent/api/v1/network-health", get(network_health))
        .route("/dna/intent/api/v1/device-health", get(device_health))
        .route("/dna/intent/api/v1/device-detail", get(device_detail))
}

/// Good, fair and bad devices of a list.
fn tally<'a>(health: &[Health], devices: impl Iterator<Item = &'a Device>) -> (usize, usize, usize) {
    let known = devices.filter_map(|device| health.get(device.index));
    known.fold((0, 0, 0), |(good, fair, bad), health| match health.word() {
        "GOOD" => (good + 1, fair, bad),
        "FAIR" => (good, fair + 1, bad),
        _ => (good, fair, bad + 1),
    })
}

fn percent(part: usize, whole: usize) -> usize {
    (part * 100).checked_div(whole).unwrap_or(0)
}

/// The five layers of the health pages.
pub(crate) fn category(device: &Device) -> &'static str {
    match (device.platform.family, device.role) {
        (Family::AccessPoint, _) => "AP",
        (Family::WirelessController, _) => "WLC",
        (Family::Router, _) => "Router",
        (_, Role::Core) => "Core",
        (_, Role::Distribution) => "Distribution",
        _ => "Access",
    }
}

async fn network_health(State(simulator): State<Shared>) -> Answer {
    let world = &simulator.world;
    let health = simulator.all_health();
    let (good, fair, bad) = tally(&health, managed(world));
    let total = good + fair + bad;
    let now = simulator.now_ms() / 300_000 * 300_000;
    let time =
        jiff::Timestamp::from_millisecond(now).unwrap_or_default().strftime("%Y-%m-%dT%H:%M:%S.000+0000").to_string();
    let distribution: Vec<Value> = ["Access", "Distribution", "Core", "Router", "WLC", "AP"]
        .iter()
        .map(|name| {
            let (good, fair, bad) = tally(&health, managed(world).filter(|device| category(device) == *name));
            let total = good + fair + bad;
            json!({
                "category": name, "totalCount": total, "healthScore": percent(good, total), "goodPercentage": percent(good, total),
                "badPercentage": percent(bad, total), "fairPercentage": percent(fair, total), "unmonPercentage": 0, "noHealthPercentage": 0,
                "goodCount": good, "badCount": bad, "fairCount": fair, "unmonCount": 0, "noHealthCount": 0, "kpiMetrics": [],
                "thirdPartyDeviceCount": 0,
            })
        })
        .collect();
    bare(json!({
        "version": "1.0", "measuredBy": "global", "latestMeasuredByEntity": Value::Null, "latestHealthScore": percent(good, total),
        "monitoredDevices": total, "monitoredHealthyDevices": good, "monitoredUnHealthyDevices": fair + bad, "noHealthDevices": 0,
        "totalDevices": total, "monitoredPoorHealthDevices": bad, "monitoredFairHealthDevices": fair,
        "healthDistirubution": distribution,
        "response": [{
            "time": time, "healthScore": percent(good, total), "totalCount": total, "goodCount": good, "fairCount": fair,
            "badCount": bad, "unmonCount": 0, "noHealthCount": 0, "maintenanceModeCount": 0, "entity": Value::Null, "timeinMillis": now,
        }],
    }))
}

async fn device_health(State(simulator): State<Shared>, params: Params) -> Answer {
    let world = &simulator.world;
    let page = params.page(50, 500)?;
    let health = simulator.all_health();
    let found: Vec<&Device> = managed(world)
        .filter(|device| {
            params.passes("deviceRole", device.role.name())
                && health.get(device.index).is_some_and(|health| params.passes("health", health.word()))
        })
        .filter(|device| {
            params
                .get("siteId")
                .is_none_or(|id| world.site_of(device).is_some_and(|site| site.id_hierarchy.contains(id)))
        })
        .collect();
    let total = found.len();
    let issues = simulator.all_issues();
    let rows: Vec<Value> = page
        .of(found)
        .into_iter()
        .map(|device| {
            let health = world.health(device);
            let reach = world.reachability(device);
            json!({
                "name": world.hostname(device), "model": device.platform.type_name, "uuid": device.id, "ipAddress": device.management_ip.to_string(),
                "macAddress": device.mac_text().to_uppercase(), "deviceType": device.platform.type_name, "deviceFamily": category(device).to_uppercase(),
                "osVersion": device.software_version, "overallHealth": health.overall, "issueCount": issues.iter().filter(|issue| issue.device == device.index).count(),
                "reachabilityHealth": if reach == Reachability::Unreachable { "UNREACHABLE" } else { "REACHABLE" },
                "cpuUtilization": health.cpu_percent, "cpuUlitilization": health.cpu_percent, "cpuHealth": if health.cpu_percent > 80 { 5 } else { 10 },
                "memoryUtilization": health.memory_percent, "memoryUtilizationHealth": 10, "interDeviceLinkAvailHealth": 10,
                "location": world.site_of(device).map(|site| site.name_hierarchy.clone()), "clientCount": Value::Null,
            })
        })
        .collect();
    bare(json!({ "version": "1.0", "totalCount": total, "response": rows }))
}

async fn device_detail(State(simulator): State<Shared>, params: Params) -> Answer {
    let world = &simulator.world;
    let (Some(identifier), Some(wanted)) = (params.get("identifier"), params.get("searchBy")) else {
        return Err(Fail::bad("Parameters identifier and searchBy are required"));
    };
    let index = &simulator.inventory;
    let found = match identifier {
        "uuid" => crate::devices::find(world, wanted).ok(),
        "macAddress" => index.by_mac(world, wanted),
        "nwDeviceName" => index.by_hostname(world, wanted),
        _ => None,
    };
    let device = found.ok_or_else(|| Fail::missing(format!("No device found for {identifier} {wanted}")))?;
    let health = world.health(device);
    let site = world.site_of(device);
    let boot = simulator.now_ms() - world.uptime_s(device) * 1000;
    enveloped(json!({
        "nwDeviceId": device.id, "nwDeviceName": world.hostname(device), "managementIpAddr": device.management_ip.to_string(),
        "macAddress": device.mac_text().to_uppercase(), "nwDeviceFamily": device.platform.family.name(), "nwDeviceRole": device.role.name(),
        "nwDeviceType": device.platform.type_name, "platformId": device.platform_text(), "softwareVersion": device.software_version,
        "osType": device.os().name(), "serialNumber": device.serial_text(), "deviceSeries": device.platform.series,
        "overallHealth": health.overall, "cpu": format!("{}.0", health.cpu_percent), "memory": format!("{}.0", health.memory_percent),
        "cpuScore": if health.cpu_percent > 80 { 5 } else { 10 }, "memoryScore": 10, "haStatus": if device.members.len() > 1 { "SSO" } else { "Non-redundant" },
        "communicationState": if world.reachability(device) == Reachability::Unreachable { "UNREACHABLE" } else { "REACHABLE" },
        "collectionStatus": "SUCCESS", "lastBootTime": boot.to_string(), "timestamp": simulator.now_ms().to_string(),
        "location": site.map(|site| site.name_hierarchy.clone()), "tagIdList": [], "maintenanceMode": false, "errorCode": Value::Null,
        "ringStatus": false, "stackType": if device.members.len() > 1 { "STACKWISE" } else { "NA" }, "redundancyMode": "SSO",
    }))
}
