//! The Change Management API: states, approvals, items, conflicts, standard templates.

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Lab, detail};

const PATH: &str = "/api/sn_chg_rest/change";

async fn state(lab: &Lab, id: &Value) -> (String, String) {
    let row = &lab.rows("change_request", &format!("sys_id={}", id.as_str().unwrap())).await[0];
    (row["state"].as_str().unwrap().to_owned(), row["approval"].as_str().unwrap().to_owned())
}

/// Brings a change to Authorize.
async fn asked(lab: &Lab, kind: &str) -> Value {
    let id = lab.change(kind).await;
    let states: &[&str] = if kind == "emergency" { &["-3"] } else { &["-4", "-3"] };
    for state in states {
        let (status, body) = lab.patch("interlock", "change_request", &id, json!({ "state": state })).await;
        assert_eq!(status, 200, "{body}");
    }
    id
}

#[tokio::test]
async fn a_create_answers_200_with_typed_pairs() {
    let lab = Lab::start().await;
    let body = json!({ "short_description": "Add VLAN 12", "start_date": "2026-12-01 20:00:00", "state": "3" });
    let (status, answer) = lab.call("interlock", Method::POST, &format!("{PATH}/normal"), Some(body)).await;
    assert_eq!(status, 200, "{answer}");
    let row = &answer["result"];
    assert_eq!(row["state"], json!({ "display_value": "New", "value": -5.0 }));
    assert_eq!(row["active"], json!({ "display_value": "true", "value": true }));
    let date = "2026-12-01 20:00:00";
    assert_eq!(row["start_date"], json!({ "display_value": date, "value": date, "display_value_internal": date }));
    assert_eq!((&row["type"]["value"], &row["risk"]["value"]), (&json!("normal"), &json!(3.0)));
    assert!(row["number"]["value"].as_str().unwrap().starts_with("CHG"));
    let id = row["sys_id"]["value"].as_str().unwrap();
    let one = lab.get(&format!("/api/sn_chg_rest/v1/change/normal/{id}")).await;
    assert_eq!(one["number"], row["number"]);
    let listed = lab.get(&format!("{PATH}?sysparm_query=sys_id={id}")).await;
    assert_eq!(listed.as_array().unwrap().len(), 1);
    let backwards = json!({ "end_date": "2026-12-01 19:00:00" });
    let (status, body) = lab.call("interlock", Method::PATCH, &format!("{PATH}/{id}"), Some(backwards)).await;
    assert_eq!(status, 403);
    assert!(detail(&body).contains("Planned end must be after planned start"));
}

#[tokio::test]
async fn approvals_move_a_normal_change_and_nobody_else_does() {
    let lab = Lab::start().await;
    let id = lab.change("normal").await;
    let (status, body) = lab.patch("interlock", "change_request", &id, json!({ "state": "-2" })).await;
    assert_eq!(status, 403);
    assert!(detail(&body).contains("Change Model: Check State Transition"), "{body}");
    let id = asked(&lab, "normal").await;
    assert_eq!(state(&lab, &id).await, ("-3".to_owned(), "requested".to_owned()));
    let (_, body) =
        lab.patch("interlock", "change_request", &id, json!({ "state": "-2", "approval": "approved" })).await;
    assert!(detail(&body).contains("Approvals move the change"), "{body}");
    let next = lab.get(&format!("{PATH}/{}/nextstates", id.as_str().unwrap())).await;
    assert_eq!(next["available_states"], json!(["-3", "4"]));
    assert_eq!(next["state_label"], json!({ "-3": "Authorize", "4": "Canceled" }));
    assert_eq!(next["state_transitions"][0][0]["automatic_transition"], true);
    assert_eq!(next["state_transitions"][0][0]["conditions"][1]["passed"], false);
    let rows = lab.rows("sysapproval_approver", &format!("sysapproval={}", id.as_str().unwrap())).await;
    let names =
        lab.rows("sysapproval_approver", &format!("sysapproval={}^approver.user_name=ada", id.as_str().unwrap())).await;
    assert!(rows.len() >= 3 && names.len() == 1 && rows.iter().all(|row| row["state"] == "requested"));
    let ada = &names[0]["sys_id"];
    assert_eq!(lab.patch("interlock", "sysapproval_approver", ada, json!({ "state": "approved" })).await.0, 403);
    assert_eq!(lab.patch("bob", "sysapproval_approver", ada, json!({ "state": "approved" })).await.0, 403);
    assert_eq!(state(&lab, &id).await.0, "-3");
    let (status, row) = lab.patch("ada", "sysapproval_approver", ada, json!({ "state": "approved" })).await;
    assert_eq!((status, &row["result"]["sys_updated_by"]), (200, &json!("ada")));
    assert_eq!(state(&lab, &id).await, ("-2".to_owned(), "approved".to_owned()));
    let others =
        lab.rows("sysapproval_approver", &format!("sysapproval={}^state=not_required", id.as_str().unwrap())).await;
    assert_eq!(others.len(), rows.len() - 1);
    assert_eq!(lab.rows("change_task", &format!("change_request={}^state=-5", id.as_str().unwrap())).await.len(), 2);
}

