//! What the command parser of each NX-OS configuration mode accepts. A command of a feature that is off does not exist.
//!
//! Where next: [`super::dialect`] for what the tables cannot say.

use crate::lines::rule::{
    Kind, MANY, Shape, Table, block, both, default_on, flag, gated, keyed, many, one, plain, rule, shaped,
};

/// What `feature` can switch on.
pub(crate) static FEATURES: &[&str] = &[
    "bash-shell",
    "bfd",
    "bgp",
    "dhcp",
    "eigrp",
    "hsrp",
    "interface-vlan",
    "isis",
    "lacp",
    "lldp",
    "msdp",
    "netconf",
    "netflow",
    "nv overlay",
    "nxapi",
    "ospf",
    "ospfv3",
    "pbr",
    "pim",
    "ptp",
    "restconf",
    "scp-server",
    "sftp-server",
    "sla sender",
    "ssh",
    "tacacs+",
    "telnet",
    "udld",
    "vn-segment-vlan-based",
    "vpc",
    "vrrp",
];

pub(crate) static GLOBAL: Table = plain(
    "config",
    &[
        one("version", 1, MANY),
        one("hostname", 1, 1),
        block("vdc", 3, &VDC),
        flag("cfs eth distribute"),
        rule("nv overlay evpn", 0, 0, Kind::One(0)),
        many("feature", 1),
        default_on("password strength-check"),
        keyed("username", 1, 2),
        one("banner motd", 1, MANY),
        both("ip domain-lookup", 0),
        one("ip domain-name", 1, 1),
        many("ip name-server", 1),
        gated("tacacs+", keyed("tacacs-server key", 0, 1)),
        gated("tacacs+", one("tacacs-server timeout", 1, 1)),
        gated("tacacs+", keyed("tacacs-server host", 1, 1)),
        gated("tacacs+", block("aaa group server tacacs+", 1, &SERVER_GROUP)),
        keyed("radius-server key", 0, 1),
        keyed("radius-server host", 1, 1),
        block("aaa group server radius", 1, &SERVER_GROUP),
        block("ip access-list", 1, &ACCESS_LIST),
        block("mac access-list", 1, &ACCESS_LIST),
        block("object-group ip address", 1, &ADDRESSES),
        block("class-map type qos", 1, &CLASS_MAP),
        block("policy-map type qos", 1, &POLICY_MAP),
        rule("system default switchport", 0, 1, Kind::One(1)),
        one("system jumbomtu", 1, 1),
        one("copp profile", 1, 1),
        one("snmp-server contact", 1, MANY),
        one("snmp-server location", 1, MANY),
        one("snmp-server source-interface", 2, 2),
        keyed("snmp-server user", 1, 1),
        keyed("snmp-server host", 1, 1),
        keyed("snmp-server community", 1, 1),
        many("snmp-server enable traps", 0),
        many("rmon event", 1),
        keyed("ntp server", 1, 1),
        keyed("ntp peer", 1, 1),
        one("ntp source-interface", 1, 1),
        keyed("ntp authentication-key", 1, 3),
        flag("ntp authenticate"),
        many("ntp trusted-key", 1),
        keyed("aaa authentication login", 1, 1),
        keyed("aaa authorization", 2, 2),
        keyed("aaa accounting", 1, 1),
        one("aaa authentication login error-enable", 0, 0),
        many("ip route", 2),
        block("vlan", 1, &VLAN),
        one("spanning-tree mode", 1, 1),
        keyed("spanning-tree vlan", 2, 2),
        flag("spanning-tree port type edge bpduguard default"),
        many("ip prefix-list", 2),
        block("route-map", 1, &ROUTE_MAP),
        block("vrf context", 1, &VRF),
        many("hardware", 1),
        gated("vpc", block("vpc domain", 1, &VPC)),
        block("interface", 1, &INTERFACE),
        one("icam monitor scale", 0, 0),
        block("line console", 0, &LINE),
        block("line vty", 0, &LINE),
        keyed("boot nxos", 0, 1),
        gated("ospf", block("router ospf", 1, &OSPF)),
        gated("bgp", block("router bgp", 1, &BGP)),
        gated("eigrp", block("router eigrp", 1, &OSPF)),
        gated("isis", block("router isis", 1, &OSPF)),
        keyed("logging server", 1, 1),
        one("logging source-interface", 1, 1),
        one("logging timestamp", 1, 1),
        both("logging console", 1),
        both("logging monitor", 1),
        keyed("logging level", 1, 2),
        keyed("logging logfile", 0, 1),
        gated("nxapi", many("nxapi", 1)),
        many("ssh", 1),
        keyed("clock timezone", 0, 3),
        keyed("cli alias name", 1, 2),
        block("event manager applet", 1, &APPLET),
    ],
);

