//! Every tool of every server, through both doors: called by somebody who may and answered, and refused where it has to be.
//! The catalogue is read from the running platform, and a tool without a row here fails the test. Rows run in their order, so
//! that one may use what another has made.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use platform::Json;
use serde_json::json;

use crate::caller::{Answer, CENTER, Caller, DESK, EMEA, OWN};
use crate::lab::Lab;
use crate::mcp_endpoints;

/// The doors.
const DOORS: [&str; 2] = ["rest", "mcp"];

/// Names of what exists, gathered before: a device, its interface, a template, ….
type Names = BTreeMap<&'static str, Json>;

/// One tool.
struct Row {
    servers: &'static [&'static str],
    tool: &'static str,
    /// Who may.
    person: &'static str,
    refused: Refused,
    /// Arguments; the number of the door, where two calls must differ.
    arguments: fn(&Names, usize) -> Json,
    /// The code that it answers with where a result takes more than one call: a run that is held, say.
    code: Option<&'static str>,
}

/// How the refusal comes about.
#[derive(Clone, Copy)]
enum Refused {
    /// Nobody without the right group knows the tool.
    Unknown,
    /// Everybody holds the tool; what its schema does not have is refused.
    Arguments,
}

use Refused::{Arguments, Unknown};

const CENTERS: &[&str] = &[CENTER, EMEA];
const DESKS: &[&str] = &[DESK];
const PLATFORM: &[&str] = &[OWN];

const fn row(
    servers: &'static [&'static str],
    tool: &'static str,
    person: &'static str,
    refused: Refused,
    arguments: fn(&Names, usize) -> Json,
) -> Row {
    Row { servers, tool, person, refused, arguments, code: None }
}

/// A tool of the platform's own that is let through and answers that this cannot be done now.
const fn too_early(
    tool: &'static str,
    refused: Refused,
    code: &'static str,
    arguments: fn(&Names, usize) -> Json,
) -> Row {
    Row { servers: PLATFORM, tool, person: "alice", refused, arguments, code: Some(code) }
}

