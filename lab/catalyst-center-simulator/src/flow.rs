//! Path trace: which devices and cables carry packets between two addresses. The path is the shortest over cables that
//! carry a signal now; a pulled cable makes it longer or breaks it.
//!
//! Where next: `world::World::links`, the cables.

use std::collections::{HashMap, VecDeque};
use std::net::Ipv4Addr;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::routing::{get, post};
use serde_json::{Map, Value, json};
use uuid::Uuid;
use world::{Device, Endpoint, Link};

use crate::effects::Origin;
use crate::query::Params;
use crate::reply::{Answer, Fail, accepted, enveloped};
use crate::simulator::{Shared, Simulator};

const BASE: &str = "/dna/intent/api/v1/flow-analysis";
const SPACE: &str = "flow";

pub(crate) fn routes() -> Router<Shared> {
    Router::new().route(BASE, post(start).get(list)).route(&format!("{BASE}/{{id}}"), get(one).delete(remove))
}

/// One end of a path.
enum End<'a> {
    Device(&'a Device),
    Client(Box<Endpoint>, &'a Device),
}

impl<'a> End<'a> {
    fn device(&self) -> &'a Device {
        match self {
            Self::Device(device) | Self::Client(_, device) => device,
        }
    }
}

fn end<'a>(simulator: &'a Simulator, address: &str) -> Result<End<'a>, String> {
    let world = &simulator.world;
    if let Some(device) = simulator.inventory.by_address(world, address) {
        return Ok(End::Device(device));
    }
    let client = address.parse::<Ipv4Addr>().ok().and_then(|address| world.endpoint_at(address));
    let client = client.filter(|client| client.connected);
    let found =
        client.and_then(|client| Some(End::Client(Box::new(client.clone()), world.devices().get(client.device)?)));
    found.ok_or_else(|| format!("NCFA00005: IP address {address} is not found in the network"))
}

/// The cables from one device to another, in order; empty when they are the same.
fn cables<'a>(simulator: &'a Simulator, from: &Device, to: &Device) -> Option<Vec<&'a Link>> {
    let world = &simulator.world;
    let mut came: HashMap<usize, &Link> = HashMap::new();
    let mut next = VecDeque::from([from.index]);
    while let Some(at) = next.pop_front() {
        if at == to.index {
            break;
        }
        let Some(device) = world.devices().get(at) else { continue };
        for link in world.links_of(device) {
            let far = link.ends[usize::from(link.ends[0].0 == at)].0;
            if far != from.index && !came.contains_key(&far) && world.link_up(link) {
                came.insert(far, link);
                next.push_back(far);
            }
        }
    }
    let (mut path, mut at) = (Vec::new(), to.index);
    while at != from.index {
        let link = *came.get(&at)?;
        path.push(link);
        at = link.ends[usize::from(link.ends[0].0 == at)].0;
    }
    path.reverse();
    Some(path)
}

fn interface(simulator: &Simulator, device: &Device, name: &str) -> Value {
    json!({ "physicalInterface": { "name": name, "id": simulator.world.interface_id(device, name) } })
}

/// The elements of a path, from end to end.
fn elements(simulator: &Simulator, source: &End<'_>, target: &End<'_>) -> Result<Vec<Value>, String> {
    let world = &simulator.world;
    let path = cables(simulator, source.device(), target.device());
    let path = path.ok_or("NCFA00010: Path cannot be calculated: no path leads to the destination")?;
    let client = |end: &End<'_>| match end {
        End::Device(_) => None,
        End::Client(client, _) => Some(json!({
            "id": client.mac_text(), "name": client.hostname, "ip": client.address.to_string(), "linkInformationSource": "Switched",
            "type": if client.wireless { "wireless" } else { "wired" },
        })),
    };
    let mut found: Vec<Value> = client(source).into_iter().collect();
    let mut at = source.device();
    let mut ingress = match source {
        End::Client(client, _) => client.port.as_deref().map(|port| interface(simulator, at, port)),
        End::Device(_) => None,
    };
    for step in 0..=path.len() {
        let link = path.get(step);
        let mine = link.map(|link| usize::from(link.ends[1].0 == at.index));
        let egress = match (link, mine) {
            (Some(link), Some(mine)) => Some(interface(simulator, at, &link.ends[mine].1)),
            _ => match target {
                End::Client(client, _) => client.port.as_deref().map(|port| interface(simulator, at, port)),
                End::Device(_) => None,
            },
        };
        let routed = at.role != world::Role::Access && step > 0;
        found.push(json!({
            "id": at.id, "name": world.hostname(at), "ip": at.management_ip.to_string(), "type": at.platform.family.name(),
            "role": simulator.role(at).0, "linkInformationSource": if routed { "OSPF" } else { "Switched" },
            "ingressInterface": ingress.take(), "egressInterface": egress, "tunnels": [],
        }));
        let (Some(link), Some(mine)) = (link, mine) else { break };
        let (far, port) = &link.ends[1 - mine];
        let Some(next) = world.devices().get(*far) else { break };
        ingress = Some(interface(simulator, next, port));
        at = next;
    }
    found.extend(client(target));
    Ok(found)
}

