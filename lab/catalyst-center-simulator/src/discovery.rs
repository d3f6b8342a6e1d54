//! Discovery: which devices of the world answer at the addresses of a range. What is found is in the inventory already.
//!
//! Credentials of a request are read past and never kept.

use std::net::Ipv4Addr;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::routing::{get, post};
use serde_json::{Map, Value, json};
use world::{Device, Reachability};

use crate::devices;
use crate::effects::Origin;
use crate::inventory::managed;
use crate::query::Params;
use crate::reply::{Answer, Fail, accepted, enveloped, joined};
use crate::simulator::{Shared, Simulator};

const BASE: &str = "/dna/intent/api/v1/discovery";
const SPACE: &str = "discovery";

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route(BASE, post(start).put(change).delete(remove_all))
        .route(&format!("{BASE}/count"), get(count))
        .route("/dna/intent/api/v1/discoverys", post(start).get(list))
        .route(&format!("{BASE}/{{id}}"), get(one).delete(remove))
        .route(&format!("{BASE}/{{id}}/job"), get(jobs))
        .route(&format!("{BASE}/{{id}}/summary"), get(summary))
        .route(&format!("{BASE}/{{id}}/network-device"), get(found))
        .route(&format!("{BASE}/{{id}}/network-device/count"), get(count_found))
        .route(&format!("{BASE}/{{id}}/network-device/{{start}}/{{count}}"), get(found_range))
        .route(&format!("{BASE}/{{id}}/{{count}}"), get(range))
}

/// The addresses that a list names: `a`, `a-b`, `a/24`, several with commas.
fn ranges(list: &str) -> Result<Vec<(u32, u32)>, Fail> {
    let bad = |part: &str| Fail::bad(format!("NCND00050: Invalid ipAddressList: {part}"));
    list.split(',')
        .map(|part| {
            let part = part.trim();
            let address = |text: &str| text.trim().parse::<Ipv4Addr>().map(u32::from).map_err(|_| bad(part));
            if let Some((low, high)) = part.split_once('-') {
                let (low, high) = (address(low)?, address(high)?);
                if low > high || high - low > 4096 { Err(bad(part)) } else { Ok((low, high)) }
            } else if let Some((base, length)) = part.split_once('/') {
                let length =
                    length.parse::<u32>().ok().filter(|length| (20..=32).contains(length)).ok_or_else(|| bad(part))?;
                let size = 1_u32 << (32 - length);
                let base = address(base)? & !(size - 1);
                Ok((base, base + (size - 1)))
            } else {
                address(part).map(|one| (one, one))
            }
        })
        .collect()
}

fn in_ranges<'a>(simulator: &'a Simulator, ranges: &[(u32, u32)]) -> Vec<&'a Device> {
    managed(&simulator.world)
        .filter(|device| {
            let address = u32::from(device.management_ip);
            ranges.iter().any(|(low, high)| (*low..=*high).contains(&address))
        })
        .collect()
}

async fn start(State(simulator): State<Shared>, headers: HeaderMap, body: Bytes) -> Answer {
    let body: Map<String, Value> = serde_json::from_slice(&body).map_err(|error| Fail::bad(error.to_string()))?;
    let text = |key: &str| body.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (name, kind, list) = (text("name"), text("discoveryType"), text("ipAddressList"));
    if name.is_empty() || list.is_empty() {
        return Err(Fail::bad("name and ipAddressList are required"));
    }
    let kind = if kind.is_empty() { "SINGLE".to_owned() } else { kind.to_uppercase() };
    if !["SINGLE", "RANGE", "MULTI RANGE", "CDP", "LLDP", "CIDR"].contains(&kind.as_str()) {
        return Err(Fail::bad(format!("Invalid discoveryType {kind}")));
    }
    ranges(&list)?;
    let number =
        simulator.world.document_keys(SPACE).iter().filter_map(|key| key.parse::<u64>().ok()).max().unwrap_or(0) + 1;
    let row = json!({
        "id": number.to_string(), "name": name, "discoveryType": kind, "ipAddressList": list, "discoveryCondition": "In Progress",
        "discoveryStatus": "Active", "numDevices": 0, "deviceIds": "", "protocolOrder": text("protocolOrder"), "retryCount": 3, "timeOut": 5,
        "cdpLevel": body.get("cdpLevel"), "lldpLevel": body.get("lldpLevel"), "globalCredentialIdList": body.get("globalCredentialIdList").cloned().unwrap_or_else(|| json!([])),
        "isAutoCdp": false, "preferredMgmtIPMethod": "None", "snmpVersion": text("snmpVersion"), "parentDiscoveryId": "", "updateMgmtIp": false, "attributeInfo": {},
    });
    simulator.world.put_document(SPACE, &number.to_string(), row)?;
    let origin = Origin::new("POST", BASE, "discovery", &headers);
    let task = simulator.start_work(&origin, &[], "NCND", &number.to_string())?;
    tokio::spawn(async move {
        simulator.pause(simulator.pace().start_ms + simulator.pace().least_ms).await;
        let error = simulator.discover(&number.to_string()).err().map(|fail| format!("{fail:?}"));
        simulator.end_task_logged(task, &number.to_string(), None, error);
    });
    accepted(task)
}

