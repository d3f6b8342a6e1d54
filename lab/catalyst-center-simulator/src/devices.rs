//! The inventory: lists with filters, counts, single devices, running configurations, resync.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{get, put};
use serde_json::{Value, json};
use uuid::Uuid;
use world::{Device, Family, Os, Reachability, World};

use crate::query::Params;
use crate::reply::{Answer, Fail, accepted, enveloped};
use crate::simulator::{Shared, Simulator};

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/dna/intent/api/v1/network-device", get(list))
        .route("/dna/intent/api/v1/network-device/count", get(count))
        .route("/dna/intent/api/v1/network-device/sync", put(resync))
        .route("/dna/intent/api/v1/network-device/ip-address/{address}", get(by_address))
        .route("/dna/intent/api/v1/network-device/serial-number/{serial}", get(by_serial))
        .route("/dna/intent/api/v1/network-device/{id}", get(one))
        .route("/dna/intent/api/v1/network-device/{id}/config", get(config))
        .route("/dna/intent/api/v1/network-device/{start}/{count}", get(range))
        .route("/dna/intent/api/v1/networkDevices", get(modern_list))
        .route("/dna/intent/api/v1/networkDevices/count", get(modern_count))
        .route("/dna/intent/api/v1/networkDevices/{id}", get(modern_one))
}

/// The device with this id, or the controller's refusal.
pub(crate) fn find<'a>(world: &'a World, id: &str) -> Result<&'a Device, Fail> {
    Uuid::parse_str(id)
        .ok()
        .and_then(|id| world.device(id))
        .filter(|device| device.managed_by_controller())
        .ok_or_else(|| Fail::missing(format!("No resource found with id: {id}")))
}

/// Everything that names a device, for faults.
pub(crate) fn names(world: &World, device: &Device) -> Vec<String> {
    let mut names =
        vec![device.id.to_string(), world.hostname(device), device.management_ip.to_string(), device.serial_text()];
    names.extend(device.members.iter().map(|member| member.serial.clone()));
    names
}

/// Seconds as the inventory writes them: `11 days, 9:35:00.00`.
fn uptime_text(seconds: i64) -> String {
    let (days, hours, minutes, rest) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let clock = format!("{hours}:{minutes:02}:{rest:02}.00");
    match days {
        0 => clock,
        1 => format!("1 day, {clock}"),
        _ => format!("{days} days, {clock}"),
    }
}