#[tokio::test]
async fn a_rejection_goes_back_to_new_and_a_second_round_asks_again() {
    let lab = Lab::start().await;
    let id = asked(&lab, "normal").await;
    lab.instance.decide(id.as_str().unwrap(), "bob", "rejected").unwrap();
    assert_eq!(state(&lab, &id).await, ("-5".to_owned(), "rejected".to_owned()));
    for to in ["-4", "-3"] {
        assert_eq!(lab.patch("interlock", "change_request", &id, json!({ "state": to })).await.0, 200);
    }
    assert_eq!(state(&lab, &id).await, ("-3".to_owned(), "requested".to_owned()));
    let path = format!("{PATH}/{}/approvals", id.as_str().unwrap());
    assert_eq!(lab.call("alice", Method::PATCH, &path, Some(json!({ "state": "approved" }))).await.0, 400, "not asked");
    assert_eq!(lab.call("carl", Method::PATCH, &path, Some(json!({ "state": "approved" }))).await.0, 200);
    assert_eq!(state(&lab, &id).await, ("-2".to_owned(), "approved".to_owned()));
    assert!(lab.instance.decide(id.as_str().unwrap(), "ada", "approved").is_err(), "nothing is open any more");
}

#[tokio::test]
async fn emergency_and_standard_skip_what_they_skip_and_closing_wants_a_code() {
    let lab = Lab::start().await;
    let urgent = asked(&lab, "emergency").await;
    lab.instance.decide(urgent.as_str().unwrap(), "carl", "approved").unwrap();
    assert_eq!(state(&lab, &urgent).await.0, "-2");
    let templates = lab.get(&format!("{PATH}/standard/template")).await;
    let template =
        templates.as_array().unwrap().iter().find(|row| row["name"]["value"] == "Change VLAN on a Cisco switchport");
    let template = template.unwrap()["sys_id"]["value"].as_str().unwrap().to_owned();
    let path = format!("{PATH}/standard/{template}");
    let (status, made) = lab.call("interlock", Method::POST, &path, Some(json!({ "backout_plan": "Mine" }))).await;
    assert_eq!(status, 200, "{made}");
    let row = &made["result"];
    assert_eq!((&row["type"]["value"], &row["backout_plan"]["value"]), (&json!("standard"), &json!("Mine")));
    assert!(row["implementation_plan"]["value"].as_str().unwrap().starts_with("Deploy the access template"));
    assert!(row["std_change_producer_version"]["display_value"].as_str().unwrap().ends_with("- 1"));
    let id = row["sys_id"]["value"].clone();
    for to in ["-2", "-1", "0"] {
        let (status, body) = lab.patch("interlock", "change_request", &id, json!({ "state": to })).await;
        assert_eq!(status, 200, "{to} {body}");
    }
    assert_eq!(state(&lab, &id).await.1, "approved");
    assert!(
        detail(&lab.patch("interlock", "change_request", &id, json!({ "state": "3" })).await.1).contains("Close code")
    );
    assert_eq!(
        lab.patch("interlock", "change_request", &id, json!({ "state": "4" })).await.0,
        403,
        "no cancel from Review"
    );
    let close = json!({ "state": "3", "close_code": "successful", "close_notes": "Done" });
    assert_eq!(lab.patch("interlock", "change_request", &id, close).await.1["result"]["active"], "false");
    assert_eq!(lab.patch("interlock", "change_request", &id, json!({ "description": "x" })).await.0, 403);
}

