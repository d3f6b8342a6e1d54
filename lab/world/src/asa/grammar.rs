//! What the command parser of each ASA configuration mode accepts.
//!
//! Where next: [`super::dialect`] for what the tables cannot say.

use crate::lines::rule::{Kind, MANY, Shape, Table, block, both, flag, keyed, many, one, plain, rule, shaped};

pub(crate) static GLOBAL: Table = plain(
    "config",
    &[
        one("hostname", 1, 1),
        one("domain-name", 1, 1),
        keyed("enable password", 0, 1),
        flag("names"),
        many("name", 2),
        flag("mac-address auto"),
        many("license smart", 0),
        many("ip local pool", 2),
        block("interface", 1, &INTERFACE),
        keyed("boot system", 0, 1),
        one("ftp mode", 1, 1),
        keyed("clock timezone", 0, 2),
        many("dns domain-lookup", 1),
        block("dns server-group", 1, &DNS),
        many("same-security-traffic permit", 1),
        block("object network", 1, &OBJECT),
        block("object service", 1, &SERVICE),
        block("object-group network", 1, &NETWORKS),
        block("object-group service", 1, &SERVICES),
        block("object-group protocol", 1, &PROTOCOLS),
        block("object-group icmp-type", 1, &ICMP_TYPES),
        many("access-list", 2),
        one("pager lines", 1, 1),
        flag("logging enable"),
        flag("logging timestamp"),
        one("logging buffer-size", 1, 1),
        one("logging buffered", 1, 1),
        one("logging trap", 1, 1),
        one("logging asdm", 1, 1),
        keyed("logging host", 2, 2),
        many("logging message", 1),
        many("no logging message", 1),
        keyed("mtu", 1, 2),
        both("failover", 0),
        one("failover lan unit", 1, 1),
        one("failover lan interface", 2, 2),
        one("failover polltime", 1, MANY),
        keyed("failover key", 0, 1),
        one("failover replication http", 0, 0),
        one("failover link", 1, 2),
        keyed("failover interface ip", 1, 5),
        rule("monitor-interface", 1, 1, Kind::Both),
        one("icmp unreachable", 1, MANY),
        one("asdm image", 1, 1),
        one("arp timeout", 1, 1),
        many("nat", 2),
        many("access-group", 4),
        block("router ospf", 1, &ROUTER),
        block("router bgp", 1, &ROUTER),
        many("route", 4),
        keyed("timeout", 1, 2),
        block("aaa-server", 1, &AAA_SERVER),
        one("user-identity default-domain", 1, 1),
        keyed("aaa authentication", 2, 3),
        keyed("aaa authorization", 1, 2),
        keyed("aaa accounting", 1, 2),
        one("aaa local authentication attempts max-fail", 1, 1),
        flag("http server enable"),
        keyed("http", 3, 3),
        keyed("snmp-server host", 2, 2),
        one("snmp-server location", 1, MANY),
        one("snmp-server contact", 1, MANY),
        keyed("snmp-server community", 0, 1),
        many("snmp-server enable traps", 0),
        block("crypto ipsec ikev2 ipsec-proposal", 1, &PROPOSAL),
        many("crypto ipsec", 1),
        many("crypto map", 3),
        block("crypto ikev1 policy", 1, &IKE),
        block("crypto ikev2 policy", 1, &IKE),
        many("crypto ikev1 enable", 1),
        many("crypto ikev2 enable", 1),
        many("crypto ca", 1),
        one("telnet timeout", 1, 1),
        flag("ssh stricthostkeycheck"),
        one("ssh timeout", 1, 1),
        one("ssh version", 1, 2),
        one("ssh key-exchange", 1, 2),
        one("ssh cipher", 1, MANY),
        keyed("ssh", 3, 3),
        one("console timeout", 1, 1),
        one("management-access", 1, 1),
        many("dhcpd", 1),
        many("threat-detection", 1),
        keyed("ntp authentication-key", 1, 3),
        flag("ntp authenticate"),
        many("ntp trusted-key", 1),
        keyed("ntp server", 1, 1),
        one("ssl server-version", 1, 2),
        block("webvpn", 0, &WEBVPN),
        one("group-policy * internal", 0, 0),
        block("group-policy * attributes", 0, &GROUP_POLICY),
        many("dynamic-access-policy-record", 1),
        keyed("username", 1, 2),
        one("tunnel-group * type", 1, 1),
        block("tunnel-group * general-attributes", 0, &TUNNEL),
        block("tunnel-group * ipsec-attributes", 0, &TUNNEL),
        block("class-map", 1, &CLASS_MAP),
        block("policy-map type inspect dns", 1, &POLICY_MAP),
        block("policy-map", 1, &POLICY_MAP),
        keyed("service-policy", 1, 2),
        one("prompt", 1, MANY),
        many("banner", 2),
        flag("no call-home reporting anonymous"),
    ],
);

