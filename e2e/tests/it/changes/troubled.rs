//! What goes wrong on devices and at the controller: a change is undone as planned, or it says honestly how it stands. Its
//! report never says more than was compared.

use platform::Json;
use serde_json::json;

use super::desk::{Desk, Wish, check, device, told, trouble};

const DEPLOY: &str = "/v2/template-programmer/template/deploy";

/// A change of two devices whose second one meets a fault of its effect; the desk, the change's last view, and its devices in
/// the order in which they were written to.
async fn second_device_meets(vlan: u32, fault: Json, option: Option<(&str, Json)>) -> (Desk, Wish, Json, [String; 2]) {
    let desk = Desk::open().await;
    let mut wish = desk.wish(&[desk.switches[0].clone(), desk.switches[1].clone()], vlan);
    if let Some((name, value)) = option {
        wish = wish.with(name, value);
    }
    let id = desk.planned(&wish).await;
    let devices = in_order(&desk, &id).await;
    desk.submit(&id, 0).await;
    desk.fault(json!({"path": DEPLOY, "device": devices[1]}), fault, 1).await;
    assert_eq!(desk.decides("bob", "approve", &id).await, Ok(()));
    let view = desk.reaches_by_the_clock(&id, &[&super::desk::ENDS[..], &["held", "parked"]].concat()).await;
    (desk, wish, view, devices)
}

async fn in_order(desk: &Desk, id: &str) -> [String; 2] {
    let plan = desk.own("alice", "get_change_plan", &json!({"change_id": id, "view": "plan"})).await;
    let order = plan.result()["plan"]["order"].as_array().unwrap().iter().flat_map(|batch| batch.as_array().unwrap());
    let devices: Vec<String> = order.map(|device| device.as_str().unwrap().to_owned()).collect();
    devices.try_into().unwrap()
}

/// Both devices are what they were, each was written to once each way at most, and the view says so.
async fn is_undone(desk: &Desk, wish: &Wish, view: &Json, devices: &[String; 2]) {
    assert_eq!(view["state"], "undone", "{}", told(view));
    for id in devices {
        let (there, back) = desk.times(id, wish).await;
        assert!(there <= 1 && back <= 1, "{id}: {there} times there, {back} times back");
        assert!(!desk.has(id, wish).await, "{id} is what it was");
        assert_eq!(device(view, id)["state"], "restored", "{}", told(view));
    }
    assert_eq!(check(device(view, &devices[0]), "live_equals_predicted", "forward"), "passed", "the first went well");
    assert_eq!(check(device(view, &devices[0]), "live_equals_baseline", "undo"), "passed");
}

#[tokio::test]
async fn t21_a_device_that_is_not_what_was_predicted_is_undone_with_all_before_it() {
    let (desk, wish, view, devices) = second_device_meets(721, json!("accepted_not_applied"), None).await;
    is_undone(&desk, &wish, &view, &devices).await;
    let second = device(&view, &devices[1]);
    assert_eq!(check(second, "live_equals_predicted", "forward"), "failed", "a success that changed nothing: {second}");
    assert_eq!(trouble(&view), "applied_with_differences", "{}", told(&view));
}

#[tokio::test]
async fn t21_a_device_that_applied_only_half_is_undone() {
    let (desk, wish, view, devices) = second_device_meets(722, json!("half_applied"), None).await;
    is_undone(&desk, &wish, &view, &devices).await;
    assert_eq!(desk.times(&devices[1], &wish).await.1, 1, "what was half there is taken away");
    assert_eq!(check(device(&view, &devices[1]), "live_equals_predicted", "forward"), "failed");
}

#[tokio::test]
async fn t21_a_line_that_is_rejected_inside_a_success_is_found_and_undone() {
    let rejected = json!({"kind": "line_rejected", "line": 1});
    let (desk, wish, view, devices) = second_device_meets(723, rejected, None).await;
    is_undone(&desk, &wish, &view, &devices).await;
    let second = device(&view, &devices[1]);
    assert_eq!(check(second, "live_equals_predicted", "forward"), "failed", "{second}");
    assert!(second.to_string().contains(&wish.name), "the report shows the line that is missing: {second}");
}

