//! What stands in a plan.

use change_control::PlanOptions;
use change_control::model::plan::{PlannedUndo, plan_hash, verify_public_plan};
use change_control::model::state::State;
use platform::policy::Risk;
use serde_json::json;

use super::network::unreachable;
use super::{Lab, deployment, vlan};

#[tokio::test]
async fn t22_a_wish_is_written_down_and_its_plan_is_made_later() {
    let lab = Lab::start().await;
    let change = lab.ask(vlan(&["d1"])).await.unwrap();
    assert_eq!((change.state, change.plan.is_none()), (State::Planning, true));
    assert_eq!(*lab.starts.plans.lock().unwrap(), [change.id.to_string()]);
    lab.changes.make_plan(&change.id).await.unwrap();
    let kept = lab.change(&change.id).await;
    assert_eq!((kept.state, kept.risk), (State::Planned, Some(Risk::Change)));
    assert_eq!(kept.requester.who.name, "alice");
    assert_eq!(kept.history.iter().map(|t| t.to).collect::<Vec<_>>(), [State::Planning, State::Planned]);
}

#[tokio::test]
async fn t15_the_hash_of_a_public_plan_verifies_without_unsealing_and_one_character_breaks_it() {
    let lab = Lab::start().await;
    let (change, plan) = lab.planned(vlan(&["d1", "d2"])).await;
    let hash = change.plan.unwrap().hash;
    assert_eq!(plan_hash(&plan).unwrap(), hash);
    verify_public_plan(&plan, &hash).unwrap();
    // As anybody reads it: from JSON, whatever the order of its members.
    let read = serde_json::from_str(&serde_json::to_string(&plan).unwrap()).unwrap();
    verify_public_plan(&read, &hash).unwrap();
    let mut altered = plan.clone();
    altered.devices[1].lines[0].masked.push('0');
    let refused = verify_public_plan(&altered, &hash).unwrap_err();
    assert_eq!(refused.code(), "plan_altered");
    let details = refused.refusal().details.clone().unwrap();
    assert_eq!((&details["expected"], details["found"] == json!(hash)), (&json!(hash), false));
}

#[tokio::test]
async fn t15_a_plan_names_everything_that_will_be_done() {
    let lab = Lab::start().await;
    let (change, plan) = lab.planned(vlan(&["d2", "d1"])).await;
    assert_eq!(plan.change, change.id.as_str());
    assert_eq!((plan.change_type.name.as_str(), plan.change_type.version), ("template_deployment", 1));
    assert_eq!((plan.template.version_id.as_str(), plan.template.newest), ("t-v1", true));
    assert_eq!(plan.order, [["d2"], ["d1"]]);
    assert_eq!(plan.devices.iter().map(|d| d.device_id.as_str()).collect::<Vec<_>>(), ["d2", "d1"]);
    let device = &plan.devices[0];
    assert_eq!((device.hostname.as_str(), device.serials.join(",").as_str()), ("host-d2", "S-d2"));
    assert_eq!(device.params["vlan"], json!(20));
    assert_eq!(device.lines.iter().map(|l| l.masked.as_str()).collect::<Vec<_>>(), ["vlan 20", " name GUESTS"]);
    let diff: Vec<String> = device.diff.iter().map(|line| format!("{}{}", line.sign, line.line)).collect();
    assert_eq!(diff, ["+vlan 20", "+ name GUESTS"]);
    assert_eq!(device.diff_group, plan.devices[1].diff_group, "equal changes are shown together");
    // Neighbours cannot be observed here, so that no check of them is promised.
    let checks: Vec<&str> = device.checks.iter().map(|check| check.name.as_str()).collect();
    assert_eq!(checks, ["live_equals_predicted", "reachability", "interfaces"]);
    assert_eq!((plan.estimates.apply_s, plan.estimates.undo_s), (180, 180));
    let opened = lab.changes.open_plan(&change, &lab.ports(&change)).await.unwrap();
    assert_eq!(opened.sealed.devices[0].before["interfaces"]["GigabitEthernet1/0/1"]["status"], "up");
}

