//! The table of IOS-XR line semantics: lines are staged, and a commit counts as a whole or not at all.

use interlock_world::Os;
use interlock_world::lines::{Config, merge};

use crate::merging::{Accepted, Rejected, check_accepted, check_rejected, enter, levelled, order};

const BASE: &str = "hostname wan1\nusername netadmin\n group root-lr\n secret 10 $6$a$b\nsnmp-server community old RO\nipv4 access-list ACL1\n 10 permit ipv4 any any\n 20 deny ipv4 any any log\ninterface Loopback0\n ipv4 address 10.0.0.1 255.255.255.255\ninterface TenGigE0/0/0/0\n description Link\n ipv4 address 192.168.0.1 255.255.255.252\ninterface TenGigE0/0/0/1\n shutdown\nprefix-set P1\n  10.0.0.0/8 le 24\nend-set\nroute-policy PASS\n  pass\nend-policy\nroute-policy IN\n  if destination in P1 then\n    pass\n  else\n    drop\n  endif\nend-policy\nrouter static\n address-family ipv4 unicast\n  192.0.2.0/24 Null0\nrouter ospf CORE\n router-id 10.0.0.1\n area 0\n  interface Loopback0\n   passive enable\nrouter bgp 64512\n neighbor 192.168.0.2\n  remote-as 65000\n  address-family ipv4 unicast\n   route-policy IN in\n   route-policy PASS out\nssh server v2\n";

fn base() -> Config {
    Config::parse(Os::IosXr, BASE)
}

