//! What `show` prints agrees with cables, ports and configurations, on every operating system.

use std::sync::Arc;

use interlock_world::{
    Bend, Device, Family, Link, Os, Reachability, RedundancyKind, Region, Role, World, WorldOptions,
};
use platform::clock::AdjustableClock;

fn world() -> World {
    let clock = Arc::new(AdjustableClock::default());
    World::open(WorldOptions { seed: 1, devices: 160, region: Region::AmerApj, state_dir: None, clock }).unwrap()
}

fn named<'a>(world: &'a World, name: &str) -> &'a Device {
    world.devices().iter().find(|device| device.hostname == name).unwrap_or_else(|| panic!("{name}"))
}

fn between<'a>(world: &'a World, one: &Device, other: &Device) -> &'a Link {
    let ends = |link: &&Link| link.ends.iter().all(|(at, _)| [one.index, other.index].contains(at));
    world.links_of(one).find(ends).unwrap()
}

fn row(text: &str, part: &str) -> String {
    text.lines().find(|line| line.contains(part)).unwrap_or_else(|| panic!("{part} in\n{text}")).to_owned()
}

#[test]
fn every_operating_system_answers_the_commands_that_checks_need_and_complains_in_its_own_words() {
    let world = world();
    let commands: &[(Os, &[&str], &str)] = &[
        (
            Os::IosXe,
            &[
                "show version",
                "show running-config",
                "show startup-config",
                "show interfaces status",
                "show ip interface brief",
                "show vlan brief",
                "show inventory",
                "show clock",
                "show cdp neighbors",
                "show lldp neighbors",
                "show ip ospf neighbor",
                "show ip bgp summary",
                "show ip route summary",
                "show spanning-tree summary",
                "show processes cpu",
                "show logging",
                "show etherchannel summary",
                "show standby brief",
                "sh int desc",
            ],
            "% Invalid input detected",
        ),
        (
            Os::NxOs,
            &[
                "show version",
                "show running-config",
                "show startup-config",
                "show interface status",
                "show interface brief",
                "show ip interface brief",
                "show vlan brief",
                "show inventory",
                "show clock",
                "show cdp neighbors",
                "show lldp neighbors",
                "show ip ospf neighbors",
                "show ip bgp summary",
                "show vpc",
                "show port-channel summary",
                "show hsrp brief",
            ],
            "% Invalid command at",
        ),
        (
            Os::IosXr,
            &[
                "show version",
                "show running-config",
                "show interfaces brief",
                "show interfaces description",
                "show ipv4 interface brief",
                "show inventory",
                "show clock",
                "show cdp neighbors",
                "show lldp neighbors",
                "show ospf neighbor",
                "show bgp summary",
            ],
            "% Invalid input detected",
        ),
        (
            Os::Asa,
            &[
                "show version",
                "show running-config",
                "show startup-config",
                "show interface ip brief",
                "show nameif",
                "show inventory",
                "show clock",
                "show failover",
                "show route summary",
                "show cpu usage",
            ],
            "ERROR: % Invalid input",
        ),
    ];
    for (os, list, complaint) in commands {
        let device = world.devices().iter().filter(|device| device.os() == *os && device.has_configuration());
        let device =
            device.max_by_key(|device| device.role == Role::Distribution || device.role == Role::BorderRouter).unwrap();
        for command in *list {
            let output = world.exec(device, command).unwrap();
            assert!(
                !output.trim().is_empty() && !output.contains("% Invalid"),
                "{} {command}:\n{output}",
                device.hostname
            );
        }
        assert!(world.exec(device, "frobnicate").unwrap().starts_with(complaint), "{}", device.hostname);
        assert!(world.exec(device, "show frobnicate").unwrap().starts_with(complaint), "{}", device.hostname);
        let shown = world.exec(device, "show version").unwrap();
        assert!(shown.contains(device.software_version) && shown.contains(&device.hostname), "{shown}");
        assert!(world.exec(device, "show inventory").unwrap().contains(&device.serial_text()));
    }
}

