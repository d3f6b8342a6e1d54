//! What the command parser of each configuration mode accepts, as tables. The order of a table is the order in which the
//! device prints its lines.
//!
//! A rule is the words of a command, how many arguments may follow, and what the line means for the lines that are there.
//! Where next: [`super::merge`], which applies them.

/// A configuration mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// `(config)#`
    Global,
    /// `(config-if)#`
    Interface,
    /// `(config-vlan)#`
    Vlan,
    /// `(config-router)#`
    Router,
    /// `(config-router-af)#`
    Family,
    /// `(config-line)#`
    Line,
    /// `(config-ext-nacl)#` and `(config-std-nacl)#`
    AccessList,
    /// `(config-server-tacacs)#` and `(config-radius-server)#`
    Server,
    /// `(config-sg-tacacs+)#`
    ServerGroup,
    /// `(config-cmap)#`
    ClassMap,
    /// `(config-pmap)#`
    PolicyMap,
    /// `(config-pmap-c)#`
    PolicyClass,
    /// `(config-route-map)#`
    RouteMap,
    /// `(config-vrf)#`
    Vrf,
    /// `(dhcp-config)#`
    DhcpPool,
    /// `(config-archive)#` and its children
    Archive,
    /// `(config-archive-log-cfg)#`
    ArchiveLog,
}

/// What an accepted line does to the lines of its mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Replaces the line with the same words and the same first `n` arguments.
    One(usize),
    /// Stands beside others; an equal line is there once.
    Many,
    /// On by default: only its negation is printed.
    DefaultOn,
    /// Printed in both forms, one replacing the other.
    Both,
    /// Opens a block in another mode.
    Block(Mode),
}

/// A command: words, least and most arguments (`MANY` = free text), kind.
#[derive(Debug)]
pub struct Rule {
    /// The fixed words.
    pub words: &'static str,
    /// Fewest arguments.
    pub least: usize,
    /// Most arguments.
    pub most: usize,
    /// Meaning.
    pub kind: Kind,
}

/// No upper bound on arguments.
pub const MANY: usize = usize::MAX;

const fn rule(words: &'static str, least: usize, most: usize, kind: Kind) -> Rule {
    Rule { words, least, most, kind }
}
const fn one(words: &'static str, least: usize, most: usize) -> Rule {
    rule(words, least, most, Kind::One(0))
}
const fn keyed(words: &'static str, key: usize, least: usize) -> Rule {
    rule(words, least, MANY, Kind::One(key))
}
const fn flag(words: &'static str) -> Rule {
    rule(words, 0, 0, Kind::One(0))
}
const fn many(words: &'static str, least: usize) -> Rule {
    rule(words, least, MANY, Kind::Many)
}
const fn block(words: &'static str, least: usize, mode: Mode) -> Rule {
    rule(words, least, MANY, Kind::Block(mode))
}

