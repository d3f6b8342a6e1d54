//! The table of ASA line semantics.

use interlock_world::Os;
use interlock_world::lines::Config;

use crate::merging::{Accepted, Rejected, check_accepted, check_rejected, enter, order};

const BASE: &str = "hostname fw1\nenable password $sha512$5000$a==$b== pbkdf2\nnames\ninterface GigabitEthernet1/1\n nameif outside\n security-level 0\n ip address 198.18.0.2 255.255.255.0 standby 198.18.0.3\ninterface GigabitEthernet1/2\n nameif inside\n security-level 100\n ip address 172.28.0.2 255.255.255.0 standby 172.28.0.3\ninterface GigabitEthernet1/3\n shutdown\n no nameif\n no security-level\n no ip address\nobject network WEB\n host 172.29.0.11\nobject network FREE\n subnet 10.9.0.0 255.255.0.0\nobject-group network SERVERS\n network-object object WEB\nobject-group service PORTS tcp\n port-object eq www\naccess-list OUT extended permit tcp any object-group SERVERS object-group PORTS\naccess-list OUT extended permit icmp any any\naccess-list OUT extended deny ip any any log\naccess-list IN extended permit ip any any\nmtu outside 1500\nmtu inside 1500\nfailover\nfailover lan unit primary\nobject network WEB\n nat (inside,outside) static 198.18.0.11\naccess-group OUT in interface outside\nroute outside 0.0.0.0 0.0.0.0 198.18.0.1 1\naaa-server ISE protocol tacacs+\naaa-server ISE (inside) host 10.0.0.49\n key *****\nssh 10.0.0.0 255.0.0.0 inside\nusername netadmin password $sha512$5000$c==$d== pbkdf2 privilege 15\ntunnel-group 192.0.2.254 type ipsec-l2l\ntunnel-group 192.0.2.254 ipsec-attributes\n ikev2 remote-authentication pre-shared-key *****\npolicy-map global_policy\n class inspection_default\n  inspect ftp\n";

fn base() -> Config {
    Config::parse(Os::Asa, BASE)
}

