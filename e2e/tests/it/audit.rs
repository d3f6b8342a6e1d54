//! The audit from outside (T25, T26): every request that got an answer has its record under the answer's own id, and what
//! people send as arguments stands nowhere.

use std::path::Path;
use std::time::{Duration, Instant};

use platform::Json;
use serde_json::json;

use crate::caller::{Answer, CENTER, Caller, EMEA, OWN};

/// (phase, outcome, code) of each record of a request.
fn told(records: &[Json]) -> Vec<(String, String, Option<String>)> {
    let text = |value: &Json| value.as_str().map(str::to_owned);
    let of = |r: &Json| {
        let own = &r["interlock"];
        (text(&own["phase"]).unwrap(), text(&own["outcome"]).unwrap(), text(&r["event"]["code"]))
    };
    records.iter().map(of).collect()
}

#[tokio::test]
async fn t25_every_answers_id_leads_to_its_record() {
    let caller = Caller::shared();
    let (alice, sam) = (caller.lab.token("alice").await, caller.lab.token("sam").await);
    let device = caller.switches(&alice, CENTER).await.remove(3);
    let deployment = caller.deployment(&alice, CENTER, &device, 3020).await;
    let unknown = json!({"device_id": "00000000-0000-4000-8000-000000000000"});
    let cases = [
        (
            "read by REST",
            caller.rest(&alice, CENTER, "get_device", &json!({"device_id": device})).await,
            "success",
            None,
        ),
        ("read by MCP", caller.mcp(&alice, CENTER, "get_device", &json!({"device_id": device})).await, "success", None),
        (
            "step-up",
            caller.mcp(&alice, CENTER, "deploy_template", &deployment).await,
            "refused",
            Some("step_up_required"),
        ),
        ("hidden", caller.mcp(&sam, CENTER, "deploy_template", &deployment).await, "refused", Some("tool_unknown")),
        ("absent", caller.rest(&sam, CENTER, "no_such_tool", &json!({})).await, "refused", Some("tool_unknown")),
        (
            "invalid",
            caller.mcp(&alice, CENTER, "get_device", &json!({"device_id": 7})).await,
            "refused",
            Some("invalid_arguments"),
        ),
        ("no device", caller.rest(&alice, CENTER, "get_device", &unknown).await, "refused", Some("target_unknown")),
    ];
    let all = caller.lab.audit();
    for (what, answer, outcome, code) in &cases {
        let id = answer.request_id();
        let records: Vec<Json> = all.iter().filter(|r| r["http"]["request"]["id"] == *id).cloned().collect();
        let expected = [("call".to_owned(), (*outcome).to_owned(), code.map(str::to_owned))];
        assert_eq!(told(&records), expected, "{what}: {answer:?}");
        assert_eq!(records[0]["interlock"]["server"], CENTER, "{what}");
        assert!(records[0]["user"]["id"].is_string(), "{what}: who it was");
    }
    // The person can ask why, with the id of the answer.
    let why = caller.rest(&alice, OWN, "explain_refusal", &json!({"request_id": cases[2].1.request_id()})).await;
    assert_eq!(why.result()["code"], "step_up_required", "{why:?}");
    // And nobody else can.
    let why = caller.rest(&sam, OWN, "explain_refusal", &json!({"request_id": cases[2].1.request_id()})).await;
    assert_eq!(why.code(), Some("refusal_unknown"), "{why:?}");
    let (passes, said) = caller.lab.verify();
    assert!(passes, "{said}");
}

#[tokio::test]
async fn t25_a_write_has_its_intent_before_its_outcome_and_its_id_in_the_devices_own_record() {
    let caller = Caller::shared();
    let alice = caller.lab.token("alice").await;
    let device = caller.switches(&alice, EMEA).await.remove(0);
    let deployment = caller.deployment(&alice, EMEA, &device, 3021).await;
    caller.elevate("alice", EMEA, &deployment).await;
    let done = caller.rest(&alice, EMEA, "deploy_template", &deployment).await;
    assert!(matches!(done.status, 200 | 202), "{done:?}");
    let records = caller.lab.records_of(&done.request_id());
    let phases: Vec<&Json> = records.iter().map(|r| &r["interlock"]["phase"]).collect();
    assert_eq!(phases, ["intent", "outcome"], "{records:?}");
    assert_eq!(records[1]["interlock"]["outcome"], "success");
    assert!(records.iter().all(|r| r["interlock"]["targets"] == json!([device])), "{records:?}");
    let rows = caller.lab.device_commands(&caller.http).await;
    let row = rows.iter().find(|row| row["headers"]["x-caller-id"] == json!(done.request_id()));
    assert_eq!(row.unwrap()["device_id"], json!(device), "T29: the call's id is in the target's own record");
    let granted = caller.lab.audit().into_iter().any(|r| {
        r["event"]["action"] == "elevation.granted"
            && r["interlock"]["facts"]["server"] == EMEA
            && r["user"]["name"] == "alice"
    });
    assert!(granted, "the second factor is on record too");
}

