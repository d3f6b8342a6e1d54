//! Issues in the older and the newer shape, and what people do with them: resolve, ignore, note.
//!
//! An issue follows from the state of the world; that somebody resolved or ignored it is kept here. Where next:
//! `world::condition`, where issues come from.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::routing::{get, post};
use serde_json::{Map, Value, json};
use world::{Device, Issue, World};

use crate::conditions::Conditions;
use crate::query::{Page, Params, glob};
use crate::reply::{Answer, Fail, bare, enveloped};
use crate::simulator::{Shared, Simulator};

const DATA: &str = "/dna/data/api/v1/assuranceIssues";
const INTENT: &str = "/dna/intent/api/v1/assuranceIssues";
/// What people did with an issue: `{status, at, notes}`.
const SPACE: &str = "issue";

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/dna/intent/api/v1/issues", get(older))
        .route("/dna/intent/api/v1/issue-enrichment-details", get(enrichment))
        .route(DATA, get(list))
        .route(&format!("{DATA}/count"), get(count))
        .route(&format!("{DATA}/query"), post(query))
        .route(&format!("{DATA}/query/count"), post(query_count))
        .route(&format!("{DATA}/{{id}}"), get(one))
        .route(&format!("{INTENT}/resolve"), post(resolve))
        .route(&format!("{INTENT}/ignore"), post(ignore))
        .route(&format!("{INTENT}/{{id}}/update"), post(note))
}

/// An issue with what people did with it.
struct Seen {
    issue: Issue,
    status: String,
    notes: String,
    touched_ms: Option<i64>,
}

impl Simulator {
    fn seen(&self) -> Vec<Seen> {
        let touched = self.world.documents(SPACE);
        let issues = self.all_issues().iter().cloned().chain(self.world.past_issues()).collect::<Vec<_>>().into_iter();
        issues
            .map(|issue| {
                let key = issue.id.to_string();
                let held = touched.iter().find(|(id, _)| *id == key).map(|(_, held)| held);
                let text = |name: &str| held.and_then(|held| held.get(name)).and_then(Value::as_str).map(str::to_owned);
                Seen {
                    status: text("status").unwrap_or_else(|| issue.status().to_owned()),
                    notes: text("notes").unwrap_or_default(),
                    touched_ms: held.and_then(|held| held.get("at")).and_then(Value::as_i64),
                    issue,
                }
            })
            .collect()
    }

    fn touch(&self, id: &str, status: Option<&str>, notes: Option<&str>) -> platform::Result<()> {
        let mut held = self.world.document(SPACE, id).unwrap_or_else(|| json!({}));
        if let Value::Object(held) = &mut held {
            held.insert("at".to_owned(), json!(self.now_ms()));
            for (key, value) in [("status", status), ("notes", notes)] {
                if let Some(value) = value {
                    held.insert(key.to_owned(), json!(value));
                }
            }
        }
        self.world.put_document(SPACE, id, held)
    }
}

/// The device that an issue is about, with the id of its site.
fn subject<'a>(world: &'a World, issue: &Issue) -> Option<(&'a Device, String)> {
    let device = world.devices().get(issue.device).filter(|device| device.managed_by_controller())?;
    Some((device, world.site_of(device).map(|site| site.id.to_string()).unwrap_or_default()))
}

fn matching(simulator: &Simulator, params: &Params) -> Result<Vec<Seen>, Fail> {
    let world = &simulator.world;
    let (from, to) = (params.number("startTime")?, params.number("endTime")?);
    if let (Some(from), Some(to)) = (from, to)
        && from > to
    {
        return Err(Fail::bad("startTime must be before endTime"));
    }
    let any = |key: &str, value: &str| {
        let wanted = params.all(key);
        wanted.is_empty() || wanted.iter().any(|pattern| glob(pattern, value))
    };
    // Both calls tell of what is wrong now, unless somebody asks for more.
    let statuses: Vec<&str> = params.all("issueStatus").into_iter().chain(params.all("status")).collect();
    let mut found = simulator.seen();
    found.retain(|seen| {
        let issue = &seen.issue;
        let status = if statuses.is_empty() {
            seen.status == "ACTIVE"
        } else {
            statuses.iter().any(|wanted| wanted.eq_ignore_ascii_case(&seen.status))
        };
        let Some((device, site)) = subject(world, issue) else { return false };
        status
            && from.is_none_or(|from| issue.seen_ms.1 >= from)
            && to.is_none_or(|to| issue.seen_ms.0 <= to)
            && any("priority", issue.priority)
            && any("severity", issue.severity)
            && any("category", issue.category)
            && any("name", issue.name)
            && any("entityType", "networkDevice")
            && any("deviceType", device.platform.family.name())
            && params.get("aiDriven").is_none_or(|ai| ai.eq_ignore_ascii_case("no") || ai == "false")
            && ["deviceId", "networkDeviceId", "entityId"]
                .iter()
                .all(|key| params.passes_with(key, || device.id.to_string()))
            && params.passes_with("networkDeviceIpAddress", || device.management_ip.to_string())
            && params.passes_with("macAddress", || device.mac_text())
            && params.passes("siteId", &site)
            && (params.get("siteHierarchy").is_none() || any("siteHierarchy", &simulator.site_name(device)))
            && (params.get("siteName").is_none()
                || any("siteName", world.site_of(device).map_or("", |site| &site.name)))
            && params.passes_with("issueId", || issue.id.to_string())
    });
    Ok(found)
}

