//! The aggregate `/mcp`: at most 40 names for everything, and every call of a tool authorised, counted and on record as
//! that tool (T1).

use platform::audit::Outcome;
use serde_json::json;
use tool_runtime::pipeline::Limits;

use crate::fixture::{ALICE, Server};
use crate::mcp_door::{call_at, names_at, rpc_at};

const ALL: &str = "/mcp";

async fn with(instances: usize) -> Server {
    Server::with_instances(instances, |_| {}, Limits::default()).await
}

#[tokio::test]
async fn what_fits_is_listed_with_its_servers_name_and_what_does_not_is_behind_two_doors() {
    let doors = ["call_read_tool", "call_write_tool"];
    let two = names_at(&with(2).await, ALL).await;
    assert_eq!(two.len(), 16);
    assert_eq!(two[..3], ["call_read_tool", "call_write_tool", "lab_1__add_note"]);
    assert!(two.contains(&"lab_2__read_thing".to_owned()) && !two.iter().any(|n| n.contains("hidden")));
    // Five servers with seven visible tools each make 37 names with the doors, six make 44.
    assert_eq!(names_at(&with(5).await, ALL).await.len(), 37);
    assert_eq!(names_at(&with(6).await, ALL).await, doors);
}

#[tokio::test]
async fn t1_a_tool_is_on_record_as_itself_however_it_was_reached() {
    let server = with(7).await;
    let said = json!({"said": {"text": "a"}});
    // By its prefixed name although it is not listed, and through the door.
    let direct = call_at(&server, ALL, "lab_3__read_thing", json!({"text": "a"})).await;
    let asked = json!({"tool": "lab_3__read_thing", "arguments": {"text": "a"}});
    let door = call_at(&server, ALL, "call_read_tool", asked).await;
    for reply in [direct, door] {
        assert_eq!(reply["result"]["structuredContent"], said, "{reply}");
        let record = server.audit.entries().pop().unwrap();
        let tool = record.tool.unwrap();
        assert_eq!(
            (tool.server.as_str(), tool.tool.as_str(), record.outcome),
            ("lab-3", "read_thing", Outcome::Success)
        );
    }
    assert_eq!(server.audit.entries().len(), 2, "the door is no call of its own");
}

#[tokio::test]
async fn t6_each_door_refuses_what_belongs_to_the_other_and_names_it() {
    let server = with(1).await;
    for (door, tool, other) in [
        ("call_read_tool", "lab_1__add_note", "call_write_tool"),
        ("call_write_tool", "lab_1__read_thing", "call_read_tool"),
    ] {
        let asked = json!({"tool": tool, "arguments": {"text": "a"}});
        let reply = call_at(&server, ALL, door, asked.clone()).await;
        let refusal = &reply["result"]["structuredContent"];
        assert_eq!(
            (&reply["result"]["isError"], &refusal["code"]),
            (&json!(true), &json!("wrong_call_tool")),
            "{reply}"
        );
        assert_eq!(refusal["next"], json!({"tool": other, "arguments": asked}));
        let record = server.audit.entries().pop().unwrap();
        assert_eq!((record.outcome, record.code.as_deref()), (Outcome::Refused, Some("wrong_call_tool")));
        assert_eq!(record.tool.unwrap().server, "lab-1");
        let reply = call_at(&server, ALL, other, asked).await;
        assert_eq!(reply["result"]["isError"], false, "{reply}");
    }
}

#[tokio::test]
async fn t10_a_tool_that_is_hidden_or_does_not_exist_is_unknown_by_every_way() {
    let server = with(1).await;
    for tool in
        ["lab_1__hidden_write", "lab_1__nonesuch", "nonesuch", "lab-1__read_thing", "read_thing", "call_read_tool"]
    {
        for door in ["call_read_tool", "call_write_tool"] {
            let reply = call_at(&server, ALL, door, json!({ "tool": tool })).await;
            let refusal = &reply["result"]["structuredContent"];
            assert_eq!((&refusal["code"], &refusal["next"]["tool"]), (&json!("tool_unknown"), &json!("search_tools")));
        }
        if tool != "call_read_tool" {
            let reply = call_at(&server, ALL, tool, json!({})).await;
            assert_eq!(reply["error"]["data"]["code"], "unknown_tool", "{tool}: {reply}");
        }
        let record = server.audit.entries().pop().unwrap();
        assert_eq!((record.outcome, record.code.as_deref()), (Outcome::Refused, Some("tool_unknown")), "{tool}");
    }
}

