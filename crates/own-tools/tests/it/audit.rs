//! The audit log as tools: everybody's own calls, and what auditors see (T26). Who may call which is policy's answer and
//! tried with the shipped policy elsewhere.

use platform::Json;
use platform_suites::tokens::person;
use serde_json::json;

use crate::{alice, call, road};

fn positions(page: &Json, list: &str, pointer: &str) -> Vec<u64> {
    page[list].as_array().unwrap().iter().map(|r| r.pointer(pointer).unwrap().as_u64().unwrap()).collect()
}

#[tokio::test]
async fn t10_everybody_lists_their_own_calls_and_nobody_elses() {
    let (road, _) = road(true).await;
    let bob = || person("bob", &["helpdesk"]);
    call(&road, alice(), "echo", json!({"message": "canary"})).await.1.unwrap_err();
    call(&road, bob(), "whoami", json!({})).await.1.unwrap();
    call(&road, alice(), "whoami", json!({})).await.1.unwrap();
    let hers = call(&road, alice(), "list_my_calls", json!({})).await.1.unwrap();
    assert_eq!(positions(&hers, "calls", "/position"), [1, 3]);
    assert_eq!(hers["calls"][0]["tool"], "echo");
    assert_eq!((&hers["calls"][0]["outcome"], &hers["calls"][0]["code"]), (&json!("refused"), &json!("denied")));
    assert!(!hers.to_string().contains("canary"));
    let his = call(&road, bob(), "list_my_calls", json!({})).await.1.unwrap();
    assert_eq!(positions(&his, "calls", "/position"), [2]);
    let wrong = call(&road, alice(), "list_my_calls", json!({"from": "yesterday"})).await.1.unwrap_err();
    assert_eq!(wrong.code(), "invalid_arguments");
}

#[tokio::test]
async fn pages_lead_back_to_the_first_record_without_a_gap() {
    let (road, _) = road(true).await;
    for _ in 0..5 {
        call(&road, alice(), "whoami", json!({})).await.1.unwrap();
    }
    let latest = call(&road, alice(), "search_audit", json!({"limit": 2, "tool": "whoami"})).await.1.unwrap();
    assert_eq!(positions(&latest, "records", "/event/sequence"), [4, 5]);
    let before = latest["next_before"].as_u64().unwrap();
    let older =
        call(&road, alice(), "search_audit", json!({"limit": 4, "tool": "whoami", "before": before})).await.1.unwrap();
    assert_eq!(positions(&older, "records", "/event/sequence"), [1, 2, 3]);
    assert_eq!(older["next_before"], Json::Null);
}

#[tokio::test]
async fn t26_a_payload_is_opened_with_a_reason_that_is_on_record_before() {
    let (road, _) = road(true).await;
    call(&road, alice(), "echo", json!({"message": "canary"})).await.1.unwrap_err();
    let auditor = || person("audrey", &["auditors"]);
    let open = |record: u64, reason: &'static str| {
        let arguments = json!({"record": record, "reason": reason});
        async { call(&road, auditor(), "open_audit_payload", arguments).await }
    };
    assert_eq!(open(1, "short").await.1.unwrap_err().code(), "invalid_arguments");
    let (request, opened) = open(1, "Case 4711: what was echoed").await;
    let opened = opened.unwrap();
    assert_eq!(opened["payload"]["input"]["arguments"]["message"], "canary");
    assert_eq!(opened["record"]["event"]["sequence"], 1);

    let found = call(&road, auditor(), "search_audit", json!({"request_id": request})).await.1.unwrap();
    let actions: Vec<_> = found["records"].as_array().unwrap().iter().map(|r| r["event"]["action"].clone()).collect();
    assert_eq!(actions, ["tool.call", "audit.payload_opened", "tool.call"]);
    let said = &found["records"][1]["interlock"];
    assert_eq!((&said["record"], &said["reason"]), (&json!(1), &json!("Case 4711: what was echoed")));
    assert!(!found.to_string().contains("canary"));

    let unknown = open(9_999, "Case 4711: nothing there").await.1.unwrap_err();
    assert_eq!(unknown.code(), "audit_record_unknown");
    let shown = call(&road, auditor(), "get_audit_record", json!({"record": 1})).await.1.unwrap();
    assert_eq!(shown["record"]["interlock"]["tool"], "echo");
}
