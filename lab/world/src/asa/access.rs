//! Access lists of ASA: entries in order without numbers, insertion by `line`, exact removal, `clear configure`, and what is
//! refused because something else uses it.
//!
//! Where next: [`super::dialect`], which asks here first.

use std::net::Ipv4Addr;

use crate::asa::grammar;
use crate::lines::dialect::{Dialect, Own};
use crate::lines::place::position;
use crate::lines::rule::{NotUnderstood, understand};
use crate::lines::session::{Refused, Session};
use crate::lines::tree::{Config, Node, after};

fn say(message: String) -> Own {
    Some(Err(Refused::Final(message)))
}

/// `access-list NAME …` and its negation.
pub(crate) fn entry(session: &mut Session, body: &str, negated: bool) -> Own {
    let words: Vec<&str> = body.split_whitespace().collect();
    let [_, name, rest @ ..] = words.as_slice() else { return Some(Err(Refused::NotHere(NotUnderstood::Incomplete))) };
    let (line, rest) = match rest {
        ["line", number, rest @ ..] => match number.parse::<usize>() {
            Ok(number) if number > 0 => (Some(number), rest),
            _ => return Some(Err(Refused::At(body.find(number).unwrap_or(0)))),
        },
        rest => (None, rest),
    };
    let Some(kind) = rest.first() else { return Some(Err(Refused::NotHere(NotUnderstood::Incomplete))) };
    // Without a kind, an entry is of an extended list.
    let rest: Vec<&str> = match *kind {
        "permit" | "deny" => ["extended"].into_iter().chain(rest.iter().copied()).collect(),
        "extended" | "standard" | "remark" | "webtype" | "ethertype" => rest.to_vec(),
        other => return Some(Err(Refused::At(body.find(other).unwrap_or(0)))),
    };
    if let Err(refused) = check(&session.config, body, &rest) {
        return Some(Err(refused));
    }
    let stored = format!("access-list {name} {}", rest.join(" "));
    let lead = format!("access-list {name}");
    let dialect = session.dialect;
    let config = &mut session.config;
    let lines = config.lines_at(&[])?;
    let own = |node: &Node| after(&node.line, &lead).is_some();
    if negated {
        let Some(at) = lines.iter().position(|node| node.line == stored) else {
            return say("Specified access-list does not exist".to_owned());
        };
        lines.remove(at);
        if !lines.iter().any(own) {
            // A list without entries is not there, and nothing applies it any more.
            let applied = format!("access-group {name}");
            lines.retain(|node| after(&node.line, &applied).is_none());
        }
        return Some(Ok(None));
    }
    if lines.iter().any(|node| node.line == stored) {
        return Some(Ok(None));
    }
    let first = lines.iter().position(own);
    let count = lines.iter().filter(|node| own(node)).count();
    let at = match (first, line) {
        (Some(first), Some(line)) => first + (line - 1).min(count),
        (Some(first), None) => first + count,
        (None, _) => {
            let rank = understand(&grammar::GLOBAL, &stored, false, |_| true).map_or(0, |found| found.rank);
            position(dialect, &grammar::GLOBAL, lines, rank, &stored)
        }
    };
    lines.insert(at, Node::leaf(stored));
    Some(Ok(None))
}

/// What the device reads of an extended or standard entry before it takes it.
fn check(config: &Config, body: &str, words: &[&str]) -> Result<(), Refused> {
    let at = |word: &str| Refused::At(body.rfind(word).unwrap_or(0));
    let least = match words.first().copied() {
        Some("extended") => 4,
        Some("standard") => 3,
        _ => return Ok(()),
    };
    if let Some(action) = words.get(1).filter(|action| !matches!(**action, "permit" | "deny")) {
        return Err(at(action));
    }
    if words.len() < least {
        return Err(Refused::NotHere(NotUnderstood::Incomplete));
    }
    for pair in words.windows(2) {
        let [kind, name] = pair else { continue };
        match *kind {
            "object" if !defines(config, "object", name) => {
                return Err(Refused::Final(format!("ERROR: specified object <{name}> does not exist")));
            }
            "object-group" if !defines(config, "object-group", name) => {
                return Err(Refused::Final(format!("ERROR: specified object group <{name}> not found")));
            }
            "host" if name.parse::<Ipv4Addr>().is_err() => return Err(at(name)),
            _ => {}
        }
    }
    Ok(())
}

fn defines(config: &Config, kind: &str, name: &str) -> bool {
    config.roots().iter().any(|node| {
        let words: Vec<&str> = node.line.split(' ').collect();
        matches!(words.as_slice(), [held, _, known, ..] if *held == kind && *known == name)
    })
}

/// `access-group NAME in interface IF`: the list and the interface are there, and another list in this place goes.
pub(crate) fn group(session: &mut Session, body: &str, negated: bool) -> Own {
    let words: Vec<&str> = body.split_whitespace().collect();
    let (name, place) = match words.as_slice() {
        [_, name, "global"] => (*name, "global".to_owned()),
        [_, name, direction @ ("in" | "out"), "interface", interface] => {
            if !nameifs(&session.config).iter().any(|known| known == interface) {
                return say(format!("ERROR: interface <{interface}> does not exist"));
            }
            (*name, format!("{direction} interface {interface}"))
        }
        [_] | [_, _] | [_, _, _] | [_, _, _, "interface"] => {
            return Some(Err(Refused::NotHere(NotUnderstood::Incomplete)));
        }
        _ => return Some(Err(Refused::At("access-group ".len()))),
    };
    let listed = session.config.has(&format!("access-list {name}"));
    if !listed && !negated {
        return say(format!("ERROR: access-list <{name}> does not exist"));
    }
    let stored = format!("access-group {name} {place}");
    let dialect = session.dialect;
    let lines = session.config.lines_at(&[])?;
    if negated {
        lines.retain(|node| node.line != stored);
        return Some(Ok(None));
    }
    let here = |node: &Node| node.line.starts_with("access-group ") && node.line.ends_with(&format!(" {place}"));
    match lines.iter_mut().find(|node| here(node)) {
        Some(node) => node.line = stored,
        None => {
            let rank = understand(&grammar::GLOBAL, &stored, false, |_| true).map_or(0, |found| found.rank);
            let at = position(dialect, &grammar::GLOBAL, lines, rank, &stored);
            lines.insert(at, Node::leaf(stored));
        }
    }
    Some(Ok(None))
}

