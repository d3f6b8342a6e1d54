//! Danger marks: what touches the way of management is marked, everyday work is not.

use device_config::{DangerKind, Platform, dangers, placed_lines};

const SWITCH: &str = "
hostname SJ-AC-01
vrf definition Mgmt-vrf
!
enable secret 9 x
interface GigabitEthernet0/0
 vrf forwarding Mgmt-vrf
 no ip address
interface GigabitEthernet1/0/1
 description user port
 switchport access vlan 20
interface TenGigabitEthernet1/1/1
 description uplink to SJ-CO-01
 switchport mode trunk
 switchport trunk allowed vlan 20,30,99
interface Vlan99
 ip address 10.0.99.11 255.255.255.0
interface Vlan20
 ip address 10.0.20.1 255.255.255.0
ip default-gateway 10.0.99.1
ip access-list standard MGMT
 permit 10.0.0.0 0.0.255.255
snmp-server community s3cret RO 10
line vty 0 15
 access-class MGMT in
 transport input ssh
";

const FIREWALL: &str = "
hostname fw
interface Management1/1
 management-only
 nameif mgmt
 ip address 10.0.99.20 255.255.255.0
interface GigabitEthernet0/0
 nameif outside
 ip address 192.0.2.2 255.255.255.0 standby 192.0.2.3
route outside 0.0.0.0 0.0.0.0 192.0.2.1 1
";

fn marks(platform: Platform, management: &str, running: &str, change: &str) -> Vec<(usize, &'static str)> {
    let (running, change) = (placed_lines(running), placed_lines(change));
    let found = dangers(platform, Some(management), &running, &change);
    assert!(found.iter().all(|danger| danger.line == change[danger.at].line && !danger.why.is_empty()));
    found.iter().map(|danger| (danger.at, danger.kind.name())).collect()
}

/// The marks of one line, by their names.
fn of_switch(change: &str) -> Vec<&'static str> {
    let mut kinds: Vec<_> =
        marks(Platform::IosXe, "10.0.99.11", SWITCH, change).into_iter().map(|(_, kind)| kind).collect();
    kinds.dedup();
    kinds
}

#[test]
fn everyday_work_has_no_mark() {
    for change in [
        "interface GigabitEthernet1/0/1\n description reserved for aaa and line vty\n switchport access vlan 30\n shutdown",
        "vlan 40\n name Guests",
        "vlan 99\n name Management",
        "interface TenGigabitEthernet1/1/1\n switchport trunk allowed vlan add 40",
        "interface TenGigabitEthernet1/1/1\n switchport trunk allowed vlan 20,30,40,90-99",
        "interface TenGigabitEthernet1/1/1\n switchport trunk allowed vlan remove 30",
        "interface TenGigabitEthernet1/1/1\n no shutdown",
        "ip route 10.50.0.0 255.255.0.0 10.0.20.254",
        "snmp-server location Room 4",
        "router ospf 1\n network 10.0.20.0 0.0.0.255 area 0",
        "ip access-list extended USERS\n permit ip any any",
        "ntp server 10.0.0.5",
        "logging host 10.0.0.6",
        "interface Vlan20\n ip helper-address 10.0.0.7",
    ] {
        assert_eq!(of_switch(change), Vec::<&str>::new(), "{change}");
    }
}

