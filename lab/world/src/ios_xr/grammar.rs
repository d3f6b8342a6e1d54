//! What the command parser of each IOS-XR configuration mode accepts.
//!
//! Where next: [`super::dialect`] for what the tables cannot say.

use crate::lines::rule::{Kind, MANY, Shape, Table, block, flag, keyed, many, one, plain, rule, shaped};

pub(crate) static GLOBAL: Table = plain(
    "config",
    &[
        one("hostname", 1, 1),
        one("logging trap", 1, 1),
        keyed("logging buffered", 0, 1),
        rule("logging console", 0, 1, Kind::DefaultOn),
        many("logging", 1),
        one("logging source-interface", 1, 3),
        keyed("service timestamps log", 0, 1),
        keyed("service timestamps debug", 0, 1),
        keyed("clock timezone", 0, 2),
        one("domain name", 1, 1),
        many("domain name-server", 1),
        rule("domain lookup disable", 0, 0, Kind::One(0)),
        block("username", 1, &USERNAME),
        block("usergroup", 1, &USERGROUP),
        block("taskgroup", 1, &USERGROUP),
        block("vrf", 1, &VRF),
        keyed("aaa authentication login", 1, 1),
        keyed("aaa authorization exec", 1, 1),
        keyed("aaa authorization commands", 1, 1),
        keyed("aaa accounting exec", 1, 1),
        keyed("aaa accounting commands", 1, 1),
        block("aaa group server tacacs+", 1, &SERVER_GROUP),
        block("tacacs-server host", 1, &TACACS),
        keyed("tacacs-server key", 0, 1),
        one("tacacs source-interface", 1, 3),
        flag("cdp"),
        block("lldp", 0, &LLDP),
        keyed("telnet vrf", 1, 1),
        one("line-template", 1, MANY),
        block("line console", 0, &LINE),
        block("line default", 0, &LINE),
        block("vty-pool default", 2, &NOTHING),
        keyed("snmp-server community", 1, 1),
        keyed("snmp-server host", 1, 1),
        keyed("snmp-server user", 1, 1),
        keyed("snmp-server group", 1, 1),
        one("snmp-server location", 1, MANY),
        one("snmp-server contact", 1, MANY),
        one("snmp-server trap-source", 1, 1),
        many("snmp-server traps", 0),
        block("ntp", 0, &NTP),
        keyed("banner login", 0, 1),
        keyed("banner motd", 0, 1),
        block("control-plane", 0, &CONTROL_PLANE),
        block("ipv4 access-list", 1, &ACCESS_LIST),
        block("ipv6 access-list", 1, &ACCESS_LIST),
        block("class-map", 1, &CLASS_MAP),
        block("policy-map", 1, &POLICY_MAP),
        block("interface", 1, &INTERFACE),
        block("interface preconfigure", 1, &INTERFACE),
        rule("prefix-set", 1, MANY, Kind::Text),
        rule("as-path-set", 1, MANY, Kind::Text),
        rule("community-set", 1, MANY, Kind::Text),
        rule("extcommunity-set", 1, MANY, Kind::Text),
        rule("route-policy", 1, MANY, Kind::Text),
        block("router static", 0, &STATIC),
        block("router isis", 1, &ISIS),
        block("router ospf", 1, &OSPF),
        block("router bgp", 1, &BGP),
        block("mpls ldp", 0, &LDP),
        block("multicast-routing", 0, &NOTHING),
        block("lldp run", 0, &NOTHING),
        one("ssh server logging", 0, 0),
        one("ssh server rate-limit", 1, 1),
        one("ssh server session-limit", 1, 1),
        flag("ssh server v2"),
        keyed("ssh server vrf", 1, 1),
        keyed("ssh server netconf vrf", 1, 1),
        one("ssh timeout", 1, 1),
        block("netconf-yang agent", 0, &AGENT),
        block("grpc", 0, &AGENT),
        many("crypto", 1),
    ],
);

static NOTHING: Table = plain("config", &[]);
static AGENT: Table = plain("config-ncy-agent", &[flag("ssh"), one("port", 1, 1), flag("no-tls")]);
static LLDP: Table = plain("config-lldp", &[one("timer", 1, 1), one("holdtime", 1, 1), flag("management enable")]);
static USERNAME: Table =
    plain("config-un", &[many("group", 1), keyed("secret", 0, 1), keyed("password", 0, 1), one("policy", 1, 1)]);
