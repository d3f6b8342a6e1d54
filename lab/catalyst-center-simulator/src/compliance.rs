//! Compliance as the controller sees it: its copy of the running configuration against the startup configuration that it
//! last read, its advisories, and the result of the last run.
//!
//! A controller whose copy is old tells of the old state: that is what it does in the field. A device is compliant when
//! every type is. Where next: [`crate::saving`], which ends a difference, [`crate::advisories`] for `PSIRT`.

use std::collections::HashSet;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::routing::{get, post};
use serde_json::{Map, Value, json};
use uuid::Uuid;
use world::{Device, Reachability};

use crate::advisories;
use crate::devices::find;
use crate::effects::Origin;
use crate::inventory::managed;
use crate::query::Params;
use crate::reply::{Answer, Fail, accepted, bare, enveloped};
use crate::simulator::{Shared, Simulator};

const RUN: &str = "/dna/intent/api/v1/compliance/";
/// What the controller believes of a startup configuration, where that is not what the device holds.
const BELIEFS: &str = "startup_belief";
/// The last run per device: `{at, task}`; without `at`, it is still going on.
const RUNS: &str = "compliance_run";
const TYPES: [(&str, &str, &str); 5] = [
    ("RUNNING_CONFIG", "RUNNING_CONFIG", "Running Configuration"),
    ("IMAGE", "IMAGE", "Software Image"),
    ("PSIRT", "PSIRT", "Critical Security Advisories"),
    ("NETWORK_PROFILE", "INTENT", "Network Profiles"),
    ("EOX", "EOX", "EoX - End of Life"),
];

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/dna/intent/api/v1/compliance", get(list).post(run))
        .route(RUN, post(run))
        .route("/dna/intent/api/v1/compliance/count", get(count))
        .route("/dna/intent/api/v1/compliance/detail", get(details))
        .route("/dna/intent/api/v1/compliance/detail/count", get(details_count))
        .route("/dna/intent/api/v1/compliance/{id}", get(one))
        .route("/dna/intent/api/v1/compliance/{id}/detail", get(one_detail))
}

impl Simulator {
    /// The startup configuration as the controller last read it.
    pub(crate) fn startup_seen(&self, device: &Device) -> String {
        let held = self.world.document(BELIEFS, &device.id.to_string());
        held.and_then(|held| held.as_str().map(str::to_owned)).unwrap_or_else(|| self.world.startup(device).text())
    }

    /// From now on the controller takes `text` for the startup configuration.
    pub(crate) fn believe_startup(&self, device: &Device, text: String) -> platform::Result<()> {
        self.world.put_document(BELIEFS, &device.id.to_string(), Value::from(text))
    }

    /// The controller has read the device.
    pub(crate) fn forget_startup(&self, device: &Device) -> platform::Result<()> {
        let key = device.id.to_string();
        match self.world.document(BELIEFS, &key) {
            Some(_) => self.world.remove_document(BELIEFS, &key),
            None => Ok(()),
        }
    }

    fn unsaved(&self, device: &Device) -> bool {
        self.world.is_edited(device) && self.world.collected(device).text() != self.startup_seen(device)
    }

    /// Whether a type holds.
    fn complies(&self, device: &Device, kind: &str) -> bool {
        match kind {
            "RUNNING_CONFIG" => !self.unsaved(device),
            "PSIRT" => !advisories::concerns(device),
            _ => true,
        }
    }

    fn last_run(&self, device: &Device) -> Option<Value> {
        self.world.document(RUNS, &device.id.to_string())
    }

