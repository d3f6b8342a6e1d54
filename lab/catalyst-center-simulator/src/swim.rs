//! Software images: the repository, which is golden, distribution and activation. An image of a family that a device
//! runs exists for every release that the world runs.
//!
//! Distribution copies and changes nothing; activation says so and fails in the lab, because no device of the world can
//! take another release. Where next: [`crate::tasks`], whose parents and parts show distribution per device.

use std::collections::BTreeMap;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::routing::{get, post};
use serde_json::{Value, json};
use uuid::Uuid;
use world::{Device, Family, Reachability};

use crate::devices::{find, time_text};
use crate::effects::Origin;
use crate::inventory::managed;
use crate::query::Params;
use crate::reply::{Answer, Fail, accepted, enveloped};
use crate::simulator::{Shared, Simulator};

const BASE: &str = "/dna/intent/api/v1";
const GOLDEN: &str = "golden_image";
const UPDATES: &str = "image_update";

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route(&format!("{BASE}/image/importation"), get(list))
        .route(&format!("{BASE}/image/importation/device-family-identifiers"), get(families))
        .route(&format!("{BASE}/image/importation/golden"), post(tag))
        .route(
            &format!("{BASE}/image/importation/golden/site/{{site}}/family/{{family}}/role/{{role}}/image/{{image}}"),
            get(is_golden).delete(untag),
        )
        .route(&format!("{BASE}/image/distribution"), post(distribute))
        .route(&format!("{BASE}/image/activation/device"), post(activate))
        .route(&format!("{BASE}/images"), get(newer))
        .route(&format!("{BASE}/images/count"), get(newer_count))
        .route(&format!("{BASE}/networkDeviceImageUpdates"), get(updates))
        .route(&format!("{BASE}/networkDeviceImageUpdates/count"), get(updates_count))
}

struct Image {
    id: Uuid,
    family: &'static str,
    version: &'static str,
    devices: usize,
    series: &'static str,
}

/// One image per family and release that runs, in the order of their names.
fn images(simulator: &Simulator) -> Vec<Image> {
    let mut found: BTreeMap<(&str, &str), Image> = BTreeMap::new();
    for device in managed(&simulator.world).filter(|device| device.platform.family != Family::AccessPoint) {
        let (family, version) = (device.platform.image, device.software_version);
        let image = found.entry((family, version)).or_insert_with(|| Image {
            id: Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{} {family} {version}", simulator.name).as_bytes()),
            family,
            version,
            devices: 0,
            series: device.platform.series,
        });
        image.devices += 1;
    }
    found.into_values().collect()
}

impl Image {
    fn file(&self) -> String {
        let lead = match self.family {
            "CAT9K_IOSXE" => "cat9k_iosxe",
            "C8000BE" => "c8000be-universalk9",
            other => other,
        };
        format!("{lead}.{}.SPA.bin", self.version)
    }

    /// What somebody tagged, else the release that most devices of the family run.
    fn golden(&self, simulator: &Simulator, all: &[Image]) -> bool {
        match simulator.world.document(GOLDEN, self.family).as_ref().and_then(Value::as_str) {
            Some(id) => id == self.id.to_string(),
            None => {
                let best = all.iter().filter(|image| image.family == self.family).max_by_key(|image| image.devices);
                best.is_some_and(|best| best.id == self.id)
            }
        }
    }

    fn size(&self) -> u128 {
        400_000_000 + self.id.as_u128() % 700_000_000
    }

    fn row(&self, simulator: &Simulator, all: &[Image]) -> Value {
        json!({
            "imageUuid": self.id, "name": self.file(), "imageName": self.file(), "version": self.version, "displayVersion": self.version,
            "family": self.family, "imageType": "SYSTEM_SW", "fileSize": format!("{} bytes", self.size()), "applicationType": "",
            "isTaggedGolden": self.golden(simulator, all), "imageSeries": [self.series], "imageIntegrityStatus": "VERIFIED",
            "md5Checksum": format!("{:032x}", self.id.as_u128()), "shaCheckSum": format!("{:064x}", self.id.as_u128()), "vendor": "Cisco",
            "importSourceType": "LOCALFILESYSTEM", "imageSource": "LOCALFILESYSTEM", "feature": "", "fileServiceId": self.id,
            "createdTime": time_text(simulator.world.born_ms() - 40 * 86_400_000), "extendedAttributes": {}, "profileInfo": [],
            "applicableDevicesForImage": [{ "mdfId": (self.id.as_u128() % 900_000_000).to_string(), "productName": self.series, "productId": [self.family] }],
        })
    }
}

