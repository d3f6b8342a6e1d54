//! What IOS-XR answers to exec commands.
//!
//! Where next: [`crate::show`], which reads command lines and gathers the facts.

use std::fmt::Write as _;

use crate::device::Family;
use crate::interfaces::Interface;
use crate::show::{Asked, Command, View, age, short, uptime_words};

pub(crate) static COMMANDS: &[Command] = &[
    ("show running-config", Asked::RunningConfig),
    ("show running-config interface", Asked::RunningInterface),
    ("show version", Asked::Version),
    ("show interfaces brief", Asked::InterfaceStatus),
    ("show interfaces description", Asked::InterfaceDescription),
    ("show ipv4 interface brief", Asked::IpInterfaceBrief),
    ("show ip interface brief", Asked::IpInterfaceBrief),
    ("show inventory", Asked::Inventory),
    ("show clock", Asked::Clock),
    ("show cdp neighbors", Asked::Cdp),
    ("show lldp neighbors", Asked::Lldp),
    ("show ospf neighbor", Asked::Ospf),
    ("show bgp summary", Asked::Bgp),
    ("show bgp ipv4 unicast summary", Asked::Bgp),
    ("reload", Asked::Reload),
    ("clear", Asked::Harmless),
    ("terminal", Asked::Harmless),
    ("ping", Asked::Harmless),
    ("traceroute", Asked::Harmless),
];

/// Prints the answer to a command that shows something.
pub(crate) fn answer(view: &View<'_>, asked: Asked) -> String {
    match asked {
        Asked::Version => version(view),
        Asked::InterfaceStatus => brief(&view.interfaces()),
        Asked::InterfaceDescription => descriptions(&view.interfaces()),
        Asked::IpInterfaceBrief => addresses(&view.interfaces()),
        Asked::Inventory => inventory(view),
        Asked::Clock => view.world.now().strftime("%H:%M:%S.000 UTC %a %b %e %Y").to_string(),
        Asked::Cdp => neighbors(view, "Device ID       Local Intrfce    Holdtme Capability Platform  Port ID"),
        Asked::Lldp => neighbors(view, "Device ID       Local Intf       Hold-time  Capability     Port ID"),
        Asked::Ospf => ospf(view),
        Asked::Bgp => bgp(view),
        _ => String::new(),
    }
}

fn version(view: &View<'_>) -> String {
    let device = view.device;
    format!(
        "Cisco IOS XR Software, Version {version}\nCopyright (c) 2013-2023 by Cisco Systems, Inc.\n\nBuild Information:\n Version      : {version}\n Location     : /opt/cisco/XR/packages/\n Label        : {version}\n\ncisco {model} () processor\n{name} uptime is {up}\n",
        version = device.software_version,
        model = device.platform.id,
        name = view.hostname,
        up = uptime_words(view.world.uptime_s(device)),
    )
}

fn inventory(view: &View<'_>) -> String {
    let device = view.device;
    format!(
        "NAME: \"0/RP0\", DESCR: \"{}\"\nPID: {:<18} , VID: V01, SN: {}\n",
        device.platform.type_name,
        device.platform.id,
        device.serial_text()
    )
}

fn state(port: &Interface) -> (&'static str, &'static str) {
    match (port.admin_up, port.oper_up) {
        (false, _) => ("admin-down", "admin-down"),
        (true, true) => ("up", "up"),
        (true, false) => ("down", "down"),
    }
}

fn brief(list: &[Interface]) -> String {
    let mut out = String::from(
        "\n               Intf       Intf        LineP              Encap  MTU        BW\n               Name       State       State               Type (byte)    (Kbps)\n--------------------------------------------------------------------------------\n",
    );
    for port in list {
        let (one, two) = state(port);
        let _written = writeln!(
            out,
            "{:>19} {one:>11} {two:>11}               ARPA  1514 {:>9}",
            short(&port.name),
            port.speed_kbps
        );
    }
    out
}