impl Simulator {
    fn discover(&self, id: &str) -> Result<(), Fail> {
        let mut row = self.discovery(id)?;
        let devices = discovered(self, &row)?;
        let answering: Vec<String> = devices
            .iter()
            .filter(|device| self.world.reachability(device) == Reachability::Reachable)
            .map(|device| device.id.to_string())
            .collect();
        if let Value::Object(row) = &mut row {
            row.insert("discoveryCondition".to_owned(), json!("Complete"));
            row.insert("discoveryStatus".to_owned(), json!("Inactive"));
            row.insert("numDevices".to_owned(), json!(answering.len()));
            row.insert("deviceIds".to_owned(), json!(answering.join(", ")));
        }
        Ok(self.world.put_document(SPACE, id, row)?)
    }

    fn discovery(&self, id: &str) -> Result<Value, Fail> {
        self.world
            .document(SPACE, id)
            .ok_or_else(|| Fail::missing(format!("NCND00001: No discovery found with id: {id}")))
    }
}

fn discovered<'a>(simulator: &'a Simulator, row: &Value) -> Result<Vec<&'a Device>, Fail> {
    Ok(in_ranges(simulator, &ranges(row["ipAddressList"].as_str().unwrap_or_default())?))
}

/// The devices that a finished discovery found.
fn kept<'a>(simulator: &'a Simulator, id: &str) -> Result<Vec<&'a Device>, Fail> {
    let row = simulator.discovery(id)?;
    let ids = row["deviceIds"].as_str().unwrap_or_default().split(", ").filter(|id| !id.is_empty());
    ids.map(|id| devices::find(&simulator.world, id)).collect()
}

async fn one(State(simulator): State<Shared>, Path(id): Path<String>) -> Answer {
    enveloped(simulator.discovery(&id)?)
}

fn rows(simulator: &Simulator) -> Vec<Value> {
    let mut rows = simulator.world.documents(SPACE);
    rows.sort_by_key(|(key, _)| key.parse::<u64>().unwrap_or(0));
    rows.into_iter().map(|(_, row)| row).collect()
}

async fn list(State(simulator): State<Shared>, params: Params) -> Answer {
    let page = params.page(500, 500)?;
    enveloped(page.of(rows(&simulator)))
}

async fn count(State(simulator): State<Shared>) -> Answer {
    enveloped(simulator.world.document_keys(SPACE).len())
}

async fn range(State(simulator): State<Shared>, Path((start, count)): Path<(String, String)>) -> Answer {
    let (Ok(start), Ok(count)) = (start.parse::<usize>(), count.parse::<usize>()) else {
        return Err(Fail::bad("Start index and number of records must be integers"));
    };
    if start < 1 || !(1..=500).contains(&count) {
        return Err(Fail::bad("Start index begins at 1, and at most 500 records are returned"));
    }
    enveloped(rows(&simulator).into_iter().skip(start - 1).take(count).collect::<Vec<_>>())
}

fn found_row(simulator: &Simulator, device: &Device) -> Value {
    let row = devices::row(simulator, device);
    let reached = simulator.world.reachability(device) == Reachability::Reachable;
    let more = json!({
        "pingStatus": "SUCCESS", "snmpStatus": if reached { "SUCCESS" } else { "FAILURE" }, "cliStatus": if reached { "SUCCESS" } else { "FAILURE" },
        "netconfStatus": "NOT-VALIDATED", "httpStatus": "NOT-VALIDATED", "inventoryCollectionStatus": "Managed",
        "inventoryReachabilityStatus": simulator.world.reachability(device).name(),
    });
    joined(row, more)
}

