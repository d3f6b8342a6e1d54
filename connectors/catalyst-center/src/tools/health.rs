//! Assurance: issues, and the health of the network as a whole.

use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tool_runtime::combinators::{Page, PageOf, listed, single};
use tool_runtime::{Tool, ToolSpec};

use crate::client::{Api, Filter, Query};
use crate::model::{Issue, VendorIssue};

#[derive(Deserialize, JsonSchema)]
struct ListIssues {
    /// Only of this site.
    site_id: Option<Filter>,
    /// Only of this device.
    device_id: Option<Filter>,
    /// `P1` to `P4`.
    priority: Option<Filter>,
    /// `ACTIVE`, `IGNORED` or `RESOLVED`.
    status: Option<Filter>,
}

pub(super) fn list_issues(api: &Arc<Api>) -> Arc<dyn Tool> {
    let spec = ToolSpec::new::<ListIssues, Page>(
        "list_issues",
        "List issues",
        "Lists assurance issues, with priority, status, and the device or site they were seen on.",
    )
    .example(json!({"priority": "P1"}));
    listed(api, spec, |api, cx, a: ListIssues, page| async move {
        let (site, device) = (("siteId", a.site_id), ("deviceId", a.device_id));
        let query = Query::of([site, device, ("priority", a.priority), ("issueStatus", a.status)]);
        // This route has no paging of its own either.
        let path = query.on("/dna/intent/api/v1/issues");
        Ok(PageOf::<Issue>::cut(api.read::<Vec<VendorIssue>>(&cx, &path).await?, page))
    })
}

#[derive(Deserialize, JsonSchema)]
struct NoArguments {}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VendorHealth {
    response: Vec<VendorScore>,
    latest_health_score: Option<i64>,
    monitored_devices: Option<i64>,
    total_devices: Option<i64>,
    /// The vendor's spelling.
    #[serde(rename = "healthDistirubution", default)]
    distribution: Vec<VendorCategory>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VendorScore {
    time: Option<String>,
    health_score: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VendorCategory {
    category: Option<String>,
    total_count: Option<i64>,
    health_score: Option<i64>,
    good_count: Option<i64>,
    fair_count: Option<i64>,
    bad_count: Option<i64>,
}

/// Health of the network.
#[derive(Serialize, JsonSchema)]
struct NetworkHealth {
    /// Score of the whole, percent of healthy devices.
    score: Option<i64>,
    /// When it was measured, as the vendor prints it.
    measured_at: Option<String>,
    /// Devices that are monitored.
    monitored_devices: Option<i64>,
    /// Devices in all.
    total_devices: Option<i64>,
    /// Score by kind of device.
    categories: Vec<CategoryHealth>,
}

/// Health of one kind of device.
#[derive(Serialize, JsonSchema)]
struct CategoryHealth {
    /// Kind of device.
    category: Option<String>,
    /// Score, percent of healthy devices.
    score: Option<i64>,
    /// Devices.
    total: Option<i64>,
    /// Healthy devices.
    good: Option<i64>,
    /// Devices with warnings.
    fair: Option<i64>,
    /// Unhealthy devices.
    bad: Option<i64>,
}

pub(super) fn get_network_health(api: &Arc<Api>) -> Arc<dyn Tool> {
    let spec = ToolSpec::new::<NoArguments, NetworkHealth>(
        "get_network_health",
        "Get network health",
        "Shows the health score of the whole network and of each kind of device.",
    )
    .cache_for(Duration::from_secs(10));
    single(api, spec, |api, cx, _: NoArguments| async move {
        let health: VendorHealth = api.get(&cx, "/dna/intent/api/v1/network-health").await?;
        Ok(NetworkHealth::from(health))
    })
}

impl From<VendorHealth> for NetworkHealth {
    fn from(health: VendorHealth) -> Self {
        let latest = health.response.into_iter().next();
        Self {
            score: health.latest_health_score.or_else(|| latest.as_ref().and_then(|l| l.health_score)),
            measured_at: latest.and_then(|l| l.time),
            monitored_devices: health.monitored_devices,
            total_devices: health.total_devices,
            categories: health.distribution.into_iter().map(CategoryHealth::from).collect(),
        }
    }
}

impl From<VendorCategory> for CategoryHealth {
    fn from(c: VendorCategory) -> Self {
        Self {
            category: c.category,
            score: c.health_score,
            total: c.total_count,
            good: c.good_count,
            fair: c.fair_count,
            bad: c.bad_count,
        }
    }
}
