//! T11 through the MCP door: refusals are results, hidden tools are unknown, and the catalogue is the caller's.

use platform::Json;
use serde_json::json;

use crate::fixture::{ALICE, Server};

async fn rpc(server: &Server, token: &str, method: &str, params: Json) -> Json {
    rpc_at(server, "/mcp/lab-1", token, method, params).await
}

/// One request of 2025-11-25 at an endpoint.
pub(crate) async fn rpc_at(server: &Server, path: &str, token: &str, method: &str, params: Json) -> Json {
    let body = json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params});
    let headers = [token, "accept: application/json, text/event-stream", "mcp-protocol-version: 2025-11-25"];
    let reply = server.post(path, &headers, &body).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()
}

/// A call of a tool at an endpoint, as alice.
pub(crate) async fn call_at(server: &Server, path: &str, tool: &str, arguments: Json) -> Json {
    rpc_at(server, path, ALICE, "tools/call", json!({"name": tool, "arguments": arguments})).await
}

/// The names that an endpoint lists to alice, in its order.
pub(crate) async fn names_at(server: &Server, path: &str) -> Vec<String> {
    let reply = rpc_at(server, path, ALICE, "tools/list", json!({})).await;
    let tools = reply["result"]["tools"].as_array().unwrap_or_else(|| panic!("{reply}"));
    tools.iter().map(|t| t["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn t11_a_challenge_is_http_200_with_the_link_in_both_forms() {
    let server = Server::start().await;
    let reply = rpc(&server, ALICE, "tools/call", json!({"name": "reload_device", "arguments": {}})).await;
    let result = &reply["result"];
    assert_eq!(result["isError"], true);
    let refusal = &result["structuredContent"];
    assert_eq!(
        (refusal["code"].as_str(), refusal["unmet"][0]["obligation"].as_str()),
        (Some("step_up_required"), Some("step_up"))
    );
    let url = refusal["url"].as_str().unwrap();
    assert!(url.starts_with(&format!("http://{}/elevate/", server.address)));
    let text = result["content"][0]["text"].as_str().unwrap();
    assert!(
        text.starts_with("Refused (step_up_required)") && text.contains(url) && text.lines().count() == 2,
        "{text}"
    );
    let denied = rpc(&server, "authorization: Bearer mallory", "tools/call", json!({"name": "read_thing"})).await;
    assert_eq!(denied["result"]["structuredContent"]["code"], "denied");
    assert_eq!(denied["result"]["isError"], true);
}

#[tokio::test]
async fn a_call_is_answered_and_on_record_as_mcp() {
    let server = Server::start().await;
    let reply = rpc(&server, ALICE, "tools/call", json!({"name": "read_thing", "arguments": {"text": "a"}})).await;
    assert_eq!(reply["result"]["structuredContent"], json!({"said": {"text": "a"}}));
    let entry = server.audit.entries().pop().unwrap();
    assert_eq!((entry.protocol.as_deref(), entry.actor.unwrap().subject), (Some("mcp"), "alice".to_owned()));
}

#[tokio::test]
async fn t10_t12_unknown_and_contradicting_calls_are_invalid_params() {
    let server = Server::start().await;
    for name in ["nonesuch", "hidden_write"] {
        let reply = rpc(&server, ALICE, "tools/call", json!({"name": name, "arguments": {}})).await;
        assert_eq!(reply["error"]["code"], -32602, "{reply}");
    }
    let params = json!({"name": "add_note", "arguments": {"_interlock": {"change": "c-1"}},
        "_meta": {"dev.interlock/call": {"change": "c-2"}}});
    let reply = rpc(&server, ALICE, "tools/call", params).await;
    assert_eq!(
        (reply["error"]["code"].as_i64(), reply["error"]["data"]["code"].as_str()),
        (Some(-32602), Some("reference_conflict"))
    );
}

#[tokio::test]
async fn t6_listed_tools_carry_hints_derived_from_the_operators_risk() {
    let server = Server::start().await;
    let reply = rpc(&server, ALICE, "tools/list", json!({})).await;
    let tools = reply["result"]["tools"].as_array().unwrap();
    let hint = |name: &str, hint: &str| {
        tools.iter().find(|t| t["name"] == name).unwrap_or_else(|| panic!("{name} is listed"))["annotations"][hint]
            .clone()
    };
    assert_eq!((hint("read_thing", "readOnlyHint"), hint("add_note", "readOnlyHint")), (json!(true), json!(false)));
    assert_eq!(
        (hint("add_note", "destructiveHint"), hint("reload_device", "destructiveHint")),
        (json!(false), json!(true))
    );
    assert!(!tools.iter().any(|t| t["name"] == "hidden_write"));
}
