//! What NX-OS answers to exec commands.
//!
//! Where next: [`crate::show`], which reads command lines and gathers the facts.

use std::fmt::Write as _;

use crate::device::{Family, Reachability};
use crate::interfaces::{Interface, members};
use crate::show::{Asked, Command, View, age, short};

pub(crate) static COMMANDS: &[Command] = &[
    ("show running-config", Asked::RunningConfig),
    ("show running-config interface", Asked::RunningInterface),
    ("show startup-config", Asked::StartupConfig),
    ("show version", Asked::Version),
    ("show interface status", Asked::InterfaceStatus),
    ("show interface brief", Asked::InterfaceStatus),
    ("show interface description", Asked::InterfaceDescription),
    ("show ip interface brief", Asked::IpInterfaceBrief),
    ("show vlan", Asked::Vlan),
    ("show inventory", Asked::Inventory),
    ("show clock", Asked::Clock),
    ("show cdp neighbors", Asked::Cdp),
    ("show lldp neighbors", Asked::Lldp),
    ("show ip ospf neighbors", Asked::Ospf),
    ("show ip bgp summary", Asked::Bgp),
    ("show bgp ipv4 unicast summary", Asked::Bgp),
    ("show vpc", Asked::Vpc),
    ("show port-channel summary", Asked::Bundles),
    ("show hsrp brief", Asked::Standby),
    ("copy running-config startup-config", Asked::Save),
    ("reload", Asked::Reload),
    ("write erase", Asked::Erase),
    ("clear", Asked::Harmless),
    ("terminal", Asked::Harmless),
    ("ping", Asked::Harmless),
    ("traceroute", Asked::Harmless),
    ("checkpoint", Asked::Harmless),
];

/// Prints the answer to a command that shows something.
pub(crate) fn answer(view: &View<'_>, asked: Asked) -> String {
    match asked {
        Asked::Version => version(view),
        Asked::InterfaceStatus => status(&view.interfaces()),
        Asked::InterfaceDescription => descriptions(&view.interfaces()),
        Asked::IpInterfaceBrief => addresses(&view.interfaces()),
        Asked::Vlan => vlans(view),
        Asked::Inventory => inventory(view),
        Asked::Clock => view.world.now().strftime("%H:%M:%S.000 UTC %a %b %e %Y\nTime source is NTP").to_string(),
        Asked::Cdp => cdp(view),
        Asked::Lldp => lldp(view),
        Asked::Ospf => ospf(view),
        Asked::Bgp => bgp(view),
        Asked::Vpc => vpc(view),
        Asked::Bundles => bundles(view),
        Asked::Standby => standby(view),
        _ => String::new(),
    }
}

fn version(view: &View<'_>) -> String {
    let device = view.device;
    let up = view.world.uptime_s(device);
    format!(
        "Cisco Nexus Operating System (NX-OS) Software\n\nSoftware\n  BIOS: version 05.50\n  NXOS: version {version}\n  NXOS image file is:  bootflash:///{image}.bin\n\nHardware\n  cisco Nexus9000 {model} Chassis\n  Processor Board ID {serial}\n\n  Device name: {name}\n  bootflash:  115343360 kB\n\nKernel uptime is {days} day(s), {hours} hour(s), {minutes} minute(s), {seconds} second(s)\n\nLast reset\n  Reason: Reset Requested by CLI command reload\n",
        version = device.software_version,
        image = device.platform.image,
        model = device.platform.id.trim_start_matches("N9K-"),
        serial = device.serial_text(),
        name = view.hostname,
        days = up / 86_400,
        hours = up / 3600 % 24,
        minutes = up / 60 % 60,
        seconds = up % 60
    )
}

fn inventory(view: &View<'_>) -> String {
    let device = view.device;
    format!(
        "NAME: \"Chassis\",  DESCR: \"Nexus9000 {id} chassis\"\nPID: {id:<18} ,  VID: V02 ,  SN: {serial}\n\nNAME: \"Slot 1\",  DESCR: \"{id} Ethernet Module\"\nPID: {id:<18} ,  VID: V02 ,  SN: {serial}\n",
        id = device.platform.id,
        serial = device.serial_text()
    )
}

fn word(port: &Interface) -> &'static str {
    match (port.admin_up, port.oper_up) {
        (false, _) => "disabled",
        (true, true) => "connected",
        (true, false) => "notconnec",
    }
}

