//! Events and the audit log: what the controller could tell about, what it told about devices, and what people did on it.
//!
//! Events follow from the issues of the world; audit records from the tasks of this instance.

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use serde_json::{Value, json};
use uuid::Uuid;
use world::Issue;

use crate::query::{Page, Params, glob};
use crate::reply::{Answer, Fail, bare, enveloped};
use crate::simulator::{Shared, Simulator};
use crate::tasks::Task;

const AUDIT: &str = "/dna/data/api/v1/event/event-series";
const ASSURANCE: &str = "/dna/data/api/v1/assuranceEvents";

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/dna/intent/api/v1/events", get(kinds))
        .route("/dna/intent/api/v1/events/count", get(count_kinds))
        .route("/dna/intent/api/v1/event/event-series", get(series))
        .route("/dna/intent/api/v1/event/event-series/count", get(count_series))
        .route("/dna/intent/api/v1/event/subscription", get(subscriptions))
        .route("/dna/intent/api/v1/event/webhook", get(subscriptions))
        .route("/dna/intent/api/v1/event/api-status/{id}", get(api_status))
        .route(&format!("{AUDIT}/audit-logs"), get(audit))
        .route(&format!("{AUDIT}/audit-log/parent-records"), get(audit))
        .route(&format!("{AUDIT}/audit-log/summary"), get(audit_summary))
        .route(ASSURANCE, get(assurance))
        .route(&format!("{ASSURANCE}/count"), get(count_assurance))
        .route(&format!("{ASSURANCE}/{{id}}"), get(one_assurance))
}

/// What can be told about: id, name of the issue behind it, words, severity, domain, sub-domain.
static KINDS: &[(&str, &str, &str, u8, &str, &str)] = &[
    (
        "NETWORK-DEVICES-2-105",
        "network_device_unreachable",
        "Device unreachable",
        1,
        "Connectivity",
        "Device Availability",
    ),
    ("NETWORK-DEVICES-2-106", "snmp_device_down", "SNMP unreachable", 2, "Connectivity", "Device Availability"),
    ("NETWORK-DEVICES-3-207", "high_cpu", "High CPU utilization", 3, "Know Your Network", "Devices"),
    ("NETWORK-INTERFACES-2-301", "interface_down", "Interface down", 2, "Connectivity", "Interfaces"),
];

/// The lists of events count their offset from 0 and hold ten rows by default.
fn window(params: &Params, most: i64) -> Result<Page, Fail> {
    let (offset, limit) = (params.number("offset")?.unwrap_or(0), params.number("limit")?.unwrap_or(10.min(most)));
    if offset < 0 || !(1..=most).contains(&limit) {
        return Err(Fail::bad(format!("Invalid page: offset begins at 0, limit is between 1 and {most}")));
    }
    Ok(Page { skip: usize::try_from(offset).unwrap_or(0), limit: usize::try_from(limit).unwrap_or(10) })
}

fn known(params: &Params) -> Result<Vec<Value>, Fail> {
    if params.get("tags").is_none() {
        return Err(Fail::bad("Parameter tags is required"));
    }
    let rows = KINDS.iter().filter(|(id, ..)| params.get("eventId").is_none_or(|wanted| wanted == *id));
    Ok(rows
        .map(|(id, _, words, severity, domain, sub)| {
            json!({
                "eventId": id, "nameSpace": "ASSURANCE", "name": words, "description": words, "version": "1.0.0", "category": "ALERT",
                "domain": domain, "subDomain": sub, "type": "NETWORK", "tags": ["ASSURANCE"], "severity": severity, "details": {},
                "subscriptionTypes": ["REST", "EMAIL", "SYSLOG"],
            })
        })
        .collect())
}

async fn kinds(params: Params) -> Answer {
    let page = window(&params, 500)?;
    bare(Value::from(page.of(known(&params)?)))
}

async fn count_kinds(params: Params) -> Answer {
    bare(json!({ "response": known(&params)?.len() }))
}