static USERGROUP: Table =
    plain("config-ug", &[many("taskgroup", 1), many("task", 2), one("description", 1, MANY), many("inherit", 2)]);
static VRF: Table =
    plain("config-vrf", &[one("description", 1, MANY), one("rd", 1, 1), block("address-family", 2, &VRF_FAMILY)]);
static VRF_FAMILY: Table =
    plain("config-vrf-af", &[block("import route-target", 0, &TARGETS), block("export route-target", 0, &TARGETS)]);
/// Route targets stand as bare values.
static TARGETS: Table = plain("config-vrf-import-rt", &[]);
static SERVER_GROUP: Table =
    plain("config-sg-tacacs", &[many("server", 1), keyed("server-private", 1, 1), one("vrf", 1, 1)]);
static TACACS: Table =
    plain("config-tacacs-host", &[keyed("key", 0, 1), one("timeout", 1, 1), flag("single-connection")]);
static LINE: Table = plain(
    "config-line",
    &[
        one("exec-timeout", 2, 2),
        keyed("access-class", 1, 2),
        one("session-timeout", 1, 2),
        keyed("transport input", 0, 1),
        one("transport preferred", 1, 1),
        one("length", 1, 1),
        one("width", 1, 1),
        one("timestamp", 0, 1),
        keyed("password", 0, 1),
    ],
);
static NTP: Table = plain(
    "config-ntp",
    &[
        keyed("authentication-key", 1, 3),
        flag("authenticate"),
        many("trusted-key", 1),
        keyed("server", 1, 1),
        keyed("peer", 1, 1),
        one("source", 1, 1),
        flag("update-calendar"),
    ],
);
static CONTROL_PLANE: Table = plain("config-ctrl", &[block("management-plane", 0, &MANAGEMENT_PLANE)]);
static MANAGEMENT_PLANE: Table =
    plain("config-mpp", &[block("inband", 0, &MPP_BAND), block("out-of-band", 0, &MPP_BAND)]);
static MPP_BAND: Table = plain("config-mpp-inband", &[block("interface", 1, &MPP_INTERFACE), one("vrf", 1, 1)]);
static MPP_INTERFACE: Table = plain("config-mpp-inband-if", &[block("allow", 1, &MPP_ALLOW)]);
static MPP_ALLOW: Table = plain("config-ssh-peer", &[many("address ipv4", 1)]);
static ACCESS_LIST: Table =
    shaped("config-ipv4-acl", Shape::Numbered(true), &[many("permit", 1), many("deny", 1), many("remark", 1)]);
static CLASS_MAP: Table = plain("config-cmap", &[one("description", 1, MANY), many("match", 1), flag("end-class-map")]);
static POLICY_MAP: Table =
    plain("config-pmap", &[one("description", 1, MANY), block("class", 1, &POLICY_CLASS), flag("end-policy-map")]);
static POLICY_CLASS: Table = plain(
    "config-pmap-c",
    &[keyed("set", 1, 2), keyed("police", 0, 1), keyed("bandwidth", 0, 1), keyed("priority", 0, 0)],
);

pub(crate) static INTERFACE: Table = shaped(
    "config-if",
    Shape::Interface,
    &[
        one("description", 1, MANY),
        flag("cdp"),
        one("mtu", 1, 1),
        keyed("bundle id", 0, 1),
        one("bundle minimum-active links", 1, 1),
        keyed("service-policy", 1, 2),
        one("vrf", 1, 1),
        rule("ipv4 address", 2, 3, Kind::Address(false)),
        many("ipv4 helper-address", 1),
        flag("ipv4 unreachables disable"),
        flag("ipv4 verify unicast source reachable-via rx"),
        keyed("ipv4 access-group", 1, 2),
        keyed("ipv6 access-group", 1, 2),
        keyed("ipv6 address", 1, 1),
        one("encapsulation", 2, 4),
        one("load-interval", 1, 1),
        one("dampening", 0, 4),
        one("carrier-delay", 2, 4),
        one("speed", 1, 1),
        one("bandwidth", 1, 1),
        flag("lldp"),
        flag("shutdown"),
    ],
);

