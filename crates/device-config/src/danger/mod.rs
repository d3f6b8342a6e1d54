//! Danger marks: lines that may cost the way by which the device is managed, or the sign-in of everybody.
//!
//! A mark is no class and no refusal. It says which lines a person should read twice, and why; a plan shows it, and a policy may
//! ask more of a plan that has one. It is generous: a mark too many costs a look, one too few a drive to the site.
//!
//! [`facts`] reads what the running configuration says about management, [`words`] compares abbreviated words.

mod facts;
mod words;

use std::fmt;

use crate::Platform;
use facts::Facts;
use words::{is, lists};

/// What a line may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DangerKind {
    /// The interface, address, VLAN or routing table by which the device is managed.
    ManagementPath,
    /// How users sign in and what they may do.
    Aaa,
    /// The terminal lines, SSH, and the filters before them.
    Vty,
    /// The way out of the device.
    DefaultRoute,
    /// A link to the rest of the network, or the management VLAN on it.
    Uplink,
    /// SNMP, NETCONF and their like, by which controllers see the device.
    Controller,
}

impl DangerKind {
    /// `management_path`, `aaa`, `vty`, `default_route`, `uplink`, `controller`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ManagementPath => "management_path",
            Self::Aaa => "aaa",
            Self::Vty => "vty",
            Self::DefaultRoute => "default_route",
            Self::Uplink => "uplink",
            Self::Controller => "controller",
        }
    }
}

impl fmt::Display for DangerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A line and the lines that it stands below, the outermost first. All without indentation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PlacedLine {
    /// The sections, the outermost first; empty for a line at the top.
    pub parents: Vec<String>,
    /// The line.
    pub line: String,
}

/// The lines of a text with what they stand below, by their indentation. Blank lines and comments are left out.
pub fn placed_lines(text: &str) -> Vec<PlacedLine> {
    numbered_lines(text).into_iter().map(|(_, placed)| placed).collect()
}

/// The same, each with its number in the text, from 1.
pub fn numbered_lines(text: &str) -> Vec<(usize, PlacedLine)> {
    let mut open: Vec<(usize, String)> = Vec::new();
    let mut placed = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let bare = line.trim();
        if bare.is_empty() || bare.starts_with('!') {
            continue;
        }
        let indent = line.len() - line.trim_start().len();
        open.retain(|(depth, _)| *depth < indent);
        let parents = open.iter().map(|(_, line)| line.clone()).collect();
        placed.push((number, PlacedLine { parents, line: bare.to_owned() }));
        open.push((indent, bare.to_owned()));
    }
    placed
}

/// A mark on a line of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Danger {
    /// What it may cost.
    pub kind: DangerKind,
    /// Which line of the change, from 0.
    pub at: usize,
    /// The line itself. It may hold a secret: mask it before it is shown.
    pub line: String,
    /// Why it is marked.
    pub why: &'static str,
}

/// The marks of a change against the running configuration. `management` is the address by which the device is managed; without
/// it, only what is recognisable by itself is marked (`mgmt0`, a management VRF, sign-in, default routes). A line may
/// have several marks.
pub fn dangers(
    platform: Platform,
    management: Option<&str>,
    running: &[PlacedLine],
    change: &[PlacedLine],
) -> Vec<Danger> {
    let facts = Facts::read(management, running);
    let mut found = Vec::new();
    for (at, placed) in change.iter().enumerate() {
        let mut marks = marks(platform, &facts, placed);
        marks.sort_by_key(|(kind, _)| *kind);
        marks.dedup_by_key(|(kind, _)| *kind);
        found.extend(marks.into_iter().map(|(kind, why)| Danger { kind, at, line: placed.line.clone(), why }));
    }
    found
}

