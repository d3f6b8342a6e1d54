//! What a device answers to exec commands: the `show` commands that operators ask for first, and the few others that a
//! template may carry.
//!
//! Where next: [`crate::state`], which runs them and applies their effect.

use std::fmt::Write as _;

use crate::device::{Device, Family};
use crate::interfaces::Interface;

/// What a command line asks for, with abbreviations and pipes resolved as far as the simulator knows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asked {
    RunningConfig { interface: Option<String> },
    StartupConfig,
    Version,
    InterfacesStatus,
    IpInterfaceBrief,
    VlanBrief,
    Inventory,
    Clock,
    Neighbors,
    Save,
    Reload,
    WriteErase,
    Harmless,
    Unknown,
}

/// Reads a command line (without its pipe).
pub(crate) fn asked(command: &str) -> Asked {
    let words: Vec<String> = command.split_whitespace().map(str::to_ascii_lowercase).collect();
    let is = |pattern: &[&str]| {
        words.len() >= pattern.len()
            && pattern
                .iter()
                .zip(&words)
                .all(|(full, word)| full.starts_with(word.as_str()) && word.len() >= 2.min(full.len()))
    };
    if is(&["show", "running-config", "interface"]) {
        let name = words.get(3..).map(|rest| rest.join(""));
        return Asked::RunningConfig { interface: name.and_then(|name| super::entries::interface_name(&name)) };
    }
    let table: &[(&[&str], Asked)] = &[
        (&["show", "running-config"], Asked::RunningConfig { interface: None }),
        (&["show", "startup-config"], Asked::StartupConfig),
        (&["show", "version"], Asked::Version),
        (&["show", "interfaces", "status"], Asked::InterfacesStatus),
        (&["show", "ip", "interface", "brief"], Asked::IpInterfaceBrief),
        (&["show", "vlan"], Asked::VlanBrief),
        (&["show", "inventory"], Asked::Inventory),
        (&["show", "clock"], Asked::Clock),
        (&["show", "cdp", "neighbors"], Asked::Neighbors),
        (&["show", "lldp", "neighbors"], Asked::Neighbors),
        (&["write", "memory"], Asked::Save),
        (&["copy", "running-config", "startup-config"], Asked::Save),
        (&["reload"], Asked::Reload),
        (&["write", "erase"], Asked::WriteErase),
        (&["erase", "startup-config"], Asked::WriteErase),
        (&["clear"], Asked::Harmless),
        (&["terminal"], Asked::Harmless),
        (&["ping"], Asked::Harmless),
        (&["crypto"], Asked::Harmless),
        (&["show"], Asked::Harmless),
    ];
    if words.len() == 1 && command.eq_ignore_ascii_case("wr") {
        return Asked::Save;
    }
    table.iter().find(|(pattern, _)| is(pattern)).map_or(Asked::Unknown, |(_, asked)| asked.clone())
}

/// Splits off `| include x` and friends; returns the command and a filter over lines.
pub(crate) fn filtered(output: &str, pipe: Option<&str>) -> String {
    let Some((verb, text)) = pipe.and_then(|pipe| pipe.trim().split_once(' ')) else { return output.to_owned() };
    let text = text.trim();
    let keep: Vec<&str> = match verb.get(..2) {
        Some("in") => output.lines().filter(|line| line.contains(text)).collect(),
        Some("ex") => output.lines().filter(|line| !line.contains(text)).collect(),
        Some("be") => output.lines().skip_while(|line| !line.contains(text)).collect(),
        Some("se") => {
            let mut inside = false;
            output
                .lines()
                .filter(|line| {
                    if !line.starts_with(' ') {
                        inside = line.contains(text);
                    }
                    inside
                })
                .collect()
        }
        _ => output.lines().collect(),
    };
    keep.join("\n")
}

