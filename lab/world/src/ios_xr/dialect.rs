//! What is IOS-XR's own in entering lines: the names of its ports, policies as texts, bare prefixes, stored passwords, and
//! what a commit refuses as a whole.
//!
//! Where next: [`super::grammar`], its tables.

use std::net::Ipv4Addr;

use crate::ios_xr::grammar;
use crate::lines::dialect::{Dialect, Own};
use crate::lines::entries::{scramble, type_seven};
use crate::lines::rule::{NotUnderstood, Table, Understood};
use crate::lines::session::{Refused, Session};
use crate::lines::tree::{Config, Node, after};
use crate::os::Os;

pub(crate) static DIALECT: Dialect = Dialect {
    os: Os::IosXr,
    global: &grammar::GLOBAL,
    interface: |_| &grammar::INTERFACE,
    kinds: &[
        ("Loopback", true),
        ("Bundle-Ether", true),
        ("tunnel-ip", true),
        ("MgmtEth", false),
        ("GigabitEthernet", false),
        ("TenGigE", false),
        ("TwentyFiveGigE", false),
        ("HundredGigE", false),
        ("BVI", true),
        ("Null", true),
    ],
    staged: true,
    shows: true,
    invalid,
    incomplete: "% Incomplete command.",
    ambiguous: |line| format!("% Ambiguous command:  \"{line}\""),
    check,
    own,
    stored,
    verify,
};

fn invalid(at: usize) -> String {
    format!("{}^\n% Invalid input detected at '^' marker.", " ".repeat(at))
}

fn own(session: &mut Session, table: &'static Table, paths: &[Vec<String>], negated: bool, body: &str) -> Own {
    if body.contains('\n') && !body.starts_with("banner ") {
        // A policy is defined at the top; inside a neighbour the same word applies one.
        if *table != grammar::GLOBAL {
            return Some(Err(Refused::NotHere(NotUnderstood::Invalid(0))));
        }
        return refused_policy(body).map(|message| Err(Refused::Final(message)));
    }
    let first = body.split(' ').next().unwrap_or_default();
    let bare = match table.name {
        // A route is a prefix and where to; it is told by its prefix and its next hop.
        "config-static-afi" => is_prefix(first).then(|| body.split(' ').take(2).collect::<Vec<_>>().join(" ")),
        "config-vrf-import-rt" => first.contains(':').then(|| first.to_owned()),
        _ => None,
    };
    if let Some(key) = bare {
        for path in paths {
            let lines = session.config.lines_at(path)?;
            lines.retain(|node| after(&node.line, &key).is_none());
            if !negated {
                lines.push(Node::leaf(body));
            }
        }
        return Some(Ok(None));
    }
    // One policy per direction: another one takes its place.
    if table.name == "config-bgp-nbr-af"
        && let Some(rest) = after(body, "route-policy")
    {
        let words: Vec<&str> = rest.split_whitespace().collect();
        let direction = words.last().copied().filter(|word| matches!(*word, "in" | "out"));
        let Some(direction) = direction else { return Some(Err(Refused::NotHere(NotUnderstood::Incomplete))) };
        for path in paths {
            let lines = session.config.lines_at(path)?;
            lines.retain(|node| {
                !(node.line.starts_with("route-policy ") && node.line.ends_with(&format!(" {direction}")))
            });
            if !negated {
                let at = lines
                    .iter()
                    .take_while(|node| direction == "out" && node.line.starts_with("route-policy "))
                    .count();
                lines.insert(at, Node::leaf(body));
            }
        }
        return Some(Ok(None));
    }
    None
}

/// What the device complains about in the text of a policy or a set.
fn refused_policy(text: &str) -> Option<String> {
    let mut lines = text.lines().map(str::trim);
    let head = lines.next().unwrap_or_default();
    let last = text.lines().last().unwrap_or_default().trim();
    let set = !head.starts_with("route-policy ");
    if last != if set { "end-set" } else { "end-policy" } {
        return Some("% Incomplete command.".to_owned());
    }
    if set {
        return None;
    }
    let mut open = 0_i32;
    for line in lines.filter(|line| *line != "end-policy") {
        let word = line.split(' ').next().unwrap_or_default();
        match word {
            "if" if line.ends_with(" then") => open += 1,
            "elseif" if open > 0 && line.ends_with(" then") => {}
            "else" if open > 0 => {}
            "endif" if open > 0 => open -= 1,
            "pass" | "drop" | "done" | "set" | "apply" | "prepend" | "delete" | "suppress-route"
            | "unsuppress-route" | "var" => {}
            word if word.starts_with('#') => {}
            _ => return Some(format!("{}\n{}", line, invalid(0))),
        }
    }
    (open != 0).then(|| "% Syntax/Authorization errors in one or more commands: 'endif' is missing".to_owned())
}