#[tokio::test]
async fn the_type_stays_once_a_change_left_new_and_a_cancel_withdraws_approvals() {
    let lab = Lab::start().await;
    let id = asked(&lab, "normal").await;
    assert_eq!(lab.patch("interlock", "change_request", &id, json!({ "type": "standard" })).await.0, 403);
    assert_eq!(lab.patch("interlock", "change_request", &id, json!({ "state": "4" })).await.0, 200);
    let open = lab.rows("sysapproval_approver", &format!("sysapproval={}^state=requested", id.as_str().unwrap())).await;
    assert_eq!(open.len(), 0);
    let no_group =
        lab.insert("interlock", "change_request", json!({ "short_description": "x" })).await["sys_id"].clone();
    let (_, body) = lab.patch("interlock", "change_request", &no_group, json!({ "state": "-4" })).await;
    assert!(detail(&body).ends_with("mandatory: Assignment group"), "{body}");
}

#[tokio::test]
async fn items_are_added_by_a_worker_and_conflicts_are_found() {
    let lab = Lab::start().await;
    let items = lab
        .rows("cmdb_ci_ip_switch", "install_status=1^serial_numberISNOTEMPTY^maintenance_scheduleISEMPTY^ORDERBYname")
        .await;
    let item = items[0]["sys_id"].as_str().unwrap();
    let body = |start: &str, end: &str| json!({ "short_description": "x", "cmdb_ci": item, "start_date": start, "end_date": end, "assignment_group": "Network" });
    let born = lab.worlds[0].born_ms();
    let at = |hours: i64| {
        let time = jiff::Timestamp::from_millisecond(born + hours * 3_600_000).unwrap();
        time.strftime("%Y-%m-%d %H:%M:%S").to_string()
    };
    let new = async |start: i64, end: i64| {
        let (status, made) = lab.call("interlock", Method::POST, PATH, Some(body(&at(start), &at(end)))).await;
        assert_eq!(status, 200, "{made}");
        made["result"]["sys_id"]["value"].clone()
    };
    let (first, second) = (new(400, 402).await, new(401, 403).await);
    for id in [&first, &second] {
        assert_eq!(lab.patch("interlock", "change_request", id, json!({ "state": "-4" })).await.0, 200);
    }
    let affected = lab.get(&format!("{PATH}/{}/ci?association_type=affected", first.as_str().unwrap())).await;
    assert_eq!(affected[0]["ci_item"]["value"], item, "the change's own item is affected by itself");
    let more = json!({ "cmdb_ci_sys_ids": [items[1]["sys_id"], "00000000000000000000000000000000"], "association_type": "affected" });
    let path = format!("{PATH}/{}/ci", first.as_str().unwrap());
    let (status, worker) = lab.call("interlock", Method::POST, &path, Some(more)).await;
    assert_eq!((status, &worker["result"]["worker"]["state"]["display_value"]), (200, &json!("Waiting")));
    let worker = format!("{PATH}/worker/{}", worker["result"]["worker"]["sysId"].as_str().unwrap());
    assert_eq!(lab.get(&worker).await["worker"]["state"], json!({ "value": 2, "display_value": "In-Progress" }));
    let over = lab.get(&worker).await;
    assert_eq!(over["worker"]["state"]["value"], 4, "one of the two does not exist");
    assert_eq!(over["worker"]["messages"]["errorMessages"].as_array().unwrap().len(), 1);
    assert_eq!(lab.rows("task_ci", &format!("task={}", first.as_str().unwrap())).await.len(), 2);

    let path = format!("{PATH}/{}/conflict", first.as_str().unwrap());
    let (status, started) = lab.call("interlock", Method::POST, &path, None).await;
    assert_eq!((status, &started["result"]["job_status"]), (200, &json!("0")));
    assert_eq!(lab.get(&path).await["job_status"], "1");
    let over = lab.get(&path).await;
    assert_eq!(
        (&over["job_status"], &over["status"], &over["record_count"]),
        (&json!("2"), &json!("Conflict"), &json!("2"))
    );
    assert_eq!(over["conflicts"][0]["type"]["value"], "ci_already_scheduled");
    assert_eq!(over["conflicts"][0]["conflicting_change"]["value"], second);
    let (status, _) = lab.call("interlock", Method::DELETE, &path, None).await;
    assert_eq!(status, 400, "nothing runs");
    let frozen = new(31 * 24, 31 * 24 + 1).await;
    let path = format!("{PATH}/{}/conflict", frozen.as_str().unwrap());
    lab.call("interlock", Method::POST, &path, None).await;
    lab.get(&path).await;
    assert_eq!(lab.get(&path).await["conflicts"][0]["type"]["value"], "blackout");
    let free = format!("{PATH}/{}/schedule/first_available", frozen.as_str().unwrap());
    let (status, moved) = lab.call("interlock", Method::PATCH, &free, None).await;
    assert_eq!(status, 200, "{moved}");
    assert!(moved["result"]["start_date"]["value"].as_str().unwrap() >= at(34 * 24).as_str());
}

