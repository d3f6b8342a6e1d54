//! The tools against the simulated instance, through the whole pipeline with the shipped classes of risk.
#![cfg(test)]

use platform::ErrorKind;
use serde_json::json;
use world::Fault;

use crate::lab::{Lab, PASSWORD};

#[tokio::test]
async fn an_incident_is_opened_worked_on_and_resolved() {
    let lab = Lab::start().await;
    let (serial, item) = lab.item().await;
    let opened = lab
        .read(
            "create_incident",
            json!({"short_description": "Uplink flaps", "description": "Since 09:12.\nEvery minute.", "caller": "sam",
                "category": "network", "impact": 2, "urgency": 1, "assignment_group": "Network", "assigned_to": "alice",
                "ci": serial, "work_note": "Seen on the map."}),
        )
        .await;
    assert_eq!((&opened["existed"], &opened["not_stored"]), (&json!(false), &json!([])), "{opened}");
    let incident = &opened["incident"];
    assert_eq!((&incident["ci"]["id"], &incident["priority"]["value"]), (&json!(item), &json!("2")));
    assert_eq!((&incident["caller"]["name"], &incident["state"]["label"]), (&json!("Sam Sommer"), &json!("New")));
    let number = incident["number"].as_str().unwrap().to_owned();
    let update = |arguments: platform::Json| {
        let mut arguments = arguments;
        arguments["incident"] = json!(number);
        lab.call("update_incident", arguments)
    };
    let held = update(json!({"state": "on_hold", "hold_reason": "caller", "comment": "Which port?"})).await.unwrap();
    assert_eq!((&held["incident"]["state"]["value"], &held["not_stored"]), (&json!("3"), &json!([])), "{held}");
    let early = update(json!({"state": "closed"})).await.unwrap_err();
    assert_eq!((early.kind(), early.code()), (ErrorKind::InvalidInput, "ticket_state_refused"));
    let resolved =
        update(json!({"state": "resolved", "close_code": "Solution provided", "close_notes": "New optics."}));
    assert_eq!(resolved.await.unwrap()["incident"]["state"]["value"], "6");
    let whole = lab.read("get_incident", json!({"incident": number})).await;
    let journal = whole["journal"].as_array().unwrap();
    let notes: Vec<&str> = journal.iter().map(|entry| entry["text"].as_str().unwrap()).collect();
    assert_eq!(journal.len(), 4, "{journal:?}");
    assert!(
        notes.iter().any(|note| note.contains("alice by Interlock, call ") && note.ends_with("\nSeen on the map."))
    );
    assert!(notes.contains(&"Which port?"));
}

#[tokio::test]
async fn a_data_policy_is_told_by_the_labels_that_people_see() {
    let lab = Lab::start().await;
    let opened = lab.read("create_incident", json!({"short_description": "x"})).await;
    let id = opened["incident"]["id"].as_str().unwrap();
    // Past the connector's own rules: an empty text is what the instance refuses.
    let arguments = json!({"incident": id, "state": "resolved", "close_code": "", "close_notes": ""});
    let refused = lab.call("update_incident", arguments).await.unwrap_err();
    assert_eq!((refused.kind(), refused.code()), (ErrorKind::InvalidInput, "servicenow_field_required"));
    assert!(refused.message().contains("Resolution code"), "{}", refused.message());
    assert!(lab.rig.open_intents().await.is_empty(), "it was refused, and did not happen");
}

#[tokio::test]
async fn t12_a_repeat_under_the_same_key_is_the_same_incident() {
    let lab = Lab::start().await;
    let arguments = json!({"short_description": "Uplink of sw-3 is down, for the second time"});
    let first = lab.rig.call("create_incident", arguments.clone(), Some("k-1")).await.unwrap();
    let again = lab.rig.call("create_incident", arguments.clone(), Some("k-1")).await.unwrap();
    assert!(again.replayed && again.structured == first.structured);
    let found = lab.read("list_incidents", json!({"text": "for the second time"})).await;
    assert_eq!(found["total"], 1);
    let other = lab.rig.call("create_incident", arguments, Some("k-2")).await.unwrap();
    assert_ne!(other.structured["incident"]["id"], first.structured["incident"]["id"]);
}

#[tokio::test]
async fn t20_a_create_that_was_done_and_not_answered_is_found() {
    let lab = Lab::start().await;
    lab.fault_of("POST", "/table/incident", Fault::ReplyLost, 1);
    let opened = lab.read("create_incident", json!({"short_description": "Done, and not answered"})).await;
    assert!(opened["incident"]["number"].as_str().unwrap().starts_with("INC"));
    assert_eq!(lab.read("list_incidents", json!({"text": "Done, and not answered"})).await["total"], 1);
    assert!(lab.rig.open_intents().await.is_empty());
}

