//! The MCP addresses of a whole lab, by plain JSON-RPC: the aggregate and the narrower views, resources, prompts,
//! completion, and long work as a task and as a call to repeat (T1, T13, T22).

use std::sync::Arc;

use platform::Json;
use serde_json::json;

use crate::caller::{Answer, CENTER, Caller, EMEA};
use crate::lab::Lab;

/// One request of 2025-11-25 at a path below `/mcp`; an empty one is the aggregate.
async fn ask(caller: &Caller, token: &str, path: &str, method: &str, params: &Json) -> Answer {
    let url = format!("{}/mcp{path}", caller.lab.url());
    let request = caller.http.post(url).bearer_auth(token).header("accept", "application/json, text/event-stream");
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    Answer::of(request.header("mcp-protocol-version", "2025-11-25").json(&body)).await
}

pub(crate) async fn call(caller: &Caller, token: &str, path: &str, tool: &str, arguments: &Json) -> Answer {
    ask(caller, token, path, "tools/call", &json!({"name": tool, "arguments": arguments})).await
}

async fn names(caller: &Caller, token: &str, path: &str) -> Vec<String> {
    let answer = ask(caller, token, path, "tools/list", &json!({})).await;
    let tools = answer.body["result"]["tools"].as_array().unwrap_or_else(|| panic!("{answer:?}"));
    tools.iter().map(|t| t["name"].as_str().unwrap().to_owned()).collect()
}

/// One request of 2026-07-28 by a caller that declares tasks.
pub(crate) async fn modern(
    caller: &Caller,
    token: &str,
    server: &str,
    method: &str,
    name: &str,
    mut params: Json,
) -> Answer {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "e2e", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {"extensions": {"io.modelcontextprotocol/tasks": {}}},
    });
    let request = caller
        .http
        .post(format!("{}/mcp/{server}", caller.lab.url()))
        .bearer_auth(token)
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", method)
        .header("mcp-name", name)
        .json(&json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}));
    Answer::of(request).await
}

#[tokio::test]
async fn t1_the_aggregate_stays_short_and_counts_each_call_as_the_tools_own() {
    let caller = Caller::shared();
    let (alice, sam) = (caller.lab.token("alice").await, caller.lab.token("sam").await);
    let all = names(&caller, &alice, "").await;
    assert!(all.len() <= 40, "{all:?}");
    for name in ["whoami", "search_tools", "describe_tool", "call_read_tool", "call_write_tool"] {
        assert!(all.iter().any(|n| n == name), "{name} in {all:?}");
    }
    // Two controllers are more than fits: they are reached by name.
    assert!(!all.iter().any(|n| n.contains("__")), "{all:?}");
    // Sam writes tickets and reads the controllers; Vic writes nothing.
    assert!(!names(&caller, &sam, "").await.iter().any(|n| n.ends_with("deploy_template")));
    let vic = caller.lab.token("vic").await;
    assert!(!names(&caller, &vic, "").await.iter().any(|n| n == "call_write_tool"));

    let found = call(&caller, &alice, "", "search_tools", &json!({"query": "list devices"})).await;
    assert_eq!(found.result()["tools"][0]["name"], "catalyst_center__list_devices");
    let described = call(&caller, &alice, "", "describe_tool", &json!({"tool": "catalyst_center__list_devices"})).await;
    assert_eq!(described.result()["call_with"], "call_read_tool");
    let hidden = call(&caller, &sam, "", "describe_tool", &json!({"tool": "catalyst_center__deploy_template"})).await;
    assert_eq!(hidden.code(), Some("tool_not_found"));
    let asked = json!({"tool": "catalyst_center__list_devices", "arguments": {"limit": 1}});
    let read = call(&caller, &alice, "", "call_read_tool", &asked).await;
    assert_eq!(read.result()["items"].as_array().map(Vec::len), Some(1));
    let records = caller.lab.records_of(&read.request_id());
    assert_eq!(records.len(), 1);
    assert_eq!(
        (&records[0]["interlock"]["server"], &records[0]["interlock"]["tool"]),
        (&json!(CENTER), &json!("list_devices"))
    );
    let wrong = call(&caller, &alice, "", "call_write_tool", &asked).await;
    assert_eq!(wrong.code(), Some("wrong_call_tool"));
    let device = caller.switches(&alice, CENTER).await.remove(3);
    let deployment = caller.deployment(&alice, CENTER, &device, 3020).await;
    let write = json!({"tool": "catalyst_center__deploy_template", "arguments": deployment});
    assert_eq!(call(&caller, &alice, "", "call_write_tool", &write).await.code(), Some("step_up_required"));
    assert_eq!(call(&caller, &sam, "", "call_write_tool", &write).await.code(), Some("tool_unknown"));
}

