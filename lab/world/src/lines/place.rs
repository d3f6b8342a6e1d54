//! Where an understood line is stored among its neighbours, and which of them it replaces.
//!
//! Where next: [`super::negate`], which takes lines away.

use crate::lines::dialect::Dialect;
use crate::lines::entries;
use crate::lines::rule::{Kind, MANY, Table, Understood, understand};
use crate::lines::tree::{Node, after};

/// Stores an understood line; `line` is the form in which the device keeps it.
pub(crate) fn place(
    dialect: &Dialect,
    table: &'static Table,
    lines: &mut Vec<Node>,
    found: &Understood<'_>,
    line: String,
) {
    match found.rule.kind {
        Kind::Address(_) if found.arguments.last() == Some(&"secondary") => {
            beside(dialect, table, lines, found.rank, line)
        }
        Kind::Many => beside(dialect, table, lines, found.rank, line),
        Kind::One(_) | Kind::Address(_) | Kind::Trunk | Kind::Text => {
            let negated = format!("no {}", found.rule.words);
            lines.retain(|node| node.line != negated);
            replace(dialect, table, lines, found.rank, &found.key(), Some(line));
        }
        Kind::Both => {
            let negated = format!("no {line}");
            lines.retain(|node| node.line != negated);
            replace(dialect, table, lines, found.rank, &found.key(), Some(line));
        }
        Kind::DefaultOn => {
            let negated = format!("no {}", found.rule.words);
            lines.retain(|node| node.line != negated);
        }
        Kind::Block(_) => {}
    }
}

/// The line as it would be printed: full words, and the inner spaces of free text.
pub(crate) fn printed(found: &Understood<'_>, body: &str) -> String {
    let free_text =
        found.rule.most == MANY && body.get(..found.rule.words.len()).is_some_and(|lead| lead == found.rule.words);
    if free_text { body.to_owned() } else { found.line() }
}

fn beside(dialect: &Dialect, table: &'static Table, lines: &mut Vec<Node>, rank: usize, line: String) {
    if !lines.iter().any(|node| node.line == line) {
        let at = position(dialect, table, lines, rank, &line);
        lines.insert(at, Node::leaf(line));
    }
}

/// Puts `new` where the line with this key stands, or where it belongs; without `new`, removes it.
pub(crate) fn replace(
    dialect: &Dialect,
    table: &'static Table,
    lines: &mut Vec<Node>,
    rank: usize,
    key: &str,
    new: Option<String>,
) {
    let secondaries = table.rules.get(rank).is_some_and(|rule| matches!(rule.kind, Kind::Address(_)));
    let same = |node: &Node| {
        after(&node.line, key).is_some()
            && understand(table, &node.line, false, |_| true).is_ok_and(|held| held.rank == rank)
            && !(secondaries && node.line.ends_with(" secondary"))
    };
    let Some(line) = new else {
        lines.retain(|node| !same(node));
        return;
    };
    if let Some(node) = lines.iter_mut().find(|node| same(node)) {
        node.line = line;
        return;
    }
    let at = position(dialect, table, lines, rank, &line);
    lines.insert(at, Node::leaf(line));
}

/// Where a new line of this rank belongs: after the last one that the device prints before it.
pub(crate) fn position(dialect: &Dialect, table: &'static Table, lines: &[Node], rank: usize, line: &str) -> usize {
    let order = |text: &str| {
        text.strip_prefix("interface ")
            .map(|name| dialect.interface_order(name))
            .or_else(|| text.strip_prefix("vlan ").map(|id| (0, id.parse().ok().into_iter().collect())))
    };
    let own = order(line);
    let behind = |node: &Node| {
        let stripped = node.line.strip_prefix("no ");
        match understand(table, stripped.unwrap_or(&node.line), stripped.is_some(), |_| true) {
            Ok(held) if held.rank == rank => match (&own, order(&node.line)) {
                (Some(own), Some(held)) => *own >= held,
                _ => true,
            },
            Ok(held) => held.rank < rank,
            // What the tables do not know stays where it is; a new line goes behind the last known one before it.
            Err(_) => false,
        }
    };
    lines.iter().rposition(behind).map_or(0, |at| at + 1)
}

/// Makes a block at the top level, where it is not there.
pub(crate) fn insert_block(dialect: &Dialect, config: &mut crate::lines::Config, header: &str) {
    let rank = understand(dialect.global, header, false, |_| true).map_or(usize::MAX, |found| found.rank);
    if let Some(lines) = config.lines_at(&[])
        && !lines.iter().any(|node| node.line == header)
    {
        let at = position(dialect, dialect.global, lines, rank, header);
        lines.insert(at, Node::leaf(header));
    }
}

/// The VLAN list of a trunk after `typed`; the error is the text that is no list.
pub(crate) fn trunk(
    dialect: &Dialect,
    table: &'static Table,
    lines: &mut Vec<Node>,
    found: &Understood<'_>,
) -> Result<(), String> {
    let held = lines.iter().find_map(|node| after(&node.line, found.rule.words)).map(str::to_owned);
    let list = entries::trunk_vlans(dialect.os, held.as_deref(), &found.arguments.join(" "))
        .ok_or_else(|| found.arguments.last().copied().unwrap_or_default().to_owned())?;
    let new = list.map(|list| format!("{} {list}", found.rule.words));
    replace(dialect, table, lines, found.rank, found.rule.words, new);
    Ok(())
}