/// `2025-04-02 11:04:10`.
pub(crate) fn time_text(ms: i64) -> String {
    let time = jiff::Timestamp::from_millisecond(ms).unwrap_or_default();
    time.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

fn error_of(reach: Reachability, point: bool) -> (Value, Value, &'static str) {
    match (reach, point) {
        (_, true) => (json!("null"), Value::Null, "Managed"),
        (Reachability::Reachable, _) => (Value::Null, Value::Null, "Managed"),
        (Reachability::PingReachable, _) => (
            json!("ERROR-CONNECTION-CLOSED"),
            json!(
                "NCIM12013: SNMP timeouts are occurring with this device. Either the SNMP credentials are not correctly provided to the controller or the device is responding slow and snmp timeout is low."
            ),
            "Partial Collection Failure",
        ),
        (Reachability::Unreachable, _) => (
            json!("DEV-UNREACHED"),
            json!(
                "NCIM12013: SNMP timeouts are occurring with this device. Either the SNMP credentials are not correctly provided to the controller or the device is responding slow and snmp timeout is low."
            ),
            "Could Not Synchronize",
        ),
    }
}

/// What the device says of itself over SNMP.
fn description(device: &Device) -> String {
    let (image, version) = (device.platform.image, device.software_version);
    match device.os() {
        Os::IosXe => {
            format!("Cisco IOS Software [Cupertino], {image} Software, Version {version}, RELEASE SOFTWARE (fc3)")
        }
        Os::NxOs => format!("Cisco NX-OS(tm) {image}, Software (nxos64-cs), Version {version}, RELEASE SOFTWARE"),
        Os::IosXr => format!("Cisco IOS XR Software ({image}), Version {version}"),
        Os::Asa => format!("Cisco Adaptive Security Appliance Version {version}"),
    }
}

/// The row of the inventory.
pub(crate) fn row(world: &World, device: &Device) -> Value {
    let reach = world.reachability(device);
    let point = device.platform.family == Family::AccessPoint;
    let (error_code, error_description, collection) = error_of(reach, point);
    let uptime = world.uptime_s(device);
    let collected = world.collected_at_ms(device);
    let boot = world.now().as_millisecond() - uptime * 1000;
    let wlc = device.controller.and_then(|at| world.devices().get(at)).map(|wlc| wlc.management_ip.to_string());
    let cards = device.members.len();
    let ports: usize = device.platform.ports.iter().map(|group| usize::from(group.count)).sum();
    let down = reach == Reachability::Unreachable;
    let mut row = json!({
        "id": device.id, "instanceUuid": device.id, "instanceTenantId": "5f6b7c8d9e0f1a2b3c4d5e6e",
        "hostname": world.hostname(device), "managementIpAddress": device.management_ip.to_string(),
        "dnsResolvedManagementAddress": device.management_ip.to_string(),
        "macAddress": device.mac_text(), "serialNumber": device.serial_text(), "platformId": device.platform_text(),
        "type": device.platform.type_name, "series": device.platform.series, "family": device.platform.family.name(),
        "role": device.role.name(), "roleSource": "AUTO",
        "softwareType": if point { Value::Null } else { json!(device.os().name()) },
        "softwareVersion": device.software_version,
        "reachabilityStatus": reach.name(), "collectionStatus": collection,
        "reachabilityFailureReason": if down { "SNMP Connectivity Failed" } else { "" },
        "upTime": uptime_text(uptime), "uptimeSeconds": uptime,
        "lastUpdated": time_text(collected), "lastUpdateTime": collected,
        "bootDateTime": time_text(boot),
        "errorCode": error_code, "errorDescription": error_description,
    });
    let more = json!({
        "inventoryStatusDetail": if point { "NA".to_owned() } else { format!("<status><general code=\"{}\"/></status>", if down { "DEV_UNREACHED" } else { "SUCCESS" }) },
        "managementState": "Managed", "deviceSupportLevel": "Supported", "collectionInterval": "Global Default",
        "interfaceCount": if point { "0".to_owned() } else { (ports * cards).to_string() },
        "lineCardCount": if point { "0".to_owned() } else { cards.to_string() },
        "lineCardId": "", "tagCount": "0", "tunnelUdpPort": if point { json!("16666") } else { Value::Null },
        "associatedWlcIp": wlc.unwrap_or_default(), "apManagerInterfaceIp": "", "apEthernetMacAddress": if point { json!(device.mac_text()) } else { Value::Null },
        "snmpContact": "", "snmpLocation": "", "location": Value::Null, "locationName": Value::Null,
        "memorySize": if point { "NA" } else { "1889584" }, "waasDeviceMode": Value::Null, "vendor": "Cisco",
        "description": if point { Value::Null } else { json!(description(device)) },
        "lastDeviceResyncStartTime": time_text(collected - 20_000), "lastManagedResyncReasons": "Periodic",
        "managedAtleastOnce": true, "syncRequestedByApp": "", "reasonsForDeviceResync": "Periodic", "reasonsForPendingSyncRequests": "",
        "pendingSyncRequestsCount": "0",
    });
    if let (Value::Object(row), Value::Object(more)) = (&mut row, more) {
        row.extend(more);
    }
    row
}

/// The devices that pass the filters of the query, in order, without their rows: rows cost more than filters.
fn matching<'a>(world: &'a World, params: &Params) -> Vec<&'a Device> {
    let ids = params.all("id");
    world
        .managed()
        .filter(|device| {
            let reach = world.reachability(device);
            let point = device.platform.family == Family::AccessPoint;
            let (error, _, collection) = error_of(reach, point);
            let site = world.site_of(device).map_or("", |site| site.name_hierarchy.as_str());
            let wlc = device.controller.and_then(|at| world.devices().get(at)).map(|wlc| wlc.management_ip.to_string());
            (ids.is_empty() || ids.iter().any(|id| device.id.to_string() == *id))
                && params.passes("hostname", &world.hostname(device))
                && params.passes("managementIpAddress", &device.management_ip.to_string())
                && params.passes("macAddress", &device.mac_text())
                && (params.passes("serialNumber", &device.serial_text())
                    || device.members.iter().any(|member| params.passes("serialNumber", &member.serial)))
                && params.passes("family", device.platform.family.name())
                && params.passes("type", device.platform.type_name)
                && params.passes("series", device.platform.series)
                && params.passes("role", device.role.name())
                && params.passes("platformId", &device.platform_text())
                && params.passes("softwareType", if point { "" } else { device.os().name() })
                && params.passes("softwareVersion", device.software_version)
                && params.passes("reachabilityStatus", reach.name())
                && params.passes("collectionStatus", collection)
                && params.passes("errorCode", error.as_str().unwrap_or_default())
                && params.passes("associatedWlcIp", wlc.as_deref().unwrap_or_default())
                && params.passes("locationName", site)
        })
        .collect()
}

async fn list(State(simulator): State<Shared>, params: Params) -> Answer {
    let page = params.page(500, 500)?;
    let world = &simulator.world;
    let ids = params.all("id");
    if !ids.is_empty() {
        // An id that is not there yields a null row.
        let rows = page.of(ids).into_iter().map(|id| find(world, id).map_or(Value::Null, |device| row(world, device)));
        return enveloped(rows.collect::<Vec<_>>());
    }
    enveloped(page.of(matching(world, &params)).into_iter().map(|device| row(world, device)).collect::<Vec<_>>())
}

async fn count(State(simulator): State<Shared>, params: Params) -> Answer {
    enveloped(matching(&simulator.world, &params).len())
}

