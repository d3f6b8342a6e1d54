//! The whole network, small and large: facts agree with each other, and every configuration is one that its own device takes.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use interlock_world::lines::{Config, merge};
use interlock_world::{Device, Node, Os, Region, World, WorldOptions};
use platform::clock::AdjustableClock;

fn world(region: Region, devices: u32) -> World {
    World::open(WorldOptions { seed: 1, devices, region, state_dir: None, clock: Arc::new(AdjustableClock::default()) })
        .unwrap()
}

/// A device as it was unpacked: its ports, and nothing else.
fn unpacked(device: &Device) -> Config {
    let ports = interlock_world::interfaces::physical_ports(device);
    let text: String = ports.iter().map(|port| format!("interface {}\n", port.name)).collect();
    Config::parse(device.os(), &text)
}

/// The first place where two configurations differ.
fn difference(one: &[Node], other: &[Node], above: &str) -> Option<String> {
    for at in 0..one.len().max(other.len()) {
        let (a, b) = (one.get(at), other.get(at));
        let (Some(a), Some(b)) = (a, b) else {
            return Some(format!("{above}: {:?} against {:?}", a.map(|node| &node.line), b.map(|node| &node.line)));
        };
        if a.line != b.line {
            return Some(format!("{above}: {:?} against {:?}", a.line, b.line));
        }
        let inside = difference(&a.children, &b.children, &format!("{above} / {}", a.line));
        if inside.is_some() {
            return inside;
        }
    }
    None
}

/// Enters what a device prints into one that was just unpacked: nothing is rejected, and the same configuration comes out.
fn replay(world: &World, device: &Device) -> Result<(), String> {
    let running = world.running(device);
    let printed = world.running_text(device);
    if let Some(found) = difference(Config::parse(device.os(), &printed).roots(), running.roots(), "printed") {
        return Err(found);
    }
    let frame = ["Building configuration", "Current configuration", "ASA Version", "Cryptochecksum", "end"];
    let mut lines: Vec<&str> = printed
        .lines()
        .filter(|line| !frame.iter().any(|lead| line.starts_with(lead)) || line.starts_with("end-"))
        .collect();
    if device.os() == Os::IosXr {
        lines.push("commit");
    }
    let merged = merge(&unpacked(device), lines.iter().copied());
    if let Some(refused) = merged.first_error() {
        return Err(format!("{refused:?}"));
    }
    difference(merged.config.roots(), running.roots(), "entered").map_or(Ok(()), Err)
}

fn replay_all<'a>(world: &World, devices: impl Iterator<Item = &'a Device>) {
    let mut failed: BTreeMap<&str, String> = BTreeMap::new();
    let mut seen = HashSet::new();
    for device in devices.filter(|device| device.has_configuration()) {
        seen.insert(device.os());
        if let Err(why) = replay(world, device) {
            failed.entry(device.platform.id).or_insert(format!("{} {why}", device.hostname));
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
    assert_eq!(seen.len(), Os::ALL.len(), "all operating systems are there");
}

#[test]
fn every_configuration_of_300_devices_is_taken_by_its_own_unpacked_device() {
    for region in [Region::AmerApj, Region::Emea] {
        let world = world(region, 300);
        replay_all(&world, world.devices().iter());
    }
}
