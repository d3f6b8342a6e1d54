//! The first running configuration of a firewall. Both units of a pair hold the same one but for their own name and place.
//!
//! Where next: [`crate::state`], which calls this on demand and keeps edits.

use std::fmt::{Result, Write as _};
use std::net::Ipv4Addr;

use crate::device::Device;
use crate::fleet::Fleet;
use crate::interfaces::physical_ports;
use crate::lines::Config;
use crate::os::Os;
use crate::seed::Seed;

struct Firewall<'a> {
    seed: Seed,
    fleet: &'a Fleet,
    device: &'a Device,
    /// Management addresses of the active and the standby unit.
    management: [Ipv4Addr; 2],
    second: bool,
    /// Number of the pair within the region, which tells its networks from those of others.
    number: usize,
    in_centre: bool,
}

/// Writes the configuration of `device`.
pub(crate) fn configuration(seed: Seed, fleet: &Fleet, device: &Device) -> Config {
    let members = device.group.and_then(|group| fleet.groups.get(group)).map_or(&[][..], |group| &group.members);
    let address = |at: usize| members.get(at).and_then(|at| fleet.devices.get(*at)).map(|unit| unit.management_ip);
    let firewall = Firewall {
        seed,
        fleet,
        device,
        management: [address(0).unwrap_or(device.management_ip), address(1).unwrap_or(device.management_ip)],
        second: members.get(1) == Some(&device.index),
        number: device.group.unwrap_or(0),
        in_centre: device.platform.id.starts_with("FPR"),
    };
    let mut out = String::with_capacity(12 * 1024);
    // Writing to a String cannot fail.
    let _written =
        firewall.head(&mut out).and_then(|()| firewall.rules(&mut out)).and_then(|()| firewall.services(&mut out));
    Config::parse(Os::Asa, &out)
}

