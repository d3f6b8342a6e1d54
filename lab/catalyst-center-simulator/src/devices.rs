//! The inventory: lists with filters, counts, single devices, running configurations, resync.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::routing::{get, put};
use serde_json::{Value, json};
use uuid::Uuid;
use world::{Device, Family, Os, Reachability, Unusable, World};

use crate::effects::Origin;
use crate::inventory::{is_managed, managed};
use crate::query::{Filter, Params};
use crate::reply::{Answer, Fail, accepted, enveloped, enveloped_texts, joined};
use crate::simulator::{Shared, Simulator};

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/dna/intent/api/v1/network-device", get(list))
        .route("/dna/intent/api/v1/network-device/count", get(count))
        .route("/dna/intent/api/v1/network-device/sync", put(resync))
        .route("/dna/intent/api/v1/network-device/brief", put(change_role))
        .route("/dna/intent/api/v1/network-device/config", get(all_configs))
        .route("/dna/intent/api/v1/network-device/config/count", get(count_configs))
        .route("/dna/intent/api/v1/network-device/ip-address/{address}", get(by_address))
        .route("/dna/intent/api/v1/network-device/serial-number/{serial}", get(by_serial))
        .route("/dna/intent/api/v1/network-device/{id}", get(one))
        .route("/dna/intent/api/v1/network-device/{id}/config", get(config))
        .route("/dna/intent/api/v1/network-device/{start}/{count}", get(range))
}

/// The device with this id, or the controller's refusal.
pub(crate) fn find<'a>(world: &'a World, id: &str) -> Result<&'a Device, Fail> {
    Uuid::parse_str(id)
        .ok()
        .and_then(|id| world.device(id))
        .filter(|device| is_managed(device))
        .ok_or_else(|| Fail::missing(format!("No resource found with id: {id}")))
}

/// Everything that names a device, for faults.
pub(crate) fn names(world: &World, device: &Device) -> Vec<String> {
    let mut names =
        vec![device.id.to_string(), world.hostname(device), device.management_ip.to_string(), device.serial_text()];
    names.extend(device.members.iter().map(|member| member.serial.clone()));
    names
}

/// Why nothing could be sent to a device, as the controller words it.
pub(crate) fn failure_text(world: &World, device: &Device, error: &Unusable) -> String {
    match error {
        Unusable::Unreachable if world.reachability(device) == Reachability::PingReachable => {
            format!("NCIM12024: SSH connection to the device {} was closed by the remote host", device.management_ip)
        }
        Unusable::Unreachable => {
            format!("NCIM12013: Device {} is not reachable: connection timed out", device.management_ip)
        }
        Unusable::NotConfigurable => format!("NCIM12008: Device {} takes no configuration", device.id),
        Unusable::State(error) => format!("NCIM00000: {error}"),
    }
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
pub(crate) fn row(simulator: &Simulator, device: &Device) -> Value {
    let world = &simulator.world;
    let (role, role_source) = simulator.role(device);
    let reach = world.reachability(device);
    let point = device.platform.family == Family::AccessPoint;
    let (error_code, error_description, collection) = error_of(reach, point);
    let collected = world.collected_at_ms(device);
    // As the controller read it, not as it is now.
    let boot = world.booted_at_ms(device);
    let uptime = (collected - boot).max(0) / 1000;
    let wlc = device.controller.and_then(|at| world.devices().get(at)).map(|wlc| wlc.management_ip.to_string());
    let cards = device.members.len();
    let ports: usize = device.platform.ports.iter().map(|group| usize::from(group.count)).sum();
    let down = reach == Reachability::Unreachable;
    let row = json!({
        "id": device.id, "instanceUuid": device.id, "instanceTenantId": "5f6b7c8d9e0f1a2b3c4d5e6e",
        "hostname": world.hostname(device), "managementIpAddress": device.management_ip.to_string(),
        "dnsResolvedManagementAddress": device.management_ip.to_string(),
        "macAddress": device.mac_text(), "serialNumber": device.serial_text(), "platformId": device.platform_text(),
        "type": device.platform.type_name, "series": device.platform.series, "family": device.platform.family.name(),
        "role": role, "roleSource": role_source,
        "softwareType": if point { Value::Null } else { json!(software_type(device)) },
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
    joined(row, more)
}

/// The devices that one exact name may mean, instead of a walk over all.
fn candidates<'a>(simulator: &'a Simulator, params: &Params) -> Option<Vec<&'a Device>> {
    let (world, index) = (&simulator.world, &simulator.inventory);
    let exact = |key: &str, find: &dyn Fn(&str) -> Option<&'a Device>| {
        params.exact(key).and_then(find).map(|device| vec![device])
    };
    if params.get("id").is_some() {
        let ids = params.all("id").into_iter();
        return Some(ids.filter_map(|id| find(world, id).ok()).collect());
    }
    exact("serialNumber", &|text| index.by_serial(world, text))
        .or_else(|| exact("managementIpAddress", &|text| index.by_address(world, text)))
        .or_else(|| exact("macAddress", &|text| index.by_mac(world, text)))
        .or_else(|| exact("hostname", &|text| index.by_hostname(world, text)))
}

