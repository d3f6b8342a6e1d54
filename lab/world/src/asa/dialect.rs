//! What is ASA's own in entering lines: the names of its ports, its sentences, checked arguments, secrets that it never
//! prints, and commands that look at other lines.
//!
//! Where next: [`super::access`] for access lists and names, [`super::grammar`] for the tables.

use std::net::Ipv4Addr;

use crate::asa::{access, grammar};
use crate::lines::dialect::{Dialect, Own, nothing_to_verify};
use crate::lines::entries::scramble;
use crate::lines::place::insert_block;
use crate::lines::rule::{Table, Understood};
use crate::lines::session::{Refused, Session};
use crate::lines::tree::{Config, after};
use crate::os::Os;

pub(crate) static DIALECT: Dialect = Dialect {
    os: Os::Asa,
    global: &grammar::GLOBAL,
    interface: |_| &grammar::INTERFACE,
    kinds: &[
        ("GigabitEthernet", false),
        ("TenGigabitEthernet", false),
        ("Ethernet", false),
        ("Management", false),
        ("Port-channel", true),
        ("Redundant", true),
        ("BVI", true),
        ("Tunnel", true),
    ],
    staged: false,
    shows: true,
    invalid,
    incomplete: "ERROR: % Incomplete command",
    ambiguous: |line| format!("ERROR: % Ambiguous command:  \"{line}\""),
    check,
    own,
    stored,
    verify: nothing_to_verify,
};

fn invalid(at: usize) -> String {
    format!("{}^\nERROR: % Invalid input detected at '^' marker.", " ".repeat(at))
}

/// Ways in which a network object can say what it is.
const IDENTITIES: &[&str] = &["host", "subnet", "range", "fqdn"];

fn own(session: &mut Session, table: &'static Table, paths: &[Vec<String>], negated: bool, body: &str) -> Own {
    let dialect = session.dialect;
    if *table == grammar::GLOBAL {
        if after(body, "access-list").is_some() {
            return access::entry(session, body, negated);
        }
        if after(body, "access-group").is_some() {
            return access::group(session, body, negated);
        }
        if let Some(what) = after(body, "clear configure").or_else(|| after(body, "clear config")) {
            return access::clear(session, what);
        }
        if negated && let Some(message) = access::in_use(&session.config, body) {
            return Some(Err(Refused::Final(message)));
        }
        let words: Vec<&str> = body.split_whitespace().collect();
        if let ["tunnel-group", name, "general-attributes" | "ipsec-attributes"] = words.as_slice()
            && !negated
            && !session.config.has(&format!("tunnel-group {name} type"))
        {
            return Some(Err(Refused::Final(format!("ERROR: tunnel-group <{name}> does not exist"))));
        }
        if let ["aaa-server", name, interface, "host", ..] = words.as_slice()
            && !negated
        {
            if !session.config.has(&format!("aaa-server {name} protocol")) {
                return Some(Err(Refused::Final(format!("ERROR: aaa-server group <{name}> does not exist"))));
            }
            let bare = interface.trim_matches(['(', ')']);
            if !access::nameifs(&session.config).iter().any(|known| known == bare) {
                return Some(Err(Refused::At("aaa-server ".len() + name.len() + 1)));
            }
        }
        if let ["route", interface, ..] = words.as_slice()
            && !negated
            && !access::nameifs(&session.config).iter().any(|known| known == interface)
        {
            return Some(Err(Refused::At("route ".len())));
        }
    }
    if *table == grammar::INTERFACE {
        if let Some(name) = after(body, "nameif") {
            for path in paths {
                if negated {
                    access::no_nameif(session, path);
                } else if let Err(refused) = access::nameif(session, dialect, path, name.trim()) {
                    return Some(Err(refused));
                }
            }
        }
        if let Some(number) = after(body, "channel-group").and_then(|rest| rest.split(' ').next())
            && !negated
        {
            insert_block(dialect, &mut session.config, &format!("interface Port-channel{number}"));
        }
    }
    // An object is one thing: another identity takes the place of the first.
    if *table == grammar::OBJECT
        && !negated
        && let Some(word) = body.split(' ').next()
        && IDENTITIES.contains(&word)
        && body.split(' ').count() > 1
    {
        for path in paths {
            let lines = session.config.lines_at(path)?;
            lines.retain(|node| !IDENTITIES.iter().any(|other| *other != word && after(&node.line, other).is_some()));
        }
    }
    None
}

/// Refuses arguments that the device checks while it reads.
fn check(table: &'static Table, found: &Understood<'_>, _config: &Config) -> Result<(), Refused> {
    let arguments = &found.arguments;
    let first = arguments.first().copied().unwrap_or_default();
    let address = |at: usize| arguments.get(at).is_some_and(|text| text.parse::<Ipv4Addr>().is_ok());
    let number = |from: u32, to: u32| !first.parse::<u32>().is_ok_and(|n| (from..=to).contains(&n));
    let bad = match (table.name, found.rule.words) {
        ("config-if", "ip address") => first != "dhcp" && !(address(0) && (arguments.len() == 1 || address(1))),
        ("config-if", "security-level") => number(0, 100),
        ("config-if", "vlan") => number(1, 4094),
        ("config-network-object", "host") => !address(0),
        ("config-network-object", "subnet" | "range") => !(address(0) && address(1)),
        ("config", "route") => !(address(1) && address(2) && address(3)),
        ("config", "failover lan unit") => !matches!(first, "primary" | "secondary"),
        ("config", "object network" | "object service") => first.len() > 64,
        _ => false,
    };
    if bad { Err(Refused::At(found.rule.words.len() + 1)) } else { Ok(()) }
}

/// The form in which the device prints a line: hashes for passwords, asterisks for keys, and the metric of a route.
fn stored(_config: &Config, line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    let hash = |text: &str| format!("$sha512$5000${}==${}== pbkdf2", scramble(line, 22), scramble(text, 22));
    let asterisks = |count: usize| format!("{} *****", words.iter().take(count).copied().collect::<Vec<_>>().join(" "));
    match words.as_slice() {
        [.., "pbkdf2" | "encrypted" | "nt-encrypted"] => line.to_owned(),
        ["enable", "password", text] => format!("enable password {}", hash(text)),
        ["username", _, "password", _, "pbkdf2" | "encrypted" | "nt-encrypted", ..] => line.to_owned(),
        ["username", name, "password", text, rest @ ..] => {
            let tail: String = rest.iter().map(|word| format!(" {word}")).collect();
            format!("username {name} password {}{tail}", hash(text))
        }
        ["key", ..] => asterisks(1),
        ["failover", "key", ..] | ["ikev1", "pre-shared-key", ..] | ["snmp-server", "community", ..] => asterisks(2),
        ["ikev2", "remote-authentication" | "local-authentication", "pre-shared-key", ..] => asterisks(3),
        ["ntp", "authentication-key", _, "md5", ..] => asterisks(4),
        ["snmp-server", "host", interface, address, "community", _, rest @ ..] => {
            let tail: String = rest.iter().map(|word| format!(" {word}")).collect();
            format!("snmp-server host {interface} {address} community *****{tail}")
        }
        ["route", _, _, _, _] => format!("{line} 1"),
        _ => line.to_owned(),
    }
}
