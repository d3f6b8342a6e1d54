//! The archive of configurations: two files per device, its running and its startup configuration as the controller last
//! read them. Downloads are masked; the archive of clear text is a password-protected ZIP in the field and not here.
//!
//! Where next: [`crate::devices`] for the copy as one text.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use serde_json::{Value, json};
use uuid::Uuid;
use world::Device;

use crate::inventory::managed;
use crate::query::Params;
use crate::reply::{Answer, Fail, enveloped};
use crate::simulator::{Shared, Simulator};

const BASE: &str = "/dna/intent/api/v1/networkDeviceConfigFiles";
const KINDS: [&str; 2] = ["RUNNINGCONFIG", "STARTUPCONFIG"];

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route(BASE, get(list))
        .route(&format!("{BASE}/count"), get(count))
        .route(&format!("{BASE}/{{id}}"), get(one))
        .route(&format!("{BASE}/{{id}}/downloadMasked"), post(download))
        .route("/dna/intent/api/v1/network-device-config", get(older))
}

fn file_id(device: &Device, kind: &str) -> Uuid {
    Uuid::new_v5(&device.id, kind.as_bytes())
}

fn row(simulator: &Simulator, device: &Device, kind: &str) -> Value {
    let id = file_id(device, kind);
    json!({
        "id": id, "networkDeviceId": device.id, "fileType": kind, "versionId": Uuid::new_v5(&id, b"version"), "createdBy": "system",
        "createdTime": simulator.world.collected_at_ms(device),
    })
}

/// The files that pass the filters: device and kind.
fn matching<'a>(simulator: &'a Simulator, params: &Params) -> Vec<(&'a Device, &'static str)> {
    let devices = managed(&simulator.world).filter(|device| device.has_configuration());
    let devices = devices.filter(|device| params.passes_with("networkDeviceId", || device.id.to_string()));
    devices
        .flat_map(|device| KINDS.map(|kind| (device, kind)))
        .filter(|(_, kind)| params.passes("fileType", kind))
        .filter(|(device, kind)| params.passes_with("id", || file_id(device, kind).to_string()))
        .collect()
}

fn known<'a>(simulator: &'a Simulator, id: &str) -> Result<(&'a Device, &'static str), Fail> {
    let mut devices = managed(&simulator.world).filter(|device| device.has_configuration());
    let found = devices.find_map(|device| {
        KINDS.into_iter().find(|kind| file_id(device, kind).to_string() == id).map(|kind| (device, kind))
    });
    found.ok_or_else(|| Fail::missing(format!("No configuration file found with id: {id}")))
}

async fn list(State(simulator): State<Shared>, params: Params) -> Answer {
    let page = params.page(500, 500)?;
    let rows = page.of(matching(&simulator, &params));
    enveloped(rows.into_iter().map(|(device, kind)| row(&simulator, device, kind)).collect::<Vec<_>>())
}

async fn count(State(simulator): State<Shared>, params: Params) -> Answer {
    enveloped(json!({ "count": matching(&simulator, &params).len() }))
}

async fn one(State(simulator): State<Shared>, Path(id): Path<String>) -> Answer {
    let (device, kind) = known(&simulator, &id)?;
    enveloped(row(&simulator, device, kind))
}

async fn download(State(simulator): State<Shared>, Path(id): Path<String>) -> Answer {
    let (device, kind) = known(&simulator, &id)?;
    let text = match kind {
        "RUNNINGCONFIG" => simulator.world.collected(device).text(),
        _ => simulator.startup_seen(device),
    };
    let name = format!("attachment; filename=\"{}-{}.cfg\"", simulator.world.hostname(device), kind.to_lowercase());
    Ok(([(CONTENT_TYPE, "text/plain".to_owned()), (CONTENT_DISPOSITION, name)], masked(&text)).into_response())
}

/// The older list, by device.
async fn older(State(simulator): State<Shared>, params: Params) -> Answer {
    let page = params.page(50, 50)?;
    let devices = managed(&simulator.world).filter(|device| device.has_configuration());
    let devices = page.of(devices.filter(|device| params.passes_with("deviceId", || device.id.to_string())));
    let rows = devices.into_iter().map(|device| {
        let files = KINDS.map(|kind| {
            let id = file_id(device, kind);
            json!({ "fileType": kind, "fileId": id, "downloadPath": format!("/archive-config/file/{id}"), "name": format!("{}.cfg", kind.to_lowercase()) })
        });
        let unsaved = simulator.world.collected(device).text() != simulator.startup_seen(device);
        json!({
            "deviceId": device.id, "deviceName": simulator.world.hostname(device), "ipAddress": device.management_ip.to_string(),
            "versions": [{
                "id": Uuid::new_v5(&device.id, b"archive"), "createdBy": "system", "createdTime": simulator.world.collected_at_ms(device),
                "configChangeType": "SCHEDULED_ARCHIVE", "startupRunningStatus": if unsaved { "Out-of-Sync" } else { "In-Sync" },
                "files": files, "syslogConfigEventDto": [], "tags": [], "sunrise": Value::Null,
            }],
        })
    });
    enveloped(json!({ "archiveResultlist": rows.collect::<Vec<_>>() }))
}

/// Words after which the controller blots out the next one.
const SECRET_WORDS: [&str; 8] =
    ["password", "secret", "community", "key", "md5", "key-string", "server-key", "pre-shared-key"];

/// The text without its secrets, in the controller's way: stars where they stood.
fn masked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        let mut hide = false;
        let words = line.split(' ').map(|word| {
            // The type number of a secret stays: `secret 9 …`.
            let number = word.len() == 1 && word.bytes().all(|byte| byte.is_ascii_digit());
            let blot = hide && !number && !word.is_empty();
            hide = SECRET_WORDS.contains(&word) || hide && !blot;
            if blot { "*****" } else { word }
        });
        out.push_str(&words.collect::<Vec<_>>().join(" "));
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn secrets_become_stars_and_all_else_stays() {
        let text =
            "enable secret 9 $9$abc\nsnmp-server community public RO\n key 7 0812\nvlan 5\n name key\nno shutdown\n";
        let expected =
            "enable secret 9 *****\nsnmp-server community ***** RO\n key 7 *****\nvlan 5\n name key\nno shutdown\n";
        assert_eq!(masked(text), expected);
    }
}