const ROWS: &[Row] = &[
    row(CENTERS, "list_devices", "alice", Unknown, |_, _| json!({"limit": 2})),
    row(CENTERS, "get_device", "alice", Unknown, |n, _| json!({"device_id": n["device"]})),
    row(CENTERS, "get_device_config", "alice", Unknown, |n, _| json!({"device_id": n["device"]})),
    row(CENTERS, "list_interfaces", "alice", Unknown, |n, _| json!({"device_id": n["device"], "limit": 2})),
    row(CENTERS, "list_sites", "alice", Unknown, |_, _| json!({"limit": 2})),
    row(CENTERS, "list_issues", "alice", Unknown, |_, _| json!({"limit": 2})),
    row(CENTERS, "get_network_health", "alice", Unknown, |_, _| json!({})),
    row(CENTERS, "get_all_templates", "alice", Unknown, |_, _| json!({})),
    row(CENTERS, "get_template", "alice", Unknown, |n, _| json!({"template_id": n["deployment"]["template_id"]})),
    row(CENTERS, "preview_template", "alice", Unknown, |n, _| n["deployment"].clone()),
    row(CENTERS, "deploy_template", "alice", Unknown, |n, _| n["deployment"].clone()),
    row(CENTERS, "get_deployment", "alice", Unknown, |n, _| json!({"deployment_id": n["deployment_id"]})),
    row(
        CENTERS,
        "run_show_commands",
        "alice",
        Unknown,
        |n, _| json!({"device_ids": [n["device"]], "commands": ["show version"]}),
    ),
    row(
        CENTERS,
        "update_interface",
        "alice",
        Unknown,
        |n, door| json!({"device_id": n["device"], "interface": n["interface"], "description": format!("door {door}")}),
    ),
    row(CENTERS, "save_config", "alice", Unknown, |n, _| json!({"device_ids": [n["device"]]})),
    row(CENTERS, "list_compliance", "alice", Unknown, |_, _| json!({"limit": 2})),
    row(CENTERS, "get_compliance", "alice", Unknown, |n, _| json!({"device_id": n["device"]})),
    row(CENTERS, "run_compliance", "alice", Unknown, |n, _| json!({"device_ids": [n["device"]]})),
    row(CENTERS, "get_task", "alice", Unknown, |n, _| json!({"task_id": n["task"]})),
    row(DESKS, "list_incidents", "sam", Unknown, |_, _| json!({"limit": 2})),
    row(DESKS, "get_incident", "sam", Unknown, |n, _| json!({"incident": n["incident"]})),
    row(DESKS, "create_incident", "sam", Unknown, |_, door| json!({"short_description": format!("Door {door}")})),
    row(
        DESKS,
        "update_incident",
        "sam",
        Unknown,
        |n, door| json!({"incident": n["incident"], "work_note": format!("Door {door}")}),
    ),
    row(DESKS, "list_change_requests", "sam", Unknown, |_, _| json!({"limit": 2})),
    row(DESKS, "get_change_request", "sam", Unknown, |n, _| json!({"change_request": n["change_request"]})),
    row(DESKS, "list_change_templates", "sam", Unknown, |_, _| json!({"limit": 2})),
    row(
        DESKS,
        "create_change_request",
        "sam",
        Unknown,
        |_, door| json!({"kind": "normal", "short_description": format!("Door {door}")}),
    ),
    row(
        DESKS,
        "update_change_request",
        "sam",
        Unknown,
        |n, _| json!({"change_request": n["change_request"], "work_note": "seen"}),
    ),
    row(DESKS, "set_change_schedule", "sam", Unknown, |n, door| {
        json!({"change_request": n["change_request"],
        "start": "2030-01-01T00:00:00Z", "end": format!("2030-01-01T0{}:00:00Z", door + 1), "reason": "later"})
    }),
    row(DESKS, "list_configuration_items", "sam", Unknown, |_, _| json!({"limit": 2})),
    row(DESKS, "list_users", "sam", Unknown, |_, _| json!({"limit": 2})),
    row(PLATFORM, "echo", "vic", Arguments, |_, _| json!({"message": "hello"})),
    row(PLATFORM, "whoami", "vic", Arguments, |_, _| json!({})),
    row(PLATFORM, "search_tools", "vic", Arguments, |_, _| json!({"query": "device"})),
    row(PLATFORM, "describe_tool", "vic", Arguments, |_, _| json!({"tool": "whoami"})),
    row(PLATFORM, "list_my_calls", "vic", Arguments, |_, _| json!({"limit": 2})),
    row(PLATFORM, "explain_refusal", "vic", Arguments, |_, _| json!({})),
    row(PLATFORM, "find_targets", "vic", Arguments, |_, _| json!({})),
    row(PLATFORM, "list_target_sources", "vic", Arguments, |_, _| json!({})),
    row(PLATFORM, "plan_change", "alice", Unknown, |n, _| n["wish"].clone()),
    row(PLATFORM, "get_change", "alice", Arguments, |n, door| json!({"change_id": n["changes"][door]})),
    row(PLATFORM, "get_change_plan", "alice", Arguments, |n, door| json!({"change_id": n["changes"][door]})),
    row(PLATFORM, "list_changes", "alice", Arguments, |_, _| json!({"limit": 2})),
    row(PLATFORM, "submit_change", "alice", Unknown, |n, door| json!({"change_id": n["changes"][door]})),
    too_early("resume_change", Unknown, "change_state", of_change),
    too_early("undo_change", Unknown, "change_state", of_change),
    too_early(
        "settle_change",
        Unknown,
        "change_state",
        |n, door| json!({"change_id": n["changes"][door], "outcome": "done", "reason": "every tool is called once"}),
    ),
    row(
        PLATFORM,
        "cancel_change",
        "alice",
        Unknown,
        |n, door| json!({"change_id": n["changes"][door], "mode": "undo", "reason": "every tool is called once"}),
    ),
    row(PLATFORM, "get_evidence", "alice", Arguments, |n, door| json!({"change_id": n["changes"][door]})),
    row(PLATFORM, "get_artifact", "alice", Arguments, |n, _| json!({"artifact_id": n["artifact"]})),
    row(PLATFORM, "search_audit", "audrey", Unknown, |_, _| json!({"limit": 2})),
    row(PLATFORM, "get_audit_record", "audrey", Unknown, |n, _| json!({"record": n["record"]})),
    row(
        PLATFORM,
        "open_audit_payload",
        "audrey",
        Unknown,
        |n, _| json!({"record": n["record"], "reason": "every tool is called once"}),
    ),
    row(
        PLATFORM,
        "put_secret",
        "ada",
        Unknown,
        |_, _| json!({"path": "every/tool", "fields": {"one": "value of the test"}}),
    ),
    row(PLATFORM, "list_secrets", "ada", Unknown, |_, _| json!({})),
    row(PLATFORM, "get_secret_metadata", "ada", Unknown, |_, _| json!({"path": "every/tool"})),
    row(PLATFORM, "set_secret_rules", "ada", Unknown, |_, _| json!({"path": "every/tool", "max_versions": 7})),
    row(
        PLATFORM,
        "delete_secret_version",
        "ada",
        Unknown,
        |_, door| json!({"path": "every/tool", "versions": [door + 1]}),
    ),
    row(
        PLATFORM,
        "undelete_secret_version",
        "ada",
        Unknown,
        |_, door| json!({"path": "every/tool", "versions": [door + 1]}),
    ),
    row(
        PLATFORM,
        "destroy_secret_version",
        "ada",
        Unknown,
        |_, door| json!({"path": "every/tool", "versions": [door + 1]}),
    ),
    row(PLATFORM, "list_keys", "ada", Unknown, |_, _| json!({})),
    row(PLATFORM, "rotate_key", "ada", Unknown, |_, _| json!({"key": "request-state"})),
    row(PLATFORM, "rotate_credential", "ada", Unknown, |_, door| {
        let (username, password) = account(door);
        json!({"server": CENTER, "fields": {"username": username, "password": password}})
    }),
];