#[tokio::test]
async fn t20_an_update_that_was_done_and_not_answered_is_found_by_its_note() {
    let lab = Lab::start().await;
    let opened = lab.read("create_incident", json!({"short_description": "x"})).await;
    let number = opened["incident"]["number"].clone();
    lab.fault_of("PATCH", "/table/incident", Fault::ReplyLost, 1);
    let updated = lab.read("update_incident", json!({"incident": number, "state": "in_progress"})).await;
    assert_eq!(updated["incident"]["state"]["value"], "2");
    lab.fault_of("PATCH", "/table/incident", Fault::ServerError { status: 500 }, 1);
    let error = lab.call("update_incident", json!({"incident": number, "urgency": 1})).await.unwrap_err();
    assert_eq!(error.code(), "outcome_unknown", "the vendor may still be at it");
    assert_eq!(lab.rig.open_intents().await.len(), 1);
}

#[tokio::test]
async fn a_list_goes_to_its_end_past_rows_that_access_rules_hide() {
    let lab = Lab::start().await;
    let (rows, total) = lab.all("list_incidents", json!({}), 25).await;
    let seen: std::collections::BTreeSet<&str> = rows.iter().map(|row| row["id"].as_str().unwrap()).collect();
    assert_eq!(seen.len(), rows.len(), "no row twice");
    assert!(total as usize > rows.len() && rows.len() > 50, "{total} {}", rows.len());
    let (again, _) = lab.all("list_incidents", json!({}), 7).await;
    assert_eq!(again, rows, "whatever the size of a page");
}

#[tokio::test]
async fn filters_hold_on_the_instance() {
    let lab = Lab::start().await;
    for (arguments, pointer, value) in [
        (json!({"state": "new"}), "/state/value", "1"),
        (json!({"priority": 3}), "/priority/value", "3"),
        (json!({"assignment_group": "Service Desk"}), "/assignment_group/name", "Service Desk"),
        (json!({"assigned_to": "alice"}), "/assigned_to/name", "Alice Adler"),
    ] {
        let page = lab.read("list_incidents", arguments.clone()).await;
        let items = page["items"].as_array().unwrap();
        assert!(!items.is_empty(), "{arguments}");
        assert!(items.iter().all(|item| item.pointer(pointer) == Some(&json!(value))), "{arguments}");
    }
    let planned = lab.read("list_change_requests", json!({"state": "scheduled"})).await;
    let first = planned["items"][0].clone();
    assert_eq!(first["state"]["value"], "-2");
    let around = json!({"starts_before": first["end"], "ends_since": first["start"]});
    let meeting = lab.read("list_change_requests", around).await;
    assert!(meeting["items"].as_array().unwrap().iter().any(|item| item["id"] == first["id"]));
    let people = lab.read("list_users", json!({"manager": "nora", "active": true})).await;
    let names: Vec<_> = people["items"].as_array().unwrap().iter().map(|p| p["user_name"].as_str().unwrap()).collect();
    assert!(names.contains(&"alice") && names.contains(&"hugo"), "{names:?}");
}

#[tokio::test]
async fn t17_a_change_request_is_opened_whole_and_its_time_is_moved_by_its_own_tool() {
    let lab = Lab::start().await;
    let items = lab.items(2).await;
    let opened = lab
        .read(
            "create_change_request",
            json!({"kind": "normal", "short_description": "VLAN 120", "description": "For guests.",
                "implementation_plan": "1. Deploy.", "backout_plan": "1. Remove.", "test_plan": "Ping.",
                "justification": "Asked for.", "start": "2027-03-01T20:00:00Z", "end": "2027-03-01T22:00:00+01:00",
                "cis": [items[0].0, items[1].1], "assignment_group": "Network", "assigned_to": "alice"}),
        )
        .await;
    assert_eq!(opened["not_stored"], json!([]), "{opened}");
    let number = opened["change_request"]["number"].as_str().unwrap().to_owned();
    let whole = lab.read("get_change_request", json!({"change_request": number})).await;
    let mut cis = vec![items[0].1.clone(), items[1].1.clone()];
    cis.sort();
    assert_eq!(whole["cis"], json!(cis));
    let change = &whole["change_request"];
    assert_eq!((&change["start"], &change["end"]), (&json!("2027-03-01T20:00:00Z"), &json!("2027-03-01T21:00:00Z")));
    assert_eq!((&change["state"]["value"], &whole["approvals"]), (&json!("-5"), &json!([])));
    let noted =
        lab.read("update_change_request", json!({"change_request": number, "work_note": "Room is booked."})).await;
    assert_eq!(noted["not_stored"], json!([]));
    let arguments = json!({"change_request": number, "start": "2027-03-02T20:00:00Z", "end": "2027-03-02T21:00:00Z", "reason": "Later."});
    let refused = lab.call("set_change_schedule", arguments.clone()).await.unwrap_err();
    assert_eq!(refused.code(), "step_up_required", "approvals rest on it");
    let moved = lab.past_the_road("set_change_schedule", arguments).await;
    assert_eq!(moved["change_request"]["start"], "2027-03-02T20:00:00Z");
}

