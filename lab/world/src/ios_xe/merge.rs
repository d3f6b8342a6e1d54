//! Entering lines into a device: how they move through the modes and what they do to the running configuration.
//!
//! As on the device, indentation does not decide anything: a line belongs to the deepest open mode whose parser accepts
//! it, otherwise to one further out, which closes the inner ones. A line that no open mode accepts is rejected with the
//! device's sentence; the lines before and after it still count.
//!
//! Where next: [`super::grammar`] for what is accepted, [`super::negate`] for `no`, [`super::entries`] for lines that are
//! stored in another form.

use serde::Serialize;

use crate::ios_xe::entries;
use crate::ios_xe::grammar::{Kind, Mode, NotUnderstood, Understood, understand};
use crate::ios_xe::negate;
use crate::ios_xe::tree::{Config, Node, banner_mark};

/// What became of one entered line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LineOutcome {
    /// The line as entered, without indentation.
    pub line: String,
    /// The device's message when it was rejected.
    pub error: Option<String>,
}

/// What became of a list of lines.
#[derive(Debug, Clone)]
pub struct Merge {
    /// The configuration afterwards.
    pub config: Config,
    /// One entry per line, in order; comments and blank lines have none.
    pub outcomes: Vec<LineOutcome>,
    /// Whether the configuration differs from before.
    pub changed: bool,
}

impl Merge {
    /// The first rejected line.
    pub fn first_error(&self) -> Option<&LineOutcome> {
        self.outcomes.iter().find(|outcome| outcome.error.is_some())
    }
}

/// Enters `lines` into `config` in configuration mode. Rejected lines are skipped, the rest is applied in order.
pub fn merge<'a>(config: &Config, lines: impl IntoIterator<Item = &'a str>) -> Merge {
    let mut session = Session::new(config.clone());
    let mut outcomes = Vec::new();
    let mut lines = lines.into_iter();
    while let Some(raw) = lines.next() {
        let line = raw.trim();
        if line.is_empty() || line.starts_with('!') {
            continue;
        }
        let mut line = line.to_owned();
        if let Some(mark) = banner_mark(&line).map(str::to_owned) {
            while line.matches(&mark).count() < 2 {
                let Some(more) = lines.next() else { break };
                line.push('\n');
                line.push_str(more);
            }
        }
        let error = session.enter(&line).err();
        outcomes.push(LineOutcome { line, error });
    }
    let changed = session.config != *config;
    Merge { config: session.config, outcomes, changed }
}

/// An open mode and the blocks it stands in (several for a range).
pub(super) struct Level {
    pub(super) mode: Mode,
    pub(super) paths: Vec<Vec<String>>,
}

pub(super) struct Session {
    pub(super) config: Config,
    levels: Vec<Level>,
    ended: bool,
}

const INVALID: &str = "% Invalid input detected at '^' marker.";

impl Session {
    fn new(config: Config) -> Self {
        Self { config, levels: vec![Level { mode: Mode::Global, paths: vec![Vec::new()] }], ended: false }
    }