    fn compliance_word(&self, device: &Device) -> &'static str {
        if self.last_run(device).is_some_and(|run| run.get("at").is_none_or(Value::is_null)) {
            "IN_PROGRESS"
        } else if TYPES.iter().all(|(kind, ..)| self.complies(device, kind)) {
            "COMPLIANT"
        } else {
            "NON_COMPLIANT"
        }
    }

    /// When the controller last judged: at a run, or when it read the device.
    fn judged_ms(&self, device: &Device) -> i64 {
        let run = self.last_run(device).and_then(|run| run.get("at").and_then(Value::as_i64));
        run.unwrap_or(i64::MIN).max(self.world.collected_at_ms(device))
    }

    fn compliance_row(&self, device: &Device) -> Value {
        let message =
            if self.unsaved(device) { "Running configuration is different from the startup configuration" } else { "" };
        json!({
            "deviceUuid": device.id, "complianceStatus": self.compliance_word(device), "message": message, "scheduleTime": "",
            "lastUpdateTime": self.judged_ms(device),
        })
    }

    /// The rows of a device, one per type.
    fn compliance_details(&self, device: &Device, with_differences: bool) -> Vec<Value> {
        let at = self.judged_ms(device);
        TYPES
            .iter()
            .map(|(kind, category, name)| {
                let complies = self.complies(device, kind);
                let sources = if *kind == "RUNNING_CONFIG" && !complies {
                    let found = differences(&self.world.collected(device).text(), &self.startup_seen(device));
                    let count = found.len();
                    json!([{
                        "name": "startup", "nameWithBusinessKey": "startup", "displayName": "Startup vs Running Configuration",
                        "type": "RUNNING_CONFIG", "sourceEnum": "INV", "appName": "Config Archive", "count": count,
                        "diffList": if with_differences { found } else { Vec::new() }, "networkProfileName": Value::Null,
                        "licenseAppName": Value::Null, "provisioningArea": Value::Null,
                        "businessKey": { "resourceName": "startup", "businessKeyAttributes": {}, "otherAttributes": {} },
                    }])
                } else {
                    json!([])
                };
                json!({
                    "deviceUuid": device.id, "complianceType": kind, "category": category, "displayName": name,
                    "status": if complies { "COMPLIANT" } else { "NON_COMPLIANT" }, "state": "SUCCESS", "lastSyncTime": at,
                    "lastUpdateTime": at, "sourceInfoList": sources, "ackStatus": "UNACKNOWLEDGED", "message": Value::Null,
                    "additionalDataURL": "", "remediationSupported": *kind == "RUNNING_CONFIG",
                })
            })
            .collect()
    }

    fn compliance_matching(&self, params: &Params) -> Vec<&Device> {
        let ids: HashSet<Uuid> = params.all("deviceUuid").iter().filter_map(|id| Uuid::parse_str(id).ok()).collect();
        let any = params.get("deviceUuid").is_none();
        managed(&self.world)
            .filter(|device| device.has_configuration() && (any || ids.contains(&device.id)))
            .filter(|device| params.passes_with("complianceStatus", || self.compliance_word(device)))
            .collect()
    }

    fn compliance_detail_rows(&self, params: &Params) -> Vec<Value> {
        let rows = self
            .compliance_matching(&params.only(&["deviceUuid"]))
            .into_iter()
            .flat_map(|device| self.compliance_details(device, false));
        let field = |row: &Value, key: &str| row.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        rows.filter(|row| {
            params.passes("complianceType", &field(row, "complianceType"))
                && params.passes("complianceStatus", &field(row, "status"))
        })
        .collect()
    }
}

async fn list(State(simulator): State<Shared>, params: Params) -> Answer {
    let page = params.page(500, 500)?;
    let rows = page.of(simulator.compliance_matching(&params));
    enveloped(rows.into_iter().map(|device| simulator.compliance_row(device)).collect::<Vec<_>>())
}

async fn count(State(simulator): State<Shared>, params: Params) -> Answer {
    enveloped(simulator.compliance_matching(&params).len())
}

async fn one(State(simulator): State<Shared>, Path(id): Path<String>) -> Answer {
    enveloped(simulator.compliance_row(find(&simulator.world, &id)?))
}

async fn details(State(simulator): State<Shared>, params: Params) -> Answer {
    let page = params.page(500, 500)?;
    enveloped(page.of(simulator.compliance_detail_rows(&params)))
}

async fn details_count(State(simulator): State<Shared>, params: Params) -> Answer {
    enveloped(simulator.compliance_detail_rows(&params).len())
}

async fn one_detail(State(simulator): State<Shared>, Path(id): Path<String>, params: Params) -> Answer {
    let device = find(&simulator.world, &id)?;
    let field = |row: &Value, key: &str| row.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut rows = simulator.compliance_details(device, params.is_true("diffList"));
    rows.retain(|row| {
        params.passes("complianceType", &field(row, "complianceType"))
            && params.passes("category", &field(row, "category"))
            && params.passes("status", &field(row, "status"))
    });
    bare(json!({ "deviceUuid": device.id, "response": rows, "version": "1.0" }))
}

