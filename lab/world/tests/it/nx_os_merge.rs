//! The table of NX-OS line semantics.

use interlock_world::Os;
use interlock_world::lines::Config;

use crate::merging::{Accepted, Rejected, check_accepted, check_rejected, enter, order};

const BASE: &str = "hostname leaf1\nfeature tacacs+\nfeature ospf\nfeature bgp\nfeature interface-vlan\nfeature hsrp\nfeature lacp\nfeature vpc\ntacacs-server host 10.0.0.49 key 7 \"abcdef\"\nip access-list ACL1\n  10 permit ip any any\nsnmp-server community old group network-operator\nvlan 1,10,30\nvlan 10\n  name DATA\nvrf context management\n  ip route 0.0.0.0/0 10.0.0.1\nvpc domain 10\n  role priority 100\ninterface Vlan10\n  no shutdown\n  ip address 172.30.0.2/24\n  hsrp 10\n    priority 110\n    ip 172.30.0.1\ninterface port-channel10\n  switchport mode trunk\n  vpc 10\ninterface Ethernet1/1\n  description Server\n  switchport access vlan 10\ninterface Ethernet1/2\n  switchport mode trunk\n  switchport trunk allowed vlan 10,20\ninterface Ethernet1/3\n  shutdown\ninterface Ethernet1/49\n  no switchport\n  ip address 192.168.0.1/30\n  ip router ospf UNDERLAY area 0.0.0.0\ninterface mgmt0\n  vrf member management\n  ip address 10.0.0.10/22\nline vty\n  exec-timeout 15\nrouter ospf UNDERLAY\n  router-id 172.0.0.1\nrouter bgp 65501\n  neighbor 192.168.0.2\n    remote-as 64512\n    address-family ipv4 unicast\n      route-map A out\n";

fn base() -> Config {
    Config::parse(Os::NxOs, BASE)
}

