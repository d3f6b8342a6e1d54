//! What is IOS-XE's own in entering lines: the names of its ports, its sentences, checked arguments, stored passwords.
//!
//! Where next: [`super::grammar`], its tables.

use std::net::Ipv4Addr;

use crate::ios_xe::grammar;
use crate::lines::dialect::{Dialect, Own, nothing_to_verify};
use crate::lines::entries::{scramble, type_seven};
use crate::lines::place::{insert_block, replace};
use crate::lines::rule::{Table, Understood};
use crate::lines::session::{Refused, Session};
use crate::lines::tree::{Config, after};
use crate::os::Os;

pub(crate) static DIALECT: Dialect = Dialect {
    os: Os::IosXe,
    global: &grammar::GLOBAL,
    interface: |_| &grammar::INTERFACE,
    kinds: &[
        ("Loopback", true),
        ("Tunnel", true),
        ("Port-channel", true),
        ("FastEthernet", false),
        ("GigabitEthernet", false),
        ("TwoGigabitEthernet", false),
        ("TenGigabitEthernet", false),
        ("TwentyFiveGigE", false),
        ("FortyGigabitEthernet", false),
        ("HundredGigE", false),
        ("AppGigabitEthernet", false),
        ("Vlan", true),
    ],
    staged: false,
    shows: false,
    invalid,
    incomplete: "% Incomplete command.",
    ambiguous: |line| format!("% Ambiguous command:  \"{line}\""),
    check,
    own,
    stored: stored_secret,
    verify: nothing_to_verify,
};

fn invalid(at: usize) -> String {
    format!("{}^\n% Invalid input detected at '^' marker.", " ".repeat(at))
}

fn own(session: &mut Session, table: &'static Table, _paths: &[Vec<String>], negated: bool, body: &str) -> Own {
    if *table == grammar::INTERFACE
        && !negated
        && let Some(number) = body.strip_prefix("channel-group ").and_then(|rest| rest.split(' ').next())
    {
        // The bundle comes to be with its first member.
        insert_block(session.dialect, &mut session.config, &format!("interface Port-channel{number}"));
    }
    if *table != grammar::GLOBAL || !negated {
        return None;
    }
    if body == "vlan 1" {
        return Some(Err(Refused::Final("%Default VLAN 1 may not be deleted.".to_owned())));
    }
    if body == "hostname" || body.starts_with("hostname ") {
        let dialect = session.dialect;
        let found = crate::lines::rule::understand(table, "hostname Switch", false, |_| true).ok()?;
        replace(dialect, table, session.config.lines_at(&[])?, found.rank, "hostname", Some(found.line()));
        return Some(Ok(None));
    }
    None
}

/// Refuses arguments that the device checks while it reads.
fn check(table: &'static Table, found: &Understood<'_>, _config: &Config) -> Result<(), Refused> {
    let first = found.arguments.first().copied().unwrap_or_default();
    let bad = if *table == grammar::INTERFACE {
        match found.rule.words {
            "switchport access vlan" | "switchport voice vlan" | "switchport trunk native vlan" => {
                !matches!(first, "dot1p" | "none" | "untagged")
                    && first.parse::<u16>().map_or(true, |id| id == 0 || id > 4094)
            }
            "switchport mode" => !matches!(first, "access" | "trunk" | "dynamic"),
            "ip address" => {
                let mask = found.arguments.get(1).copied().unwrap_or_default();
                first != "dhcp" && (first.parse::<Ipv4Addr>().is_err() || mask.parse::<Ipv4Addr>().is_err())
            }
            "mtu" => first.parse::<u32>().map_or(true, |mtu| !(64..=9216).contains(&mtu)),
            _ => false,
        }
    } else if *table == grammar::GLOBAL {
        match found.rule.words {
            "hostname" => !first.starts_with(|c: char| c.is_ascii_alphabetic()) || first.len() > 63,
            "ip default-gateway" => first.parse::<Ipv4Addr>().is_err(),
            "ip route" => first != "vrf" && first.parse::<Ipv4Addr>().is_err(),
            _ => false,
        }
    } else {
        false
    };
    if bad { Err(Refused::At(found.rule.words.len() + 1)) } else { Ok(()) }
}

/// What the device stores for a line with a clear-text password: a hash for secrets, type 7 for reversible ones where
/// `service password-encryption` is on. Other lines come back as they are.
fn stored_secret(config: &Config, line: &str) -> String {
    let encrypts = config.value("service password-encryption").is_some();
    for (lead, hashed) in [("enable secret", true), ("enable password", false), ("password", false), ("key", false)] {
        if let Some(rest) = after(line, lead) {
            return replace_secret(lead, rest, hashed, encrypts);
        }
    }
    if line.starts_with("username ") {
        for (word, hashed) in [(" secret ", true), (" password ", false)] {
            if let Some((lead, rest)) = line.split_once(word) {
                return replace_secret(&format!("{lead}{}", word.trim_end()), rest, hashed, encrypts);
            }
        }
    }
    line.to_owned()
}

fn replace_secret(lead: &str, rest: &str, hashed: bool, encrypts: bool) -> String {
    let (kind, text) = match rest.split_once(' ') {
        Some((kind @ ("0" | "5" | "6" | "7" | "8" | "9"), text)) => (kind, text),
        _ => ("0", rest),
    };
    if kind != "0" {
        return format!("{lead} {kind} {text}");
    }
    if hashed {
        return format!("{lead} 9 $9${}", scramble(text, 58));
    }
    if encrypts { format!("{lead} 7 {}", type_seven(text)) } else { format!("{lead} {text}") }
}