async fn older(State(simulator): State<Shared>, params: Params) -> Answer {
    let world = &simulator.world;
    let found = matching(&simulator, &params)?;
    let rows: Vec<Value> = found
        .iter()
        .filter_map(|seen| {
            let issue = &seen.issue;
            let (device, site) = subject(world, issue)?;
            Some(json!({
                "issueId": issue.id, "name": issue.summary, "siteId": site, "deviceId": device.id, "deviceRole": device.role.name(),
                "aiDriven": "No", "clientMac": "", "issue_occurence_count": issue.occurrences, "status": seen.status.to_lowercase(),
                "priority": issue.priority, "category": issue.category, "last_occurence_time": issue.seen_ms.1,
            }))
        })
        .collect();
    bare(json!({ "version": "1.0", "totalCount": rows.len().to_string(), "response": rows }))
}

fn row(simulator: &Simulator, seen: &Seen) -> Option<Value> {
    let (world, issue) = (&simulator.world, &seen.issue);
    let (device, site_id) = subject(world, issue)?;
    let site = world.site_of(device)?;
    let actions: Vec<Value> = issue.actions.iter().map(|text| json!({ "message": text, "steps": [] })).collect();
    let by = if seen.touched_ms.is_some() { simulator.username.as_str() } else { "" };
    Some(json!({
        "issueId": issue.id, "name": issue.name, "summary": issue.summary, "description": issue.summary,
        "priority": issue.priority, "severity": issue.severity, "status": seen.status, "category": issue.category,
        "deviceType": device.platform.family.name(), "entityType": "networkDevice", "entityId": device.id,
        "firstOccurredTime": issue.seen_ms.0, "mostRecentOccurredTime": issue.seen_ms.1, "isGlobal": false,
        "siteId": site_id, "siteName": site.name, "siteHierarchy": site.name_hierarchy, "siteHierarchyId": site.id_hierarchy,
        "updatedTime": seen.touched_ms.unwrap_or(issue.seen_ms.1), "updatedBy": by, "notes": seen.notes, "suggestedActions": actions,
        "additionalAttributes": [{ "key": "networkDeviceName", "value": world.hostname(device) }],
    }))
}

fn paged(simulator: &Simulator, found: Vec<Seen>, page: Page) -> Answer {
    let count = found.len();
    let rows: Vec<Value> = page.of(found).iter().filter_map(|seen| row(simulator, seen)).collect();
    bare(json!({
        "response": rows, "version": "1.0",
        "page": { "limit": page.limit, "offset": page.skip + 1, "count": count, "sortBy": Value::Null },
    }))
}

async fn list(State(simulator): State<Shared>, params: Params) -> Answer {
    let page = params.page(500, 500).map_err(Fail::of_data_api)?;
    let found = matching(&simulator, &params).map_err(Fail::of_data_api)?;
    paged(&simulator, found, page)
}

async fn count(State(simulator): State<Shared>, params: Params) -> Answer {
    let count = matching(&simulator, &params).map_err(Fail::of_data_api)?.len();
    enveloped(json!({ "count": count }))
}