async fn start(State(simulator): State<Shared>, headers: HeaderMap, body: Bytes) -> Answer {
    let body: Map<String, Value> = serde_json::from_slice(&body).map_err(|error| Fail::bad(error.to_string()))?;
    let text = |key: &str| body.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (source, target) = (text("sourceIP"), text("destIP"));
    for address in [&source, &target] {
        address.parse::<Ipv4Addr>().map_err(|_| Fail::bad(format!("Invalid IP address: {address}")))?;
    }
    let id = Uuid::new_v4();
    let now = simulator.now_ms();
    let request = json!({
        "id": id, "sourceIP": source, "destIP": target, "sourcePort": body.get("sourcePort"), "destPort": body.get("destPort"),
        "protocol": body.get("protocol"), "inclusions": body.get("inclusions").cloned().unwrap_or_else(|| json!([])),
        "periodicRefresh": body.get("periodicRefresh").and_then(Value::as_bool).unwrap_or(false),
        "controlPath": body.get("controlPath").and_then(Value::as_bool).unwrap_or(false), "status": "INPROGRESS", "createTime": now,
        "lastUpdateTime": now,
    });
    simulator.world.put_document(SPACE, &id.to_string(), json!({ "request": request }))?;
    let origin = Origin::new("POST", BASE, "path_trace", &headers);
    let task = simulator.start_work(&origin, &[], "FLOW ANALYSIS", "Path trace has been started")?;
    let worker = std::sync::Arc::clone(&simulator);
    tokio::spawn(async move {
        worker.pause(worker.pace().start_ms + worker.pace().least_ms).await;
        let error = worker.trace(&id.to_string(), &source, &target).err().map(|error| error.to_string());
        worker.end_task_logged(task, &id.to_string(), Some(id.to_string()), error);
    });
    let answer = json!({ "flowAnalysisId": id, "taskId": task, "url": format!("/flow-analysis/{id}") });
    let body = axum::Json(json!({ "response": answer, "version": "1.0" }));
    Ok(axum::response::IntoResponse::into_response((axum::http::StatusCode::ACCEPTED, body)))
}

impl Simulator {
    fn trace(&self, id: &str, source: &str, target: &str) -> platform::Result<()> {
        let Some(mut held) = self.world.document(SPACE, id) else { return Ok(()) };
        let found = end(self, source).and_then(|source| elements(self, &source, &end(self, target)?));
        let (status, reason, elements) = match found {
            Ok(elements) => ("COMPLETED", Value::Null, elements),
            Err(reason) => ("FAILED", Value::from(reason), Vec::new()),
        };
        let now = self.now_ms();
        if let Some(request) = held.get_mut("request").and_then(Value::as_object_mut) {
            request.insert("status".to_owned(), json!(status));
            request.insert("failureReason".to_owned(), reason);
            request.insert("lastUpdateTime".to_owned(), json!(now));
        }
        if let Value::Object(held) = &mut held {
            held.insert("lastUpdate".to_owned(), json!(crate::devices::time_text(now)));
            held.insert("networkElementsInfo".to_owned(), Value::from(elements));
        }
        self.world.put_document(SPACE, id, held)
    }
}

async fn list(State(simulator): State<Shared>, params: Params) -> Answer {
    let page = params.page(500, 500)?;
    let rows = simulator.world.documents(SPACE).into_iter().filter_map(|(_, held)| held.get("request").cloned());
    let field = |row: &Value, key: &str| row.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let rows = rows
        .filter(|row| ["sourceIP", "destIP", "status"].iter().all(|key| params.passes_with(key, || field(row, key))));
    enveloped(page.of(rows))
}

async fn one(State(simulator): State<Shared>, Path(id): Path<String>) -> Answer {
    let held = simulator.world.document(SPACE, &id);
    enveloped(held.ok_or_else(|| Fail::missing(format!("NCFA00001: No path trace found with id: {id}")))?)
}

async fn remove(State(simulator): State<Shared>, Path(id): Path<String>, headers: HeaderMap) -> Answer {
    if simulator.world.document(SPACE, &id).is_none() {
        return Err(Fail::missing(format!("NCFA00001: No path trace found with id: {id}")));
    }
    let origin = Origin::new("DELETE", format!("{BASE}/{id}"), "path_trace", &headers);
    let task = simulator.start_work(&origin, &[], "FLOW ANALYSIS", &id)?;
    simulator.world.remove_document(SPACE, &id)?;
    simulator.end_task(task, &id, None, None)?;
    accepted(task)
}
