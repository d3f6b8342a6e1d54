//! Writes: happen once, are found again, say who did them, and tell what was not stored.
#![cfg(test)]

use http::Method;
use platform::{ErrorKind, Json};
use serde_json::json;

use crate::recorded::{Asked, Recorded, Reply, id, row};

fn nothing() -> Reply {
    Reply::rows(json!([]), 0)
}

fn body(asked: &Asked) -> Json {
    serde_json::from_str(&asked.body).unwrap()
}

#[tokio::test]
async fn t29_a_create_carries_its_key_and_a_note_that_names_person_and_call() {
    let made =
        row(&[("sys_id", &id('a')), ("number", "INC0010001"), ("short_description", "Link down"), ("impact", "2")]);
    let lab = Recorded::with([nothing(), Reply::json(201, json!({"result": made}))]).await;
    let cx = lab.cx();
    let call = cx.call.request_id.to_string();
    let arguments = json!({"short_description": "Link down", "impact": 2, "work_note": "[code]<b>x</b>[/code]"});
    let written = lab.call(cx, "create_incident", arguments).await.unwrap();
    assert_eq!((&written["existed"], &written["not_stored"]), (&json!(false), &json!([])));
    let asked = lab.asked();
    assert_eq!(asked[0].query["sysparm_query"], format!("correlation_id={call}^ORDERBYsys_id"));
    let sent = body(&asked[1]);
    assert_eq!((&asked[1].method, &sent["correlation_id"]), (&Method::POST, &json!(call)));
    let note = sent["work_notes"].as_str().unwrap();
    assert!(note.starts_with(&format!("sam by Interlock, call {call}\n")), "{note}");
    assert!(!note.contains("[code]"), "nothing becomes HTML in the reader's browser");
}

#[tokio::test]
async fn t20_a_repeat_finds_what_the_first_attempt_made() {
    let there = |key: &str| row(&[("sys_id", &id('a')), ("number", "INC0010001"), ("correlation_id", key)]);
    let lab = Recorded::with([nothing()]).await;
    let lost =
        lab.call(lab.cx_with(1, &BASIC, Some("k-1")), "create_incident", json!({"short_description": "x"})).await;
    assert_eq!(lost.unwrap_err().code(), "target_failed", "the tape ends here");
    let key = lab.asked()[0].query["sysparm_query"].split(['=', '^']).nth(1).unwrap().to_owned();
    lab.then([Reply::rows(json!([there(&key)]), 1)]);
    let again =
        lab.call(lab.cx_with(1, &BASIC, Some("k-1")), "create_incident", json!({"short_description": "x"})).await;
    let again = again.unwrap();
    assert_eq!((&again["existed"], &again["incident"]["number"]), (&json!(true), &json!("INC0010001")));
    let posts = lab.asked().iter().filter(|a| a.method == Method::POST).count();
    assert_eq!(posts, 1, "sent once");
    let other =
        lab.call(lab.cx_with(1, &BASIC, Some("k-2")), "create_incident", json!({"short_description": "x"})).await;
    assert!(other.is_err() && !lab.asked().last().unwrap().query.values().any(|v| v.contains(&key)));
}

const BASIC: [(&str, &str); 2] = [("username", "svc-interlock"), ("password", "correct-horse")];

#[tokio::test]
async fn t20_a_create_whose_reply_is_lost_is_looked_up_and_never_sent_again() {
    for (reply, there) in
        [(Reply::lost(), true), (Reply::lost(), false), (Reply::page(200), true), (Reply::page(502), false)]
    {
        let lab = Recorded::with([nothing(), reply]).await;
        let cx = lab.cx();
        let key = cx.call.request_id.to_string();
        let made = row(&[
            ("sys_id", &id('a')),
            ("number", "INC0010001"),
            ("correlation_id", &key),
            ("short_description", "x"),
        ]);
        lab.then([if there { Reply::rows(json!([made]), 1) } else { nothing() }]);
        let result = lab.call(cx, "create_incident", json!({"short_description": "x"})).await;
        match there {
            true => assert_eq!(result.unwrap()["incident"]["number"], "INC0010001"),
            false => assert!(matches!(result.unwrap_err().kind(), ErrorKind::Timeout | ErrorKind::Upstream)),
        }
        assert_eq!(lab.asked().iter().filter(|a| a.method == Method::POST).count(), 1);
    }
}

