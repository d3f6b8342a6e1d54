//! The first running configuration of a data-centre switch: spines route, leaves serve pairs of ports as vPC, the first
//! pair of leaves leads to the firewalls and the wide-area core.
//!
//! Where next: [`crate::state`], which calls this on demand and keeps edits.

use std::fmt::{Result, Write as _};
use std::net::Ipv4Addr;

use crate::cable::Cable;
use crate::device::{Device, Family, Role};
use crate::fleet::Fleet;
use crate::interfaces::physical_ports;
use crate::lines::Config;
use crate::os::Os;
use crate::seed::Seed;

/// VLANs of servers, with their names.
const VLANS: &[(u16, &str)] = &[
    (100, "OUTSIDE"),
    (110, "WEB"),
    (120, "APP"),
    (130, "DB"),
    (140, "VMOTION"),
    (150, "BACKUP"),
    (200, "INSIDE"),
    (999, "NATIVE_UNUSED"),
];
const NATIVE: u16 = 999;
/// Servers that are plugged into both leaves of a pair.
const SERVERS: u16 = 8;

/// What the lines of one switch are made of.
struct Writer<'a> {
    out: String,
    seed: Seed,
    fleet: &'a Fleet,
    device: &'a Device,
    /// First or second of its pair, from 0.
    side: usize,
    peer: Option<&'a Device>,
    /// Number of its pair within the region.
    domain: usize,
}

/// Writes the configuration of `device`.
pub(crate) fn configuration(seed: Seed, fleet: &Fleet, device: &Device) -> Config {
    let group = device.group.and_then(|group| fleet.groups.get(group));
    let side = group.and_then(|group| group.members.iter().position(|at| *at == device.index)).unwrap_or(0);
    let peer = group.and_then(|group| group.members.get(1 - side.min(1))).and_then(|at| fleet.devices.get(*at));
    let before = fleet.groups.iter().take(device.group.unwrap_or(0));
    let domain = 1 + before.filter(|group| group.kind == crate::RedundancyKind::Vpc).count();
    let mut writer = Writer { out: String::with_capacity(16 * 1024), seed, fleet, device, side, peer, domain };
    // Writing to a String cannot fail.
    let _written =
        writer.head().and_then(|()| writer.layers()).and_then(|()| writer.ports()).and_then(|()| writer.routing());
    Config::parse(Os::NxOs, &writer.out)
}

