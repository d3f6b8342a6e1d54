//! Security advisories: which of a few published ones concern which devices, by release. A device that one concerns is
//! not compliant with `PSIRT`.

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use serde_json::{Map, Value, json};
use world::Device;

use crate::devices::find;
use crate::inventory::managed;
use crate::reply::{Answer, Fail, enveloped};
use crate::simulator::{Shared, Simulator};

const BASE: &str = "/dna/intent/api/v1/security-advisory";

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route(&format!("{BASE}/advisory"), get(list))
        .route(&format!("{BASE}/advisory/aggregate"), get(aggregate))
        .route(&format!("{BASE}/advisory/{{id}}/device"), get(devices_of))
        .route(&format!("{BASE}/device/{{id}}"), get(device_ids))
        .route(&format!("{BASE}/device/{{id}}/advisory"), get(of_device))
}

/// A published advisory, and the releases of border routers that it concerns.
struct Advisory {
    id: &'static str,
    cves: &'static [&'static str],
    rating: &'static str,
    release: &'static str,
}

static ADVISORIES: &[Advisory] = &[
    Advisory {
        id: "cisco-sa-iosxe-webui-privesc-j22SaA4z",
        cves: &["CVE-2023-20198", "CVE-2023-20273"],
        rating: "CRITICAL",
        release: "17.9.6a",
    },
    Advisory { id: "cisco-sa-getvpn-rce-g8qR68sx", cves: &["CVE-2023-20109"], rating: "MEDIUM", release: "17.9.6a" },
];

impl Advisory {
    fn concerns(&self, device: &Device) -> bool {
        device.role == world::Role::BorderRouter && device.software_version == self.release
    }

    fn row(&self, simulator: &Simulator) -> Value {
        json!({
            "advisoryId": self.id, "deviceCount": managed(&simulator.world).filter(|device| self.concerns(device)).count(),
            "hiddenDeviceCount": 0, "cves": self.cves, "sir": self.rating, "detectionType": "VERSION", "defaultDetectionType": "VERSION",
            "defaultConfigMatchPattern": "", "publicationUrl": format!("https://sec.cloudapps.cisco.com/security/center/content/CiscoSecurityAdvisory/{}", self.id),
        })
    }
}

/// Whether any advisory concerns a device.
pub(crate) fn concerns(device: &Device) -> bool {
    ADVISORIES.iter().any(|advisory| advisory.concerns(device))
}

async fn list(State(simulator): State<Shared>) -> Answer {
    enveloped(ADVISORIES.iter().map(|advisory| advisory.row(&simulator)).collect::<Vec<_>>())
}

async fn aggregate() -> Answer {
    let mut counts = Map::new();
    for rating in ["NA", "INFORMATIONAL", "LOW", "MEDIUM", "HIGH", "CRITICAL"] {
        let total = ADVISORIES.iter().filter(|advisory| advisory.rating == rating).count();
        counts.insert(rating.to_owned(), json!({ "CONFIG": 0, "VERSION": total, "TOTAL": total }));
    }
    enveloped(Value::Object(counts))
}

async fn devices_of(State(simulator): State<Shared>, Path(id): Path<String>) -> Answer {
    let advisory = ADVISORIES.iter().find(|advisory| advisory.id == id);
    let advisory = advisory.ok_or_else(|| Fail::missing(format!("No advisory found with id: {id}")))?;
    let ids = managed(&simulator.world).filter(|device| advisory.concerns(device)).map(|device| json!(device.id));
    enveloped(ids.collect::<Vec<_>>())
}

async fn device_ids(State(simulator): State<Shared>, Path(id): Path<String>) -> Answer {
    let device = find(&simulator.world, &id)?;
    let ids: Vec<&str> =
        ADVISORIES.iter().filter(|advisory| advisory.concerns(device)).map(|advisory| advisory.id).collect();
    enveloped(json!([{ "deviceId": device.id, "advisoryIds": ids }]))
}

async fn of_device(State(simulator): State<Shared>, Path(id): Path<String>) -> Answer {
    let device = find(&simulator.world, &id)?;
    let found = ADVISORIES.iter().filter(|advisory| advisory.concerns(device));
    enveloped(found.map(|advisory| advisory.row(&simulator)).collect::<Vec<_>>())
}