#[test]
fn what_touches_the_way_of_management_is_marked() {
    for (change, kind) in [
        ("interface Vlan99\n shutdown", "management_path"),
        ("int vl99\n ip address 10.0.99.12 255.255.255.0", "management_path"),
        ("interface Vlan 99\n no ip address 10.0.99.11 255.255.255.0", "management_path"),
        ("no interface Vlan99", "management_path"),
        ("default interface vlan99", "management_path"),
        ("interface GigabitEthernet0/0\n no vrf forwarding Mgmt-vrf", "management_path"),
        ("no vrf definition Mgmt-vrf", "management_path"),
        ("no vlan 90-100", "management_path"),
        ("vlan 99\n shutdown", "management_path"),
        ("interface TenGigabitEthernet1/1/1\n shutdown", "uplink"),
        ("int te1/1/1\n shut", "uplink"),
        ("no interface TenGigabitEthernet1/1/1", "uplink"),
        ("interface te1/1/1\n switchport trunk allowed vlan 20,30", "uplink"),
        ("interface te1/1/1\n switchport trunk allowed vlan remove 90-99", "uplink"),
        ("interface te1/1/1\n switchport trunk allowed vlan none", "uplink"),
        ("interface te1/1/1\n sw tr all vl 20", "uplink"),
        ("interface te1/1/1\n switchport mode access", "uplink"),
        ("interface te1/1/1\n channel-group 1 mode active", "uplink"),
        ("interface te1/1/1\n no switchport", "uplink"),
        ("no aaa new-model", "aaa"),
        ("aaa authentication login default local", "aaa"),
        ("username netops privilege 15 secret 9 x", "aaa"),
        ("enable secret 9 y", "aaa"),
        ("tacacs server T1\n address ipv4 10.0.0.9", "aaa"),
        ("ip tacacs source-interface Vlan20", "aaa"),
        ("line vty 0 4\n transport input none", "vty"),
        ("line vty 0 4\n access-class OTHER in", "vty"),
        ("no ip ssh version 2", "vty"),
        ("crypto key zeroize rsa", "vty"),
        ("no ip access-list standard MGMT", "vty"),
        ("ip access-list standard MGMT\n deny any", "vty"),
        ("ip route 0.0.0.0 0.0.0.0 10.0.99.254", "default_route"),
        ("no ip default-gateway 10.0.99.1", "default_route"),
        ("no ip routing", "default_route"),
        ("no router ospf 1", "default_route"),
        ("no snmp-server community s3cret RO", "controller"),
        ("no netconf-yang", "controller"),
    ] {
        assert!(of_switch(change).contains(&kind), "{change}: {:?}", of_switch(change));
    }
}

#[test]
fn other_platforms_have_words_of_their_own() {
    let firewall = |change: &str| marks(Platform::Asa, "10.0.99.20", FIREWALL, change);
    assert_eq!(firewall("interface Management1/1\n shutdown"), [(1, "management_path")]);
    assert_eq!(firewall("no route outside 0.0.0.0 0.0.0.0 192.0.2.1 1"), [(0, "default_route")]);
    assert_eq!(firewall("route outside 0 0 192.0.2.9"), [(0, "default_route")]);
    assert_eq!(firewall("no ssh 10.0.0.0 255.0.0.0 mgmt"), [(0, "vty")]);
    assert_eq!(firewall("no aaa-server TAC protocol tacacs+"), [(0, "aaa")]);
    assert_eq!(firewall("access-list OUT extended permit tcp any host 10.1.1.10 eq 443"), []);

    let nexus = "vrf context management\n  ip route 0.0.0.0/0 10.0.99.1\ninterface mgmt0\n  vrf member management\n  ip address 10.0.99.30/24";
    let nexus = |change: &str| marks(Platform::NxOs, "10.0.99.30", nexus, change);
    assert_eq!(nexus("interface mgmt0\n  ip address 10.0.99.31/24"), [(1, "management_path")]);
    let route = nexus("vrf context management\n  no ip route 0.0.0.0/0 10.0.99.1");
    assert!(route.contains(&(1, "management_path")) && route.contains(&(1, "default_route")), "{route:?}");
    assert_eq!(nexus("no feature tacacs+"), [(0, "aaa")]);
    assert_eq!(nexus("feature nxapi"), [(0, "controller")]);

    let router = "interface MgmtEth0/RP0/CPU0/0\n ipv4 address 10.0.99.40 255.255.255.0\ninterface HundredGigE0/0/0/0\n ipv4 address 10.1.0.1 255.255.255.252";
    let router = |change: &str| marks(Platform::IosXr, "10.0.99.40", router, change);
    assert_eq!(router("interface MgmtEth0/RP0/CPU0/0\n shutdown"), [(1, "management_path")]);
    assert_eq!(router("interface HundredGigE0/0/0/0\n shutdown"), [(1, "uplink")]);
    assert_eq!(router("router static\n address-family ipv4 unicast\n  0.0.0.0/0 10.0.99.1"), [(2, "default_route")]);
    assert_eq!(router("no ssh server v2"), [(0, "vty")]);
    assert_eq!(router("taskgroup x"), [(0, "aaa")]);
}

#[test]
fn without_the_address_what_is_recognisable_is_still_marked() {
    let running = placed_lines(SWITCH);
    let kinds = |change: &str| -> Vec<DangerKind> {
        dangers(Platform::IosXe, None, &running, &placed_lines(change)).into_iter().map(|danger| danger.kind).collect()
    };
    assert_eq!(kinds("interface GigabitEthernet0/0\n shutdown"), [DangerKind::ManagementPath]);
    // Which VLAN manages is not known: a shorter list may lose it.
    assert_eq!(kinds("interface te1/1/1\n switchport trunk allowed vlan 20,30,99"), [DangerKind::Uplink]);
    assert_eq!(kinds("interface te1/1/1\n switchport trunk allowed vlan add 99"), []);
}
