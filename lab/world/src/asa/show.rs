//! What ASA answers to exec commands.
//!
//! Where next: [`crate::show`], which reads command lines and gathers the facts.

use std::fmt::Write as _;

use crate::device::{Device, Reachability};
use crate::interfaces::Interface;
use crate::show::{Asked, Command, View};

pub(crate) static COMMANDS: &[Command] = &[
    ("show running-config", Asked::RunningConfig),
    ("show running-config interface", Asked::RunningInterface),
    ("show startup-config", Asked::StartupConfig),
    ("show version", Asked::Version),
    ("show interface ip brief", Asked::IpInterfaceBrief),
    ("show nameif", Asked::InterfaceStatus),
    ("show inventory", Asked::Inventory),
    ("show clock", Asked::Clock),
    ("show failover", Asked::Failover),
    ("show route summary", Asked::Routes),
    ("show cpu usage", Asked::Cpu),
    ("write memory", Asked::Save),
    ("copy running-config startup-config", Asked::Save),
    ("reload", Asked::Reload),
    ("write erase", Asked::Erase),
    ("clear", Asked::Harmless),
    ("terminal", Asked::Harmless),
    ("ping", Asked::Harmless),
    ("traceroute", Asked::Harmless),
];

/// Prints the answer to a command that shows something.
pub(crate) fn answer(view: &View<'_>, asked: Asked) -> String {
    match asked {
        Asked::Version => version(view),
        Asked::InterfaceStatus => names(view),
        Asked::IpInterfaceBrief => brief(&view.interfaces()),
        Asked::Inventory => inventory(view.device),
        Asked::Clock => view.world.now().strftime("%H:%M:%S.000 UTC %a %b %e %Y").to_string(),
        Asked::Failover => failover(view),
        Asked::Routes => routes(view),
        Asked::Cpu => {
            let percent = view.world.health(view.device).cpu_percent;
            format!("CPU utilization for 5 seconds = {percent}%; 1 minute: {percent}%; 5 minutes: {percent}%\n")
        }
        _ => String::new(),
    }
}

fn version(view: &View<'_>) -> String {
    let device = view.device;
    let up = view.world.uptime_s(device);
    format!(
        "\nCisco Adaptive Security Appliance Software Version {version} \nDevice Manager Version 7.16(1)\n\nSystem image file is \"disk0:/{image}.SPA\"\nConfig file at boot was \"startup-config\"\n\n{name} up {days} days {hours} hours\nfailover cluster up {days} days {hours} hours\n\nHardware:   {model}, 8192 MB RAM\n\nSerial Number: {serial}\n",
        version = device.software_version,
        image = device.platform.image,
        name = view.hostname,
        days = up / 86_400,
        hours = up / 3600 % 24,
        model = device.platform.id,
        serial = device.serial_text(),
    )
}

fn inventory(device: &Device) -> String {
    format!(
        "Name: \"Chassis\", DESCR: \"{}\"\nPID: {:<18}, VID: V02, SN: {}\n",
        device.platform.type_name,
        device.platform.id,
        device.serial_text()
    )
}

fn names(view: &View<'_>) -> String {
    let mut out = String::from("Interface                Name                     Security\n");
    for node in view.config.roots() {
        if let (Some(port), Some(name)) = (node.line.strip_prefix("interface "), node.child_value("nameif")) {
            let level = node.child_value("security-level").unwrap_or("0");
            let _written = writeln!(out, "{port:<24} {name:<24} {level:>3}");
        }
    }
    out
}

fn brief(list: &[Interface]) -> String {
    let mut out =
        String::from("Interface                  IP-Address      OK? Method Status                Protocol\n");
    for port in list {
        let address = port.address.map_or_else(|| "unassigned".to_owned(), |(address, _)| address.to_string());
        let status = match (port.admin_up, port.oper_up) {
            (false, _) => "administratively down",
            (true, true) => "up",
            (true, false) => "down",
        };
        let _written = writeln!(
            out,
            "{:<26} {address:<15} YES CONFIG {status:<21} {}",
            port.name,
            if port.oper_up { "up" } else { "down" }
        );
    }
    out
}

fn routes(view: &View<'_>) -> String {
    let connected = view.interfaces().iter().filter(|port| port.oper_up && port.address.is_some()).count();
    let fixed = view.config.roots().iter().filter(|node| node.line.starts_with("route ")).count();
    format!(
        "\nIP routing table name is default (0x0)\nRoute Source    Networks    Subnets\nconnected       0           {}\nstatic          0           {fixed}\nTotal           0           {}\n",
        2 * connected,
        2 * connected + fixed
    )
}

/// The state of the pair: the first unit is active while it answers.
fn failover(view: &View<'_>) -> String {
    if !view.config.roots().iter().any(|node| node.line == "failover") {
        return "Failover Off \nFailover unit Primary\n".to_owned();
    }
    let unit = view.config.value("failover lan unit").unwrap_or("primary");
    let port = view.config.value("failover lan interface").unwrap_or_default();
    let mut words = port.split(' ');
    let (name, port) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let ports = view.interfaces();
    let link = ports.iter().any(|known| known.name == port && known.oper_up);
    let other = view.world.redundancy(view.device).and_then(|group| {
        let at = group.members.iter().find(|at| **at != view.device.index)?;
        view.world.devices().get(*at)
    });
    let alive = other.is_some_and(|other| view.world.own_reachability(other) != Reachability::Unreachable) && link;
    let active = view.works();
    let title = |text: &str| {
        let mut letters = text.chars();
        letters.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str())
    };
    let far = if unit == "primary" { "secondary" } else { "primary" };
    let state = |active: bool| if active { "Active" } else { "Standby Ready" };
    let far_state = if alive { state(!active) } else { "Failed" };
    let mut out = format!(
        "Failover On \nFailover unit {}\nFailover LAN Interface: {name} {port} ({})\nReconnect timeout 0:00:00\nUnit Poll frequency 1 seconds, holdtime 3 seconds\nVersion: Ours {v}, Mate {v}\nSerial Number: Ours {}, Mate {}\n\tThis host: {} - {}\n",
        title(unit),
        if link { "up" } else { "down" },
        view.device.serial_text(),
        other.map_or_else(|| "Unknown".to_owned(), Device::serial_text),
        title(unit),
        state(active),
        v = view.device.software_version,
    );
    for node in view.config.roots() {
        let (Some(port), Some(name)) = (node.line.strip_prefix("interface "), node.child_value("nameif")) else {
            continue;
        };
        let up = ports.iter().any(|known| known.name == port && known.oper_up);
        let address = node.child_value("ip address").unwrap_or_default().split(' ').next().unwrap_or_default();
        let _written = writeln!(
            out,
            "\t\t  Interface {name} ({address}): {}",
            if up { "Normal (Monitored)" } else { "No Link (Waiting)" }
        );
    }
    let _written = writeln!(out, "\tOther host: {} - {far_state}", title(far));
    out
}