fn of_change(names: &Names, door: usize) -> Json {
    json!({"change_id": names["changes"][door], "reason": "every tool is called once"})
}

/// Another account of the platform at the controller, for each door.
fn account(door: usize) -> (String, String) {
    (format!("interlock-{door}"), format!("another password of door {door}"))
}

async fn by(caller: &Caller, door: &str, token: &str, server: &str, tool: &str, arguments: &Json) -> Answer {
    match door {
        "rest" => caller.rest(token, server, tool, arguments).await,
        // What another server's tool has made is read where that tool can be reached too.
        _ if tool == "get_artifact" => mcp_endpoints::call(caller, token, "", tool, arguments).await,
        _ => caller.mcp(token, server, tool, arguments).await,
    }
}

/// Calls, and passes the second factor where that is asked for.
async fn allowed(caller: &Caller, door: &str, person: &str, server: &str, tool: &str, arguments: &Json) -> Answer {
    let token = caller.lab.token(person).await;
    let answer = by(caller, door, &token, server, tool, arguments).await;
    if answer.code() != Some("step_up_required") {
        return answer;
    }
    // A one-time code is used once: the next one is there as soon as the clock says so.
    caller.lab.advance(&caller.http, 31).await;
    caller.lab.pass_second_factor(answer.link(), person).await.unwrap();
    by(caller, door, &token, server, tool, arguments).await
}

/// What the rows refer to, on one server.
async fn names(caller: &Caller, server: &str) -> Names {
    let alice = caller.lab.token("alice").await;
    let mut names = Names::new();
    if server == OWN {
        let device = caller.switches(&alice, CENTER).await.remove(0);
        let shown = caller.rest(&alice, CENTER, "get_device_config", &json!({"device_id": device})).await;
        names.insert("artifact", shown.result()["artifact"]["id"].clone());
        let records = caller.lab.records_of(&shown.request_id());
        names.insert("record", records[0]["event"]["sequence"].clone());
        let device = caller.changeable_switches(&alice, CENTER).await.remove(0);
        let mut wish = caller.deployment(&alice, CENTER, &device, 3908).await;
        let members = wish.as_object_mut().unwrap();
        members.remove("device_id");
        let more = json!({"server": CENTER, "device_ids": [device], "title": "For every tool", "reason": "A test."});
        members.extend(more.as_object().unwrap().clone());
        let mut changes = Vec::new();
        for _ in DOORS {
            changes.push(planned(caller, &alice, &wish).await);
        }
        names.insert("changes", changes.into());
        names.insert("wish", wish);
        return names;
    }
    if server == DESK {
        let sam = caller.lab.token("sam").await;
        let change = json!({"kind": "normal", "short_description": "For every tool"});
        let incident = json!({"short_description": "For every tool"});
        for (name, tool, arguments) in
            [("incident", "create_incident", incident), ("change_request", "create_change_request", change)]
        {
            let made = caller.rest(&sam, DESK, tool, &arguments).await;
            names.insert(name, made.result()[name]["number"].clone());
        }
        return names;
    }
    let device = caller.switches(&alice, server).await.remove(0);
    let ports = caller.rest(&alice, server, "list_interfaces", &json!({"device_id": device, "limit": 500})).await;
    let ports = ports.result()["items"].as_array().unwrap().clone();
    let port = ports.iter().find(|p| p["mode"] == "access" && p["port_type"] == "Ethernet Port").unwrap();
    let deployment = caller.deployment(&alice, server, &device, 3907).await;
    let deployed = allowed(caller, "rest", "alice", server, "deploy_template", &deployment).await;
    names.insert("deployment_id", deployed.result()["deployment_id"].clone());
    let saved = json!({"device_ids": [device]});
    let saved = allowed(caller, "rest", "alice", server, "save_config", &saved).await;
    names.insert("task", saved.result()["task_id"].clone());
    names.insert("interface", port["name"].clone());
    names.insert("device", device.into());
    names.insert("deployment", deployment);
    names
}

