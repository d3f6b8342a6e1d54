//! T1: `/readonly` and `/x/<toolset>` narrow their server and never widen it: what is not shown there does not exist there.

use platform::audit::Outcome;
use serde_json::json;

use crate::fixture::{ALICE, Server};
use crate::mcp_door::{call_at, names_at, rpc_at};

const WHOLE: &str = "/mcp/lab-1";
const READS: &str = "/mcp/lab-1/readonly";
const NOTES: &str = "/mcp/lab-1/x/notes";

#[tokio::test]
async fn a_narrower_view_lists_its_own_tools_under_their_names() {
    let server = Server::start().await;
    let all =
        ["add_note", "configure_device", "fail_thing", "read_thing", "reload_device", "slow_thing", "start_thing"];
    assert_eq!(names_at(&server, WHOLE).await, all);
    assert_eq!(names_at(&server, READS).await, ["fail_thing", "read_thing", "slow_thing", "start_thing"]);
    assert_eq!(names_at(&server, NOTES).await, ["add_note", "read_thing"]);
    // A toolset grants nothing: what policy hides stays hidden.
    assert_eq!(names_at(&server, "/mcp/lab-1/x/starting").await, ["start_thing"]);
}

#[tokio::test]
async fn t10_what_a_view_does_not_show_is_unknown_there_and_the_attempt_is_on_record() {
    let server = Server::start().await;
    for (path, tool) in [(READS, "add_note"), (READS, "reload_device"), (NOTES, "slow_thing"), (NOTES, "hidden_write")]
    {
        let reply = call_at(&server, path, tool, json!({})).await;
        assert_eq!(
            (&reply["error"]["code"], &reply["error"]["data"]["code"]),
            (&json!(-32602), &json!("unknown_tool"))
        );
        let record = server.audit.entries().pop().unwrap();
        assert_eq!((record.outcome, record.code.as_deref()), (Outcome::Refused, Some("tool_unknown")), "{path} {tool}");
        assert_eq!(record.tool.unwrap().tool, tool);
    }
    for (path, tool) in [(READS, "read_thing"), (NOTES, "read_thing"), (NOTES, "add_note"), (WHOLE, "add_note")] {
        let reply = call_at(&server, path, tool, json!({"text": "a"})).await;
        assert_eq!(reply["result"]["structuredContent"], json!({"said": {"text": "a"}}), "{path} {tool}");
    }
}

#[tokio::test]
async fn t1_a_narrower_view_takes_its_servers_token_and_never_the_reverse() {
    let server = Server::start().await;
    for (token, path, status) in [
        ("lab-1-only", WHOLE, 200),
        ("lab-1-only", READS, 200),
        ("lab-1-only", NOTES, 200),
        ("lab-1-only", "/mcp", 401),
        ("lab-1-reads", READS, 200),
        ("lab-1-reads", WHOLE, 401),
        ("lab-1-reads", NOTES, 401),
        ("all-servers", "/mcp", 200),
        ("all-servers", WHOLE, 401),
        ("all-servers", READS, 401),
    ] {
        let token = format!("authorization: Bearer {token}");
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
        let headers = [token.as_str(), "accept: application/json, text/event-stream"];
        let reply = server.post(path, &headers, &body).await;
        assert_eq!(reply.status, status, "{token} {path}: {reply:?}");
        if status == 401 {
            let document = format!("/.well-known/oauth-protected-resource{path}\"");
            assert!(reply.header("www-authenticate").unwrap().contains(&document), "{reply:?}");
        }
    }
}

#[tokio::test]
async fn each_view_says_which_one_it_is() {
    let server = Server::start().await;
    let hello =
        json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
    for (path, name, title) in [
        ("/mcp", "interlock-all", "Interlock"),
        (WHOLE, "lab-1", "Interlock: lab-1"),
        (READS, "lab-1-readonly", "Interlock: lab-1, reads only"),
        (NOTES, "lab-1-notes", "Interlock: lab-1, notes only"),
    ] {
        let reply = rpc_at(&server, path, ALICE, "initialize", hello.clone()).await;
        let info = &reply["result"]["serverInfo"];
        assert_eq!((&info["name"], &info["title"]), (&json!(name), &json!(title)), "{reply}");
        let document = server.get(&format!("/.well-known/oauth-protected-resource{path}"), &[]).await.json();
        assert_eq!(document["resource_name"], title);
    }
}
