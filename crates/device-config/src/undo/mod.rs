//! The way back: lines that lead from one configuration to another, proven on the model before anybody may trust them
//! (rule T21). Next: [`crate::diff`] for what differs, `merge` for what lines do.

mod steps;

use std::fmt;

use crate::config::{Node, write_line};
use crate::rules::{Mode, Negation, Table, find, split_negation};
use crate::{Config, Diff, Lines, MASK, Merged, Platform, Unmodelled, diff, physical};

/// The way back from a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undo {
    /// Lines that lead back. Entered into the predicted configuration they give the one before, on the model.
    Generated(Lines),
    /// There are none.
    None(NoUndo),
}

/// Why there is no way back by lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoUndo {
    /// Lines of the change are not modelled, so that nobody knows what is to be taken back; or lines that would take it back
    /// are not.
    Unmodelled(Vec<Unmodelled>),
    /// A section came that the device does not let go: its line.
    SectionStays(String),
    /// A value has to be entered that was hidden where it was read: its line, without the value.
    SecretUnseen(String),
    /// The lines that were found do not lead back: what would be left.
    NotRestored(Box<Diff>),
}

impl NoUndo {
    /// A stable name, in snake case.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Unmodelled(_) => "unmodelled",
            Self::SectionStays(_) => "section_stays",
            Self::SecretUnseen(_) => "secret_unseen",
            Self::NotRestored(_) => "not_restored",
        }
    }
}

impl fmt::Display for NoUndo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unmodelled(lines) => {
                let first = lines.first().map(ToString::to_string).unwrap_or_default();
                write!(
                    f,
                    "{} of the lines are not modelled, so their effect cannot be taken back for sure. {first}",
                    lines.len()
                )
            }
            Self::SectionStays(section) => write!(f, "The device does not remove `{section}` once it is there."),
            Self::SecretUnseen(line) => {
                write!(
                    f,
                    "`{line}` would have to be entered with a value that was hidden where the configuration was read."
                )
            }
            Self::NotRestored(left) => {
                let (gone, new) = left.counts();
                write!(f, "The lines that take the change back leave {} lines that differ.", gone + new)
            }
        }
    }
}

/// The way back from a merge, proven: entering the lines into [`Merged::after`] gives `before`.
pub fn undo(before: &Config, merged: &Merged) -> Undo {
    if merged.unmodelled.is_empty() {
        lines_between(&merged.after, before)
    } else {
        Undo::None(NoUndo::Unmodelled(merged.unmodelled.clone()))
    }
}

/// Lines that lead from one configuration to another, proven on the model.
pub fn lines_between(from: &Config, to: &Config) -> Undo {
    /// Some lines take others with them (`vrf forwarding` takes the addresses), which must then be entered again.
    const ROUNDS: usize = 3;
    let mut text = String::new();
    let mut reached = from.clone();
    for _ in 0..ROUNDS {
        let steps = match steps::between(&reached, to) {
            Ok(steps) => steps,
            Err(reason) => return Undo::None(reason),
        };
        if let Some(line) = unseen(&steps) {
            return Undo::None(NoUndo::SecretUnseen(line));
        }
        text.push_str(&written(from.platform(), &steps));
        let merged = from.merge(&Lines::new(text.as_str()));
        if !merged.unmodelled.is_empty() {
            return Undo::None(NoUndo::Unmodelled(merged.unmodelled));
        }
        if diff(&merged.after, to).is_empty() {
            return Undo::Generated(Lines::new(text));
        }
        reached = merged.after;
    }
    Undo::None(NoUndo::NotRestored(Box::new(diff(&reached, to))))
}

/// The first line that would enter what stands in place of a secret, up to there.
fn unseen(steps: &[Node]) -> Option<String> {
    let hidden = |word: &&str| {
        *word == MASK || matches!(*word, "<removed>" | "<hidden>") || word.len() >= 5 && word.chars().all(|c| c == '*')
    };
    steps.iter().find_map(|step| {
        let words = physical::words(&step.text);
        let prose = matches!(words.as_slice(), ["no" | "banner" | "description" | "remark", ..] | [_, "remark", ..]);
        if !prose && words.iter().any(hidden) {
            let kept: Vec<&str> = words.iter().copied().take_while(|word| !hidden(word)).collect();
            return Some(kept.join(" "));
        }
        unseen(&step.children)
    })
}

/// Lines as they are sent: indented, each inner section closed, so that the device reads them in no other way.
fn written(platform: Platform, steps: &[Node]) -> String {
    let mut out = String::new();
    let root = Table::of(platform).root();
    for (at, step) in steps.iter().enumerate() {
        let opened = opened(platform, root, step);
        write(&mut out, platform, root, 0, step);
        let taken = |next: &Node| opened.is_some_and(|mode| !mode.raw && knows(mode, &next.text));
        if physical::closing_of(platform, &step.text).is_none() && steps.get(at + 1).is_some_and(taken) {
            write_line(&mut out, 0, "exit");
        }
    }
    out
}

fn write(out: &mut String, platform: Platform, mode: Option<&'static Mode>, depth: usize, step: &Node) {
    write_line(out, depth, &step.text);
    if mode.is_some_and(|mode| mode.raw) {
        return step.children.iter().for_each(|child| write(out, platform, mode, depth + 1, child));
    }
    let Some(inner) = opened(platform, mode, step) else { return };
    step.children.iter().for_each(|child| write(out, platform, Some(inner), depth + 1, child));
    match physical::closing_of(platform, &step.text) {
        Some(closing) => write_line(out, depth, closing),
        // A certificate ends with a line of its own.
        None if depth > 0 && !step.children.iter().any(|child| child.text == "quit") => write_line(out, depth, "exit"),
        None => {}
    }
}

/// The mode that a line opens.
fn opened(platform: Platform, mode: Option<&'static Mode>, step: &Node) -> Option<&'static Mode> {
    let words = physical::words(&step.text);
    let hit = find(mode?, &words, Negation::None)?;
    Table::of(platform).opened_by(hit.rule)
}

fn knows(mode: &'static Mode, text: &str) -> bool {
    let words = physical::words(text);
    let (negation, body) = split_negation(&words);
    find(mode, body, negation).is_some()
}