/// The issues that a query in a body means, and its page.
fn asked(simulator: &Simulator, body: &Bytes) -> Result<(Vec<Seen>, Page), Fail> {
    let body: Map<String, Value> = serde_json::from_slice(body).map_err(|error| Fail::bad(error.to_string()))?;
    let conditions = Conditions::read(body.get("filters"), body.get("logicalOperator"))?;
    let (from, to) = (body.get("startTime").and_then(Value::as_i64), body.get("endTime").and_then(Value::as_i64));
    let mut found = Vec::new();
    for seen in simulator.seen() {
        let times =
            from.is_none_or(|from| seen.issue.seen_ms.1 >= from) && to.is_none_or(|to| seen.issue.seen_ms.0 <= to);
        let row = row(simulator, &seen).unwrap_or_default();
        if times && conditions.meets(&|key| row.get(key).cloned())? {
            found.push(seen);
        }
    }
    Ok((found, Page::read(body.get("page").unwrap_or(&Value::Null), 500, 500)?))
}

async fn query(State(simulator): State<Shared>, body: Bytes) -> Answer {
    let (found, page) = asked(&simulator, &body).map_err(Fail::of_data_api)?;
    paged(&simulator, found, page)
}

async fn query_count(State(simulator): State<Shared>, body: Bytes) -> Answer {
    enveloped(json!({ "count": asked(&simulator, &body).map_err(Fail::of_data_api)?.0.len() }))
}

async fn one(State(simulator): State<Shared>, Path(id): Path<String>) -> Answer {
    let found = simulator.seen().into_iter().find(|seen| seen.issue.id.to_string() == id);
    let row = found.and_then(|seen| row(&simulator, &seen));
    enveloped(row.ok_or_else(|| Fail::missing(format!("No issue found with id: {id}")).of_data_api())?)
}

fn set(simulator: &Simulator, body: &Bytes, status: &str) -> Answer {
    let body: Map<String, Value> = serde_json::from_slice(body).map_err(|error| Fail::bad(error.to_string()))?;
    let ids = body.get("issueIds").and_then(Value::as_array).ok_or_else(|| Fail::bad("issueIds is required"))?;
    let known = simulator.seen();
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for id in ids.iter().filter_map(Value::as_str) {
        if known.iter().any(|seen| seen.issue.id.to_string() == id) {
            simulator.touch(id, Some(status), None)?;
            good.push(id);
        } else {
            bad.push(id);
        }
    }
    enveloped(json!({ "successfulIssueIds": good, "failureIssueIds": bad }))
}

async fn resolve(State(simulator): State<Shared>, body: Bytes) -> Answer {
    set(&simulator, &body, "RESOLVED")
}

async fn ignore(State(simulator): State<Shared>, body: Bytes) -> Answer {
    set(&simulator, &body, "IGNORED")
}

async fn note(State(simulator): State<Shared>, Path(id): Path<String>, body: Bytes) -> Answer {
    let body: Map<String, Value> = serde_json::from_slice(&body).map_err(|error| Fail::bad(error.to_string()))?;
    let missing = || Fail::missing(format!("No issue found with id: {id}"));
    if !simulator.seen().iter().any(|seen| seen.issue.id.to_string() == id) {
        return Err(missing());
    }
    simulator.touch(&id, None, body.get("notes").and_then(Value::as_str))?;
    let found = simulator.seen().into_iter().find(|seen| seen.issue.id.to_string() == id);
    enveloped(found.and_then(|seen| row(&simulator, &seen)).ok_or_else(missing)?)
}

/// Addressed by headers: `entity_type` is `issue_id` or `mac_address`, `entity_value` names it.
async fn enrichment(State(simulator): State<Shared>, headers: HeaderMap) -> Answer {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (kind, value) = (header("entity_type"), header("entity_value"));
    if value.is_empty() || !["issue_id", "mac_address"].contains(&kind) {
        return Err(Fail::bad("Headers entity_type and entity_value are required"));
    }
    let world = &simulator.world;
    let rows = simulator.seen().into_iter().filter_map(|seen| {
        let issue = &seen.issue;
        let (device, _) = subject(world, issue)?;
        let meant = if kind == "issue_id" { issue.id.to_string() == value } else { device.mac_text().eq_ignore_ascii_case(value) };
        meant.then(|| {
            json!({
                "issueId": issue.id, "issueSource": "Cisco DNA", "issueCategory": issue.category, "issueName": issue.name,
                "issueDescription": issue.summary, "issueEntity": "network_device", "issueEntityValue": device.id, "issueSeverity": issue.severity,
                "issuePriority": issue.priority, "issueSummary": issue.summary, "issueTimestamp": issue.seen_ms.1, "impactedHosts": [],
                "suggestedActions": issue.actions.iter().map(|text| json!({ "message": text, "steps": [] })).collect::<Vec<_>>(),
            })
        })
    });
    bare(json!({ "issueDetails": { "issue": rows.collect::<Vec<_>>() } }))
}
