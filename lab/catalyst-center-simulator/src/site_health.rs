//! Health of sites: every device and client counts for its site and for all sites above.
//!
//! Where next: [`crate::assurance`] for health of devices and of the whole network, [`crate::clients`] for clients.

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use serde_json::{Value, json};
use world::{Site, SiteKind, World};

use crate::assurance::category;
use crate::clients::Tally;
use crate::inventory::managed;
use crate::query::{Params, glob};
use crate::reply::{Answer, Fail, bare, enveloped, joined};
use crate::simulator::{Shared, Simulator};

const SUMMARIES: &str = "/dna/data/api/v1/siteHealthSummaries";

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/dna/intent/api/v1/site-health", get(older))
        .route(SUMMARIES, get(list))
        .route(&format!("{SUMMARIES}/count"), get(count))
        .route(&format!("{SUMMARIES}/{{id}}"), get(one))
}

/// The layers of a site's health, in the order of [`Sums::layers`].
const LAYERS: [&str; 6] = ["Access", "Distribution", "Core", "Router", "AP", "WLC"];

/// What stands at a site and below.
#[derive(Debug, Clone, Default)]
struct Sums {
    /// Good devices and all devices per layer.
    layers: [(usize, usize); 6],
    clients: Tally,
}

fn percent(good: usize, total: usize) -> Value {
    (good * 100).checked_div(total).map_or(Value::Null, |percent| json!(percent))
}

impl Sums {
    fn of(&self, layers: &[usize]) -> (usize, usize) {
        let mut sum = (0, 0);
        for (good, total) in layers.iter().filter_map(|at| self.layers.get(*at)) {
            sum = (sum.0 + good, sum.1 + total);
        }
        sum
    }

    fn all(&self) -> (usize, usize) {
        self.of(&[0, 1, 2, 3, 4, 5])
    }
}

/// The sums of all sites, by position.
fn sums(simulator: &Simulator) -> Vec<Sums> {
    let world = &simulator.world;
    let mut sums = vec![Sums::default(); world.sites().len()];
    let health = simulator.all_health();
    for device in managed(world) {
        let layer = LAYERS.iter().position(|layer| *layer == category(device)).unwrap_or(0);
        let good = usize::from(health.get(device.index).is_some_and(|health| health.word() == "GOOD"));
        let clients = simulator.tally(device);
        let mut at = Some(device.site);
        while let Some(site) = at {
            if let Some(sum) = sums.get_mut(site) {
                sum.layers[layer].0 += good;
                sum.layers[layer].1 += 1;
                sum.clients.add(clients);
            }
            at = world.sites().get(site).and_then(|site| site.parent);
        }
    }
    sums
}

fn kind(site: &Site) -> &'static str {
    match site.kind {
        SiteKind::Global | SiteKind::Area => "AREA",
        SiteKind::Building => "BUILDING",
        SiteKind::Floor => "FLOOR",
    }
}

fn parent<'a>(world: &'a World, site: &Site) -> Option<&'a Site> {
    site.parent.and_then(|at| world.sites().get(at))
}

/// The row of the older call.
fn older_row(world: &World, site: &Site, sums: &Sums) -> Value {
    let (good, total) = sums.all();
    let layer = |name: &str| LAYERS.iter().position(|layer| *layer == name).map_or((0, 0), |at| sums.of(&[at]));
    let (access, distribution, core) = (layer("Access"), layer("Distribution"), layer("Core"));
    let (router, ap, wlc) = (layer("Router"), layer("AP"), layer("WLC"));
    let switch = sums.of(&[0, 1, 2]);
    let (wired, wireless) = (sums.clients.wired, sums.clients.wireless);
    let (wired_total, wireless_total): (usize, usize) = (wired.iter().sum(), wireless.iter().sum());
    let row = json!({
        "siteName": site.name, "siteId": site.id, "parentSiteId": parent(world, site).map(|above| above.id),
        "parentSiteName": parent(world, site).map(|above| &above.name), "siteType": kind(site).to_lowercase(),
        "latitude": site.latitude, "longitude": site.longitude, "healthyNetworkDevicePercentage": percent(good, total),
        "healthyClientsPercentage": percent(wired[2] + wireless[2], wired_total + wireless_total),
        "clientHealthWired": percent(wired[2], wired_total), "clientHealthWireless": percent(wireless[2], wireless_total),
        "numberOfClients": wired_total + wireless_total, "numberOfNetworkDevice": total,
        "networkHealthAverage": percent(good, total), "networkHealthAccess": percent(access.0, access.1),
        "networkHealthCore": percent(core.0, core.1), "networkHealthDistribution": percent(distribution.0, distribution.1),
        "networkHealthRouter": percent(router.0, router.1), "networkHealthWireless": percent(ap.0 + wlc.0, ap.1 + wlc.1),
        "networkHealthAP": percent(ap.0, ap.1), "networkHealthWLC": percent(wlc.0, wlc.1),
        "networkHealthSwitch": percent(switch.0, switch.1), "networkHealthOthers": Value::Null,
    });
    let more = json!({
        "numberOfWiredClients": wired_total, "numberOfWirelessClients": wireless_total, "wiredGoodClients": wired[2],
        "wirelessGoodClients": wireless[2], "totalNumberOfConnectedWiredClients": wired_total,
        "totalNumberOfActiveWirelessClients": wireless_total, "overallGoodDevices": good, "accessGoodCount": access.0,
        "accessTotalCount": access.1, "coreGoodCount": core.0, "coreTotalCount": core.1, "distributionGoodCount": distribution.0,
        "distributionTotalCount": distribution.1, "routerGoodCount": router.0, "routerTotalCount": router.1,
        "wirelessDeviceGoodCount": ap.0 + wlc.0, "wirelessDeviceTotalCount": ap.1 + wlc.1, "apDeviceGoodCount": ap.0,
        "apDeviceTotalCount": ap.1, "wlcDeviceGoodCount": wlc.0, "wlcDeviceTotalCount": wlc.1, "switchDeviceGoodCount": switch.0,
        "switchDeviceTotalCount": switch.1, "applicationHealth": Value::Null, "applicationHealthInfo": [], "usage": 0.0,
        "dnacInfo": Value::Null,
    });
    joined(row, more)
}

