//! The role × tool matrix of both profiles, through the pipeline, with real tokens: what is listed, and what a call
//! comes to. Both doors have to agree.

use std::collections::BTreeSet;

use platform::Json;
use serde_json::json;

use crate::caller::{Answer, CENTER, Caller, DESK, EMEA, OWN};

const PEOPLE: [&str; 6] = ["alice", "sam", "dora", "ada", "audrey", "vic"];

/// A change request that every lab has.
const CHANGE: &str = "CHG0030032";

/// Arguments that pass the schema of every tool; ids are of things that exist, where that decides anything.
fn arguments(tool: &str, device: &str) -> Json {
    let nobody = "00000000-0000-4000-8000-000000000000";
    match tool {
        "get_device" | "get_device_config" | "list_interfaces" | "get_compliance" => json!({"device_id": device}),
        "save_config" | "run_compliance" => json!({"device_ids": [device]}),
        "run_show_commands" => json!({"device_ids": [device], "commands": ["show clock"]}),
        "update_interface" => json!({"device_id": device, "interface": "GigabitEthernet9/9/9", "vlan": 20}),
        "get_task" => json!({"task_id": nobody}),
        "get_template" => json!({"template_id": nobody}),
        "preview_template" | "deploy_template" => json!({"template_id": nobody, "device_id": device}),
        "get_deployment" => json!({"deployment_id": nobody}),
        "get_incident" => json!({"incident": device}),
        "update_incident" => json!({"incident": device, "work_note": "seen"}),
        "create_incident" => json!({"short_description": "Uplink flaps"}),
        "get_change_request" => json!({"change_request": CHANGE}),
        "update_change_request" => json!({"change_request": CHANGE, "work_note": "seen"}),
        "create_change_request" => json!({"kind": "normal", "short_description": "VLAN 120"}),
        "set_change_schedule" => json!({
            "change_request": CHANGE, "start": "2030-01-01T00:00:00Z", "end": "2030-01-01T01:00:00Z", "reason": "later",
        }),
        "echo" => json!({"message": "hello"}),
        "search_tools" => json!({"query": "device"}),
        "get_audit_record" => json!({"record": 1}),
        "open_audit_payload" => json!({"record": 1, "reason": "a look at the first record"}),
        "describe_tool" => json!({"tool": "whoami"}),
        _ => json!({}),
    }
}

fn said(listed: bool, answer: &Answer) -> String {
    let listed = if listed { "listed" } else { "hidden" };
    format!("{listed} {} {}", answer.status, answer.code().unwrap_or("ok"))
}

#[tokio::test]
async fn t10_the_matrix_of_roles_and_tools_in_the_open_lab_is_as_written() {
    insta::assert_snapshot!("role_by_tool_lab_open", matrix("lab-open").await);
}

#[tokio::test]
async fn t8_the_matrix_of_roles_and_tools_in_production_is_as_written() {
    insta::assert_snapshot!("role_by_tool_production", matrix("production").await);
}

async fn matrix(profile: &'static str) -> String {
    // Elevations of other tests would show: a lab of its own.
    let caller = Caller::new(std::sync::Arc::new(crate::lab::Lab::start_under(profile)));
    let (ada, audrey) = (caller.lab.token("ada").await, caller.lab.token("audrey").await);
    let mut principals = Vec::new();
    for person in PEOPLE {
        principals.push((person, caller.lab.token(person).await));
    }
    principals.push(("lab-automation", caller.lab.automation_token(&caller.http).await));

    let mut table = String::new();
    // The tools of changes are shown by every server that has something to change (T14), and are the platform's all the same.
    let own = &caller.tools(&ada, OWN).await | &caller.tools(&audrey, OWN).await;
    for server in [CENTER, EMEA, DESK, OWN] {
        let devices = match server {
            OWN => vec![String::new()],
            DESK => {
                let newest = caller.rest(&ada, DESK, "list_incidents", &json!({"state": "new", "limit": 1})).await;
                vec![newest.result()["items"][0]["number"].as_str().unwrap().to_owned()]
            }
            _ => caller.switches(&ada, server).await,
        };
        // Nobody sees every tool: duties are apart.
        let every = &caller.tools(&ada, server).await | &caller.tools(&audrey, server).await;
        let shown = every.into_iter().filter(|tool| server == OWN || !own.contains(tool));
        // A tool after the other asks another device: everybody's probes of one in a minute are counted together.
        for (tool, device) in shown.zip(devices.iter().cycle()) {
            table.push_str(&format!("{server} {tool}\n"));
            let arguments = arguments(&tool, device);
            for (name, token) in &principals {
                let seen: BTreeSet<String> = caller.tools(token, server).await;
                let rest = caller.rest(token, server, &tool, &arguments).await;
                let mcp = caller.mcp(token, server, &tool, &arguments).await;
                let same = match (rest.code(), mcp.code()) {
                    (Some("tool_unknown"), Some("unknown_tool")) => true,
                    (rest, mcp) => rest == mcp,
                };
                assert!(same, "the doors disagree on {server} {tool} for {name}: {rest:?} {mcp:?}");
                assert_eq!(mcp.status, 200, "T11: no HTTP error in the middle of a call: {mcp:?}");
                table.push_str(&format!("  {name:<15} {}\n", said(seen.contains(&tool), &rest)));
            }
        }
    }
    table
}
