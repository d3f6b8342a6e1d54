//! The ticket that goes with a change (T17), in the simulated ServiceNow. It counts only as the platform reads it: before the
//! approval, and again before each batch. What people note in it changes nothing; a fact that the approval rests on stops the
//! run, and both digests are on record.

use std::time::Duration;

use platform::{Clock as _, Json};
use reqwest::Method;
use serde_json::json;

use super::desk::{Desk, Wish, device, told, trouble};
use super::refused::{on_record, second_of};
use crate::caller::{Answer, DESK};

/// A change that waits this long for its window, seconds.
const LATER_S: u64 = 3_600;
/// The password by which a person signs in to ServiceNow itself.
const PASSWORD: &str = "as-in-servicenow";

/// A normal change request that sam opens; its number.
async fn opened(desk: &Desk) -> String {
    let sam = desk.caller.lab.token("sam").await;
    let now = desk.caller.lab.clock().now();
    let at = |seconds: u64| (now + Duration::from_secs(seconds)).to_string();
    let arguments = json!({"kind": "normal", "short_description": "A VLAN for guests", "start": at(LATER_S),
        "end": at(LATER_S + 7_200)});
    let opened = desk.caller.rest(&sam, DESK, "create_change_request", &arguments).await;
    opened.result()["change_request"]["number"].as_str().unwrap_or_else(|| panic!("{opened:?}")).to_owned()
}

/// Plans a wish and hands it in with a ticket.
async fn submitted(desk: &Desk, wish: &Wish, ticket: &str) -> String {
    let id = desk.planned(wish).await;
    let now = desk.caller.lab.clock().now();
    let at = |seconds: u64| (now + Duration::from_secs(seconds)).to_string();
    let arguments = json!({"change_id": id, "ticket": ticket, "not_before": at(LATER_S),
        "not_after": at(LATER_S + 86_400)});
    let answer = desk.own("alice", "submit_change", &arguments).await;
    let view = answer.result();
    assert_eq!((&view["state"], &view["submission"]["ticket"]), (&json!("submitted"), &json!(ticket)), "{answer:?}");
    id
}

/// One request of sam's to ServiceNow itself, where he works too.
async fn in_servicenow(desk: &Desk, method: Method, path: &str, body: &Json) -> Json {
    let account = json!({"system": DESK, "username": "sam", "password": PASSWORD});
    desk.caller.lab.admin(&desk.caller.http, "/accounts", Some(account)).await;
    let url = format!("{}/api/now/table/change_request{path}", desk.caller.lab.ready.simulators[DESK].url);
    let request = desk.caller.http.request(method, url).basic_auth("sam", Some(PASSWORD));
    let answer = Answer::of(if body.is_null() { request } else { request.json(body) }).await;
    assert!((200..300).contains(&answer.status), "{path}: {answer:?}");
    answer.body["result"].clone()
}

/// Somebody plans the work of the ticket for another time, in ServiceNow.
async fn is_moved(desk: &Desk, ticket: &str) {
    let query = format!("?sysparm_query=number={ticket}&sysparm_fields=sys_id");
    let rows = in_servicenow(desk, Method::GET, &query, &Json::Null).await;
    let path = format!("/{}", rows[0]["sys_id"].as_str().unwrap_or_else(|| panic!("{rows}")));
    let times = json!({"start_date": "2035-01-01 00:00:00", "end_date": "2035-01-01 01:00:00"});
    let row = in_servicenow(desk, Method::PATCH, &path, &times).await;
    assert_eq!(row["start_date"], "2035-01-01 00:00:00", "{row}");
}

/// Both digests of the ticket's facts: in the view of the change, and in the record of its end.
fn has_both_digests(desk: &Desk, id: &str, view: &Json) {
    let detail = &view["trouble"]["detail"];
    let both: Vec<&str> = ["expected", "found"].iter().filter_map(|name| detail[*name].as_str()).collect();
    assert!(both.len() == 2 && both[0] != both[1] && both.iter().all(|digest| digest.len() == 64), "{detail}");
    on_record(desk, id, &[&["ticket_changed"], &both[..]].concat());
}

