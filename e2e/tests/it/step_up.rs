//! Step-up (T4): the link is nobody's key. Only the person whose call was refused can fulfil it, for one client and server.

use platform::Json;
use serde_json::json;
use story::SignInOptions;
use story::people::COMMAND_LINE_CLIENT;

use crate::caller::{Answer, CENTER, Caller, EMEA};

#[tokio::test]
async fn t4_another_persons_browser_grants_nothing() {
    let caller = Caller::shared();
    let alice = caller.lab.token("alice").await;
    let device = caller.switches(&alice, CENTER).await.remove(1);
    let deployment = caller.deployment(&alice, CENTER, &device, 3002).await;
    let refused = caller.rest(&alice, CENTER, "deploy_template", &deployment).await;
    assert_eq!((refused.status, refused.code()), (403, Some("step_up_required")), "{refused:?}");

    let other = caller.lab.pass_second_factor(refused.link(), "sam").await.unwrap_err();
    assert!(other.message().contains("somebody else"), "{other}");
    let again = caller.rest(&alice, CENTER, "deploy_template", &deployment).await;
    assert_eq!((again.status, again.code()), (403, Some("step_up_required")), "{again:?}");
    let sam = caller.lab.token("sam").await;
    let hidden = caller.rest(&sam, CENTER, "deploy_template", &deployment).await;
    assert_eq!((hidden.status, hidden.code()), (404, Some("tool_unknown")), "{hidden:?}");

    let records = caller.lab.audit();
    let declined = records
        .iter()
        .any(|r| r["event"]["action"] == "elevation.refused" && r["event"]["code"] == "elevation_other_person");
    assert!(declined, "the attempt is on record");
    // The link alone, opened and left, grants nothing.
    let page = caller.http.get(refused.link()).send().await.unwrap();
    assert_eq!(page.status().as_u16(), 200);
    let again = caller.rest(&alice, CENTER, "deploy_template", &deployment).await;
    assert_eq!(again.code(), Some("step_up_required"), "{again:?}");
}

#[tokio::test]
async fn t4_an_elevation_holds_for_one_server_only() {
    let caller = Caller::shared();
    let ada = caller.lab.token("ada").await;
    let here = caller.switches(&ada, EMEA).await.remove(0);
    let deployment = caller.deployment(&ada, EMEA, &here, 3003).await;
    caller.elevate("ada", EMEA, &deployment).await;
    let done = caller.rest(&ada, EMEA, "deploy_template", &deployment).await;
    assert!(matches!(done.status, 200 | 202), "{done:?}");

    let there = caller.switches(&ada, CENTER).await.remove(0);
    let deployment = caller.deployment(&ada, CENTER, &there, 3003).await;
    let refused = caller.rest(&ada, CENTER, "deploy_template", &deployment).await;
    assert_eq!((refused.status, refused.code()), (403, Some("step_up_required")), "{refused:?}");
}

#[tokio::test]
async fn t4_a_program_cannot_step_up() {
    let caller = Caller::shared();
    let (alice, program) = (caller.lab.token("alice").await, caller.lab.automation_token(&caller.http).await);
    let device = caller.switches(&alice, CENTER).await.remove(0);
    let deployment = caller.deployment(&alice, CENTER, &device, 3004).await;
    let refused = caller.rest(&program, CENTER, "deploy_template", &deployment).await;
    assert!(refused.status >= 400 && refused.body.get("url").is_none(), "no link for a program: {refused:?}");
}

/// A token of the client that answers challenges.
async fn command_line_token(caller: &Caller, user: &str, mfa: bool) -> String {
    let options = SignInOptions {
        issuer: caller.lab.ready.issuer.clone(),
        client_id: COMMAND_LINE_CLIENT.to_owned(),
        audience: caller.lab.url().to_owned(),
        mfa,
    };
    let (person, clock) = (caller.lab.person(user), caller.lab.clock());
    story::access_token(&options, &person, &clock, &|_| ()).await.unwrap().token.expose().to_owned()
}

#[tokio::test]
async fn t4_a_challenge_is_answered_by_a_token_with_a_fresh_second_factor() {
    let caller = Caller::shared();
    let token = command_line_token(&caller, "ada", false).await;
    let device = caller.switches(&token, CENTER).await.remove(2);
    let deployment = caller.deployment(&token, CENTER, &device, 3005).await;
    let at_rest = caller.rest(&token, CENTER, "deploy_template", &deployment).await;
    let at_mcp = caller.mcp(&token, CENTER, "deploy_template", &deployment).await;
    for refused in [at_rest, at_mcp] {
        assert_eq!((refused.status, refused.code()), (401, Some("step_up_required")), "{refused:?}");
        let challenge = refused.header("www-authenticate");
        for part in
            ["insufficient_user_authentication", story::sign_in::ACR_MFA, "max_age=\"900\"", "resource_metadata="]
        {
            assert!(challenge.contains(part), "{part}: {challenge}");
        }
    }
    let fresh = command_line_token(&caller, "ada", true).await;
    let done = caller.rest(&fresh, CENTER, "deploy_template", &deployment).await;
    assert!(matches!(done.status, 200 | 202), "{done:?}");
    let records = caller.lab.records_of(&done.request_id());
    assert!(records.iter().any(|r| r["interlock"]["step_up"]["by"] == "fresh_token"), "{records:?}");
    // The old token is what it was.
    let refused = caller.rest(&token, CENTER, "deploy_template", &deployment).await;
    assert_eq!(refused.status, 401, "{refused:?}");
}

/// One call of revision 2026-07-28 by a client that declared URL elicitation.
async fn eliciting(caller: &Caller, token: &str, arguments: &Json, answer: Json) -> Answer {
    let mut params = json!({"name": "deploy_template", "arguments": arguments, "_meta": {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "e2e", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {"elicitation": {"url": {}}}}});
    for (name, value) in answer.as_object().unwrap() {
        params[name] = value.clone();
    }
    let request = caller
        .http
        .post(format!("{}/mcp/{EMEA}", caller.lab.url()))
        .bearer_auth(token)
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", "tools/call")
        .header("mcp-name", "deploy_template")
        .json(&json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}));
    Answer::of(request).await
}

#[tokio::test]
async fn t4_a_client_that_declared_url_elicitation_gets_its_person_to_the_link_and_the_call_done() {
    let caller = Caller::shared();
    let token = caller.lab.token("bob").await;
    let device = caller.switches(&token, EMEA).await.remove(3);
    let deployment = caller.deployment(&token, EMEA, &device, 3006).await;
    let asked = eliciting(&caller, &token, &deployment, json!({})).await;
    let result = &asked.body["result"];
    assert_eq!(result["resultType"], "input_required", "{asked:?}");
    let link = result["inputRequests"]["step_up"]["params"]["url"].as_str().unwrap();
    let says = |action: &str| json!({"inputResponses": {"step_up": {"action": action}}, "requestState": result["requestState"]});
    let declined = eliciting(&caller, &token, &deployment, says("decline")).await;
    assert_eq!((declined.status, declined.code()), (200, Some("step_up_required")), "{declined:?}");
    assert_eq!(declined.link(), link);
    let (done, passed) = tokio::join!(
        eliciting(&caller, &token, &deployment, says("accept")),
        caller.lab.pass_second_factor(link, "bob")
    );
    passed.unwrap();
    assert_eq!((done.status, done.code()), (200, None), "{done:?}");
    assert!(done.body["result"]["structuredContent"].is_object(), "{done:?}");
}
