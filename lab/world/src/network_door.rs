//! The part of the lab's admin door that reaches into the network itself, as a technician does: pulls and plugs cables, cuts
//! management, works on a console; and turns the knobs of a system.
//!
//! | call | body or query | what it does |
//! | --- | --- | --- |
//! | `GET /network/devices` | `system`, `name` | devices with reachability and whether something is unsaved |
//! | `GET /network/links` | `system`, `device` | cables with both ends, plugged or not, up or not |
//! | `POST /network/links` | `system`, `link` or `device` and `port`, `plugged` | pulls or plugs a cable |
//! | `POST /network/reach` | `system`, `device`, `reachable` | cuts or restores management |
//! | `POST /network/console` | `system`, `device`, `lines` or `command`, `seen` | enters lines or a command by hand |
//! | `GET /knobs`, `POST /knobs` | `system`, `calls_per_minute`, `pace` | shows or sets the speed of a system |
//!
//! A device is named by id, serial number, address or host name. Where next: [`crate::admin`], whose token guards this too.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::admin::{Admin, refusal};
use crate::device::Device;
use crate::fleet::Link;
use crate::knobs::Pace;
use crate::state::World;

/// Rows that one answer holds at most.
const MOST_ROWS: usize = 500;

pub(crate) fn routes() -> Router<Admin> {
    Router::new()
        .route("/network/devices", get(devices))
        .route("/network/links", get(links).post(cable))
        .route("/network/reach", post(reach))
        .route("/network/console", post(console))
        .route("/knobs", get(knobs).post(turn))
}

/// What a call was refused with.
type Refused = Box<Response>;

fn wrong(message: &str) -> Refused {
    Box::new(refusal(StatusCode::UNPROCESSABLE_ENTITY, "invalid_request", message))
}

fn broken(error: &platform::Error) -> Refused {
    Box::new(refusal(StatusCode::INTERNAL_SERVER_ERROR, "world_state", &error.to_string()))
}

fn world(admin: &Admin, system: &str) -> Result<Arc<World>, Refused> {
    admin.networks.get(system).cloned().ok_or_else(|| {
        let known: Vec<&str> = admin.networks.keys().map(String::as_str).collect();
        wrong(&format!("`system` has no network; those with one are {}", known.join(", ")))
    })
}

fn is_named(world: &World, device: &Device, name: &str) -> bool {
    device.members.iter().any(|member| member.serial == name)
        || device.management_ip.to_string() == name
        || device.id.to_string() == name
        || world.hostname(device) == name
}

fn device<'a>(world: &'a World, name: &str) -> Result<&'a Device, Refused> {
    let mut found = world.devices().iter().filter(|device| is_named(world, device, name));
    match (found.next(), found.next()) {
        (Some(device), None) => Ok(device),
        (None, _) => Err(wrong("no device has this id, serial number, address or host name")),
        (Some(_), Some(_)) => Err(wrong("several devices have this host name; use a serial number")),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    system: String,
    name: Option<String>,
    device: Option<String>,
}

fn device_row(world: &World, device: &Device) -> Value {
    json!({
        "id": device.id, "hostname": world.hostname(device), "serials": device.members.iter().map(|m| &m.serial).collect::<Vec<_>>(),
        "address": device.management_ip.to_string(), "platform": device.platform.id, "role": device.role.name(),
        "site": world.site_of(device).map(|site| &site.name_hierarchy), "reachability": world.reachability(device).name(),
        "health": world.health(device).overall, "unsaved": world.is_unsaved(device),
    })
}

async fn devices(State(admin): State<Admin>, Query(query): Query<Wanted>) -> Response {
    answer((|| {
        let world = world(&admin, &query.system)?;
        let rows = world
            .devices()
            .iter()
            .filter(|device| query.name.as_ref().is_none_or(|name| is_named(&world, device, name)));
        Ok(json!({ "devices": rows.take(MOST_ROWS).map(|device| device_row(&world, device)).collect::<Vec<_>>() }))
    })())
}

fn link_row(world: &World, link: &Link) -> Value {
    let end = |(at, port): &(usize, String)| {
        let device = world.devices().get(*at);
        json!({ "device": device.map(|d| d.id), "hostname": device.map(|d| world.hostname(d)), "port": port })
    };
    json!({
        "id": link.id, "plugged": !world.is_unplugged(link), "up": world.link_up(link), "ends": [end(&link.ends[0]), end(&link.ends[1])],
    })
}