#[tokio::test]
async fn t25_a_call_whose_caller_went_away_has_a_record_that_says_so() {
    let caller = Caller::shared();
    let sam = caller.lab.token("sam").await;
    let slow = json!({"system": EMEA, "match": {"path": "/intent/api/v1/issues"},
        "fault": {"kind": "latency", "ms": 20_000}, "times": 1});
    caller.lab.admin(&caller.http, "/faults", Some(slow)).await;
    let call = caller.rest_request(&sam, EMEA, "list_issues", &json!({})).header("x-request-id", "gone-away");
    let waiting = tokio::spawn(call.send());
    // The fault is used up when the simulator holds the request: now the caller goes.
    let until = Instant::now() + Duration::from_secs(15);
    loop {
        let faults = caller.lab.admin(&caller.http, "/faults", None).await;
        let held = faults["faults"]
            .as_array()
            .unwrap()
            .iter()
            .any(|f| f["system"] == EMEA && f["match"]["path"] == "/intent/api/v1/issues" && f["left"] != 0);
        if !held {
            break;
        }
        assert!(Instant::now() < until, "the call never reached the simulator: {faults}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    waiting.abort();
    loop {
        let records = caller.lab.audit();
        let record = records.iter().find(|r| r["interlock"]["client_request_id"] == "gone-away");
        if let Some(record) = record {
            assert_eq!(record["interlock"]["tool"], "list_issues");
            assert_ne!(record["interlock"]["outcome"], "success", "nobody got an answer: {record}");
            break;
        }
        assert!(Instant::now() < until, "no record");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn t25_refusals_before_anybody_is_known_are_counted_not_repeated() {
    let caller = Caller::shared();
    for _ in 0..20 {
        assert_eq!(caller.rest("not-a-token", OWN, "whoami", &json!({})).await.status, 401);
    }
    let before_known = |r: &&Json| r["event"]["action"] == "authentication.refused";
    let records = caller.lab.audit();
    assert!(records.iter().filter(before_known).count() < 20, "one record per source, reason and minute");
}

/// Every file below a folder, the simulated systems' own aside: what reaches a device stands on the device.
fn files(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if path.file_name().is_some_and(|n| n != "world") {
                files(&path, found);
            }
        } else {
            found.push(path);
        }
    }
}

#[tokio::test]
async fn t26_what_callers_send_and_what_systems_answer_stands_in_no_file_log_or_metric() {
    let caller = Caller::shared();
    let alice = caller.lab.token("alice").await;
    let canary = "canary-5e1f-of-the-suite";
    // A tool or server name that does not exist is kept as asked: an audit without it would not say what was tried.
    let name = "canary-of-a-name";
    let device = caller.switches(&alice, CENTER).await.remove(4);
    let mut deployment = caller.deployment(&alice, CENTER, &device, 3022).await;
    deployment["params"]["vlan_name"] = json!(canary);
    let calls = [
        (OWN, "echo", json!({"message": canary})),
        (CENTER, "list_devices", json!({"hostname": canary})),
        (CENTER, "get_device", json!({"device_id": canary})),
        (CENTER, "get_device", json!({"device_id": [canary], canary: canary})),
        (CENTER, "deploy_template", deployment),
        (CENTER, name, json!({})),
        (name, "get_device", json!({"device_id": device})),
    ];
    for (server, tool, arguments) in &calls {
        caller.rest(&alice, server, tool, arguments).await.request_id();
        if *server != name && *tool != name {
            caller.mcp(&alice, server, tool, arguments).await.request_id();
        }
    }
    let metrics = caller.http.get(format!("{}/metrics", caller.lab.url())).bearer_auth(&alice).send().await.unwrap();
    assert_eq!(metrics.status().as_u16(), 200);
    assert!(!metrics.text().await.unwrap().contains(canary), "in the metrics");
    let simulator = caller.lab.ready.simulators[CENTER].password.clone();
    for secret in [canary, alice.as_str(), simulator.as_str()] {
        assert!(!caller.lab.log().contains(secret), "in the log");
    }
    let mut all = Vec::new();
    files(&caller.lab.state(), &mut all);
    assert!(all.len() > 3, "{all:?}");
    for file in all {
        let bytes = std::fs::read(&file).unwrap();
        if let Some(at) = bytes.windows(canary.len()).position(|w| w == canary.as_bytes()) {
            panic!("in {}: …{}…", file.display(), around(&bytes, at));
        }
    }
}

fn around(bytes: &[u8], at: usize) -> String {
    String::from_utf8_lossy(&bytes[at.saturating_sub(120)..(at + 60).min(bytes.len())]).into_owned()
}

#[tokio::test]
async fn a_clients_own_answer_is_the_one_that_is_on_record() {
    let caller = Caller::shared();
    let alice = caller.lab.token("alice").await;
    let request =
        caller.mcp_request(&alice, OWN, "tools/call", &json!({"name": "echo", "arguments": {"message": "x"}}));
    let answer =
        Answer::of(request.header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")).await;
    let records = caller.lab.records_of(&answer.request_id());
    assert_eq!(records.len(), 1);
    assert_eq!(records[0]["trace"]["id"], "0af7651916cd43dd8448eb211c80319c", "W3C trace context goes through");
}