fn matching(simulator: &Simulator, params: &Params) -> Vec<Value> {
    let all = images(simulator);
    let mut found = Vec::new();
    for image in &all {
        let golden = image.golden(simulator, &all);
        let flag = |key: &str| params.get(key).is_none_or(|wanted| wanted.eq_ignore_ascii_case("true") == golden);
        if params.passes_with("imageUuid", || image.id.to_string())
            && params.passes_with("name", || image.file())
            && params.passes_with("imageName", || image.file())
            && params.passes("family", image.family)
            && params.passes("version", image.version)
            && flag("isTaggedGolden")
            && flag("golden")
        {
            found.push(image.row(simulator, &all));
        }
    }
    found
}

async fn list(State(simulator): State<Shared>, params: Params) -> Answer {
    let page = params.page(500, 500)?;
    enveloped(page.of(matching(&simulator, &params)))
}

async fn newer(State(simulator): State<Shared>, params: Params) -> Answer {
    let page = params.page(500, 500)?;
    let rows = page.of(matching(&simulator, &params)).into_iter().map(|row| {
        json!({
            "id": row["imageUuid"], "name": row["imageName"], "version": row["version"], "imageType": row["imageType"], "cco": false,
            "recommended": "NOT_RECOMMENDED", "ccoLatest": false, "integrityStatus": "VERIFIED", "imported": true, "isGoldenTagged": row["isTaggedGolden"],
            "productNames": [{ "id": row["applicableDevicesForImage"][0]["mdfId"], "productName": row["imageSeries"][0] }], "addonImages": [],
        })
    });
    enveloped(rows.collect::<Vec<_>>())
}

async fn newer_count(State(simulator): State<Shared>, params: Params) -> Answer {
    enveloped(json!({ "count": matching(&simulator, &params).len() }))
}

async fn families(State(simulator): State<Shared>) -> Answer {
    let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
    for image in images(&simulator) {
        seen.insert(image.family, image.series);
    }
    enveloped(
        seen.into_iter()
            .map(|(family, series)| json!({ "deviceFamily": series, "deviceFamilyIdentifier": family }))
            .collect::<Vec<_>>(),
    )
}

fn image_of(simulator: &Simulator, id: &str) -> Result<Image, Fail> {
    let found = images(simulator).into_iter().find(|image| image.id.to_string() == id);
    found.ok_or_else(|| Fail::missing(format!("NCSW10395: No image found with id: {id}")))
}

async fn tag(State(simulator): State<Shared>, headers: HeaderMap, body: Bytes) -> Answer {
    let body: Value = serde_json::from_slice(&body).map_err(|error| Fail::bad(error.to_string()))?;
    let image = image_of(&simulator, body["imageId"].as_str().unwrap_or_default())?;
    let origin = Origin::new("POST", format!("{BASE}/image/importation/golden"), "golden_image", &headers);
    let task = simulator.start_work(&origin, &[], "Swim Service", "Tagging image as Golden.")?;
    simulator.world.put_document(GOLDEN, image.family, json!(image.id))?;
    simulator.end_task(task, "Tagging image as Golden.", Some(image.id.to_string()), None)?;
    accepted(task)
}

async fn is_golden(
    State(simulator): State<Shared>,
    Path((_, _, role, image)): Path<(String, String, String, String)>,
) -> Answer {
    let image = image_of(&simulator, &image)?;
    let golden = image.golden(&simulator, &images(&simulator));
    enveloped(
        json!({ "deviceRole": role, "taggedGolden": golden, "inheritedSiteName": "Global", "inheritedSiteId": Value::Null }),
    )
}

async fn untag(
    State(simulator): State<Shared>,
    Path((_, _, _, image)): Path<(String, String, String, String)>,
    headers: HeaderMap,
) -> Answer {
    let image = image_of(&simulator, &image)?;
    let origin = Origin::new("DELETE", format!("{BASE}/image/importation/golden"), "golden_image", &headers);
    let task = simulator.start_work(&origin, &[], "Swim Service", "Untagging image as Golden.")?;
    simulator.world.remove_document(GOLDEN, image.family)?;
    simulator.end_task(task, "Untagging image as Golden.", Some(image.id.to_string()), None)?;
    accepted(task)
}

/// The pairs of device and image that a body names under the vendor's keys.
fn pairs<'a>(simulator: &'a Simulator, body: &Bytes, key: &str) -> Result<Vec<(&'a Device, Image)>, Fail> {
    let body: Vec<Value> = serde_json::from_slice(body).map_err(|error| Fail::bad(error.to_string()))?;
    if body.is_empty() {
        return Err(Fail::bad("The list of devices and images is empty"));
    }
    body.iter()
        .map(|row| {
            let device = find(&simulator.world, row["deviceUuid"].as_str().unwrap_or_default())?;
            let image = row[key].as_array().and_then(|list| list.first()).unwrap_or(&row[key]);
            Ok((device, image_of(simulator, image.as_str().unwrap_or_default())?))
        })
        .collect()
}