fn series_rows(simulator: &Simulator, params: &Params) -> Result<Vec<Value>, Fail> {
    let world = &simulator.world;
    let (from, to) = (params.number("startTime")?, params.number("endTime")?);
    let ids = params.all("eventIds");
    let mut issues: Vec<Issue> = simulator.all_issues().to_vec();
    issues.extend(world.past_issues());
    issues.sort_by_key(|issue| std::cmp::Reverse(issue.seen_ms.0));
    let rows = issues.iter().filter_map(|issue| {
        let (id, _, words, severity, domain, sub) = KINDS.iter().find(|kind| kind.1 == issue.name)?;
        let device = world.devices().get(issue.device).filter(|device| device.managed_by_controller())?;
        let at = issue.seen_ms.0;
        let wanted = (ids.is_empty() || ids.contains(id))
            && from.is_none_or(|from| at >= from)
            && to.is_none_or(|to| at <= to)
            && params.passes_with("severity", || severity.to_string())
            && params.passes("domain", domain)
            && params.passes("subDomain", sub)
            && params.passes("category", "ALERT")
            && params.passes("type", "NETWORK");
        wanted.then(|| {
            json!({
                "eventId": id, "instanceId": issue.id, "namespace": "ASSURANCE", "name": words, "description": issue.summary, "version": "1.0.0",
                "category": "ALERT", "domain": domain, "subDomain": sub, "type": "NETWORK", "severity": severity, "source": "DNAC",
                "timestamp": at, "eventHierarchy": { "hierarchy": world.site_of(device).map(|site| &site.name_hierarchy), "hierarchyDelimiter": "/" },
                "network": { "siteId": world.site_of(device).map(|site| site.id), "deviceId": device.id },
                "details": { "Type": "Network Device", "Assurance Issue Name": issue.summary, "Assurance Issue Priority": issue.priority, "Device": device.management_ip.to_string(), "Assurance Issue Status": issue.status().to_lowercase() },
            })
        })
    });
    Ok(rows.collect())
}

async fn series(State(simulator): State<Shared>, params: Params) -> Answer {
    let page = window(&params, 500)?;
    bare(Value::from(page.of(series_rows(&simulator, &params)?)))
}

async fn count_series(State(simulator): State<Shared>, params: Params) -> Answer {
    bare(json!({ "response": series_rows(&simulator, &params)?.len() }))
}

/// Nobody has subscribed to anything on a controller of the lab.
async fn subscriptions() -> Answer {
    bare(json!([]))
}

async fn api_status(Path(id): Path<String>) -> Answer {
    Err(Fail::missing(format!("No API execution found with id: {id}")))
}

fn audit_row(simulator: &Simulator, task: &Task) -> Value {
    json!({
        "version": "1.0.0", "instanceId": Uuid::new_v5(&task.id, b"audit"), "eventId": "AUDIT_LOG.GENERIC", "namespace": "AUDIT_LOG", "name": "AUDIT_LOG",
        "description": task.progress, "type": "AUDIT_LOG", "category": if task.error.is_some() { "ERROR" } else { "INFO" },
        "domain": "Audit", "subDomain": task.service, "severity": if task.error.is_some() { 2 } else { 1 }, "source": task.service,
        "timestamp": task.start_ms, "tags": Value::Null, "details": { "requestPayloadDescriptor": task.progress }, "ciscoDnaEventLink": Value::Null,
        "note": Value::Null, "tntId": "5f6b7c8d9e0f1a2b3c4d5e6e", "context": task.service, "userId": simulator.username, "i18n": Value::Null,
        "eventHierarchy": Value::Null, "message": Value::Null, "messageParams": Value::Null, "additionalDetails": {}, "parentInstanceId": task.parent,
        "network": Value::Null, "childCount": 0, "tenantId": "5f6b7c8d9e0f1a2b3c4d5e6e",
    })
}

