//! Resources, prompts and completion in both eras, and what a server that does not offer them says.

use mcp::EndpointOptions;
use serde_json::json;

use crate::fixture::{Server, declaring, modern, request};

#[tokio::test]
async fn capabilities_are_those_that_are_offered_and_the_older_life_promises_no_streams() {
    let server = Server::everything(EndpointOptions::default()).await;
    let found = server.modern(&modern("server/discover", json!({}))).await.result();
    assert_eq!(
        found["capabilities"],
        json!({"tools": {"listChanged": true}, "resources": {"listChanged": true}, "prompts": {"listChanged": true},
            "completions": {}, "extensions": {"io.modelcontextprotocol/tasks": {}}})
    );
    let client = json!({"name": "t", "version": "1"});
    let hello =
        request("initialize", json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client}));
    let result = server.post(&[], &hello).await.result();
    assert_eq!(result["capabilities"], json!({"tools": {}, "resources": {}, "prompts": {}, "completions": {}}));

    let plain = Server::start(EndpointOptions::default()).await;
    let found = plain.modern(&modern("server/discover", json!({}))).await.result();
    assert_eq!(found["capabilities"], json!({"tools": {}}));
}

#[tokio::test]
async fn what_is_not_offered_is_an_unknown_method() {
    let server = Server::start(EndpointOptions::default()).await;
    for (method, params) in [
        ("resources/list", json!({})),
        ("resources/templates/list", json!({})),
        ("resources/read", json!({"uri": "test://a"})),
        ("prompts/list", json!({})),
        ("prompts/get", json!({"name": "a"})),
        (
            "completion/complete",
            json!({"ref": {"type": "ref/prompt", "name": "a"}, "argument": {"name": "a", "value": ""}}),
        ),
        ("tasks/get", json!({"taskId": "a"})),
        ("tasks/update", json!({"taskId": "a", "inputResponses": {}})),
        ("tasks/cancel", json!({"taskId": "a"})),
        ("subscriptions/listen", json!({"notifications": {}})),
        ("resources/subscribe", json!({"uri": "test://a"})),
        ("logging/setLevel", json!({"level": "info"})),
    ] {
        let newer = server.modern(&modern(method, params.clone())).await;
        assert_eq!((newer.error().0, newer.error().1), (404, -32601), "{method}");
        let older = server.legacy(&request(method, params)).await;
        assert_eq!((older.error().0, older.error().1), (200, -32601), "{method}");
    }
}

#[tokio::test]
async fn methods_of_the_newest_revision_do_not_exist_for_older_requests() {
    let server = Server::everything(EndpointOptions::default()).await;
    for (method, params) in [
        ("tasks/get", json!({"taskId": "task-1"})),
        ("tasks/update", json!({"taskId": "task-1", "inputResponses": {}})),
        ("tasks/cancel", json!({"taskId": "task-1"})),
        ("subscriptions/listen", json!({"notifications": {}})),
    ] {
        for headers in [vec![("mcp-protocol-version", "2025-11-25")], vec![]] {
            let reply = server.post(&headers, &request(method, params.clone())).await;
            assert_eq!(reply.error(), (200, -32601, "unknown_method".into()), "{method}");
        }
    }
}

#[tokio::test]
async fn lists_are_paged_by_the_handlers_cursor_and_private() {
    let server = Server::everything(EndpointOptions::default()).await;
    let first = server.modern(&modern("resources/list", json!({}))).await.result();
    assert_eq!(
        first["resources"][0],
        json!({"uri": "test://r/1", "name": "r1", "title": "R", "mimeType": "text/plain"})
    );
    assert_eq!(first["nextCursor"], "two");
    for method in ["tools/list", "resources/list", "resources/templates/list", "prompts/list"] {
        let list = server.modern(&modern(method, json!({}))).await.result();
        assert_eq!((&list["cacheScope"], &list["ttlMs"]), (&json!("private"), &json!(60_000)), "{method}");
        assert_eq!(list["resultType"], "complete");
        assert_eq!(list["_meta"]["io.modelcontextprotocol/serverInfo"]["name"], "everything");
        let older = server.legacy(&request(method, json!({}))).await.result();
        for absent in ["cacheScope", "ttlMs", "resultType", "_meta"] {
            assert!(older.get(absent).is_none(), "{method} {absent}");
        }
    }
    let second = server.legacy(&request("resources/list", json!({"cursor": "two"}))).await.result();
    assert_eq!(second["resources"][0]["uri"], "test://r/2");
    assert!(second.get("nextCursor").is_none());
    let wrong = server.modern(&modern("resources/list", json!({"cursor": "x"}))).await;
    assert_eq!(wrong.error(), (200, -32602, "invalid_cursor".into()));
    for method in ["resources/templates/list", "prompts/list", "tools/list"] {
        let wrong = server.modern(&modern(method, json!({"cursor": "x"}))).await;
        assert_eq!(wrong.error(), (200, -32602, "unknown_cursor".into()), "{method}");
    }
    let templates = server.legacy(&request("resources/templates/list", json!({}))).await.result();
    assert_eq!(templates["resourceTemplates"][0]["uriTemplate"], "test://r/{n}");
}

