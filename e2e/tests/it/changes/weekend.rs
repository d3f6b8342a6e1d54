//! What time does to a change (T19): planned on Friday, approved by somebody whose token lives an hour, run on Sunday with nobody
//! signed in. The clock is the lab's, so that nobody waits.

use platform::{Clock as _, Json};
use serde_json::json;

use super::desk::{Desk, device, told, trouble};
use crate::caller::OWN;

/// From Friday to Sunday.
const WEEKEND_S: u64 = 2 * 86_400;

#[tokio::test]
async fn t19_a_change_that_was_approved_on_friday_runs_on_sunday_with_nobody_signed_in() {
    let desk = Desk::open().await;
    let devices = [desk.switches[0].clone(), desk.switches[1].clone()];
    let wish = desk.wish(&devices, 731);
    let friday = desk.caller.lab.clock().now();
    let id = desk.approved(&wish, WEEKEND_S).await;
    let alice = desk.caller.lab.token("alice").await;
    desk.caller.lab.advance(&desk.caller.http, 7_200).await;
    let over = desk.caller.rest(&alice, OWN, "whoami", &json!({})).await;
    assert_eq!(over.status, 401, "her token is over: {over:?}");
    assert_eq!(desk.view(&id).await["state"], "scheduled", "and the change waits");
    for device in &devices {
        assert_eq!(desk.times(device, &wish).await, (0, 0), "nothing happens before its window");
    }
    desk.caller.lab.advance(&desk.caller.http, i64::try_from(WEEKEND_S).unwrap()).await;
    let view = desk.ends(&id).await;
    assert_eq!(view["state"], "done", "{}", told(&view));
    for id in &devices {
        assert_eq!(desk.times(id, &wish).await, (1, 0));
        assert_eq!(device(&view, id)["state"], "verified", "{}", told(&view));
        assert!(desk.has(id, &wish).await);
    }
    let written = device(&view, &devices[0])["last_write_at"].as_str().unwrap().to_owned();
    let not_before = (friday + std::time::Duration::from_secs(WEEKEND_S)).to_string();
    assert!(written > not_before, "{written} is before its window, {not_before}");
    // What it did is on record in her name, although she was not there.
    let writes = desk.audited(&id);
    let hers = |record: &&Json| record["user"]["name"] == "alice" && record["interlock"]["tool"] == "port_apply_step";
    assert!(writes.iter().filter(hers).count() >= 2, "{} records", writes.len());
}

#[tokio::test]
async fn t19_a_requester_whose_account_ended_meanwhile_stops_the_run_before_its_next_device() {
    let desk = Desk::open().await;
    let devices = [desk.switches[0].clone()];
    let wish = desk.wish(&devices, 732);
    let id = desk.approved(&wish, WEEKEND_S).await;
    super::refused::administers(&desk.caller, "/users/alice/disable").await;
    desk.caller.lab.advance(&desk.caller.http, i64::try_from(WEEKEND_S).unwrap()).await;
    let view = super::refused::ended_as(&desk, "bob", &id).await;
    assert_eq!(view["state"], "voided", "{}", told(&view));
    assert_eq!(trouble(&view), "grant_revoked", "{}", told(&view));
    assert_eq!(desk.times(&devices[0], &wish).await, (0, 0));
}

#[tokio::test]
async fn t19_somebody_who_only_signed_out_still_gets_what_was_approved() {
    let desk = Desk::open().await;
    let devices = [desk.switches[0].clone()];
    let wish = desk.wish(&devices, 733);
    let id = desk.approved(&wish, 3_600).await;
    // Every session and token of hers ends; what was approved does not.
    super::refused::administers(&desk.caller, "/users/alice/sign-out").await;
    desk.caller.lab.advance(&desk.caller.http, 3_600).await;
    let view = super::refused::ended_as(&desk, "bob", &id).await;
    assert_eq!(view["state"], "done", "{}", told(&view));
    assert_eq!(desk.times(&devices[0], &wish).await, (1, 0));
}
