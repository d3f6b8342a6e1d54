//! A tree of commands, and what a line means in it: as a device does it, a word stands for the one keyword that it
//! abbreviates. The trees are text, one pattern a line (`trees/`). Next: [`super::exec`] and [`super::config`], which ask.

use std::borrow::Cow;

use super::Class;

/// What a line, or a part of it, was found to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) class: Class,
    pub(super) reason: Cow<'static, str>,
    /// How many keywords of the tree the line has: the more, the surer that it was meant.
    pub(super) depth: usize,
    /// Whether it is a command of the prompt, where a configuration line was expected.
    pub(super) command: bool,
}

impl Verdict {
    pub(super) fn new(class: Class, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { class, reason: reason.into(), depth: 0, command: false }
    }

    /// The same, as a command of the prompt.
    pub(super) fn into_command(self) -> Self {
        Self { command: true, ..self }
    }

    pub(super) fn disruptive(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Class::Disruptive, reason)
    }

    /// The worse of two; the first where they are alike. What is a command in one of them is a command.
    pub(super) fn or_worse(self, other: Self) -> Self {
        let command = self.command || other.command;
        let worse = if other.class > self.class { other } else { self };
        Self { command, ..worse }
    }

    /// The same, but of this class at least.
    pub(super) fn at_least(self, class: Class, reason: &'static str) -> Self {
        self.or_worse(Self::new(class, reason))
    }
}

/// Commands of one prompt.
pub(super) struct Tree {
    root: Node,
    /// What a first word means that abbreviates several commands, or none.
    strict: bool,
}

#[derive(Default)]
struct Node {
    children: Vec<(&'static str, Node)>,
    /// Class and reason of what stands here and of whatever follows.
    own: Option<(Class, &'static str)>,
}

impl Tree {
    /// Reads a tree. `strict`: a first word that is no command, or abbreviates several, is disruptive; otherwise a
    /// line of an unlisted first word is `otherwise`.
    pub(super) fn read(text: &'static str, otherwise: Option<(Class, &'static str)>) -> Self {
        let mut root = Node { children: Vec::new(), own: otherwise };
        for line in text.lines() {
            if let Some(row) = Row::read(line) {
                root.insert(&row.words, row.class, row.reason);
                if row.negated_too {
                    let words: Vec<_> = std::iter::once("no").chain(row.words).collect();
                    root.insert(&words, row.class, row.reason);
                }
            }
        }
        Self { root, strict: otherwise.is_none() }
    }

    /// What these words mean.
    pub(super) fn judge(&self, words: &[&str]) -> Verdict {
        let Some(first) = words.first() else { return Verdict::new(Class::Read, "nothing to run") };
        if self.strict {
            let fitting = self.root.fitting(&first.to_ascii_lowercase());
            match fitting.as_slice() {
                // Which one it is depends on the release and on what the device has.
                [_] if first.len() == 1 => {
                    return Verdict::disruptive(format!("`{}` may stand for several commands", shown(first)));
                }
                [] => return Verdict::disruptive(format!("`{}` is no known command", shown(first))),
                [_] => {}
                [some @ .., last] => {
                    let some: Vec<_> = some.iter().map(|(name, _)| *name).collect();
                    let reason = format!("`{}` is ambiguous: {} or {}", shown(first), some.join(", "), last.0);
                    return Verdict::disruptive(reason);
                }
            }
        }
        self.root.judge(words, None, 0)
    }

    /// The only command that a first word may be.
    pub(super) fn command(&self, word: &str) -> Option<&'static str> {
        match self.root.fitting(&word.to_ascii_lowercase()).as_slice() {
            [(name, _)] => Some(name),
            _ => None,
        }
    }
}

/// A word of a caller inside a reason: short and printable.
pub(super) fn shown(word: &str) -> String {
    word.chars().take(24).flat_map(char::escape_default).collect()
}

