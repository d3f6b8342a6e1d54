//! Interfaces, saved configurations and compliance: what the tools do to devices, and how their work is followed.
#![cfg(test)]

use catalyst_center_simulator::Pace;
use platform::Json;
use serde_json::json;
use world::{Device, Fault, Match, Reachability};

use crate::lab::{Lab, NAME, QUICK};
use crate::road::Road;

/// A reachable switch and one of its access ports.
pub(crate) fn port(lab: &Lab) -> (&Device, String) {
    let devices = lab.world.devices().iter().filter(|d| d.has_configuration());
    let reachable = devices.filter(|d| lab.world.reachability(d) == Reachability::Reachable);
    let mut ports = reachable.filter_map(|device| {
        let ports = lab.world.interfaces(device);
        Some((device, ports.into_iter().find(|port| port.physical && port.mode == "access")?.name))
    });
    ports.next().unwrap()
}

fn running(lab: &Lab, device: &Device, name: &str) -> String {
    let running = lab.world.running(device);
    let block = running.block(&["interface", name]).unwrap();
    block.children.iter().map(|line| format!("{}\n", line.line)).collect()
}

/// Counts requests that change an interface, and bends them.
fn puts(fault: Fault, lab: &Lab) -> Match {
    let matching = Match { method: Some("PUT".into()), path: Some("/api/v1/interface/".into()), ..Match::default() };
    lab.faults.inject(NAME, matching.clone(), Some(fault), 100);
    matching
}

fn sent(lab: &Lab, matching: &Match) -> u32 {
    lab.faults.list().iter().filter(|f| f.matching == *matching).map(|f| f.used).sum()
}

#[tokio::test]
async fn an_interface_has_on_the_device_what_was_asked_for_and_keeps_the_rest() {
    let lab = Lab::start().await;
    let road = Road::over(&lab).await;
    let (device, interface) = port(&lab);
    let device_id = device.id.to_string();
    let change = json!({
        "device_id": device_id, "interface": interface, "description": "printer, room 12", "vlan": 20, "voice_vlan": 30,
        "admin_status": "DOWN",
    });
    let answer = road.call("update_interface", change, None).await.unwrap();
    assert_eq!((&answer.structured["status"], answer.follow_up), (&json!("success"), None));
    let lines = running(&lab, device, &interface);
    for line in ["description printer, room 12", "switchport access vlan 20", "switchport voice vlan 30", "shutdown"] {
        assert!(lines.lines().any(|held| held == line), "{line} is missing in\n{lines}");
    }
    let only = json!({"device_id": device_id, "interface": interface, "admin_status": "UP"});
    road.call("update_interface", only, None).await.unwrap();
    let lines = running(&lab, device, &interface);
    assert!(lines.contains("description printer") && !lines.lines().any(|held| held == "shutdown"), "{lines}");
    assert!(road.open_intents().await.is_empty());
}

#[tokio::test]
async fn what_an_interface_cannot_be_is_refused_before_anything_is_sent() {
    let lab = Lab::start().await;
    let road = Road::over(&lab).await;
    let (device, interface) = port(&lab);
    let device_id = device.id.to_string();
    let puts = puts(Fault::Latency { ms: 0, done: false }, &lab);
    for (more, code) in [
        (json!({}), "nothing_to_change"),
        (json!({"vlan": 4095}), "invalid_arguments"),
        (json!({"description": "x\nshutdown"}), "invalid_arguments"),
        (json!({"admin_status": "up"}), "invalid_arguments"),
        (json!({"interface": "Gi1/0/1; reload"}), "invalid_arguments"),
        (json!({"interface": "GigabitEthernet9/9/9", "vlan": 5}), "target_not_found"),
    ] {
        let mut arguments = json!({"device_id": device_id, "interface": interface});
        arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let error = road.call("update_interface", arguments, None).await.unwrap_err();
        assert_eq!(error.code(), code, "{more}");
        assert!(road.open_intents().await.is_empty(), "{more}");
    }
    assert_eq!(sent(&lab, &puts), 0);
}