#[test]
fn a_pulled_cable_shows_at_both_ends_and_in_every_protocol() {
    let world = world();
    let (core, border) = (named(&world, "sjc01-cs1"), named(&world, "sjc01-br1"));
    let wan = named(&world, "sjc01-dc1-wan1");
    for (one, other, seen) in [(core, border, "show ip ospf neighbor"), (border, core, "show ip ospf neighbor")] {
        assert!(world.exec(one, seen).unwrap().contains(&other.management_ip.to_string()), "{}", one.hostname);
        assert!(world.exec(one, "show cdp neighbors").unwrap().contains(&other.hostname));
        assert!(
            world.exec(one, "show lldp neighbors").unwrap().contains(&other.hostname)
                || one.platform.family == Family::Router
        );
    }
    let inside = between(&world, core, border);
    world.unplug(inside).unwrap();
    assert!(world.is_unplugged(inside) && !world.link_up(inside));
    for (at, port) in &inside.ends {
        let device = &world.devices()[*at];
        let port = world.interfaces(device).into_iter().find(|known| known.name == *port).unwrap();
        assert!(port.admin_up && !port.oper_up);
        assert!(row(&world.exec(device, "show ip interface brief").unwrap(), &port.name).ends_with("down"));
        assert!(
            world
                .exec(device, "show logging")
                .unwrap()
                .contains(&format!("Interface {}, changed state to down", port.name))
        );
    }
    for (one, other) in [(core, border), (border, core)] {
        assert!(!world.exec(one, "show ip ospf neighbor").unwrap().contains(&other.management_ip.to_string()));
        assert!(!world.exec(one, "show cdp neighbors").unwrap().contains(&other.hostname));
    }
    world.plug(inside).unwrap();
    assert!(world.link_up(inside) && world.exec(core, "show cdp neighbors").unwrap().contains(&border.hostname));

    let outside = between(&world, border, wan);
    let state = |device: &Device, command: &str, address: &str| row(&world.exec(device, command).unwrap(), address);
    let address = |device: &Device| {
        let port = &outside.ends[usize::from(outside.ends[1].0 == device.index)].1;
        let port = world.interfaces(device).into_iter().find(|known| known.name == *port).unwrap();
        port.address.unwrap().0.to_string()
    };
    let (ours, theirs) = (address(border), address(wan));
    assert!(!state(border, "show ip bgp summary", &format!("{theirs} ")).contains("Idle"));
    assert!(!state(wan, "show bgp summary", &format!("{ours} ")).contains("Idle"));
    world.unplug(outside).unwrap();
    assert!(state(border, "show ip bgp summary", &format!("{theirs} ")).contains("Idle"));
    assert!(state(wan, "show bgp summary", &format!("{ours} ")).contains("Idle"));
}

#[test]
fn a_device_that_no_path_leads_to_is_out_of_reach_and_back_when_plugged() {
    let world = world();
    let switch = world
        .devices()
        .iter()
        .find(|d| {
            d.role == Role::Access
                && d.platform.family == Family::Switch
                && world.reachability(d) == Reachability::Reachable
        })
        .unwrap();
    let uplinks: Vec<Link> = world
        .links_of(switch)
        .filter(|link| world.devices()[link.ends[0].0].role == Role::Distribution)
        .cloned()
        .collect();
    assert_eq!(uplinks.len(), 2);
    world.unplug(&uplinks[0]).unwrap();
    assert_eq!(world.reachability(switch), Reachability::Reachable, "one uplink is left");
    let other = &uplinks[1].ends[1].1;
    world.apply(switch, &format!("interface {other}\n shutdown\n"), Bend::default()).unwrap();
    assert_eq!(world.reachability(switch), Reachability::Unreachable, "the last uplink is shut");
    world.plug(&uplinks[0]).unwrap();
    assert_eq!(world.reachability(switch), Reachability::Reachable);
}

