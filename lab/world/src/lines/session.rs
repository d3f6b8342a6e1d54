//! Entering lines into a device: how they move through the modes and what they do to the running configuration.
//!
//! As on the device, indentation does not decide anything: a line belongs to the deepest open mode whose parser accepts
//! it, otherwise to one further out, which closes the inner ones. A line that no open mode accepts is rejected with the
//! device's sentence; the lines before and after it still count. Where the operating system stages lines, nothing counts
//! before `commit`, and a refused commit takes back everything since the one before.
//!
//! Where next: [`super::rule`] for what is accepted, [`super::negate`] for `no`, [`super::entries`] for lines that are
//! stored in another form.

use serde::Serialize;

use crate::lines::dialect::Dialect;
use crate::lines::place::{self, position};
use crate::lines::rule::{Kind, NotUnderstood, Rule, Shape, Table, Understood, understand};
use crate::lines::tree::{Config, Node, after, gather};
use crate::lines::{entries, negate};
use crate::os::Os;

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

/// Enters `lines` into `config` in configuration mode. Rejected lines are skipped, the rest is applied in order. Where
/// lines are staged, only those before the last `commit` count.
pub fn merge<'a>(config: &Config, lines: impl IntoIterator<Item = &'a str>) -> Merge {
    enter(config, lines, false)
}

/// As [`merge`], and stops at the first rejected line, as a controller does.
pub fn merge_until_refused<'a>(config: &Config, lines: impl IntoIterator<Item = &'a str>) -> Merge {
    enter(config, lines, true)
}

fn enter<'a>(config: &Config, lines: impl IntoIterator<Item = &'a str>, stops: bool) -> Merge {
    let mut session = Session::new(config.clone());
    let mut outcomes = Vec::new();
    let mut lines = lines.into_iter();
    while let Some(raw) = lines.next() {
        let line = raw.trim();
        if line == "!" && session.dialect.staged {
            // The mark that ends a block leaves every block that is further in than the mark.
            session.levels.truncate(1 + raw.len() - raw.trim_start().len());
        }
        if line.is_empty() || line.starts_with('!') || (config.os() == Os::Asa && line.starts_with(':')) {
            continue;
        }
        let line = gather(config.os(), line, &mut lines);
        let error = session.enter(&line).err();
        let refused = error.is_some();
        outcomes.push(LineOutcome { line, error });
        if refused && stops {
            break;
        }
    }
    let config_after = session.committed.unwrap_or(session.config);
    let changed = config_after != *config;
    Merge { config: config_after, outcomes, changed }
}

/// An open mode and the blocks it stands in (several for a range).
pub(crate) struct Level {
    pub(crate) table: &'static Table,
    pub(crate) paths: Vec<Vec<String>>,
}

/// A terminal in configuration mode.
pub(crate) struct Session {
    pub(crate) dialect: &'static Dialect,
    /// What the lines so far have made.
    pub(crate) config: Config,
    /// What counts, where lines are staged.
    pub(crate) committed: Option<Config>,
    levels: Vec<Level>,
    pub(crate) ended: bool,
}

/// Why a mode did not take a line.
pub(crate) enum Refused {
    /// Another mode may.
    NotHere(NotUnderstood),
    /// The device says this.
    Final(String),
    /// The argument at this byte is wrong, in the words of the device for that.
    At(usize),
}

impl Session {
    fn new(config: Config) -> Self {
        let dialect = Dialect::of(config.os());
        let committed = dialect.staged.then(|| config.clone());
        let mut session = Self { dialect, config, committed, levels: Vec::new(), ended: false };
        session.leave_all();
        session
    }

    /// Leaves every block.
    pub(crate) fn leave_all(&mut self) {
        self.levels = vec![Level { table: self.dialect.global, paths: vec![Vec::new()] }];
    }

    /// Whether a command exists under the features that are on.
    pub(crate) fn exists(&self, rule: &Rule) -> bool {
        rule.needs.is_empty() || self.config.block(&["feature", rule.needs]).is_some()
    }

    /// Enters one line; the error is what the device prints.
    fn enter(&mut self, line: &str) -> Result<(), String> {
        let invalid = self.dialect.invalid;
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
        if self.dialect.shows && (line == "show" || line.starts_with("show ")) {
            return Ok(());
        }
        if self.dialect.staged
            && let Some(done) = self.stage(line)
        {
            return done;
        }
        let (negation, body) = match line.split_once(' ') {
            Some((word @ ("no" | "default"), rest)) => (Some(word), rest.trim_start()),
            _ => (None, line),
        };
        let shift = line.len() - body.len();
        let mut failure: Option<String> = None;
        for depth in (0..self.levels.len()).rev() {
            let Some(level) = self.levels.get(depth) else { continue };
            let (table, paths) = (level.table, level.paths.clone());
            let outcome = match (self.dialect.own)(self, table, &paths, negation.is_some(), body) {
                Some(outcome) => outcome,
                None => match negation {
                    Some(word) => negate::negate(self, table, &paths, body, word == "default").map(|()| None),
                    None => self.insert(table, &paths, body),
                },
            };
            match outcome {
                Ok(opened) => {
                    self.levels.truncate(depth + 1);
                    self.levels.extend(opened);
                    return Ok(());
                }
                Err(Refused::Final(message)) => return Err(message),
                Err(Refused::At(at)) => return Err(invalid(at + shift)),
                // The innermost mode's complaint is the one that the device prints, unless an outer mode knows better.
                Err(Refused::NotHere(NotUnderstood::Incomplete)) => {
                    failure = Some(self.dialect.incomplete.to_owned());
                }
                Err(Refused::NotHere(NotUnderstood::Ambiguous)) => {
                    failure.get_or_insert_with(|| (self.dialect.ambiguous)(line));
                }
                Err(Refused::NotHere(NotUnderstood::Invalid(at))) => {
                    failure.get_or_insert_with(|| invalid(at + shift));
                }
            }
        }
        Err(failure.unwrap_or_else(|| invalid(0)))
    }

