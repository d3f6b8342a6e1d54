//! How queries and pages go out, and what is believed of what comes back.
#![cfg(test)]

use platform::ErrorKind;
use serde_json::json;

use crate::recorded::{Recorded, Reply, id, row};

#[tokio::test]
async fn filters_become_an_encoded_query_and_rows_come_normalised() {
    let mut found =
        row(&[("sys_id", &id('a')), ("number", "INC0010001"), ("short_description", "Link down"), ("active", "true")]);
    found["state"] = json!({"display_value": "In Progress", "value": "2"});
    found["opened_at"] = json!({"display_value": "2026-11-22 07:00:00", "value": "2026-11-22 06:00:00"});
    found["assignment_group.name"] = json!({"display_value": "Network", "value": "Network"});
    let lab = Recorded::with([Reply::rows(json!([found]), 1)]).await;
    let arguments = json!({"state": "in_progress", "active": true, "assignment_group": "Network", "text": "link",
        "opened_since": "2026-11-22T07:00:00+02:00"});
    let page = lab.ask("list_incidents", arguments).await.unwrap();
    let item = &page["items"][0];
    assert_eq!((&item["number"], &item["opened_at"]), (&json!("INC0010001"), &json!("2026-11-22T06:00:00Z")));
    assert_eq!(item["state"], json!({"value": "2", "label": "In Progress"}));
    let asked = &lab.asked()[0];
    assert_eq!(asked.path, "/api/now/table/incident");
    assert_eq!(
        asked.query["sysparm_query"],
        "state=2^active=true^assignment_group.name=Network^short_descriptionLIKElink^opened_at>=2026-11-22 05:00:00\
         ^ORDERBYDESCopened_at^ORDERBYsys_id"
    );
    assert_eq!(asked.query["sysparm_display_value"], "all");
    assert!(asked.query["sysparm_fields"].contains("assignment_group.name"), "what is filtered by is checked");
}

#[tokio::test]
async fn a_value_that_would_widen_the_query_is_refused_and_nothing_is_asked() {
    let lab = Recorded::with([]).await;
    for value in ["x^ORactive=true", "a\nb", "javascript:gs.getUser()", "NULL"] {
        for (tool, argument) in [
            ("list_incidents", "text"),
            ("list_incidents", "assigned_to"),
            ("list_change_requests", "serial"),
            ("list_configuration_items", "class"),
            ("list_users", "name"),
        ] {
            let error = lab.ask(tool, json!({argument: value})).await.unwrap_err();
            assert_eq!(
                (error.kind(), error.code()),
                (ErrorKind::InvalidInput, "query_value_invalid"),
                "{tool} {value:?}"
            );
        }
    }
    assert!(lab.asked().is_empty());
}

#[tokio::test]
async fn an_ignored_filter_is_an_error_and_not_an_answer() {
    let other = row(&[("sys_id", &id('a')), ("serial_number", "OTHER"), ("install_status", "1")]);
    let lab = Recorded::with([Reply::rows(json!([other]), 9_000)]).await;
    let error = lab.ask("list_configuration_items", json!({"serial": "FCW2225C020"})).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Upstream, "servicenow_query_ignored"));
}

#[tokio::test]
async fn a_page_that_access_rules_made_short_is_not_the_last_one() {
    let user = |letter| row(&[("sys_id", &id(letter)), ("user_name", "ada")]);
    let lab = Recorded::with([
        Reply::rows(json!([user('a')]), 5),
        Reply::rows(json!([]), 5),
        Reply::rows(json!([user('b')]), 5),
    ])
    .await;
    let mut cursor = None;
    let mut seen = Vec::new();
    for _ in 0..3 {
        let mut arguments = json!({"limit": 2});
        if let Some(cursor) = cursor.take() {
            arguments["cursor"] = cursor;
        }
        let page = lab.ask("list_users", arguments).await.unwrap();
        seen.extend(page["items"].as_array().unwrap().iter().map(|item| item["id"].clone()));
        cursor = Some(page["next_cursor"].clone());
    }
    assert_eq!((seen, cursor), (vec![json!(id('a')), json!(id('b'))], Some(json!(null))));
    let offsets: Vec<_> = lab.asked().iter().map(|a| a.query["sysparm_offset"].clone()).collect();
    assert_eq!(offsets, ["0", "2", "4"]);
}

#[tokio::test]
async fn a_sleeping_instance_is_told_from_a_broken_one() {
    let lab = Recorded::with([Reply::page(200), Reply::page(500), Reply::json(200, json!({"no": "result"}))]).await;
    for (kind, code) in [
        (ErrorKind::Unavailable, "servicenow_hibernating"),
        (ErrorKind::Upstream, "target_failed"),
        (ErrorKind::Upstream, "target_garbled"),
    ] {
        let error = lab.ask("list_users", json!({})).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (kind, code));
    }
}

#[tokio::test]
async fn t17_a_serial_number_of_none_or_of_several_items_is_no_target() {
    let item = |letter| row(&[("sys_id", &id(letter)), ("serial_number", "FCW1"), ("install_status", "1")]);
    let lab = Recorded::with([
        Reply::rows(json!([]), 0),
        Reply::rows(json!([item('a'), item('b')]), 2),
        Reply::rows(json!([item('a')]), 1),
    ])
    .await;
    let look_up = || async { lab.connector.look_up(&lab.cx(), "configuration_item", "FCW1").await };
    assert_eq!(look_up().await.unwrap_err().code(), "target_unknown");
    assert_eq!(look_up().await.unwrap_err().code(), "name_ambiguous");
    let facts = look_up().await.unwrap();
    assert_eq!((facts.ci, facts.serials), (Some(id('a')), vec!["FCW1".to_owned()]));
    assert!(lab.asked()[0].query["sysparm_query"].contains("install_statusNOT IN7,8,100"), "retired ones do not count");
    let strange = lab.connector.look_up(&lab.cx(), "incident", "INC1^ORDERBYnumber").await.unwrap_err();
    assert_eq!(strange.code(), "target_unknown");
}

#[tokio::test]
async fn an_incident_comes_with_its_journal_and_without_it_where_the_account_may_not_read_it() {
    let incident = || Reply::rows(json!([row(&[("sys_id", &id('a')), ("number", "INC0010001")])]), 1);
    let note = row(&[
        ("element_id", &id('a')),
        ("element", "work_notes"),
        ("value", "Cable replaced."),
        ("sys_created_by", "alice"),
    ]);
    let lab = Recorded::with([
        incident(),
        Reply::rows(json!([note]), 1),
        incident(),
        Reply::refused(403, "Insufficient rights to query records", ""),
    ])
    .await;
    let whole = lab.ask("get_incident", json!({"incident": "INC0010001"})).await.unwrap();
    assert_eq!(whole["journal"][0]["text"], "Cable replaced.");
    let without = lab.ask("get_incident", json!({"incident": "INC0010001"})).await.unwrap();
    assert_eq!((&without["journal"], &without["incident"]["number"]), (&json!(null), &json!("INC0010001")));
}