/// Judges devices again, which makes the controller read them.
async fn run(State(simulator): State<Shared>, headers: HeaderMap, body: Bytes) -> Answer {
    let body: Map<String, Value> = serde_json::from_slice(&body).map_err(|error| Fail::bad(error.to_string()))?;
    let ids = body.get("deviceUuids").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let devices = ids.map(|id| find(&simulator.world, id)).collect::<Result<Vec<&Device>, Fail>>()?;
    for category in body.get("categories").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
        if !TYPES.iter().any(|(kind, known, _)| *kind == category || *known == category) {
            return Err(Fail::bad(format!("Invalid compliance category: {category}")));
        }
    }
    let origin = Origin::new("POST", RUN, "compliance_run", &headers);
    let task = simulator.start_work(&origin, &devices, "COMPLIANCE SERVICE", "Compliance check has been started")?;
    let ids: Vec<Uuid> = devices.iter().map(|device| device.id).collect();
    for id in &ids {
        simulator.world.put_document(RUNS, &id.to_string(), json!({ "task": task }))?;
    }
    tokio::spawn(async move {
        simulator.pause(simulator.pace().start_ms + simulator.pace().least_ms).await;
        let error = simulator.judge(task, &ids, &origin).err().map(|error| error.to_string());
        simulator.end_task_logged(task, "Compliance report has been generated successfully", None, error);
    });
    accepted(task)
}

impl Simulator {
    fn judge(&self, task: Uuid, ids: &[Uuid], origin: &Origin) -> platform::Result<()> {
        for device in ids.iter().filter_map(|id| self.world.device(*id)) {
            let stale = self.effects(origin, device).bend.keep_copy;
            if !stale && self.world.reachability(device) == Reachability::Reachable {
                self.world.collect(device)?;
                self.forget_startup(device)?;
            }
            let run = json!({ "task": task, "at": self.now_ms() });
            self.world.put_document(RUNS, &device.id.to_string(), run)?;
        }
        Ok(())
    }

    /// Ends the runs that a killed process left open.
    pub(crate) fn close_compliance_runs(&self) -> platform::Result<()> {
        for (key, run) in self.world.documents(RUNS) {
            if run.get("at").is_none_or(Value::is_null) {
                self.world.remove_document(RUNS, &key)?;
            }
        }
        Ok(())
    }
}

/// Lines that stand in one of the two configurations only, with the headers of their blocks.
fn differences(running: &str, startup: &str) -> Vec<Value> {
    let (here, there) = (paths(running), paths(startup));
    let row = |op: &str, configured: Option<&String>, intended: Option<&String>| {
        json!({
            "op": op, "displayName": configured.or(intended), "configuredValue": configured, "intendedValue": intended,
            "path": configured.or(intended), "moveFromPath": "", "businessKey": "", "extendedAttributes": {},
        })
    };
    let (held, wanted): (HashSet<&String>, HashSet<&String>) = (here.iter().collect(), there.iter().collect());
    let added = here.iter().filter(|path| !wanted.contains(path)).map(|path| row("ADD", Some(path), None));
    let removed = there.iter().filter(|path| !held.contains(path)).map(|path| row("REMOVE", None, Some(path)));
    added.chain(removed).collect()
}

/// `interface Vlan10 / description X` for every line of a configuration, whichever system wrote it.
fn paths(text: &str) -> Vec<String> {
    let mut above: Vec<(usize, String)> = Vec::new();
    let mut out = Vec::new();
    for line in text.lines() {
        let words = line.trim();
        if words.is_empty() || words.starts_with('!') {
            continue;
        }
        let depth = line.len() - line.trim_start().len();
        while above.last().is_some_and(|(held, _)| *held >= depth) {
            above.pop();
        }
        let path = match above.last() {
            Some((_, header)) => format!("{header} / {words}"),
            None => words.to_owned(),
        };
        above.push((depth, path.clone()));
        out.push(path);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{differences, paths};

    #[test]
    fn a_line_is_named_with_the_headers_of_its_blocks() {
        let text =
            "vlan 5\n name A\nrouter bgp 1\n address-family ipv4\n  neighbor 1.1.1.1 activate\n exit-address-family\n";
        let found = paths(text);
        assert!(found.contains(&"router bgp 1 / address-family ipv4 / neighbor 1.1.1.1 activate".to_owned()));
        assert!(found.contains(&"router bgp 1 / exit-address-family".to_owned()), "{found:?}");
        let found = differences("vlan 5\n name B\n", "vlan 5\n name A\n");
        let words: Vec<(&str, &str)> =
            found.iter().map(|row| (row["op"].as_str().unwrap(), row["path"].as_str().unwrap())).collect();
        assert_eq!(words, [("ADD", "vlan 5 / name B"), ("REMOVE", "vlan 5 / name A")]);
    }
}