    /// Enters one line; the error is what the device prints.
    fn enter(&mut self, line: &str) -> Result<(), String> {
        if self.ended {
            return Err(invalid(0));
        }
        match line {
            "exit" => {
                if self.levels.len() > 1 {
                    self.levels.pop();
                } else {
                    self.ended = true;
                }
                return Ok(());
            }
            "end" => {
                self.ended = true;
                return Ok(());
            }
            _ => {}
        }
        if let Some(command) = line.strip_prefix("do ") {
            return if command.starts_with("sh") { Ok(()) } else { Err(invalid(3)) };
        }
        let (negated, body, shift) = match line.split_once(' ') {
            Some(("no" | "default", rest)) => (true, rest.trim_start(), line.len() - rest.trim_start().len()),
            _ => (false, line, 0),
        };
        let mut failure: Option<String> = None;
        for depth in (0..self.levels.len()).rev() {
            let Some(level) = self.levels.get(depth) else { continue };
            let (mode, paths) = (level.mode, level.paths.clone());
            let outcome = if negated {
                negate::negate(&mut self.config, mode, &paths, body)
            } else {
                match self.insert(mode, &paths, body) {
                    Ok(opened) => {
                        self.levels.truncate(depth + 1);
                        self.levels.extend(opened);
                        return Ok(());
                    }
                    Err(failure) => Err(failure),
                }
            };
            match outcome {
                Ok(()) => {
                    self.levels.truncate(depth + 1);
                    return Ok(());
                }
                Err(Refused::Final(message)) => return Err(message),
                // The innermost mode's complaint is the one that the device prints, unless an outer mode knows better.
                Err(Refused::NotHere(NotUnderstood::Incomplete)) => {
                    failure = Some("% Incomplete command.".to_owned());
                }
                Err(Refused::NotHere(NotUnderstood::Ambiguous)) => {
                    failure.get_or_insert_with(|| format!("% Ambiguous command:  \"{line}\""));
                }
                Err(Refused::NotHere(NotUnderstood::Invalid(at))) => {
                    failure.get_or_insert_with(|| invalid(at + shift));
                }
            }
        }
        Err(failure.unwrap_or_else(|| invalid(0)))
    }

    fn insert(&mut self, mode: Mode, paths: &[Vec<String>], line: &str) -> Result<Option<Level>, Refused> {
        if mode == Mode::Global
            && line.starts_with("int")
            && let Some(level) = self.interfaces(line)?
        {
            return Ok(Some(level));
        }
        let (number, body) = if mode == Mode::AccessList { entries::numbered(line) } else { (None, line) };
        let found = understand(mode, body, false).map_err(Refused::NotHere)?;
        check(mode, &found)?;
        if let Kind::Block(inner) = found.rule.kind {
            return self.open(inner, mode, paths, &found).map(Some);
        }
        let encrypts = self.config.value("service password-encryption").is_some();
        for path in paths {
            let Some(lines) = self.config.lines_at(path) else { continue };
            if mode == Mode::AccessList {
                entries::add_entry(lines, number, &found.line()).map_err(|text| Refused::Final(text.to_owned()))?;
                continue;
            }
            place(mode, lines, &found, body, encrypts)?;
        }
        Ok(None)
    }

    /// `interface X` and `interface range …`, whose names are written in many ways.
    fn interfaces(&mut self, line: &str) -> Result<Option<Level>, Refused> {
        let Some((word, typed)) = line.split_once(' ') else { return Ok(None) };
        if !"interface".starts_with(word) {
            return Ok(None);
        }
        let typed = typed.trim();
        let at = line.len() - typed.len();
        let names = match typed.split_once(' ') {
            Some(("range", list)) => entries::interface_range(list),
            _ => entries::interface_name(typed).map(|name| vec![name]),
        };
        let Some(names) = names else { return Err(Refused::Final(invalid(at))) };
        let mut paths = Vec::with_capacity(names.len());
        for name in names {
            let header = format!("interface {name}");
            if self.config.block(&[&header]).is_none() {
                let parent = name.split_once('.').map(|(parent, _)| format!("interface {parent}"));
                let known = parent.is_some_and(|parent| self.config.block(&[&parent]).is_some());
                if !known && !entries::is_logical(&name) {
                    return Err(Refused::Final(invalid(at)));
                }
                if let Some(number) = name.strip_prefix("Vlan")
                    && entries::vlan_list(number).is_none()
                {
                    return Err(Refused::Final(invalid(at)));
                }
                insert_block(&mut self.config, &header);
            }
            paths.push(vec![header]);
        }
        Ok(Some(Level { mode: Mode::Interface, paths }))
    }