type Mark = (DangerKind, &'static str);

fn marks(platform: Platform, facts: &Facts, placed: &PlacedLine) -> Vec<Mark> {
    let lower = placed.line.to_ascii_lowercase();
    let words: Vec<&str> = lower.split_whitespace().collect();
    let negated = words.first().is_some_and(|word| is(word, "no", 2) || is(word, "default", 3));
    let bare = if negated { words.get(1..).unwrap_or_default() } else { words.as_slice() };
    let section = placed.parents.first().map(|line| line.to_ascii_lowercase()).unwrap_or_default();
    let section: Vec<&str> = section.split_whitespace().collect();
    let mut marks = Vec::new();
    if is_text(bare) {
        return marks;
    }
    for (top, inside) in [(bare, false), (section.as_slice(), true)] {
        marks.extend(sign_in(platform, top));
        marks.extend(terminal(facts, top, inside || negated));
        marks.extend(controller(top));
    }
    marks.extend(way_out(bare, negated));
    marks.extend(management_path(facts, &section, bare, negated));
    if let Some(interface) = facts::interface_of(&section) {
        marks.extend(uplink(facts, &interface, bare, negated));
    }
    if negated && facts::interface_of(bare).is_some_and(|interface| facts.is_link(&interface)) {
        marks.push((DangerKind::Uplink, "removes a link to the rest of the network"));
    }
    marks
}

fn is_text(words: &[&str]) -> bool {
    words.first().is_some_and(|word| is(word, "description", 3) || is(word, "remark", 4))
}

fn sign_in(platform: Platform, words: &[&str]) -> Option<Mark> {
    const WHY: &str = "changes how users sign in, or what they may do";
    let first = *words.first()?;
    let second = words.get(1).copied().unwrap_or_default();
    let known =
        ["aaa", "aaa-server", "tacacs", "tacacs-server", "radius", "radius-server", "username", "privilege", "enable"];
    let of_platform: &[&str] = match platform {
        Platform::IosXe => &["parser", "login"],
        Platform::NxOs => &["role", "userpassphrase"],
        Platform::IosXr => &["usergroup", "taskgroup", "domain"],
        Platform::Asa => &["passwd", "user-identity"],
    };
    let source = is(first, "ip", 2) && (is(second, "tacacs", 3) || is(second, "radius", 3));
    let feature = first == "feature" && (second.starts_with("tacacs") || second.starts_with("ldap"));
    let listed = known.iter().chain(of_platform).any(|word| is(first, word, 3));
    (listed || source || feature).then_some((DangerKind::Aaa, WHY))
}

fn terminal(facts: &Facts, words: &[&str], touched: bool) -> Option<Mark> {
    let first = *words.first()?;
    let second = words.get(1).copied().unwrap_or_default();
    let line = is(first, "line", 3) || is(first, "vty-pool", 4) || is(first, "control-plane", 7);
    let ssh = matches!(first, "ssh" | "telnet" | "http" | "management-access")
        || (is(first, "ip", 2) && (is(second, "ssh", 3) || is(second, "telnet", 3) || is(second, "http", 4)))
        || (is(first, "crypto", 3) && is(second, "key", 3))
        || (first == "feature" && matches!(second, "ssh" | "telnet"));
    let way_in = is(first, "transport", 5) || is(first, "access-class", 8);
    let filter = words.iter().any(|word| facts.filters.iter().any(|filter| filter == word))
        && (is(first, "ip", 2) || is(first, "ipv4", 4) || is(first, "ipv6", 4) || is(first, "access-list", 8));
    if (line && touched) || ssh || way_in {
        return Some((DangerKind::Vty, "changes the ways into the device"));
    }
    filter.then_some((DangerKind::Vty, "changes a filter that decides who reaches the device"))
}

fn controller(words: &[&str]) -> Option<Mark> {
    let first = *words.first()?;
    let second = words.get(1).copied().unwrap_or_default();
    let watch = ["snmp-server", "snmp", "netconf", "netconf-yang", "restconf", "nxapi", "gnxi"];
    let feature = first == "feature" && matches!(second, "netconf" | "nxapi" | "restconf" | "grpc");
    let listed = watch.iter().any(|word| is(first, word, 4));
    let harmless = is(second, "location", 3) || is(second, "contact", 4) || is(second, "enable", 3);
    ((listed && !harmless) || feature)
        .then_some((DangerKind::Controller, "changes how controllers see and reach the device"))
}

fn way_out(words: &[&str], negated: bool) -> Option<Mark> {
    let first = *words.first()?;
    let second = words.get(1).copied().unwrap_or_default();
    let anywhere = words.windows(2).any(|pair| matches!(pair, ["0.0.0.0" | "0", "0.0.0.0" | "0"]))
        || words.iter().any(|word| matches!(*word, "0.0.0.0/0" | "::/0"));
    let route = is(first, "ip", 2) || is(first, "ipv6", 4) || is(first, "route", 5);
    let in_static = first == "0.0.0.0/0" || first == "::/0";
    let gateway = is(first, "ip", 2) && (is(second, "default-gateway", 8) || is(second, "default-network", 9));
    if (anywhere && route) || in_static || gateway {
        return Some((DangerKind::DefaultRoute, "changes the way out of the device"));
    }
    if is(first, "default-information", 9) {
        return Some((DangerKind::DefaultRoute, "changes who learns the way out"));
    }
    let routing = is(first, "router", 6) || (is(first, "ip", 2) && is(second, "routing", 4));
    (negated && routing).then_some((DangerKind::DefaultRoute, "the ways to and from the device may be learned by it"))
}

fn management_path(facts: &Facts, section: &[&str], words: &[&str], negated: bool) -> Option<Mark> {
    const KIND: DangerKind = DangerKind::ManagementPath;
    let opened = facts::interface_of(words).filter(|_| negated);
    let inside = facts::interface_of(section);
    if opened.iter().chain(&inside).any(|interface| facts.manages(interface)) {
        return Some((KIND, "touches the interface by which the device is managed"));
    }
    if facts.address.as_deref().is_some_and(|address| words.contains(&address)) {
        return Some((KIND, "names the address by which the device is managed"));
    }
    let table = [words, section]
        .into_iter()
        .any(|words| facts::table_of(words).is_some_and(|table| facts.tables.iter().any(|known| known == table)));
    if table {
        return Some((KIND, "touches the routing table by which the device is managed"));
    }
    let vlan = |words: &[&str]| match (words, facts.vlan) {
        ([first, list, ..], Some(vlan)) if is(first, "vlan", 4) => lists(list, vlan) == Some(true),
        _ => false,
    };
    let naming = words.first().is_some_and(|word| is(word, "name", 4));
    if (vlan(words) && negated) || (vlan(section) && !naming) {
        return Some((KIND, "touches the VLAN by which the device is managed"));
    }
    None
}

fn uplink(facts: &Facts, interface: &str, words: &[&str], negated: bool) -> Option<Mark> {
    if !facts.is_link(interface) {
        return None;
    }
    let first = *words.first()?;
    if is(first, "shutdown", 4) && !negated {
        return Some((DangerKind::Uplink, "shuts a link to the rest of the network"));
    }
    if is(first, "channel-group", 7) || is(first, "bundle", 6) || is(first, "vpc", 3) {
        return Some((DangerKind::Uplink, "moves a link in or out of its bundle"));
    }
    if is(first, "ip", 2) || is(first, "ipv4", 4) {
        return words
            .get(1)
            .is_some_and(|word| is(word, "address", 4))
            .then_some((DangerKind::Uplink, "changes the address of a link to the rest of the network"));
    }
    if !is(first, "switchport", 6) && first != "sw" {
        return None;
    }
    let rest = words.get(1..).unwrap_or_default();
    if let Some(at) =
        rest.iter().position(|word| is(word, "vlan", 2)).filter(|_| rest.iter().any(|w| is(w, "allowed", 2)))
    {
        let listed = rest.get(at + 1..).unwrap_or_default();
        return loses_management(facts, listed, negated)
            .then_some((DangerKind::Uplink, "may take the management VLAN off a trunk, or all of its VLANs"));
    }
    let turns =
        rest.is_empty() || rest.iter().any(|word| is(word, "mode", 2) || is(word, "native", 3) || is(word, "trunk", 2));
    turns.then_some((DangerKind::Uplink, "changes what a trunk carries"))
}

/// Whether a trunk may end without the management VLAN. Where it is not known which one that is, it may, unless VLANs are
/// only added.
fn loses_management(facts: &Facts, listed: &[&str], negated: bool) -> bool {
    let holds = |list: Option<&&str>| {
        let vlan = facts.vlan?;
        lists(list?, vlan)
    };
    match listed.first() {
        // Without a list, all VLANs are allowed.
        _ if negated => false,
        Some(word) if is(word, "add", 3) || is(word, "all", 3) => false,
        Some(word) if is(word, "remove", 3) || is(word, "except", 3) => holds(listed.get(1)) != Some(false),
        list => holds(list) != Some(true),
    }
}