static ACCEPTED: &[Accepted] = &[
    ("hostname fw9", &["hostname fw9"], &["hostname fw1"]),
    ("domain-name example.net", &["domain-name example.net"], &[]),
    ("no hostname", &[], &["hostname fw1"]),
    (
        "interface GigabitEthernet1/3\n nameif dmz\n security-level 50\n ip address 172.29.0.2 255.255.255.0\n no shutdown",
        &[" nameif dmz", " security-level 50", " ip address 172.29.0.2 255.255.255.0"],
        &[" shutdown", " no nameif", " no security-level", " no ip address"],
    ),
    ("interface gi1/3\n nameif dmz", &[" nameif dmz", " security-level 0"], &[" no nameif", " no security-level"]),
    (
        "interface GigabitEthernet1/2\n no nameif",
        &["interface GigabitEthernet1/2", " no nameif"],
        &[" nameif inside", "mtu inside 1500"],
    ),
    (
        "interface GigabitEthernet1/1\n no nameif",
        &["mtu inside 1500"],
        &["route outside 0.0.0.0 0.0.0.0 198.18.0.1 1", "access-group OUT in interface outside", "mtu outside 1500"],
    ),
    (
        "interface GigabitEthernet1/1\n no ip address",
        &[" no ip address"],
        &[" ip address 198.18.0.2 255.255.255.0 standby 198.18.0.3"],
    ),
    (
        "interface GigabitEthernet1/1\n ip address 198.18.0.4 255.255.255.0",
        &[" ip address 198.18.0.4 255.255.255.0"],
        &[" ip address 198.18.0.2 255.255.255.0 standby 198.18.0.3"],
    ),
    ("interface GigabitEthernet1/1\n shutdown", &[" shutdown"], &[]),
    (
        "interface GigabitEthernet1/1.100\n vlan 100\n nameif guest",
        &["interface GigabitEthernet1/1.100", " vlan 100", " nameif guest"],
        &[],
    ),
    ("interface Port-channel1\n lacp max-bundle 8", &["interface Port-channel1"], &[]),
    (
        "interface GigabitEthernet1/3\n channel-group 5 mode active",
        &["interface Port-channel5", " channel-group 5 mode active"],
        &[],
    ),
    ("object network NEW\n host 10.0.0.5", &["object network NEW", " host 10.0.0.5"], &[]),
    (
        "object network WEB\n subnet 10.5.0.0 255.255.0.0",
        &[" subnet 10.5.0.0 255.255.0.0", " nat (inside,outside) static 198.18.0.11"],
        &[" host 172.29.0.11"],
    ),
    (
        "object network WEB\n no nat (inside,outside) static 198.18.0.11",
        &[" host 172.29.0.11"],
        &[" nat (inside,outside) static 198.18.0.11"],
    ),
    (
        "object network WEB\n nat (inside,outside) static 198.18.0.99",
        &[" nat (inside,outside) static 198.18.0.99"],
        &[" nat (inside,outside) static 198.18.0.11"],
    ),
    ("no object network FREE", &["object network WEB"], &["object network FREE", " subnet 10.9.0.0 255.255.0.0"]),
    (
        "object-group network SERVERS\n network-object host 10.0.0.7",
        &[" network-object host 10.0.0.7", " network-object object WEB"],
        &[],
    ),
    (
        "object-group network SERVERS\n network-object host 10.0.0.7\n no network-object object WEB",
        &[" network-object host 10.0.0.7"],
        &[" network-object object WEB"],
    ),
    ("object-group service PORTS tcp\n port-object eq https", &[" port-object eq https", " port-object eq www"], &[]),
    (
        "access-list OUT extended permit udp any any eq domain",
        &["access-list OUT extended permit udp any any eq domain"],
        &[],
    ),
    (
        "access-list OUT line 1 extended deny tcp any any eq telnet",
        &["access-list OUT extended deny tcp any any eq telnet"],
        &[],
    ),
    (
        "access-list OUT permit tcp any any eq ssh",
        &["access-list OUT extended permit tcp any any eq ssh"],
        &["access-list OUT permit tcp any any eq ssh"],
    ),
    (
        "access-list NEW standard permit 10.0.0.0 255.0.0.0",
        &["access-list NEW standard permit 10.0.0.0 255.0.0.0"],
        &[],
    ),
    ("access-list NEW remark why it is here", &["access-list NEW remark why it is here"], &[]),
    (
        "no access-list OUT extended permit icmp any any",
        &["access-list OUT extended deny ip any any log"],
        &["access-list OUT extended permit icmp any any"],
    ),
    ("no access-list IN extended permit ip any any", &[], &["access-list IN extended permit ip any any"]),
    (
        "clear configure access-list OUT",
        &["access-list IN extended permit ip any any"],
        &["access-list OUT extended permit icmp any any", "access-group OUT in interface outside"],
    ),
    (
        "clear configure access-list",
        &["hostname fw1"],
        &["access-list IN extended permit ip any any", "access-list OUT extended permit icmp any any"],
    ),
    (
        "clear configure interface GigabitEthernet1/1",
        &["interface GigabitEthernet1/1", " no nameif"],
        &[" nameif outside"],
    ),
    (
        "access-group IN in interface inside",
        &["access-group IN in interface inside", "access-group OUT in interface outside"],
        &[],
    ),
    (
        "access-group IN in interface outside",
        &["access-group IN in interface outside"],
        &["access-group OUT in interface outside"],
    ),
    (
        "no access-group OUT in interface outside",
        &["access-list OUT extended permit icmp any any"],
        &["access-group OUT in interface outside"],
    ),
    ("route inside 10.0.0.0 255.0.0.0 172.28.0.1", &["route inside 10.0.0.0 255.0.0.0 172.28.0.1 1"], &[]),
    ("route inside 10.0.0.0 255.0.0.0 172.28.0.1 5", &["route inside 10.0.0.0 255.0.0.0 172.28.0.1 5"], &[]),
    ("no route outside 0.0.0.0 0.0.0.0 198.18.0.1", &[], &["route outside 0.0.0.0 0.0.0.0 198.18.0.1 1"]),
    ("no failover", &["no failover", "failover lan unit primary"], &["failover"]),
    ("no failover\nfailover", &["failover"], &["no failover"]),
    ("failover lan unit secondary", &["failover lan unit secondary"], &["failover lan unit primary"]),
    ("mtu outside 1400", &["mtu outside 1400", "mtu inside 1500"], &["mtu outside 1500"]),
    (
        "aaa-server ISE (inside) host 10.0.1.49\n key hunter22",
        &["aaa-server ISE (inside) host 10.0.1.49", " key *****"],
        &[" key hunter22"],
    ),
    (
        "no aaa-server ISE (inside) host 10.0.0.49",
        &["aaa-server ISE protocol tacacs+"],
        &["aaa-server ISE (inside) host 10.0.0.49", " key *****"],
    ),
    (
        "tunnel-group 192.0.2.9 type ipsec-l2l\ntunnel-group 192.0.2.9 ipsec-attributes\n ikev2 local-authentication pre-shared-key hunter22",
        &[
            "tunnel-group 192.0.2.9 type ipsec-l2l",
            " ikev2 local-authentication pre-shared-key *****",
            "tunnel-group 192.0.2.254 type ipsec-l2l",
        ],
        &[],
    ),
    (
        "no tunnel-group 192.0.2.254 ipsec-attributes",
        &["tunnel-group 192.0.2.254 type ipsec-l2l"],
        &["tunnel-group 192.0.2.254 ipsec-attributes"],
    ),
    (
        "clear configure tunnel-group 192.0.2.254",
        &["hostname fw1"],
        &["tunnel-group 192.0.2.254 type ipsec-l2l", "tunnel-group 192.0.2.254 ipsec-attributes"],
    ),
    ("no ssh 10.0.0.0 255.0.0.0 inside", &["hostname fw1"], &["ssh 10.0.0.0 255.0.0.0 inside"]),
    (
        "ssh 10.0.0.0 255.0.0.0 inside\nssh 10.1.0.0 255.255.0.0 inside",
        &["ssh 10.0.0.0 255.0.0.0 inside", "ssh 10.1.0.0 255.255.0.0 inside"],
        &[],
    ),
    (
        "no username netadmin",
        &["hostname fw1"],
        &["username netadmin password $sha512$5000$c==$d== pbkdf2 privilege 15"],
    ),
    ("policy-map global_policy\n class inspection_default\n  inspect sip", &["  inspect sip", "  inspect ftp"], &[]),
    (
        "policy-map global_policy\n class inspection_default\n  no inspect ftp",
        &[" class inspection_default"],
        &["  inspect ftp"],
    ),
    ("banner login one\nbanner login two", &["banner login one", "banner login two"], &[]),
    (": a comment\n! another\nhostname fw8", &["hostname fw8"], &[": a comment"]),
    ("show access-list\nhostname fw7", &["hostname fw7"], &[]),
];