#[tokio::test]
async fn t21_every_undo_is_staged_for_this_change_before_anybody_approves() {
    let lab = Lab::start().await;
    lab.template("ports", &["interface GigabitEthernet1/0/1\n description {{ text }}\n"], &["text"]);
    let request = deployment(&["d1"], json!({"template_id": "ports", "params": {"text": "printer"}}));
    let (change, plan) = lab.planned(request).await;
    let PlannedUndo::Generated { carrier, lines } = &plan.devices[0].undo else { panic!("no undo") };
    let lines: Vec<&str> = lines.iter().map(|line| line.masked.as_str()).collect();
    assert_eq!(lines, ["interface GigabitEthernet1/0/1", " description desk"]);
    let staged = lab.network.staged(change.id.as_str());
    assert_eq!(staged.len(), 1);
    assert_eq!(staged[0].versions[0].0, carrier.version_id);
    assert_eq!(staged[0].versions[0].1, "interface GigabitEthernet1/0/1\n description desk\n");
    let opened = lab.changes.open_plan(&change, &lab.ports(&change)).await.unwrap();
    let undo = opened.sealed.devices[0].undo.as_ref().unwrap();
    assert_eq!((&undo.carrier, undo.change.as_str()), (carrier, change.id.as_str()));
    assert_eq!(lab.network.running("d1"), super::RUNNING, "a plan touches no device");
}

#[tokio::test]
async fn t21_what_may_cut_a_device_off_is_disruptive_and_nothing_is_staged_for_it() {
    let lab = Lab::start().await;
    lab.template("mgmt", &["interface Vlan1\n ip address {{ address }} 255.255.255.0\n"], &["address"]);
    let request = deployment(&["d1"], json!({"template_id": "mgmt", "params": {"address": "10.0.0.3"}}));
    let (change, plan) = lab.planned(request).await;
    assert_eq!((change.risk, plan.risk()), (Some(Risk::Disruptive), Risk::Disruptive));
    assert!(plan.devices[0].dangers.iter().any(|danger| danger.kind == "management_path"));
    assert!(matches!(&plan.devices[0].undo, PlannedUndo::None { reason } if reason.contains("management path")));
    assert!(lab.network.staged(change.id.as_str()).is_empty());
    assert_eq!(plan.estimates.undo_s, 0);
}

#[tokio::test]
async fn t17_devices_of_one_group_are_in_different_batches() {
    let lab = Lab::start().await;
    for id in ["d1", "d2"] {
        lab.network.state().boxes.get_mut(id).unwrap().group = Some("pair-1".into());
    }
    let request = super::PlanRequest {
        options: PlanOptions { batches: vec![3], ..PlanOptions::default() },
        ..vlan(&["d1", "d2", "d3"])
    };
    let (_, plan) = lab.planned(request).await;
    assert_eq!(plan.order, [vec!["d1", "d3"], vec!["d2"]]);
    assert_eq!(plan.devices.iter().map(|d| d.device_id.as_str()).collect::<Vec<_>>(), ["d1", "d3", "d2"]);
}

#[tokio::test]
async fn a_plan_that_changes_nothing_says_so_and_is_not_handed_in() {
    let lab = Lab::start().await;
    let request = deployment(&["d1"], json!({"template_id": "t", "params": {"vlan": 10, "name": "USERS"}}));
    let (change, plan) = lab.planned(request).await;
    assert!(plan.changes_nothing() && plan.devices[0].diff.is_empty());
    assert_eq!(change.risk, Some(Risk::Change));
    assert_eq!(change.history.last().unwrap().why, "planned; it changes nothing");
    assert_eq!(plan.require_effect().unwrap_err().code(), "plan_changes_nothing");
    assert!(lab.network.staged(change.id.as_str()).is_empty());
    let (_, other) = lab.planned(vlan(&["d1"])).await;
    other.require_effect().unwrap();
}