/// Names of interfaces.
pub(crate) fn nameifs(config: &Config) -> Vec<String> {
    let blocks = config.roots().iter().filter(|node| node.line.starts_with("interface "));
    blocks.filter_map(|node| node.child_value("nameif")).map(str::to_owned).collect()
}

/// `no object …`, `no object-group …`: not while something uses it.
pub(crate) fn in_use(config: &Config, body: &str) -> Option<String> {
    let words: Vec<&str> = body.split_whitespace().collect();
    let (kind, name) = match words.as_slice() {
        [kind @ ("object" | "object-group"), _, name, ..] => (*kind, *name),
        _ => return None,
    };
    let uses = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        words.windows(2).any(|pair| matches!(pair, [held, known] if *known == name && (*held == kind || *held == "group-object" && kind == "object-group")))
            || kind == "object" && line.starts_with("nat ") && words.contains(&name)
    };
    let header = words.join(" ");
    let used = config.roots().iter().any(|node| {
        node.line != header
            && (!node.line.starts_with(&format!("{kind} ")) && uses(&node.line)
                || node.children.iter().any(|child| uses(&child.line)))
    });
    used.then(|| match kind {
        "object" => format!("ERROR: unable to delete object ({name}). object is being used."),
        _ => format!("ERROR: Removing object-group ({name}) not allowed, it is being used."),
    })
}

/// `clear configure …`: everything that begins with these words goes.
pub(crate) fn clear(session: &mut Session, what: &str) -> Own {
    let what = what.trim();
    if what.is_empty() {
        return Some(Err(Refused::NotHere(NotUnderstood::Incomplete)));
    }
    let known = what == "all"
        || grammar::GLOBAL.rules.iter().any(|rule| after(what, rule.words.split(' ').next().unwrap_or("")).is_some());
    if !known {
        return Some(Err(Refused::At("clear configure ".len())));
    }
    let applied = what.strip_prefix("access-list").map(|name| format!("access-group{name}"));
    let names = session.dialect;
    let lines = session.config.lines_at(&[])?;
    if let Some(port) = what.strip_prefix("interface ").and_then(|typed| names.interface_name(typed)) {
        reset(lines, &format!("interface {port}"));
        return Some(Ok(None));
    }
    lines.retain(|node| {
        let gone = what == "all" || after(&node.line, what).is_some();
        let loose = applied.as_ref().is_some_and(|lead| after(&node.line, lead).is_some());
        // Ports of the hardware cannot be cleared away.
        !(gone || loose) || node.line.starts_with("interface ")
    });
    Some(Ok(None))
}

/// A port as it was unpacked.
fn reset(lines: &mut [Node], header: &str) {
    if let Some(node) = lines.iter_mut().find(|node| node.line == header) {
        node.children = ["shutdown", "no nameif", "no security-level", "no ip address"].map(Node::leaf).into();
    }
}

/// `nameif X`: names are unique, and the name decides the first security level.
pub(crate) fn nameif(session: &mut Session, dialect: &Dialect, path: &[String], name: &str) -> Result<(), Refused> {
    let header = path.first().cloned().unwrap_or_default();
    let holder =
        session.config.roots().iter().find(|node| node.child_value("nameif") == Some(name) && node.line != header);
    if let Some(holder) = holder {
        let port = holder.line.trim_start_matches("interface ");
        return Err(Refused::Final(format!("ERROR: Name \"{name}\" has been assigned to interface {port}")));
    }
    let Some(lines) = session.config.lines_at(path) else { return Ok(()) };
    lines.retain(|node| node.line != "no security-level");
    if !lines.iter().any(|node| node.line.starts_with("security-level ")) {
        let line = format!("security-level {}", if name == "inside" { 100 } else { 0 });
        let rank = understand(&grammar::INTERFACE, &line, false, |_| true).map_or(0, |found| found.rank);
        let at = position(dialect, &grammar::INTERFACE, lines, rank, &line);
        lines.insert(at, Node::leaf(line));
    }
    Ok(())
}

/// `no nameif`: what named the interface goes with its name.
pub(crate) fn no_nameif(session: &mut Session, path: &[String]) {
    let Some(lines) = session.config.lines_at(path) else { return };
    let name = lines.iter().find_map(|node| node.line.strip_prefix("nameif ")).map(str::to_owned);
    let Some(name) = name else { return };
    if let Some(roots) = session.config.lines_at(&[]) {
        roots.retain(|node| {
            let words: Vec<&str> = node.line.split(' ').collect();
            let named = match words.as_slice() {
                ["mtu" | "route" | "monitor-interface", held, ..] => *held == name,
                ["access-group", .., last] => *last == name,
                _ => false,
            };
            !named
        });
    }
}