async fn distribute(State(simulator): State<Shared>, headers: HeaderMap, body: Bytes) -> Answer {
    let pairs = pairs(&simulator, &body, "imageUuid")?;
    let path = format!("{BASE}/image/distribution");
    start(&simulator, &headers, path, &pairs, "Distribution", |device, image| {
        if device.platform.image == image.family {
            Ok(())
        } else {
            Err("NCSW20038: The image is not applicable to the device".to_owned())
        }
    })
}

async fn activate(State(simulator): State<Shared>, headers: HeaderMap, body: Bytes) -> Answer {
    let pairs = pairs(&simulator, &body, "imageUuidList")?;
    let path = format!("{BASE}/image/activation/device");
    start(&simulator, &headers, path, &pairs, "Activation", |device, image| {
        if device.platform.image == image.family && device.software_version == image.version {
            Ok(())
        } else {
            Err("NCSW10249: The device did not come up with the image".to_owned())
        }
    })
}

/// One task with a part per device.
fn start(
    simulator: &Shared,
    headers: &HeaderMap,
    path: String,
    pairs: &[(&Device, Image)],
    verb: &str,
    allowed: impl Fn(&Device, &Image) -> Result<(), String>,
) -> Answer {
    let devices: Vec<&Device> = pairs.iter().map(|(device, _)| *device).collect();
    let origin = Origin::new("POST", path, "image", headers);
    let task = simulator.start_work(&origin, &devices, "Swim Service", &format!("Starting {verb}"))?;
    let hidden = simulator.task(&task.to_string()).is_some_and(|task| task.hidden);
    let mut outcomes = Vec::new();
    for (device, image) in pairs {
        let told = format!("{verb} of {} to {}", image.file(), device.management_ip);
        let part = simulator.start_part("Swim Service", &told, hidden, Some(task))?;
        let reached = simulator.world.reachability(device) == Reachability::Reachable;
        let outcome = if reached {
            allowed(device, image)
        } else {
            Err(format!("NCSW10395: Device {} is not reachable", device.id))
        };
        let update = json!({
            "id": part, "parentId": task, "networkDeviceId": device.id, "startTime": simulator.now_ms(), "endTime": simulator.now_ms(),
            "status": if outcome.is_ok() { "SUCCESS" } else { "FAILURE" }, "statusMessage": told, "hostName": simulator.world.hostname(device),
            "managementAddress": device.management_ip.to_string(), "type": verb.to_uppercase(), "rollback": false, "updateImages": [{ "imageId": image.id, "imageName": image.file() }],
        });
        simulator.world.put_document(UPDATES, &part.to_string(), update)?;
        outcomes.push((part, told, outcome.err()));
    }
    let (worker, verb) = (std::sync::Arc::clone(simulator), verb.to_owned());
    tokio::spawn(async move {
        worker.pause(worker.pace().start_ms + worker.pace().least_ms).await;
        let (total, failed) = (outcomes.len(), outcomes.iter().filter(|(.., error)| error.is_some()).count());
        let first = outcomes.iter().find_map(|(.., error)| error.clone());
        for (part, told, error) in outcomes {
            worker.end_task_logged(part, &told, None, error);
        }
        let told = format!(
            "{verb} completed {}.  Success = {}, Failure = {failed}, Running = 0, Pending = 0, Total = {total}",
            if failed == 0 { "successfully" } else { "with failures" },
            total - failed
        );
        worker.end_task_logged(task, &told, None, first);
    });
    accepted(task)
}

fn update_rows(simulator: &Simulator, params: &Params) -> Vec<Value> {
    let field = |row: &Value, key: &str| row.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let rows = simulator.world.documents(UPDATES).into_iter().map(|(_, row)| row);
    rows.filter(|row| {
        ["id", "parentId", "networkDeviceId", "status", "hostName", "managementAddress"]
            .iter()
            .all(|key| params.passes_with(key, || field(row, key)))
    })
    .collect()
}

async fn updates(State(simulator): State<Shared>, params: Params) -> Answer {
    let page = params.page(500, 500)?;
    enveloped(page.of(update_rows(&simulator, &params)))
}

async fn updates_count(State(simulator): State<Shared>, params: Params) -> Answer {
    enveloped(json!({ "count": update_rows(&simulator, &params).len() }))
}
