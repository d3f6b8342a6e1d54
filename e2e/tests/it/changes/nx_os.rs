//! A change on a switch that runs NX-OS: done as predicted, and undone by another one.

use platform::Json;
use serde_json::json;
use tempfile::TempDir;

use super::desk::{Desk, check, device, launch, told};
use crate::caller::CENTER;
use crate::lab::Lab;

/// The configuration without what changes by itself.
fn steady(running: &str) -> Vec<&str> {
    running.lines().filter(|line| !line.starts_with('!') && !line.is_empty()).collect()
}

/// A switch on which a change can rest and that has no VLAN but the default one: a spine, which routes.
async fn spine(desk: &Desk) -> String {
    let alice = desk.caller.lab.token("alice").await;
    let wanted = json!({"role": "CORE", "family": "Switches and Hubs", "reachability": "Reachable", "limit": 50});
    let found = desk.caller.rest(&alice, CENTER, "list_devices", &wanted).await;
    let rows = found.result()["items"].as_array().unwrap().iter().filter(|row| row["software_type"] == "NX-OS");
    for id in rows.filter_map(|row| row["id"].as_str()) {
        if !desk.running(id).await.lines().any(|line| line.starts_with("vlan ")) {
            return id.to_owned();
        }
    }
    panic!("no switch with NX-OS and without VLANs: {found:?}")
}

#[tokio::test]
async fn t21_the_first_vlan_of_a_switch_is_as_predicted_and_its_undo_leads_back() {
    // A smaller network has no data centre.
    let desk = Desk::over(Lab::start_as(TempDir::new().unwrap(), launch("300"))).await;
    let spine = spine(&desk).await;
    let before = desk.running(&spine).await;
    let wish = desk.wish(std::slice::from_ref(&spine), 741);
    let id = desk.approved(&wish, 0).await;
    let view = desk.ends(&id).await;
    assert_eq!(view["state"], "done", "{}", told(&view));
    assert_eq!(check(device(&view, &spine), "live_equals_predicted", "forward"), "passed", "{view}");
    // The device prints the default VLAN with the first other one.
    assert!(desk.running(&spine).await.lines().any(|line| line == "vlan 1,741"));

    let undone = desk.own("alice", "undo_change", &json!({"change_id": id, "reason": "It was a trial"})).await;
    let back: &Json = undone.result();
    let back = back["change_id"].as_str().unwrap_or_else(|| panic!("{undone:?}")).to_owned();
    assert_ne!(back, id, "what is done is undone by a change of its own");
    desk.reaches(&back, &["planned"]).await;
    desk.submit(&back, 0).await;
    assert_eq!(desk.decides("bob", "approve", &back).await, Ok(()));
    let view = desk.ends(&back).await;
    assert_eq!(view["state"], "done", "{}", told(&view));
    assert_eq!(steady(&desk.running(&spine).await), steady(&before));
}
