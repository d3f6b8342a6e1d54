//! Changes that need no template: properties of one interface, and saving running configurations.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use platform::{Error, ErrorKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};
use tool_runtime::combinators::single_followed;
use tool_runtime::{SideEffect, TargetArgument, Tool, ToolCx, ToolSpec};

use super::devices::{DEVICE, INTERFACES};
use super::work::{Work, followed, moment};
use crate::client::{Api, Query, segment};
use crate::vendor::tasks;

#[derive(Deserialize, Serialize, JsonSchema, Clone, Copy)]
#[serde(rename_all = "UPPERCASE")]
enum AdminStatus {
    Up,
    Down,
}

#[derive(Deserialize, JsonSchema)]
struct UpdateInterface {
    /// Catalyst Center's id of the device, from `list_devices`.
    #[schemars(length(min = 1, max = 64))]
    device_id: String,
    /// Name of the interface, as `list_interfaces` shows it, for example `GigabitEthernet1/0/3`.
    #[schemars(length(min = 1, max = 80), regex(pattern = r"^[A-Za-z][A-Za-z0-9/.:-]*$"))]
    interface: String,
    /// Description; empty removes it.
    #[schemars(length(max = 200), regex(pattern = r"^[^\x00-\x1f\x7f]*$"))]
    description: Option<String>,
    /// Switches the interface on or off.
    admin_status: Option<AdminStatus>,
    /// Access VLAN.
    #[schemars(range(min = 1, max = 4094))]
    vlan: Option<u16>,
    /// Voice VLAN.
    #[schemars(range(min = 1, max = 4094))]
    voice_vlan: Option<u16>,
}

#[derive(Deserialize)]
struct PortId {
    id: String,
}

pub(super) fn update_interface(api: &Arc<Api>) -> Arc<dyn Tool> {
    let spec = ToolSpec::new::<UpdateInterface, Work>(
        "update_interface",
        "Change an interface",
        "Changes description, administrative status, access VLAN or voice VLAN of one interface; what is left out stays. \
         Answers within seconds: with the result, or `in_progress` and a `task_id` to follow with `get_task`.",
    )
    .targets(DEVICE)
    .effect(SideEffect::Discoverable)
    .timeout(Duration::from_secs(45))
    .example(json!({"device_id": "…", "interface": "GigabitEthernet1/0/3", "description": "printer, room 12"}));
    single_followed(api, spec, |api, cx, args: UpdateInterface| async move {
        let task_id = start(&api, &cx, &args).await?;
        Ok(followed(moment(&api, &cx, &task_id).await))
    })
}

async fn start(api: &Api, cx: &ToolCx, args: &UpdateInterface) -> Result<String, Error> {
    if let Some(journal) = &cx.journal {
        journal.preparing();
    }
    let mut wish = Map::new();
    wish.extend(args.description.as_ref().map(|text| ("description".to_owned(), text.as_str().into())));
    wish.extend(args.admin_status.map(|status| ("adminStatus".to_owned(), json!(status))));
    wish.extend(args.vlan.map(|vlan| ("vlanId".to_owned(), vlan.into())));
    wish.extend(args.voice_vlan.map(|vlan| ("voiceVlanId".to_owned(), vlan.into())));
    if wish.is_empty() {
        let message = "Nothing is to be changed: give a description, an admin_status, a vlan or a voice_vlan.";
        return Err(Error::new(ErrorKind::InvalidInput, "nothing_to_change", message));
    }
    let path = format!("{INTERFACES}/{}/interface-name", segment(&args.device_id)?);
    let port: PortId = api.read(cx, &Query::default().with("name", Some(&args.interface)).on(&path)).await?;
    let path = format!("/dna/intent/api/v1/interface/{}?deploymentMode=Deploy", segment(&port.id)?);
    begin(api, cx, Method::PUT, &path, &wish.into()).await
}

/// Sends the one request that changes something, and writes the vendor's handle down before anything is polled (T20).
async fn begin(api: &Api, cx: &ToolCx, method: Method, path: &str, body: &platform::Json) -> Result<String, Error> {
    if let Some(journal) = &cx.journal {
        journal.sending();
    }
    let task_id = tasks::start(api, cx, method, path, body).await?;
    if let Some(journal) = &cx.journal {
        journal.started(json!({ "task_id": task_id })).await?;
    }
    Ok(task_id)
}

/// Most devices of one call.
const MOST_DEVICES: u32 = 20;

#[derive(Deserialize, JsonSchema)]
struct SaveConfig {
    /// Catalyst Center's ids of the devices, from `list_devices`.
    #[schemars(length(min = 1, max = MOST_DEVICES), inner(length(min = 1, max = 64)), extend("uniqueItems" = true))]
    device_ids: Vec<String>,
}

/// The argument that names several devices.
pub(super) const DEVICES: &[TargetArgument] = &[TargetArgument { argument: "device_ids", kind: "device" }];

pub(super) fn save_config(api: &Arc<Api>) -> Arc<dyn Tool> {
    let spec = ToolSpec::new::<SaveConfig, Work>(
        "save_config",
        "Save configurations",
        "Copies the running configuration of devices to their startup configuration (`write memory`). The message tells \
         each device's outcome. Answers within seconds, or `in_progress` and a `task_id` to follow with `get_task`.",
    )
    .targets(DEVICES)
    .timeout(Duration::from_secs(45))
    .example(json!({"device_ids": ["…"]}));
    single_followed(api, spec, |api, cx, args: SaveConfig| async move {
        let path = "/dna/intent/api/v1/network-device-config/write-memory";
        let task_id = begin(&api, &cx, Method::POST, path, &json!({"deviceId": args.device_ids})).await?;
        Ok(followed(moment(&api, &cx, &task_id).await))
    })
}
