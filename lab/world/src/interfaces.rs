//! The ports of one device, expanded on demand from its platform, its cables and its running configuration, so that an
//! edited line shows at once and nothing is kept.
//!
//! Where next: [`crate::lines::tree`], whose blocks are read here.

use std::net::Ipv4Addr;

use uuid::Uuid;

use crate::device::{Device, Family};
use crate::lines::{Config, Node};
use crate::os::Os;
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
                let (kind, slot) = (group.kind, group.slot);
                let name = match (device.os(), device.platform.family) {
                    (Os::NxOs, _) if kind == "mgmt" => format!("{kind}{number}"),
                    (Os::NxOs | Os::Asa, _) => format!("{kind}1/{number}"),
                    (Os::IosXr, _) if kind == "MgmtEth" => format!("{kind}0/RP0/CPU0/{number}"),
                    (Os::IosXr, _) => format!("{kind}0/0/{slot}/{number}"),
                    (_, Family::Switch) => format!("{kind}{}/{slot}/{number}", member + 1),
                    (_, Family::AccessPoint) => format!("{kind}{number}"),
                    _ => format!("{kind}0/{slot}/{number}"),
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

/// What the lines of an interface's block say.
#[derive(Debug, Default)]
struct Said {
    shut: bool,
    routed: bool,
    address: Option<(Ipv4Addr, Ipv4Addr)>,
}

/// Reads a block in the way of the operating system. A port without a block is as it was unpacked.
fn said(os: Os, name: &str, block: Option<&Node>) -> Said {
    let has = |line: &str| block.is_some_and(|block| block.has(line));
    let words = |key: &str| -> Vec<&str> {
        block.and_then(|block| block.child_value(key)).map(|text| text.split(' ').collect()).unwrap_or_default()
    };
    let masked = |key: &str| match words(key).as_slice() {
        [address, mask, ..] => Some((address.parse().ok()?, mask.parse().ok()?)),
        _ => None,
    };
    match os {
        Os::IosXe => Said { shut: has("shutdown"), routed: has("no switchport"), address: masked("ip address") },
        Os::IosXr => Said { shut: has("shutdown"), routed: true, address: masked("ipv4 address") },
        Os::Asa => Said { shut: has("shutdown"), routed: true, address: masked("ip address") },
        Os::NxOs => Said {
            shut: if name.starts_with("Vlan") { !has("no shutdown") } else { has("shutdown") },
            routed: has("no switchport") || !(name.starts_with("Ethernet") || name.starts_with("port-channel")),
            address: words("ip address").first().and_then(|prefix| {
                let (address, length) = prefix.split_once('/')?;
                let bits = u32::MAX.checked_shl(32 - length.parse::<u32>().ok()?).unwrap_or(0);
                Some((address.parse().ok()?, Ipv4Addr::from(bits)))
            }),
        },
    }
}

/// Whether the lines of a block shut a port, in the way of the operating system.
pub(crate) fn is_shut(config: &Config, name: &str) -> bool {
    said(config.os(), name, config.block(&["interface", name])).shut
}

/// The ports of the hardware that a bundle consists of.
pub(crate) fn members<'a>(config: &'a Config, bundle: &str) -> Vec<&'a str> {
    let number = bundle.trim_start_matches(|c: char| !c.is_ascii_digit());
    let joins = |node: &Node| {
        ["channel-group", "bundle id"]
            .iter()
            .any(|key| node.child_value(key).is_some_and(|text| text.split(' ').next() == Some(number)))
    };
    config.roots().iter().filter(|node| joins(node)).filter_map(|node| node.line.strip_prefix("interface ")).collect()
}

fn is_bundle(name: &str) -> bool {
    ["Port-channel", "port-channel", "Bundle-Ether"].iter().any(|kind| name.starts_with(kind))
}

/// Expands the interfaces of a device under its running configuration. `cabled` are its ports with a cable and whether
/// it carries a signal.
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
    let os = device.os();
    let routes = matches!(device.platform.family, Family::Router | Family::WirelessController);
    let mut list: Vec<Interface> = Vec::with_capacity(names.len());
    for (number, (name, speed_kbps, physical)) in (0_u32..).zip(names) {
        let mut draw = seed.draw(&name, device.index as u64);
        let id = draw.uuid();
        let block = config.block(&["interface", &name]);
        let value = |key: &str| block.and_then(|node| node.child_value(key));
        let said = said(os, &name, block);
        let signal = match cabled.iter().find(|(port, _)| *port == name) {
            Some((_, answers)) => *answers,
            None if !physical => true,
            None if has_management(&name) => true,
            None => holds_endpoints(device) && draw.chance(80),
        };
        let vlan_of = |key: &str| value(key).and_then(|text| text.parse().ok());
        let mode = if !physical && !is_bundle(&name) || routes || said.routed {
            "routed"
        } else if value("switchport mode") == Some("trunk") {
            "trunk"
        } else if value("switchport mode") == Some("access") {
            "access"
        } else {
            "dynamic_auto"
        };
        let [a, b, c, d, e, _] = device.mac;
        list.push(Interface {
            id,
            admin_up: !said.shut,
            oper_up: !said.shut && signal,
            description: value("description").unwrap_or_default().to_owned(),
            speed_kbps,
            if_index: number + 1,
            mac: [a, b, c, d, e, u8::try_from(number & 0xFF).unwrap_or(0)],
            vlan: vlan_of("switchport access vlan"),
            voice_vlan: vlan_of("switchport voice vlan"),
            native_vlan: vlan_of("switchport trunk native vlan"),
            mode,
            physical,
            address: said.address,
            name,
        });
    }
    follow_members(config, &mut list);
    list
}

/// A bundle is up while one of its members is; what is built on a port is up while the port is.
fn follow_members(config: &Config, list: &mut [Interface]) {
    for at in 0..list.len() {
        let Some(name) = list.get(at).map(|port| port.name.clone()) else { continue };
        let below: Vec<String> = if let Some((parent, _)) = name.split_once('.') {
            vec![parent.to_owned()]
        } else if is_bundle(&name) {
            members(config, &name).into_iter().map(str::to_owned).collect()
        } else {
            continue;
        };
        let up = list.iter().any(|port| port.oper_up && below.contains(&port.name));
        if let Some(port) = list.get_mut(at) {
            port.oper_up &= up;
        }
    }
}

/// Management ports are plugged into a network of their own.
fn has_management(name: &str) -> bool {
    ["mgmt", "MgmtEth", "Management"].iter().any(|kind| name.starts_with(kind))
}

/// Whether something other than network devices is plugged into its free ports.
fn holds_endpoints(device: &Device) -> bool {
    device.role == crate::Role::Access || device.os() == Os::NxOs && device.role == crate::Role::Distribution
}
