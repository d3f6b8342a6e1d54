//! What the protocol offers beside tools, on real tools of a real server: the same features that the conformance fixture
//! shows, in both eras, and through policy and audit.

use std::sync::Arc;

use platform::Json;
use reqwest::RequestBuilder;
use serde_json::json;

use crate::caller::{Answer, CENTER, Caller};
use crate::lab::{Lab, binary};

const TASKS: &str = "io.modelcontextprotocol/tasks";

/// One request of revision 2026-07-28 that declares `abilities`, ready to send.
fn request(caller: &Caller, token: &str, method: &str, mut params: Json, abilities: &Json) -> RequestBuilder {
    params["_meta"]["io.modelcontextprotocol/protocolVersion"] = "2026-07-28".into();
    params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = abilities.clone();
    let named = ["name", "uri", "taskId"].into_iter().find_map(|key| params[key].as_str()).map(str::to_owned);
    let mut request = caller
        .http
        .post(format!("{}/mcp/{CENTER}", caller.lab.url()))
        .bearer_auth(token)
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", method);
    if let Some(name) = named {
        request = request.header("mcp-name", name);
    }
    request.json(&json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}))
}

async fn newer(caller: &Caller, token: &str, method: &str, params: Json, abilities: &Json) -> Answer {
    Answer::of(request(caller, token, method, params, abilities)).await
}

async fn older(caller: &Caller, token: &str, method: &str, params: Json) -> Answer {
    Answer::of(caller.mcp_request(token, CENTER, method, &params)).await
}

#[tokio::test]
async fn a_server_promises_what_it_offers_and_nothing_else() {
    let caller = Caller::shared();
    let token = caller.lab.token("sam").await;
    let found = newer(&caller, &token, "server/discover", json!({}), &json!({})).await;
    let capabilities = &found.body["result"]["capabilities"];
    for offered in ["tools", "resources", "prompts", "completions"] {
        assert!(capabilities[offered].is_object(), "{offered}: {found:?}");
    }
    assert!(capabilities["extensions"][TASKS].is_object(), "{found:?}");
    assert!(capabilities.get("logging").is_none() && capabilities["resources"].get("subscribe").is_none(), "{found:?}");
    for (method, params) in [
        ("subscriptions/listen", json!({"notifications": {"toolsListChanged": true}})),
        ("logging/setLevel", json!({"level": "info"})),
        ("resources/subscribe", json!({"uri": "interlock://catalyst-center/templates"})),
    ] {
        let refused = newer(&caller, &token, method, params, &json!({})).await;
        assert_eq!((refused.status, &refused.body["error"]["code"]), (404, &json!(-32601)), "{method} {refused:?}");
    }
}

#[tokio::test]
async fn t13_a_resource_is_read_through_its_tool_masked_and_on_record() {
    let caller = Caller::shared();
    let token = caller.lab.token("alice").await;
    let device = caller.switches(&token, CENTER).await.remove(0);
    let uri = format!("interlock://{CENTER}/devices/{device}/running-config");
    let templates = newer(&caller, &token, "resources/templates/list", json!({}), &json!({})).await;
    let templates = templates.body["result"]["resourceTemplates"].as_array().cloned().unwrap_or_default();
    assert!(
        templates.iter().any(|t| t["uriTemplate"] == "interlock://catalyst-center/devices/{device_id}/running-config"),
        "{templates:?}"
    );

    let read = newer(&caller, &token, "resources/read", json!({"uri": uri}), &json!({})).await;
    let part = &read.body["result"]["contents"][0];
    assert_eq!((&part["uri"], &part["mimeType"]), (&json!(uri), &json!("text/plain")), "{read:?}");
    let text = part["text"].as_str().unwrap();
    assert!(text.contains("hostname"), "{text}");
    assert_eq!(read.body["result"]["cacheScope"], "private", "{read:?}");
    let records = caller.lab.records_of(&read.request_id());
    assert!(records.iter().any(|r| r.to_string().contains("get_device_config")), "{records:?}");

    for (answer, code) in [
        (newer(&caller, &token, "resources/read", json!({"uri": "interlock://none/x"}), &json!({})).await, -32602),
        (older(&caller, &token, "resources/read", json!({"uri": "interlock://none/x"})).await, -32002),
    ] {
        assert_eq!((answer.status, &answer.body["error"]["code"]), (200, &json!(code)), "{answer:?}");
        assert_eq!(answer.body["error"]["data"]["uri"], "interlock://none/x", "{answer:?}");
    }
}