fn status(list: &[Interface]) -> String {
    let rule = "-".repeat(80);
    let mut out =
        format!("\n{rule}\nPort          Name               Status    Vlan      Duplex  Speed   Type\n{rule}\n");
    for port in list {
        let vlan = match port.mode {
            "trunk" => "trunk".to_owned(),
            "routed" => "routed".to_owned(),
            _ => port.vlan.unwrap_or(1).to_string(),
        };
        let name: String = port.description.chars().take(18).collect();
        let name = if name.is_empty() { "--".to_owned() } else { name };
        let speed = format!("{}G", port.speed_kbps / 1_000_000);
        let kind = if port.physical { "10Gbase-SR" } else { "--" };
        let _written =
            writeln!(out, "{:<13} {name:<18} {:<9} {vlan:<9} full    {speed:<7} {kind}", short(&port.name), word(port));
    }
    out
}

fn descriptions(list: &[Interface]) -> String {
    let rule = "-".repeat(79);
    let mut out = format!("\n{rule}\nPort          Type   Speed   Description\n{rule}\n");
    for port in list.iter().filter(|port| port.physical) {
        let text = if port.description.is_empty() { "--" } else { &port.description };
        let _written =
            writeln!(out, "{:<13} eth    {:<7} {text}", short(&port.name), format!("{}G", port.speed_kbps / 1_000_000));
    }
    out
}

fn addresses(list: &[Interface]) -> String {
    let mut out = String::from(
        "IP Interface Status for VRF \"default\"(1)\nInterface            IP Address      Interface Status\n",
    );
    for port in list.iter().filter(|port| port.name != "mgmt0") {
        let Some((address, _)) = port.address else { continue };
        let word = |up: bool| if up { "up" } else { "down" };
        let _written = writeln!(
            out,
            "{:<20} {:<15} protocol-{}/link-{}/admin-{}",
            short(&port.name).replace("Vl", "Vlan"),
            address.to_string(),
            word(port.oper_up),
            word(port.oper_up),
            word(port.admin_up)
        );
    }
    out
}

fn vlans(view: &View<'_>) -> String {
    let mut out = String::from(
        "\nVLAN Name                             Status    Ports\n---- -------------------------------- --------- -------------------------------\n",
    );
    let mut rows = vec![(1_u16, "default".to_owned())];
    for node in view.config.roots() {
        if let Some(id) = node.line.strip_prefix("vlan ").and_then(|id| id.parse().ok()) {
            rows.push((id, node.child_value("name").map_or_else(|| format!("VLAN{id:04}"), str::to_owned)));
        }
    }
    let ports = view.interfaces();
    for (id, name) in rows {
        let carried: Vec<String> = ports
            .iter()
            .filter(|port| match port.mode {
                "trunk" => carries(view, &port.name, id),
                "routed" => false,
                _ => port.vlan.unwrap_or(1) == id,
            })
            .map(|port| short(&port.name))
            .collect();
        let _written = writeln!(out, "{id:<4} {name:<32} active    {}", carried.join(", "));
    }
    out
}

fn carries(view: &View<'_>, port: &str, id: u16) -> bool {
    let block = view.config.block(&["interface", port]);
    match block.and_then(|block| block.child_value("switchport trunk allowed vlan")) {
        None => true,
        Some("none") => false,
        Some(list) => crate::lines::entries::vlan_list(list).is_some_and(|ids| ids.contains(&id)),
    }
}

fn cdp(view: &View<'_>) -> String {
    let mut out = String::from(
        "Capability Codes: R - Router, T - Trans-Bridge, B - Source-Route-Bridge\n                  S - Switch, H - Host, I - IGMP, r - Repeater,\n                  V - VoIP-Phone, D - Remotely-Managed-Device,\n                  s - Supports-STP-Dispute\n\nDevice-ID          Local Intrfce  Hldtme Capability  Platform      Port ID\n",
    );
    let list = view.neighbors();
    for neighbor in &list {
        let able = if neighbor.device.platform.family == Family::Router { "R I" } else { "R S I s" };
        let name = format!("{}({})", neighbor.hostname, neighbor.device.serial_text());
        let _written = writeln!(
            out,
            "{name}\n                    {:<14} 150    {able:<11} {:<13} {}",
            short(neighbor.port),
            neighbor.device.platform.id,
            neighbor.far_port
        );
    }
    let _written = writeln!(out, "\nTotal entries displayed: {}", list.len());
    out
}