async fn range(State(simulator): State<Shared>, Path((start, count)): Path<(String, String)>) -> Answer {
    let (Ok(start), Ok(count)) = (start.parse::<usize>(), count.parse::<usize>()) else {
        return Err(Fail::bad("Start index and number of records must be integers"));
    };
    if start < 1 || !(1..=500).contains(&count) {
        return Err(Fail::bad("Start index begins at 1, and at most 500 records are returned"));
    }
    let rows = simulator.world.managed().skip(start - 1).take(count);
    enveloped(rows.map(|device| row(&simulator.world, device)).collect::<Vec<_>>())
}

async fn one(State(simulator): State<Shared>, Path(id): Path<String>) -> Answer {
    enveloped(row(&simulator.world, find(&simulator.world, &id)?))
}

async fn by_address(State(simulator): State<Shared>, Path(address): Path<String>) -> Answer {
    let found = simulator.world.managed().find(|device| device.management_ip.to_string() == address);
    let device = found.ok_or_else(|| Fail::missing(format!("No resource found with ip address: {address}")))?;
    enveloped(row(&simulator.world, device))
}

async fn by_serial(State(simulator): State<Shared>, Path(serial): Path<String>) -> Answer {
    let found = simulator
        .world
        .managed()
        .find(|device| device.serial_text() == serial || device.members.iter().any(|member| member.serial == serial));
    let device = found.ok_or_else(|| Fail::missing(format!("No resource found with serial number: {serial}")))?;
    enveloped(row(&simulator.world, device))
}

async fn config(State(simulator): State<Shared>, Path(id): Path<String>) -> Answer {
    let device = find(&simulator.world, &id)?;
    if !device.has_configuration() {
        return Err(Fail::missing(format!("No running configuration found for device {id}")));
    }
    enveloped(simulator.world.collected_text(device))
}

async fn resync(State(simulator): State<Shared>, body: axum::body::Bytes) -> Answer {
    let ids: Vec<String> = serde_json::from_slice(&body).map_err(|error| Fail::bad(error.to_string()))?;
    for id in &ids {
        find(&simulator.world, id)?;
    }
    let task = simulator.start_task("Inventory service", "Synchronization of devices", false)?;
    let worker = Arc::clone(&simulator);
    tokio::spawn(async move {
        worker.pause(worker.pace.start_ms).await;
        let result = collect(&worker, &ids);
        worker.end_task_logged(task, "Synced devices", None, result.err().map(|fail| format!("{fail:?}")));
    });
    accepted(task)
}

fn collect(simulator: &Simulator, ids: &[String]) -> Result<(), Fail> {
    for id in ids {
        let device = find(&simulator.world, id)?;
        if simulator.world.reachability(device) == Reachability::Reachable {
            simulator.world.collect(device)?;
        }
    }
    Ok(())
}

fn modern(world: &World, device: &Device) -> Value {
    let reach = match world.reachability(device) {
        Reachability::Reachable => "REACHABLE",
        Reachability::PingReachable => "ONLY_PING_REACHABLE",
        Reachability::Unreachable => "UNREACHABLE",
    };
    json!({
        "id": device.id, "managementAddress": device.management_ip.to_string(), "dnsResolvedManagementIpAddress": device.management_ip.to_string(),
        "hostname": world.hostname(device), "macAddress": device.mac_text(),
        "serialNumbers": device.members.iter().map(|member| member.serial.clone()).collect::<Vec<_>>(),
        "type": device.platform.type_name, "family": device.platform.family.name(), "series": device.platform.series,
        "status": "MANAGED", "platformIds": device.members.iter().map(|_| device.platform.id).collect::<Vec<_>>(),
        "softwareType": device.os().name(), "softwareVersion": device.software_version, "vendor": "Cisco",
        "stackDevice": device.members.len() > 1, "bootTime": world.now().as_millisecond() - world.uptime_s(device) * 1000,
        "role": device.role.name().replace(' ', "_"), "roleSource": "AUTO",
        "reachabilityStatus": reach, "managementState": "MANAGED",
    })
}

fn modern_matching<'a>(world: &'a World, params: &Params) -> Vec<&'a Device> {
    let ids = params.all("id");
    world
        .managed()
        .filter(|device| {
            (ids.is_empty() || ids.iter().any(|id| device.id.to_string() == *id))
                && params.passes("managementAddress", &device.management_ip.to_string())
                && (params.get("serialNumber").is_none()
                    || device.members.iter().any(|member| params.passes("serialNumber", &member.serial)))
                && params.passes("family", device.platform.family.name())
                && params.passes("role", &device.role.name().replace(' ', "_"))
        })
        .collect()
}

async fn modern_list(State(simulator): State<Shared>, params: Params) -> Answer {
    let page = params.page(500, 500)?;
    let rows = page.of(modern_matching(&simulator.world, &params));
    enveloped(rows.into_iter().map(|device| modern(&simulator.world, device)).collect::<Vec<_>>())
}

async fn modern_count(State(simulator): State<Shared>, params: Params) -> Answer {
    enveloped(json!({ "count": modern_matching(&simulator.world, &params).len() }))
}

async fn modern_one(State(simulator): State<Shared>, Path(id): Path<String>) -> Answer {
    enveloped(modern(&simulator.world, find(&simulator.world, &id)?))
}
