//! Assurance: issues, and the health of the network as a whole.

use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tool_runtime::combinators::{Page, PageOf, paged};
use tool_runtime::tool::typed;
use tool_runtime::{Tool, ToolSpec};

use crate::client::{Api, Query};
use crate::model::{Issue, VendorIssue};

#[derive(Deserialize, JsonSchema)]
struct ListIssues {
    /// Only of this site.
    #[schemars(length(max = 64))]
    site_id: Option<String>,
    /// Only of this device.
    #[schemars(length(max = 64))]
    device_id: Option<String>,
    /// `P1` to `P4`.
    #[schemars(length(max = 2))]
    priority: Option<String>,
    /// `ACTIVE`, `IGNORED` or `RESOLVED`.
    #[schemars(length(max = 16))]
    status: Option<String>,
}

pub(super) fn list_issues(api: &Arc<Api>) -> Arc<dyn Tool> {
    let api = Arc::clone(api);
    let spec = ToolSpec::new::<ListIssues, Page>(
        "list_issues",
        "List issues",
        "Lists assurance issues, with priority, status, and the device or site they were seen on.",
    )
    .example(json!({"priority": "P1"}));
    paged(spec, move |cx, args: ListIssues, page| {
        let api = Arc::clone(&api);
        async move {
            let query = Query::default()
                .with("siteId", args.site_id)
                .with("deviceId", args.device_id)
                .with("priority", args.priority)
                .with("issueStatus", args.status);
            // This route has no paging of its own either.
            let all: Vec<VendorIssue> = api.read(&cx, &query.on("/dna/intent/api/v1/issues")).await?;
            let total = all.len() as u64;
            let skip = usize::try_from(page.offset).unwrap_or(usize::MAX);
            let rows: Vec<Issue> = all.into_iter().skip(skip).take(page.limit as usize).map(Issue::from).collect();
            let more = page.offset + (rows.len() as u64) < total;
            Ok(PageOf { rows, total: Some(total), more })
        }
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
    let api = Arc::clone(api);
    let spec = ToolSpec::new::<NoArguments, NetworkHealth>(
        "get_network_health",
        "Get network health",
        "Shows the health score of the whole network and of each kind of device.",
    )
    .cache_for(Duration::from_secs(10));
    typed(spec, move |cx, _: NoArguments| {
        let api = Arc::clone(&api);
        async move {
            let health: VendorHealth = api.get(&cx, "/dna/intent/api/v1/network-health").await?;
            let latest = health.response.into_iter().next();
            Ok(NetworkHealth {
                score: health.latest_health_score.or_else(|| latest.as_ref().and_then(|l| l.health_score)),
                measured_at: latest.and_then(|l| l.time),
                monitored_devices: health.monitored_devices,
                total_devices: health.total_devices,
                categories: health
                    .distribution
                    .into_iter()
                    .map(|c| CategoryHealth {
                        category: c.category,
                        score: c.health_score,
                        total: c.total_count,
                        good: c.good_count,
                        fair: c.fair_count,
                        bad: c.bad_count,
                    })
                    .collect(),
            })
        }
    })
}
