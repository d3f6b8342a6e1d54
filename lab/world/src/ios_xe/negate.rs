//! `no …` and `default …`: what a negated line removes, and when its negation is itself printed.
//!
//! Where next: [`super::merge`], which calls this per mode.

use crate::ios_xe::entries;
use crate::ios_xe::grammar::{Kind, Mode, NotUnderstood, rules, understand};
use crate::ios_xe::merge::{Refused, invalid, replace};
use crate::ios_xe::tree::{Config, Node, after};

/// Applies `no <body>` in `mode` to the blocks at `paths`. Removing what is not there is accepted in silence, as on the
/// device.
pub(super) fn negate(config: &mut Config, mode: Mode, paths: &[Vec<String>], body: &str) -> Result<(), Refused> {
    if mode == Mode::Global
        && let Some((word, name)) = body.split_once(' ')
        && word.len() >= 3
        && "interface".starts_with(word)
    {
        return no_interface(config, name);
    }
    if mode == Mode::AccessList {
        return no_entry(config, paths, body);
    }
    let found = match understand(mode, body, true) {
        Ok(found) => found,
        Err(reason) => return no_prefix(config, mode, paths, body, reason),
    };
    if mode == Mode::Global && found.rule.words == "vlan" && found.arguments == ["1"] {
        return Err(Refused::Final("%Default VLAN 1 may not be deleted.".to_owned()));
    }
    if mode == Mode::Global && found.rule.words == "hostname" {
        if let Some(lines) = config.lines_at(&[]) {
            replace(mode, lines, found.rank, "hostname", Some("hostname Switch".to_owned()));
        }
        return Ok(());
    }
    let typed = found.line();
    for path in paths {
        let Some(lines) = config.lines_at(path) else { continue };
        match found.rule.kind {
            Kind::DefaultOn | Kind::Both => {
                let negated = format!("no {typed}");
                lines.retain(|node| node.line != typed);
                if !lines.iter().any(|node| node.line == negated) {
                    let at = super::merge::position(mode, lines, found.rank, &typed);
                    lines.insert(at, Node::leaf(negated));
                }
                if found.rule.words == "switchport" {
                    lines.retain(|node| after(&node.line, "switchport").is_none());
                }
            }
            Kind::One(_) if found.rule.words == "switchport trunk allowed vlan" => {
                replace(mode, lines, found.rank, found.rule.words, None);
            }
            Kind::One(_) if found.rule.words == "ip address" => {
                if found.arguments.is_empty() {
                    lines.retain(|node| after(&node.line, "ip address").is_none());
                } else {
                    lines.retain(|node| node.line != typed);
                }
                if !lines.iter().any(|node| after(&node.line, "ip address").is_some() || node.line == "no ip address") {
                    let at = super::merge::position(mode, lines, found.rank, "ip address");
                    lines.insert(at, Node::leaf("no ip address"));
                }
            }
            Kind::One(_) => replace(mode, lines, found.rank, &found.key(), None),
            Kind::Many => lines.retain(|node| after(&node.line, &typed).is_none()),
            Kind::Block(Mode::Vlan) => {
                let Some(ids) = entries::vlan_list(&found.arguments.join("")) else {
                    return Err(Refused::Final(invalid(8)));
                };
                lines.retain(|node| {
                    node.line.strip_prefix("vlan ").and_then(|id| id.parse().ok()).is_none_or(|id| !ids.contains(&id))
                });
            }
            Kind::Block(_) => lines.retain(|node| after(&node.line, &typed).is_none()),
        }
    }
    Ok(())
}

fn no_interface(config: &mut Config, name: &str) -> Result<(), Refused> {
    let Some(name) = entries::interface_name(name) else { return Err(Refused::Final(invalid(13))) };
    if !entries::is_logical(&name) && !name.contains('.') {
        return Err(Refused::Final("% Removal of physical interfaces is not permitted".to_owned()));
    }
    let header = format!("interface {name}");
    if let Some(lines) = config.lines_at(&[]) {
        lines.retain(|node| node.line != header);
    }
    Ok(())
}

fn no_entry(config: &mut Config, paths: &[Vec<String>], body: &str) -> Result<(), Refused> {
    let number: Option<u32> = body.parse().ok();
    let (typed, entry) = entries::numbered(body);
    let entry = match number {
        Some(_) => String::new(),
        None => understand(Mode::AccessList, entry, true).map_err(Refused::NotHere)?.line(),
    };
    for path in paths {
        let Some(lines) = config.lines_at(path) else { continue };
        lines.retain(|node| {
            let (held, text) = entries::numbered(&node.line);
            match number.or(typed) {
                Some(number) => held != Some(number),
                None => text != entry,
            }
        });
    }
    Ok(())
}

/// `no logging`, `no switchport trunk`: fewer words than any rule has remove everything below them.
fn no_prefix(
    config: &mut Config,
    mode: Mode,
    paths: &[Vec<String>],
    body: &str,
    reason: NotUnderstood,
) -> Result<(), Refused> {
    let lead = format!("{body} ");
    if !rules(mode).iter().any(|rule| rule.words.starts_with(&lead)) {
        return Err(Refused::NotHere(match reason {
            NotUnderstood::Incomplete => NotUnderstood::Invalid(0),
            other => other,
        }));
    }
    for path in paths {
        if let Some(lines) = config.lines_at(path) {
            lines.retain(|node| after(&node.line, body).is_none());
        }
    }
    Ok(())
}
