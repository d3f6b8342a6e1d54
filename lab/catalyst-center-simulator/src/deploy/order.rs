//! What a deployment request asks for, read and checked before anything happens.
//!
//! Where next: [`super::work`], which carries an order out.

use std::collections::BTreeMap;

use axum::body::Bytes;
use serde_json::{Map, Value};
use uuid::Uuid;
use world::Device;

use super::Target;
use crate::reply::Fail;
use crate::simulator::Simulator;
use crate::templates::{Template, Version, text};

/// What a request asks for, after validation.
pub(super) struct Order {
    pub(super) template: Template,
    pub(super) targets: Vec<Target>,
    pub(super) versions: BTreeMap<Uuid, Version>,
    pub(super) force: bool,
    pub(super) save: bool,
}

pub(super) fn read(simulator: &Simulator, body: &Bytes) -> Result<Order, Fail> {
    let body: Map<String, Value> = serde_json::from_slice(body)
        .map_err(|error| Fail::bad(format!("Request body is not a valid JSON object: {error}")))?;
    let id = text(&body, "templateId");
    if id.is_empty() {
        return Err(Fail::bad("templateId is required"));
    }
    let (template, default) = simulator
        .template_or_version(id)
        .ok_or_else(|| Fail::missing(format!("NCTP11002: Template not found: {id}")))?;
    let flag = |key: &str| body.get(key).and_then(Value::as_bool).unwrap_or(false);
    let mut versions = BTreeMap::new();
    let mut targets = Vec::new();
    for wanted in body.get("targetInfo").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object) {
        let target_type = text(wanted, "type");
        let device = device_of(simulator, target_type, text(wanted, "id"), text(wanted, "hostName"))?;
        let version = match text(wanted, "versionedTemplateId") {
            "" => default.clone(),
            other => template.versions.iter().find(|version| version.id.to_string() == other).cloned(),
        };
        let version = version.ok_or_else(|| {
            let name = text(&template.body, "name");
            Fail::bad(format!(
                "NCTP10025: Template {name} has no committed version with this id; commit it before it is deployed"
            ))
        })?;
        targets.push(Target {
            device: device.id,
            name: simulator.world.hostname(device),
            address: device.management_ip.to_string(),
            status: "INIT".to_owned(),
            message: String::new(),
            start_ms: simulator.now_ms(),
            end_ms: None,
            target_type: target_type.to_owned(),
            params: wanted.get("params").and_then(Value::as_object).cloned().unwrap_or_default(),
            version: version.id,
        });
        versions.insert(version.id, version);
    }
    if targets.is_empty() {
        return Err(Fail::bad("NCTP10028: No device data found in the request to deploy the template"));
    }
    Ok(Order { template, targets, versions, force: flag("forcePushTemplate"), save: flag("copyingConfig") })
}

fn device_of<'a>(simulator: &'a Simulator, kind: &str, id: &str, hostname: &str) -> Result<&'a Device, Fail> {
    let (world, index) = (&simulator.world, &simulator.inventory);
    let wanted = if id.is_empty() { hostname } else { id };
    let found = match kind {
        "MANAGED_DEVICE_UUID" | "DEFAULT" | "" => return crate::devices::find(world, id),
        "MANAGED_DEVICE_IP" => index.by_address(world, wanted),
        "MANAGED_DEVICE_HOSTNAME" => index.by_hostname(world, wanted),
        "PRE_PROVISIONED_SERIAL" => index.by_serial(world, wanted),
        "PRE_PROVISIONED_MAC" => index.by_mac(world, wanted),
        other => return Err(Fail::bad(format!("Target type {other} is not known"))),
    };
    found.ok_or_else(|| Fail::missing(format!("NCTP10020: Device not found: {wanted}")))
}

/// Whether the template is for devices of this family; one that names none is for all.
pub(super) fn applies(simulator: &Simulator, template: &Template, target: &Target) -> bool {
    let mut families = template
        .body
        .get("deviceTypes")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|kind| kind.get("productFamily").and_then(Value::as_str))
        .peekable();
    let Some(device) = simulator.world.device(target.device) else { return false };
    families.peek().is_none() || families.any(|family| family == device.platform.family.name())
}

/// The targets that already hold this version with these values; the controller skips them unless it is forced.
pub(super) fn already(simulator: &Simulator, target: &Target) -> bool {
    let held = simulator.world.document("deployed", &format!("{}/{}", target.device, target.version));
    held.is_some_and(|held| held == Value::Object(target.params.clone()))
}