#[tokio::test]
async fn t20_an_update_whose_reply_is_lost_is_told_by_its_note() {
    let incident = || row(&[("sys_id", &id('a')), ("number", "INC0010001"), ("state", "2")]);
    for there in [true, false] {
        let lab = Recorded::with([Reply::rows(json!([incident()]), 1), Reply::lost()]).await;
        let cx = lab.cx();
        let note = row(&[
            ("sys_id", &id('b')),
            ("element_id", &id('a')),
            ("value", &format!("sam, call {}", cx.call.request_id)),
        ]);
        lab.then([if there { Reply::rows(json!([note]), 1) } else { nothing() }]);
        lab.then([Reply::json(200, json!({"result": incident()}))]);
        let result = lab.call(cx, "update_incident", json!({"incident": "INC0010001", "work_note": "Seen."})).await;
        assert_eq!(result.is_ok(), there);
        assert_eq!(lab.asked().iter().filter(|a| a.method == Method::PATCH).count(), 1);
    }
}

#[tokio::test]
async fn what_the_vendor_drops_without_a_word_is_named() {
    let before = row(&[("sys_id", &id('a')), ("number", "INC0010001"), ("state", "1")]);
    let after = row(&[("sys_id", &id('a')), ("number", "INC0010001"), ("state", "1"), ("urgency", "1")]);
    let lab = Recorded::with([Reply::rows(json!([before]), 1), Reply::json(200, json!({"result": after}))]).await;
    let arguments = json!({"incident": "INC0010001", "state": "in_progress", "urgency": 1});
    let written = lab.ask("update_incident", arguments).await.unwrap();
    assert_eq!(written["not_stored"], json!(["state"]));
}

#[tokio::test]
async fn a_person_that_the_vendor_does_not_know_is_refused_before_anything_is_stored() {
    let incident = row(&[("sys_id", &id('a')), ("number", "INC0010001"), ("state", "1")]);
    let lab = Recorded::with([Reply::rows(json!([incident]), 1), nothing()]).await;
    let arguments = json!({"incident": "INC0010001", "assigned_to": "nobody"});
    assert_eq!(lab.ask("update_incident", arguments).await.unwrap_err().code(), "target_unknown");
    assert!(lab.asked().iter().all(|a| a.method == Method::GET));
}

#[tokio::test]
async fn an_update_without_anything_to_store_is_refused() {
    let found = row(&[("sys_id", &id('a')), ("number", "INC0010001"), ("state", "1")]);
    let lab = Recorded::with([Reply::rows(json!([found]), 1)]).await;
    let error = lab.ask("update_incident", json!({"incident": "INC0010001"})).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::InvalidInput, "nothing_to_store"));
}

#[tokio::test]
async fn t17_an_update_of_a_change_request_writes_nothing_that_approvals_rest_on() {
    let found = row(&[("sys_id", &id('a')), ("number", "CHG0030001")]);
    let lab = Recorded::with([Reply::rows(json!([found]), 1), Reply::json(200, json!({"result": found}))]).await;
    lab.ask("update_change_request", json!({"change_request": "CHG0030001", "work_note": "Seen."})).await.unwrap();
    let sent = body(lab.asked().last().unwrap());
    assert_eq!(sent.as_object().unwrap().keys().collect::<Vec<_>>(), ["work_notes"]);
    let tools = lab.connector.tools();
    let update = tools.iter().find(|t| t.spec().name == "update_change_request").unwrap();
    let arguments: Vec<_> = update.spec().input["properties"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(arguments, ["assigned_to", "assignment_group", "change_request", "comment", "work_note"]);
}

#[tokio::test]
async fn t17_no_tool_names_a_way_to_approve() {
    let lab = Recorded::with([]).await;
    for tool in lab.connector.tools() {
        let spec = tool.spec();
        let names = spec.input["properties"].as_object().unwrap();
        assert!(!spec.name.contains("approv") && !names.keys().any(|n| n.contains("approv")), "{}", spec.name);
    }
}

#[tokio::test]
async fn a_window_that_ends_before_it_begins_is_refused() {
    let lab = Recorded::with([]).await;
    let arguments = json!({"kind": "normal", "short_description": "x", "start": "2026-12-01T23:00:00Z", "end": "2026-12-01T22:00:00Z"});
    assert_eq!(lab.ask("create_change_request", arguments).await.unwrap_err().code(), "change_window_invalid");
    let standard = json!({"kind": "standard", "short_description": "x"});
    assert_eq!(lab.ask("create_change_request", standard).await.unwrap_err().code(), "change_template_missing");
    assert!(lab.asked().is_empty());
}