async fn older(State(simulator): State<Shared>, params: Params) -> Answer {
    let page = params.page(25, 50)?;
    if let Some(wanted) = params.get("siteType").filter(|wanted| !["AREA", "BUILDING"].contains(wanted)) {
        return Err(Fail::bad(format!("Invalid siteType {wanted}: it must be AREA or BUILDING")));
    }
    let world = &simulator.world;
    let sums = sums(&simulator);
    let rows = world.sites().iter().zip(&sums).filter(|(site, _)| site.kind != SiteKind::Floor);
    let rows = page.of(rows.filter(|(site, _)| params.passes("siteType", kind(site))));
    enveloped(rows.into_iter().map(|(site, sums)| older_row(world, site, sums)).collect::<Vec<_>>())
}

/// The row of the data API.
fn row(site: &Site, sums: &Sums) -> Value {
    let (good, total) = sums.all();
    let layer = |name: &str| LAYERS.iter().position(|layer| *layer == name).map_or((0, 0), |at| sums.of(&[at]));
    let (access, distribution, core) = (layer("Access"), layer("Distribution"), layer("Core"));
    let (router, ap, wlc) = (layer("Router"), layer("AP"), layer("WLC"));
    let (wired, wireless) = (sums.clients.wired, sums.clients.wireless);
    let (wired_total, wireless_total): (usize, usize) = (wired.iter().sum(), wireless.iter().sum());
    json!({
        "id": site.id, "siteHierarchy": site.name_hierarchy, "siteHierarchyId": site.id_hierarchy, "siteType": kind(site),
        "latitude": site.latitude, "longitude": site.longitude, "networkDeviceGoodHealthPercentage": percent(good, total),
        "networkDeviceGoodHealthCount": good, "networkDeviceCount": total, "clientGoodHealthCount": wired[2] + wireless[2],
        "clientCount": wired_total + wireless_total, "clientGoodHealthPercentage": percent(wired[2] + wireless[2], wired_total + wireless_total),
        "wiredClientGoodHealthCount": wired[2], "wiredClientCount": wired_total, "wiredClientGoodHealthPercentage": percent(wired[2], wired_total),
        "wirelessClientGoodHealthCount": wireless[2], "wirelessClientCount": wireless_total,
        "wirelessClientGoodHealthPercentage": percent(wireless[2], wireless_total), "accessDeviceCount": access.1,
        "accessDeviceGoodHealthCount": access.0, "accessDeviceGoodHealthPercentage": percent(access.0, access.1), "coreDeviceCount": core.1,
        "coreDeviceGoodHealthCount": core.0, "coreDeviceGoodHealthPercentage": percent(core.0, core.1), "distributionDeviceCount": distribution.1,
        "distributionDeviceGoodHealthCount": distribution.0, "routerDeviceCount": router.1, "routerDeviceGoodHealthCount": router.0,
        "apDeviceCount": ap.1, "apDeviceGoodHealthCount": ap.0, "wlcDeviceCount": wlc.1, "wlcDeviceGoodHealthCount": wlc.0,
    })
}

fn passes(params: &Params, site: &Site) -> bool {
    let any = |key: &str, value: &str| {
        let wanted = params.all(key);
        wanted.is_empty() || wanted.iter().any(|pattern| glob(pattern, value))
    };
    any("siteHierarchy", &site.name_hierarchy)
        && any("siteHierarchyId", &site.id_hierarchy)
        && any("id", &site.id.to_string())
        && any("siteType", kind(site))
}

async fn list(State(simulator): State<Shared>, params: Params) -> Answer {
    let page = params.page(500, 500).map_err(Fail::of_data_api)?;
    let sums = sums(&simulator);
    let found: Vec<(&Site, &Sums)> =
        simulator.world.sites().iter().zip(&sums).filter(|(site, _)| passes(&params, site)).collect();
    let count = found.len();
    let rows = page.of(found).into_iter().map(|(site, sums)| row(site, sums)).collect::<Vec<_>>();
    bare(json!({
        "response": rows, "version": "1.0",
        "page": { "limit": page.limit, "offset": page.skip + 1, "count": count, "sortBy": Value::Null },
    }))
}

async fn count(State(simulator): State<Shared>, params: Params) -> Answer {
    enveloped(json!({ "count": simulator.world.sites().iter().filter(|site| passes(&params, site)).count() }))
}

async fn one(State(simulator): State<Shared>, Path(id): Path<String>) -> Answer {
    let at = simulator.world.sites().iter().position(|site| site.id.to_string() == id);
    let missing = || Fail::missing(format!("No site found with id: {id}")).of_data_api();
    let at = at.ok_or_else(missing)?;
    let sums = sums(&simulator);
    let (site, sums) = simulator.world.sites().get(at).zip(sums.get(at)).ok_or_else(missing)?;
    enveloped(row(site, sums))
}
