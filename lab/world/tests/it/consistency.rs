//! The whole network, small and large: facts agree with each other, and every configuration is one that its own device takes.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use interlock_world::lines::{Config, merge};
use interlock_world::{Device, Family, Node, Os, Reachability, Region, Role, World, WorldOptions};
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

/// Of 10,000 devices every one of the data centres and the borders, and of the campuses every twentieth.
#[test]
fn configurations_of_10000_devices_are_taken_by_their_own_unpacked_devices() {
    let world = world(Region::Emea, 10_000);
    let of_centre = |device: &Device| device.os() != Os::IosXe && device.campus.is_multiple_of(24);
    replay_all(&world, world.devices().iter().filter(|device| of_centre(device) || device.index % 97 == 0));
}

#[test]
fn facts_of_10000_devices_agree() {
    let world = world(Region::AmerApj, 10_000);
    assert_eq!(world.devices().len(), 10_000);
    let mut serials = HashSet::new();
    let mut addresses = HashSet::new();
    let mut names = HashSet::new();
    let mut macs = HashSet::new();
    for device in world.devices() {
        assert!(device.members.iter().all(|member| serials.insert(member.serial.clone())), "{}", device.hostname);
        assert!(addresses.insert(device.management_ip), "{}", device.management_ip);
        assert!(names.insert(device.hostname.clone()), "{}", device.hostname);
        assert!(macs.insert(device.mac), "{}", device.hostname);
        assert!(world.site_of(device).is_some());
        assert_eq!(world.device(device.id).unwrap().index, device.index);
    }
    let mut ends = HashSet::new();
    let mut networks = HashSet::new();
    for link in world.links() {
        for (at, port) in &link.ends {
            assert!(ends.insert((*at, port.clone())), "{} {port} has two cables", world.devices()[*at].hostname);
        }
        assert!(networks.insert(link.id));
        assert!(
            world.link_up(link)
                || link
                    .ends
                    .iter()
                    .any(|(at, _)| { world.reachability(&world.devices()[*at]) == Reachability::Unreachable })
        );
    }
    let cabled: usize = world.devices().iter().map(|device| world.links_of(device).count()).sum();
    assert_eq!(cabled, 2 * world.links().len());
    let managed = world.managed().count();
    let firewalls = world.devices().iter().filter(|device| device.platform.family == Family::Firewall).count();
    assert_eq!(managed + firewalls, 10_000);
    for os in Os::ALL {
        assert!(world.devices().iter().filter(|device| device.os() == os).count() >= 20, "{}", os.name());
    }
}

#[test]
fn both_ends_of_a_cable_tell_of_each_other_in_their_configurations() {
    let world = world(Region::AmerApj, 300);
    for link in world.links() {
        let [(one, one_port), (other, other_port)] = &link.ends;
        for (own, port, far, far_port) in [(*one, one_port, *other, other_port), (*other, other_port, *one, one_port)] {
            let (own, far) = (&world.devices()[own], &world.devices()[far]);
            if !own.has_configuration() {
                continue;
            }
            let block = world.running(own).block(&["interface", port]).cloned().unwrap();
            let failover = own.platform.family == Family::Firewall && !block.has("channel-group 1 mode active");
            let told = block.child_value("description").unwrap_or_default();
            assert!(
                failover || told.contains(&far.hostname) && told.ends_with(far_port.as_str()),
                "{} {port}: {told}",
                own.hostname
            );
        }
        let network = |at: usize, port: &str| {
            let device = &world.devices()[at];
            let port = world.interfaces(device).into_iter().find(|known| known.name == port)?;
            let (address, mask) = port.address?;
            Some((u32::from(address) & u32::from(mask), address))
        };
        if let (Some((a, one)), Some((b, other))) = (network(*one, one_port), network(*other, other_port)) {
            assert_eq!(a, b, "{one} and {other} are of one network");
            assert_ne!(one, other);
        }
    }
}

#[test]
fn pairs_stand_in_for_each_other_on_both_members_and_no_device_is_in_two() {
    let world = world(Region::Emea, 300);
    let mut kinds = HashSet::new();
    let mut seen = HashSet::new();
    for group in world.redundancy_groups() {
        kinds.insert(group.kind);
        let members = world.redundancy_members(&group.name);
        assert_eq!(members.len(), 2, "{}", group.name);
        for member in members {
            assert!(seen.insert(member.index), "{} is in two groups", member.hostname);
            assert_eq!(world.redundancy_group(member), Some(group.name.as_str()));
            assert!(member.hostname.starts_with(&group.name), "{} {}", member.hostname, group.name);
        }
    }
    assert_eq!(kinds.len(), 8, "{kinds:?}");
    for device in world.devices() {
        assert_eq!(world.redundancy_group(device).is_some(), seen.contains(&device.index));
        let alone = device.platform.family == Family::AccessPoint || device.role == Role::Access;
        assert!(alone || device.index >= 290 || seen.contains(&device.index), "{}", device.hostname);
    }
    assert!(world.redundancy_members("nothing").is_empty());
}

#[test]
fn equal_seeds_give_equal_worlds_and_other_seeds_others() {
    let print = |seed: u64| {
        let clock = Arc::new(AdjustableClock::default());
        let world =
            World::open(WorldOptions { seed, devices: 120, region: Region::AmerApj, state_dir: None, clock }).unwrap();
        let texts: Vec<String> = world.devices().iter().map(|device| world.running(device).text()).collect();
        let links: Vec<String> = world.links().iter().map(|link| format!("{} {:?}", link.id, link.ends)).collect();
        (texts, links)
    };
    assert_eq!(print(7), print(7));
    assert_ne!(print(7).0, print(8).0);
}