static REJECTED: &[Rejected] = &[
    ("nonsense here\nhostname fw2", "nonsense here", "ERROR: % Invalid input detected at '^' marker.", "hostname fw2"),
    (
        "interface GigabitEthernet1/99\nhostname fw2",
        "interface GigabitEthernet1/99",
        "ERROR: % Invalid input",
        "hostname fw2",
    ),
    (
        "interface GigabitEthernet1/3\n nameif inside\nhostname fw2",
        "nameif inside",
        "has been assigned to interface GigabitEthernet1/2",
        "hostname fw2",
    ),
    (
        "interface GigabitEthernet1/3\n security-level 101",
        "security-level 101",
        "ERROR: % Invalid input",
        " no security-level",
    ),
    (
        "interface GigabitEthernet1/3\n ip address 10.0.0.256 255.255.255.0",
        "ip address 10.0.0.256 255.255.255.0",
        "ERROR: % Invalid input",
        " no ip address",
    ),
    ("no interface GigabitEthernet1/1", "no interface GigabitEthernet1/1", "not permitted", " nameif outside"),
    ("no object network WEB", "no object network WEB", "object is being used", "object network WEB"),
    (
        "no object-group network SERVERS",
        "no object-group network SERVERS",
        "it is being used",
        " network-object object WEB",
    ),
    (
        "access-list OUT extended permit tcp any object NOBODY eq ssh",
        "access-list OUT extended permit tcp any object NOBODY eq ssh",
        "does not exist",
        "access-list OUT extended permit icmp any any",
    ),
    (
        "access-list OUT extended permit tcp any object-group NOBODY",
        "access-list OUT extended permit tcp any object-group NOBODY",
        "not found",
        "access-list OUT extended permit icmp any any",
    ),
    (
        "access-list OUT extended allow ip any any",
        "access-list OUT extended allow ip any any",
        "ERROR: % Invalid input",
        "access-list OUT extended permit icmp any any",
    ),
    (
        "access-list OUT extended permit tcp",
        "access-list OUT extended permit tcp",
        "ERROR: % Incomplete command",
        "access-list OUT extended permit icmp any any",
    ),
    (
        "access-list OUT",
        "access-list OUT",
        "ERROR: % Incomplete command",
        "access-list OUT extended permit icmp any any",
    ),
    (
        "no access-list OUT",
        "no access-list OUT",
        "ERROR: % Incomplete command",
        "access-list OUT extended permit icmp any any",
    ),
    (
        "no access-list OUT extended permit ip host 1.1.1.1 any",
        "no access-list OUT extended permit ip host 1.1.1.1 any",
        "does not exist",
        "access-list OUT extended permit icmp any any",
    ),
    (
        "access-group NOLIST in interface inside",
        "access-group NOLIST in interface inside",
        "access-list <NOLIST> does not exist",
        "access-group OUT in interface outside",
    ),
    (
        "access-group IN in interface nowhere",
        "access-group IN in interface nowhere",
        "does not exist",
        "access-group OUT in interface outside",
    ),
    (
        "route nowhere 10.0.0.0 255.0.0.0 10.0.0.1",
        "route nowhere 10.0.0.0 255.0.0.0 10.0.0.1",
        "ERROR: % Invalid input",
        "route outside 0.0.0.0 0.0.0.0 198.18.0.1 1",
    ),
    (
        "route inside 10.0.0.0 255.0.0.0",
        "route inside 10.0.0.0 255.0.0.0",
        "ERROR: % Incomplete command",
        "route outside 0.0.0.0 0.0.0.0 198.18.0.1 1",
    ),
    (
        "aaa-server NOGROUP (inside) host 10.0.0.9",
        "aaa-server NOGROUP (inside) host 10.0.0.9",
        "does not exist",
        "aaa-server ISE protocol tacacs+",
    ),
    (
        "tunnel-group 192.0.2.7 ipsec-attributes",
        "tunnel-group 192.0.2.7 ipsec-attributes",
        "does not exist",
        "tunnel-group 192.0.2.254 type ipsec-l2l",
    ),
    (
        "clear configure frobnicate\nhostname fw2",
        "clear configure frobnicate",
        "ERROR: % Invalid input",
        "hostname fw2",
    ),
    ("failover lan unit third", "failover lan unit third", "ERROR: % Invalid input", "failover lan unit primary"),
    ("end\nhostname fw2", "hostname fw2", "ERROR: % Invalid input", "hostname fw1"),
];

