//! The table of IOS-XE line semantics: what stood there, what is entered, what stands there afterwards.

use interlock_world::Os;
use interlock_world::lines::{Config, merge};

const BASE: &str = "hostname sw1\nno ip domain lookup\nip domain name corp.example\nvlan 10\n name DATA\nvlan 30\n name GUEST\ninterface Loopback0\n ip address 10.0.0.1 255.255.255.255\ninterface GigabitEthernet1/0/1\n description User port\n switchport access vlan 10\n switchport mode access\ninterface GigabitEthernet1/0/2\n switchport trunk allowed vlan 10,20\n switchport mode trunk\ninterface GigabitEthernet1/0/3\n shutdown\nip route 0.0.0.0 0.0.0.0 10.0.0.254\nip access-list extended ACL1\n 10 permit ip any any\nsnmp-server community old RO\nline vty 0 4\n exec-timeout 15 0\n transport input ssh\nline vty 5 15\n transport input ssh\n";

/// Lines entered, lines that must be there afterwards (as printed, with indentation), lines that must not.
type Case = (&'static str, &'static [&'static str], &'static [&'static str]);

static ACCEPTED: &[Case] = &[
    ("hostname sw2", &["hostname sw2"], &["hostname sw1"]),
    ("no hostname", &["hostname Switch"], &["hostname sw1"]),
    ("ip domain lookup", &[], &["no ip domain lookup"]),
    ("no cdp run", &["no cdp run"], &[]),
    ("ip domain name example.net", &["ip domain name example.net"], &["ip domain name corp.example"]),
    ("no ip domain name", &[], &["ip domain name corp.example"]),
    ("vlan 20\n name VOICE", &["vlan 20", " name VOICE"], &[]),
    ("vlan 40,41-42", &["vlan 40", "vlan 41", "vlan 42"], &[]),
    ("vlan 10\n name OTHER", &[" name OTHER"], &[" name DATA"]),
    ("vlan 10\n no name", &["vlan 10"], &[" name DATA"]),
    ("no vlan 30", &["vlan 10"], &["vlan 30", " name GUEST"]),
    ("no vlan 3000", &["vlan 10", "vlan 30"], &[]),
    (
        "interface GigabitEthernet1/0/1\n description New text  with spaces",
        &[" description New text  with spaces"],
        &[" description User port"],
    ),
    ("interface gi1/0/1\n desc x", &[" description x"], &[" description User port"]),
    ("int Gi 1/0/1\n shut", &["interface GigabitEthernet1/0/1", " shutdown"], &[]),
    ("interface GigabitEthernet1/0/3\n no shutdown", &["interface GigabitEthernet1/0/3"], &[" shutdown"]),
    ("interface gi1/0/1\n sw acc vl 30", &[" switchport access vlan 30"], &[" switchport access vlan 10"]),
    ("interface gi1/0/1\n no switchport access vlan 10", &[" switchport mode access"], &[" switchport access vlan 10"]),
    ("interface gi1/0/1\n no description", &[], &[" description User port"]),
    (
        "interface gi1/0/1\n no switchport",
        &[" no switchport"],
        &[" switchport mode access", " switchport access vlan 10"],
    ),
    (
        "interface gi1/0/2\n switchport trunk allowed vlan add 30-32",
        &[" switchport trunk allowed vlan 10,20,30-32"],
        &[],
    ),
    ("interface gi1/0/2\n switchport trunk allowed vlan remove 20", &[" switchport trunk allowed vlan 10"], &[]),
    (
        "interface gi1/0/2\n switchport trunk allowed vlan 5,6",
        &[" switchport trunk allowed vlan 5,6"],
        &[" switchport trunk allowed vlan 10,20"],
    ),
    (
        "interface gi1/0/2\n switchport trunk allowed vlan all",
        &[" switchport mode trunk"],
        &[" switchport trunk allowed vlan 10,20"],
    ),
    ("interface gi1/0/2\n switchport trunk allowed vlan none", &[" switchport trunk allowed vlan none"], &[]),
    ("interface gi1/0/2\n no switchport trunk allowed vlan", &[], &[" switchport trunk allowed vlan 10,20"]),
    ("interface range gi1/0/1 - 3\n storm-control broadcast level 1.00", &[" storm-control broadcast level 1.00"], &[]),
    (
        "interface Vlan30\n ip address 10.3.0.1 255.255.255.0",
        &["interface Vlan30", " ip address 10.3.0.1 255.255.255.0"],
        &[],
    ),
    (
        "interface Loopback0\n ip address 10.0.0.2 255.255.255.255",
        &[" ip address 10.0.0.2 255.255.255.255"],
        &[" ip address 10.0.0.1 255.255.255.255"],
    ),
    (
        "interface Loopback0\n ip address 10.0.0.9 255.255.255.255 secondary",
        &[" ip address 10.0.0.1 255.255.255.255", " ip address 10.0.0.9 255.255.255.255 secondary"],
        &[],
    ),
    ("interface Loopback0\n no ip address", &[" no ip address"], &[" ip address 10.0.0.1 255.255.255.255"]),
    ("no interface Loopback0", &["hostname sw1"], &["interface Loopback0"]),
    ("interface gi1/0/1\nvlan 50\n name X", &["vlan 50", " name X", " description User port"], &[]),
    (
        "interface gi1/0/1\n description a\nip route 10.9.0.0 255.255.0.0 10.0.0.253",
        &["ip route 10.9.0.0 255.255.0.0 10.0.0.253", "ip route 0.0.0.0 0.0.0.0 10.0.0.254"],
        &[],
    ),
    ("no ip route 0.0.0.0 0.0.0.0 10.0.0.254", &[], &["ip route 0.0.0.0 0.0.0.0 10.0.0.254"]),
    (
        "ip access-list extended ACL1\n deny tcp any any eq 23",
        &[" 10 permit ip any any", " 20 deny tcp any any eq 23"],
        &[],
    ),
    ("ip access-list extended ACL1\n 5 deny udp any any", &[" 5 deny udp any any", " 10 permit ip any any"], &[]),
    ("ip access-list extended ACL1\n no 10", &["ip access-list extended ACL1"], &[" 10 permit ip any any"]),
    ("ip access-list extended ACL1\n permit ip any any", &[" 10 permit ip any any"], &[" 20 permit ip any any"]),
    ("no ip access-list extended ACL1", &[], &["ip access-list extended ACL1", " 10 permit ip any any"]),
    ("snmp-server community new RW", &["snmp-server community old RO", "snmp-server community new RW"], &[]),
    ("snmp-server community old RW", &["snmp-server community old RW"], &["snmp-server community old RO"]),
    ("no snmp-server community old", &[], &["snmp-server community old RO"]),
    (
        "ntp server 10.0.0.1\nntp server 10.0.0.2\nntp server 10.0.0.1 prefer",
        &["ntp server 10.0.0.1 prefer", "ntp server 10.0.0.2"],
        &["ntp server 10.0.0.1"],
    ),
    (
        "logging host 10.1.1.1\nlogging host 10.1.1.2\nno logging host 10.1.1.1",
        &["logging host 10.1.1.2"],
        &["logging host 10.1.1.1"],
    ),
    ("logging host 10.1.1.1\nno logging host", &[], &["logging host 10.1.1.1"]),
    (
        "line vty 0 15\n exec-timeout 5 0",
        &["line vty 0 4", "line vty 5 15", " exec-timeout 5 0"],
        &[" exec-timeout 15 0"],
    ),
    ("line vty 0 4\n no exec-timeout", &["line vty 0 4"], &[" exec-timeout 15 0"]),
    (
        "router ospf 1\n network 10.0.0.0 0.0.0.255 area 0\n passive-interface default",
        &["router ospf 1", " network 10.0.0.0 0.0.0.255 area 0"],
        &[],
    ),
    (
        "router bgp 65000\n address-family ipv4\n  network 10.0.0.0\n exit-address-family\n bgp router-id 1.1.1.1",
        &[" bgp router-id 1.1.1.1", "  network 10.0.0.0"],
        &[],
    ),
    ("banner motd ^C\nkeep\n  out\n^C", &["banner motd ^C", "keep", "  out"], &[]),
    ("enable secret 0 hunter2", &[], &["enable secret 0 hunter2", "enable secret hunter2"]),
    ("username bob privilege 15 secret hunter2", &[], &["username bob privilege 15 secret hunter2"]),
    ("! a comment\n\nhostname sw9", &["hostname sw9"], &["! a comment"]),
    ("interface gi1/0/1\n exit\nhostname sw8\nend", &["hostname sw8"], &[]),
    ("default interface gi1/0/9\nhostname sw7", &["hostname sw7"], &[]),
];

/// Lines entered, the rejected line, a part of the device's message, a line that must be there all the same.
static REJECTED: &[(&str, &str, &str, &str)] = &[
    ("foo bar\nhostname sw2", "foo bar", "% Invalid input detected at '^' marker.", "hostname sw2"),
    ("hostname", "hostname", "% Incomplete command.", "hostname sw1"),
    (
        "interface gi1/0/1\n switchport access vlan 5000\n description a",
        "switchport access vlan 5000",
        "% Invalid input",
        " description a",
    ),
    ("interface gi9/0/1", "interface gi9/0/1", "% Invalid input", "hostname sw1"),
    (
        "interface gi1/0/1\n ip address 10.0.0.300 255.0.0.0",
        "ip address 10.0.0.300 255.0.0.0",
        "% Invalid input",
        " description User port",
    ),
    ("no vlan 1", "no vlan 1", "Default VLAN 1 may not be deleted", "vlan 10"),
    ("vlan 5000", "vlan 5000", "Bad VLAN list", "vlan 10"),
    (
        "no interface gi1/0/1",
        "no interface gi1/0/1",
        "Removal of physical interfaces",
        "interface GigabitEthernet1/0/1",
    ),
    (
        "ip access-list extended ACL1\n 10 deny ip any any",
        "10 deny ip any any",
        "% Duplicate sequence number",
        " 10 permit ip any any",
    ),
    (
        "interface gi1/0/2\n switchport trunk allowed vlan add x",
        "switchport trunk allowed vlan add x",
        "Bad VLAN list",
        " switchport trunk allowed vlan 10,20",
    ),
    ("interface gi1/0/1\n s", "s", "% Ambiguous command", " description User port"),
    ("end\nhostname sw2", "hostname sw2", "% Invalid input", "hostname sw1"),
    ("switchport mode access", "switchport mode access", "% Invalid input", "hostname sw1"),
    ("mtu 9000", "mtu 9000", "% Invalid input", "hostname sw1"),
];

fn printed(config: &Config) -> Vec<String> {
    config.text().lines().map(str::to_owned).collect()
}

#[test]
fn accepted_lines_change_the_configuration_as_the_device_does() {
    let base = Config::parse(Os::IosXe, BASE);
    for (entered, there, gone) in ACCEPTED {
        let merged = merge(&base, entered.lines());
        if !entered.starts_with("default interface") {
            assert_eq!(merged.first_error(), None, "{entered}");
        }
        let lines = printed(&merged.config);
        for line in *there {
            assert!(lines.iter().any(|held| held == line), "{entered:?} lacks {line:?}:\n{}", lines.join("\n"));
        }
        for line in *gone {
            assert!(!lines.iter().any(|held| held == line), "{entered:?} keeps {line:?}:\n{}", lines.join("\n"));
        }
    }
    assert!(ACCEPTED.len() + REJECTED.len() >= 60);
}

#[test]
fn rejected_lines_are_told_one_by_one_and_the_rest_counts() {
    let base = Config::parse(Os::IosXe, BASE);
    for (entered, rejected, message, there) in REJECTED {
        let merged = merge(&base, entered.lines());
        let errors: Vec<_> = merged.outcomes.iter().filter(|outcome| outcome.error.is_some()).collect();
        assert_eq!(errors.len(), 1, "{entered:?} {:?}", merged.outcomes);
        assert_eq!(errors[0].line, *rejected, "{entered:?}");
        assert!(errors[0].error.as_deref().unwrap().contains(message), "{entered:?} {:?}", errors[0].error);
        assert!(printed(&merged.config).iter().any(|held| held == there), "{entered:?} lacks {there:?}");
    }
}

#[test]
fn entering_the_same_lines_again_changes_nothing() {
    let base = Config::parse(Os::IosXe, BASE);
    for (entered, _, _) in
        ACCEPTED.iter().filter(|(entered, _, _)| !entered.contains(" add ") && !entered.contains("no "))
    {
        let once = merge(&base, entered.lines()).config;
        let twice = merge(&once, entered.lines());
        assert!(!twice.changed, "{entered:?}\n{}\n{}", once.text(), twice.config.text());
    }
}

#[test]
fn new_lines_stand_where_the_device_prints_them() {
    let merged = merge(
        &Config::parse(Os::IosXe, BASE),
        ["vlan 20", "interface Loopback1", "interface Vlan7", "ip ssh version 2"],
    );
    let roots: Vec<&str> = merged.config.roots().iter().map(|node| node.line.as_str()).collect();
    let at = |line: &str| roots.iter().position(|held| *held == line).unwrap();
    assert!(at("vlan 10") < at("vlan 20") && at("vlan 20") < at("vlan 30"), "{roots:?}");
    assert!(at("interface Loopback0") < at("interface Loopback1"));
    assert!(at("interface Loopback1") < at("interface GigabitEthernet1/0/1"));
    assert!(at("interface GigabitEthernet1/0/3") < at("interface Vlan7"));
    assert!(at("interface Vlan7") < at("ip route 0.0.0.0 0.0.0.0 10.0.0.254"));
    assert!(at("ip route 0.0.0.0 0.0.0.0 10.0.0.254") < at("ip ssh version 2"));
}

#[test]
fn clear_text_secrets_are_stored_as_hashes() {
    let merged = merge(
        &Config::parse(Os::IosXe, BASE),
        [
            "service password-encryption",
            "enable secret hunter2",
            "username bob secret 0 hunter2",
            "line vty 0 4",
            "password hunter2",
        ],
    );
    let text = merged.config.text();
    assert!(!text.contains("hunter2"), "{text}");
    assert!(
        text.contains("enable secret 9 $9$")
            && text.contains("username bob secret 9 $9$")
            && text.contains(" password 7 ")
    );
}
