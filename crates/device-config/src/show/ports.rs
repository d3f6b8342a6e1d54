//! Ports and what they carry: `show interfaces status`, `show ip interface brief`, `show vlan brief`,
//! `show spanning-tree summary`.

use super::{Os, ShowFault, behind, behind_heading, is_heading, number, os, words};
use crate::Platform;

/// A row of `show interfaces status` (`show interface status` on NX-OS).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortStatus {
    /// `Gi1/0/1`, `Eth1/1`.
    pub port: String,
    /// The description, cut short by the device; empty without one.
    pub name: String,
    /// `connected`, `notconnect`, `disabled`, `err-disabled`, and others; cut short by NX-OS (`notconnec`).
    pub status: String,
    /// A VLAN, `trunk`, `routed`, `--`.
    pub vlan: String,
    /// `full`, `a-full`, `auto`.
    pub duplex: String,
    /// `1000`, `a-1000`, `10G`, `auto`.
    pub speed: String,
    /// What is plugged in, as the device names it.
    pub kind: String,
}

const STATES: [&str; 17] = [
    "connected",
    "notconnect",
    "notconnec",
    "disabled",
    "err-disabled",
    "inactive",
    "monitoring",
    "suspended",
    "suspnd",
    "sfpAbsent",
    "xcvrAbsen",
    "xcvrAbsent",
    "noOperMem",
    "channelDo",
    "linkFlapE",
    "down",
    "up",
];

/// Reads `show interfaces status`.
///
/// # Errors
///
/// An unsupported platform, or a text without the heading.
pub fn interfaces_status(platform: Platform, text: &str) -> Result<Vec<PortStatus>, ShowFault> {
    const COMMAND: &str = "show interfaces status";
    os(platform, COMMAND)?;
    let lines = behind_heading(text, &["Port", "Name", "Status", "Vlan", "Duplex", "Speed", "Type"], COMMAND)?;
    Ok(lines.into_iter().filter_map(port_status).collect())
}

fn port_status(line: &str) -> Option<PortStatus> {
    let words = words(line);
    let port = words.first().filter(|port| port.contains(|c: char| c.is_ascii_digit()))?;
    let is_vlan = |word: &str| {
        let list = word.bytes().all(|b| b.is_ascii_digit() || b == b',');
        list || matches!(word, "trunk" | "routed" | "unassigned" | "--" | "f-path" | "pvlan" | "monitor")
    };
    // A name may hold the word of a state: the last one that a VLAN follows is meant.
    let at = (1..words.len()).rev().find(|at| {
        let followed = words.get(at + 1).is_some_and(|word| is_vlan(word)) && words.len() > at + 3;
        followed && words.get(*at).is_some_and(|word| STATES.contains(word))
    })?;
    let text = |from: usize, to: usize| words.get(from..to).unwrap_or_default().join(" ");
    Some(PortStatus {
        port: (*port).to_owned(),
        name: text(1, at),
        status: text(at, at + 1),
        vlan: text(at + 1, at + 2),
        duplex: text(at + 2, at + 3),
        speed: text(at + 3, at + 4),
        kind: text(at + 4, words.len()),
    })
}

/// A row of `show ip interface brief`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterfaceAddress {
    /// The interface, in the form that the device prints.
    pub interface: String,
    /// Its address; `None` when unassigned. NX-OS prints only interfaces that have one.
    pub address: Option<String>,
    /// Whether an administrator has it up.
    pub enabled: bool,
    /// Whether the line protocol is up.
    pub up: bool,
    /// The routing table, where the output names one (NX-OS).
    pub vrf: Option<String>,
}

/// Reads `show ip interface brief`.
///
/// # Errors
///
/// An unsupported platform, or a text without the heading.
pub fn ip_interface_brief(platform: Platform, text: &str) -> Result<Vec<InterfaceAddress>, ShowFault> {
    const COMMAND: &str = "show ip interface brief";
    let os = os(platform, COMMAND)?;
    let heading: &[&str] = match os {
        Os::IosXe => &["Interface", "IP-Address", "OK?", "Method", "Status", "Protocol"],
        Os::NxOs => &["Interface", "IP Address", "Interface Status"],
    };
    behind_heading(text, heading, COMMAND)?;
    let (mut rows, mut vrf) = (Vec::new(), None);
    for line in text.lines() {
        if let Some((_, rest)) = line.split_once(" VRF \"") {
            vrf = rest.split('"').next().map(str::to_owned);
        }
        let words = words(line);
        let row = match (os, words.as_slice()) {
            (Os::IosXe, [interface, address, "YES" | "NO", _, status @ .., protocol]) if !status.is_empty() => {
                let address = (*address != "unassigned").then(|| (*address).to_owned());
                Some((*interface, address, status.first() != Some(&"administratively"), *protocol == "up"))
            }
            (Os::NxOs, [interface, address, status]) if status.starts_with("protocol-") => {
                let up = status.starts_with("protocol-up");
                Some((*interface, Some((*address).to_owned()), status.ends_with("admin-up"), up))
            }
            _ => None,
        };
        rows.extend(row.map(|(interface, address, enabled, up)| {
            let (interface, vrf) = (interface.to_owned(), vrf.clone());
            InterfaceAddress { interface, address, enabled, up, vrf }
        }));
    }
    Ok(rows)
}