#[tokio::test]
async fn t1_narrower_views_take_their_servers_token_and_hide_the_rest() {
    let caller = Caller::shared();
    let base = caller.lab.url();
    let center = caller.lab.token_for("alice", &format!("{base}/mcp/{CENTER}")).await;
    let reads = caller.lab.token_for("alice", &format!("{base}/mcp/{CENTER}/readonly")).await;
    let all = caller.lab.token_for("alice", &format!("{base}/mcp")).await;
    for (token, path, status) in [
        (&center, format!("/{CENTER}/readonly"), 200),
        (&center, format!("/{CENTER}/x/inventory"), 200),
        (&center, String::new(), 401),
        (&reads, format!("/{CENTER}/readonly"), 200),
        (&reads, format!("/{CENTER}"), 401),
        (&reads, format!("/{CENTER}/x/inventory"), 401),
        (&all, String::new(), 200),
        (&all, format!("/{CENTER}"), 401),
    ] {
        let answer = ask(&caller, token, &path, "tools/list", &json!({})).await;
        assert_eq!(answer.status, status, "{path}: {answer:?}");
        let document = format!("{base}/.well-known/oauth-protected-resource/mcp{path}");
        let document = Answer::of(caller.http.get(document)).await;
        assert_eq!(document.body["resource"], format!("{base}/mcp{path}"));
    }
    let readonly = names(&caller, &center, &format!("/{CENTER}/readonly")).await;
    assert!(readonly.iter().any(|n| n == "list_devices") && !readonly.iter().any(|n| n == "deploy_template"));
    let hidden = call(&caller, &center, &format!("/{CENTER}/readonly"), "deploy_template", &json!({})).await;
    assert_eq!(hidden.code(), Some("unknown_tool"));
    let health = names(&caller, &center, &format!("/{CENTER}/x/health")).await;
    assert_eq!(
        health,
        ["get_device", "get_network_health", "list_devices", "list_interfaces", "list_issues", "list_sites"]
    );
}

