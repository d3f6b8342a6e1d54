//! The ports of one device, expanded on demand from its platform, its cables and its running configuration, so that an
//! edited line shows at once and nothing is kept.
//!
//! Where next: [`crate::ios_xe::tree`], whose blocks are read here.

use std::net::Ipv4Addr;

use uuid::Uuid;

use crate::device::{Device, Family};
use crate::ios_xe::Config;
use crate::seed::Seed;

/// A port that exists in hardware.
#[derive(Debug, Clone)]
pub struct PhysicalPort {
    /// `GigabitEthernet1/0/1`.
    pub name: String,
    /// Middle number.
    pub slot: u8,
    /// Speed in kbit/s.
    pub speed_kbps: u64,
}

/// Ports of every member, in order.
pub fn physical_ports(device: &Device) -> Vec<PhysicalPort> {
    let mut ports = Vec::new();
    for member in 0..device.members.len() {
        for group in device.platform.ports {
            for number in group.first..group.first + group.count {
                let name = match device.platform.family {
                    Family::Switch => format!("{}{}/{}/{number}", group.kind, member + 1, group.slot),
                    Family::Router | Family::WirelessController => format!("{}0/{}/{number}", group.kind, group.slot),
                    Family::AccessPoint => format!("{}{number}", group.kind),
                };
                ports.push(PhysicalPort { name, slot: group.slot, speed_kbps: group.speed_kbps });
            }
        }
    }
    ports
}

/// One interface as the world sees it.
#[derive(Debug, Clone)]
pub struct Interface {
    /// The controller's id, UUID version 4.
    pub id: Uuid,
    /// `GigabitEthernet1/0/1`, `Vlan10`, `Loopback0`.
    pub name: String,
    /// Not shut down.
    pub admin_up: bool,
    /// Has a signal.
    pub oper_up: bool,
    /// The `description` line.
    pub description: String,
    /// Speed in kbit/s.
    pub speed_kbps: u64,
    /// SNMP index.
    pub if_index: u32,
    /// Own MAC address.
    pub mac: [u8; 6],
    /// Access VLAN, where it has one.
    pub vlan: Option<u16>,
    /// Voice VLAN, where it has one.
    pub voice_vlan: Option<u16>,
    /// Native VLAN of a trunk.
    pub native_vlan: Option<u16>,
    /// `access`, `trunk`, `routed`, `dynamic_auto`.
    pub mode: &'static str,
    /// In hardware, or a loopback, SVI, ….
    pub physical: bool,
    /// Address and mask.
    pub address: Option<(Ipv4Addr, Ipv4Addr)>,
}

/// Expands the interfaces of a device under its running configuration. `cabled` are its ports with a cable and whether
/// the other end answers.
pub(crate) fn expand(seed: Seed, device: &Device, config: &Config, cabled: &[(String, bool)]) -> Vec<Interface> {
    let hardware = physical_ports(device);
    let mut names: Vec<(String, u64, bool)> =
        hardware.into_iter().map(|port| (port.name, port.speed_kbps, true)).collect();
    for node in config.roots() {
        if let Some(name) = node.line.strip_prefix("interface ")
            && !names.iter().any(|(known, _, _)| known == name)
        {
            names.push((name.to_owned(), 1_000_000, false));
        }
    }
    let routed = matches!(device.platform.family, Family::Router | Family::WirelessController);
    let mut list = Vec::with_capacity(names.len());
    for (number, (name, speed_kbps, physical)) in (0_u32..).zip(names) {
        let mut draw = seed.draw(&name, device.index as u64);
        let id = draw.uuid();
        let block = config.block(&["interface", &name]);
        let value = |key: &str| block.and_then(|node| node.child_value(key));
        let flag = |line: &str| block.is_some_and(|node| node.children.iter().any(|child| child.line == line));
        let admin_up = !flag("shutdown");
        let signal = match cabled.iter().find(|(port, _)| *port == name) {
            Some((_, answers)) => *answers,
            None => !physical || (device.role == crate::Role::Access && draw.chance(80)),
        };
        let vlan_of = |key: &str| value(key).and_then(|text| text.parse().ok());
        let mode = if !physical || routed || flag("no switchport") {
            "routed"
        } else if value("switchport mode") == Some("trunk") {
            "trunk"
        } else if value("switchport mode") == Some("access") {
            "access"
        } else {
            "dynamic_auto"
        };
        let address = value("ip address").and_then(|text| {
            let mut words = text.split_whitespace();
            Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
        });
        let [a, b, c, d, e, _] = device.mac;
        list.push(Interface {
            id,
            admin_up,
            oper_up: admin_up && signal,
            description: value("description").unwrap_or_default().to_owned(),
            speed_kbps,
            if_index: number + 1,
            mac: [a, b, c, d, e, u8::try_from(number & 0xFF).unwrap_or(0)],
            vlan: vlan_of("switchport access vlan"),
            voice_vlan: vlan_of("switchport voice vlan"),
            native_vlan: vlan_of("switchport trunk native vlan"),
            mode,
            physical,
            address,
            name,
        });
    }
    list
}
