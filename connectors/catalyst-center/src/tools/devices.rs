//! Devices, their configurations (masked) and interfaces.

use std::sync::Arc;

use device_config::Platform;
use platform::artifacts::ArtifactKind;
use platform::policy::TargetFacts;
use platform::{Error, ErrorKind, canonical};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tool_runtime::combinators::{Page, PageOf, listed, single};
use tool_runtime::connector::target_unknown;
use tool_runtime::{ArtifactReference, TargetArgument, Tool, ToolCx, ToolSpec};

use crate::client::{Api, Filter, Query, segment};
use crate::model::{Device, Interface, VendorDevice, VendorInterface};

pub(crate) const DEVICES: &str = "/dna/intent/api/v1/network-device";
/// The interfaces of a device: its id follows.
pub(crate) const INTERFACES: &str = "/dna/intent/api/v1/interface/network-device";
/// The argument that names a device.
pub(crate) const DEVICE: &[TargetArgument] = &[TargetArgument { argument: "device_id", kind: "device" }];

#[derive(Deserialize, JsonSchema)]
struct ListDevices {
    /// Host name; `.*` stands for any text.
    hostname: Option<Filter>,
    /// Management address; `.*` stands for any text.
    management_ip: Option<Filter>,
    /// Serial number; `.*` stands for any text.
    serial: Option<Filter>,
    /// Product family, for example `Switches and Hubs`.
    family: Option<Filter>,
    /// `ACCESS`, `DISTRIBUTION`, `CORE`, `BORDER ROUTER`, `UNKNOWN`.
    role: Option<Filter>,
    /// `Reachable`, `Unreachable`, `Ping Reachable`.
    reachability: Option<Filter>,
}

pub(super) fn list_devices(api: &Arc<Api>) -> Arc<dyn Tool> {
    let spec = ToolSpec::new::<ListDevices, Page>("list_devices", "List devices",
        "Lists the network devices of the inventory, with serial numbers, software and reachability. Filters narrow it.")
    .example(json!({"role": "ACCESS", "limit": 5}));
    listed(api, spec, |api, cx, args: ListDevices, page| async move {
        let query = Query::of([
            ("hostname", args.hostname),
            ("managementIpAddress", args.management_ip),
            ("serialNumber", args.serial),
            ("family", args.family),
            ("role", args.role),
            ("reachabilityStatus", args.reachability),
        ]);
        api.page::<VendorDevice, Device>(&cx, DEVICES, query, page).await
    })
}

#[derive(Deserialize, JsonSchema)]
struct OneDevice {
    /// Catalyst Center's id of the device, from `list_devices`.
    #[schemars(length(min = 1, max = 64))]
    device_id: String,
}

pub(super) fn get_device(api: &Arc<Api>) -> Arc<dyn Tool> {
    let spec =
        ToolSpec::new::<OneDevice, Device>("get_device", "Get a device", "Shows one network device of the inventory.")
            .targets(DEVICE)
            .example(json!({"device_id": "…"}));
    single(api, spec, |api, cx, args: OneDevice| async move { device(&api, &cx, &args.device_id).await })
}

/// One device; other words than ids name none.
pub(crate) async fn device(api: &Api, cx: &ToolCx, id: &str) -> Result<Device, Error> {
    // Other words are routes of the vendor's in this place (`count`, `config`), and never devices.
    if uuid::Uuid::try_parse(id).is_err() {
        return Err(target_unknown("device", id));
    }
    let found: VendorDevice = api.read(cx, &format!("{DEVICES}/{}", segment(id)?)).await?;
    Ok(found.into())
}

/// Several devices by one request, in the order of their ids.
pub(crate) async fn several(api: &Api, cx: &ToolCx, ids: &[String]) -> Result<Vec<Device>, Error> {
    if let Some(id) = ids.iter().find(|id| uuid::Uuid::try_parse(id).is_err()) {
        return Err(target_unknown("device", id));
    }
    // The vendor answers with nothing in the place of an id that it does not know.
    let query = Query::default().with("id", Some(ids.join(",")));
    let rows: Vec<Option<VendorDevice>> = api.read(cx, &query.on(DEVICES)).await?;
    let mut found: Vec<Device> = rows.into_iter().flatten().map(Device::from).collect();
    let in_order = ids.iter().map(|id| {
        let at = found.iter().position(|device| device.id.eq_ignore_ascii_case(id));
        at.map(|at| found.swap_remove(at)).ok_or_else(|| target_unknown("device", id))
    });
    in_order.collect()
}