static ACCEPTED: &[Accepted] = &[
    ("hostname leaf9", &["hostname leaf9"], &["hostname leaf1"]),
    ("no hostname", &[], &["hostname leaf1"]),
    ("feature lldp", &["feature lldp"], &[]),
    ("feature lldp\nfeature lldp", &["feature lldp"], &[]),
    ("no feature lldp", &["feature vpc"], &["feature lldp"]),
    (
        "no feature vpc",
        &["interface port-channel10"],
        &["feature vpc", "vpc domain 10", " role priority 100", " vpc 10"],
    ),
    ("no feature interface-vlan", &["vlan 10"], &["interface Vlan10", " no shutdown"]),
    ("no feature hsrp", &["interface Vlan10", " ip address 172.30.0.2/24"], &[" hsrp 10", "  priority 110"]),
    ("no feature bgp", &["router ospf UNDERLAY"], &["router bgp 65501", " neighbor 192.168.0.2"]),
    (
        "no feature ospf",
        &[" ip address 192.168.0.1/30"],
        &["router ospf UNDERLAY", " ip router ospf UNDERLAY area 0.0.0.0"],
    ),
    ("no feature tacacs+", &[], &["tacacs-server host 10.0.0.49 key 7 \"abcdef\""]),
    ("vlan 20\n  name VOICE", &["vlan 20", " name VOICE"], &[]),
    ("vlan 40-42", &["vlan 40", "vlan 41", "vlan 42"], &[]),
    ("vlan 10\n  name OTHER", &[" name OTHER"], &[" name DATA"]),
    ("vlan 10\n  no name", &["vlan 10"], &[" name DATA"]),
    ("no vlan 30", &["vlan 10"], &["vlan 30"]),
    ("no vlan 10,30", &[], &["vlan 10", "vlan 30", " name DATA"]),
    ("no vlan 3000", &["vlan 10", "vlan 30"], &[]),
    ("interface Ethernet1/1\n  description New  text", &[" description New  text"], &[" description Server"]),
    ("int eth1/1\n desc x", &[" description x"], &[" description Server"]),
    ("interface eth1/1\n  shut", &[" shutdown"], &[]),
    ("interface Ethernet1/3\n  no shutdown", &["interface Ethernet1/3"], &[" shutdown"]),
    ("interface Ethernet1/1\n  sw acc vl 30", &[" switchport access vlan 30"], &[" switchport access vlan 10"]),
    ("interface Ethernet1/1\n  no switchport", &[" no switchport"], &[" switchport access vlan 10"]),
    (
        "interface Ethernet1/2\n  switchport trunk allowed vlan add 21-22",
        &[" switchport trunk allowed vlan 10,20-22"],
        &[],
    ),
    ("interface Ethernet1/2\n  switchport trunk allowed vlan remove 20", &[" switchport trunk allowed vlan 10"], &[]),
    (
        "interface Ethernet1/2\n  switchport trunk allowed vlan 5",
        &[" switchport trunk allowed vlan 5"],
        &[" switchport trunk allowed vlan 10,20"],
    ),
    ("interface Ethernet1/2\n  no switchport trunk allowed vlan", &[], &[" switchport trunk allowed vlan 10,20"]),
    ("interface Ethernet1/1-3\n  mtu 9216", &[" mtu 9216"], &[]),
    ("interface Ethernet1/1, Ethernet1/3\n  load-interval counter 1 30", &[" load-interval counter 1 30"], &[]),
    (
        "interface Vlan20\n  ip address 172.30.1.2 255.255.255.0",
        &["interface Vlan20", " ip address 172.30.1.2/24"],
        &[" ip address 172.30.1.2 255.255.255.0"],
    ),
    ("interface Vlan10\n  shutdown", &["interface Vlan10"], &[" no shutdown"]),
    ("interface Vlan10\n  no ip address", &["interface Vlan10"], &[" ip address 172.30.0.2/24"]),
    (
        "interface Vlan10\n  ip address 172.30.9.1/24 secondary",
        &[" ip address 172.30.0.2/24", " ip address 172.30.9.1/24 secondary"],
        &[],
    ),
    ("interface Vlan10\n  hsrp 10\n    priority 90\n    preempt", &["  priority 90", "  preempt"], &["  priority 110"]),
    ("interface Vlan10\n  no hsrp 10", &["interface Vlan10"], &[" hsrp 10", "  ip 172.30.0.1"]),
    ("no interface Vlan10", &["vlan 10"], &["interface Vlan10"]),
    (
        "interface Ethernet1/1\n  channel-group 20 mode active",
        &["interface port-channel20", " channel-group 20 mode active"],
        &[],
    ),
    ("no interface port-channel10", &[], &["interface port-channel10", " vpc 10"]),
    (
        "default interface Ethernet1/1",
        &["interface Ethernet1/1"],
        &[" description Server", " switchport access vlan 10"],
    ),
    ("ip access-list ACL1\n  deny tcp any any eq 23", &[" 10 permit ip any any", " 20 deny tcp any any eq 23"], &[]),
    ("ip access-list ACL1\n  5 deny udp any any", &[" 5 deny udp any any", " 10 permit ip any any"], &[]),
    ("ip access-list ACL1\n  no 10", &["ip access-list ACL1"], &[" 10 permit ip any any"]),
    ("ip access-list ACL1\n  no permit ip any any", &["ip access-list ACL1"], &[" 10 permit ip any any"]),
    ("ip access-list ACL1\n  statistics per-entry", &[" statistics per-entry", " 10 permit ip any any"], &[]),
    ("no ip access-list ACL1", &[], &["ip access-list ACL1", " 10 permit ip any any"]),
    (
        "snmp-server community old group network-admin",
        &["snmp-server community old group network-admin"],
        &["snmp-server community old group network-operator"],
    ),
    ("no snmp-server community old", &[], &["snmp-server community old group network-operator"]),
    (
        "vrf context management\n  ip route 10.9.0.0/16 10.0.0.2",
        &[" ip route 0.0.0.0/0 10.0.0.1", " ip route 10.9.0.0/16 10.0.0.2"],
        &[],
    ),
    (
        "vrf context management\n  no ip route 0.0.0.0/0 10.0.0.1",
        &["vrf context management"],
        &[" ip route 0.0.0.0/0 10.0.0.1"],
    ),
    (
        "vpc domain 10\n  role priority 200\n  peer-gateway",
        &[" role priority 200", " peer-gateway"],
        &[" role priority 100"],
    ),
    (
        "router bgp 65501\n  neighbor 192.168.0.2\n    address-family ipv4 unicast\n      route-map B out",
        &["   route-map B out"],
        &["   route-map A out"],
    ),
    (
        "router bgp 65501\n  neighbor 192.168.0.6\n    remote-as 64512",
        &[" neighbor 192.168.0.6", " neighbor 192.168.0.2"],
        &[],
    ),
    (
        "router bgp 65501\n  no neighbor 192.168.0.2",
        &["router bgp 65501"],
        &[" neighbor 192.168.0.2", "  remote-as 64512"],
    ),
    (
        "interface Ethernet1/49\n  no ip router ospf",
        &[" ip address 192.168.0.1/30"],
        &[" ip router ospf UNDERLAY area 0.0.0.0"],
    ),
    ("line vty\n  no exec-timeout", &["line vty"], &[" exec-timeout 15"]),
    ("show vlan\nhostname leaf8", &["hostname leaf8"], &[]),
    ("interface Ethernet1/1\n  exit\nhostname leaf7\nend", &["hostname leaf7"], &[]),
    ("banner motd #\nkeep\n  out\n#", &["banner motd #", "keep", "  out"], &[]),
    ("no ip domain-lookup", &["no ip domain-lookup"], &[]),
];

