//! What IOS-XE tells of neighbours and routes: CDP, LLDP, OSPF, BGP and the sum of the routing table.
//!
//! Where next: [`super::show`], which prints the rest.

use std::fmt::Write as _;

use crate::device::Family;
use crate::show::{View, age, short};

/// `show cdp neighbors`.
pub(super) fn cdp(view: &View<'_>) -> String {
    if view.config.roots().iter().any(|node| node.line == "no cdp run") {
        return "% CDP is not enabled\n".to_owned();
    }
    let mut out = String::from(
        "Capability Codes: R - Router, T - Trans Bridge, B - Source Route Bridge\n                  S - Switch, H - Host, I - IGMP, r - Repeater, P - Phone\n\nDevice ID        Local Intrfce     Holdtme    Capability  Platform  Port ID\n",
    );
    let list = view.neighbors();
    for neighbor in &list {
        let able = match neighbor.device.platform.family {
            Family::Router => "R",
            Family::AccessPoint => "T B",
            _ => "S I",
        };
        let _written = writeln!(
            out,
            "{:<16} {:<17} 150        {able:<11} {:<9} {}",
            neighbor.hostname,
            short(neighbor.port),
            neighbor.device.platform.id,
            short(neighbor.far_port)
        );
    }
    let _written = writeln!(out, "\nTotal cdp entries displayed : {}", list.len());
    out
}

/// `show lldp neighbors`.
pub(super) fn lldp(view: &View<'_>) -> String {
    if !view.config.has("lldp run") {
        return "% LLDP is not enabled\n".to_owned();
    }
    let mut out = String::from(
        "Capability codes:\n    (R) Router, (B) Bridge, (T) Telephone, (C) DOCSIS Cable Device\n    (W) WLAN Access Point, (P) Repeater, (S) Station, (O) Other\n\nDevice ID           Local Intf     Hold-time  Capability      Port ID\n",
    );
    let list = view.neighbors();
    for neighbor in &list {
        let able = match neighbor.device.platform.family {
            Family::Router => "R",
            Family::AccessPoint => "B,W",
            _ => "B,R",
        };
        let _written = writeln!(
            out,
            "{:<19} {:<14} 120        {able:<15} {}",
            neighbor.hostname.chars().take(19).collect::<String>(),
            short(neighbor.port),
            short(neighbor.far_port)
        );
    }
    let _written = writeln!(out, "\nTotal entries displayed: {}", list.len());
    out
}

/// `show ip ospf neighbor`.
pub(super) fn ospf(view: &View<'_>) -> String {
    let mut out = String::from("\nNeighbor ID     Pri   State           Dead Time   Address         Interface\n");
    for neighbor in view.ospf() {
        let _written = writeln!(
            out,
            "{:<15} 1     FULL/DR         00:00:3{}    {:<15} {}",
            neighbor.device.management_ip.to_string(),
            neighbor.device.index % 9,
            neighbor.addresses.1.to_string(),
            neighbor.port
        );
    }
    out
}

/// `show ip bgp summary`.
pub(super) fn bgp(view: &View<'_>) -> String {
    let Some(local) = view.local_as() else { return "% BGP not active\n".to_owned() };
    let mut out = format!(
        "BGP router identifier {}, local AS number {local}\nBGP table version is 4711, main routing table version 4711\n\nNeighbor        V           AS MsgRcvd MsgSent   TblVer  InQ OutQ Up/Down  State/PfxRcd\n",
        view.device.management_ip
    );
    for session in view.bgp() {
        let state = session.prefixes.map_or_else(|| "Idle".to_owned(), |count| count.to_string());
        let messages = session.since_s / 60;
        let _written = writeln!(
            out,
            "{:<15} 4 {:>12} {messages:>7} {messages:>7}     4711    0    0 {:<8} {state:>12}",
            session.address,
            session.remote_as,
            age(session.since_s)
        );
    }
    out
}

/// `show ip route summary`: what the configuration and the neighbours bring.
pub(super) fn routes(view: &View<'_>) -> String {
    let connected = view.interfaces().iter().filter(|port| port.oper_up && port.address.is_some()).count();
    let fixed = view.config.roots().iter().filter(|node| node.line.starts_with("ip route ")).count();
    let ospf = view.ospf().len() * 12;
    let bgp: u32 = view.bgp().iter().filter_map(|session| session.prefixes).sum();
    let total = 2 * connected + fixed + ospf + bgp as usize;
    let mut out = String::from(
        "IP routing table name is default (0x0)\nIP routing table maximum-paths is 32\nRoute Source    Networks    Subnets     Replicates  Overhead    Memory (bytes)\n",
    );
    for (source, count) in
        [("connected", 2 * connected), ("static", fixed), ("ospf 1", ospf), ("bgp", bgp as usize), ("Total", total)]
    {
        let _written =
            writeln!(out, "{source:<15} 0           {count:<11} 0           {:<11} {}", count * 96, count * 312);
    }
    out
}
