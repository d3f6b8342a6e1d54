//! Clients: what is plugged into access ports and joins access points, in the shapes of the data API and of the older
//! detail and health.
//!
//! Lists walk over the devices that hold clients and skip by counts that are remembered for devices that nobody changed.
//! Where next: `world::endpoints`, where clients come from.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::routing::{get, post};
use serde_json::{Map, Value, json};
use world::endpoints::parse_mac;
use world::{Device, Endpoint, Family, Reachability, World};

use crate::client_rows::{detail, row};
use crate::conditions::Conditions;
use crate::inventory::managed;
use crate::query::{Page, Params, glob};
use crate::reply::{Answer, Fail, bare, enveloped};
use crate::simulator::{Shared, Simulator};

const BASE: &str = "/dna/data/api/v1/clients";

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route(BASE, get(list))
        .route(&format!("{BASE}/count"), get(count))
        .route(&format!("{BASE}/query"), post(query))
        .route(&format!("{BASE}/query/count"), post(query_count))
        .route(&format!("{BASE}/{{mac}}"), get(one))
        .route("/dna/intent/api/v1/client-detail", get(client_detail))
        .route("/dna/intent/api/v1/client-enrichment-details", get(enrichment))
        .route("/dna/intent/api/v1/client-health", get(health))
}

/// Wired and wireless clients, and those of them that are well, fair and poor, of devices that nobody changed.
#[derive(Debug, Default)]
pub(crate) struct Tallies(Mutex<HashMap<usize, Tally>>);

/// Clients of one device, by cable and by radio: poor, fair, good.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tally {
    pub(crate) wired: [usize; 3],
    pub(crate) wireless: [usize; 3],
}

impl Tally {
    pub(crate) fn count(self) -> usize {
        self.wired.iter().chain(&self.wireless).sum()
    }

    pub(crate) fn add(&mut self, other: Self) {
        for at in 0..3 {
            self.wired[at] += other.wired[at];
            self.wireless[at] += other.wireless[at];
        }
    }
}

fn connected(world: &World, device: &Device) -> Vec<Endpoint> {
    world.endpoints_on(device).into_iter().filter(|endpoint| endpoint.connected).collect()
}

/// The devices that clients can be on.
fn holders(world: &World) -> impl Iterator<Item = &Device> {
    managed(world).filter(|device| match device.platform.family {
        Family::AccessPoint => true,
        Family::Switch => device.role == world::Role::Access,
        _ => false,
    })
}

impl Simulator {
    /// The connected clients of a device.
    pub(crate) fn tally(&self, device: &Device) -> Tally {
        if self.world.reachability(device) == Reachability::Unreachable {
            return Tally::default();
        }
        let edited = self.world.is_edited(device);
        let held = self.tallies.0.lock().unwrap_or_else(PoisonError::into_inner).get(&device.index).copied();
        if let Some(tally) = held.filter(|_| !edited) {
            return tally;
        }
        let mut tally = Tally::default();
        for endpoint in connected(&self.world, device) {
            let at = match endpoint.health {
                0..=3 => 0,
                4..=7 => 1,
                _ => 2,
            };
            if endpoint.wireless { tally.wireless[at] += 1 } else { tally.wired[at] += 1 }
        }
        if !edited {
            self.tallies.0.lock().unwrap_or_else(PoisonError::into_inner).insert(device.index, tally);
        }
        tally
    }
}

/// Whether any filter looks at a client itself, and not at its device or its kind.
fn looks_inside(params: &Params) -> bool {
    ["osType", "ipv4Address", "macAddress", "ssid", "band", "type"].iter().any(|key| params.get(key).is_some())
}

fn passes_device(simulator: &Simulator, params: &Params, device: &Device) -> bool {
    let world = &simulator.world;
    let any = |key: &str, value: &str| {
        let wanted = params.all(key);
        wanted.is_empty() || wanted.iter().any(|pattern| glob(pattern, value))
    };
    let site = world.site_of(device);
    let below = |key: &str| {
        let wanted = params.all(key);
        wanted.is_empty() || site.is_some_and(|site| wanted.iter().any(|id| site.id_hierarchy.contains(id)))
    };
    let wlc =
        || device.controller.and_then(|at| world.devices().get(at)).map(|wlc| world.hostname(wlc)).unwrap_or_default();
    (params.get("connectedNetworkDeviceName").is_none() || any("connectedNetworkDeviceName", &world.hostname(device)))
        && below("siteId")
        && below("siteHierarchyId")
        && (params.get("siteHierarchy").is_none() || any("siteHierarchy", &simulator.site_name(device)))
        && (params.get("wlcName").is_none() || any("wlcName", &wlc()))
}