    /// The commands of a staged configuration.
    fn stage(&mut self, line: &str) -> Option<Result<(), String>> {
        let mut words = line.split_whitespace();
        match (words.next(), words.next()) {
            (Some("root"), None) => self.leave_all(),
            (Some("abort"), None) => {
                self.ended = true;
                self.config = self.committed.clone()?;
            }
            (Some("clear"), None) => {
                self.leave_all();
                self.config = self.committed.clone()?;
            }
            (Some("commit"), None | Some("label" | "comment")) => {
                let before = self.committed.as_ref()?;
                if let Err(message) = (self.dialect.verify)(before, &self.config) {
                    self.config = before.clone();
                    return Some(Err(message));
                }
                self.committed = Some(self.config.clone());
            }
            _ => return None,
        }
        Some(Ok(()))
    }

    fn insert(&mut self, table: &'static Table, paths: &[Vec<String>], line: &str) -> Result<Option<Level>, Refused> {
        if *table == *self.dialect.global
            && line.starts_with("int")
            && let Some(level) = self.interfaces(line)?
        {
            return Ok(Some(level));
        }
        let numbered = matches!(table.shape, Shape::Numbered(_));
        let (number, body) = if numbered { entries::numbered(line) } else { (None, line) };
        let found = understand(table, body, false, |rule| self.exists(rule)).map_err(Refused::NotHere)?;
        (self.dialect.check)(table, &found, &self.config)?;
        if let Kind::Block(inner) = found.rule.kind {
            return self.open(inner, table, paths, &found).map(Some);
        }
        let line = (self.dialect.stored)(&self.config, &place::printed(&found, body));
        for path in paths {
            let Some(lines) = self.config.lines_at(path) else { continue };
            if let (Shape::Numbered(overwrites), Kind::Many) = (table.shape, found.rule.kind) {
                entries::add_entry(lines, number, &found.line(), overwrites)
                    .map_err(|text| Refused::Final(text.to_owned()))?;
            } else if matches!(found.rule.kind, Kind::Trunk) {
                place::trunk(self.dialect, table, lines, &found).map_err(|list| Refused::Final(bad_vlan(&list)))?;
            } else {
                place::place(self.dialect, table, lines, &found, line.clone());
            }
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
            Some(("range", list)) => entries::interface_range(self.dialect, list),
            _ if typed.contains([',', '-']) && self.dialect.interface_name(typed).is_none() => {
                entries::interface_range(self.dialect, typed)
            }
            _ => self.dialect.interface_name(typed).map(|name| vec![name]),
        };
        let Some(names) = names.filter(|names| !names.is_empty()) else { return Err(Refused::At(at)) };
        let mut paths = Vec::with_capacity(names.len());
        let mut table = self.dialect.global;
        for name in names {
            table = (self.dialect.interface)(&name);
            let header = format!("interface {name}");
            if self.config.block(&[&header]).is_none() {
                let parent = name.split_once('.').map(|(parent, _)| format!("interface {parent}"));
                let known = parent.is_some_and(|parent| self.config.block(&[&parent]).is_some());
                // Where lines are staged, a port that is not there is found out by the commit.
                if !known && !self.dialect.makes(&name) && !self.dialect.staged {
                    return Err(Refused::At(at));
                }
                if let Some(number) = name.strip_prefix("Vlan")
                    && entries::vlan_list(number).is_none()
                {
                    return Err(Refused::At(at));
                }
                place::insert_block(self.dialect, &mut self.config, &header);
            }
            paths.push(vec![header]);
        }
        Ok(Some(Level { table, paths }))
    }

    /// Opens the block of `found` below each path, making it where it is not there.
    pub(crate) fn open(
        &mut self,
        inner: &'static Table,
        table: &'static Table,
        paths: &[Vec<String>],
        found: &Understood<'_>,
    ) -> Result<Level, Refused> {
        let headers: Vec<String> = match inner.shape {
            Shape::Vlan => {
                let list = found.arguments.join("");
                let ids = entries::vlan_list(&list).ok_or_else(|| Refused::Final(bad_vlan(&list)))?;
                // VLAN 1 is always there, and NX-OS prints no block for it.
                let shown = ids.into_iter().filter(|id| *id != 1 || self.dialect.os != Os::NxOs);
                shown.map(|id| format!("vlan {id}")).collect()
            }
            Shape::LineRange => self.line_headers(found),
            _ => vec![found.line()],
        };
        let mut opened = Vec::new();
        for path in paths {
            for header in &headers {
                let Some(lines) = self.config.lines_at(path) else { continue };
                if !lines.iter().any(|node| node.line == *header) {
                    let at = position(self.dialect, table, lines, found.rank, header);
                    lines.insert(at, Node::leaf(header.clone()));
                }
                let mut inside = path.clone();
                inside.push(header.clone());
                opened.push(inside);
            }
        }
        Ok(Level { table: inner, paths: opened })
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
            .filter(|node| after(&node.line, &kind).is_some())
            .filter(|node| bounds(&node.line).is_some_and(|(from, to)| from >= first && to <= last))
            .map(|node| node.line.clone())
            .collect();
        if within.is_empty() { vec![header] } else { within }
    }
}

/// The sentence about a list that is none.
pub(crate) fn bad_vlan(list: &str) -> String {
    format!("Command rejected: Bad VLAN list - character #1 ({}).", list.chars().next().unwrap_or(' '))
}