fn lldp(view: &View<'_>) -> String {
    if view.config.block(&["feature lldp"]).is_none() {
        return crate::show::unknown(crate::os::Os::NxOs).to_owned();
    }
    let mut out = String::from(
        "Capability codes:\n  (R) Router, (B) Bridge, (T) Telephone, (C) DOCSIS Cable Device\n  (W) WLAN Access Point, (P) Repeater, (S) Station, (O) Other\nDevice ID            Local Intf      Hold-time  Capability  Port ID\n",
    );
    let list = view.neighbors();
    for neighbor in &list {
        let _written = writeln!(
            out,
            "{:<20} {:<15} 120        {:<11} {}",
            neighbor.hostname,
            short(neighbor.port),
            if neighbor.device.platform.family == Family::Router { "R" } else { "BR" },
            neighbor.far_port
        );
    }
    let _written = writeln!(out, "Total entries displayed: {}", list.len());
    out
}

fn ospf(view: &View<'_>) -> String {
    if view.config.block(&["feature ospf"]).is_none() {
        return crate::show::unknown(crate::os::Os::NxOs).to_owned();
    }
    let list = view.ospf();
    let mut out = format!(
        " OSPF Process ID UNDERLAY VRF default\n Total number of neighbors: {}\n Neighbor ID     Pri State            Up Time  Address         Interface\n",
        list.len()
    );
    for neighbor in list {
        let config = view.world.running(neighbor.device);
        let router = config.roots().iter().find(|node| node.line.starts_with("router ospf "));
        let id = router.and_then(|router| router.child_value("router-id")).unwrap_or("0.0.0.0");
        let up = view.world.uptime_s(view.device).min(view.world.uptime_s(neighbor.device));
        let _written = writeln!(
            out,
            " {id:<15}   1 FULL/ -          {:<8} {:<15} {}",
            age(up),
            neighbor.addresses.1.to_string(),
            short(neighbor.port)
        );
    }
    out
}

fn bgp(view: &View<'_>) -> String {
    if view.config.block(&["feature bgp"]).is_none() {
        return crate::show::unknown(crate::os::Os::NxOs).to_owned();
    }
    let Some(local) = view.local_as() else { return "BGP not configured\n".to_owned() };
    let router = view.config.roots().iter().find(|node| node.line.starts_with("router bgp "));
    let id = router.and_then(|router| router.child_value("router-id")).unwrap_or("0.0.0.0");
    let mut out = format!(
        "BGP summary information for VRF default, address family IPv4 Unicast\nBGP router identifier {id}, local AS number {local}\nBGP table version is 4711, IPv4 Unicast config peers {n}, capable peers {n}\n\nNeighbor        V    AS    MsgRcvd    MsgSent   TblVer  InQ OutQ Up/Down  State/PfxRcd\n",
        n = view.bgp().len()
    );
    for session in view.bgp() {
        let state = session.prefixes.map_or_else(|| "Idle".to_owned(), |count| count.to_string());
        let messages = session.since_s / 60;
        let _written = writeln!(
            out,
            "{:<15} 4 {:>5} {messages:>10} {messages:>10}     4711    0    0 {:>8} {state}",
            session.address,
            session.remote_as,
            age(session.since_s)
        );
    }
    out
}