impl Node {
    fn insert(&mut self, words: &[&'static str], class: Class, reason: &'static str) {
        let Some((first, rest)) = words.split_first() else {
            self.own = Some((class, reason));
            return;
        };
        let at = match self.children.iter().position(|(name, _)| name == first) {
            Some(at) => at,
            None => {
                self.children.push((first, Self::default()));
                self.children.len() - 1
            }
        };
        if let Some((_, child)) = self.children.get_mut(at) {
            child.insert(rest, class, reason);
        }
    }

    /// The children that a word may stand for: the one it spells out, else all it abbreviates, else any word's.
    fn fitting(&self, word: &str) -> Vec<&(&'static str, Self)> {
        let exact = |(name, _): &&(&'static str, Self)| {
            *name == word || name.strip_suffix('*').is_some_and(|start| !start.is_empty() && word.starts_with(start))
        };
        if let Some(child) = self.children.iter().find(exact) {
            return vec![child];
        }
        let named = |name: &str| name != "*" && name != "$";
        let begun: Vec<_> = self
            .children
            .iter()
            .filter(|(name, _)| named(name) && !word.is_empty() && name.starts_with(word))
            .collect();
        let any = self.children.iter().filter(|(name, _)| *name == "*");
        match begun.len() {
            0 => any.collect(),
            1 => begun,
            _ => begun.into_iter().chain(any).collect(),
        }
    }

    fn judge(&self, words: &[&str], above: Option<(Class, &'static str)>, depth: usize) -> Verdict {
        let own = self.own.or(above);
        let here = || match own {
            Some((class, reason)) => Verdict { depth, ..Verdict::new(class, reason) },
            None => Verdict { depth, ..Verdict::disruptive("the command is not complete") },
        };
        let Some((word, rest)) = words.split_first() else {
            let end = self.children.iter().find(|(name, _)| *name == "$").and_then(|(_, end)| end.own);
            return end.map_or_else(here, |(class, reason)| Verdict { depth, ..Verdict::new(class, reason) });
        };
        let lower = word.to_ascii_lowercase();
        let fitting = self.fitting(&lower);
        // `/force`, `/noconfirm`: an option stands before the words that decide.
        if lower.starts_with('/') && fitting.iter().all(|(name, _)| *name == "*") && !self.children.is_empty() {
            return self.judge(rest, above, depth);
        }
        let meanings = fitting.iter().map(|(name, child)| child.judge(rest, own, depth + usize::from(*name != "*")));
        meanings.reduce(Verdict::or_worse).unwrap_or_else(here)
    }
}

/// A line of a tree's text.
struct Row {
    negated_too: bool,
    class: Class,
    words: Vec<&'static str>,
    reason: &'static str,
}

impl Row {
    fn read(line: &'static str) -> Option<Self> {
        let (pattern, reason) = line.split_once(" | ")?;
        let (negated_too, pattern) = pattern.strip_prefix('~').map_or((false, pattern), |rest| (true, rest));
        let mut words = pattern.split_whitespace();
        let class = words.next()?.parse().ok()?;
        Some(Self { negated_too, class, words: words.collect(), reason })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{config, exec};
    use super::Row;
    use crate::Platform;

    #[test]
    fn every_line_of_every_tree_is_a_comment_or_a_pattern_that_stands_once() {
        for platform in Platform::ALL {
            for text in [exec::text(platform), config::text(platform)] {
                let mut seen = std::collections::BTreeSet::new();
                for line in text.lines().filter(|line| !line.starts_with('#')) {
                    let row = Row::read(line).unwrap_or_else(|| panic!("{platform}: {line}"));
                    assert!(!row.words.is_empty() && !row.reason.is_empty(), "{platform}: {line}");
                    let lower = row.words.iter().all(|word| *word == word.to_ascii_lowercase());
                    assert!(lower, "{platform}: {line}");
                    assert!(seen.insert(row.words.clone()), "{platform}: {line} stands twice");
                }
            }
        }
    }
}