static ACCEPTED: &[Accepted] = &[
    ("hostname wan9\ncommit", &["hostname wan9"], &["hostname wan1"]),
    ("hostname wan9", &["hostname wan1"], &["hostname wan9"]),
    ("hostname wan9\ncommit\nhostname wan8", &["hostname wan9"], &["hostname wan8"]),
    ("hostname wan9\nabort", &["hostname wan1"], &["hostname wan9"]),
    (
        "hostname wan9\nclear\nssh server rate-limit 60\ncommit",
        &["hostname wan1", "ssh server rate-limit 60"],
        &["hostname wan9"],
    ),
    ("hostname wan9\ncommit label CHG1", &["hostname wan9"], &[]),
    ("hostname wan9\ncommit comment a change", &["hostname wan9"], &[]),
    ("no hostname\ncommit", &[], &["hostname wan1"]),
    ("interface TenGigE0/0/0/0\n description New  text\ncommit", &[" description New  text"], &[" description Link"]),
    ("interface te0/0/0/0\n desc x\ncommit", &[" description x"], &[" description Link"]),
    ("interface TenGigE0/0/0/0\n no description\ncommit", &["interface TenGigE0/0/0/0"], &[" description Link"]),
    ("interface TenGigE0/0/0/1\n no shutdown\ncommit", &["interface TenGigE0/0/0/1"], &[" shutdown"]),
    (
        "interface TenGigE0/0/0/0\n ipv4 address 192.168.0.5 255.255.255.252\ncommit",
        &[" ipv4 address 192.168.0.5 255.255.255.252"],
        &[" ipv4 address 192.168.0.1 255.255.255.252"],
    ),
    (
        "interface TenGigE0/0/0/0\n ipv4 address 10.5.0.1 255.255.255.0 secondary\ncommit",
        &[" ipv4 address 192.168.0.1 255.255.255.252", " ipv4 address 10.5.0.1 255.255.255.0 secondary"],
        &[],
    ),
    (
        "interface TenGigE0/0/0/0\n no ipv4 address\ncommit",
        &[" description Link"],
        &[" ipv4 address 192.168.0.1 255.255.255.252"],
    ),
    (
        "interface TenGigE0/0/0/0.100\n encapsulation dot1q 100\ncommit",
        &["interface TenGigE0/0/0/0.100", " encapsulation dot1q 100"],
        &[],
    ),
    ("no interface TenGigE0/0/0/0\ncommit", &["interface TenGigE0/0/0/0", " shutdown"], &[" description Link"]),
    ("interface Loopback1\n ipv4 address 10.0.0.2 255.255.255.255\ncommit", &["interface Loopback1"], &[]),
    ("no interface Loopback0\ncommit", &["interface TenGigE0/0/0/0"], &["interface Loopback0"]),
    (
        "interface Bundle-Ether1\ninterface TenGigE0/0/0/1\n bundle id 1 mode active\ncommit",
        &["interface Bundle-Ether1", " bundle id 1 mode active"],
        &[],
    ),
    (
        "ipv4 access-list ACL1\n 15 permit tcp any any\ncommit",
        &[" 15 permit tcp any any", " 10 permit ipv4 any any"],
        &[],
    ),
    ("ipv4 access-list ACL1\n permit tcp any any\ncommit", &[" 30 permit tcp any any"], &[]),
    ("ipv4 access-list ACL1\n 10 deny udp any any\ncommit", &[" 10 deny udp any any"], &[" 10 permit ipv4 any any"]),
    ("ipv4 access-list ACL1\n no 20\ncommit", &[" 10 permit ipv4 any any"], &[" 20 deny ipv4 any any log"]),
    ("no ipv4 access-list ACL1\ncommit", &[], &["ipv4 access-list ACL1", " 10 permit ipv4 any any"]),
    ("route-policy PASS\n  set med 5\n  pass\nend-policy\ncommit", &["route-policy PASS", "  set med 5"], &[]),
    (
        "route-policy NEW\nif destination in P1 then\nset local-preference 200\nelseif destination in (10.0.0.0/8) then\npass\nelse\ndrop\nendif\nend-policy\ncommit",
        &["route-policy NEW", "    set local-preference 200", "  elseif destination in (10.0.0.0/8) then"],
        &[],
    ),
    ("prefix-set P1\n  172.16.0.0/12\nend-set\ncommit", &["prefix-set P1", "  172.16.0.0/12"], &["  10.0.0.0/8 le 24"]),
    (
        "router bgp 64512\n neighbor 192.168.0.2\n  address-family ipv4 unicast\n   route-policy PASS in\ncommit",
        &["   route-policy PASS in", "   route-policy PASS out"],
        &["   route-policy IN in"],
    ),
    (
        "router bgp 64512\n neighbor 192.168.0.2\n  address-family ipv4 unicast\n   no route-policy IN in\ncommit",
        &["   route-policy PASS out"],
        &["   route-policy IN in"],
    ),
    (
        "router bgp 64512\n neighbor 192.168.0.6\n  remote-as 65001\ncommit",
        &[" neighbor 192.168.0.6", "  remote-as 65001", "  remote-as 65000"],
        &[],
    ),
    (
        "router bgp 64512\n no neighbor 192.168.0.2\ncommit",
        &["router bgp 64512"],
        &[" neighbor 192.168.0.2", "  remote-as 65000"],
    ),
    (
        "router static\n address-family ipv4 unicast\n  10.9.0.0/16 192.168.0.2\ncommit",
        &["  10.9.0.0/16 192.168.0.2", "  192.0.2.0/24 Null0"],
        &[],
    ),
    (
        "router static\n address-family ipv4 unicast\n  no 192.0.2.0/24 Null0\ncommit",
        &[" address-family ipv4 unicast"],
        &["  192.0.2.0/24 Null0"],
    ),
    (
        "router ospf CORE\n area 0\n  interface TenGigE0/0/0/0\n   network point-to-point\ncommit",
        &["  interface TenGigE0/0/0/0", "   network point-to-point", "  interface Loopback0"],
        &[],
    ),
    (
        "router ospf CORE\n area 0\n  no interface Loopback0\ncommit",
        &[" area 0"],
        &["  interface Loopback0", "   passive enable"],
    ),
    ("no router ospf CORE\ncommit", &["router bgp 64512"], &["router ospf CORE", " router-id 10.0.0.1"]),
    (
        "router bgp 64512\n neighbor 192.168.0.2\n  description x\n root\nhostname wan7\ncommit",
        &["hostname wan7", "  description x"],
        &[],
    ),
    ("interface TenGigE0/0/0/0\n mtu 9216\n!\nhostname wan6\ncommit", &[" mtu 9216", "hostname wan6"], &[]),
    (
        "router ospf CORE\n area 0\n  interface Loopback0\n  !\n !\n!\ninterface TenGigE0/0/0/1\n description after the marks\ncommit",
        &["interface TenGigE0/0/0/1", " description after the marks"],
        &["  interface TenGigE0/0/0/1"],
    ),
    ("username bob\n secret hunter22\ncommit", &["username bob"], &[" secret hunter22"]),
    ("snmp-server community old RW\ncommit", &["snmp-server community old RW"], &["snmp-server community old RO"]),
    ("no snmp-server community old\ncommit", &[], &["snmp-server community old RO"]),
    ("banner motd ^C\nkeep\n  out\n^C\ncommit", &["banner motd ^C", "keep", "  out"], &[]),
    ("no logging console\ncommit", &["no logging console"], &[]),
    ("show configuration\nhostname wan5\ncommit", &["hostname wan5"], &[]),
];

