//! T4 without a link to read: RFC 9470 challenges for clients that an operator allowed, URL elicitation for callers that
//! declared it. Everybody else keeps the refusal of T11.

use platform::Json;
use serde_json::json;

use crate::fixture::{ALICE, Reply, Server, tool_path};
use crate::pages::{begin, callback, form_token, session_of, submit};

const CLI: &str = "authorization: Bearer cli-alice";
const CLI_MFA: &str = "authorization: Bearer cli-alice-mfa";
const CLI_ELSEWHERE: &str = "authorization: Bearer cli-elsewhere";

async fn rest(server: &Server, token: &str, tool: &str) -> Reply {
    server.post(&tool_path(tool), &[token], &json!({"arguments": {"text": "a"}})).await
}

fn is_challenge(reply: &Reply, server: &Server, resource: &str) {
    assert_eq!(reply.problem(), (401, "step_up_required".to_owned()), "{reply:?}");
    let challenge = reply.header("www-authenticate").unwrap();
    let document =
        format!("resource_metadata=\"http://{}/.well-known/oauth-protected-resource{resource}\"", server.address);
    for part in [
        "Bearer error=\"insufficient_user_authentication\"",
        "acr_values=\"acr:mfa\"",
        "max_age=\"900\"",
        document.as_str(),
    ] {
        assert!(challenge.contains(part), "{part}: {challenge}");
    }
}

#[tokio::test]
async fn t4_a_client_that_answers_challenges_gets_one_at_rest_where_a_token_can_be_enough() {
    let server = Server::start().await;
    is_challenge(&rest(&server, CLI, "configure_device").await, &server, "/api/v1");
    assert_eq!(rest(&server, CLI_MFA, "configure_device").await.status, 200);
    for (token, tool, why) in [
        (ALICE, "configure_device", "not on the list"),
        (CLI_ELSEWHERE, "configure_device", "an issuer without a value for it"),
        (CLI, "reload_device", "bound to one call, whatever policy says"),
        (CLI_MFA, "reload_device", "so is a fresh token"),
    ] {
        let reply = rest(&server, token, tool).await;
        assert_eq!(reply.problem(), (403, "step_up_required".to_owned()), "{why}");
        assert!(reply.header("www-authenticate").is_none() && reply.json()["url"].is_string(), "{why}");
    }
}