    fn open(
        &mut self,
        inner: Mode,
        mode: Mode,
        paths: &[Vec<String>],
        found: &Understood<'_>,
    ) -> Result<Level, Refused> {
        let headers: Vec<String> = match inner {
            Mode::Vlan => {
                let list = found.arguments.join("");
                let ids = entries::vlan_list(&list).ok_or_else(|| Refused::Final(bad_vlan(&list)))?;
                ids.into_iter().map(|id| format!("vlan {id}")).collect()
            }
            Mode::Line => self.line_headers(found),
            _ => vec![found.line()],
        };
        let mut opened = Vec::new();
        for path in paths {
            for header in &headers {
                let Some(lines) = self.config.lines_at(path) else { continue };
                if !lines.iter().any(|node| node.line == *header) {
                    let at = position(mode, lines, found.rank, header);
                    lines.insert(at, Node::leaf(header.clone()));
                }
                let mut inside = path.clone();
                inside.push(header.clone());
                opened.push(inside);
            }
        }
        Ok(Level { mode: inner, paths: opened })
    }

    /// `line vty 0 15` enters every block that lies within the range; a range that is not there is made.
    fn line_headers(&self, found: &Understood<'_>) -> Vec<String> {
        let header = found.line();
        let bounds = |line: &str| {
            let mut numbers = line.split(' ').filter_map(|word| word.parse::<u32>().ok());
            numbers.next().map(|first| (first, numbers.next().unwrap_or(first)))
        };
        let kind: String = header.split(' ').take(2).collect::<Vec<_>>().join(" ");
        let Some((first, last)) = bounds(&header) else { return vec![header] };
        let within: Vec<String> = self
            .config
            .roots()
            .iter()
            .filter(|node| node.line.starts_with(&kind))
            .filter(|node| bounds(&node.line).is_some_and(|(from, to)| from >= first && to <= last))
            .map(|node| node.line.clone())
            .collect();
        if within.is_empty() { vec![header] } else { within }
    }
}

/// Why a mode did not take a line.
pub(super) enum Refused {
    /// Another mode may.
    NotHere(NotUnderstood),
    /// The device says this.
    Final(String),
}

/// The marker line and the sentence of the device.
pub(super) fn invalid(at: usize) -> String {
    format!("{}^\n{INVALID}", " ".repeat(at))
}

fn bad_vlan(list: &str) -> String {
    format!("Command rejected: Bad VLAN list - character #1 ({}).", list.chars().next().unwrap_or(' '))
}

/// Refuses arguments that the device checks while it reads.
fn check(mode: Mode, found: &Understood<'_>) -> Result<(), Refused> {
    let first = found.arguments.first().copied().unwrap_or_default();
    let bad = match (mode, found.rule.words) {
        (Mode::Interface, "switchport access vlan" | "switchport voice vlan" | "switchport trunk native vlan") => {
            !matches!(first, "dot1p" | "none" | "untagged")
                && first.parse::<u16>().map_or(true, |id| id == 0 || id > 4094)
        }
        (Mode::Interface, "switchport mode") => !matches!(first, "access" | "trunk" | "dynamic"),
        (Mode::Interface, "ip address") => {
            let mask = found.arguments.get(1).copied().unwrap_or_default();
            first != "dhcp"
                && (first.parse::<std::net::Ipv4Addr>().is_err() || mask.parse::<std::net::Ipv4Addr>().is_err())
        }
        (Mode::Interface, "mtu") => first.parse::<u32>().map_or(true, |mtu| !(64..=9216).contains(&mtu)),
        (Mode::Global, "hostname") => !first.starts_with(|c: char| c.is_ascii_alphabetic()) || first.len() > 63,
        (Mode::Global, "ip default-gateway") => first.parse::<std::net::Ipv4Addr>().is_err(),
        (Mode::Global, "ip route") => first != "vrf" && first.parse::<std::net::Ipv4Addr>().is_err(),
        _ => false,
    };
    if bad { Err(Refused::Final(invalid(found.rule.words.len() + 1))) } else { Ok(()) }
}

