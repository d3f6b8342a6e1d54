//! What is NX-OS's own in entering lines: features that bring commands into being, the names of its ports, its sentences,
//! checked arguments, stored passwords and prefix lengths.
//!
//! Where next: [`super::grammar`], its tables.

use std::net::Ipv4Addr;

use crate::lines::dialect::{Dialect, Own, nothing_to_verify};
use crate::lines::entries::{scramble, vlan_list};
use crate::lines::place::insert_block;
use crate::lines::rule::{Kind, NotUnderstood, Table, Understood, understand};
use crate::lines::session::{Refused, Session};
use crate::lines::tree::{Config, Node, after};
use crate::nx_os::grammar;
use crate::os::Os;
use crate::seed::fnv;

pub(crate) static DIALECT: Dialect = Dialect {
    os: Os::NxOs,
    global: &grammar::GLOBAL,
    interface: |name| if name.starts_with("Vlan") { &grammar::SVI } else { &grammar::INTERFACE },
    kinds: &[("Vlan", true), ("port-channel", true), ("Ethernet", false), ("mgmt", false), ("loopback", true)],
    staged: false,
    shows: true,
    invalid,
    incomplete: "% Incomplete command at '^' marker.",
    ambiguous: |_| "% Ambiguous command at '^' marker.".to_owned(),
    check,
    own,
    stored,
    verify: nothing_to_verify,
};

fn invalid(at: usize) -> String {
    format!("{}^\n% Invalid command at '^' marker.", " ".repeat(at))
}

fn own(session: &mut Session, table: &'static Table, paths: &[Vec<String>], negated: bool, body: &str) -> Own {
    if *table == grammar::GLOBAL {
        if let Some(name) = after(body, "feature") {
            return Some(feature(session, name.trim(), negated));
        }
        if let Some(name) = body.strip_prefix("interface ").or_else(|| body.strip_prefix("int "))
            && session.dialect.interface_name(name).is_some_and(|name| name.starts_with("Vlan"))
            && session.config.block(&["feature interface-vlan"]).is_none()
        {
            return Some(Err(Refused::At(body.len() - name.len())));
        }
        if negated && after(body, "vlan").and_then(vlan_list).is_some_and(|ids| ids.contains(&1)) {
            return Some(Err(Refused::Final("ERROR: Default VLAN 1 may not be deleted.".to_owned())));
        }
        if negated && after(body, "hostname").is_some() {
            session.config.lines_at(&[])?.retain(|node| after(&node.line, "hostname").is_none());
            return Some(Ok(None));
        }
    }
    if *table == grammar::INTERFACE && !negated {
        if let Some(rest) = after(body, "channel-group") {
            let number =
                rest.split(' ').next().filter(|number| number.parse::<u16>().is_ok_and(|n| (1..=4096).contains(&n)));
            let Some(number) = number else { return Some(Err(Refused::At("channel-group ".len()))) };
            if rest.contains(" mode ")
                && !rest.contains(" mode on")
                && session.config.block(&["feature lacp"]).is_none()
            {
                return Some(Err(Refused::Final("Command rejected: feature lacp is not enabled".to_owned())));
            }
            // The bundle comes to be with its first member.
            insert_block(session.dialect, &mut session.config, &format!("interface port-channel{number}"));
        }
        // Some commands are of routed ports only.
        let routed = after(body, "ip address").is_some() || after(body, "ip router").is_some();
        if routed && paths.iter().flatten().any(|header| is_switched(&session.config, header)) {
            return Some(Err(Refused::Final(
                "ERROR: Ethernet interface is a Layer 2 port; enter 'no switchport' first".to_owned(),
            )));
        }
    }
    None
}

fn is_switched(config: &Config, header: &str) -> bool {
    let port = header.starts_with("interface Ethernet") || header.starts_with("interface port-channel");
    port && !header.contains('.') && config.block(&[header]).is_none_or(|block| !block.has("no switchport"))
}

/// `feature X` brings the commands of X into being; `no feature X` takes them away with everything that was configured by
/// them.
fn feature(session: &mut Session, name: &str, negated: bool) -> Result<Option<crate::lines::session::Level>, Refused> {
    let Some(name) = grammar::FEATURES.iter().find(|known| **known == name) else {
        return Err(Refused::At("feature ".len()));
    };
    let header = format!("feature {name}");
    if !negated {
        insert_block(session.dialect, &mut session.config, &header);
        return Ok(None);
    }
    let Some(roots) = session.config.lines_at(&[]) else { return Ok(None) };
    roots.retain(|node| node.line != header && !(*name == "interface-vlan" && node.line.starts_with("interface Vlan")));
    sweep(&grammar::GLOBAL, roots, name);
    Ok(None)
}

/// Removes every line of a feature from the blocks of a mode, and from those below.
fn sweep(table: &'static Table, lines: &mut Vec<Node>, feature: &str) {
    lines.retain_mut(|node| {
        let text = node.line.strip_prefix("no ").unwrap_or(&node.line);
        let Ok(found) = understand(table, text, false, |_| true) else { return true };
        if found.rule.needs == feature {
            return false;
        }
        if let Kind::Block(inner) = found.rule.kind {
            let inner = match node.line.strip_prefix("interface ") {
                Some(name) => (DIALECT.interface)(name),
                None => inner,
            };
            sweep(inner, &mut node.children, feature);
        }
        true
    });
}