fn passes(params: &Params, endpoint: &Endpoint) -> bool {
    let any = |key: &str, value: &str| {
        let wanted = params.all(key);
        wanted.is_empty() || wanted.iter().any(|pattern| glob(pattern, value))
    };
    let (ssid, band) = endpoint.radio.map_or(("", ""), |radio| (radio.ssid, radio.band));
    let macs = params.all("macAddress");
    any("type", if endpoint.wireless { "Wireless" } else { "Wired" })
        && any("osType", endpoint.os)
        && any("ipv4Address", &endpoint.address.to_string())
        && any("ssid", ssid)
        && any("band", band)
        && (macs.is_empty() || macs.iter().any(|mac| parse_mac(mac) == Some(endpoint.mac)))
}

fn check_time(params: &Params) -> Result<(), Fail> {
    match (params.number("startTime")?, params.number("endTime")?) {
        (Some(from), Some(to)) if from > to => Err(Fail::bad("startTime must be before endTime")),
        _ => Ok(()),
    }
}

/// The clients of a page and how many there are in all.
fn matching(simulator: &Simulator, params: &Params, page: Page) -> Result<(Vec<Endpoint>, usize), Fail> {
    check_time(params)?;
    let (mut found, mut total) = (Vec::new(), 0);
    let inside = looks_inside(params);
    for device in holders(&simulator.world).filter(|device| passes_device(simulator, params, device)) {
        let size = simulator.tally(device).count();
        let outside_page = total >= page.skip + page.limit || total + size <= page.skip;
        if !inside && outside_page {
            total += size;
            continue;
        }
        for endpoint in connected(&simulator.world, device).into_iter().filter(|endpoint| passes(params, endpoint)) {
            if total >= page.skip && found.len() < page.limit {
                found.push(endpoint);
            }
            total += 1;
        }
    }
    Ok((found, total))
}

fn paged(simulator: &Simulator, found: &[Endpoint], total: usize, page: Page) -> Answer {
    bare(json!({
        "response": found.iter().map(|endpoint| row(simulator, endpoint)).collect::<Vec<_>>(), "version": "1.0",
        "page": { "limit": page.limit, "offset": page.skip + 1, "count": total, "sortBy": [{ "name": "macAddress", "order": "asc" }] },
    }))
}

async fn list(State(simulator): State<Shared>, params: Params) -> Answer {
    let page = params.page(100, 500).map_err(Fail::of_data_api)?;
    let (found, total) = matching(&simulator, &params, page).map_err(Fail::of_data_api)?;
    paged(&simulator, &found, total, page)
}

async fn count(State(simulator): State<Shared>, params: Params) -> Answer {
    let page = Page { skip: 0, limit: 0 };
    let (_, total) = matching(&simulator, &params, page).map_err(Fail::of_data_api)?;
    enveloped(json!({ "count": total }))
}

fn known(simulator: &Simulator, mac: &str) -> Result<Endpoint, Fail> {
    let found = parse_mac(mac).and_then(|mac| simulator.world.endpoint(mac));
    found.ok_or_else(|| Fail::missing(format!("No client found with MAC address: {mac}")))
}

async fn one(State(simulator): State<Shared>, Path(mac): Path<String>) -> Answer {
    enveloped(row(&simulator, &known(&simulator, &mac).map_err(Fail::of_data_api)?))
}

/// The clients that a query in a body means, and its page.
fn asked(simulator: &Simulator, body: &Bytes) -> Result<(Vec<Endpoint>, Page), Fail> {
    let body: Map<String, Value> = serde_json::from_slice(body).map_err(|error| Fail::bad(error.to_string()))?;
    let conditions = Conditions::read(body.get("filters"), body.get("logicalOperator"))?;
    let page = Page::read(body.get("page").unwrap_or(&Value::Null), 100, 500)?;
    let mut found = Vec::new();
    for device in holders(&simulator.world) {
        let site = simulator.world.site_of(device);
        for endpoint in connected(&simulator.world, device) {
            let field = |key: &str| {
                Some(match key {
                    "macAddress" | "id" => json!(endpoint.mac_text().to_uppercase()),
                    "type" => json!(if endpoint.wireless { "Wireless" } else { "Wired" }),
                    "osType" => json!(endpoint.os),
                    "ipv4Address" => json!(endpoint.address.to_string()),
                    "ssid" => json!(endpoint.radio.map_or("", |radio| radio.ssid)),
                    "band" => json!(endpoint.radio.map_or("", |radio| radio.band)),
                    "vlanId" => json!(endpoint.vlan),
                    "username" | "userId" => json!(endpoint.user),
                    "siteId" => json!(site.map(|site| site.id)),
                    "siteHierarchy" => json!(site.map(|site| &site.name_hierarchy)),
                    "connectedNetworkDeviceName" => json!(simulator.world.hostname(device)),
                    "overallScore" => json!(endpoint.health),
                    _ => return None,
                })
            };
            if conditions.meets(&field)? {
                found.push(endpoint);
            }
        }
    }
    Ok((found, page))
}

