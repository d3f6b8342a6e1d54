//! The first running configuration of a device: believable for its role, equal for equal seeds, with the kinds of
//! secrets that real ones hold.
//!
//! Where next: [`crate::state`], which calls this on demand and keeps edits.

use std::fmt::Write as _;
use std::net::Ipv4Addr;

use crate::cable::Cable;
use crate::device::{Device, Family, Role};
use crate::fleet::Fleet;
use crate::interfaces::physical_ports;
use crate::lines::Config;
use crate::os::Os;
use crate::seed::Seed;

const DATA_VLAN: u16 = 10;
const VOICE_VLAN: u16 = 20;
const WIRELESS_VLAN: u16 = 30;
const MANAGEMENT_VLAN: u16 = 99;
const NATIVE_VLAN: u16 = 999;
/// VLANs between a core and the two ports of its firewall.
const FIREWALL_VLANS: &[(u16, &str)] = &[(900, "FW_OUTSIDE"), (901, "FW_INSIDE")];

/// Writes the configuration of `device`.
pub(crate) fn configuration(seed: Seed, fleet: &Fleet, device: &Device) -> Config {
    let mut text = String::with_capacity(16 * 1024);
    // Writing to a String cannot fail.
    let _written = head(&mut text, seed, device)
        .and_then(|()| layers(&mut text, seed, fleet, device))
        .and_then(|()| interfaces(&mut text, fleet, device))
        .and_then(|()| tail(&mut text, seed, fleet, device));
    Config::parse(Os::IosXe, &text)
}

fn head(out: &mut String, seed: Seed, device: &Device) -> std::fmt::Result {
    // Passwords of one campus are the same on all its devices, as they are in the field.
    let mut campus = seed.draw("campus secrets", u64::from(device.campus));
    let mut own = seed.draw("device secrets", device.index as u64);
    let release = device.software_version.rsplit_once('.').map_or(device.software_version, |(release, _)| release);
    writeln!(out, "version {release}")?;
    out.push_str("service timestamps debug datetime msec\nservice timestamps log datetime msec\n");
    out.push_str("service password-encryption\nservice call-home\nplatform punt-keepalive disable-kernel-core\n");
    writeln!(out, "hostname {}", device.hostname)?;
    out.push_str("vrf definition Mgmt-vrf\n address-family ipv4\n exit-address-family\n address-family ipv6\n exit-address-family\n");
    out.push_str("logging buffered 65536 informational\nno logging console\n");
    writeln!(out, "enable secret 9 $9${}", own.crypt(58))?;
    out.push_str("aaa new-model\naaa group server tacacs+ ISE-GROUP\n server name ISE-1\n server name ISE-2\n");
    out.push_str("aaa authentication login default group ISE-GROUP local\naaa authentication enable default group ISE-GROUP enable\n");
    out.push_str("aaa authorization exec default group ISE-GROUP local if-authenticated\naaa accounting exec default start-stop group ISE-GROUP\n");
    out.push_str("aaa accounting commands 15 default start-stop group ISE-GROUP\naaa session-id common\n");
    if device.platform.family == Family::Switch {
        for member in 1..=device.members.len() {
            writeln!(out, "switch {member} provision {}", device.platform.id.to_lowercase())?;
        }
        out.push_str("ip routing\n");
    }
    out.push_str("no ip domain lookup\nip domain name corp.example\nip name-server 10.0.0.53\n");
    if device.platform.family == Family::Switch && device.role == Role::Access {
        writeln!(out, "ip dhcp snooping vlan {DATA_VLAN},{VOICE_VLAN}\nip dhcp snooping")?;
    }
    out.push_str("login on-success log\narchive\n log config\n  logging enable\n  hidekeys\n");
    writeln!(out, "username netadmin privilege 15 secret 9 $9${}", campus.crypt(58))?;
    writeln!(out, "username dnac privilege 15 password 7 {:02}{}", campus.below(16), campus.hex(18))?;
    Ok(())
}

fn layers(out: &mut String, seed: Seed, fleet: &Fleet, device: &Device) -> std::fmt::Result {
    if device.platform.family == Family::Router {
        return Ok(());
    }
    out.push_str("spanning-tree mode rapid-pvst\nspanning-tree extend system-id\n");
    match device.role {
        Role::Core => out.push_str("spanning-tree vlan 1-4094 priority 4096\n"),
        Role::Distribution => out.push_str("spanning-tree vlan 1-4094 priority 8192\n"),
        Role::Access | Role::BorderRouter => {}
    }
    out.push_str("lldp run\n");
    let mut draw = seed.draw("vlans", device.site as u64);
    let mut vlans = vec![
        (DATA_VLAN, "DATA"),
        (VOICE_VLAN, "VOICE"),
        (WIRELESS_VLAN, "WIRELESS"),
        (MANAGEMENT_VLAN, "MGMT"),
        (NATIVE_VLAN, "NATIVE_UNUSED"),
    ];
    for (id, name) in [(40, "PRINTERS"), (50, "CAMERAS"), (60, "BUILDING_CONTROL"), (70, "GUEST")] {
        if draw.chance(60) {
            vlans.push((id, name));
        }
    }
    if fleet.cables_of(device).any(|cable| cable.far.platform.family == Family::Firewall) {
        vlans.extend(FIREWALL_VLANS);
    }
    vlans.sort_unstable();
    for (id, name) in vlans {
        writeln!(out, "vlan {id}\n name {name}")?;
    }
    out.push_str("class-map match-any VOICE-CLASS\n match dscp ef\npolicy-map EDGE-QOS\n class VOICE-CLASS\n  priority level 1\n class class-default\n  bandwidth remaining percent 40\n");
    Ok(())
}

