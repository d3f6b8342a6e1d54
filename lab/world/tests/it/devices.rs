//! The generated network: believable, deterministic, disjoint between regions.

use std::collections::HashSet;
use std::sync::Arc;

use interlock_world::{Bend, Family, Reachability, Region, Role, World, WorldOptions};
use platform::clock::AdjustableClock;

fn world(region: Region, devices: u32) -> World {
    World::open(WorldOptions { seed: 1, devices, region, state_dir: None, clock: Arc::new(AdjustableClock::default()) })
        .unwrap()
}

#[test]
fn no_serial_address_name_or_id_stands_in_both_regions() {
    let (one, other) = (world(Region::AmerApj, 2_000), world(Region::Emea, 2_000));
    let facts = |world: &World| -> HashSet<String> {
        world
            .devices()
            .iter()
            .flat_map(|device| {
                let serials = device.members.iter().map(|member| member.serial.clone());
                serials
                    .chain([
                        device.id.to_string(),
                        device.management_ip.to_string(),
                        device.hostname.clone(),
                        device.mac_text(),
                    ])
                    .collect::<Vec<_>>()
            })
            .collect()
    };
    let (one_facts, other_facts) = (facts(&one), facts(&other));
    assert!(one_facts.is_disjoint(&other_facts));
    let members: usize = one.devices().iter().map(|device| device.members.len()).sum();
    assert_eq!(one_facts.len(), members + 4 * one.devices().len(), "facts within a region are unique");
}

#[test]
fn equal_seeds_give_equal_worlds_and_a_larger_one_begins_with_the_smaller() {
    let (small, large) = (world(Region::AmerApj, 100), world(Region::AmerApj, 400));
    for (one, other) in small.devices().iter().zip(large.devices()).take(90) {
        assert_eq!((one.id, &one.hostname, one.serial_text()), (other.id, &other.hostname, other.serial_text()));
    }
    let device = &small.devices()[0];
    assert_eq!(small.running_text(device), world(Region::AmerApj, 100).running_text(device));
}

#[test]
fn the_family_mix_is_a_campus_network_and_most_of_it_is_reachable() {
    let world = world(Region::Emea, 300);
    assert_eq!(world.devices().len(), 300);
    let count =
        |f: &dyn Fn(&interlock_world::Device) -> bool| world.devices().iter().filter(|device| f(device)).count();
    assert!(count(&|device| device.platform.family == Family::AccessPoint) > 80);
    assert!(count(&|device| device.role == Role::Core) >= 4);
    assert!(count(&|device| device.platform.family == Family::Router) >= 4);
    assert!(count(&|device| device.platform.family == Family::WirelessController) >= 4);
    assert!(count(&|device| device.members.len() > 1) >= 5);
    let reached = count(&|device| world.reachability(device) == Reachability::Reachable);
    assert!((250..300).contains(&reached), "{reached}");
}

#[test]
fn both_ends_of_a_cable_are_ports_of_their_devices_and_no_port_has_two() {
    let world = world(Region::AmerApj, 300);
    let mut seen = HashSet::new();
    for link in world.links() {
        for (at, port) in &link.ends {
            let device = &world.devices()[*at];
            assert!(seen.insert((*at, port.clone())), "{} {port} has two cables", device.hostname);
            assert!(
                interlock_world::interfaces::physical_ports(device).iter().any(|known| known.name == *port),
                "{port}"
            );
        }
    }
    assert!(world.links().len() > 290);
}

#[test]
fn shutting_an_uplink_shows_as_interface_and_as_issue() {
    let world = world(Region::AmerApj, 80);
    let device = world
        .devices()
        .iter()
        .find(|device| device.role == Role::Access && device.platform.family == Family::Switch)
        .unwrap();
    let uplink = world.links_of(device).next().unwrap().ends[1].1.clone();
    let before = world.issues().len();
    world.apply(device, &format!("interface {uplink}\n shutdown\n"), Bend::default()).unwrap();
    let port = world.interfaces(device).into_iter().find(|port| port.name == uplink).unwrap();
    assert!(!port.admin_up && !port.oper_up);
    assert_eq!(world.issues().len(), before + 1);
}