/// The platform of a device whose configuration is understood; `platform_unsupported` for the others.
pub(crate) fn platform_of(device: &Device) -> Result<Platform, Error> {
    device.software_type.as_deref().and_then(Platform::of_software_type).ok_or_else(|| {
        let kind = device.software_type.as_deref().unwrap_or("of an unknown platform");
        Error::new(
            ErrorKind::NotFound,
            "platform_unsupported",
            format!("This device is {kind}; only configurations that can be masked are read."),
        )
    })
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

/// Media type of a configuration.
const CONFIGURATION: &str = "text/plain";
/// Longest configuration that stands in the result itself, bytes.
const MOST_INLINE: usize = 64 << 10;
/// Lines of a longer one that stand there.
const FIRST_LINES: usize = 40;

/// A running configuration without its secrets.
#[derive(Serialize, JsonSchema)]
struct MaskedConfig {
    /// The device.
    device_id: String,
    /// Host name, from the inventory.
    hostname: Option<String>,
    /// Running configuration as Catalyst Center last read it; secrets are masked. Nothing where it is longer than 64 KiB.
    config: Option<String>,
    /// Its first lines, where `config` is nothing.
    first_lines: Option<String>,
    /// SHA-256 of the masked text, hexadecimal: equal digests, equal configurations.
    sha256: String,
    /// The masked text, kept as an artifact that other calls can refer to.
    artifact: ArtifactReference,
    /// Lines whose secret was masked.
    masked_secrets: usize,
    /// When Catalyst Center updated the device, milliseconds since the epoch.
    updated_ms: Option<i64>,
}

pub(super) fn get_device_config(api: &Arc<Api>) -> Arc<dyn Tool> {
    let spec = ToolSpec::new::<OneDevice, MaskedConfig>(
        "get_device_config",
        "Get a device's configuration",
        "Shows the running configuration of one IOS-XE device as Catalyst Center last read it. Secrets are masked. It is kept \
         as an artifact too; of one longer than 64 KiB only the first lines are shown, and `get_artifact` reads the rest.",
    )
    .targets(DEVICE);
    single(api, spec, |api, cx, args: OneDevice| async move { masked_config(&api, &cx, &args.device_id).await })
}

async fn masked_config(api: &Api, cx: &ToolCx, id: &str) -> Result<MaskedConfig, Error> {
    let device = device(api, cx, id).await?;
    // Another platform's secrets look different: what is not understood is not shown.
    if device.software_type.as_deref() != Some("IOS-XE") {
        let kind = device.software_type.unwrap_or_else(|| "of an unknown platform".to_owned());
        return Err(Error::new(
            ErrorKind::NotFound,
            "platform_unsupported",
            format!("This device is {kind}; only IOS-XE configurations can be masked, so only they are shown."),
        ));
    }
    let config: String = api.read(cx, &format!("{DEVICES}/{}/config", segment(id)?)).await?;
    let masked = device_config::mask(Platform::IosXe, &config);
    let text = masked.text;
    let artifact = cx.artifacts.put(ArtifactKind::Configuration, CONFIGURATION, text.as_bytes()).await?;
    let sha256 = hex::encode(canonical::sha256(text.as_bytes()));
    let (config, first_lines) = shown(text);
    Ok(MaskedConfig {
        device_id: device.id,
        hostname: device.hostname,
        config,
        first_lines,
        sha256,
        artifact,
        masked_secrets: masked.secrets,
        updated_ms: device.updated_ms,
    })
}

/// A configuration whole, or the first lines of a long one.
fn shown(text: String) -> (Option<String>, Option<String>) {
    match text.len() <= MOST_INLINE {
        true => (Some(text), None),
        false => (None, Some(text.lines().take(FIRST_LINES).collect::<Vec<_>>().join("\n"))),
    }
}

pub(super) fn list_interfaces(api: &Arc<Api>) -> Arc<dyn Tool> {
    let spec = ToolSpec::new::<OneDevice, Page>(
        "list_interfaces",
        "List interfaces",
        "Lists the interfaces of one device: state, speed, VLAN, addresses.",
    )
    .targets(DEVICE);
    listed(api, spec, |api, cx, args: OneDevice, page| async move {
        // This route has no paging of its own.
        let path = format!("{INTERFACES}/{}", segment(&args.device_id)?);
        Ok(PageOf::<Interface>::cut(api.read::<Vec<VendorInterface>>(&cx, &path).await?, page))
    })
}

#[cfg(test)]
mod tests {
    use super::{FIRST_LINES, MOST_INLINE, shown};

    #[test]
    fn a_configuration_of_64_kib_is_shown_whole_and_a_longer_one_by_its_first_lines() {
        let whole = "x".repeat(MOST_INLINE);
        assert_eq!(shown(whole.clone()), (Some(whole.clone()), None));
        let (config, first) = shown(format!("{}{whole}", "line\n".repeat(100)));
        assert_eq!((config, first), (None, Some(["line"; FIRST_LINES].join("\n"))));
    }
}