static GLOBAL: &[Rule] = &[
    one("version", 1, 1),
    rule("service timestamps debug", 0, MANY, Kind::One(0)),
    rule("service timestamps log", 0, MANY, Kind::One(0)),
    rule("service password-encryption", 0, 0, Kind::Both),
    flag("service call-home"),
    many("service", 1),
    many("platform", 1),
    one("hostname", 1, 1),
    block("vrf definition", 1, Mode::Vrf),
    keyed("logging buffered", 0, 1),
    rule("logging console", 0, 1, Kind::DefaultOn),
    rule("logging monitor", 0, 1, Kind::DefaultOn),
    keyed("enable secret", 0, 1),
    keyed("enable password", 0, 1),
    flag("aaa new-model"),
    block("aaa group server tacacs+", 1, Mode::ServerGroup),
    block("aaa group server radius", 1, Mode::ServerGroup),
    keyed("aaa authentication login", 1, 2),
    keyed("aaa authentication enable", 1, 2),
    keyed("aaa authentication dot1x", 1, 2),
    keyed("aaa authorization exec", 1, 2),
    keyed("aaa authorization network", 1, 2),
    keyed("aaa authorization commands", 2, 3),
    keyed("aaa accounting exec", 1, 2),
    keyed("aaa accounting commands", 2, 3),
    one("aaa session-id", 1, 1),
    keyed("clock timezone", 0, 2),
    keyed("clock summer-time", 0, 2),
    many("switch", 1),
    flag("ip routing"),
    rule("ip domain lookup", 0, 0, Kind::DefaultOn),
    one("ip domain name", 1, 1),
    many("ip name-server", 1),
    keyed("ip dhcp excluded-address", 2, 1),
    block("ip dhcp pool", 1, Mode::DhcpPool),
    keyed("ip dhcp snooping vlan", 0, 1),
    flag("ip dhcp snooping"),
    keyed("ip arp inspection vlan", 0, 1),
    one("ip tftp source-interface", 1, 1),
    one("ip ssh version", 1, 1),
    one("ip ssh time-out", 1, 1),
    one("ip ssh source-interface", 1, 1),
    flag("login on-success log"),
    one("vtp domain", 1, 1),
    one("vtp mode", 1, 1),
    block("archive", 0, Mode::Archive),
    keyed("username", 1, 2),
    one("spanning-tree mode", 1, 1),
    rule("spanning-tree portfast default", 0, 0, Kind::One(0)),
    rule("spanning-tree portfast bpduguard default", 0, 0, Kind::One(0)),
    flag("spanning-tree extend system-id"),
    keyed("spanning-tree vlan", 2, 2),
    keyed("errdisable recovery cause", 1, 1),
    one("errdisable recovery interval", 1, 1),
    rule("lldp run", 0, 0, Kind::One(0)),
    rule("cdp run", 0, 0, Kind::DefaultOn),
    flag("redundancy"),
    block("vlan", 1, Mode::Vlan),
    block("class-map", 1, Mode::ClassMap),
    block("policy-map", 1, Mode::PolicyMap),
    block("interface", 1, Mode::Interface),
    block("router ospf", 1, Mode::Router),
    block("router eigrp", 1, Mode::Router),
    block("router bgp", 1, Mode::Router),
    one("ip default-gateway", 1, 1),
    rule("ip forward-protocol nd", 0, 0, Kind::One(0)),
    rule("ip http server", 0, 0, Kind::Both),
    one("ip http authentication", 1, 1),
    rule("ip http secure-server", 0, 0, Kind::Both),
    one("ip http client source-interface", 1, 1),
    one("ip http max-connections", 1, 1),
    many("ip route", 3),
    many("ipv6 route", 2),
    rule("ipv6 unicast-routing", 0, 0, Kind::One(0)),
    block("ip access-list standard", 1, Mode::AccessList),
    block("ip access-list extended", 1, Mode::AccessList),
    many("ip prefix-list", 2),
    one("ip tacacs source-interface", 1, 1),
    one("ip radius source-interface", 1, 1),
    one("logging trap", 0, 1),
    one("logging origin-id", 1, 2),
    one("logging source-interface", 1, 1),
    many("logging host", 1),
    many("access-list", 3),
    block("route-map", 1, Mode::RouteMap),
    keyed("snmp-server community", 1, 1),
    keyed("snmp-server group", 1, 2),
    keyed("snmp-server user", 1, 2),
    keyed("snmp-server view", 2, 2),
    one("snmp-server trap-source", 1, 1),
    one("snmp-server source-interface informs", 1, 1),
    one("snmp-server location", 1, MANY),
    one("snmp-server contact", 1, MANY),
    many("snmp-server enable traps", 0),
    many("snmp-server host", 2),
    one("tacacs-server key", 1, 2),
    one("tacacs-server timeout", 1, 1),
    flag("tacacs-server directed-request"),
    block("tacacs server", 1, Mode::Server),
    block("radius server", 1, Mode::Server),
    one("radius-server key", 1, 2),
    many("radius-server attribute", 1),
    many("radius-server dead-criteria", 1),
    one("radius-server timeout", 1, 1),
    rule("control-plane", 0, 0, Kind::One(0)),
    keyed("banner motd", 0, 1),
    keyed("banner login", 0, 1),
    keyed("banner exec", 0, 1),
    block("line con", 1, Mode::Line),
    block("line aux", 1, Mode::Line),
    block("line vty", 1, Mode::Line),
    one("ntp source", 1, 1),
    flag("ntp authenticate"),
    keyed("ntp authentication-key", 1, 3),
    many("ntp trusted-key", 1),
    keyed("ntp server", 1, 1),
    flag("netconf-yang"),
    flag("restconf"),
    many("wireless", 1),
    many("ap", 1),
    many("crypto", 1),
    many("license", 1),
    many("memory", 1),
    many("device-tracking", 1),
    many("boot", 1),
    many("diagnostic", 1),
    many("transceiver", 1),
    many("mac address-table", 1),
    many("event manager", 1),
    keyed("alias exec", 1, 2),
];

