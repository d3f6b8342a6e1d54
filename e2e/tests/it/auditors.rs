//! Auditors from outside (T26): they find what anybody did and open what is sealed beside it, with a reason and a second
//! factor; they change nothing, and nobody else reads the audit.

use std::sync::Arc;

use platform::Json;
use serde_json::json;

use crate::caller::{CENTER, Caller, OWN};
use crate::lab::Lab;

#[tokio::test]
async fn t26_an_auditor_opens_a_payload_with_a_reason_and_a_second_factor_at_both_doors() {
    let caller = Caller::new(Arc::new(Lab::start()));
    let (alice, audrey) = (caller.lab.token("alice").await, caller.lab.token("audrey").await);
    let device = caller.switches(&alice, CENTER).await.remove(0);
    let read = caller.rest(&alice, CENTER, "get_device", &json!({"device_id": device})).await;
    read.result();

    let found = caller.mcp(&audrey, OWN, "search_audit", &json!({"person": "alice", "tool": "get_device"})).await;
    let records = found.result()["records"].as_array().unwrap().clone();
    let record = records.iter().find(|r| r["http"]["request"]["id"] == read.request_id().as_str()).unwrap();
    assert!(!found.result().to_string().contains("device_id"), "arguments stand in no record");
    let position = record["event"]["sequence"].as_u64().unwrap();
    let shown = caller.rest(&audrey, OWN, "get_audit_record", &json!({"record": position})).await;
    assert_eq!((&shown.result()["record"], &shown.result()["has_payload"]), (record, &json!(true)));

    let open = json!({"record": position, "reason": "Case 4711: which device was read"});
    for (door, number) in [("rest", 0), ("mcp", 1)] {
        let call = async || match door {
            "rest" => caller.rest(&audrey, OWN, "open_audit_payload", &open).await,
            _ => caller.mcp(&audrey, OWN, "open_audit_payload", &open).await,
        };
        let refused = call().await;
        assert_eq!(refused.code(), Some("step_up_required"), "{door}, once per payload: {refused:?}");
        caller.lab.pass_second_factor(refused.link(), "audrey").await.unwrap();
        let opened = call().await;
        let payload = &opened.result()["payload"];
        assert_eq!(payload["input"]["arguments"]["device_id"], json!(device), "{door}");
        assert_eq!(payload["input"]["principal"]["subject"], record["user"]["id"], "{door}");
        assert_eq!(payload["decision"]["effect"], "allow", "{door}");
        assert_eq!(payload["revision"], record["interlock"]["decision"]["revision"], "{door}");

        let told = caller.lab.records_of(&opened.request_id());
        let actions: Vec<_> =
            told.iter().map(|r| (r["event"]["action"].clone(), r["interlock"]["phase"].clone())).collect();
        let call = |phase: &str| (json!("tool.call"), json!(phase));
        assert_eq!(
            actions,
            [call("intent"), (json!("audit.payload_opened"), json!("event")), call("outcome")],
            "{door}"
        );
        assert_eq!(told[1]["interlock"]["reason"], open["reason"], "{door}");
        assert_eq!(told[1]["interlock"]["record"], json!(position), "{door}");
        let events = caller.rest(&audrey, OWN, "search_audit", &json!({"person": "audrey", "limit": 200})).await;
        let openings = events.result()["records"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|r| r["event"]["action"] == "audit.payload_opened")
            .count();
        assert_eq!(openings, number + 1, "an opening is itself found");
    }
    let (verified, said) = caller.lab.verify();
    assert!(verified, "{said}");
}

#[tokio::test]
async fn t26_nobody_else_reads_the_audit_and_an_auditor_acts_nowhere() {
    let caller = Caller::shared();
    let audrey = caller.lab.token("audrey").await;
    for name in ["ada", "alice", "sam", "dora", "vic"] {
        let token = caller.lab.token(name).await;
        for (tool, arguments) in [
            ("search_audit", json!({})),
            ("get_audit_record", json!({"record": 1})),
            ("open_audit_payload", json!({"record": 1, "reason": "curiosity of an admin"})),
        ] {
            let refused = caller.rest(&token, OWN, tool, &arguments).await;
            assert_eq!((refused.status, refused.code()), (404, Some("tool_unknown")), "{name} {tool}");
        }
        let own = caller.rest(&token, OWN, "list_my_calls", &json!({"limit": 5})).await;
        let calls = own.result()["calls"].as_array().unwrap();
        assert!(calls.iter().any(|c| c["tool"] == "search_audit" && c["code"] == "tool_unknown"), "{name}: {calls:?}");
    }
    assert!(caller.tools(&audrey, CENTER).await.is_empty(), "an auditor has no tool of a controller");
    let all: Vec<Json> = caller.lab.audit();
    assert!(!all.is_empty());
}

#[tokio::test]
async fn t26_the_command_line_asks_for_the_second_factor_like_every_client() {
    let caller = Caller::new(Arc::new(Lab::start()));
    let alice = caller.lab.token("alice").await;
    let read = caller.rest(&alice, OWN, "echo", &json!({"message": "hello"})).await;
    let position = caller.lab.records_of(&read.request_id())[0]["event"]["sequence"].to_string();
    let open = ["audit", "open", &position, "--reason", "Case 4711: the greeting", "--user", "audrey", "--json"];
    let refused = caller.lab.run(&open);
    let said = String::from_utf8_lossy(&[refused.stdout, refused.stderr].concat()).into_owned();
    assert!(!refused.status.success() && said.contains("step_up_required"), "{said}");
    let link = said.split('"').find(|text| text.contains("/elevate/")).unwrap_or_else(|| panic!("no link: {said}"));
    caller.lab.pass_second_factor(link, "audrey").await.unwrap();
    let opened = caller.lab.run(&open);
    let said = String::from_utf8_lossy(&[opened.stdout, opened.stderr].concat()).into_owned();
    let opened: Json = serde_json::from_str(&said).unwrap_or_else(|e| panic!("{e}: {said}"));
    assert_eq!(opened["payload"]["input"]["arguments"]["message"], "hello");
}
