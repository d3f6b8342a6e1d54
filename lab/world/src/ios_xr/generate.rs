//! The first running configuration of a router of the wide-area core: OSPF within the core, BGP with campuses and data
//! centres under policies.
//!
//! Where next: [`crate::state`], which calls this on demand and keeps edits.

use std::fmt::{Result, Write as _};

use crate::cable::Cable;
use crate::device::{Device, Family};
use crate::fleet::Fleet;
use crate::interfaces::physical_ports;
use crate::ios_xr::dialect::DIALECT;
use crate::lines::Config;
use crate::os::Os;
use crate::seed::Seed;

/// The number of the wide-area core in BGP.
pub(crate) const WAN_AS: u32 = 64_512;

/// Writes the configuration of `device`.
pub(crate) fn configuration(seed: Seed, fleet: &Fleet, device: &Device) -> Config {
    let mut out = String::with_capacity(12 * 1024);
    // Writing to a String cannot fail.
    let _written = head(&mut out, seed, fleet, device)
        .and_then(|()| ports(&mut out, fleet, device))
        .and_then(|()| routing(&mut out, seed, fleet, device));
    Config::parse(Os::IosXr, &out)
}

fn head(out: &mut String, seed: Seed, fleet: &Fleet, device: &Device) -> Result {
    let mut campus = seed.draw("campus secrets ios-xr", u64::from(device.campus));
    let mut own = seed.draw("device secrets", device.index as u64);
    writeln!(out, "hostname {}", device.hostname)?;
    out.push_str("logging trap informational\nlogging buffered 307200\nno logging console\nlogging 10.0.0.51 vrf default severity info\nlogging source-interface Loopback0\n");
    out.push_str("service timestamps log datetime msec\nservice timestamps debug datetime msec\n");
    out.push_str("clock timezone UTC 0\ndomain name corp.example\ndomain name-server 10.0.0.53\n");
    writeln!(
        out,
        "username netadmin\n group root-lr\n group cisco-support\n secret 10 $6${}${}",
        own.crypt(16),
        own.crypt(86)
    )?;
    writeln!(out, "username dnac\n group root-lr\n secret 10 $6${}${}", campus.crypt(16), campus.crypt(86))?;
    out.push_str("aaa authentication login default group ISE-GROUP local\naaa authorization exec default group ISE-GROUP local\naaa accounting exec default start-stop group ISE-GROUP\naaa accounting commands default start-stop group ISE-GROUP\n");
    out.push_str("aaa group server tacacs+ ISE-GROUP\n server 10.0.0.49\n server 10.0.1.49\n");
    let key = campus.hex(18);
    for address in ["10.0.0.49", "10.0.1.49"] {
        writeln!(out, "tacacs-server host {address} port 49\n key 7 {:02}{key}\n timeout 4", campus.below(16))?;
    }
    out.push_str("tacacs source-interface Loopback0 vrf default\ncdp\nlldp\n timer 30\n");
    out.push_str("line console\n exec-timeout 15 0\nline default\n exec-timeout 15 0\n access-class ingress MGMT-SOURCES\n transport input ssh\nvty-pool default 0 20 line-template default\n");
    let (read, write) = (campus.crypt(12).replace(['/', '.'], "x"), campus.crypt(12).replace(['/', '.'], "y"));
    writeln!(
        out,
        "snmp-server community {read} RO IPv4 MGMT-SOURCES\nsnmp-server community {write} RW IPv4 MGMT-SOURCES"
    )?;
    writeln!(out, "snmp-server host 10.0.0.162 traps version 2c {}", campus.crypt(10).replace(['/', '.'], "z"))?;
    let place = fleet.sites.get(device.site).map_or("", |site| site.name_hierarchy.as_str());
    writeln!(
        out,
        "snmp-server location {place}\nsnmp-server contact noc@corp.example\nsnmp-server trap-source Loopback0\nsnmp-server traps snmp linkup\nsnmp-server traps snmp linkdown"
    )?;
    writeln!(
        out,
        "ntp\n authentication-key 1 md5 encrypted {}\n authenticate\n trusted-key 1\n server 10.0.0.123\n server 10.0.1.123\n source Loopback0",
        campus.hex(16)
    )?;
    out.push_str("banner login ^C\nAuthorised access only. Sessions are recorded.\n^C\n");
    out.push_str("control-plane\n management-plane\n  inband\n   interface all\n    allow SSH peer\n     address ipv4 10.0.0.0/8\n    allow SNMP peer\n     address ipv4 10.0.0.0/8\n");
    out.push_str(
        "ipv4 access-list MGMT-SOURCES\n 10 permit ipv4 10.0.0.0 0.255.255.255 any\n 20 deny ipv4 any any log\n",
    );
    Ok(())
}