static REJECTED: &[Rejected] = &[
    ("vlan 77\nnonsense\nvlan 78", "nonsense", "% Invalid command at '^' marker.", "vlan 78"),
    ("interface Ethernet1/99\nvlan 79", "interface Ethernet1/99", "% Invalid command", "vlan 79"),
    (
        "no feature lacp\ninterface Ethernet1/1\n  lacp rate fast",
        "lacp rate fast",
        "% Invalid command",
        "interface Ethernet1/1",
    ),
    (
        "no feature lacp\ninterface Ethernet1/1\n  channel-group 9 mode active",
        "channel-group 9 mode active",
        "feature lacp is not enabled",
        " description Server",
    ),
    ("no feature interface-vlan\ninterface Vlan50\nvlan 51", "interface Vlan50", "% Invalid command", "vlan 51"),
    ("feature frobnicate\nvlan 52", "feature frobnicate", "% Invalid command", "vlan 52"),
    ("no feature vpc\nvpc domain 5\nvlan 53", "vpc domain 5", "% Invalid command", "vlan 53"),
    ("interface Ethernet1/1\n  ip address 10.1.1.1/24\nvlan 54", "ip address 10.1.1.1/24", "Layer 2", "vlan 54"),
    (
        "interface Ethernet1/49\n  ip address 10.1.1.1/33",
        "ip address 10.1.1.1/33",
        "% Invalid command",
        " ip address 192.168.0.1/30",
    ),
    (
        "interface Ethernet1/49\n  ip address 10.1.1.1 255.0.255.0",
        "ip address 10.1.1.1 255.0.255.0",
        "% Invalid command",
        " ip address 192.168.0.1/30",
    ),
    ("interface Ethernet1/1\n  mtu 60000", "mtu 60000", "% Invalid command", " description Server"),
    (
        "interface Ethernet1/1\n  switchport access vlan 5000",
        "switchport access vlan 5000",
        "% Invalid command",
        " switchport access vlan 10",
    ),
    (
        "interface Ethernet1/2\n  switchport trunk allowed vlan add x",
        "switchport trunk allowed vlan add x",
        "Bad VLAN list",
        " switchport trunk allowed vlan 10,20",
    ),
    ("no vlan 1\nvlan 55", "no vlan 1", "Default VLAN 1 may not be deleted", "vlan 55"),
    ("no interface Ethernet1/1", "no interface Ethernet1/1", "not permitted", " description Server"),
    (
        "ip access-list ACL1\n  10 deny ip any any",
        "10 deny ip any any",
        "Duplicate sequence number",
        " 10 permit ip any any",
    ),
    ("vlan 5000\nvlan 56", "vlan 5000", "Bad VLAN list", "vlan 56"),
    ("hostname", "hostname", "% Incomplete command at '^' marker.", "hostname leaf1"),
    ("vpc domain 2000\nvlan 57", "vpc domain 2000", "% Invalid command", "vlan 57"),
    ("router bgp x\nvlan 58", "router bgp x", "% Invalid command", "vlan 58"),
    ("end\nvlan 59", "vlan 59", "% Invalid command", "vlan 10"),
    ("switchport mode trunk\nvlan 60", "switchport mode trunk", "% Invalid command", "vlan 60"),
];