#[tokio::test]
async fn t20_a_stop_that_holds_stands_still_until_somebody_wants_it_undone() {
    let hold = Some(("on_stop", json!("hold")));
    let (desk, wish, view, devices) = second_device_meets(724, json!("half_applied"), hold).await;
    assert_eq!(view["state"], "held", "{}", told(&view));
    assert!(desk.has(&devices[0], &wish).await, "nothing was undone");
    let id = view["change_id"].as_str().unwrap();
    // It keeps its locks: another change of the same device waits, and says for whom.
    let other = desk.wish(&devices[..1], 725);
    let other_id = desk.approved(&other, 0).await;
    let mut waits = desk.reaches_by_the_clock(&other_id, &["scheduled"]).await;
    // It is scheduled before it has asked for its devices; what it found then is news.
    for _ in 0..10 {
        if trouble(&waits).is_empty() {
            let news = json!({"change_id": other_id, "wait_s": 10, "since": waits["revision"]});
            waits = desk.own("alice", "get_change", &news).await.result().clone();
        }
    }
    assert!(waits.to_string().contains(id), "it names the holder: {}", told(&waits));
    let undo = desk.own("alice", "undo_change", &json!({"change_id": id, "reason": "It was half done"})).await;
    assert_eq!(undo.code(), None, "{undo:?}");
    let view = desk.ends(id).await;
    is_undone(&desk, &wish, &view, &devices).await;
    // Then the other one gets the devices, as they were when it was planned or not.
    let view = desk.ends(&other_id).await;
    assert!(matches!(view["state"].as_str().unwrap(), "done" | "stale"), "{}", told(&view));
}

#[tokio::test]
async fn t21_a_device_whose_management_is_lost_is_told_as_it_is() {
    let (desk, wish, view, devices) = second_device_meets(726, json!("management_lost"), None).await;
    let id = view["change_id"].as_str().unwrap().to_owned();
    // It cannot be compared, so that nothing is claimed about it; the window ends, and the way back does not reach it.
    assert!(matches!(view["state"].as_str().unwrap(), "held" | "undo_failed"), "{}", told(&view));
    assert_ne!(check(device(&view, &devices[1]), "live_equals_predicted", "forward"), "passed", "{}", told(&view));
    let wished = json!({"change_id": id, "mode": "undo", "reason": "It does not come back"});
    if view["state"] == "held" {
        let cancelled = desk.own("alice", "cancel_change", &wished).await;
        assert_eq!(cancelled.code(), None, "{cancelled:?}");
    }
    let view = desk.ends(&id).await;
    assert_eq!(view["state"], "undo_failed", "{}", told(&view));
    assert_eq!(device(&view, &devices[1])["state"], "not_restored", "{}", told(&view));
    assert!(
        !device(&view, &devices[1])["by_hand"].as_array().unwrap().is_empty(),
        "what to do by hand: {}",
        told(&view)
    );
    assert_eq!(
        device(&view, &devices[0])["state"],
        "restored",
        "the other one is undone all the same: {}",
        told(&view)
    );
    assert!(!desk.has(&devices[0], &wish).await);
}

#[tokio::test]
async fn t20_a_controller_that_answers_nothing_for_minutes_is_waited_for_and_nothing_is_sent_twice() {
    let desk = Desk::open().await;
    let devices = [desk.switches[0].clone()];
    let wish = desk.wish(&devices, 727);
    let id = desk.submitted(&wish, 0).await;
    // Accepted; then each question about it stays without an answer, until somebody has repaired the controller.
    let status = json!({"path": "/template/deploy/status/"});
    let silent = desk.fault(status.clone(), json!({"kind": "hang", "ms": 600_000}), 1_000).await;
    assert_eq!(desk.decides("bob", "approve", &id).await, Ok(()));
    let view = desk.reaches(&id, &["held"]).await;
    assert!(!trouble(&view).is_empty(), "{}", told(&view));
    assert!(desk.met(silent).await > 0);
    desk.fault(status, json!({"kind": "hang", "ms": 0}), 0).await;
    let view = desk.ends(&id).await;
    assert_eq!(view["state"], "done", "{}", told(&view));
    assert_eq!(desk.times(&devices[0], &wish).await, (1, 0));
    assert_eq!(check(device(&view, &devices[0]), "live_equals_predicted", "forward"), "passed");
}
