//! Devices, their configurations (masked) and interfaces.

use std::sync::Arc;

use device_config::Platform;
use platform::policy::TargetFacts;
use platform::{Error, ErrorKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tool_runtime::combinators::{Page, PageOf, paged};
use tool_runtime::connector::target_unknown;
use tool_runtime::tool::typed;
use tool_runtime::{TargetArgument, Tool, ToolCx, ToolSpec};

use crate::client::{Api, Query, segment};
use crate::model::{Device, Interface, VendorDevice, VendorInterface};

const DEVICES: &str = "/dna/intent/api/v1/network-device";
/// The argument that names a device.
pub(crate) const DEVICE: &[TargetArgument] = &[TargetArgument { argument: "device_id", kind: "device" }];

#[derive(Deserialize, JsonSchema)]
struct ListDevices {
    /// Host name; `.*` stands for any text.
    #[schemars(length(max = 255))]
    hostname: Option<String>,
    /// Management address; `.*` stands for any text.
    #[schemars(length(max = 64))]
    management_ip: Option<String>,
    /// Serial number; `.*` stands for any text.
    #[schemars(length(max = 64))]
    serial: Option<String>,
    /// Product family, for example `Switches and Hubs`.
    #[schemars(length(max = 128))]
    family: Option<String>,
    /// `ACCESS`, `DISTRIBUTION`, `CORE`, `BORDER ROUTER`, `UNKNOWN`.
    #[schemars(length(max = 32))]
    role: Option<String>,
    /// `Reachable`, `Unreachable`, `Ping Reachable`.
    #[schemars(length(max = 32))]
    reachability: Option<String>,
}

pub(super) fn list_devices(api: &Arc<Api>) -> Arc<dyn Tool> {
    let api = Arc::clone(api);
    let spec = ToolSpec::new::<ListDevices, Page>("list_devices", "List devices",
        "Lists the network devices of the inventory, with serial numbers, software and reachability. Filters narrow it.")
    .example(json!({"role": "ACCESS", "limit": 5}));
    paged(spec, move |cx, args: ListDevices, page| {
        let api = Arc::clone(&api);
        async move {
            let whole = !filtered(&args);
            let total = if whole { Some(api.read(&cx, &format!("{DEVICES}/count")).await?) } else { None };
            let query = Query::default()
                .with("hostname", args.hostname)
                .with("managementIpAddress", args.management_ip)
                .with("serialNumber", args.serial)
                .with("family", args.family)
                .with("role", args.role)
                .with("reachabilityStatus", args.reachability);
            api.page::<VendorDevice, Device>(&cx, DEVICES, query, page, total).await
        }
    })
}

/// Only the whole inventory's count is known to every release.
fn filtered(args: &ListDevices) -> bool {
    [&args.hostname, &args.management_ip, &args.serial, &args.family, &args.role, &args.reachability]
        .iter()
        .any(|a| a.is_some())
}

#[derive(Deserialize, JsonSchema)]
struct OneDevice {
    /// Catalyst Center's id of the device, from `list_devices`.
    #[schemars(length(min = 1, max = 64))]
    device_id: String,
}

pub(super) fn get_device(api: &Arc<Api>) -> Arc<dyn Tool> {
    let api = Arc::clone(api);
    let spec =
        ToolSpec::new::<OneDevice, Device>("get_device", "Get a device", "Shows one network device of the inventory.")
            .targets(DEVICE)
            .example(json!({"device_id": "00000000-0000-4000-8000-000000000000"}));
    typed(spec, move |cx, args: OneDevice| {
        let api = Arc::clone(&api);
        async move { device(&api, &cx, &args.device_id).await }
    })
}

async fn device(api: &Api, cx: &ToolCx, id: &str) -> Result<Device, Error> {
    let found: VendorDevice = api.read(cx, &format!("{DEVICES}/{}", segment(id)?)).await?;
    Ok(found.into())
}

/// What policy and the audit log know a device by.
pub(crate) async fn facts(api: &Api, cx: &ToolCx, id: &str) -> Result<TargetFacts, Error> {
    let unknown = |e: Error| match e.code() {
        "target_not_found" | "target_refused_arguments" => target_unknown("device", id),
        _ => e,
    };
    let device = device(api, cx, id).await.map_err(unknown)?;
    Ok(TargetFacts {
        kind: "device".to_owned(),
        name: device.hostname.unwrap_or_else(|| device.id.clone()),
        id: device.id,
        serials: device.serials,
        site: device.site,
        role: device.role,
        redundancy_group: None,
        ci: None,
        source: "live".to_owned(),
        age_s: 0,
    })
}

/// A running configuration without its secrets.
#[derive(Serialize, JsonSchema)]
struct MaskedConfig {
    /// The device.
    device_id: String,
    /// Host name, from the inventory.
    hostname: Option<String>,
    /// Running configuration as Catalyst Center last read it; secrets are masked.
    config: String,
    /// Lines whose secret was masked.
    masked_secrets: usize,
    /// When Catalyst Center updated the device, milliseconds since the epoch.
    updated_ms: Option<i64>,
}

pub(super) fn get_device_config(api: &Arc<Api>) -> Arc<dyn Tool> {
    let api = Arc::clone(api);
    let spec = ToolSpec::new::<OneDevice, MaskedConfig>(
        "get_device_config",
        "Get a device's configuration",
        "Shows the running configuration of one IOS-XE device as Catalyst Center last read it. Secrets are masked.",
    )
    .targets(DEVICE);
    typed(spec, move |cx, args: OneDevice| {
        let api = Arc::clone(&api);
        async move {
            let device = device(&api, &cx, &args.device_id).await?;
            // Another platform's secrets look different: what is not understood is not shown.
            if device.software_type.as_deref() != Some("IOS-XE") {
                let kind = device.software_type.unwrap_or_else(|| "of an unknown platform".to_owned());
                return Err(Error::new(
                    ErrorKind::InvalidInput,
                    "platform_unsupported",
                    format!("This device is {kind}; only IOS-XE configurations can be masked, so only they are shown."),
                ));
            }
            let path = format!("{DEVICES}/{}/config", segment(&args.device_id)?);
            let config: String = api.read(&cx, &path).await?;
            let masked = device_config::mask(Platform::IosXe, &config);
            Ok(MaskedConfig {
                device_id: device.id,
                hostname: device.hostname,
                config: masked.text,
                masked_secrets: masked.secrets,
                updated_ms: device.updated_ms,
            })
        }
    })
}

pub(super) fn list_interfaces(api: &Arc<Api>) -> Arc<dyn Tool> {
    let api = Arc::clone(api);
    let spec = ToolSpec::new::<OneDevice, Page>(
        "list_interfaces",
        "List interfaces",
        "Lists the interfaces of one device: state, speed, VLAN, addresses.",
    )
    .targets(DEVICE);
    paged(spec, move |cx, args: OneDevice, page| {
        let api = Arc::clone(&api);
        async move {
            // This route has no paging of its own: the whole device is read, and the page cut out of it.
            let path = format!("/dna/intent/api/v1/interface/network-device/{}", segment(&args.device_id)?);
            let all: Vec<VendorInterface> = api.read(&cx, &path).await?;
            let total = all.len() as u64;
            let skip = usize::try_from(page.offset).unwrap_or(usize::MAX);
            let rows: Vec<Interface> =
                all.into_iter().skip(skip).take(page.limit as usize).map(Interface::from).collect();
            let more = page.offset + (rows.len() as u64) < total;
            Ok(PageOf { rows, total: Some(total), more })
        }
    })
}