/// One call of revision 2026-07-28.
async fn modern(server: &Server, token: &str, tool: &str, capabilities: Json, more: Json) -> Reply {
    let mut params = json!({"name": tool, "arguments": {"text": "a"}, "_meta": {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": capabilities}});
    for (name, value) in more.as_object().unwrap() {
        params[name] = value.clone();
    }
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
    let name = format!("mcp-name: {tool}");
    let headers = [
        token,
        "accept: application/json, text/event-stream",
        "mcp-protocol-version: 2026-07-28",
        "mcp-method: tools/call",
        &name,
    ];
    server.post("/mcp/lab-1", &headers, &body).await
}

async fn legacy(server: &Server, token: &str, tool: &str) -> Reply {
    let params = json!({"name": tool, "arguments": {"text": "a"}});
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
    let headers = [token, "accept: application/json, text/event-stream", "mcp-protocol-version: 2025-11-25"];
    server.post("/mcp/lab-1", &headers, &body).await
}

#[tokio::test]
async fn t4_a_client_that_answers_challenges_gets_one_at_mcp_before_any_result() {
    let server = Server::start().await;
    for reply in [
        legacy(&server, CLI, "configure_device").await,
        modern(&server, CLI, "configure_device", json!({}), json!({})).await,
    ] {
        is_challenge(&reply, &server, "/mcp/lab-1");
    }
    assert_eq!(legacy(&server, CLI_MFA, "configure_device").await.json()["result"]["isError"], false);
    for (token, tool) in [(ALICE, "configure_device"), (CLI_ELSEWHERE, "configure_device"), (CLI, "reload_device")] {
        let reply = legacy(&server, token, tool).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        assert_eq!(reply.json()["result"]["structuredContent"]["code"], "step_up_required");
    }
    // What ran is not answered with a challenge, and what was refused for another reason is not either.
    assert_eq!(legacy(&server, CLI, "read_thing").await.json()["result"]["isError"], false);
    assert!(legacy(&server, CLI, "nonesuch").await.json()["error"]["code"].is_number());
}

fn url_elicitation() -> Json {
    json!({"elicitation": {"url": {}}})
}

/// What a call asks of its caller: (link, state).
fn asked(reply: &Reply) -> (String, String) {
    let result = &reply.json()["result"];
    assert_eq!((reply.status, &result["resultType"]), (200, &json!("input_required")), "{reply:?}");
    let asked = &result["inputRequests"]["step_up"];
    assert_eq!(
        (&asked["method"], &asked["params"]["mode"]),
        (&json!("elicitation/create"), &json!("url")),
        "{reply:?}"
    );
    (asked["params"]["url"].as_str().unwrap().to_owned(), result["requestState"].as_str().unwrap().to_owned())
}

fn says(action: &str, state: &str) -> Json {
    json!({"inputResponses": {"step_up": {"action": action}}, "requestState": state})
}

#[tokio::test]
async fn t4_a_caller_that_declared_it_is_asked_to_open_the_link_and_only_the_link_grants() {
    let server = Server::start().await;
    let first = modern(&server, ALICE, "reload_device", url_elicitation(), json!({})).await;
    let (url, state) = asked(&first);
    let link = url.strip_prefix(&format!("http://{}", server.address)).unwrap().to_owned();
    assert!(!state.contains("reload") && !url.contains("alice"), "no person in the URL, nothing to read in the state");
    // The person passes the second factor while the repeat waits for it.
    let answered = says("accept", &state);
    let (second, ()) = tokio::join!(modern(&server, ALICE, "reload_device", url_elicitation(), answered), async {
        let (state, cookie) = begin(&server, &link).await;
        let session = session_of(&callback(&server, &state, "alice", Some(&cookie)).await);
        let token = form_token(&server.get(&link, &[&session]).await);
        assert_eq!(submit(&server, &link, &token, &[&session]).await.status, 200);
    });
    assert_eq!(second.json()["result"]["structuredContent"], json!({"said": {"text": "a"}}), "{second:?}");
    // The state is worth nothing by itself: used up means asked again.
    let third = modern(&server, ALICE, "reload_device", url_elicitation(), says("accept", &state)).await;
    asked(&third);
}

#[tokio::test]
async fn t4_who_declines_is_refused_even_if_the_call_could_run() {
    let server = Server::start().await;
    for action in ["decline", "cancel"] {
        let (url, state) = asked(&modern(&server, ALICE, "configure_device", url_elicitation(), json!({})).await);
        let link = url.strip_prefix(&format!("http://{}", server.address)).unwrap().to_owned();
        let (begun, cookie) = begin(&server, &link).await;
        let session = session_of(&callback(&server, &begun, "alice", Some(&cookie)).await);
        let refused = modern(&server, ALICE, "configure_device", url_elicitation(), says(action, &state)).await;
        let refusal = &refused.json()["result"]["structuredContent"];
        assert_eq!((&refusal["code"], &refusal["url"]), (&json!("step_up_required"), &json!(url)), "{refused:?}");
        let entry = server.audit.entries().pop().unwrap();
        assert_eq!((entry.action.as_str(), entry.code.as_deref()), ("tool.call", Some("step_up_required")));
        let page = server.get("/pages", &[&session]).await;
        let token = form_token(&page);
        let end = page.body.split_once("/pages/elevations/").unwrap().1.split('"').next().unwrap().to_owned();
        submit(&server, &format!("/pages/elevations/{end}"), &token, &[&session]).await;
    }
}

#[tokio::test]
async fn t4_a_state_counts_for_its_caller_its_tool_and_its_arguments_only() {
    let server = Server::start().await;
    let (_, state) = asked(&modern(&server, ALICE, "reload_device", url_elicitation(), json!({})).await);
    let mut changed = state.clone().into_bytes();
    let last = changed.len() - 1;
    changed[last] = if changed[last] == b'A' { b'B' } else { b'A' };
    let changed = String::from_utf8(changed).unwrap();
    let other_arguments = json!({"arguments": {"text": "b"}});
    for (what, token, tool, state, more) in [
        ("changed", ALICE, "reload_device", changed.as_str(), json!({})),
        ("made up", ALICE, "reload_device", "e30", json!({})),
        ("no base64", ALICE, "reload_device", "{}", json!({})),
        ("empty", ALICE, "reload_device", "", json!({})),
        ("huge", ALICE, "reload_device", &"A".repeat(3_000), json!({})),
        ("another client's", CLI, "reload_device", &state, json!({})),
        ("another tool's", ALICE, "configure_device", &state, json!({})),
        ("for other arguments", ALICE, "reload_device", &state, other_arguments),
    ] {
        let mut answer = says("accept", state);
        for (name, value) in more.as_object().unwrap() {
            answer[name] = value.clone();
        }
        let reply = modern(&server, token, tool, url_elicitation(), answer).await;
        let error = &reply.json()["error"];
        assert_eq!(
            (&error["code"], &error["data"]["code"]),
            (&json!(-32602), &json!("request_state_invalid")),
            "{what}"
        );
    }
    // An old one is no mistake, only over: the person is asked anew.
    server.clock.advance(31 * 60);
    asked(&modern(&server, ALICE, "reload_device", url_elicitation(), says("accept", &state)).await);
}

#[tokio::test]
async fn t4_who_declared_no_url_elicitation_gets_the_plain_refusal() {
    let server = Server::start().await;
    for capabilities in [json!({}), json!({"elicitation": {}}), json!({"elicitation": {"form": {}}})] {
        let reply = modern(&server, ALICE, "reload_device", capabilities, json!({})).await;
        let result = &reply.json()["result"];
        assert_eq!(
            (&result["isError"], &result["structuredContent"]["code"]),
            (&json!(true), &json!("step_up_required"))
        );
    }
    assert_eq!(legacy(&server, ALICE, "reload_device").await.json()["result"]["isError"], true);
}