/// A row of `show vlan brief`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vlan {
    /// Its number.
    pub id: u16,
    /// Its name.
    pub name: String,
    /// `active`, `suspended`, `act/unsup`, `act/lshut`.
    pub status: String,
    /// The access ports in it; trunks are not listed.
    pub ports: Vec<String>,
}

/// Reads `show vlan brief`.
///
/// # Errors
///
/// An unsupported platform, or a text without the heading.
pub fn vlan_brief(platform: Platform, text: &str) -> Result<Vec<Vlan>, ShowFault> {
    const COMMAND: &str = "show vlan brief";
    os(platform, COMMAND)?;
    let lines = behind_heading(text, &["VLAN", "Name", "Status", "Ports"], COMMAND)?;
    let mut vlans: Vec<Vlan> = Vec::new();
    // `show vlan` without `brief` goes on with another table.
    for line in lines.into_iter().take_while(|line| !is_heading(line, &["VLAN", "Type"])) {
        let words = words(line);
        let ports = |from: usize| {
            let listed = words.get(from..).unwrap_or_default().iter().flat_map(|word| word.split(','));
            listed.filter(|port| !port.is_empty()).map(str::to_owned).collect::<Vec<_>>()
        };
        let status = words.iter().skip(2).position(|word| {
            matches!(*word, "active" | "suspended") || word.starts_with("act/") || word.starts_with("sus/")
        });
        match (words.first().and_then(|id| number(id)), status) {
            (Some(id), Some(status)) if !line.starts_with(' ') => {
                let (name, at) = (words.get(1..status + 2).unwrap_or_default().join(" "), status + 2);
                let status = words.get(at).copied().unwrap_or_default().to_owned();
                vlans.push(Vlan { id, name, status, ports: ports(at + 1) });
            }
            _ => {
                if let Some(vlan) = vlans.last_mut().filter(|_| line.starts_with([' ', '\t'])) {
                    vlan.ports.extend(ports(0));
                }
            }
        }
    }
    Ok(vlans)
}

/// `show spanning-tree summary`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpanningTree {
    /// `rapid-pvst`, `pvst`, `mst`.
    pub mode: String,
    /// The VLANs or instances that this device is the root of.
    pub root_for: Vec<String>,
    /// Each VLAN or instance.
    pub instances: Vec<TreeInstance>,
}

/// A VLAN or an instance of the spanning tree, and how many of its ports are in which state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeInstance {
    /// `VLAN0010`, `MST0`.
    pub name: String,
    /// Ports that block.
    pub blocking: u32,
    /// Ports that listen or learn: the tree is changing.
    pub changing: u32,
    /// Ports that forward.
    pub forwarding: u32,
}

/// Reads `show spanning-tree summary`.
///
/// # Errors
///
/// An unsupported platform, or a text that does not say the mode.
pub fn spanning_tree_summary(platform: Platform, text: &str) -> Result<SpanningTree, ShowFault> {
    const COMMAND: &str = "show spanning-tree summary";
    os(platform, COMMAND)?;
    let mode = text.lines().find_map(|line| behind(line, "Switch is in ")?.split_whitespace().next());
    let mode = mode.ok_or(ShowFault::NotThis { command: COMMAND })?.to_owned();
    let mut tree = SpanningTree { mode, root_for: Vec::new(), instances: Vec::new() };
    let mut in_roots = false;
    for line in text.lines() {
        let roots = behind(line, "Root bridge for:");
        in_roots = roots.is_some() || (in_roots && line.starts_with([' ', '\t']) && !line.trim().is_empty());
        if in_roots {
            let listed = roots.unwrap_or(line).split(',').map(str::trim);
            tree.root_for.extend(listed.filter(|name| !name.is_empty() && *name != "none").map(str::to_owned));
        }
        let words = words(line);
        if let [name, blocking, listening, learning, forwarding, _] = words.as_slice()
            && name.starts_with(|c: char| c.is_ascii_alphabetic())
            && let (Some(blocking), Some(listening), Some(learning), Some(forwarding)) =
                (number(blocking), number::<u32>(listening), number::<u32>(learning), number(forwarding))
        {
            let changing = listening.saturating_add(learning);
            tree.instances.push(TreeInstance { name: (*name).to_owned(), blocking, changing, forwarding });
        }
    }
    Ok(tree)
}