#[tokio::test]
async fn a_standard_change_comes_from_its_template() {
    let lab = Lab::start().await;
    let templates = lab.read("list_change_templates", json!({})).await;
    let template = templates["items"][0]["id"].clone();
    let arguments = json!({"kind": "standard", "template": template, "short_description": "VLAN 120 by template"});
    let opened = lab.read("create_change_request", arguments).await;
    assert_eq!(opened["change_request"]["type"], "standard");
    let unknown = json!({"kind": "standard", "template": "0".repeat(32), "short_description": "x"});
    assert_eq!(lab.call("create_change_request", unknown).await.unwrap_err().code(), "target_not_found");
}

#[tokio::test]
async fn t17_an_item_that_is_not_there_once_is_no_item_of_a_change() {
    let lab = Lab::start().await;
    let cmdb = world::cmdb::Cmdb::of(&lab.worlds[0]);
    let flaws = cmdb.flaws.unwrap();
    let serial = |index: usize| lab.worlds[0].devices()[index].members[0].serial.clone();
    for (flaw, code) in
        [(flaws.duplicate, "name_ambiguous"), (flaws.missing, "target_unknown"), (flaws.retired, "target_unknown")]
    {
        let arguments = json!({"kind": "normal", "short_description": "x", "cis": [serial(flaw)]});
        assert_eq!(lab.call("create_change_request", arguments).await.unwrap_err().code(), code);
    }
}

#[tokio::test]
async fn a_sleeping_instance_is_an_error_and_nothing_is_written() {
    let lab = Lab::start().await;
    lab.fault("/api/now", Fault::Hibernating, 100);
    let asleep = lab.call("list_incidents", json!({})).await.unwrap_err();
    assert_eq!((asleep.kind(), asleep.code()), (ErrorKind::Unavailable, "servicenow_hibernating"));
    let refused = lab.call("create_incident", json!({"short_description": "x"})).await.unwrap_err();
    assert_eq!(refused.code(), "servicenow_hibernating", "it was looked up before it was sent");
    assert!(lab.rig.open_intents().await.is_empty());
}

#[tokio::test]
async fn t29_the_credential_stands_in_no_record_and_the_value_of_a_refused_filter_in_no_error() {
    let lab = Lab::start().await;
    let canary = "canary-a-password-in-a-filter";
    let refused = lab.call("list_incidents", json!({"text": format!("{canary}^")})).await.unwrap_err();
    assert!(!format!("{refused:?} {:?}", refused.refusal()).contains(canary));
    assert!(!lab.rig.kept().contains(PASSWORD));
}

#[tokio::test]
async fn a_new_password_is_used_from_its_version_on() {
    let lab = Lab::start().await;
    lab.read("list_users", json!({})).await;
    lab.rig.put_credential(crate::lab::credential("wrong")).await;
    assert_eq!(lab.call("list_users", json!({})).await.unwrap_err().code(), "target_rejected_credential");
    lab.rig.put_credential(crate::lab::credential(PASSWORD)).await;
    lab.read("list_users", json!({})).await;
}

#[tokio::test]
async fn an_oauth_session_that_ended_is_renewed_and_the_write_is_made_once() {
    let lab = Lab::start().await;
    let application = |id: &str| [("client_id".to_owned(), id.into()), ("client_secret".to_owned(), PASSWORD.into())];
    lab.rig.put_credential(application("svc-interlock").into()).await;
    lab.read("list_users", json!({})).await;
    lab.fault_of("POST", "/table/incident", Fault::ExpiredToken, 1);
    lab.read("create_incident", json!({"short_description": "After the token ended"})).await;
    assert_eq!(lab.read("list_incidents", json!({"text": "After the token ended"})).await["total"], 1);
    lab.rig.put_credential(application("nobody").into()).await;
    assert_eq!(lab.call("list_users", json!({})).await.unwrap_err().code(), "target_rejected_credential");
}

#[tokio::test]
async fn nobody_at_home_is_unreachable_and_nothing_happened() {
    let Lab { rig, running, .. } = Lab::start().await;
    running.shutdown().await;
    let error = rig.call("create_incident", json!({"short_description": "x"}), None).await.unwrap_err();
    assert_eq!(error.code(), "target_unreachable");
    assert!(rig.open_intents().await.is_empty());
}