fn descriptions(list: &[Interface]) -> String {
    let mut out = String::from(
        "\nInterface          Status      Protocol    Description\n--------------------------------------------------------------------------------\n",
    );
    for port in list {
        let (one, two) = state(port);
        let _written = writeln!(out, "{:<18} {one:<11} {two:<11} {}", short(&port.name), port.description);
    }
    out
}

fn addresses(list: &[Interface]) -> String {
    let mut out = String::from("\nInterface                      IP-Address      Status          Protocol Vrf-Name\n");
    for port in list {
        let address = port.address.map_or_else(|| "unassigned".to_owned(), |(address, _)| address.to_string());
        let (status, protocol) = match (port.admin_up, port.oper_up) {
            (false, _) => ("Shutdown", "Down"),
            (true, true) => ("Up", "Up"),
            (true, false) => ("Down", "Down"),
        };
        let _written = writeln!(out, "{:<30} {address:<15} {status:<15} {protocol:<8} default", port.name);
    }
    out
}

/// `show cdp neighbors` and `show lldp neighbors`; ports that do not speak CDP are told by LLDP only.
fn neighbors(view: &View<'_>, head: &str) -> String {
    let by_cdp = head.contains("Platform");
    if by_cdp && !view.config.has("cdp") || !by_cdp && view.config.block(&["lldp"]).is_none() {
        return format!("% {} is not enabled\n", if by_cdp { "CDP" } else { "LLDP" });
    }
    let mut out = format!("Capability Codes: R - Router, B - Bridge, S - Switch, H - Host\n\n{head}\n");
    for neighbor in view.neighbors() {
        let speaks = view.config.block(&["interface", neighbor.port]).is_some_and(|block| block.has("cdp"));
        if by_cdp && !speaks {
            continue;
        }
        let able = if neighbor.device.platform.family == Family::Router { "R" } else { "S I" };
        let platform = if by_cdp { format!("{:<9} ", neighbor.device.platform.id) } else { String::new() };
        let _written = writeln!(
            out,
            "{:<15} {:<16} 130     {able:<10} {platform}{}",
            neighbor.hostname,
            short(neighbor.port),
            neighbor.far_port
        );
    }
    out
}

fn ospf(view: &View<'_>) -> String {
    let mut out = String::from(
        "\n* Indicates MADJ interface\n\nNeighbors for OSPF CORE\n\nNeighbor ID     Pri   State           Dead Time   Address         Interface\n",
    );
    for neighbor in view.ospf() {
        let up = view.world.uptime_s(view.device).min(view.world.uptime_s(neighbor.device));
        let _written = writeln!(
            out,
            "{:<15} 1     FULL/  -        00:00:3{}    {:<15} {}\n    Neighbor is up for {}",
            neighbor.device.management_ip.to_string(),
            neighbor.device.index % 9,
            neighbor.addresses.1.to_string(),
            neighbor.port,
            age(up)
        );
    }
    out
}

fn bgp(view: &View<'_>) -> String {
    let Some(local) = view.local_as() else { return "% BGP instance 'default' not active\n".to_owned() };
    let mut out = format!(
        "BGP router identifier {}, local AS number {local}\nBGP generic scan interval 60 secs\nBGP table state: Active\nBGP main routing table version 4711\n\nNeighbor        Spk    AS MsgRcvd MsgSent   TblVer  InQ OutQ  Up/Down  St/PfxRcd\n",
        view.device.management_ip
    );
    for session in view.bgp() {
        let state = session.prefixes.map_or_else(|| "Idle".to_owned(), |count| count.to_string());
        let messages = session.since_s / 60;
        let _written = writeln!(
            out,
            "{:<15}   0 {:>5} {messages:>7} {messages:>7}     4711    0    0 {:>8} {state:>10}",
            session.address,
            session.remote_as,
            age(session.since_s)
        );
    }
    out
}