/// What people did on this instance, newest first. The audit log is a table of its own: a hidden task stays in it.
fn audited(simulator: &Simulator, params: &Params) -> Result<Vec<Task>, Fail> {
    let (from, to) = (params.number("startTime")?, params.number("endTime")?);
    let mut tasks: Vec<Task> = simulator
        .all_tasks()
        .into_iter()
        .filter(|task| from.is_none_or(|from| task.start_ms >= from) && to.is_none_or(|to| task.start_ms <= to))
        .filter(|task| params.passes("userId", &simulator.username) && params.passes("source", &task.service))
        .filter(|task| params.get("description").is_none_or(|wanted| glob(wanted, &task.progress)))
        .filter(|task| params.passes_with("instanceId", || Uuid::new_v5(&task.id, b"audit").to_string()))
        .collect();
    tasks.sort_by_key(|task| (task.start_ms, task.id));
    if params.get("order").is_none_or(|order| !order.eq_ignore_ascii_case("asc")) {
        tasks.reverse();
    }
    Ok(tasks)
}

async fn audit(State(simulator): State<Shared>, params: Params) -> Answer {
    let page = window(&params, 25)?;
    let rows = page.of(audited(&simulator, &params)?);
    bare(Value::from(rows.iter().map(|task| audit_row(&simulator, task)).collect::<Vec<_>>()))
}

async fn audit_summary(State(simulator): State<Shared>, params: Params) -> Answer {
    let times: Vec<i64> = audited(&simulator, &params)?.iter().map(|task| task.start_ms).collect();
    bare(json!([{ "count": times.len(), "maxTimestamp": times.iter().max(), "minTimestamp": times.iter().min() }]))
}

fn assurance_rows(simulator: &Simulator, params: &Params) -> Result<Vec<Value>, Fail> {
    let world = &simulator.world;
    let (from, to) = (params.number("startTime")?, params.number("endTime")?);
    let rows = simulator.all_issues().to_vec().into_iter().filter_map(|issue| {
        let device = world.devices().get(issue.device).filter(|device| device.managed_by_controller())?;
        let at = issue.seen_ms.1;
        let wanted = from.is_none_or(|from| at >= from)
            && to.is_none_or(|to| issue.seen_ms.0 <= to)
            && params.passes("deviceFamily", device.platform.family.name())
            && params.passes_with("networkDeviceId", || device.id.to_string())
            && params.passes_with("networkDeviceName", || world.hostname(device));
        wanted.then(|| {
            json!({
                "id": Uuid::new_v5(&issue.id, b"event"), "name": issue.name, "timestamp": at, "details": issue.summary, "messageType": "Syslog",
                "siteHierarchyId": world.site_of(device).map(|site| &site.id_hierarchy), "siteHierarchy": world.site_of(device).map(|site| &site.name_hierarchy),
                "deviceFamily": device.platform.family.name(), "networkDeviceId": device.id, "networkDeviceName": world.hostname(device),
                "managementIpAddress": device.management_ip.to_string(), "facility": "LINK", "mnemonic": "UPDOWN", "severity": 3,
            })
        })
    });
    Ok(rows.collect())
}

async fn assurance(State(simulator): State<Shared>, params: Params) -> Answer {
    let page = params.page(50, 500).map_err(Fail::of_data_api)?;
    let found = assurance_rows(&simulator, &params).map_err(Fail::of_data_api)?;
    let count = found.len();
    bare(json!({
        "response": page.of(found), "version": "1.0",
        "page": { "limit": page.limit, "offset": page.skip + 1, "count": count, "sortBy": Value::Null },
    }))
}

async fn count_assurance(State(simulator): State<Shared>, params: Params) -> Answer {
    enveloped(json!({ "count": assurance_rows(&simulator, &params).map_err(Fail::of_data_api)?.len() }))
}

async fn one_assurance(State(simulator): State<Shared>, Path(id): Path<String>) -> Answer {
    let rows = assurance_rows(&simulator, &Params::default())?;
    let found = rows.into_iter().find(|row| row.get("id").and_then(Value::as_str) == Some(id.as_str()));
    enveloped(found.ok_or_else(|| Fail::missing(format!("No event found with id: {id}")).of_data_api())?)
}