static INTERFACE: &[Rule] = &[
    one("description", 1, MANY),
    keyed("switchport trunk native vlan", 0, 1),
    keyed("switchport trunk allowed vlan", 0, 1),
    one("switchport access vlan", 1, 1),
    one("switchport mode", 1, 2),
    rule("switchport nonegotiate", 0, 0, Kind::One(0)),
    one("switchport voice vlan", 1, 1),
    one("switchport port-security maximum", 1, 3),
    one("switchport port-security violation", 1, 1),
    flag("switchport port-security"),
    rule("switchport", 0, 0, Kind::DefaultOn),
    one("vrf forwarding", 1, 1),
    one("encapsulation dot1q", 1, 2),
    rule("ip address", 1, 3, Kind::One(0)),
    one("ip access-group", 2, 2),
    many("ip helper-address", 1),
    rule("ip redirects", 0, 0, Kind::DefaultOn),
    rule("ip unreachables", 0, 0, Kind::DefaultOn),
    rule("ip proxy-arp", 0, 0, Kind::DefaultOn),
    one("ip mtu", 1, 1),
    one("ip ospf cost", 1, 1),
    one("ip ospf network", 1, 1),
    keyed("ip ospf message-digest-key", 1, 3),
    keyed("ip ospf authentication-key", 0, 1),
    keyed("ip ospf", 1, 2),
    flag("ip dhcp snooping trust"),
    one("ip dhcp snooping limit rate", 1, 1),
    flag("ip arp inspection trust"),
    keyed("ip tcp adjust-mss", 0, 1),
    one("ipv6 address", 1, 2),
    flag("ipv6 enable"),
    one("load-interval", 1, 1),
    one("bandwidth", 1, 1),
    one("delay", 1, 1),
    one("mtu", 1, 1),
    rule("logging event link-status", 0, 0, Kind::DefaultOn),
    flag("shutdown"),
    rule("keepalive", 0, 2, Kind::DefaultOn),
    one("speed", 1, 2),
    one("duplex", 1, 1),
    rule("negotiation auto", 0, 0, Kind::Both),
    rule("cdp enable", 0, 0, Kind::DefaultOn),
    rule("lldp transmit", 0, 0, Kind::DefaultOn),
    rule("lldp receive", 0, 0, Kind::DefaultOn),
    keyed("standby", 2, 2),
    one("power inline", 1, 3),
    one("authentication host-mode", 1, 1),
    one("authentication order", 1, 3),
    one("authentication port-control", 1, 1),
    flag("authentication periodic"),
    flag("mab"),
    one("dot1x pae", 1, 1),
    keyed("dot1x timeout", 1, 2),
    keyed("storm-control", 2, 2),
    one("channel-group", 1, 3),
    rule("channel-protocol", 1, 1, Kind::One(0)),
    one("spanning-tree portfast", 0, 2),
    one("spanning-tree bpduguard", 1, 1),
    one("spanning-tree guard", 1, 1),
    one("spanning-tree cost", 1, 1),
    keyed("service-policy", 1, 2),
    keyed("ip nat", 1, 1),
    one("tunnel source", 1, 1),
    one("tunnel destination", 1, 1),
    one("tunnel mode", 1, MANY),
    one("device-tracking attach-policy", 1, 1),
    rule("mop enabled", 0, 0, Kind::DefaultOn),
    rule("mop sysid", 0, 0, Kind::DefaultOn),
];

static VLAN: &[Rule] =
    &[one("name", 1, 1), one("state", 1, 1), rule("shutdown", 0, 0, Kind::One(0)), one("remote-span", 0, 0)];

