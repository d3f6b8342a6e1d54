//! Compliance: what Catalyst Center thinks of devices, why, and to let it look again.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use platform::Error;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tool_runtime::combinators::{Page, listed, single, single_followed};
use tool_runtime::{Tool, ToolCx, ToolSpec};

use super::changes::DEVICES;
use super::devices::DEVICE;
use super::work::{Work, followed, moment};
use crate::client::{Api, Enveloped, Filter, Query, segment};
use crate::vendor::tasks;

const COMPLIANCE: &str = "/dna/intent/api/v1/compliance";

#[derive(Deserialize, JsonSchema)]
struct ListCompliance {
    /// `COMPLIANT`, `NON_COMPLIANT`, `IN_PROGRESS`, `NOT_AVAILABLE`, `ERROR`.
    status: Option<Filter>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VendorRow {
    device_uuid: String,
    compliance_status: Option<String>,
    message: Option<String>,
    last_update_time: Option<i64>,
}

/// A device, as compliance sees it.
#[derive(Serialize, JsonSchema)]
struct Row {
    /// The device.
    device_id: String,
    /// `COMPLIANT`, `NON_COMPLIANT`, …
    status: Option<String>,
    /// Why, in a sentence of Catalyst Center's.
    message: Option<String>,
    /// When that was found, milliseconds since the epoch.
    updated_ms: Option<i64>,
}

impl From<VendorRow> for Row {
    fn from(v: VendorRow) -> Self {
        Self {
            device_id: v.device_uuid,
            status: v.compliance_status,
            message: v.message.filter(|m| !m.is_empty()),
            updated_ms: v.last_update_time,
        }
    }
}

pub(super) fn list_compliance(api: &Arc<Api>) -> Arc<dyn Tool> {
    let spec = ToolSpec::new::<ListCompliance, Page>(
        "list_compliance",
        "List compliance",
        "Lists which devices comply and which do not. `get_compliance` tells why.",
    )
    .example(json!({"status": "NON_COMPLIANT"}));
    listed(api, spec, |api, cx, args: ListCompliance, page| async move {
        let query = Query::of([("complianceStatus", args.status)]);
        api.page::<VendorRow, Row>(&cx, COMPLIANCE, query, page).await
    })
}

#[derive(Deserialize, JsonSchema)]
struct OneCompliance {
    /// Catalyst Center's id of the device, from `list_devices`.
    #[schemars(length(min = 1, max = 64))]
    device_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VendorDetail {
    compliance_type: String,
    status: Option<String>,
    state: Option<String>,
    last_sync_time: Option<i64>,
    #[serde(default)]
    source_info_list: Vec<VendorSource>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VendorSource {
    display_name: Option<String>,
    #[serde(default)]
    diff_list: Vec<VendorDifference>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VendorDifference {
    op: Option<String>,
    configured_value: Option<String>,
    intended_value: Option<String>,
}

/// What Catalyst Center thinks of a device.
#[derive(Serialize, JsonSchema)]
struct Compliance {
    /// The device.
    device_id: String,
    /// One entry per kind of compliance.
    kinds: Vec<Kind>,
}

/// One kind of compliance.
#[derive(Serialize, JsonSchema)]
struct Kind {
    /// `RUNNING_CONFIG`, `IMAGE`, `PSIRT`, `EOX`, `NETWORK_PROFILE`, …
    kind: String,
    /// `COMPLIANT`, `NON_COMPLIANT`, …
    status: Option<String>,
    /// Whether the check itself worked.
    state: Option<String>,
    /// When the device was last looked at for it, milliseconds since the epoch.
    updated_ms: Option<i64>,
    /// What differs, at most 200 entries; secrets are masked.
    differences: Vec<Difference>,
    /// How many more there are.
    more: usize,
}

/// One difference.
#[derive(Serialize, JsonSchema)]
struct Difference {
    /// What it is compared with.
    against: Option<String>,
    /// `ADD`, `REMOVE`, `UPDATE`: what happened to the device.
    change: Option<String>,
    /// What the device has.
    configured: Option<String>,
    /// What it should have.
    intended: Option<String>,
}

/// Most differences that are shown of one kind.
const MOST_SHOWN: usize = 200;

pub(super) fn get_compliance(api: &Arc<Api>) -> Arc<dyn Tool> {
    let spec = ToolSpec::new::<OneCompliance, Compliance>(
        "get_compliance",
        "Get a device's compliance",
        "Shows for one device what complies and what differs, kind by kind: running against startup configuration, image, \
         security advisories, end of life.",
    )
    .targets(DEVICE)
    .example(json!({"device_id": "…"}));
    single(api, spec, |api, cx, args: OneCompliance| async move { compliance(&api, &cx, args.device_id).await })
}

async fn compliance(api: &Api, cx: &ToolCx, device_id: String) -> Result<Compliance, Error> {
    let path = format!("{COMPLIANCE}/{}/detail?diffList=true", segment(&device_id)?);
    let found: Enveloped<Vec<VendorDetail>> = api.get(cx, &path).await?;
    let kinds = found.response.into_iter().map(kind).collect();
    Ok(Compliance { device_id, kinds })
}

fn kind(detail: VendorDetail) -> Kind {
    let all = detail.source_info_list.into_iter().flat_map(|source| {
        let against = source.display_name;
        source.diff_list.into_iter().map(move |difference| Difference {
            against: against.clone(),
            change: difference.op,
            configured: difference.configured_value.map(masked),
            intended: difference.intended_value.map(masked),
        })
    });
    let mut differences: Vec<Difference> = all.collect();
    let more = differences.len().saturating_sub(MOST_SHOWN);
    differences.truncate(MOST_SHOWN);
    Kind {
        kind: detail.compliance_type,
        status: detail.status,
        state: detail.state,
        updated_ms: detail.last_sync_time,
        differences,
        more,
    }
}

/// A line with the headers of its blocks, as the vendor writes it: `interface Vlan10 / ip ospf authentication-key 7 …`. Each
/// part is masked as the line that it is.
fn masked(path: String) -> String {
    let lines = path.split(" / ").enumerate().map(|(depth, part)| format!("{}{part}", " ".repeat(depth)));
    let text = lines.collect::<Vec<_>>().join("\n");
    let masked = device_config::mask(device_config::Platform::IosXe, &text).text;
    masked.lines().map(str::trim_start).collect::<Vec<_>>().join(" / ")
}

#[derive(Deserialize, JsonSchema)]
struct RunCompliance {
    /// Catalyst Center's ids of the devices, from `list_devices`.
    #[schemars(length(min = 1, max = 20), inner(length(min = 1, max = 64)), extend("uniqueItems" = true))]
    device_ids: Vec<String>,
}

pub(super) fn run_compliance(api: &Arc<Api>) -> Arc<dyn Tool> {
    let spec = ToolSpec::new::<RunCompliance, Work>(
        "run_compliance",
        "Check compliance now",
        "Lets Catalyst Center read devices and check their compliance now. Answers within seconds: with the end of the check, \
         or `in_progress` and a `task_id` to follow with `get_task`; `get_compliance` then shows what was found.",
    )
    .targets(DEVICES)
    .example(json!({"device_ids": ["…"]}))
    .timeout(Duration::from_secs(45));
    single_followed(api, spec, |api, cx, args: RunCompliance| async move {
        // Without the slash at its end the vendor's route is another one.
        let path = format!("{COMPLIANCE}/");
        let body = json!({"triggerFull": true, "deviceUuids": args.device_ids});
        let task_id = tasks::start(&api, &cx, Method::POST, &path, &body).await?;
        Ok(followed(moment(&api, &cx, &task_id).await))
    })
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn a_secret_below_its_headers_is_masked() {
        for (path, shown) in [
            ("tacacs server T / key 7 08C4N4RY", "tacacs server T / key 7 <masked>"),
            ("key chain A / key 1 / key-string 7 08C4N4RY", "key chain A / key 1 / key-string 7 <masked>"),
            ("interface Vlan10 / description X", "interface Vlan10 / description X"),
        ] {
            assert_eq!(masked(path.to_owned()), shown);
        }
    }
}