#[tokio::test]
async fn t12_references_pass_through_the_write_door() {
    let server = with(1).await;
    let note = |key: &str, text: &str| json!({"tool": "lab_1__add_note", "arguments": {"text": text}, "_interlock": {"idempotency_key": key}});
    let first = call_at(&server, ALL, "call_write_tool", note("k", "a")).await;
    assert_eq!(first["result"]["structuredContent"], json!({"said": {"text": "a"}}), "{first}");
    let again = call_at(&server, ALL, "call_write_tool", note("k", "a")).await;
    assert_eq!(again["result"]["structuredContent"], first["result"]["structuredContent"]);
    let replayed = server.audit.entries().pop().unwrap();
    assert_eq!(replayed.facts["replayed"], true);
    // The same key at the tool itself: it is the same call.
    let inner = json!({"text": "b", "_interlock": {"idempotency_key": "k"}});
    let conflict = call_at(&server, ALL, "lab_1__add_note", inner).await;
    assert_eq!(conflict["result"]["structuredContent"]["code"], "idempotency_conflict");
    let both = json!({"name": "call_write_tool", "arguments": note("k", "a"),
        "_meta": {"dev.interlock/call": {"idempotency_key": "other"}}});
    let reply = rpc_at(&server, ALL, ALICE, "tools/call", both).await;
    assert_eq!(reply["error"]["data"]["code"], "reference_conflict", "{reply}");
}

#[tokio::test]
async fn a_door_that_was_given_no_tool_says_so_and_the_call_is_on_record() {
    let server = with(1).await;
    for arguments in [json!({}), json!({"tool": ""}), json!({"tool": "lab_1__read_thing", "text": "a"})] {
        let reply = call_at(&server, ALL, "call_read_tool", arguments).await;
        assert_eq!(reply["result"]["structuredContent"]["code"], "invalid_arguments", "{reply}");
        let record = server.audit.entries().pop().unwrap();
        assert_eq!((record.outcome, record.code.as_deref()), (Outcome::Refused, Some("invalid_arguments")));
    }
}

#[tokio::test]
async fn t22_work_that_goes_on_names_the_next_call_as_it_is_called_here() {
    let few = with(1).await;
    let arguments = json!({"text": "a b&c", "count": 3});
    for (path, tool, next) in [
        ("/mcp/lab-1", "start_thing", json!({"tool": "read_thing", "arguments": arguments})),
        (ALL, "lab_1__start_thing", json!({"tool": "lab_1__read_thing", "arguments": arguments})),
    ] {
        let reply = call_at(&few, path, tool, json!({})).await;
        assert_eq!(reply["result"]["structuredContent"]["next"], next, "{reply}");
        let text = reply["result"]["content"][0]["text"].as_str().unwrap();
        assert!(text.starts_with(&format!("The work goes on. Next: call {} with ", next["tool"].as_str().unwrap())));
    }
    let many = with(7).await;
    let reply = call_at(&many, ALL, "lab_1__start_thing", json!({})).await;
    let inner = json!({"tool": "lab_1__read_thing", "arguments": arguments});
    assert_eq!(reply["result"]["structuredContent"]["next"], json!({"tool": "call_read_tool", "arguments": inner}));
    // Where the view does not reach the follow-up, it is not offered.
    let reply = call_at(&few, "/mcp/lab-1/x/starting", "start_thing", json!({})).await;
    assert_eq!(reply["result"]["structuredContent"].get("next"), None);
}