/// Stores an understood line among its neighbours.
fn place(mode: Mode, lines: &mut Vec<Node>, found: &Understood<'_>, body: &str, encrypts: bool) -> Result<(), Refused> {
    // Free text keeps its inner spaces, which the words have lost.
    let free_text = found.rule.most == super::grammar::MANY
        && body.get(..found.rule.words.len()).is_some_and(|lead| lead == found.rule.words);
    let line = if free_text { body.to_owned() } else { found.line() };
    let line = entries::stored_secret(&line, encrypts);
    if found.rule.words == "switchport trunk allowed vlan" {
        let held = lines.iter().find_map(|node| super::tree::after(&node.line, found.rule.words)).map(str::to_owned);
        let list = entries::trunk_vlans(held.as_deref(), &found.arguments.join(" "))
            .ok_or_else(|| Refused::Final(bad_vlan(found.arguments.first().copied().unwrap_or_default())))?;
        let new = list.map(|list| format!("{} {list}", found.rule.words));
        replace(mode, lines, found.rank, found.rule.words, new);
        return Ok(());
    }
    match found.rule.kind {
        Kind::One(_) if found.rule.words == "ip address" && found.arguments.last() == Some(&"secondary") => {
            if !lines.iter().any(|node| node.line == line) {
                let at = position(mode, lines, found.rank, &line);
                lines.insert(at, Node::leaf(line));
            }
        }
        Kind::One(_) => {
            let negated = format!("no {}", found.rule.words);
            lines.retain(|node| node.line != negated);
            replace(mode, lines, found.rank, &found.key(), Some(line));
        }
        Kind::Many => {
            if !lines.iter().any(|node| node.line == line) {
                let at = position(mode, lines, found.rank, &line);
                lines.insert(at, Node::leaf(line));
            }
        }
        Kind::Both => {
            let negated = format!("no {line}");
            lines.retain(|node| node.line != negated);
            replace(mode, lines, found.rank, &found.key(), Some(line));
        }
        Kind::DefaultOn => {
            let negated = format!("no {}", found.rule.words);
            lines.retain(|node| node.line != negated);
        }
        Kind::Block(_) => {}
    }
    Ok(())
}

/// Puts `new` where the line with this key stands, or where it belongs; without `new`, removes it.
pub(super) fn replace(mode: Mode, lines: &mut Vec<Node>, rank: usize, key: &str, new: Option<String>) {
    let same = |node: &Node| {
        super::tree::after(&node.line, key).is_some()
            && understand(mode, &node.line, false).is_ok_and(|held| held.rank == rank)
            && !(key == "ip address" && node.line.ends_with(" secondary"))
    };
    let Some(line) = new else {
        lines.retain(|node| !same(node));
        return;
    };
    if let Some(node) = lines.iter_mut().find(|node| same(node)) {
        node.line = line;
        return;
    }
    let at = position(mode, lines, rank, &line);
    lines.insert(at, Node::leaf(line));
}

/// Where a new line of this rank belongs: after the last one that the device prints before it.
pub(super) fn position(mode: Mode, lines: &[Node], rank: usize, line: &str) -> usize {
    let order = |text: &str| {
        text.strip_prefix("interface ")
            .map(entries::interface_order)
            .or_else(|| text.strip_prefix("vlan ").map(|id| (0, id.parse().ok().into_iter().collect())))
    };
    let own = order(line);
    let after = |node: &Node| {
        let text = node.line.strip_prefix("no ").unwrap_or(&node.line);
        match understand(mode, text, false) {
            Ok(held) if held.rank == rank => match (&own, order(&node.line)) {
                (Some(own), Some(held)) => *own >= held,
                _ => true,
            },
            Ok(held) => held.rank < rank,
            // What the tables do not know stays where it is; a new line goes behind the last known one before it.
            Err(_) => false,
        }
    };
    lines.iter().rposition(after).map_or(0, |at| at + 1)
}

fn insert_block(config: &mut Config, header: &str) {
    let rank = understand(Mode::Global, header, false).map_or(usize::MAX, |found| found.rank);
    if let Some(lines) = config.lines_at(&[]) {
        let at = position(Mode::Global, lines, rank, header);
        lines.insert(at, Node::leaf(header));
    }
}