pub(crate) static INTERFACE: Table = shaped(
    "config-if",
    Shape::Interface,
    &[
        one("description", 1, MANY),
        one("vlan", 1, 1),
        one("channel-group", 1, 3),
        one("speed", 1, 1),
        one("duplex", 1, 1),
        one("lacp max-bundle", 1, 1),
        flag("management-only"),
        flag("shutdown"),
        rule("nameif", 1, 1, Kind::Address(true)),
        rule("security-level", 1, 1, Kind::Address(true)),
        rule("ip address", 1, 4, Kind::Address(true)),
        one("ipv6 address", 1, 2),
        one("ospf cost", 1, 1),
        keyed("ospf message-digest-key", 1, 3),
        keyed("ospf authentication-key", 0, 1),
    ],
);

static DNS: Table =
    plain("config-dns-server-group", &[many("name-server", 1), one("domain-name", 1, 1), one("timeout", 1, 1)]);

/// What an object is, of which only one line stands; a translation stands beside it.
pub(crate) static OBJECT: Table = plain(
    "config-network-object",
    &[
        one("host", 1, 1),
        one("subnet", 2, 2),
        one("range", 2, 2),
        one("fqdn", 1, 2),
        one("description", 1, MANY),
        one("nat", 2, MANY),
    ],
);

static SERVICE: Table = plain("config-service-object", &[one("service", 1, MANY), one("description", 1, MANY)]);
static NETWORKS: Table = plain(
    "config-network-object-group",
    &[one("description", 1, MANY), many("network-object", 2), many("group-object", 1)],
);
static SERVICES: Table = plain(
    "config-service-object-group",
    &[one("description", 1, MANY), many("service-object", 1), many("port-object", 2), many("group-object", 1)],
);
static PROTOCOLS: Table = plain("config-protocol-object-group", &[many("protocol-object", 1)]);
static ICMP_TYPES: Table = plain("config-icmp-object-group", &[many("icmp-object", 1)]);
static ROUTER: Table = plain(
    "config-router",
    &[
        one("router-id", 1, 1),
        many("network", 2),
        many("area", 2),
        many("redistribute", 1),
        keyed("neighbor", 2, 2),
        flag("log-adj-changes"),
    ],
);
static AAA_SERVER: Table = plain(
    "config-aaa-server",
    &[
        keyed("key", 0, 1),
        one("timeout", 1, 1),
        one("server-port", 1, 1),
        one("max-failed-attempts", 1, 1),
        one("reactivation-mode", 1, 3),
        one("authentication-port", 1, 1),
    ],
);
static PROPOSAL: Table =
    plain("config-ipsec-proposal", &[one("protocol esp encryption", 1, MANY), one("protocol esp integrity", 1, MANY)]);
static IKE: Table = plain(
    "config-ike-policy",
    &[
        one("authentication", 1, 1),
        one("encryption", 1, MANY),
        one("hash", 1, 1),
        one("integrity", 1, MANY),
        one("group", 1, MANY),
        one("prf", 1, MANY),
        one("lifetime", 1, 2),
    ],
);
static WEBVPN: Table = plain(
    "config-webvpn",
    &[
        many("enable", 1),
        many("anyconnect", 1),
        flag("tunnel-group-list enable"),
        many("cache", 0),
        many("error-recovery", 1),
    ],
);
static GROUP_POLICY: Table = plain(
    "config-group-policy",
    &[
        keyed("vpn-tunnel-protocol", 0, 1),
        keyed("vpn-filter value", 0, 1),
        one("vpn-idle-timeout", 1, 1),
        one("split-tunnel-policy", 1, 1),
        keyed("dns-server value", 0, 1),
        keyed("default-domain value", 0, 1),
    ],
);
static TUNNEL: Table = plain(
    "config-tunnel-ipsec",
    &[
        one("address-pool", 1, 1),
        one("default-group-policy", 1, 1),
        one("authentication-server-group", 1, 2),
        keyed("ikev1 pre-shared-key", 0, 1),
        keyed("ikev2 remote-authentication pre-shared-key", 0, 1),
        keyed("ikev2 local-authentication pre-shared-key", 0, 1),
        one("isakmp keepalive", 1, MANY),
        one("peer-id-validate", 1, 1),
    ],
);
static CLASS_MAP: Table = plain("config-cmap", &[one("description", 1, MANY), many("match", 1)]);
static POLICY_MAP: Table =
    plain("config-pmap", &[block("parameters", 0, &PARAMETERS), block("class", 1, &POLICY_CLASS)]);
static PARAMETERS: Table = plain(
    "config-pmap-p",
    &[one("message-length maximum", 1, 2), one("message-length maximum client", 1, 1), one("no tcp-inspection", 0, 0)],
);
static POLICY_CLASS: Table = plain(
    "config-pmap-c",
    &[many("inspect", 1), keyed("police", 1, 2), keyed("set connection", 1, 2), flag("priority")],
);