static ROUTER: &[Rule] = &[
    one("router-id", 1, 1),
    one("bgp router-id", 1, 1),
    flag("bgp log-neighbor-changes"),
    one("auto-cost reference-bandwidth", 1, 1),
    many("redistribute", 1),
    rule("passive-interface default", 0, 0, Kind::One(0)),
    rule("passive-interface", 1, 1, Kind::Both),
    many("network", 1),
    many("area", 2),
    keyed("neighbor", 2, 2),
    one("maximum-paths", 1, 1),
    keyed("default-information originate", 0, 0),
    flag("log-adjacency-changes"),
    flag("eigrp stub"),
    flag("no-summary"),
    one("distance", 1, 3),
    block("address-family", 1, Mode::Family),
];

static FAMILY: &[Rule] = &[
    many("redistribute", 1),
    many("network", 1),
    many("aggregate-address", 2),
    keyed("neighbor", 2, 2),
    one("maximum-paths", 1, 1),
    many("route-target", 2),
    flag("exit-address-family"),
];

static LINE: &[Rule] = &[
    keyed("session-timeout", 0, 1),
    one("access-class", 2, 3),
    one("exec-timeout", 1, 2),
    keyed("password", 0, 1),
    one("privilege level", 1, 1),
    one("logging synchronous", 0, 0),
    one("authorization exec", 1, 1),
    rule("login", 0, 2, Kind::One(0)),
    one("length", 1, 1),
    one("transport input", 1, 4),
    one("transport output", 1, 4),
    one("transport preferred", 1, 1),
    one("stopbits", 1, 1),
];

static ACCESS_LIST: &[Rule] = &[many("permit", 1), many("deny", 1), many("remark", 1)];

static SERVER: &[Rule] = &[
    keyed("address ipv4", 0, 1),
    keyed("key", 0, 1),
    one("timeout", 1, 1),
    one("port", 1, 1),
    flag("single-connection"),
    one("retransmit", 1, 1),
];

static SERVER_GROUP: &[Rule] = &[
    many("server name", 1),
    keyed("server-private", 1, 1),
    one("ip vrf forwarding", 1, 1),
    keyed("ip tacacs source-interface", 0, 1),
    keyed("ip radius source-interface", 0, 1),
    one("deadtime", 1, 1),
];

static CLASS_MAP: &[Rule] = &[one("description", 1, MANY), many("match", 1)];

static POLICY_MAP: &[Rule] = &[one("description", 1, MANY), block("class", 1, Mode::PolicyClass)];

static POLICY_CLASS: &[Rule] = &[
    keyed("set", 1, 2),
    keyed("police", 0, 1),
    keyed("priority", 0, 0),
    keyed("bandwidth", 0, 1),
    keyed("queue-limit", 0, 1),
    keyed("queue-buffers ratio", 0, 1),
    flag("fair-queue"),
    keyed("shape", 1, 2),
];

static ROUTE_MAP: &[Rule] =
    &[one("description", 1, MANY), many("match", 1), keyed("set", 1, 2), keyed("continue", 0, 0)];

static VRF: &[Rule] =
    &[one("rd", 1, 1), one("description", 1, MANY), many("route-target", 2), block("address-family", 1, Mode::Family)];

static DHCP_POOL: &[Rule] = &[
    one("vrf", 1, 1),
    one("network", 1, 2),
    keyed("default-router", 0, 1),
    keyed("dns-server", 0, 1),
    one("domain-name", 1, 1),
    keyed("option", 1, 2),
    one("lease", 1, 3),
];

static ARCHIVE: &[Rule] =
    &[block("log config", 0, Mode::ArchiveLog), one("path", 1, 1), one("maximum", 1, 1), flag("write-memory")];

static ARCHIVE_LOG: &[Rule] =
    &[flag("logging enable"), one("logging size", 1, 1), flag("hidekeys"), keyed("notify", 1, 1)];