async fn comes(desk: &Desk) {
    desk.caller.lab.advance(&desk.caller.http, i64::try_from(LATER_S).unwrap()).await;
}

#[tokio::test]
async fn t17_a_change_runs_with_a_ticket_that_stands_as_it_was_submitted_whatever_is_noted_in_it() {
    let desk = Desk::open().await;
    let devices = [desk.switches[0].clone()];
    let wish = desk.wish(&devices, 761);
    let ticket = opened(&desk).await;
    let id = submitted(&desk, &wish, &ticket).await;
    assert_eq!(desk.decides("bob", "approve", &id).await, Ok(()));
    // A note raises the count of modifications, and proves nothing.
    let sam = desk.caller.lab.token("sam").await;
    let note = json!({"change_request": ticket, "work_note": "The approver has read it"});
    desk.caller.rest(&sam, DESK, "update_change_request", &note).await.result();
    comes(&desk).await;
    let view = desk.ends(&id).await;
    assert_eq!(view["state"], "done", "{}", told(&view));
    assert_eq!(desk.times(&devices[0], &wish).await, (1, 0));
    // It was read in the requester's name, before the approval and under the locks.
    let reads = desk.audited(&id);
    let reads = reads.iter().filter(|r| r["interlock"]["tool"] == "port_read_ticket" && r["user"]["name"] == "alice");
    assert!(reads.count() >= 3, "submitted, approved, checked");
}

#[tokio::test]
async fn t17_a_ticket_that_changes_after_the_approval_stops_the_run_before_anything_is_sent() {
    let desk = Desk::open().await;
    let devices = [desk.switches[0].clone(), desk.switches[1].clone()];
    let wishes = [desk.wish(&devices[..1], 762), desk.wish(&devices[1..], 763)];
    let ticket = opened(&desk).await;
    let (id, other) = (submitted(&desk, &wishes[0], &ticket).await, submitted(&desk, &wishes[1], &ticket).await);
    assert_eq!(desk.decides("bob", "approve", &id).await, Ok(()));
    is_moved(&desk, &ticket).await;
    comes(&desk).await;
    let view = desk.ends(&id).await;
    assert_eq!((&view["state"], trouble(&view)), (&json!("voided"), "ticket_changed"), "{}", told(&view));
    assert_eq!(desk.times(&devices[0], &wishes[0]).await, (0, 0), "nothing reached the device");
    has_both_digests(&desk, &id, &view);
    // One that waits for its approval does not get it any more.
    assert_eq!(desk.decides("bob", "approve", &other).await, Err("ticket_changed".to_owned()));
    let view = desk.view(&other).await;
    assert_eq!((&view["state"], trouble(&view)), (&json!("voided"), "ticket_changed"), "{}", told(&view));
    assert_eq!(desk.times(&devices[1], &wishes[1]).await, (0, 0));
}

#[tokio::test]
async fn t17_a_ticket_that_changes_while_the_run_is_under_way_stops_it_before_the_next_device() {
    let desk = Desk::open().await;
    let devices = [desk.switches[0].clone(), desk.switches[1].clone()];
    let wish = desk.wish(&devices, 764);
    let ticket = opened(&desk).await;
    let id = submitted(&desk, &wish, &ticket).await;
    assert_eq!(desk.decides("bob", "approve", &id).await, Ok(()));
    let late = json!({"kind": "latency", "ms": 8_000});
    let slow = desk.fault(json!({"path": "/template/deploy/status/"}), late, 1).await;
    comes(&desk).await;
    while desk.met(slow).await == 0 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    is_moved(&desk, &ticket).await;
    let view = desk.ends(&id).await;
    assert_eq!((&view["state"], trouble(&view)), (&json!("undone"), "ticket_changed"), "{}", told(&view));
    let second = second_of(&desk, &view, &devices).await;
    let first = devices.iter().find(|device| **device != second).unwrap();
    assert_eq!(desk.times(first, &wish).await, (1, 1), "what was written is undone");
    assert_eq!(device(&view, first)["state"], "restored", "{}", told(&view));
    has_both_digests(&desk, &id, &view);
}