static VDC: Table = plain("config-vdc", &[keyed("limit-resource", 1, 3), one("cpu-share", 1, 1)]);

static SERVER_GROUP: Table = plain(
    "config-sg",
    &[many("server", 1), one("deadtime", 1, 1), one("use-vrf", 1, 1), one("source-interface", 1, 1)],
);

static ACCESS_LIST: Table = shaped(
    "config-acl",
    Shape::Numbered(false),
    &[many("permit", 1), many("deny", 1), many("remark", 1), flag("statistics per-entry")],
);

static ADDRESSES: Table = shaped("config-ipaddr-ogroup", Shape::Numbered(false), &[many("host", 1), many("range", 2)]);

static CLASS_MAP: Table = plain("config-cmap-qos", &[one("description", 1, MANY), many("match", 1)]);

static POLICY_MAP: Table = plain("config-pmap-qos", &[one("description", 1, MANY), block("class", 1, &POLICY_CLASS)]);

static POLICY_CLASS: Table =
    plain("config-pmap-c-qos", &[keyed("set", 1, 2), keyed("police", 0, 1), keyed("bandwidth", 0, 1)]);

static VLAN: Table = shaped(
    "config-vlan",
    Shape::Vlan,
    &[
        one("name", 1, 1),
        gated("vn-segment-vlan-based", one("vn-segment", 1, 1)),
        one("state", 1, 1),
        flag("shutdown"),
        one("mode", 1, 1),
    ],
);

static ROUTE_MAP: Table = plain(
    "config-route-map",
    &[one("description", 1, MANY), many("match", 1), keyed("set", 1, 2), keyed("continue", 0, 0)],
);

static VRF: Table = plain(
    "config-vrf",
    &[
        one("description", 1, MANY),
        one("vni", 1, 1),
        one("rd", 1, 1),
        one("ip domain-name", 1, 1),
        many("ip name-server", 1),
        many("ip route", 2),
        block("address-family", 1, &VRF_FAMILY),
    ],
);

static VRF_FAMILY: Table = plain("config-vrf-af-ipv4", &[many("route-target", 2)]);

static VPC: Table = plain(
    "config-vpc-domain",
    &[
        flag("peer-switch"),
        one("role priority", 1, 1),
        one("system-priority", 1, 1),
        keyed("peer-keepalive destination", 0, 1),
        one("delay restore", 1, 1),
        flag("peer-gateway"),
        flag("layer3 peer-router"),
        one("auto-recovery", 0, 2),
        flag("ip arp synchronize"),
        flag("graceful consistency-check"),
        flag("shutdown"),
    ],
);

/// Ports, bundles, loopbacks and the management port: up unless shut down.
pub(crate) static INTERFACE: Table = shaped(
    "config-if",
    Shape::Interface,
    &[
        one("description", 1, MANY),
        gated("lldp", default_on("lldp transmit")),
        gated("lldp", default_on("lldp receive")),
        default_on("cdp enable"),
        default_on("switchport"),
        one("switchport mode", 1, 2),
        one("switchport access vlan", 1, 1),
        one("switchport trunk native vlan", 1, 1),
        rule("switchport trunk allowed vlan", 1, MANY, Kind::Trunk),
        one("spanning-tree port type", 1, 2),
        one("spanning-tree bpduguard", 1, 1),
        one("spanning-tree guard", 1, 1),
        one("spanning-tree cost", 1, 1),
        flag("no-link"),
        one("speed", 1, 1),
        one("duplex", 1, 1),
        one("mtu", 1, 1),
        one("bandwidth", 1, 1),
        keyed("storm-control", 2, 2),
        one("load-interval", 1, MANY),
        gated("vpc", one("vpc", 1, 1)),
        one("vrf member", 1, 1),
        default_on("ip redirects"),
        rule("ip address", 1, 3, Kind::Address(false)),
        one("ipv6 address", 1, 2),
        keyed("ip access-group", 1, 2),
        gated("ospf", one("ip ospf network", 1, 1)),
        gated("ospf", one("ip ospf cost", 1, 1)),
        gated("ospf", rule("ip ospf passive-interface", 0, 0, Kind::Both)),
        gated("ospf", keyed("ip ospf authentication-key", 0, 1)),
        gated("ospf", keyed("ip ospf message-digest-key", 1, 3)),
        gated("ospf", one("ip router ospf", 1, 3)),
        gated("pim", one("ip pim sparse-mode", 0, 0)),
        gated("dhcp", many("ip dhcp relay address", 1)),
        keyed("service-policy type qos", 1, 2),
        one("channel-group", 1, 4),
        gated("lacp", one("lacp rate", 1, 1)),
        flag("shutdown"),
        many("logging event port", 1),
    ],
);