impl Writer<'_> {
    fn is_leaf(&self) -> bool {
        self.device.role == Role::Distribution
    }

    fn head(&mut self) -> Result {
        let device = self.device;
        let mut campus = self.seed.draw("campus secrets nx-os", u64::from(device.campus));
        let mut own = self.seed.draw("device secrets", device.index as u64);
        let leaf = self.is_leaf();
        let out = &mut self.out;
        writeln!(out, "version {} Bios:version 05.50", device.software_version)?;
        writeln!(out, "hostname {}", device.hostname)?;
        writeln!(out, "vdc {} id 1\n  limit-resource vlan minimum 16 maximum 4094", device.hostname)?;
        out.push_str("  limit-resource vrf minimum 2 maximum 4096\n  limit-resource port-channel minimum 0 maximum 511\n  limit-resource u4route-mem minimum 248 maximum 248\n");
        out.push_str(
            "cfs eth distribute\nfeature nxapi\nfeature tacacs+\nfeature ospf\nfeature bgp\nfeature interface-vlan\n",
        );
        if leaf {
            out.push_str("feature hsrp\nfeature lacp\nfeature dhcp\nfeature vpc\n");
        }
        out.push_str("feature lldp\n");
        writeln!(out, "username admin password 5 $5${}${}  role network-admin", own.crypt(8), own.crypt(43))?;
        writeln!(out, "username dnac password 5 $5${}${}  role network-admin", campus.crypt(8), campus.crypt(43))?;
        out.push_str("banner motd ^\nAuthorised access only. Sessions are recorded.\n^\n");
        out.push_str("ip domain-lookup\nip domain-name corp.example\nip name-server 10.0.0.53 use-vrf management\n");
        let key = campus.crypt(14).replace(['/', '.'], "w");
        for address in ["10.0.0.49", "10.0.1.49"] {
            writeln!(out, "tacacs-server host {address} key 7 \"{key}\" timeout 4")?;
        }
        out.push_str("aaa group server tacacs+ ISE-GROUP\n  server 10.0.0.49\n  server 10.0.1.49\n  use-vrf management\n  source-interface mgmt0\n");
        out.push_str("ip access-list MGMT-SOURCES\n  10 permit ip 10.0.0.0/8 any\n  20 deny ip any any log\n");
        writeln!(out, "system default switchport{}", if leaf { "" } else { " shutdown" })?;
        out.push_str("copp profile strict\n");
        let place = self.fleet.sites.get(device.site).map_or("", |site| site.name_hierarchy.as_str());
        writeln!(
            out,
            "snmp-server contact noc@corp.example\nsnmp-server location {place}\nsnmp-server source-interface trap mgmt0"
        )?;
        writeln!(
            out,
            "snmp-server user admin network-admin auth md5 0x{} priv 0x{} localizedkey",
            own.hex(32).to_lowercase(),
            own.hex(32).to_lowercase()
        )?;
        let trap = campus.crypt(10).replace(['/', '.'], "z");
        writeln!(out, "snmp-server host 10.0.0.162 traps version 2c {trap}")?;
        let (read, write) = (campus.crypt(12).replace(['/', '.'], "x"), campus.crypt(12).replace(['/', '.'], "y"));
        writeln!(
            out,
            "snmp-server community {read} group network-operator\nsnmp-server community {write} group network-admin"
        )?;
        writeln!(
            out,
            "ntp server 10.0.0.123 use-vrf management\nntp server 10.0.1.123 use-vrf management\nntp source-interface mgmt0"
        )?;
        writeln!(
            out,
            "ntp authentication-key 1 md5 {} 7\nntp authenticate\nntp trusted-key 1",
            campus.crypt(10).replace(['/', '.'], "v")
        )?;
        out.push_str(
            "aaa authentication login default group ISE-GROUP local\naaa accounting default group ISE-GROUP\n",
        );
        Ok(())
    }

    fn layers(&mut self) -> Result {
        let gateway = Ipv4Addr::from((u32::from(self.device.management_ip) & !0x3FF) + 1);
        if self.is_leaf() {
            for (id, name) in VLANS {
                writeln!(self.out, "vlan {id}\n  name {name}")?;
            }
            let priority = 4096 * (1 + self.side);
            writeln!(
                self.out,
                "spanning-tree vlan 1-3967 priority {priority}\nspanning-tree port type edge bpduguard default"
            )?;
            self.out.push_str("ip prefix-list DC-NETWORKS seq 10 permit 172.30.0.0/16 le 24\nroute-map TO-WAN permit 10\n  match ip address prefix-list DC-NETWORKS\n");
        }
        writeln!(self.out, "vrf context management\n  ip route 0.0.0.0/0 {gateway}")?;
        if let (true, Some(peer)) = (self.is_leaf(), self.peer) {
            writeln!(
                self.out,
                "vpc domain {}\n  peer-switch\n  role priority {}\n  peer-keepalive destination {} source {}",
                self.domain,
                100 * (1 + self.side),
                peer.management_ip,
                self.device.management_ip
            )?;
            self.out.push_str("  delay restore 150\n  peer-gateway\n  auto-recovery\n  ip arp synchronize\n");
        }
        Ok(())
    }

    fn ports(&mut self) -> Result {
        let cables: Vec<Cable<'_>> = self.fleet.cables_of(self.device).collect();
        let is_peer = |cable: &Cable<'_>| self.peer.is_some_and(|peer| peer.index == cable.far.index);
        if self.is_leaf() {
            for (at, (id, name)) in (0_u8..).zip(VLANS.iter().filter(|(id, _)| (110..200).contains(id))) {
                let network = format!("172.30.{}", (self.domain * 8 + usize::from(at)) % 256);
                writeln!(self.out, "interface Vlan{id}\n  description {name}\n  no shutdown\n  no ip redirects")?;
                writeln!(
                    self.out,
                    "  ip address {network}.{}/24\n  ip router ospf UNDERLAY area 0.0.0.0",
                    2 + self.side
                )?;
                writeln!(
                    self.out,
                    "  hsrp version 2\n  hsrp {id}\n    preempt\n    priority {}\n    ip {network}.1",
                    110 - 10 * self.side
                )?;
                self.out.push_str("  ip dhcp relay address 10.0.0.67\n");
            }
            writeln!(
                self.out,
                "interface port-channel1\n  description vPC peer link\n  switchport mode trunk\n  switchport trunk native vlan {NATIVE}\n  spanning-tree port type network\n  vpc peer-link"
            )?;
            for server in 0..SERVERS {
                let vlan = 110 + 10 * (server % 3);
                writeln!(
                    self.out,
                    "interface port-channel{n}\n  description Server srv{n} bond\n  switchport mode trunk\n  switchport trunk native vlan {NATIVE}\n  switchport trunk allowed vlan {vlan},140,150\n  spanning-tree port type edge trunk\n  vpc {n}",
                    n = 10 + server
                )?;
            }
            let firewalls = cables.iter().filter(|cable| cable.far.platform.family == Family::Firewall);
            for (at, cable) in (0_u16..).zip(firewalls) {
                writeln!(
                    self.out,
                    "interface port-channel{n}\n  description Firewall {}\n  switchport mode trunk\n  switchport trunk allowed vlan 100,110,200\n  spanning-tree port type edge trunk\n  vpc {n}",
                    cable.far.hostname,
                    n = 101 + at
                )?;
            }
        }
        let mut bundle = 101;
        for (number, port) in physical_ports(self.device).into_iter().enumerate() {
            if port.name == "mgmt0" {
                continue;
            }
            writeln!(self.out, "interface {}", port.name)?;
            match cables.iter().find(|cable| cable.port == port.name) {
                Some(cable) if is_peer(cable) => {
                    writeln!(
                        self.out,
                        "  description Peer link {} {}\n  switchport mode trunk\n  switchport trunk native vlan {NATIVE}\n  channel-group 1 mode active",
                        cable.far.hostname, cable.far_port
                    )?;
                }
                Some(cable) if cable.far.platform.family == Family::Firewall => {
                    writeln!(
                        self.out,
                        "  description Firewall {} {}\n  switchport mode trunk\n  switchport trunk allowed vlan 100,110,200\n  channel-group {bundle} mode active",
                        cable.far.hostname, cable.far_port
                    )?;
                    bundle += 1;
                }
                Some(cable) => {
                    writeln!(
                        self.out,
                        "  description Link to {} {}\n  no switchport\n  mtu 9216",
                        cable.far.hostname, cable.far_port
                    )?;
                    writeln!(self.out, "  ip address {}/30", cable.addresses().0)?;
                    if cable.far.os() == Os::NxOs {
                        self.out.push_str("  ip ospf network point-to-point\n  ip router ospf UNDERLAY area 0.0.0.0\n");
                    }
                }
                None if self.is_leaf() && number < usize::from(SERVERS) => {
                    let server = 10 + number;
                    let vlan = 110 + 10 * (number % 3);
                    writeln!(
                        self.out,
                        "  description Server srv{server} nic{}\n  switchport mode trunk\n  switchport trunk native vlan {NATIVE}\n  switchport trunk allowed vlan {vlan},140,150\n  channel-group {server} mode active",
                        self.side
                    )?;
                }
                None if self.is_leaf() && number < 24 => {
                    writeln!(
                        self.out,
                        "  description Server port\n  switchport access vlan {}\n  spanning-tree port type edge",
                        110 + 10 * (number % 3)
                    )?;
                }
                None => self.out.push_str("  shutdown\n"),
            }
        }
        writeln!(
            self.out,
            "interface mgmt0\n  description Management\n  vrf member management\n  ip address {}/22",
            self.device.management_ip
        )?;
        writeln!(
            self.out,
            "interface loopback0\n  description Router id\n  ip address {}/32\n  ip router ospf UNDERLAY area 0.0.0.0",
            self.loopback(self.device)
        )?;
        self.out.push_str("line console\n  exec-timeout 15\nline vty\n  exec-timeout 15\n  session-limit 16\n  access-class MGMT-SOURCES in\n");
        writeln!(
            self.out,
            "boot nxos bootflash:/{}.{}.M.bin",
            self.device.platform.image,
            image_release(self.device.software_version)
        )
    }

    /// A router id that no other device has, apart from the management network.
    fn loopback(&self, device: &Device) -> Ipv4Addr {
        Ipv4Addr::from((u32::from(device.management_ip) & 0x00FF_FFFF) | 0xAC00_0000)
    }

    fn routing(&mut self) -> Result {
        let loopback = self.loopback(self.device);
        writeln!(
            self.out,
            "router ospf UNDERLAY\n  router-id {loopback}\n  log-adjacency-changes\n  auto-cost reference-bandwidth 400 Gbps"
        )?;
        let wan: Vec<Ipv4Addr> = self
            .fleet
            .cables_of(self.device)
            .filter(|cable| cable.far.os() == Os::IosXr)
            .map(|cable| cable.addresses().1)
            .collect();
        if !wan.is_empty() {
            let mut campus = self.seed.draw("wan secrets", 0);
            let secret = campus.hex(16).to_lowercase();
            writeln!(self.out, "router bgp {}\n  router-id {loopback}\n  log-neighbor-changes", 65_500 + self.domain)?;
            self.out.push_str(
                "  address-family ipv4 unicast\n    redistribute direct route-map TO-WAN\n    maximum-paths 2\n",
            );
            for address in wan {
                writeln!(
                    self.out,
                    "  neighbor {address}\n    remote-as {}\n    description WAN core\n    password 3 {secret}",
                    crate::ios_xr::generate::WAN_AS
                )?;
                self.out.push_str("    address-family ipv4 unicast\n      send-community\n      route-map TO-WAN out\n      soft-reconfiguration inbound\n");
            }
        }
        self.out.push_str("logging server 10.0.0.51 5 use-vrf management\nlogging source-interface mgmt0\nlogging timestamp milliseconds\n");
        Ok(())
    }
}

/// `10.3.4a` from `10.3(4a)`.
fn image_release(version: &str) -> String {
    version.replace('(', ".").replace(')', "")
}