static STATIC: Table =
    plain("config-static", &[block("address-family", 2, &STATIC_FAMILY), block("vrf", 1, &STATIC_VRF)]);
static STATIC_VRF: Table = plain("config-static-vrf", &[block("address-family", 2, &STATIC_FAMILY)]);
/// Routes stand as bare prefixes.
pub(crate) static STATIC_FAMILY: Table = plain("config-static-afi", &[]);

static ISIS: Table = plain(
    "config-isis",
    &[
        one("is-type", 1, 1),
        many("net", 1),
        keyed("lsp-password", 0, 1),
        one("log adjacency changes", 0, 0),
        block("address-family", 2, &ISIS_FAMILY),
        block("interface", 1, &ISIS_INTERFACE),
    ],
);
static ISIS_FAMILY: Table =
    plain("config-isis-af", &[one("metric-style", 1, 1), many("redistribute", 1), one("maximum-paths", 1, 1)]);
static ISIS_INTERFACE: Table = plain(
    "config-isis-if",
    &[
        one("circuit-type", 1, 1),
        flag("point-to-point"),
        flag("passive"),
        keyed("hello-password", 0, 1),
        block("address-family", 2, &ISIS_IF_FAMILY),
    ],
);
static ISIS_IF_FAMILY: Table = plain("config-isis-if-af", &[one("metric", 1, 1)]);

static OSPF: Table = plain(
    "config-ospf",
    &[
        one("log adjacency changes", 0, 1),
        one("router-id", 1, 1),
        one("auto-cost reference-bandwidth", 1, 1),
        many("redistribute", 1),
        keyed("default-information originate", 0, 0),
        block("area", 1, &OSPF_AREA),
    ],
);
static OSPF_AREA: Table =
    plain("config-ospf-ar", &[one("authentication", 0, 1), block("interface", 1, &OSPF_INTERFACE)]);
static OSPF_INTERFACE: Table = plain(
    "config-ospf-ar-if",
    &[
        one("cost", 1, 1),
        one("network", 1, 1),
        one("passive", 1, 1),
        keyed("message-digest-key", 1, 2),
        keyed("authentication-key", 0, 1),
        one("hello-interval", 1, 1),
    ],
);

static BGP: Table = plain(
    "config-bgp",
    &[
        one("nsr", 0, 0),
        one("bgp router-id", 1, 1),
        one("bgp graceful-restart", 0, 0),
        flag("bgp log neighbor changes detail"),
        block("address-family", 2, &BGP_FAMILY),
        block("neighbor-group", 1, &NEIGHBOR),
        block("neighbor", 1, &NEIGHBOR),
        block("vrf", 1, &BGP_VRF),
    ],
);
static BGP_VRF: Table = plain(
    "config-bgp-vrf",
    &[one("rd", 1, 1), block("address-family", 2, &BGP_FAMILY), block("neighbor", 1, &NEIGHBOR)],
);
static BGP_FAMILY: Table = plain(
    "config-bgp-af",
    &[
        keyed("network", 1, 1),
        keyed("aggregate-address", 1, 1),
        keyed("redistribute", 1, 1),
        keyed("maximum-paths", 1, 1),
    ],
);
static NEIGHBOR: Table = plain(
    "config-bgp-nbr",
    &[
        one("remote-as", 1, 1),
        one("use neighbor-group", 1, 1),
        keyed("password", 0, 1),
        one("description", 1, MANY),
        one("update-source", 1, 1),
        one("ebgp-multihop", 1, 2),
        one("timers", 2, 3),
        flag("shutdown"),
        block("address-family", 2, &NEIGHBOR_FAMILY),
    ],
);
static NEIGHBOR_FAMILY: Table = plain(
    "config-bgp-nbr-af",
    &[
        // Keyed by the direction, which stands last; see `dialect`.
        rule("route-policy", 2, 2, Kind::Many),
        one("maximum-prefix", 1, 3),
        flag("next-hop-self"),
        flag("route-reflector-client"),
        flag("send-community-ebgp"),
        one("soft-reconfiguration inbound", 0, 1),
        flag("default-originate"),
    ],
);
static LDP: Table =
    plain("config-ldp", &[one("router-id", 1, 1), block("interface", 1, &NOTHING), one("log", 1, MANY)]);