/// `show version`.
pub(crate) fn version(device: &Device, hostname: &str, uptime: &str) -> String {
    let mut out = format!("Cisco IOS XE Software, Version {}\n", device.software_version);
    let image = if device.platform.family == Family::Switch { "CAT9K_IOSXE" } else { device.platform.image };
    let _written = writeln!(
        out,
        "Cisco IOS Software, {image} Software, Version {}, RELEASE SOFTWARE (fc3)",
        device.software_version
    )
    .and_then(|()| writeln!(out, "{hostname} uptime is {uptime}"))
    .and_then(|()| writeln!(out, "System image file is \"flash:packages.conf\"\nLast reload reason: Reload Command"))
    .and_then(|()| {
        device.members.iter().try_for_each(|member| {
            writeln!(
                out,
                "Model Number                       : {}\nSystem Serial Number               : {}",
                device.platform.id, member.serial
            )
        })
    });
    out.push_str("Configuration register is 0x102\n");
    out
}

/// `show inventory`.
pub(crate) fn inventory(device: &Device) -> String {
    let mut out = String::new();
    for (number, member) in (1..).zip(&device.members) {
        let _written = writeln!(
            out,
            "NAME: \"Switch {number}\", DESCR: \"{}\"\nPID: {:<18}, VID: V02  , SN: {}\n",
            device.platform.id, device.platform.id, member.serial
        );
    }
    out
}

/// `show interfaces status`.
pub(crate) fn interfaces_status(list: &[Interface]) -> String {
    let mut out = String::from("Port         Name               Status       Vlan       Duplex  Speed Type\n");
    for port in list.iter().filter(|port| port.physical) {
        let status = if !port.admin_up {
            "disabled"
        } else if port.oper_up {
            "connected"
        } else {
            "notconnect"
        };
        let vlan = match port.mode {
            "trunk" => "trunk".to_owned(),
            "routed" => "routed".to_owned(),
            _ => port.vlan.unwrap_or(1).to_string(),
        };
        let name: String = port.description.chars().take(18).collect();
        let _written = writeln!(
            out,
            "{:<12} {name:<18} {status:<12} {vlan:<10} a-full a-{:<5} 10/100/1000BaseTX",
            short(&port.name),
            port.speed_kbps / 1000
        );
    }
    out
}

/// `show ip interface brief`.
pub(crate) fn ip_interface_brief(list: &[Interface]) -> String {
    let mut out = String::from("Interface              IP-Address      OK? Method Status                Protocol\n");
    for port in list {
        let address = port.address.map_or("unassigned".to_owned(), |(address, _)| address.to_string());
        let status = if !port.admin_up {
            "administratively down"
        } else if port.oper_up {
            "up"
        } else {
            "down"
        };
        let _written = writeln!(
            out,
            "{:<22} {address:<15} YES NVRAM  {status:<21} {}",
            port.name,
            if port.oper_up { "up" } else { "down" }
        );
    }
    out
}

/// `show vlan brief`.
pub(crate) fn vlan_brief(config: &super::Config, list: &[Interface]) -> String {
    let mut out = String::from(
        "VLAN Name                             Status    Ports\n---- -------------------------------- --------- -------------------------------\n",
    );
    let mut vlans = vec![(1_u16, "default".to_owned())];
    for node in config.roots() {
        if let Some(id) = node.line.strip_prefix("vlan ").and_then(|id| id.parse().ok()) {
            vlans.push((id, node.child_value("name").map_or_else(|| format!("VLAN{id:04}"), str::to_owned)));
        }
    }
    for (id, name) in vlans {
        let ports: Vec<String> = list
            .iter()
            .filter(|port| {
                port.physical && port.mode != "trunk" && port.mode != "routed" && port.vlan.unwrap_or(1) == id
            })
            .map(|port| short(&port.name))
            .collect();
        let _written = writeln!(out, "{id:<4} {name:<32} active    {}", ports.join(", "));
    }
    out
}

/// `Gi1/0/1` from `GigabitEthernet1/0/1`.
pub(crate) fn short(name: &str) -> String {
    let at = name.find(|c: char| c.is_ascii_digit()).unwrap_or(name.len());
    let (kind, number) = name.split_at(at);
    let short = match kind {
        "HundredGigE" => "Hu",
        "TwentyFiveGigE" => "Twe",
        other => other.get(..2).unwrap_or(other),
    };
    format!("{short}{number}")
}