async fn found(State(simulator): State<Shared>, Path(id): Path<String>) -> Answer {
    enveloped(kept(&simulator, &id)?.into_iter().map(|device| found_row(&simulator, device)).collect::<Vec<_>>())
}

async fn found_range(
    State(simulator): State<Shared>,
    Path((id, start, count)): Path<(String, usize, usize)>,
) -> Answer {
    let rows = kept(&simulator, &id)?.into_iter().skip(start.saturating_sub(1)).take(count.min(500));
    enveloped(rows.map(|device| found_row(&simulator, device)).collect::<Vec<_>>())
}

async fn count_found(State(simulator): State<Shared>, Path(id): Path<String>) -> Answer {
    enveloped(kept(&simulator, &id)?.len())
}

async fn summary(State(simulator): State<Shared>, Path(id): Path<String>) -> Answer {
    let row = simulator.discovery(&id)?;
    enveloped(discovered(&simulator, &row)?.len())
}

async fn jobs(State(simulator): State<Shared>, Path(id): Path<String>, params: Params) -> Answer {
    let page = params.page(500, 500)?;
    let row = simulator.discovery(&id)?;
    let devices = page.of(discovered(&simulator, &row)?);
    let rows = devices.into_iter().map(|device| {
        let reached = simulator.world.reachability(device);
        let word = |good: bool| if good { "SUCCESS" } else { "FAILURE" };
        json!({
            "id": uuid::Uuid::new_v5(&device.id, id.as_bytes()), "name": row["name"], "ipAddress": device.management_ip.to_string(),
            "pingStatus": word(reached != Reachability::Unreachable), "snmpStatus": word(reached == Reachability::Reachable),
            "cliStatus": word(reached == Reachability::Reachable), "netconfStatus": "NOT-VALIDATED", "httpStatus": "NOT-VALIDATED",
            "discoveryStatus": "Done", "jobStatus": word(reached == Reachability::Reachable), "inventoryCollectionStatus": "SUCCESS",
            "inventoryReachabilityStatus": reached.name(), "taskId": Value::Null, "startTime": Value::Null, "endTime": Value::Null, "attributeInfo": {},
        })
    });
    enveloped(rows.collect::<Vec<_>>())
}

/// Starts (`Active`) or stops a discovery that exists.
async fn change(State(simulator): State<Shared>, headers: HeaderMap, body: Bytes) -> Answer {
    let body: Value = serde_json::from_slice(&body).map_err(|error| Fail::bad(error.to_string()))?;
    let id = body["id"].as_str().unwrap_or_default();
    simulator.discovery(id)?;
    let origin = Origin::new("PUT", BASE, "discovery", &headers);
    let task = simulator.start_work(&origin, &[], "NCND", id)?;
    if body["discoveryStatus"] == "Active" {
        simulator.discover(id)?;
    }
    simulator.end_task(task, id, None, None)?;
    accepted(task)
}

async fn remove(State(simulator): State<Shared>, Path(id): Path<String>, headers: HeaderMap) -> Answer {
    simulator.discovery(&id)?;
    let origin = Origin::new("DELETE", format!("{BASE}/{id}"), "discovery", &headers);
    let task = simulator.start_work(&origin, &[], "NCND", &format!("Discovery {id} deleted successfully"))?;
    simulator.world.remove_document(SPACE, &id)?;
    simulator.end_task(task, &format!("Discovery {id} deleted successfully"), None, None)?;
    accepted(task)
}

async fn remove_all(State(simulator): State<Shared>, headers: HeaderMap) -> Answer {
    let origin = Origin::new("DELETE", BASE, "discovery", &headers);
    let task = simulator.start_work(&origin, &[], "NCND", "All discoveries deleted successfully")?;
    for id in simulator.world.document_keys(SPACE) {
        simulator.world.remove_document(SPACE, &id)?;
    }
    simulator.end_task(task, "All discoveries deleted successfully", None, None)?;
    accepted(task)
}