/// The id of a change that has its plan.
async fn planned(caller: &Caller, alice: &str, wish: &Json) -> String {
    let mut answer = caller.rest(alice, OWN, "plan_change", wish).await;
    while answer.result()["state"] == "planning" {
        let follow =
            json!({"change_id": answer.result()["change_id"], "since": answer.result()["revision"], "wait_s": 20});
        answer = caller.rest(alice, OWN, "get_change", &follow).await;
    }
    assert_eq!(answer.result()["state"], "planned", "{answer:?}");
    answer.result()["change_id"].as_str().unwrap().to_owned()
}

/// Every (server, tool) that anybody is shown.
async fn catalogue(caller: &Caller) -> BTreeSet<(String, String)> {
    let mut all = BTreeSet::new();
    for person in ["ada", "alice", "sam", "dora", "audrey", "vic"] {
        let token = caller.lab.token(person).await;
        let url = format!("{}/api/v1/openapi.json", caller.lab.url());
        let document = Answer::of(caller.http.get(url).bearer_auth(&token)).await.body;
        for path in document["paths"].as_object().unwrap().keys() {
            let Some((server, tool)) = path.strip_prefix("/api/v1/mcp/").and_then(|rest| rest.split_once("/tools/"))
            else {
                continue;
            };
            all.insert((server.to_owned(), tool.to_owned()));
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn every_tool_is_answered_and_refused_at_both_doors() {
    let caller = Caller::new(Arc::new(Lab::start()));
    for door in 0..DOORS.len() {
        let (username, password) = account(door);
        let body = json!({"system": CENTER, "username": username, "password": password});
        caller.lab.admin(&caller.http, "/accounts", Some(body)).await;
    }
    let known = catalogue(&caller).await;
    let pairs = |row: &Row| row.servers.iter().map(|s| ((*s).to_owned(), row.tool.to_owned())).collect::<Vec<_>>();
    let rows: BTreeSet<(String, String)> = ROWS.iter().flat_map(pairs).collect();
    let missing: Vec<_> = known.difference(&rows).collect();
    assert!(missing.is_empty(), "tools without a row in this test: {missing:?}");
    let stale: Vec<_> = rows.difference(&known).collect();
    assert!(stale.is_empty(), "rows of tools that nobody is shown: {stale:?}");

    let servers: BTreeSet<&str> = known.iter().map(|(server, _)| server.as_str()).collect();
    let (vic, mut calls) = (caller.lab.token("vic").await, 0);
    for server in servers {
        let names = names(&caller, server).await;
        for row in ROWS.iter().filter(|row| row.servers.contains(&server)) {
            for (number, door) in DOORS.into_iter().enumerate() {
                let said = |answer: &Answer| format!("{server} {} by {door}: {answer:?}", row.tool);
                let mut arguments = (row.arguments)(&names, number);
                let answer = allowed(&caller, door, row.person, server, row.tool, &arguments).await;
                assert_eq!(answer.code(), row.code, "{}", said(&answer));
                if row.code.is_none() {
                    assert!(answer.status < 300 && answer.result().is_object(), "{}", said(&answer));
                }
                if matches!(row.refused, Arguments) {
                    arguments["no_such_argument"] = 1.into();
                }
                let refused = by(&caller, door, &vic, server, row.tool, &arguments).await;
                let expected = match (row.refused, door) {
                    (Arguments, _) => "invalid_arguments",
                    (Unknown, "rest") => "tool_unknown",
                    (Unknown, _) => "unknown_tool",
                };
                assert_eq!(refused.code(), Some(expected), "{}", said(&refused));
                calls += 2;
            }
        }
    }
    println!("{} tools, {calls} calls", known.len());
    // All of it is on record, and what was refused as well.
    let (verified, told) = caller.lab.verify();
    assert!(verified, "{told}");
}