#[test]
fn accepted_lines_change_the_configuration_as_the_device_does() {
    check_accepted(&base(), ACCEPTED);
    assert!(ACCEPTED.len() + REJECTED.len() >= 80);
}

#[test]
fn rejected_lines_are_told_one_by_one_and_the_rest_counts() {
    check_rejected(&base(), REJECTED);
}

#[test]
fn lines_stand_where_the_device_prints_them() {
    let merged = enter(
        &base(),
        "interface loopback1\ninterface Vlan7\ninterface port-channel5\nvlan 20\nfeature lldp\nip access-list ACL1\n  30 permit tcp any any\n  20 permit udp any any",
    );
    assert_eq!(
        order(&merged.config, &["interface "]),
        [
            "interface Vlan7",
            "interface Vlan10",
            "interface port-channel5",
            "interface port-channel10",
            "interface Ethernet1/1",
            "interface Ethernet1/2",
            "interface Ethernet1/3",
            "interface Ethernet1/49",
            "interface mgmt0",
            "interface loopback1",
        ]
    );
    assert_eq!(order(&merged.config, &["vlan "]), ["vlan 10", "vlan 20", "vlan 30"]);
    assert_eq!(
        order(&merged.config, &[" 10 ", " 20 ", " 30 "]),
        [" 10 permit ip any any", " 20 permit udp any any", " 30 permit tcp any any"]
    );
    let text = merged.config.text();
    assert!(text.find("feature lldp").unwrap() < text.find("vlan 1,10,20,30").unwrap(), "{text}");
}

#[test]
fn entering_the_same_lines_again_changes_nothing() {
    for (entered, _, _) in
        ACCEPTED.iter().filter(|(entered, _, _)| !entered.contains(" add ") && !entered.contains("no "))
    {
        let once = enter(&base(), entered).config;
        assert!(!enter(&once, entered).changed, "{entered:?}");
    }
}

#[test]
fn clear_text_secrets_are_stored_in_another_form() {
    let merged = enter(
        &base(),
        "username bob password hunter22 role network-admin\ntacacs-server key hunter22\ntacacs-server host 10.0.0.50 key hunter22 timeout 4\nrouter bgp 65501\n  neighbor 192.168.0.2\n    password hunter22",
    );
    assert_eq!(merged.first_error(), None);
    let text = merged.config.text();
    assert!(!text.contains("hunter22"), "{text}");
    for part in [
        "username bob password 5 $5$",
        "tacacs-server key 7 \"",
        "tacacs-server host 10.0.0.50 key 7 \"",
        "password 3 ",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    assert!(text.contains(" timeout 4\n") && text.contains("  role network-admin\n"));
}