/// The table of a mode, in printing order.
pub fn rules(mode: Mode) -> &'static [Rule] {
    match mode {
        Mode::Global => GLOBAL,
        Mode::Interface => INTERFACE,
        Mode::Vlan => VLAN,
        Mode::Router => ROUTER,
        Mode::Family => FAMILY,
        Mode::Line => LINE,
        Mode::AccessList => ACCESS_LIST,
        Mode::Server => SERVER,
        Mode::ServerGroup => SERVER_GROUP,
        Mode::ClassMap => CLASS_MAP,
        Mode::PolicyMap => POLICY_MAP,
        Mode::PolicyClass => POLICY_CLASS,
        Mode::RouteMap => ROUTE_MAP,
        Mode::Vrf => VRF,
        Mode::DhcpPool => DHCP_POOL,
        Mode::Archive => ARCHIVE,
        Mode::ArchiveLog => ARCHIVE_LOG,
    }
}

/// A line understood: the rule, its position in the table, the full words and the arguments.
#[derive(Debug)]
pub struct Understood<'a> {
    /// The rule that fits.
    pub rule: &'static Rule,
    /// Its position, which is its rank in print.
    pub rank: usize,
    /// Arguments as typed.
    pub arguments: Vec<&'a str>,
}

impl Understood<'_> {
    /// The line in full words.
    pub fn line(&self) -> String {
        let mut line = self.rule.words.to_owned();
        for argument in &self.arguments {
            line.push(' ');
            line.push_str(argument);
        }
        line
    }

    /// The words that identify the line among its neighbours.
    pub fn key(&self) -> String {
        let count = match self.rule.kind {
            Kind::One(count) => count,
            Kind::DefaultOn => 0,
            Kind::Many | Kind::Both | Kind::Block(_) => self.arguments.len(),
        };
        let mut key = self.rule.words.to_owned();
        for argument in self.arguments.iter().take(count) {
            key.push(' ');
            key.push_str(argument);
        }
        key
    }
}

/// Why a line was not understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotUnderstood {
    /// No rule fits; the byte where the marker stands.
    Invalid(usize),
    /// The words fit, and arguments are missing.
    Incomplete,
    /// An abbreviation that fits several commands.
    Ambiguous,
}

/// Finds the rule of `mode` for a line. Words may be abbreviated as on the device; `least` arguments are not asked of a
/// negated line.
pub fn understand(mode: Mode, line: &str, negated: bool) -> Result<Understood<'_>, NotUnderstood> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let mut best: Option<(usize, usize, usize)> = None;
    let mut furthest = 0;
    let mut ambiguous = false;
    let mut incomplete = false;
    let mut last_words: Vec<&str> = Vec::new();
    for (rank, rule) in rules(mode).iter().enumerate() {
        let length = rule.words.split(' ').count();
        let (mut matched, mut exact) = (0, 0);
        for (fixed, word) in rule.words.split(' ').zip(&words) {
            if *word == fixed {
                exact += 1;
            } else if !fixed.starts_with(&word.to_ascii_lowercase()) {
                break;
            }
            matched += 1;
        }
        furthest = furthest.max(matched);
        if matched < length {
            if matched == words.len() {
                incomplete = true;
                last_words.extend(rule.words.split(' ').nth(matched.saturating_sub(1)));
            }
            continue;
        }
        let arguments = words.len() - length;
        if arguments > rule.most {
            furthest = furthest.max(length + rule.most);
            continue;
        }
        if arguments < rule.least && !negated {
            incomplete = true;
            continue;
        }
        match best {
            Some((held_exact, held_length, _)) if (held_exact, held_length) > (exact, length) => {}
            Some((held_exact, held_length, _)) if (held_exact, held_length) == (exact, length) && exact < length => {
                ambiguous = true;
            }
            _ => {
                ambiguous = false;
                best = Some((exact, length, rank));
            }
        }
    }
    if ambiguous {
        return Err(NotUnderstood::Ambiguous);
    }
    if let Some((_, length, rank)) = best
        && let Some(rule) = rules(mode).get(rank)
    {
        return Ok(Understood { rule, rank, arguments: words.into_iter().skip(length).collect() });
    }
    if incomplete && !words.is_empty() {
        last_words.dedup();
        let typed = words.last().copied().unwrap_or_default();
        if last_words.len() > 1 && !last_words.contains(&typed) {
            return Err(NotUnderstood::Ambiguous);
        }
        return Err(NotUnderstood::Incomplete);
    }
    let at = words.get(furthest).map_or(line.len(), |word| word.as_ptr() as usize - line.as_ptr() as usize);
    Err(NotUnderstood::Invalid(at))
}