async fn links(State(admin): State<Admin>, Query(query): Query<Wanted>) -> Response {
    answer((|| {
        let world = world(&admin, &query.system)?;
        let rows: Vec<Value> = match &query.device {
            Some(name) => world.links_of(device(&world, name)?).map(|link| link_row(&world, link)).collect(),
            None => world.links().iter().take(MOST_ROWS).map(|link| link_row(&world, link)).collect(),
        };
        Ok(json!({ "links": rows }))
    })())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cable {
    system: String,
    link: Option<Uuid>,
    device: Option<String>,
    port: Option<String>,
    plugged: bool,
}

async fn cable(State(admin): State<Admin>, Json(body): Json<Cable>) -> Response {
    answer((|| {
        let world = world(&admin, &body.system)?;
        let link = match (&body.link, &body.device, &body.port) {
            (Some(id), None, None) => world.link(*id),
            (None, Some(name), Some(port)) => {
                let own = device(&world, name)?;
                world.links_of(own).find(|link| link.ends.iter().any(|(at, held)| *at == own.index && held == port))
            }
            _ => return Err(wrong("name the cable by `link`, or by `device` and `port`")),
        };
        let link = link.ok_or_else(|| wrong("there is no such cable"))?;
        let done = if body.plugged { world.plug(link) } else { world.unplug(link) };
        done.map_err(|error| broken(&error))?;
        Ok(link_row(&world, link))
    })())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reach {
    system: String,
    device: String,
    reachable: bool,
}

async fn reach(State(admin): State<Admin>, Json(body): Json<Reach>) -> Response {
    answer((|| {
        let world = world(&admin, &body.system)?;
        let device = device(&world, &body.device)?;
        world.set_reachable(device, body.reachable).map_err(|error| broken(&error))?;
        Ok(device_row(&world, device))
    })())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Console {
    system: String,
    device: String,
    /// Configuration lines.
    #[serde(default)]
    lines: Vec<String>,
    /// An exec command.
    command: Option<String>,
    /// Whether the controller notices and reads the device.
    #[serde(default = "yes")]
    seen: bool,
}

fn yes() -> bool {
    true
}

async fn console(State(admin): State<Admin>, Json(body): Json<Console>) -> Response {
    answer((|| {
        let world = world(&admin, &body.system)?;
        let device = device(&world, &body.device)?;
        if body.lines.is_empty() == body.command.is_none() {
            return Err(wrong("give either `lines` or `command`"));
        }
        let unusable = |error: crate::devices_in_use::Unusable| wrong(&error.to_string());
        if let Some(command) = &body.command {
            let output = world.exec(device, command).map_err(unusable)?;
            return Ok(json!({ "output": output, "device": device_row(&world, device) }));
        }
        let bend = crate::devices_in_use::Bend { keep_copy: !body.seen, ..Default::default() };
        let applied = world.apply(device, &body.lines.join("\n"), bend).map_err(unusable)?;
        Ok(json!({ "applied": applied, "device": device_row(&world, device) }))
    })())
}

async fn knobs(State(admin): State<Admin>) -> Json<Value> {
    let rows = admin.knobs.iter().map(|(name, knobs)| (name.clone(), knobs.shown()));
    Json(json!({ "knobs": rows.collect::<serde_json::Map<_, _>>() }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Turn {
    system: String,
    calls_per_minute: Option<u32>,
    pace: Option<Pace>,
}

async fn turn(State(admin): State<Admin>, Json(body): Json<Turn>) -> Response {
    answer((|| {
        let knobs = admin.knobs.get(&body.system).ok_or_else(|| wrong("`system` has no knobs"))?;
        if body.calls_per_minute == Some(0) || body.pace.is_some_and(|pace| pace.least_ms > pace.most_ms) {
            return Err(wrong("`calls_per_minute` begins at 1, and `least_ms` is at most `most_ms`"));
        }
        knobs.turn(body.calls_per_minute, body.pace);
        Ok(knobs.shown())
    })())
}

fn answer(outcome: Result<Value, Refused>) -> Response {
    match outcome {
        Ok(body) => Json(body).into_response(),
        Err(refused) => *refused,
    }
}