#[tokio::test]
async fn t13_t27_a_running_configuration_is_read_as_a_resource_masked_and_on_record() {
    let caller = Caller::shared();
    let alice = caller.lab.token("alice").await;
    let path = format!("/{CENTER}");
    let device = caller.switches(&alice, CENTER).await.remove(0);
    let tool = caller.rest(&alice, CENTER, "get_device_config", &json!({ "device_id": device })).await;
    let uri = format!("interlock://{CENTER}/devices/{device}/running-config");
    let read = ask(&caller, &alice, &path, "resources/read", &json!({ "uri": uri })).await;
    let content = &read.body["result"]["contents"][0];
    assert_eq!((&content["uri"], &content["mimeType"]), (&json!(uri), &json!("text/plain")), "{read:?}");
    assert_eq!(content["text"], tool.result()["config"], "the very text of the tool, with its secrets masked");
    assert!(content["text"].as_str().unwrap().contains("hostname"));
    let records = caller.lab.records_of(&read.request_id());
    assert_eq!((records.len(), &records[0]["interlock"]["tool"]), (1, &json!("get_device_config")));
    // The same text as an artifact: at the endpoint that made it, by REST in parts, and on record with its id.
    let artifact = &tool.result()["artifact"];
    let by_uri = ask(&caller, &alice, &path, "resources/read", &json!({ "uri": artifact["uri"] })).await;
    assert_eq!(by_uri.body["result"]["contents"][0]["text"], content["text"], "{by_uri:?}");
    let records = caller.lab.records_of(&by_uri.request_id());
    assert_eq!(records[0]["interlock"]["artifacts"], json!([artifact["id"]]), "{records:?}");
    let arguments = json!({"artifact_id": artifact["id"], "limit": 100});
    let part = caller.rest(&alice, "interlock", "get_artifact", &arguments).await;
    let text = content["text"].as_str().unwrap();
    assert_eq!(part.result()["content"], text.get(..100).unwrap(), "{part:?}");
    let elsewhere = ask(&caller, &alice, "/interlock", "resources/read", &json!({ "uri": artifact["uri"] })).await;
    assert!(elsewhere.body.to_string().contains("artifact_not_found"), "T1: {elsewhere:?}");
    // Dora may not see the tool, so there is no such resource for her.
    let dora = caller.lab.token("dora").await;
    let hidden = ask(&caller, &dora, &path, "resources/read", &json!({ "uri": uri })).await;
    assert_eq!(hidden.body["error"]["data"]["code"], "mcp_resource_unknown", "{hidden:?}");
    let nothing = ask(&caller, &dora, &path, "resources/list", &json!({})).await;
    assert_eq!(nothing.body["result"]["resources"], json!([]));
}