#[tokio::test]
async fn resources_are_read_as_text_or_base64_and_what_is_not_there_says_so_by_era() {
    let server = Server::everything(EndpointOptions::default()).await;
    let read = |uri: &str| modern("resources/read", json!({"uri": uri}));
    let text = server.modern(&read("test://r/1")).await.result();
    assert_eq!(text["contents"], json!([{"uri": "test://r/1", "mimeType": "text/plain", "text": "text"}]));
    assert_eq!((&text["ttlMs"], &text["cacheScope"]), (&json!(7), &json!("private")));
    let bytes = server.legacy(&request("resources/read", json!({"uri": "test://r/2"}))).await.result();
    assert_eq!(bytes, json!({"contents": [{"uri": "test://r/2", "blob": "/w=="}]}));

    let newer = server.modern(&read("test://none")).await;
    assert_eq!(newer.error(), (200, -32602, "mcp_resource_unknown".into()));
    assert_eq!(newer.json()["error"]["data"]["uri"], "test://none");
    let older = server.legacy(&request("resources/read", json!({"uri": "test://none"}))).await;
    assert_eq!(older.error(), (200, -32002, "mcp_resource_unknown".into()));

    // Never an empty list, never silence after a panic.
    for uri in ["test://empty", "test://panic"] {
        assert_eq!(server.modern(&read(uri)).await.error(), (200, -32603, "internal_error".into()), "{uri}");
        let older = server.legacy(&request("resources/read", json!({"uri": uri}))).await;
        assert_eq!(older.error(), (200, -32603, "internal_error".into()), "{uri}");
    }
}

#[tokio::test]
async fn prompts_are_filled_in_and_may_ask_first() {
    let server = Server::everything(EndpointOptions::default()).await;
    let list = server.modern(&modern("prompts/list", json!({}))).await.result();
    assert_eq!(
        list["prompts"],
        json!([{"name": "greet", "description": "Greets.", "arguments": [{"name": "name", "required": true}]}])
    );
    let filled = json!({"name": "greet", "arguments": {"name": "Ann"}});
    for result in [
        server.modern(&modern("prompts/get", filled.clone())).await.result(),
        server.legacy(&request("prompts/get", filled)).await.result(),
    ] {
        assert_eq!(result["messages"][0], json!({"role": "user", "content": {"type": "text", "text": "Hello, Ann!"}}));
        assert_eq!(result["messages"][1]["role"], "assistant");
        assert_eq!(result["messages"][1]["content"]["resource"]["text"], "x");
    }
    for (params, code) in [
        (json!({"name": "none"}), "prompt_unknown"),
        (json!({"name": "greet", "arguments": {"name": 5}}), "invalid_params"),
    ] {
        let reply = server.modern(&modern("prompts/get", params.clone())).await;
        assert_eq!(reply.error(), (200, -32602, code.into()));
        let reply = server.legacy(&request("prompts/get", params)).await;
        assert_eq!(reply.error(), (200, -32602, code.into()));
    }
    let missing = server.modern(&modern("prompts/get", json!({"name": "greet"}))).await;
    assert_eq!(missing.error(), (200, -32602, "invalid_arguments".into()));

    let able = json!({"elicitation": {}});
    let asked = server.modern(&declaring("prompts/get", json!({"name": "asking"}), &able)).await.result();
    assert_eq!(asked["resultType"], "input_required");
    assert_eq!(asked["inputRequests"]["who"]["params"]["message"], "Your name?");
    let answered = json!({"name": "asking", "inputResponses": {"who": {"action": "accept", "content": {"name": "A"}}}});
    let done = server.modern(&declaring("prompts/get", answered, &able)).await.result();
    assert_eq!(done["resultType"], "complete");
    let unable = server.modern(&modern("prompts/get", json!({"name": "asking"}))).await;
    assert_eq!(unable.error(), (400, -32021, "client_capability_missing".into()));
    let older = server.legacy(&request("prompts/get", json!({"name": "asking"}))).await;
    assert_eq!(older.error(), (200, 403, "client_cannot_answer".into()));
}

#[tokio::test]
async fn completion_passes_what_was_typed_and_never_more_than_a_hundred() {
    let server = Server::everything(EndpointOptions::default()).await;
    let ask = |of: &serde_json::Value, typed: &str| json!({"ref": of, "argument": {"name": "site", "value": typed}, "context": {"arguments": {"area": "HQ"}}});
    let prompt = json!({"type": "ref/prompt", "name": "greet"});
    let template = json!({"type": "ref/resource", "uri": "test://r/{n}"});
    let one = server.modern(&modern("completion/complete", ask(&prompt, "zu"))).await.result();
    assert_eq!(one["completion"]["values"], json!(["greet site zu {\"area\": \"HQ\"}"]));
    let other = server.legacy(&request("completion/complete", ask(&template, "zu"))).await.result();
    assert_eq!(other["completion"]["values"], json!(["test://r/{n} site zu {\"area\": \"HQ\"}"]));
    let many = server.modern(&modern("completion/complete", ask(&prompt, "many"))).await.result();
    assert_eq!(many["completion"]["values"].as_array().unwrap().len(), 100);
    assert_eq!(many["completion"]["hasMore"], true);
    assert_eq!(many["completion"]["total"], 150);
    let wrong = json!({"ref": {"type": "ref/other"}, "argument": {"name": "a", "value": ""}});
    assert_eq!(server.modern(&modern("completion/complete", wrong)).await.error().1, -32602);
}