#[tokio::test]
async fn t20_a_change_of_an_interface_whose_reply_is_lost_is_unknown_and_sent_once() {
    let lab = Lab::start().await;
    let road = Road::over(&lab).await;
    let (device, interface) = port(&lab);
    let device_id = device.id.to_string();
    let puts = puts(Fault::ReplyLost, &lab);
    let change = json!({"device_id": device_id, "interface": interface, "vlan": 20});
    let error = road.call("update_interface", change.clone(), Some("k-1")).await.unwrap_err();
    assert_eq!(error.code(), "outcome_unknown");
    let again = road.call("update_interface", change, Some("k-1")).await.unwrap_err();
    assert_eq!(again.code(), "outcome_unknown");
    assert_eq!(sent(&lab, &puts), 1);
}

#[tokio::test]
async fn work_that_takes_longer_is_followed_to_its_end() {
    let lab = Lab::with(Pace { start_ms: 6_000, least_ms: 1, ..QUICK }, |_| {}).await;
    let road = Road::over(&lab).await;
    let (device, interface) = port(&lab);
    let device_id = device.id.to_string();
    let change = json!({"device_id": device_id, "interface": interface, "vlan": 20});
    let answer = road.call("update_interface", change, None).await.unwrap();
    assert_eq!(answer.structured["status"], "in_progress");
    let follow = answer.follow_up.unwrap();
    assert_eq!((follow.tool.as_ref(), &follow.arguments["task_id"]), ("get_task", &answer.structured["task_id"]));
    let ended = road.call("get_task", follow.arguments, None).await.unwrap();
    assert_eq!((&ended.structured["status"], ended.follow_up), (&json!("success"), None));
    assert!(ended.structured["ended_ms"].as_i64() >= ended.structured["started_ms"].as_i64());
    let unknown = json!({"task_id": "00000000-0000-4000-8000-000000000000"});
    assert_eq!(road.call("get_task", unknown, None).await.unwrap_err().code(), "target_not_found");
}

#[tokio::test]
async fn a_saved_configuration_is_saved_and_an_unreachable_device_is_a_failure_by_name() {
    let lab = Lab::start().await;
    let road = Road::over(&lab).await;
    let (device, interface) = port(&lab);
    let device_id = device.id.to_string();
    let change = json!({"device_id": device_id, "interface": interface, "vlan": 20});
    road.call("update_interface", change, None).await.unwrap();
    assert!(lab.world.is_unsaved(device));
    let saved = road.call("save_config", json!({"device_ids": [device_id]}), None).await.unwrap().structured;
    assert_eq!(saved["status"], "success", "{saved}");
    assert!(!lab.world.is_unsaved(device));
    let gone = lab.device(Reachability::Unreachable).id.to_string();
    let failed = road.call("save_config", json!({"device_ids": [gone]}), None).await.unwrap().structured;
    assert_eq!(failed["status"], "failure");
    assert!(failed["message"].as_str().unwrap().contains(&gone), "{failed}");
}

#[tokio::test]
async fn compliance_tells_what_differs_and_masks_it() {
    let lab = Lab::start().await;
    let road = Road::over(&lab).await;
    let device = lab.device(Reachability::Reachable);
    let id = device.id.to_string();
    let of_device = json!({"device_id": id});
    let before = road.call("get_compliance", of_device.clone(), None).await.unwrap().structured;
    assert!(before["kinds"].as_array().unwrap().iter().all(|k| k["differences"] == json!([])), "{before}");
    let text = format!("{}username canary privilege 15 secret 9 C4N4RY-9\n", lab.world.running(device).text());
    lab.world.set_running(device, &world::Config::parse(world::Os::IosXe, &text), true).unwrap();
    let ran = road.call("run_compliance", json!({"device_ids": [id]}), None).await.unwrap().structured;
    assert_eq!(ran["status"], "success", "{ran}");
    let after = road.call("get_compliance", of_device, None).await.unwrap().structured;
    let kinds = after["kinds"].as_array().unwrap();
    let running = kinds.iter().find(|k| k["kind"] == "RUNNING_CONFIG").unwrap();
    assert_eq!(running["status"], "NON_COMPLIANT");
    let shown = running["differences"].to_string();
    assert!(shown.contains("username canary privilege 15 secret 9 <masked>") && !shown.contains("C4N4RY"), "{shown}");
    let listed = road.call("list_compliance", json!({"status": "NON_COMPLIANT"}), None).await.unwrap().structured;
    let rows: Vec<&Json> = listed["items"].as_array().unwrap().iter().filter(|row| row["device_id"] == id).collect();
    assert_eq!(rows.len(), 1, "{listed}");
}