/// Whether a cable stays within the wide-area core.
fn is_core(cable: &Cable<'_>) -> bool {
    cable.far.os() == Os::IosXr
}

fn ports(out: &mut String, fleet: &Fleet, device: &Device) -> Result {
    writeln!(
        out,
        "interface Loopback0\n description Management\n ipv4 address {} 255.255.255.255",
        device.management_ip
    )?;
    for port in physical_ports(device) {
        writeln!(out, "interface {}", port.name)?;
        match fleet.cables_of(device).find(|cable| cable.port == port.name) {
            Some(cable) => {
                let what = if is_core(&cable) { "Core link" } else { "Link" };
                writeln!(out, " description {what} to {} {}\n cdp", cable.far.hostname, cable.far_port)?;
                if is_core(&cable) || cable.far.os() == Os::NxOs {
                    out.push_str(" mtu 9216\n");
                }
                writeln!(out, " ipv4 address {} 255.255.255.252\n load-interval 30", cable.addresses().0)?;
            }
            None => out.push_str(" shutdown\n"),
        }
    }
    Ok(())
}

fn routing(out: &mut String, seed: Seed, fleet: &Fleet, device: &Device) -> Result {
    let region = seed.draw("wan secrets", 0).hex(16).to_lowercase();
    let secret = seed.draw("wan secrets", 1).hex(18);
    out.push_str("prefix-set CAMPUS-NETWORKS\n  10.0.0.0/8 le 24,\n  172.16.0.0/12 le 24\nend-set\nprefix-set DEFAULT-ROUTE\n  0.0.0.0/0\nend-set\n");
    out.push_str("route-policy CAMPUS-IN\n  if destination in CAMPUS-NETWORKS then\n    set local-preference 200\n    pass\n  else\n    drop\n  endif\nend-policy\n");
    out.push_str("route-policy CAMPUS-OUT\n  if destination in DEFAULT-ROUTE then\n    pass\n  elseif destination in CAMPUS-NETWORKS then\n    set med 100\n    pass\n  else\n    drop\n  endif\nend-policy\n");
    out.push_str("route-policy PASS\n  pass\nend-policy\n");
    writeln!(out, "router static\n address-family ipv4 unicast\n  192.0.2.0/24 Null0")?;
    writeln!(
        out,
        "router ospf CORE\n log adjacency changes\n router-id {}\n auto-cost reference-bandwidth 400000\n area 0\n  interface Loopback0\n   passive enable",
        device.management_ip
    )?;
    let mut core: Vec<Cable<'_>> = fleet.cables_of(device).filter(is_core).collect();
    core.sort_by_key(|cable| DIALECT.interface_order(cable.port));
    for cable in core {
        writeln!(
            out,
            "  interface {}\n   network point-to-point\n   message-digest-key 1 md5 encrypted {secret}",
            cable.port
        )?;
    }
    writeln!(out, "router bgp {WAN_AS}\n bgp router-id {}\n bgp log neighbor changes detail", device.management_ip)?;
    out.push_str(" address-family ipv4 unicast\n  network 192.0.2.0/24\n  maximum-paths ebgp 4\n");
    for cable in fleet.cables_of(device) {
        let far = cable.far;
        if is_core(&cable) {
            writeln!(
                out,
                " neighbor {}\n  remote-as {WAN_AS}\n  description Core {}\n  update-source Loopback0",
                far.management_ip, far.hostname
            )?;
            out.push_str("  address-family ipv4 unicast\n   next-hop-self\n");
            continue;
        }
        let number = if far.platform.family == Family::Router { 65_000 + far.campus } else { leaf_as(fleet, far) };
        writeln!(out, " neighbor {}\n  remote-as {number}", cable.addresses().1)?;
        if far.os() == Os::NxOs {
            writeln!(out, "  password encrypted {region}")?;
        }
        writeln!(out, "  description {}", far.hostname)?;
        out.push_str("  address-family ipv4 unicast\n   route-policy CAMPUS-IN in\n   route-policy CAMPUS-OUT out\n   maximum-prefix 5000 90\n   send-community-ebgp\n");
    }
    out.push_str("ssh server rate-limit 60\nssh server session-limit 10\nssh server v2\nssh server vrf default\nnetconf-yang agent\n ssh\n");
    Ok(())
}

/// The number in BGP of the leaves that lead to the wide-area core.
fn leaf_as(fleet: &Fleet, leaf: &Device) -> u32 {
    let before = fleet.groups.iter().take(leaf.group.unwrap_or(0));
    let domains = before.filter(|group| group.kind == crate::RedundancyKind::Vpc).count();
    65_501 + u32::try_from(domains).unwrap_or(0)
}