#[tokio::test]
async fn a_maintenance_window_binds_the_items_that_have_one() {
    let lab = Lab::start().await;
    let core = lab.rows("cmdb_ci", "maintenance_scheduleISNOTEMPTY").await[0]["sys_id"].clone();
    let born = lab.worlds[0].born_ms();
    let at = |hours: i64| {
        let time = jiff::Timestamp::from_millisecond(born + hours * 3_600_000).unwrap();
        time.strftime("%Y-%m-%d %H:%M:%S").to_string()
    };
    for (from, expected) in [(2 * 24 + 1, "No Conflict"), (9 * 24 + 1, "No Conflict"), (3 * 24, "Conflict")] {
        let body =
            json!({ "short_description": "x", "cmdb_ci": core, "start_date": at(from), "end_date": at(from + 1) });
        let (_, made) = lab.call("interlock", Method::POST, PATH, Some(body)).await;
        let path = format!("{PATH}/{}/conflict", made["result"]["sys_id"]["value"].as_str().unwrap());
        lab.call("interlock", Method::POST, &path, None).await;
        lab.get(&path).await;
        assert_eq!(lab.get(&path).await["status"], expected, "{from}");
    }
}

#[tokio::test]
async fn tasks_belong_to_their_change_and_follow_it() {
    let lab = Lab::start().await;
    let id = lab.change("normal").await;
    let tasks = format!("{PATH}/{}/task", id.as_str().unwrap());
    let (status, made) =
        lab.call("interlock", Method::POST, &tasks, Some(json!({ "short_description": "Check" }))).await;
    assert_eq!(status, 200, "{made}");
    assert!(made["result"]["number"]["value"].as_str().unwrap().starts_with("CTASK"));
    let task = made["result"]["sys_id"]["value"].as_str().unwrap().to_owned();
    let other = lab.change("normal").await;
    let elsewhere = format!("{PATH}/{}/task/{task}", other.as_str().unwrap());
    assert_eq!(lab.call("interlock", Method::GET, &elsewhere, None).await.0, 404);
    let one = format!("{tasks}/{task}");
    let (_, refused) = lab.call("interlock", Method::PATCH, &one, Some(json!({ "state": "3" }))).await;
    assert!(detail(&refused).contains("Close code"), "{refused}");
    assert_eq!(lab.patch("interlock", "change_request", &id, json!({ "state": "4" })).await.0, 200);
    assert_eq!(lab.get(&one).await["state"]["value"], 4.0, "cancelled with its change");
}