fn interfaces(out: &mut String, fleet: &Fleet, device: &Device) -> std::fmt::Result {
    let routed_edge = device.platform.family == Family::Router;
    let managed_by_vlan = device.platform.family == Family::Switch && device.role == Role::Access
        || device.platform.family == Family::WirelessController;
    if !managed_by_vlan {
        writeln!(
            out,
            "interface Loopback0\n description Management\n ip address {} 255.255.255.255",
            device.management_ip
        )?;
    }
    let cables: Vec<Cable<'_>> = fleet.cables_of(device).collect();
    let mut firewall = FIREWALL_VLANS.iter();
    for port in physical_ports(device) {
        writeln!(out, "interface {}", port.name)?;
        match cables.iter().find(|cable| cable.port == port.name) {
            Some(cable) if cable.far.platform.family == Family::AccessPoint => {
                writeln!(out, " description AP {} {}", cable.far.hostname, cable.far_port)?;
                writeln!(
                    out,
                    " switchport access vlan {WIRELESS_VLAN}\n switchport mode access\n spanning-tree portfast"
                )?;
            }
            Some(cable) if cable.far.platform.family == Family::Firewall => {
                let vlan = firewall.next().map_or(NATIVE_VLAN, |(vlan, _)| *vlan);
                writeln!(out, " description Firewall {} {}", cable.far.hostname, cable.far_port)?;
                writeln!(out, " switchport access vlan {vlan}\n switchport mode access\n spanning-tree portfast")?;
            }
            Some(cable) if is_routed(device, cable) => {
                writeln!(out, " description Link to {} {}", cable.far.hostname, cable.far_port)?;
                if !routed_edge {
                    out.push_str(" no switchport\n");
                }
                writeln!(out, " ip address {} 255.255.255.252", cable.addresses().0)?;
                if cable.far.os() == Os::IosXe {
                    out.push_str(" ip ospf 1 area 0\n");
                }
            }
            Some(cable) => {
                writeln!(out, " description Uplink {} {}", cable.far.hostname, cable.far_port)?;
                writeln!(out, " switchport trunk native vlan {NATIVE_VLAN}\n switchport mode trunk")?;
                if device.platform.family == Family::Switch && device.role == Role::Access {
                    out.push_str(" ip dhcp snooping trust\n");
                }
            }
            None if device.role == Role::Access && device.platform.family == Family::Switch && port.slot == 0 => {
                writeln!(out, " description User port\n switchport access vlan {DATA_VLAN}\n switchport mode access")?;
                writeln!(
                    out,
                    " switchport voice vlan {VOICE_VLAN}\n spanning-tree portfast\n spanning-tree bpduguard enable"
                )?;
            }
            None if routed_edge => out.push_str(" no ip address\n shutdown\n negotiation auto\n"),
            None => out.push_str(" shutdown\n"),
        }
    }
    out.push_str("interface Vlan1\n no ip address\n shutdown\n");
    if managed_by_vlan {
        writeln!(
            out,
            "interface Vlan{MANAGEMENT_VLAN}\n description Management\n ip address {} 255.255.252.0",
            device.management_ip
        )?;
    }
    if device.role == Role::Distribution {
        for vlan in [DATA_VLAN, VOICE_VLAN, WIRELESS_VLAN] {
            let third = (device.site % 200) + 20;
            let own = if device.hostname.ends_with('1') { 2 } else { 3 };
            writeln!(out, "interface Vlan{vlan}\n ip address 172.{}.{third}.{own} 255.255.255.0", 16 + vlan / 10)?;
            writeln!(
                out,
                " ip helper-address 10.0.0.67\n standby {vlan} ip 172.{}.{third}.1\n standby {vlan} priority {}\n standby {vlan} preempt",
                16 + vlan / 10,
                114 - 2 * own
            )?;
        }
    }
    Ok(())
}

/// Whether a cable carries a network of its own.
fn is_routed(device: &Device, cable: &Cable<'_>) -> bool {
    device.platform.family == Family::Router || cable.far.platform.family == Family::Router
}