impl Firewall<'_> {
    /// Networks of the pair: outside, inside, servers that the outside reaches.
    fn network(&self, kind: u32) -> String {
        let number = u32::try_from(self.number).unwrap_or(0);
        let base = match kind {
            0 => Ipv4Addr::new(198, 18, 0, 0),
            1 => Ipv4Addr::new(172, 28, 0, 0),
            _ => Ipv4Addr::new(172, 29, 0, 0),
        };
        let [a, b, c, _] = (u32::from(base) + ((number & 0x1FF) << 8)).to_be_bytes();
        format!("{a}.{b}.{c}")
    }

    fn has_servers(&self) -> bool {
        self.in_centre
    }

    fn head(&self, out: &mut String) -> Result {
        let mut pair = self.seed.draw("firewall secrets", self.number as u64);
        writeln!(out, "hostname {}\ndomain-name corp.example", self.device.hostname)?;
        writeln!(out, "enable password $sha512$5000${}==${}== pbkdf2", pair.crypt(22), pair.crypt(22))?;
        out.push_str("names\n");
        let failover = self.failover_port();
        let (first, second, servers) = if self.in_centre {
            ("Port-channel1.100", "Port-channel1.200", "Port-channel1.110")
        } else {
            ("GigabitEthernet1/1", "GigabitEthernet1/2", "")
        };
        for port in physical_ports(self.device) {
            writeln!(out, "interface {}", port.name)?;
            let cable = self.fleet.cables_of(self.device).find(|cable| cable.port == port.name);
            match cable {
                _ if port.name.starts_with("Management") => {
                    writeln!(
                        out,
                        " management-only\n nameif management\n security-level 100\n ip address {} 255.255.252.0 standby {}",
                        self.management[0], self.management[1]
                    )?;
                }
                _ if port.name == failover => out.push_str(" description LAN/STATE Failover Interface\n"),
                Some(cable) if self.in_centre => {
                    writeln!(
                        out,
                        " description To {} {}\n channel-group 1 mode active\n no nameif\n no security-level\n no ip address",
                        cable.far.hostname, cable.far_port
                    )?;
                }
                Some(_) if port.name == first => self.named(out, None, "outside", 0, 0)?,
                Some(_) if port.name == second => self.named(out, None, "inside", 100, 1)?,
                _ => out.push_str(" shutdown\n no nameif\n no security-level\n no ip address\n"),
            }
        }
        if self.in_centre {
            out.push_str(
                "interface Port-channel1\n lacp max-bundle 8\n no nameif\n no security-level\n no ip address\n",
            );
            writeln!(out, "interface {first}")?;
            self.named(out, Some(100), "outside", 0, 0)?;
            writeln!(out, "interface {servers}")?;
            self.named(out, Some(110), "dmz", 50, 2)?;
            writeln!(out, "interface {second}")?;
            self.named(out, Some(200), "inside", 100, 1)?;
        }
        out.push_str("ftp mode passive\nclock timezone UTC 0\ndns domain-lookup management\ndns server-group DefaultDNS\n name-server 10.0.0.53 management\n domain-name corp.example\nsame-security-traffic permit inter-interface\n");
        Ok(())
    }

    fn named(&self, out: &mut String, vlan: Option<u16>, name: &str, level: u8, kind: u32) -> Result {
        if let Some(vlan) = vlan {
            writeln!(out, " vlan {vlan}")?;
        }
        let network = self.network(kind);
        writeln!(
            out,
            " nameif {name}\n security-level {level}\n ip address {network}.2 255.255.255.0 standby {network}.3"
        )
    }

    fn failover_port(&self) -> String {
        let firewall = |cable: &crate::cable::Cable<'_>| cable.far.platform.family == self.device.platform.family;
        let cable = self.fleet.cables_of(self.device).find(firewall);
        cable.map_or_else(String::new, |cable| cable.port.to_owned())
    }

    fn rules(&self, out: &mut String) -> Result {
        let (outside, inside, servers) = (self.network(0), self.network(1), self.network(2));
        out.push_str("object network NET-INSIDE\n subnet 10.0.0.0 255.0.0.0\n description Networks of the company\n");
        if self.has_servers() {
            writeln!(
                out,
                "object network SRV-WEB1\n host {servers}.11\nobject network SRV-WEB2\n host {servers}.12\nobject network SRV-MAIL\n host {servers}.25"
            )?;
        }
        out.push_str("object network NET-PARTNER\n subnet 192.0.2.0 255.255.255.0\nobject service SVC-APP\n service tcp destination eq 8443\n");
        out.push_str("object-group network ADMIN-HOSTS\n description Stations of the network team\n network-object host 10.0.0.20\n network-object host 10.0.0.21\n network-object 10.0.4.0 255.255.255.0\n");
        if self.has_servers() {
            out.push_str(
                "object-group network WEB-SERVERS\n network-object object SRV-WEB1\n network-object object SRV-WEB2\n",
            );
        }
        out.push_str("object-group service WEB-PORTS tcp\n port-object eq www\n port-object eq https\n");
        out.push_str("access-list OUTSIDE-IN remark Published services\n");
        if self.has_servers() {
            out.push_str("access-list OUTSIDE-IN extended permit tcp any object-group WEB-SERVERS object-group WEB-PORTS\naccess-list OUTSIDE-IN extended permit tcp any object SRV-MAIL eq smtp\n");
        }
        out.push_str("access-list OUTSIDE-IN extended permit icmp any any echo-reply\naccess-list OUTSIDE-IN extended deny ip any any log\n");
        out.push_str("access-list INSIDE-IN extended permit tcp object-group ADMIN-HOSTS any eq ssh\naccess-list INSIDE-IN extended permit ip object NET-INSIDE any\n");
        out.push_str("access-list VPN-PARTNER extended permit ip object NET-INSIDE object NET-PARTNER\n");
        out.push_str("pager lines 24\nlogging enable\nlogging timestamp\nlogging buffer-size 65536\nlogging buffered informational\nlogging trap informational\nlogging asdm informational\nlogging host management 10.0.0.51\n");
        let names = if self.has_servers() {
            &["management", "outside", "inside", "dmz"][..]
        } else {
            &["management", "outside", "inside"]
        };
        for name in names {
            writeln!(out, "mtu {name} 1500")?;
        }
        writeln!(out, "failover\nfailover lan unit {}", if self.second { "secondary" } else { "primary" })?;
        let port = self.failover_port();
        writeln!(
            out,
            "failover lan interface FAILOVER {port}\nfailover polltime unit 1 holdtime 3\nfailover key *****\nfailover replication http\nfailover link FAILOVER {port}\nfailover interface ip FAILOVER 169.254.1.1 255.255.255.252 standby 169.254.1.2"
        )?;
        out.push_str("icmp unreachable rate-limit 1 burst-size 1\narp timeout 14400\nnat (inside,outside) source static NET-INSIDE NET-INSIDE destination static NET-PARTNER NET-PARTNER no-proxy-arp route-lookup\n");
        out.push_str("object network NET-INSIDE\n nat (inside,outside) dynamic interface\n");
        if self.has_servers() {
            writeln!(
                out,
                "object network SRV-WEB1\n nat (dmz,outside) static {outside}.11\nobject network SRV-WEB2\n nat (dmz,outside) static {outside}.12\nobject network SRV-MAIL\n nat (dmz,outside) static {outside}.25"
            )?;
        }
        out.push_str("access-group OUTSIDE-IN in interface outside\naccess-group INSIDE-IN in interface inside\n");
        let gateway = Ipv4Addr::from((u32::from(self.management[0]) & !0x3FF) + 1);
        writeln!(
            out,
            "route outside 0.0.0.0 0.0.0.0 {outside}.1 1\nroute inside 10.0.0.0 255.0.0.0 {inside}.1 1\nroute management 10.0.0.0 255.255.248.0 {gateway} 1"
        )
    }

    fn services(&self, out: &mut String) -> Result {
        let mut pair = self.seed.draw("firewall secrets", 1_000_000 + self.number as u64);
        out.push_str("timeout xlate 3:00:00\ntimeout conn 1:00:00 half-closed 0:10:00 udp 0:02:00 sctp 0:02:00 icmp 0:00:02\ntimeout uauth 0:05:00 absolute\n");
        out.push_str("aaa-server ISE protocol tacacs+\naaa-server ISE (management) host 10.0.0.49\n key *****\n timeout 4\naaa-server ISE (management) host 10.0.1.49\n key *****\n timeout 4\n");
        out.push_str("user-identity default-domain LOCAL\naaa authentication ssh console ISE LOCAL\naaa authentication enable console ISE LOCAL\naaa authentication http console ISE LOCAL\naaa authorization exec authentication-server auto-enable\naaa accounting command ISE\n");
        out.push_str("http server enable\nhttp 10.0.0.0 255.255.252.0 management\nsnmp-server host management 10.0.0.162 community ***** version 2c\n");
        let place = self.fleet.sites.get(self.device.site).map_or("", |site| site.name_hierarchy.as_str());
        writeln!(
            out,
            "snmp-server location {place}\nsnmp-server contact noc@corp.example\nsnmp-server community *****\nsnmp-server enable traps snmp authentication linkup linkdown coldstart"
        )?;
        out.push_str("crypto ipsec ikev2 ipsec-proposal AES256\n protocol esp encryption aes-256\n protocol esp integrity sha-256\ncrypto ipsec security-association pmtu-aging infinite\n");
        out.push_str("crypto map OUTSIDE-MAP 10 match address VPN-PARTNER\ncrypto map OUTSIDE-MAP 10 set peer 192.0.2.254\ncrypto map OUTSIDE-MAP 10 set ikev2 ipsec-proposal AES256\ncrypto map OUTSIDE-MAP interface outside\n");
        out.push_str("crypto ikev2 policy 10\n encryption aes-256\n integrity sha256\n group 19\n prf sha256\n lifetime seconds 86400\ncrypto ikev2 enable outside\n");
        out.push_str("telnet timeout 5\nssh stricthostkeycheck\nssh timeout 15\nssh version 2\nssh key-exchange group dh-group14-sha256\nssh 10.0.0.0 255.255.252.0 management\nconsole timeout 15\n");
        out.push_str("threat-detection basic-threat\nthreat-detection statistics access-list\nntp authentication-key 1 md5 *****\nntp authenticate\nntp trusted-key 1\nntp server 10.0.0.123 source management\nntp server 10.0.1.123 source management\n");
        out.push_str("group-policy PARTNER internal\ngroup-policy PARTNER attributes\n vpn-tunnel-protocol ikev2\ndynamic-access-policy-record DfltAccessPolicy\n");
        writeln!(
            out,
            "username netadmin password $sha512$5000${}==${}== pbkdf2 privilege 15",
            pair.crypt(22),
            pair.crypt(22)
        )?;
        out.push_str("tunnel-group 192.0.2.254 type ipsec-l2l\ntunnel-group 192.0.2.254 general-attributes\n default-group-policy PARTNER\ntunnel-group 192.0.2.254 ipsec-attributes\n ikev2 remote-authentication pre-shared-key *****\n ikev2 local-authentication pre-shared-key *****\n");
        out.push_str("class-map inspection_default\n match default-inspection-traffic\npolicy-map type inspect dns preset_dns_map\n parameters\n  message-length maximum 512\npolicy-map global_policy\n class inspection_default\n  inspect dns preset_dns_map\n  inspect ftp\n  inspect icmp\n  inspect sip\nservice-policy global_policy global\nprompt hostname priority state\n");
        Ok(())
    }
}