fn vpc(view: &View<'_>) -> String {
    let domain = view.config.roots().iter().find(|node| node.line.starts_with("vpc domain "));
    let (Some(domain), Some(_)) = (domain, view.config.block(&["feature vpc"])) else {
        return crate::show::unknown(crate::os::Os::NxOs).to_owned();
    };
    let ports = view.interfaces();
    let group = view.world.redundancy(view.device).filter(|group| group.kind == crate::RedundancyKind::Vpc);
    let peer = group.and_then(|group| {
        let other = group.members.iter().find(|at| **at != view.device.index)?;
        view.world.devices().get(*other)
    });
    let alive = peer.is_some_and(|peer| view.world.own_reachability(peer) != Reachability::Unreachable);
    let value = |node: &crate::lines::Node| node.child_value("vpc").map(str::to_owned);
    let bundles: Vec<(String, &Interface)> = view
        .config
        .roots()
        .iter()
        .filter_map(|node| {
            let name = node.line.strip_prefix("interface ")?;
            Some((value(node)?, ports.iter().find(|port| port.name == name)?))
        })
        .collect();
    let link = bundles.iter().find(|(number, _)| number == "peer-link").map(|(_, port)| *port);
    let link_up = link.is_some_and(|port| port.oper_up);
    let members: Vec<_> = bundles.iter().filter(|(number, _)| number != "peer-link").collect();
    let rule = "-".repeat(70);
    let mut out = format!(
        "Legend:\n                (*) - local vPC is down, forwarding via vPC peer-link\n\nvPC domain id                     : {}\nPeer status                       : {}\nvPC keep-alive status             : {}\nConfiguration consistency status  : success\nvPC role                          : {}\nNumber of vPCs configured         : {}\nPeer Gateway                      : {}\n\nvPC Peer-link status\n{rule}\nid    Port   Status Active vlans\n--    ----   ------ -------------------------------------------------\n",
        domain.line.trim_start_matches("vpc domain "),
        if alive && link_up { "peer adjacency formed ok" } else { "peer link is down" },
        if alive { "peer is alive" } else { "peer is not reachable through peer-keepalive" },
        if view.works() { "primary" } else { "secondary" },
        members.len(),
        if domain.has("peer-gateway") { "Enabled" } else { "Disabled" },
    );
    if let Some(port) = link {
        let _written = writeln!(
            out,
            "1     {:<6} {:<6} 1,100,110,120,130,140,150,200",
            short(&port.name).replace("po", "Po"),
            if link_up { "up" } else { "down" }
        );
    }
    let _written = writeln!(
        out,
        "\nvPC status\n{rule}\nId    Port          Status Consistency Reason                Active vlans\n--    ------------  ------ ----------- ------                ---------------"
    );
    for (number, port) in members {
        let state = if port.oper_up { "up" } else { "down*" };
        let _written = writeln!(
            out,
            "{number:<5} {:<13} {state:<6} success     success               -",
            short(&port.name).replace("po", "Po")
        );
    }
    out
}

fn bundles(view: &View<'_>) -> String {
    let rule = "-".repeat(80);
    let ports = view.interfaces();
    let up = |name: &str| ports.iter().any(|port| port.name == name && port.oper_up);
    let mut out = format!(
        "Flags:  D - Down        P - Up in port-channel (members)\n        S - Switched    R - Routed\n        U - Up (port-channel)\n{rule}\nGroup Port-       Type     Protocol  Member Ports\n      Channel\n{rule}\n"
    );
    for port in ports.iter().filter(|port| port.name.starts_with("port-channel")) {
        let number = port.name.trim_start_matches("port-channel");
        let listed: Vec<String> = members(&view.config, &port.name)
            .into_iter()
            .map(|name| format!("{}({})", short(name), if up(name) { "P" } else { "D" }))
            .collect();
        let flags = if port.oper_up { "SU" } else { "SD" };
        let _written = writeln!(out, "{number:<5} Po{number}({flags})   Eth      LACP      {}", listed.join("    "));
    }
    out
}

fn standby(view: &View<'_>) -> String {
    let mut out = String::from(
        "*:IPv6 group   #:group belongs to a bundle\n                     P indicates configured to preempt.\n                     |\n Interface   Grp  Prio P State    Active addr      Standby addr     Group addr\n",
    );
    let active = view.works();
    for node in view.config.roots() {
        let Some(name) = node.line.strip_prefix("interface ") else { continue };
        for group in node.children.iter().filter(|child| child.line.starts_with("hsrp ") && !child.children.is_empty())
        {
            let number = group.line.trim_start_matches("hsrp ");
            let (state, one, other) =
                if active { ("Active", "local", "unknown") } else { ("Standby", "unknown", "local") };
            let _written = writeln!(
                out,
                "  {:<11} {number:<4} {:<4} {} {state:<8} {one:<16} {other:<16} {}",
                short(name).replace("Vl", "Vlan"),
                group.child_value("priority").unwrap_or("100"),
                if group.child("preempt").is_some() { "P" } else { " " },
                group.child_value("ip").unwrap_or("unknown")
            );
        }
    }
    out
}
