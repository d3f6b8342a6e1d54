//! What IOS-XE answers to exec commands: the `show` commands that operators ask for first, and the few others that a template
//! may carry.
//!
//! Where next: [`super::protocols`] for neighbours and routes; [`crate::show`], which reads command lines and gathers the facts.

use std::fmt::Write as _;

use crate::device::{Device, Family, Role};
use crate::interfaces::{Interface, members};
use crate::ios_xe::protocols::{bgp, cdp, lldp, ospf, routes};
use crate::lines::Config;
use crate::show::{Asked, Command, View, short, uptime_words};

pub(crate) static COMMANDS: &[Command] = &[
    ("show running-config", Asked::RunningConfig),
    ("show running-config interface", Asked::RunningInterface),
    ("show startup-config", Asked::StartupConfig),
    ("show version", Asked::Version),
    ("show interfaces status", Asked::InterfaceStatus),
    ("show interfaces description", Asked::InterfaceDescription),
    ("show ip interface brief", Asked::IpInterfaceBrief),
    ("show vlan", Asked::Vlan),
    ("show inventory", Asked::Inventory),
    ("show clock", Asked::Clock),
    ("show cdp neighbors", Asked::Cdp),
    ("show lldp neighbors", Asked::Lldp),
    ("show ip ospf neighbor", Asked::Ospf),
    ("show ip bgp summary", Asked::Bgp),
    ("show bgp ipv4 unicast summary", Asked::Bgp),
    ("show ip route summary", Asked::Routes),
    ("show spanning-tree summary", Asked::SpanningTree),
    ("show processes cpu", Asked::Cpu),
    ("show logging", Asked::Logging),
    ("show etherchannel summary", Asked::Bundles),
    ("show standby brief", Asked::Standby),
    ("wr", Asked::Save),
    ("write memory", Asked::Save),
    ("copy running-config startup-config", Asked::Save),
    ("reload", Asked::Reload),
    ("write erase", Asked::Erase),
    ("erase startup-config", Asked::Erase),
    ("clear", Asked::Harmless),
    ("terminal", Asked::Harmless),
    ("ping", Asked::Harmless),
    ("traceroute", Asked::Harmless),
    ("crypto", Asked::Harmless),
];

/// Prints the answer to a command that shows something.
pub(crate) fn answer(view: &View<'_>, asked: Asked) -> String {
    let device = view.device;
    match asked {
        Asked::Version => version(device, &view.hostname, &uptime_words(view.world.uptime_s(device))),
        Asked::InterfaceStatus => interfaces_status(&view.interfaces()),
        Asked::InterfaceDescription => interfaces_description(&view.interfaces()),
        Asked::IpInterfaceBrief => ip_interface_brief(&view.interfaces()),
        Asked::Vlan => vlan_brief(&view.config, &view.interfaces()),
        Asked::Inventory => inventory(device),
        Asked::Clock => view.world.now().strftime("*%H:%M:%S.000 UTC %a %b %e %Y").to_string(),
        Asked::Cdp => cdp(view),
        Asked::Lldp => lldp(view),
        Asked::Ospf => ospf(view),
        Asked::Bgp => bgp(view),
        Asked::Routes => routes(view),
        Asked::SpanningTree => spanning_tree(view),
        Asked::Cpu => cpu(view),
        Asked::Logging => logging(view),
        Asked::Bundles => bundles(view),
        Asked::Standby => standby(view),
        _ => String::new(),
    }
}

