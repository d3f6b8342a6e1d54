//! What people change survives; what faults bend is bent and nothing else.

use std::path::Path;
use std::sync::Arc;

use interlock_world::{Bend, Device, Reachability, Region, Unusable, World, WorldOptions};
use platform::clock::AdjustableClock;
use serde_json::json;

fn open(folder: Option<&Path>) -> World {
    World::open(WorldOptions {
        seed: 3,
        devices: 60,
        region: Region::Emea,
        state_dir: folder.map(Path::to_owned),
        clock: Arc::new(AdjustableClock::default()),
    })
    .unwrap()
}

fn core(world: &World) -> &Device {
    &world.devices()[0]
}

#[test]
fn edits_survive_reopening_and_a_torn_last_line_is_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let (changed, born) = {
        let world = open(Some(folder.path()));
        world.apply(core(&world), "vlan 777\n name KEPT\nhostname renamed\n", Bend::default()).unwrap();
        world.put_document("task", "a", json!({"x": 1})).unwrap();
        world.put_document("task", "b", json!({"x": 2})).unwrap();
        world.remove_document("task", "a").unwrap();
        (world.running_text(core(&world)), world.born_ms())
    };
    let journal = folder.path().join("world-emea.jsonl");
    let mut bytes = std::fs::read(&journal).unwrap();
    bytes.extend_from_slice(b"{\"kind\":\"running\",\"devi");
    std::fs::write(&journal, bytes).unwrap();
    let world = open(Some(folder.path()));
    assert_eq!(world.born_ms(), born);
    assert_eq!(world.running_text(core(&world)), changed);
    assert_eq!(world.hostname(core(&world)), "renamed");
    assert!(world.is_unsaved(core(&world)));
    assert_eq!(world.documents("task"), [("b".to_owned(), json!({"x": 2}))]);
    world.save(core(&world)).unwrap();
    drop(world);
    assert!(!open(Some(folder.path())).is_unsaved(core(&open(None))));
}

#[test]
fn a_template_stops_at_the_first_rejected_line_and_keeps_what_was_entered() {
    let world = open(None);
    let applied = world.apply(core(&world), "vlan 501\nnonsense here\nvlan 502\n", Bend::default()).unwrap();
    assert!(applied.error.unwrap().contains("% Invalid input"));
    let text = world.running(core(&world)).text();
    assert!(text.contains("vlan 501\n") && !text.contains("vlan 502\n"));
}

#[test]
fn bends_do_what_they_say_and_report_success() {
    let world = open(None);
    let device = core(&world);
    let has = |id: u32| world.running(device).block(&["vlan", &id.to_string()]).is_some();
    let none = world.apply(device, "vlan 601", Bend { drop_all: true, ..Bend::default() }).unwrap();
    assert!(none.error.is_none() && none.lines.is_empty() && !has(601));
    let half = world.apply(device, "vlan 602\nvlan 603", Bend { drop_half: true, ..Bend::default() }).unwrap();
    assert!(half.error.is_none() && has(602) && !has(603));
    let refused = world.apply(device, "vlan 604\nvlan 605", Bend { reject_line: Some(1), ..Bend::default() }).unwrap();
    assert!(refused.error.is_none() && has(604) && !has(605));
    let before = world.collected_text(device);
    world.apply(device, "vlan 606", Bend { keep_copy: true, ..Bend::default() }).unwrap();
    assert!(has(606));
    assert_eq!(world.collected(device).block(&["vlan", "606"]), None);
    assert_eq!(before.contains("vlan 604"), world.collected_text(device).contains("vlan 604"));
    world.collect(device).unwrap();
    assert!(world.collected(device).block(&["vlan", "606"]).is_some());
}

#[test]
fn exec_directives_run_as_exec_and_unreachable_devices_take_nothing() {
    let world = open(None);
    let device = core(&world);
    let applied = world
        .apply(device, "logging host 10.9.9.9\n#MODE_ENABLE\nwrite memory\n#MODE_END_ENABLE\n", Bend::default())
        .unwrap();
    assert_eq!(applied.exec.len(), 1);
    assert!(!world.is_unsaved(device), "write memory saved it");
    world.set_reachable(device, false).unwrap();
    assert_eq!(world.reachability(device), Reachability::Unreachable);
    assert!(matches!(world.apply(device, "vlan 5", Bend::default()), Err(Unusable::Unreachable)));
    assert!(
        world.issues().iter().any(|issue| issue.device == device.index && issue.name == "network_device_unreachable")
    );
}

#[test]
fn show_commands_see_the_running_configuration() {
    let world = open(None);
    let device = core(&world);
    world.apply(device, "vlan 640\n name SEEN\n", Bend::default()).unwrap();
    assert!(world.exec(device, "sh run | include vlan 640").unwrap().contains("vlan 640"));
    assert!(world.exec(device, "show vlan brief").unwrap().contains("SEEN"));
    assert!(world.exec(device, "show version").unwrap().contains("IOS XE"));
    assert!(world.exec(device, "frobnicate").unwrap().starts_with('%'));
}