#[tokio::test]
async fn t20_a_plan_is_made_again_from_its_beginning_and_made_once() {
    let lab = Lab::start().await;
    let change = lab.ask(vlan(&["d1", "d2"])).await.unwrap();
    lab.network.state().down = Some(unreachable);
    let failed = lab.changes.make_plan(&change.id).await.unwrap_err();
    assert_eq!(failed.code(), "target_unreachable");
    let waiting = lab.change(&change.id).await;
    assert_eq!((waiting.state, waiting.trouble.unwrap().code.as_str()), (State::Planning, "target_unreachable"));
    lab.network.state().down = None;
    lab.changes.make_plan(&change.id).await.unwrap();
    let planned = lab.change(&change.id).await;
    assert_eq!((planned.state, planned.trouble.is_none()), (State::Planned, true));
    // The engine died before it wrote the end down, and asks once more.
    lab.changes.make_plan(&change.id).await.unwrap();
    assert_eq!(lab.change(&change.id).await, planned);
    assert_eq!(lab.network.staged(change.id.as_str()).len(), 2);
}

#[tokio::test]
async fn a_plan_whose_start_was_lost_is_started_when_the_platform_is_back() {
    let lab = Lab::start().await;
    let waiting = lab.ask(vlan(&["d1"])).await.unwrap();
    lab.planned(vlan(&["d2"])).await;
    lab.starts.plans.lock().unwrap().clear();
    lab.changes.restart_planning().await.unwrap();
    assert_eq!(*lab.starts.plans.lock().unwrap(), [waiting.id.to_string()]);
}

#[tokio::test]
async fn t19_a_change_is_undone_later_by_a_change_of_its_own_on_what_the_device_is_then() {
    let lab = Lab::start().await;
    let (done, _) = lab.planned(vlan(&["d1"])).await;
    // It was applied, and somebody has renamed the VLAN since.
    lab.network.set_running("d1", &super::RUNNING.replace("interface Vlan1", "vlan 20\n name OTHERS\ninterface Vlan1"));
    let title = format!("Undo: {}", "x".repeat(118));
    let request = super::PlanRequest { title, undoes: Some(done.id.clone()), ..deployment(&[], json!({})) };
    let (undo, plan) = lab.planned(request).await;
    assert_eq!(undo.undoes, Some(done.id.clone()));
    assert_eq!((undo.title.chars().count(), undo.title.ends_with("xx…")), (120, true));
    assert_eq!((plan.change_type.name.as_str(), plan.template.newest), ("undo_change", false));
    let diff: Vec<String> = plan.devices[0].diff.iter().map(|line| format!("{}{}", line.sign, line.line)).collect();
    assert_eq!(diff, ["-vlan 20", "- name OTHERS"]);
    let PlannedUndo::Generated { lines, .. } = &plan.devices[0].undo else { panic!("no undo") };
    assert_eq!(lines.iter().map(|l| l.masked.as_str()).collect::<Vec<_>>(), ["vlan 20", " name OTHERS"]);
    // What carries its lines is staged for it, and not the text of the change that it undoes.
    let own = lab.network.staged(undo.id.as_str());
    assert!(own.iter().any(|t| t.versions[0].0 == plan.devices[0].carrier.version_id), "{}", own.len());
}

#[tokio::test]
async fn t19_an_undo_is_planned_on_the_devices_that_were_written_to_and_changed() {
    let lab = Lab::start().await;
    // `d2` has the VLAN already, and `d3` was left out of the run.
    lab.network.set_running("d2", &super::RUNNING.replace("interface Vlan1", "vlan 20\n name GUESTS\ninterface Vlan1"));
    let (done, _) = lab.planned(vlan(&["d1", "d2", "d3"])).await;
    let left_out = |change: &mut change_control::Change| {
        let progress = json!({"state": "skipped", "attempts": {}, "last_write_ms": null, "report": [], "device_errors": [],
            "by_hand": []});
        change.run.devices.insert("d3".into(), serde_json::from_value(progress).unwrap());
        Ok(((), Vec::new()))
    };
    lab.changes.book().update(&done.id, left_out).await.unwrap();
    let request = || super::PlanRequest { undoes: Some(done.id.clone()), ..deployment(&[], json!({})) };
    assert_eq!(lab.ask(request()).await.unwrap().device_ids, ["d1"]);
    let (nothing, _) = lab.planned(vlan(&["d2"])).await;
    let request = super::PlanRequest { undoes: Some(nothing.id), ..request() };
    assert_eq!(lab.ask(request).await.unwrap_err().code(), "change_not_undoable");
}