/// Refuses arguments that the device checks while it reads.
fn check(table: &'static Table, found: &Understood<'_>, _config: &Config) -> Result<(), Refused> {
    let first = found.arguments.first().copied().unwrap_or_default();
    let number = |from: u32, to: u32| !first.parse::<u32>().is_ok_and(|n| (from..=to).contains(&n));
    // `ip` and an address is of the group; `ip` and a word is of the interface around it.
    if table.name == "config-if-hsrp" && found.rule.words == "ip" && first.parse::<Ipv4Addr>().is_err() {
        return Err(Refused::NotHere(NotUnderstood::Invalid("ip ".len())));
    }
    let bad = match (table.name, found.rule.words) {
        ("config-if", "switchport access vlan" | "switchport trunk native vlan") => number(1, 4094),
        ("config-if", "switchport mode") => !matches!(first, "access" | "trunk" | "dot1q-tunnel" | "fex-fabric"),
        ("config-if", "ip address") => !is_address(&found.arguments),
        ("config-if", "mtu") => number(576, 9216),
        ("config-if", "vpc") => first != "peer-link" && number(1, 4096),
        ("config-if", "speed") => first != "auto" && number(100, 400_000),
        ("config", "hostname") => first.len() > 63,
        ("config", "vpc domain") => number(1, 1000),
        ("config", "router bgp") => number(1, u32::MAX),
        ("config" | "config-vrf", "ip route") => !first.contains('/') && first.parse::<Ipv4Addr>().is_err(),
        ("config-vrf", "vni") | ("config-vlan", "vn-segment") => number(4096, 16_777_214),
        _ => false,
    };
    if bad { Err(Refused::At(found.rule.words.len() + 1)) } else { Ok(()) }
}

fn is_address(arguments: &[&str]) -> bool {
    match arguments {
        ["dhcp"] => true,
        [prefix] | [prefix, "secondary"] => prefix.split_once('/').is_some_and(|(address, length)| {
            address.parse::<Ipv4Addr>().is_ok() && length.parse::<u8>().is_ok_and(|length| length <= 32)
        }),
        [address, mask] | [address, mask, "secondary"] => {
            address.parse::<Ipv4Addr>().is_ok() && length_of(mask).is_some()
        }
        _ => false,
    }
}

/// The prefix length of a mask without holes.
fn length_of(mask: &str) -> Option<u32> {
    let bits = u32::from(mask.parse::<Ipv4Addr>().ok()?);
    (bits.leading_ones() + bits.trailing_zeros() == 32 || bits == 0).then(|| bits.leading_ones())
}

/// The form in which the device stores a line: prefix lengths for masks, type 5 for passwords of people, type 7 for keys.
fn stored(_config: &Config, line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    match words.as_slice() {
        ["ip", "address", address, mask, rest @ ..] if length_of(mask).is_some() => {
            let mut whole = format!("ip address {address}/{}", length_of(mask).unwrap_or(32));
            for word in rest {
                whole.push(' ');
                whole.push_str(word);
            }
            whole
        }
        ["username", name, "password", rest @ ..] => match rest {
            ["0", text, role @ ..] => hashed(name, text, role),
            ["5" | "3" | "7" | "8" | "9", ..] => line.to_owned(),
            [text, role @ ..] => hashed(name, text, role),
            [] => line.to_owned(),
        },
        ["tacacs-server" | "radius-server", "key", rest @ ..] => match rest {
            ["7" | "6", ..] => line.to_owned(),
            ["0", text] | [text] => {
                format!("{} key 7 \"{}\"", words.first().copied().unwrap_or_default(), shifted(text))
            }
            _ => line.to_owned(),
        },
        ["tacacs-server" | "radius-server", "host", host, "key", rest @ ..] if !matches!(rest, ["7" | "6", ..]) => {
            let (text, more) = match rest {
                ["0", text, more @ ..] | [text, more @ ..] => (*text, more),
                [] => ("", &[][..]),
            };
            let lead = words.first().copied().unwrap_or_default();
            let tail: String = more.iter().map(|word| format!(" {word}")).collect();
            format!("{lead} host {host} key 7 \"{}\"{tail}", shifted(text))
        }
        ["password", rest @ ..] => match rest {
            ["3" | "7", ..] => line.to_owned(),
            ["0", text] | [text] => format!("password 3 {:016x}", fnv(text.as_bytes())),
            _ => line.to_owned(),
        },
        _ => line.to_owned(),
    }
}

fn hashed(name: &str, text: &str, role: &[&str]) -> String {
    let role = if role.is_empty() { "role network-operator".to_owned() } else { role.join(" ") };
    format!("username {name} password 5 $5${}${}  {role}", scramble(name, 8), scramble(text, 43))
}

/// Looks like the vendor's reversible form, and tells nothing of the text.
fn shifted(text: &str) -> String {
    scramble(text, text.len().max(6)).replace(['.', '/'], "q")
}
