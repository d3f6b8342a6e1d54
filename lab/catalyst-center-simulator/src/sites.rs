//! The site hierarchy, in its newer and older shapes, and which devices stand where.

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use serde_json::{Value, json};
use world::{Device, Site, SiteKind, World};

use crate::devices;
use crate::inventory::managed;
use crate::query::Params;
use crate::reply::{Answer, Fail, bare, enveloped, joined};
use crate::simulator::{Shared, Simulator};

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/dna/intent/api/v1/sites", get(list))
        .route("/dna/intent/api/v1/sites/count", get(count))
        .route("/dna/intent/api/v1/site", get(older))
        .route("/dna/intent/api/v1/site/count", get(older_count))
        .route("/dna/intent/api/v2/site", get(second))
        .route("/dna/intent/api/v2/site/count", get(second_count))
        .route("/dna/intent/api/v1/site-member/{id}/member", get(members))
        .route("/dna/intent/api/v1/membership/{id}", get(membership))
        .route("/dna/intent/api/v1/networkDevices/assignedToSite", get(assigned))
        .route("/dna/intent/api/v1/networkDevices/assignedToSite/count", get(assigned_count))
        .route("/dna/intent/api/v1/networkDevices/notAssignedToSite", get(unassigned))
        .route("/dna/intent/api/v1/networkDevices/notAssignedToSite/count", get(unassigned_count))
        .route("/dna/intent/api/v1/networkDevices/{id}/assignedToSite", get(site_of_device))
}

impl Simulator {
    /// The hierarchy of a device's site.
    pub(crate) fn site_name(&self, device: &Device) -> String {
        self.world.site_of(device).map(|site| site.name_hierarchy.clone()).unwrap_or_default()
    }
}

fn kind(site: &Site) -> &'static str {
    match site.kind {
        SiteKind::Global => "global",
        SiteKind::Area => "area",
        SiteKind::Building => "building",
        SiteKind::Floor => "floor",
    }
}

fn parent(world: &World, site: &Site) -> Option<String> {
    site.parent.and_then(|at| world.sites().get(at)).map(|above| above.id.to_string())
}

fn row(world: &World, site: &Site) -> Value {
    let row = json!({
        "id": site.id, "siteHierarchyId": site.id_hierarchy, "parentId": parent(world, site), "name": site.name,
        "nameHierarchy": site.name_hierarchy, "type": kind(site),
    });
    let more = match site.kind {
        SiteKind::Building => {
            json!({ "latitude": site.latitude, "longitude": site.longitude, "address": site.address, "country": site.country })
        }
        SiteKind::Floor => json!({
            "floorNumber": site.floor_number, "rfModel": "Cubes And Walled Offices", "width": 100.0, "length": 100.0,
            "height": 10.0, "unitsOfMeasure": "feet",
        }),
        SiteKind::Global | SiteKind::Area => json!({}),
    };
    joined(row, more)
}

fn matching<'a>(world: &'a World, params: &Params) -> Vec<&'a Site> {
    let sites = world.sites().iter();
    sites
        .filter(|site| {
            params.passes("name", &site.name)
                && params.passes("nameHierarchy", &site.name_hierarchy)
                && params.passes("type", kind(site))
        })
        .collect()
}

async fn list(State(simulator): State<Shared>, params: Params) -> Answer {
    let page = params.page(500, 500)?;
    let rows = page.of(matching(&simulator.world, &params));
    enveloped(rows.into_iter().map(|site| row(&simulator.world, site)).collect::<Vec<_>>())
}

async fn count(State(simulator): State<Shared>, params: Params) -> Answer {
    enveloped(json!({ "count": matching(&simulator.world, &params).len() }))
}

fn older_row(world: &World, site: &Site) -> Value {
    let attributes = match site.kind {
        SiteKind::Building => json!({
            "type": kind(site), "address": site.address, "country": site.country,
            "latitude": site.latitude.to_string(), "longitude": site.longitude.to_string(),
        }),
        _ => json!({ "type": kind(site), "addressInheritedFrom": parent(world, site) }),
    };
    json!({
        "id": site.id, "parentId": parent(world, site), "name": site.name, "instanceTenantId": "5f6b7c8d9e0f1a2b3c4d5e6e",
        "siteHierarchy": site.id_hierarchy, "siteNameHierarchy": site.name_hierarchy,
        "additionalInfo": [{ "nameSpace": "Location", "attributes": attributes }],
    })
}

fn older_matching<'a>(world: &'a World, params: &Params) -> Vec<&'a Site> {
    let sites = world.sites().iter();
    sites
        .filter(|site| {
            params.passes("name", &site.name_hierarchy)
                && params.passes("siteId", &site.id.to_string())
                && params.passes("type", kind(site))
        })
        .collect()
}