#[test]
fn accepted_lines_change_the_configuration_as_the_device_does() {
    check_accepted(&base(), ACCEPTED);
    assert!(ACCEPTED.len() + REJECTED.len() >= 75);
}

#[test]
fn rejected_lines_are_told_one_by_one_and_the_rest_counts() {
    check_rejected(&base(), REJECTED);
}

#[test]
fn access_list_entries_keep_their_order_and_lists_stay_together() {
    let merged = enter(
        &base(),
        "access-list OUT line 2 extended permit tcp any any eq ssh\naccess-list OUT line 99 extended permit udp any any\naccess-list IN extended deny ip any any\naccess-list OUT line 1 remark first",
    );
    assert_eq!(merged.first_error(), None);
    assert_eq!(
        order(&merged.config, &["access-list"]),
        [
            "access-list OUT remark first",
            "access-list OUT extended permit tcp any object-group SERVERS object-group PORTS",
            "access-list OUT extended permit tcp any any eq ssh",
            "access-list OUT extended permit icmp any any",
            "access-list OUT extended deny ip any any log",
            "access-list OUT extended permit udp any any",
            "access-list IN extended permit ip any any",
            "access-list IN extended deny ip any any",
        ]
    );
}

#[test]
fn the_last_entry_of_a_list_takes_its_application_along() {
    let merged = enter(&base(), "access-group IN in interface inside\nno access-list IN extended permit ip any any");
    assert_eq!(order(&merged.config, &["access-group"]), ["access-group OUT in interface outside"]);
}

#[test]
fn clear_text_secrets_are_never_printed() {
    let merged = enter(
        &base(),
        "enable password hunter22\nusername bob password hunter22 privilege 15\nfailover key hunter22\nsnmp-server community hunter22\nsnmp-server host inside 10.0.0.162 community hunter22 version 2c\nntp authentication-key 1 md5 hunter22",
    );
    assert_eq!(merged.first_error(), None);
    let text = merged.config.text();
    assert!(!text.contains("hunter22"), "{text}");
    for part in [
        "failover key *****",
        "snmp-server community *****",
        "community ***** version 2c",
        " pbkdf2 privilege 15",
        "md5 *****",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}