/// VLAN interfaces: shut down unless told otherwise.
pub(crate) static SVI: Table = shaped(
    "config-if",
    Shape::Interface,
    &[
        one("description", 1, MANY),
        default_on("shutdown"),
        one("mtu", 1, 1),
        one("vrf member", 1, 1),
        default_on("ip redirects"),
        rule("ip address", 1, 3, Kind::Address(false)),
        one("ipv6 address", 1, 2),
        default_on("ipv6 redirects"),
        keyed("ip access-group", 1, 2),
        gated("ospf", one("ip ospf network", 1, 1)),
        gated("ospf", one("ip ospf cost", 1, 1)),
        gated("ospf", rule("ip ospf passive-interface", 0, 0, Kind::Both)),
        gated("ospf", one("ip router ospf", 1, 3)),
        gated("pim", one("ip pim sparse-mode", 0, 0)),
        gated("hsrp", one("hsrp version", 1, 1)),
        gated("hsrp", block("hsrp", 1, &HSRP)),
        gated("dhcp", many("ip dhcp relay address", 1)),
        one("fabric forwarding mode anycast-gateway", 0, 0),
    ],
);

static HSRP: Table = plain(
    "config-if-hsrp",
    &[
        keyed("authentication", 1, 2),
        one("preempt", 0, 3),
        one("priority", 1, 5),
        one("timers", 2, 3),
        many("track", 1),
        many("ip", 1),
    ],
);

static LINE: Table = plain(
    "config-line",
    &[
        one("exec-timeout", 1, 1),
        one("session-limit", 1, 1),
        keyed("access-class", 1, 2),
        keyed("ipv6 access-class", 1, 2),
        one("terminal length", 1, 1),
        one("speed", 1, 1),
    ],
);

static OSPF: Table = plain(
    "config-router",
    &[
        one("router-id", 1, 1),
        many("redistribute", 1),
        keyed("area", 2, 2),
        one("log-adjacency-changes", 0, 1),
        one("auto-cost reference-bandwidth", 1, 2),
        one("passive-interface default", 0, 0),
        one("maximum-paths", 1, 1),
        keyed("default-information originate", 0, 0),
        flag("shutdown"),
    ],
);

static BGP: Table = plain(
    "config-router",
    &[
        one("router-id", 1, 1),
        one("bestpath as-path multipath-relax", 0, 0),
        flag("log-neighbor-changes"),
        block("address-family", 2, &BGP_FAMILY),
        block("template peer", 1, &NEIGHBOR),
        block("neighbor", 1, &NEIGHBOR),
        block("vrf", 1, &BGP_VRF),
        flag("shutdown"),
    ],
);

static BGP_VRF: Table = plain(
    "config-router-vrf",
    &[one("router-id", 1, 1), block("address-family", 2, &BGP_FAMILY), block("neighbor", 1, &NEIGHBOR)],
);

static BGP_FAMILY: Table = plain(
    "config-router-af",
    &[
        many("network", 1),
        many("aggregate-address", 1),
        keyed("redistribute", 1, 1),
        one("maximum-paths", 1, 1),
        one("maximum-paths ibgp", 1, 1),
        flag("advertise-pip"),
        one("default-metric", 1, 1),
    ],
);

static NEIGHBOR: Table = plain(
    "config-router-neighbor",
    &[
        one("bfd", 0, 0),
        one("inherit peer", 1, 1),
        one("remote-as", 1, 1),
        one("description", 1, MANY),
        keyed("password", 0, 1),
        one("update-source", 1, 1),
        one("ebgp-multihop", 1, 1),
        one("timers", 2, 2),
        flag("shutdown"),
        block("address-family", 2, &NEIGHBOR_FAMILY),
    ],
);

static NEIGHBOR_FAMILY: Table = plain(
    "config-router-neighbor-af",
    &[
        flag("allowas-in"),
        one("send-community", 0, 1),
        one("send-community extended", 0, 0),
        flag("route-reflector-client"),
        flag("next-hop-self"),
        keyed("route-map", 0, 2),
        keyed("prefix-list", 0, 2),
        one("maximum-prefix", 1, 3),
        flag("soft-reconfiguration inbound"),
        flag("default-originate"),
    ],
);

static APPLET: Table = plain("config-applet", &[one("description", 1, MANY), many("event", 1), keyed("action", 1, 2)]);