fn is_prefix(text: &str) -> bool {
    text.split_once('/').is_some_and(|(address, length)| {
        address.parse::<std::net::IpAddr>().is_ok() && length.parse::<u8>().is_ok_and(|length| length <= 128)
    })
}

/// Refuses arguments that the device checks while it reads.
fn check(table: &'static Table, found: &Understood<'_>, _config: &Config) -> Result<(), Refused> {
    let first = found.arguments.first().copied().unwrap_or_default();
    let number = |from: u32, to: u32| !first.parse::<u32>().is_ok_and(|n| (from..=to).contains(&n));
    let bad = match (table.name, found.rule.words) {
        ("config-if", "ipv4 address") => {
            let mask = found.arguments.get(1).copied().unwrap_or_default();
            first.parse::<Ipv4Addr>().is_err() || mask.parse::<Ipv4Addr>().is_err() && !mask.starts_with('/')
        }
        ("config-if", "mtu") => number(64, 65_535),
        ("config-if", "bundle id") => number(1, 65_535),
        ("config-bgp" | "config-bgp-vrf", "neighbor") => first.parse::<std::net::IpAddr>().is_err(),
        ("config-bgp-nbr", "remote-as") | ("config", "router bgp") => number(1, u32::MAX),
        _ => false,
    };
    if bad { Err(Refused::At(found.rule.words.len() + 1)) } else { Ok(()) }
}

/// The form in which the device stores a line: hashes for passwords of people, type 7 for keys.
fn stored(_config: &Config, line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    match words.as_slice() {
        ["secret", "0", text] | ["secret", text] => {
            format!("secret 10 $6${}${}", scramble(line, 16), scramble(text, 86))
        }
        ["password", "0", text] | ["password", text] => format!("password 7 {}", type_seven(text)),
        ["password", "clear", text] => format!("password encrypted {}", type_seven(text)),
        ["key", "0", text] | ["key", text] => format!("key 7 {}", type_seven(text)),
        _ => line.to_owned(),
    }
}

const FAILED: &str = "% Failed to commit one or more configuration items during a pseudo-atomic operation. All changes made have been reverted. Please issue 'show configuration failed [inheritance]' from this session to view the errors";

/// What a candidate must be as a whole: ports that are there, policies and sets that are defined, neighbours that have a
/// number.
fn verify(before: &Config, candidate: &Config) -> Result<(), String> {
    let fail = |line: &str, why: String| Err(format!("{FAILED}\n{line}\n!!% {why}"));
    for node in candidate.roots() {
        if let Some(name) = node.line.strip_prefix("interface ") {
            let parent = name.split('.').next().unwrap_or(name);
            let there = before.block(&["interface", parent]).is_some();
            if !there && !DIALECT.makes(parent) && !name.starts_with("preconfigure ") {
                return fail(&node.line, "Invalid argument: the interface does not exist in this system".to_owned());
            }
        }
        if node.line.starts_with("route-policy ") {
            for set in node.line.lines().filter_map(|line| line.trim().split_once(" in ")?.1.split(' ').next()) {
                if !set.starts_with('(') && !defines(candidate, "-set", set) {
                    return fail(
                        &first_line(node),
                        format!("Could not find entry in list: the set '{set}' is not defined"),
                    );
                }
            }
        }
        if node.line.starts_with("router bgp ") {
            policies(candidate, &node.children).or_else(|(line, name)| {
                fail(&line, format!("Could not find entry in list: the policy '{name}' is not defined"))
            })?;
            for neighbor in node.children.iter().filter(|child| child.line.starts_with("neighbor ")) {
                if neighbor.child_value("remote-as").is_none() && neighbor.child_value("use neighbor-group").is_none() {
                    return fail(
                        &neighbor.line,
                        "Invalid argument: a remote AS must be configured for the neighbor".to_owned(),
                    );
                }
            }
        }
    }
    Ok(())
}

fn first_line(node: &Node) -> String {
    node.line.lines().next().unwrap_or_default().to_owned()
}

/// Whether a policy (`route-policy`) or a set (any `…-set`) of this name is defined.
fn defines(config: &Config, kind: &str, name: &str) -> bool {
    config.roots().iter().any(|node| {
        let mut words = node.line.split_whitespace();
        words.next().is_some_and(|word| word.ends_with(kind)) && words.next() == Some(name)
    })
}

/// The first line that applies a policy which is not defined.
fn policies(config: &Config, lines: &[Node]) -> Result<(), (String, String)> {
    for node in lines {
        let mut words = node.line.split(' ').skip_while(|word| *word != "route-policy").skip(1);
        if let Some(name) = words.next() {
            let name = name.split('(').next().unwrap_or(name);
            if !defines(config, "route-policy", name) {
                return Err((node.line.clone(), name.to_owned()));
            }
        }
        policies(config, &node.children)?;
    }
    Ok(())
}