#[tokio::test]
async fn prompts_and_completion_help_to_name_what_there_is() {
    let caller = Caller::shared();
    let alice = caller.lab.token("alice").await;
    let path = format!("/{CENTER}");
    let prompts = ask(&caller, &alice, &path, "prompts/list", &json!({})).await;
    let listed = prompts.body["result"]["prompts"].as_array().unwrap_or_else(|| panic!("{prompts:?}"));
    let known: Vec<&str> = listed.iter().map(|p| p["name"].as_str().unwrap()).collect();
    assert_eq!(known, ["troubleshoot_site", "plan_template_change", "review_device_config", "summarise_health"]);
    // Sam sees no tool that deploys; planning names none, so it is his too. Dora sees nothing of this server.
    let dora = caller.lab.token("dora").await;
    let none = ask(&caller, &dora, &path, "prompts/list", &json!({})).await;
    assert_eq!(none.body["result"]["prompts"], json!([]));

    let complete = async |prompt: &str, argument: &str, typed: &str| {
        let params =
            json!({"ref": {"type": "ref/prompt", "name": prompt}, "argument": {"name": argument, "value": typed}});
        let answer = ask(&caller, &alice, &path, "completion/complete", &params).await;
        let values = answer.body["result"]["completion"]["values"].as_array().cloned();
        values
            .unwrap_or_else(|| panic!("{answer:?}"))
            .iter()
            .map(|v| v.as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let rows = caller.rest(&alice, CENTER, "list_devices", &json!({"limit": 1})).await;
    let row = &rows.result()["items"][0];
    let (host, id) = (row["hostname"].as_str().unwrap(), row["id"].as_str().unwrap());
    let half = &host[..host.len() / 2];
    assert!(complete("plan_template_change", "device", half).await.iter().any(|v| v.starts_with(half)));
    assert_eq!(complete("review_device_config", "device_id", host).await, [id]);
    assert_eq!(complete("plan_template_change", "template", "access-v").await, ["access-vlan"]);
    let sites = complete("troubleshoot_site", "site", "Global").await;
    assert!(sites.iter().all(|s| s.starts_with("Global")) && sites.len() > 1, "{sites:?}");

    let get = json!({"name": "review_device_config", "arguments": {"device_id": id}});
    let prompt = ask(&caller, &alice, &path, "prompts/get", &get).await;
    let messages = prompt.body["result"]["messages"].as_array().unwrap_or_else(|| panic!("{prompt:?}"));
    assert!(messages[0]["content"]["text"].as_str().unwrap().contains("`get_device_config`"));
    let links: Vec<&str> = messages[1..].iter().map(|m| m["content"]["uri"].as_str().unwrap()).collect();
    assert!(links.contains(&format!("interlock://{CENTER}/devices/{id}/running-config").as_str()), "{links:?}");
}

/// The next question about a deployment takes the controller this long.
async fn slow(caller: &Caller) {
    let fault = json!({"system": CENTER, "match": {"path": "/template/deploy/status/"},
        "fault": {"kind": "latency", "ms": 6_000}, "times": 1});
    caller.lab.admin(&caller.http, "/faults", Some(fault)).await;
}

#[tokio::test]
async fn t22_long_work_is_a_task_for_who_declared_it_and_a_next_call_for_everybody_else() {
    // Faults and elevations of its own.
    let caller = Caller::new(Arc::new(Lab::start()));
    let (alice, ada) = (caller.lab.token("alice").await, caller.lab.token("ada").await);
    let device = caller.switches(&alice, CENTER).await.remove(0);
    let deployment = caller.deployment(&alice, CENTER, &device, 3021).await;
    caller.elevate("alice", CENTER, &deployment).await;

    slow(&caller).await;
    let asked = json!({"name": "deploy_template", "arguments": deployment});
    let begun = modern(&caller, &alice, CENTER, "tools/call", "deploy_template", asked).await;
    let task = &begun.body["result"];
    assert_eq!((&task["resultType"], &task["status"]), (&json!("task"), &json!("working")), "{begun:?}");
    let id = task["taskId"].as_str().unwrap().to_owned();
    assert!(id.len() >= 43);
    let strange = modern(&caller, &ada, CENTER, "tasks/get", &id, json!({ "taskId": id })).await;
    assert_eq!(strange.body["error"]["code"], -32602, "{strange:?}");
    let elsewhere = modern(&caller, &alice, EMEA, "tasks/get", &id, json!({ "taskId": id })).await;
    assert_eq!(elsewhere.body["error"]["code"], -32602, "{elsewhere:?}");
    let mut seen = Json::Null;
    for _ in 0..50 {
        let answer = modern(&caller, &alice, CENTER, "tasks/get", &id, json!({ "taskId": id })).await;
        seen = answer.body["result"].clone();
        if seen["status"] != "working" {
            break;
        }
    }
    assert_eq!(seen["status"], "completed", "{seen}");
    let result = &seen["result"]["structuredContent"];
    assert_eq!((&result["status"], &result["device_id"]), (&json!("success"), &json!(device)), "{seen}");
    // Its end is kept: asked again, and after a late wish to stop, it is the same; and both are on record.
    for (method, action) in [("tasks/cancel", "task.cancel"), ("tasks/get", "task.read")] {
        let answer = modern(&caller, &alice, CENTER, method, &id, json!({ "taskId": id })).await;
        assert!(answer.body.get("error").is_none(), "{answer:?}");
        let records = caller.lab.records_of(&answer.request_id());
        assert_eq!((records.len(), &records[0]["event"]["action"]), (1, &json!(action)), "{records:?}");
        if method == "tasks/get" {
            assert_eq!(answer.body["result"]["result"], seen["result"]);
        }
    }

    slow(&caller).await;
    let again = caller.deployment(&alice, CENTER, &device, 3022).await;
    let plain = call(&caller, &alice, &format!("/{CENTER}"), "deploy_template", &again).await;
    assert_eq!(plain.result()["status"], "in_progress", "{plain:?}");
    let next = &plain.result()["next"];
    let text = plain.body["result"]["content"][0]["text"].as_str().unwrap();
    assert!(text.starts_with("The work goes on. Next: call get_deployment with {"), "{text}");
    let tool = next["tool"].as_str().unwrap();
    let done = call(&caller, &alice, &format!("/{CENTER}"), tool, &next["arguments"]).await;
    assert_eq!(done.result()["status"], "success", "{done:?}");
}