async fn query(State(simulator): State<Shared>, body: Bytes) -> Answer {
    let (found, page) = asked(&simulator, &body).map_err(Fail::of_data_api)?;
    let total = found.len();
    paged(&simulator, &page.of(found), total, page)
}

async fn query_count(State(simulator): State<Shared>, body: Bytes) -> Answer {
    let (found, _) = asked(&simulator, &body).map_err(Fail::of_data_api)?;
    enveloped(json!({ "count": found.len() }))
}

async fn client_detail(State(simulator): State<Shared>, params: Params) -> Answer {
    let mac = params.get("macAddress").ok_or_else(|| Fail::bad("Parameter macAddress is required"))?;
    bare(detail(&simulator, &known(&simulator, mac)?))
}

/// Addressed by headers: `entity_type` is `mac_address` or `network_user_id`, `entity_value` names the client or person.
async fn enrichment(State(simulator): State<Shared>, headers: axum::http::HeaderMap) -> Answer {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (kind, value) = (header("entity_type"), header("entity_value"));
    let found = match kind {
        "mac_address" => vec![known(&simulator, value)?],
        "network_user_id" => holders(&simulator.world)
            .flat_map(|device| connected(&simulator.world, device))
            .filter(|endpoint| endpoint.user.as_deref() == Some(value))
            .collect(),
        _ => return Err(Fail::bad("Headers entity_type and entity_value are required")),
    };
    let rows = found.iter().map(|endpoint| {
        let on = simulator.world.devices().get(endpoint.device);
        json!({
            "userDetails": detail(&simulator, endpoint)["detail"], "issueDetails": { "issue": [] },
            "connectedDevice": on.map(|device| vec![json!({ "deviceDetails": crate::devices::row(&simulator, device) })]),
        })
    });
    bare(Value::from(rows.collect::<Vec<_>>()))
}

async fn health(State(simulator): State<Shared>) -> Answer {
    let mut all = Tally::default();
    holders(&simulator.world).for_each(|device| all.add(simulator.tally(device)));
    let end = simulator.now_ms() / 300_000 * 300_000;
    let start = end - 300_000;
    let score = |category: &str, value: &str, [poor, fair, good]: [usize; 3]| {
        let total = poor + fair + good;
        let part = |name: &str, count: usize| {
            json!({
                "scoreCategory": { "scoreCategory": "SCORE_TYPE", "value": name }, "scoreValue": -1, "clientCount": count,
                "clientUniqueCount": count, "maintenanceAffectedClientCount": 0, "randomMacCount": 0, "duidCount": 0,
                "starttime": start, "endtime": end, "connectedToUdnCount": 0, "unconnectedToUdnCount": 0,
            })
        };
        let value_of = (good * 100).checked_div(total).map_or(json!(-1), |percent| json!(percent));
        json!({
            "scoreCategory": { "scoreCategory": category, "value": value }, "scoreValue": value_of, "clientCount": total,
            "clientUniqueCount": total, "maintenanceAffectedClientCount": 0, "randomMacCount": 0, "duidCount": 0,
            "starttime": start, "endtime": end, "connectedToUdnCount": 0, "unconnectedToUdnCount": 0,
            "scoreList": [part("POOR", poor), part("FAIR", fair), part("GOOD", good), part("IDLE", 0), part("NODATA", 0), part("NEW", 0)],
        })
    };
    let both = [0, 1, 2].map(|at| all.wired[at] + all.wireless[at]);
    bare(json!({
        "version": "1.0",
        "response": [{
            "siteId": "global",
            "scoreDetail": [
                score("CLIENT_TYPE", "ALL", both), score("CLIENT_TYPE", "WIRED", all.wired), score("CLIENT_TYPE", "WIRELESS", all.wireless),
            ],
        }],
    }))
}