/// The text filters of the list.
const FILTERS: [&str; 16] = [
    "hostname",
    "managementIpAddress",
    "macAddress",
    "serialNumber",
    "family",
    "type",
    "series",
    "role",
    "platformId",
    "softwareType",
    "softwareVersion",
    "reachabilityStatus",
    "collectionStatus",
    "errorCode",
    "associatedWlcIp",
    "locationName",
];

/// Positions of the devices that pass the filters of the query, in order, without their rows: rows cost more than filters.
fn matching(simulator: &Simulator, params: &Params) -> Arc<[usize]> {
    let filters = params.filters(&FILTERS);
    let passes = |device: &&Device| filters.iter().all(|filter| passes(simulator, filter, device));
    let index = |device: &Device| device.index;
    if let Some(few) = candidates(simulator, params) {
        return few.into_iter().filter(passes).map(index).collect();
    }
    let all = || managed(&simulator.world).filter(passes).map(index).collect();
    // Which site a device is at changes beside the generation of the world.
    if params.get("locationName").is_some() {
        return all();
    }
    simulator.found(&format!("{filters:?}"), all)
}

fn passes(simulator: &Simulator, filter: &Filter, device: &Device) -> bool {
    let world = &simulator.world;
    let status = || error_of(world.reachability(device), device.platform.family == Family::AccessPoint);
    match filter.key {
        "hostname" if !world.is_edited(device) => filter.passes(&device.hostname),
        "hostname" => filter.passes(&world.hostname(device)),
        "managementIpAddress" => filter.passes(&device.management_ip.to_string()),
        "macAddress" => filter.passes(&device.mac_text()),
        "serialNumber" => {
            filter.passes(&device.serial_text()) || device.members.iter().any(|member| filter.passes(&member.serial))
        }
        "family" => filter.passes(device.platform.family.name()),
        "type" => filter.passes(device.platform.type_name),
        "series" => filter.passes(device.platform.series),
        "role" => filter.passes(&simulator.role(device).0),
        "platformId" => filter.passes(&device.platform_text()),
        "softwareType" => filter.passes(software_type(device)),
        "softwareVersion" => filter.passes(device.software_version),
        "reachabilityStatus" => filter.passes(world.reachability(device).name()),
        "collectionStatus" => filter.passes(status().2),
        "errorCode" => filter.passes(status().0.as_str().unwrap_or_default()),
        "associatedWlcIp" => {
            let wlc = device.controller.and_then(|at| world.devices().get(at)).map(|wlc| wlc.management_ip.to_string());
            filter.passes(&wlc.unwrap_or_default())
        }
        _ => filter.passes(&simulator.site_name(device)),
    }
}

/// `IOS-XE` and its siblings; access points have none.
pub(crate) fn software_type(device: &Device) -> &'static str {
    if device.platform.family == Family::AccessPoint { "" } else { device.os().name() }
}

async fn list(State(simulator): State<Shared>, params: Params) -> Answer {
    let page = params.page(500, 500)?;
    let ids = params.all("id");
    if !ids.is_empty() {
        // An id that is not there yields a null row.
        let found = |id| find(&simulator.world, id).map_or_else(|_| "null".into(), |device| simulator.row_text(device));
        return enveloped_texts(&page.of(ids).into_iter().map(found).collect::<Vec<_>>());
    }
    let found = matching(&simulator, &params);
    let rows = page.of(found.iter().filter_map(|at| simulator.world.devices().get(*at)));
    enveloped_texts(&rows.into_iter().map(|device| simulator.row_text(device)).collect::<Vec<_>>())
}

async fn count(State(simulator): State<Shared>, params: Params) -> Answer {
    enveloped(matching(&simulator, &params).len())
}

async fn range(State(simulator): State<Shared>, Path((start, count)): Path<(String, String)>) -> Answer {
    let (Ok(start), Ok(count)) = (start.parse::<usize>(), count.parse::<usize>()) else {
        return Err(Fail::bad("Start index and number of records must be integers"));
    };
    if start < 1 || !(1..=500).contains(&count) {
        return Err(Fail::bad("Start index begins at 1, and at most 500 records are returned"));
    }
    let rows = managed(&simulator.world).skip(start - 1).take(count);
    enveloped_texts(&rows.map(|device| simulator.row_text(device)).collect::<Vec<_>>())
}

async fn one(State(simulator): State<Shared>, Path(id): Path<String>) -> Answer {
    enveloped(row(&simulator, find(&simulator.world, &id)?))
}

async fn by_address(State(simulator): State<Shared>, Path(address): Path<String>) -> Answer {
    let found = simulator.inventory.by_address(&simulator.world, &address);
    let device = found.ok_or_else(|| Fail::missing(format!("No resource found with ip address: {address}")))?;
    enveloped(row(&simulator, device))
}