#[tokio::test]
async fn prompts_are_listed_filled_in_and_refused_without_their_arguments() {
    let caller = Caller::shared();
    let token = caller.lab.token("alice").await;
    let list = older(&caller, &token, "prompts/list", json!({})).await;
    let names: Vec<_> = list.body["result"]["prompts"].as_array().unwrap().iter().map(|p| p["name"].clone()).collect();
    assert!(names.contains(&json!("troubleshoot_site")) && names.contains(&json!("plan_template_change")), "{names:?}");
    let ask = json!({"name": "troubleshoot_site", "arguments": {"site": "Global/USA/SAN JOSE"}});
    for answer in [
        newer(&caller, &token, "prompts/get", ask.clone(), &json!({})).await,
        older(&caller, &token, "prompts/get", ask).await,
    ] {
        assert!(answer.body["result"]["messages"].to_string().contains("Global/USA/SAN JOSE"), "{answer:?}");
    }
    let missing = newer(&caller, &token, "prompts/get", json!({"name": "troubleshoot_site"}), &json!({})).await;
    assert_eq!((missing.status, &missing.body["error"]["code"]), (200, &json!(-32602)), "{missing:?}");
}

#[tokio::test]
async fn t13_completion_proposes_what_the_caller_may_list() {
    let caller = Caller::shared();
    let token = caller.lab.token("alice").await;
    let question = |argument: &str, typed: &str| {
        json!({"ref": {"type": "ref/prompt", "name": "troubleshoot_site"},
            "argument": {"name": argument, "value": typed}})
    };
    let proposed = newer(&caller, &token, "completion/complete", question("site", "san j"), &json!({})).await;
    let values = proposed.body["result"]["completion"]["values"].as_array().unwrap_or_else(|| panic!("{proposed:?}"));
    assert!(
        !values.is_empty() && values.iter().all(|v| v.as_str().is_some_and(|v| v.contains("San Jose"))),
        "{values:?}"
    );
    let nothing = older(&caller, &token, "completion/complete", question("site", "no such site")).await;
    assert_eq!(nothing.body["result"]["completion"]["values"], json!([]), "{nothing:?}");
}

#[tokio::test]
async fn t22_a_deployment_that_goes_on_tells_how_long_and_then_becomes_a_task() {
    // A lab of its own: the slow answer must meet this deployment and no other.
    let caller = Caller::new(Arc::new(Lab::start()));
    let token = caller.lab.token("ada").await;
    let device = caller.switches(&token, CENTER).await.remove(0);
    let deployment = caller.deployment(&token, CENTER, &device, 3107).await;
    caller.elevate("ada", CENTER, &deployment).await;
    let slow = json!({"system": CENTER, "match": {"path": "/template/deploy/status/"},
        "fault": {"kind": "latency", "ms": 6_000}, "times": 1});
    caller.lab.admin(&caller.http, "/faults", Some(slow)).await;

    let able = json!({"extensions": {TASKS: {}}});
    let call = json!({"name": "deploy_template", "arguments": deployment, "_meta": {"progressToken": "p"}});
    let told = request(&caller, &token, "tools/call", call, &able).send().await.unwrap();
    assert_eq!(told.status().as_u16(), 200);
    let told = told.text().await.unwrap();
    let messages = told.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim).filter(|d| !d.is_empty());
    let messages: Vec<Json> = messages.map(|data| serde_json::from_str(data).unwrap()).collect();
    let (begun, reports) = messages.split_last().unwrap_or_else(|| panic!("no stream: {told}"));
    assert!(!reports.is_empty(), "{told}");
    let progress: Vec<f64> = reports.iter().map(|r| r["params"]["progress"].as_f64().unwrap()).collect();
    assert!(progress.windows(2).all(|two| two[0] < two[1]), "{progress:?}");
    assert!(reports.iter().all(|r| r["params"]["progressToken"] == "p"), "{told}");
    assert_eq!(begun["result"]["resultType"], "task", "{begun}");
    let id = begun["result"]["taskId"].as_str().unwrap_or_else(|| panic!("no task: {begun}")).to_owned();

    // Whose it is and how it ends, `mcp_endpoints` says; here that nobody polls who did not declare tasks.
    let undeclared = newer(&caller, &token, "tasks/get", json!({"taskId": id}), &json!({})).await;
    assert_eq!((undeclared.status, &undeclared.body["error"]["code"]), (400, &json!(-32021)), "{undeclared:?}");
    let declared = newer(&caller, &token, "tasks/get", json!({"taskId": id}), &able).await;
    assert_eq!(declared.body["result"]["taskId"], json!(id), "{declared:?}");
}

#[tokio::test]
async fn t13_t30_what_stands_outside_the_road_exists_in_a_lab_that_asks_and_nowhere_else() {
    let caller = Caller::shared();
    let token = caller.lab.token_for("alice", &format!("{}/mcp/conformance", caller.lab.url())).await;
    let answer = Answer::of(caller.mcp_request(&token, "conformance", "tools/list", &json!({}))).await;
    assert_eq!(answer.status, 404, "{answer:?}");

    let served =
        std::process::Command::new(binary()).args(["serve", "--config", "none.toml", "--conformance"]).output();
    let served = served.unwrap();
    let said = [served.stdout, served.stderr].concat();
    assert_eq!(served.status.code(), Some(2), "usage");
    assert!(String::from_utf8_lossy(&said).contains("conformance_in_production"));
}
