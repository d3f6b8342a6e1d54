//! The way back: lines that lead from one configuration to another, proven on the model before anybody may trust them
//! (rule T21). Next: [`crate::diff`] for what differs, `merge` for what lines do.

mod steps;

use std::fmt;

use crate::config::{Node, write_line};
use crate::rules::{Negation, Table, find, split_negation};
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
    for (at, step) in steps.iter().enumerate() {
        write(&mut out, platform, 0, step);
        if let Some(next) = steps.get(at + 1)
            && !step.children.is_empty()
            && physical::closing_of(platform, &step.text).is_none()
            && would_be_taken(platform, step, next)
        {
            write_line(&mut out, 0, "exit");
        }
    }
    out
}

fn write(out: &mut String, platform: Platform, depth: usize, step: &Node) {
    write_line(out, depth, &step.text);
    for child in &step.children {
        write(out, platform, depth + 1, child);
    }
    match physical::closing_of(platform, &step.text) {
        Some(closing) if !step.text.starts_with("no ") && (depth > 0 || closing.starts_with("end-")) => {
            write_line(out, depth, closing);
        }
        _ if depth > 0 && !step.children.is_empty() && step.children.iter().all(|child| child.text != "quit") => {
            write_line(out, depth, "exit");
        }
        _ => {}
    }
}

/// Whether a section would take the line after it for one of its own.
fn would_be_taken(platform: Platform, section: &Node, next: &Node) -> bool {
    let table = Table::of(platform);
    let words = physical::words(&section.text);
    let own = table.root().and_then(|root| find(root, &words, Negation::None));
    let Some(mode) = own.and_then(|hit| table.opened_by(hit.rule)) else { return false };
    let words = physical::words(&next.text);
    let (negation, body) = split_negation(&words);
    find(mode, body, negation).is_some()
}