async fn by_serial(State(simulator): State<Shared>, Path(serial): Path<String>) -> Answer {
    let found = simulator.inventory.by_serial(&simulator.world, &serial);
    let device = found.ok_or_else(|| Fail::missing(format!("No resource found with serial number: {serial}")))?;
    enveloped(row(&simulator, device))
}

async fn config(State(simulator): State<Shared>, Path(id): Path<String>) -> Answer {
    let device = find(&simulator.world, &id)?;
    if !device.has_configuration() {
        return Err(Fail::missing(format!("No running configuration found for device {id}")));
    }
    enveloped(simulator.world.collected_text(device))
}

/// Every stored copy at once; the controller limits this old call to few devices a page.
async fn all_configs(State(simulator): State<Shared>, params: Params) -> Answer {
    let page = params.page(25, 25)?;
    let devices = page.of(managed(&simulator.world).filter(|device| device.has_configuration()));
    let rows = devices.into_iter().map(|device| {
        json!({
            "id": device.id, "instanceUuid": device.id, "deviceId": device.id, "attributeInfo": {}, "cdpNeighbors": "",
            "runningConfig": simulator.world.collected_text(device), "healthMonitor": "", "intfDescription": "",
            "inventory": "", "ipIntfBrief": "", "macAddressTable": "", "snmp": "", "version": "",
        })
    });
    enveloped(rows.collect::<Vec<_>>())
}

async fn count_configs(State(simulator): State<Shared>) -> Answer {
    enveloped(managed(&simulator.world).filter(|device| device.has_configuration()).count())
}

async fn resync(State(simulator): State<Shared>, headers: HeaderMap, body: axum::body::Bytes) -> Answer {
    let ids: Vec<String> = serde_json::from_slice(&body).map_err(|error| Fail::bad(error.to_string()))?;
    let devices = ids.iter().map(|id| find(&simulator.world, id)).collect::<Result<Vec<&Device>, Fail>>()?;
    let origin = Origin::new("PUT", "/dna/intent/api/v1/network-device/sync", "resync", &headers);
    let task = simulator.start_work(&origin, &devices, "Inventory service", "Synchronization of devices")?;
    let ids: Vec<Uuid> = devices.iter().map(|device| device.id).collect();
    let worker = Arc::clone(&simulator);
    tokio::spawn(async move {
        worker.pause(worker.pace().start_ms).await;
        let result = worker.read_again(&ids, &origin);
        worker.end_task_logged(task, "Synced devices", None, result.err().map(|error| error.to_string()));
    });
    accepted(task)
}

/// Where roles are kept that somebody set, by device.
pub(crate) const ROLES: &str = "device_role";

impl Simulator {
    /// The controller reads devices; a fault may keep its copy old.
    fn read_again(&self, ids: &[Uuid], origin: &Origin) -> platform::Result<()> {
        for device in ids.iter().filter_map(|id| self.world.device(*id)) {
            let stale = self.effects(origin, device).bend.keep_copy;
            if !stale && self.world.reachability(device) == Reachability::Reachable {
                self.world.collect(device)?;
                self.forget_startup(device)?;
            }
        }
        Ok(())
    }

    /// Role and its source: what somebody set, else what the layout says.
    pub(crate) fn role(&self, device: &Device) -> (String, &'static str) {
        match self.remembered.roles(&self.world).get(&device.id) {
            Some(role) => (role.clone(), "MANUAL"),
            None => (device.role.name().to_owned(), "AUTO"),
        }
    }
}

async fn change_role(State(simulator): State<Shared>, headers: HeaderMap, body: axum::body::Bytes) -> Answer {
    let body: Value = serde_json::from_slice(&body).map_err(|error| Fail::bad(error.to_string()))?;
    let field = |key: &str| body.get(key).and_then(Value::as_str).unwrap_or_default();
    let (device, role) = (find(&simulator.world, field("id"))?, field("role"));
    if !["ACCESS", "DISTRIBUTION", "CORE", "BORDER ROUTER", "UNKNOWN"].contains(&role) {
        return Err(Fail::bad(format!("Invalid role {role}")));
    }
    let origin = Origin::new("PUT", "/dna/intent/api/v1/network-device/brief", "device_role", &headers);
    let told = format!("Device role was successfully updated to {role} for {}", device.management_ip);
    let task = simulator.start_work(&origin, &[device], "Inventory service", &told)?;
    let key = device.id.to_string();
    if simulator.effects_on_objects(&origin).keeps(0, 1) {
        match field("roleSource") {
            "AUTO" => simulator.world.remove_document(ROLES, &key)?,
            _ => simulator.world.put_document(ROLES, &key, json!(role))?,
        }
        simulator.remembered.forget_rows();
    }
    simulator.end_task(task, &told, None, None)?;
    accepted(task)
}
