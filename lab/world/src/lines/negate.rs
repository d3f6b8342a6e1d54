//! `no …` and `default …`: what a negated line removes, and when its negation is itself printed.
//!
//! Where next: [`super::session`], which calls this per mode.

use crate::lines::entries;
use crate::lines::place::{position, replace};
use crate::lines::rule::{Kind, NotUnderstood, Shape, Table, Understood, understand};
use crate::lines::session::{Refused, Session};
use crate::lines::tree::{Node, after};

/// Applies `no <body>` in a mode to the blocks at `paths`. Removing what is not there is accepted in silence, as on the
/// device.
pub(crate) fn negate(
    session: &mut Session,
    table: &'static Table,
    paths: &[Vec<String>],
    body: &str,
    to_default: bool,
) -> Result<(), Refused> {
    let dialect = session.dialect;
    if *table == *dialect.global
        && let Some((word, name)) = body.split_once(' ')
        && word.len() >= 3
        && "interface".starts_with(word)
    {
        return no_interface(session, name.trim(), to_default);
    }
    let is_entry = |found: Understood<'_>| matches!(found.rule.kind, Kind::Many);
    if matches!(table.shape, Shape::Numbered(_))
        && (body.starts_with(|c: char| c.is_ascii_digit())
            || understand(table, body, true, |_| true).is_ok_and(is_entry))
    {
        return no_entry(session, table, paths, body);
    }
    let found = match understand(table, body, true, |rule| session.exists(rule)) {
        Ok(found) => found,
        Err(reason) => return no_prefix(session, table, paths, body, reason),
    };
    let typed = found.line();
    for path in paths {
        let Some(lines) = session.config.lines_at(path) else { continue };
        match found.rule.kind {
            Kind::DefaultOn | Kind::Both => {
                let negated = format!("no {typed}");
                lines.retain(|node| node.line != typed && !(to_default && node.line == negated));
                if !to_default && !lines.iter().any(|node| node.line == negated) {
                    let at = position(dialect, table, lines, found.rank, &typed);
                    lines.insert(at, Node::leaf(negated));
                }
                if found.rule.words == "switchport" {
                    lines.retain(|node| after(&node.line, "switchport").is_none());
                }
            }
            Kind::Trunk => replace(dialect, table, lines, found.rank, found.rule.words, None),
            Kind::Address(shown) => {
                let words = found.rule.words;
                if found.arguments.is_empty() {
                    lines.retain(|node| after(&node.line, words).is_none());
                } else {
                    lines.retain(|node| node.line != typed);
                }
                let negated = format!("no {words}");
                if shown && !lines.iter().any(|node| after(&node.line, words).is_some() || node.line == negated) {
                    let at = position(dialect, table, lines, found.rank, words);
                    lines.insert(at, Node::leaf(negated));
                }
            }
            Kind::One(_) | Kind::Text => replace(dialect, table, lines, found.rank, &found.key(), None),
            Kind::Many => lines.retain(|node| after(&node.line, &typed).is_none()),
            Kind::Block(inner) if inner.shape == Shape::Vlan => {
                let Some(ids) = entries::vlan_list(&found.arguments.join("")) else {
                    return Err(Refused::At(found.rule.words.len() + 1));
                };
                lines.retain(|node| {
                    let id = node.line.strip_prefix("vlan ");
                    id.and_then(|id| id.parse().ok()).is_none_or(|id| !ids.contains(&id))
                });
            }
            Kind::Block(_) => lines.retain(|node| after(&node.line, &typed).is_none()),
        }
    }
    Ok(())
}

/// `no interface X` and `default interface X`.
fn no_interface(session: &mut Session, typed: &str, to_default: bool) -> Result<(), Refused> {
    let dialect = session.dialect;
    let names = dialect
        .interface_name(typed)
        .map(|name| vec![name])
        .or_else(|| entries::interface_range(dialect, typed.trim_start_matches("range ")));
    let Some(names) = names else { return Err(Refused::At("interface ".len())) };
    for name in names {
        let header = format!("interface {name}");
        let made = dialect.makes(&name) || name.contains('.');
        if !made && !to_default && !dialect.staged {
            return Err(Refused::Final("% Removal of physical interfaces is not permitted".to_owned()));
        }
        let Some(lines) = session.config.lines_at(&[]) else { continue };
        if made && !to_default {
            lines.retain(|node| node.line != header);
        } else if let Some(node) = lines.iter_mut().find(|node| node.line == header) {
            // A port of the hardware goes back to what it was when it was unpacked.
            node.children = if dialect.staged { vec![Node::leaf("shutdown")] } else { Vec::new() };
        } else if to_default {
            return Err(Refused::At("interface ".len()));
        }
    }
    Ok(())
}

fn no_entry(session: &mut Session, table: &'static Table, paths: &[Vec<String>], body: &str) -> Result<(), Refused> {
    let number: Option<u32> = body.parse().ok();
    let (typed, entry) = entries::numbered(body);
    let entry = match number {
        Some(_) => String::new(),
        None => understand(table, entry, true, |_| true).map_err(Refused::NotHere)?.line(),
    };
    for path in paths {
        let Some(lines) = session.config.lines_at(path) else { continue };
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
    session: &mut Session,
    table: &'static Table,
    paths: &[Vec<String>],
    body: &str,
    reason: NotUnderstood,
) -> Result<(), Refused> {
    let lead = format!("{body} ");
    if !table.rules.iter().any(|rule| rule.words.starts_with(&lead)) {
        return Err(Refused::NotHere(match reason {
            NotUnderstood::Incomplete => NotUnderstood::Invalid(0),
            other => other,
        }));
    }
    for path in paths {
        if let Some(lines) = session.config.lines_at(path) {
            lines.retain(|node| after(&node.line, body).is_none());
        }
    }
    Ok(())
}