fn tail(out: &mut String, seed: Seed, fleet: &Fleet, device: &Device) -> std::fmt::Result {
    let mut campus = seed.draw("campus shared secrets", u64::from(device.campus));
    let gateway = Ipv4Addr::from((u32::from(device.management_ip) & !0x3FF) + 1);
    let source = match (device.platform.family, device.role) {
        (Family::Switch, Role::Access) | (Family::WirelessController, _) => format!("Vlan{MANAGEMENT_VLAN}"),
        _ => "Loopback0".to_owned(),
    };
    if device.role != Role::Access {
        writeln!(
            out,
            "router ospf 1\n router-id {}\n auto-cost reference-bandwidth 100000\n passive-interface default",
            device.management_ip
        )?;
        for cable in fleet.cables_of(device).filter(|cable| is_routed(device, cable) && cable.far.os() == Os::IosXe) {
            writeln!(out, " no passive-interface {}", cable.port)?;
        }
        writeln!(out, " network {} 0.0.0.0 area 0", device.management_ip)?;
    }
    if device.role == Role::BorderRouter {
        writeln!(
            out,
            "router bgp {}\n bgp log-neighbor-changes\n neighbor 203.0.113.1 remote-as 64496",
            65_000 + device.campus
        )?;
        writeln!(out, " neighbor 203.0.113.1 password 7 {:02}{}", campus.below(16), campus.hex(20))?;
        let wan: Vec<Ipv4Addr> = fleet
            .cables_of(device)
            .filter(|cable| cable.far.os() == Os::IosXr)
            .map(|cable| cable.addresses().1)
            .collect();
        for address in &wan {
            writeln!(
                out,
                " neighbor {address} remote-as {}\n neighbor {address} description WAN core",
                crate::ios_xr::generate::WAN_AS
            )?;
        }
        out.push_str(" address-family ipv4\n  neighbor 203.0.113.1 activate\n");
        for address in &wan {
            writeln!(out, "  neighbor {address} activate")?;
        }
        out.push_str(" exit-address-family\n");
    }
    if device.role == Role::Access {
        writeln!(out, "ip default-gateway {gateway}")?;
    }
    out.push_str("ip forward-protocol nd\nno ip http server\nip http authentication local\nip http secure-server\n");
    if device.role == Role::Access {
        writeln!(out, "ip route 0.0.0.0 0.0.0.0 {gateway}")?;
    }
    out.push_str("ip ssh version 2\n");
    out.push_str("ip access-list standard MGMT-SOURCES\n 10 permit 10.0.0.0 0.255.255.255\n 20 deny any log\n");
    writeln!(out, "ip tacacs source-interface {source}\nlogging source-interface {source}\nlogging host 10.0.0.51")?;
    writeln!(out, "snmp-server community {} RO MGMT-SOURCES", campus.crypt(12).replace(['/', '.'], "x"))?;
    writeln!(out, "snmp-server community {} RW MGMT-SOURCES", campus.crypt(12).replace(['/', '.'], "y"))?;
    let place = fleet.sites.get(device.site).map_or("", |site| site.name_hierarchy.as_str());
    writeln!(out, "snmp-server location {place}\nsnmp-server contact noc@corp.example")?;
    out.push_str("snmp-server enable traps snmp authentication linkdown linkup coldstart warmstart\nsnmp-server host 10.0.0.162 version 2c ");
    writeln!(out, "{}", campus.crypt(10).replace(['/', '.'], "z"))?;
    let key = campus.hex(22);
    for (name, address) in [("ISE-1", "10.0.0.49"), ("ISE-2", "10.0.1.49")] {
        writeln!(
            out,
            "tacacs server {name}\n address ipv4 {address}\n key 7 {:02}{key}\n timeout 4",
            campus.below(16)
        )?;
    }
    writeln!(
        out,
        "radius server ISE-R1\n address ipv4 10.0.0.49 auth-port 1812 acct-port 1813\n key 7 {:02}{}",
        campus.below(16),
        campus.hex(22)
    )?;
    out.push_str("control-plane\nbanner login ^C\n*** Authorised access only. Sessions are recorded. ***\n^C\n");
    out.push_str("line con 0\n exec-timeout 15 0\n logging synchronous\n stopbits 1\n");
    out.push_str("line vty 0 4\n access-class MGMT-SOURCES in vrf-also\n exec-timeout 15 0\n transport input ssh\n");
    out.push_str("line vty 5 15\n access-class MGMT-SOURCES in vrf-also\n exec-timeout 15 0\n transport input ssh\n");
    writeln!(
        out,
        "ntp source {source}\nntp authentication-key 1 md5 {}{} 7\nntp server 10.0.0.123",
        campus.hex(14),
        campus.below(9)
    )?;
    out.push_str("ntp server 10.0.1.123\nnetconf-yang\n");
    Ok(())
}