static REJECTED: &[Rejected] = &[
    (
        "hostname wan9\nnonsense here\ncommit",
        "nonsense here",
        "% Invalid input detected at '^' marker.",
        "hostname wan9",
    ),
    (
        "interface TenGigE0/0/0/99\n description x\ncommit",
        "commit",
        "% Failed to commit one or more configuration items",
        "hostname wan1",
    ),
    (
        "hostname wan9\nrouter bgp 64512\n neighbor 192.168.0.2\n  address-family ipv4 unicast\n   route-policy NONE in\ncommit",
        "commit",
        "'NONE' is not defined",
        "hostname wan1",
    ),
    ("no route-policy IN\ncommit", "commit", "'IN' is not defined", "route-policy IN"),
    ("no prefix-set P1\ncommit", "commit", "'P1' is not defined", "prefix-set P1"),
    (
        "router bgp 64512\n neighbor 192.168.0.9\n  description x\ncommit",
        "commit",
        "remote AS",
        " neighbor 192.168.0.2",
    ),
    (
        "route-policy BAD\n  frobnicate\nend-policy\ncommit",
        "route-policy BAD\n  frobnicate\nend-policy",
        "% Invalid input",
        "route-policy PASS",
    ),
    (
        "route-policy BAD\n  pass\ncommit",
        "route-policy BAD\n  pass\n  commit",
        "% Incomplete command.",
        "route-policy PASS",
    ),
    (
        "route-policy BAD\n  if destination in P1 then\n    pass\nend-policy\ncommit",
        "route-policy BAD\n  if destination in P1 then\n    pass\nend-policy",
        "endif",
        "route-policy PASS",
    ),
    ("hostname\ncommit", "hostname", "% Incomplete command.", "hostname wan1"),
    (
        "interface TenGigE0/0/0/0\n ipv4 address 10.0.0.300 255.255.255.0\ncommit",
        "ipv4 address 10.0.0.300 255.255.255.0",
        "% Invalid input",
        " description Link",
    ),
    ("interface TenGigE0/0/0/0\n mtu 5\ncommit", "mtu 5", "% Invalid input", " description Link"),
    ("interface Frob0/0\nhostname wan4\ncommit", "interface Frob0/0", "% Invalid input", "hostname wan4"),
    ("router bgp 64512\n neighbor nobody\ncommit", "neighbor nobody", "% Invalid input", " neighbor 192.168.0.2"),
    ("end\nhostname wan3", "hostname wan3", "% Invalid input", "hostname wan1"),
    ("abort\ncommit", "commit", "% Invalid input", "hostname wan1"),
];

#[test]
fn accepted_lines_change_the_configuration_as_the_device_does() {
    check_accepted(&base(), ACCEPTED);
    assert!(ACCEPTED.len() + REJECTED.len() >= 60);
}

#[test]
fn rejected_lines_are_told_one_by_one_and_the_rest_counts() {
    check_rejected(&base(), REJECTED);
}

#[test]
fn a_refused_commit_takes_back_everything_since_the_one_before() {
    let merged = enter(
        &base(),
        "hostname kept\ncommit\nhostname lost\nssh server rate-limit 60\ninterface TenGigE0/0/0/99\ncommit\nsnmp-server location later\ncommit",
    );
    let lines = levelled(&merged.config);
    let has = |line: &str| lines.iter().any(|held| held == line);
    assert!(has("hostname kept") && has("snmp-server location later"));
    assert!(!has("hostname lost") && !has("ssh server rate-limit 60") && !has("interface TenGigE0/0/0/99"));
}

#[test]
fn lines_stand_where_the_device_prints_them() {
    let merged = enter(
        &base(),
        "route-policy ZED\npass\nend-policy\ninterface MgmtEth0/RP0/CPU0/0\ninterface Bundle-Ether1\nlogging trap informational\nprefix-set P2\n10.0.0.0/8\nend-set\ncommit",
    );
    // The management port is not there, so that nothing of this counts.
    assert!(!merged.changed);
    let merged = enter(
        &base(),
        "route-policy ZED\npass\nend-policy\ninterface Loopback7\ninterface Bundle-Ether1\nlogging trap informational\nprefix-set P2\n10.0.0.0/8\nend-set\ncommit",
    );
    assert_eq!(
        order(&merged.config, &["interface ", "prefix-set", "route-policy", "router"]),
        [
            "interface Loopback0",
            "interface Loopback7",
            "interface Bundle-Ether1",
            "interface TenGigE0/0/0/0",
            "interface TenGigE0/0/0/1",
            "prefix-set P1",
            "prefix-set P2",
            "route-policy PASS",
            "route-policy IN",
            "route-policy ZED",
            "router static",
            "router ospf CORE",
            "router bgp 64512",
        ]
    );
    let text = merged.config.text();
    assert!(text.find("logging trap").unwrap() < text.find("username").unwrap());
    assert_eq!(Config::parse(Os::IosXr, &text), merged.config);
}

#[test]
fn clear_text_secrets_are_stored_in_another_form() {
    let merged = merge(
        &base(),
        [
            "username bob",
            " secret hunter22",
            "tacacs-server host 10.0.0.49 port 49",
            " key hunter22",
            "router bgp 64512",
            " neighbor 192.168.0.2",
            "  password clear hunter22",
            "commit",
        ],
    );
    assert_eq!(merged.first_error(), None);
    let text = merged.config.text();
    assert!(!text.contains("hunter22"), "{text}");
    assert!(
        text.contains(" secret 10 $6$") && text.contains(" key 7 ") && text.contains("  password encrypted "),
        "{text}"
    );
}