async fn older(State(simulator): State<Shared>, params: Params) -> Answer {
    let page = params.page(500, 500)?;
    let found = older_matching(&simulator.world, &params);
    if found.is_empty() && params.get("name").is_some() {
        return Err(Fail::missing("NCWS51000: No site found for the given name"));
    }
    enveloped(page.of(found).into_iter().map(|site| older_row(&simulator.world, site)).collect::<Vec<_>>())
}

/// The row of the second version.
fn second_row(world: &World, site: &Site) -> Value {
    let mut row = older_row(world, site);
    if let Value::Object(row) = &mut row {
        let names = row.remove("siteNameHierarchy").unwrap_or_default();
        let ids = row.remove("siteHierarchy").unwrap_or_default();
        row.insert("groupNameHierarchy".to_owned(), names);
        row.insert("groupHierarchy".to_owned(), ids);
        row.insert("groupTypeList".to_owned(), json!(["SITE"]));
    }
    row
}

fn second_matching<'a>(world: &'a World, params: &Params) -> Vec<&'a Site> {
    let sites = world.sites().iter();
    sites
        .filter(|site| {
            params.passes("groupNameHierarchy", &site.name_hierarchy)
                && params.passes_with("id", || site.id.to_string())
                && params.passes("type", kind(site))
        })
        .collect()
}

async fn second(State(simulator): State<Shared>, params: Params) -> Answer {
    let page = params.page(500, 500)?;
    let rows = page.of(second_matching(&simulator.world, &params));
    enveloped(rows.into_iter().map(|site| second_row(&simulator.world, site)).collect::<Vec<_>>())
}

async fn second_count(State(simulator): State<Shared>, params: Params) -> Answer {
    enveloped(second_matching(&simulator.world, &params).len())
}

async fn members(State(simulator): State<Shared>, Path(id): Path<String>, params: Params) -> Answer {
    let kind = params.get("memberType").ok_or_else(|| Fail::bad("Parameter memberType is required"))?;
    let page = params.page(500, 500)?;
    let world = &simulator.world;
    let site = site(world, &id)?;
    if !kind.eq_ignore_ascii_case("networkdevice") {
        return enveloped(json!([]));
    }
    let rows = page.of(below(world, site));
    enveloped(rows.into_iter().map(|(device, _)| devices::row(&simulator, device)).collect::<Vec<_>>())
}

async fn older_count(State(simulator): State<Shared>, params: Params) -> Answer {
    enveloped(older_matching(&simulator.world, &params).len())
}

fn site<'a>(world: &'a World, id: &str) -> Result<&'a Site, Fail> {
    let found = world.sites().iter().find(|site| site.id.to_string() == id);
    found.ok_or_else(|| Fail::missing(format!("No site found with id: {id}")))
}

/// Devices of a site and of everything below it.
fn below<'a>(world: &'a World, site: &'a Site) -> impl Iterator<Item = (&'a Device, &'a Site)> {
    let inside = format!("{}/", site.id_hierarchy);
    managed(world).filter_map(move |device| {
        let own = world.site_of(device)?;
        (own.id == site.id || own.id_hierarchy.starts_with(&inside)).then_some((device, own))
    })
}

async fn membership(State(simulator): State<Shared>, Path(id): Path<String>, params: Params) -> Answer {
    let world = &simulator.world;
    let site = site(world, &id)?;
    let page = params.page(500, 500)?;
    let rows: Vec<Value> =
        page.of(below(world, site)).into_iter().map(|(device, _)| devices::row(&simulator, device)).collect();
    bare(json!({
        "site": { "response": [older_row(world, site)], "version": "1.0" },
        "device": [{ "response": rows, "version": "1.0", "siteId": site.id }],
    }))
}

fn assignment(device: &Device, site: &Site) -> Value {
    json!({ "deviceId": device.id, "siteId": site.id, "siteNameHierarchy": site.name_hierarchy, "siteType": kind(site) })
}

async fn assigned(State(simulator): State<Shared>, params: Params) -> Answer {
    let id = params.get("siteId").ok_or_else(|| Fail::bad("Parameter siteId is required"))?;
    let page = params.page(500, 500)?;
    let world = &simulator.world;
    let rows = page.of(below(world, site(world, id)?));
    enveloped(rows.into_iter().map(|(device, site)| assignment(device, site)).collect::<Vec<_>>())
}

async fn assigned_count(State(simulator): State<Shared>, params: Params) -> Answer {
    let id = params.get("siteId").ok_or_else(|| Fail::bad("Parameter siteId is required"))?;
    let world = &simulator.world;
    enveloped(json!({ "count": below(world, site(world, id)?).count() }))
}

/// Every device of the world stands somewhere.
async fn unassigned() -> Answer {
    enveloped(json!({ "deviceIds": [] }))
}

async fn unassigned_count() -> Answer {
    enveloped(json!({ "count": 0 }))
}

async fn site_of_device(State(simulator): State<Shared>, Path(id): Path<String>) -> Answer {
    let device = devices::find(&simulator.world, &id)?;
    let site = simulator.world.site_of(device).ok_or_else(|| Fail::missing("The device has no site"))?;
    enveloped(assignment(device, site))
}