/// `show version`.
fn version(device: &Device, hostname: &str, uptime: &str) -> String {
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
fn inventory(device: &Device) -> String {
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
fn interfaces_status(list: &[Interface]) -> String {
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
fn ip_interface_brief(list: &[Interface]) -> String {
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
fn vlan_brief(config: &Config, list: &[Interface]) -> String {
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

/// `show interfaces description`.
fn interfaces_description(list: &[Interface]) -> String {
    let mut out = String::from("Interface                      Status         Protocol Description\n");
    for port in list {
        let status = if !port.admin_up {
            "admin down"
        } else if port.oper_up {
            "up"
        } else {
            "down"
        };
        let protocol = if port.oper_up { "up" } else { "down" };
        let _written = writeln!(out, "{:<30} {status:<14} {protocol:<8} {}", short(&port.name), port.description);
    }
    out
}

/// `show spanning-tree summary`.
fn spanning_tree(view: &View<'_>) -> String {
    if view.device.platform.family != Family::Switch {
        return "No spanning tree instance exists.\n".to_owned();
    }
    let vlans: Vec<&str> = view.config.roots().iter().filter_map(|node| node.line.strip_prefix("vlan ")).collect();
    let root = if view.device.role == Role::Core { vlans.join(", ") } else { "none".to_owned() };
    let ports = view.interfaces();
    let mut out = format!(
        "Switch is in {} mode\nRoot bridge for: {root}\nExtended system ID           is enabled\n\nName                   Blocking Listening Learning Forwarding STP Active\n---------------------- -------- --------- -------- ---------- ----------\n",
        view.config.value("spanning-tree mode").unwrap_or("rapid-pvst")
    );
    for id in &vlans {
        let number: Option<u16> = id.parse().ok();
        let count = ports
            .iter()
            .filter(|port| port.physical && port.oper_up)
            .filter(|port| port.mode == "trunk" || port.mode != "routed" && port.vlan == number)
            .count();
        let name = format!("VLAN{:04}", number.unwrap_or(0));
        let _written = writeln!(out, "{name:<22} 0        0         0        {count:<10} {count}");
    }
    let _written = writeln!(
        out,
        "---------------------- -------- --------- -------- ---------- ----------\n{} vlans",
        vlans.len()
    );
    out
}

/// `show processes cpu`.
fn cpu(view: &View<'_>) -> String {
    let percent = view.world.health(view.device).cpu_percent;
    format!(
        "CPU utilization for five seconds: {percent}%/1%; one minute: {}%; five minutes: {}%\n PID Runtime(ms)     Invoked      uSecs   5Sec   1Min   5Min TTY Process\n  84       91212      912120        100  {:>2}.12%  {:>2}.08%  {:>2}.02%   0 IOSXE-RP Punt Se\n",
        percent.saturating_sub(1),
        percent.saturating_sub(2),
        percent / 3,
        percent / 4,
        percent / 4
    )
}

/// `show logging`: the last change of the configuration, and ports that carry nothing though they are cabled.
fn logging(view: &View<'_>) -> String {
    let stamp =
        |ms: i64| jiff::Timestamp::from_millisecond(ms).unwrap_or_default().strftime("%b %e %H:%M:%S.000").to_string();
    let hosts: Vec<&str> =
        view.config.roots().iter().filter_map(|node| node.line.strip_prefix("logging host ")).collect();
    let mut out = String::from(
        "Syslog logging: enabled (0 messages dropped, 3 messages rate-limited, 0 flushes, 0 overruns, xml disabled, filtering disabled)\n\n    Console logging: disabled\n    Buffer logging:  level informational\n",
    );
    for host in hosts {
        let _written = writeln!(
            out,
            "    Trap logging: level informational\n        Logging to {host}  (udp port 514, audit disabled, link up)"
        );
    }
    out.push_str("\nLog Buffer (65536 bytes):\n\n");
    let changed = view.world.changed_at_ms(view.device);
    let _written =
        writeln!(out, "{}: %SYS-5-CONFIG_I: Configured from console by dnac on vty0 (10.0.0.20)", stamp(changed));
    for port in view.interfaces() {
        let cabled = view.world.fleet.cables_of(view.device).any(|cable| cable.port == port.name);
        if !cabled || port.oper_up {
            continue;
        }
        let state = if port.admin_up { "down" } else { "administratively down" };
        let _written =
            writeln!(out, "{}: %LINK-3-UPDOWN: Interface {}, changed state to {state}", stamp(changed), port.name);
    }
    out
}

/// `show etherchannel summary`.
fn bundles(view: &View<'_>) -> String {
    let ports = view.interfaces();
    let up = |name: &str| ports.iter().any(|port| port.name == name && port.oper_up);
    let mut out = String::from(
        "Flags:  D - down        P - bundled in port-channel\n        R - Layer3      S - Layer2\n        U - in use      f - failed to allocate aggregator\n\nGroup  Port-channel  Protocol    Ports\n------+-------------+-----------+-----------------------------------------------\n",
    );
    for port in ports.iter().filter(|port| port.name.starts_with("Port-channel")) {
        let listed: Vec<String> = members(&view.config, &port.name)
            .into_iter()
            .map(|name| format!("{}({})", short(name), if up(name) { "P" } else { "D" }))
            .collect();
        let flags = if port.oper_up { "SU" } else { "SD" };
        let number = port.name.trim_start_matches("Port-channel");
        let _written = writeln!(out, "{number:<6} Po{number}({flags})       LACP      {}", listed.join(" "));
    }
    out
}

/// `show standby brief`: active where the own priority and the lower number win.
fn standby(view: &View<'_>) -> String {
    let mut out = String::from(
        "                     P indicates configured to preempt.\n                     |\nInterface   Grp  Pri P State   Active          Standby         Virtual IP\n",
    );
    let first = view.works();
    for node in view.config.roots() {
        let Some(name) = node.line.strip_prefix("interface ") else { continue };
        for line in &node.children {
            let words: Vec<&str> = line.line.split(' ').collect();
            let ["standby", number, "ip", address] = words.as_slice() else { continue };
            let priority = node.child_value(&format!("standby {number} priority")).unwrap_or("100");
            let (state, active, other) =
                if first { ("Active", "local", "unknown") } else { ("Standby", "unknown", "local") };
            let _written = writeln!(
                out,
                "{:<11} {number:<4} {priority:<3} P {state:<7} {active:<15} {other:<15} {address}",
                short(name)
            );
        }
    }
    out
}