#[test]
fn both_members_of_a_vpc_pair_show_the_peer_link_and_its_loss() {
    let world = world();
    let group = world.redundancy_groups().iter().find(|group| group.kind == RedundancyKind::Vpc).unwrap();
    let (one, two) = (&world.devices()[group.members[0]], &world.devices()[group.members[1]]);
    let roles: Vec<String> = [one, two].map(|leaf| row(&world.exec(leaf, "show vpc").unwrap(), "vPC role")).to_vec();
    assert!(roles[0].ends_with("primary") && roles[1].ends_with("secondary"), "{roles:?}");
    assert!(world.exec(one, "show vpc").unwrap().contains("peer adjacency formed ok"));
    assert!(row(&world.exec(one, "show port-channel summary").unwrap(), "Po1(").contains("Eth1/53(P)"));
    let peer: Vec<Link> =
        world.links_of(one).filter(|link| link.ends.iter().any(|(at, _)| *at == two.index)).cloned().collect();
    assert_eq!(peer.len(), 2);
    world.unplug(&peer[0]).unwrap();
    assert!(world.exec(one, "show vpc").unwrap().contains("peer adjacency formed ok"), "one member is left");
    assert!(row(&world.exec(one, "show port-channel summary").unwrap(), "Po1(").contains("Eth1/53(D)"));
    world.unplug(&peer[1]).unwrap();
    assert!(world.exec(two, "show vpc").unwrap().contains("peer link is down"));
    assert!(row(&world.exec(two, "show port-channel summary").unwrap(), "Po1(").contains("SD"));
}

#[test]
fn the_active_firewall_gives_lines_to_the_standby_which_takes_over_when_it_falls() {
    let world = world();
    let group = world
        .redundancy_groups()
        .iter()
        .find(|group| group.kind == RedundancyKind::Failover && group.name.contains("dc1"))
        .unwrap();
    let (one, two) = (&world.devices()[group.members[0]], &world.devices()[group.members[1]]);
    let says = |device: &Device| world.exec(device, "show failover").unwrap();
    assert!(
        says(one).contains("This host: Primary - Active")
            && says(one).contains("Other host: Secondary - Standby Ready")
    );
    assert!(says(two).contains("This host: Secondary - Standby Ready"), "{}", says(two));
    let applied = world.apply(one, "object network NEW\n host 10.0.0.77\n", Bend::default()).unwrap();
    assert!(applied.error.is_none() && applied.changed);
    for device in [one, two] {
        assert!(world.running(device).block(&["object", "network", "NEW"]).is_some(), "{}", device.hostname);
    }
    assert_eq!(world.running(two).value("failover lan unit"), Some("secondary"));
    assert_eq!(world.hostname(two), two.hostname);
    let refused = world.apply(one, "access-group NOLIST in interface outside\n", Bend::default()).unwrap();
    assert!(refused.error.unwrap().contains("ERROR: access-list <NOLIST> does not exist"));
    world.set_reachable(one, false).unwrap();
    assert!(says(two).contains("This host: Secondary - Active") && says(two).contains("Other host: Primary - Failed"));
}

#[test]
fn a_router_that_stages_lines_takes_all_of_a_template_or_nothing() {
    let world = world();
    let wan = named(&world, "sjc01-dc1-wan1");
    let applied = world.apply(wan, "snmp-server location elsewhere\nnonsense\n", Bend::default()).unwrap();
    assert!(applied.error.unwrap().contains("% Invalid input detected") && !applied.changed);
    let policy = "router bgp 64512\n neighbor 10.99.99.9\n  remote-as 65099\n  address-family ipv4 unicast\n   route-policy NONE in\n";
    let applied = world.apply(wan, policy, Bend::default()).unwrap();
    assert!(applied.error.unwrap().contains("% Failed to commit one or more configuration items") && !applied.changed);
    let applied =
        world.apply(wan, &format!("route-policy NONE\n  pass\nend-policy\n{policy}"), Bend::default()).unwrap();
    assert!(applied.error.is_none() && applied.changed);
    assert_eq!(applied.lines.last().unwrap().line, "commit");
    assert!(world.exec(wan, "show bgp summary").unwrap().contains("10.99.99.9"));
    let port = world.interfaces(wan).into_iter().find(|port| port.name == "TenGigE0/0/0/30").unwrap();
    assert!(!port.admin_up);
    world
        .apply(
            wan,
            "interface TenGigE0/0/0/30\n no shutdown\n ipv4 address 192.0.2.1 255.255.255.252\n",
            Bend::default(),
        )
        .unwrap();
    let port = world.interfaces(wan).into_iter().find(|port| port.name == "TenGigE0/0/0/30").unwrap();
    assert!(port.admin_up && !port.oper_up && port.address.is_some());
}
