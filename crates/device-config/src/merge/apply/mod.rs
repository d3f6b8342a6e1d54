//! What a line does among the lines of its section, by the kind of its row. Next: [`super::stream`] says which section,
//! [`lists`] what an entry of a list does.

mod lists;

use super::Why;
use crate::config::Node;
use crate::physical::{first_line, words};
use crate::rules::{Hit, Keyed, Kind, Mode, Negation, keyed};
use crate::vlans::{self, Vlans};

/// What became of a line.
#[derive(Debug, Default)]
pub(super) struct Effect {
    /// Sections that the line opened, by their places: the lines that follow go there.
    pub(super) opened: Option<usize>,
    pub(super) doubt: Option<Why>,
}

impl Effect {
    fn doubt(why: Why) -> Self {
        Self { opened: None, doubt: Some(why) }
    }
}

/// A line on its way into a section.
pub(super) struct Entered<'a> {
    pub(super) negation: Negation,
    pub(super) hit: Option<&'a Hit<'a>>,
    /// The line in full, with its `no`.
    pub(super) text: String,
    /// The line in full, without `no` or `default`.
    pub(super) body: String,
    /// It names an interface that cannot be removed.
    pub(super) stays: bool,
}

/// The lines of one section.
pub(super) struct Level<'a> {
    pub(super) nodes: &'a mut Vec<Node>,
    pub(super) mode: Option<&'a Mode>,
}

impl Level<'_> {
    pub(super) fn enter(&mut self, line: &Entered<'_>) -> Effect {
        let Some(hit) = line.hit else { return self.generic(line) };
        if line.negation != Negation::None && hit.rule.sweeps > 0 {
            sweep(self.nodes, &hit.full.get(..hit.rule.sweeps).unwrap_or_default().join(" "));
        }
        match (hit.rule.kind, line.negation) {
            (Kind::Section | Kind::Block, Negation::None) => self.open(line, hit),
            (Kind::Section | Kind::Block, Negation::No) => self.remove_section(line, hit),
            (Kind::Section | Kind::Block, Negation::Default) => self.reset_section(hit),
            (Kind::Group, _) => self.remove_group(line, hit),
            (_, Negation::Default) => self.replace(hit, None),
            (Kind::Entry, Negation::None) => self.entry(hit, &line.text),
            (Kind::Entry, Negation::No) => self.remove_entry(hit),
            (Kind::Listed, Negation::None) => self.listed(hit, &line.text),
            (Kind::Listed, Negation::No) => self.remove_listed(hit),
            (Kind::Vlans, _) => self.vlans(line, hit),
            (Kind::Words, _) => self.words(line, hit),
            (Kind::One, Negation::None) if hit.rule.hides.as_deref() == Some(hit.value().as_str()) => {
                let there = self.nodes.iter().any(|node| node.text == line.text);
                if there { Effect::default() } else { self.replace(hit, None) }
            }
            (Kind::One | Kind::Many | Kind::Flag, Negation::None) => self.replace(hit, Some(&line.text)),
            (Kind::One | Kind::Many | Kind::Flag, Negation::No) if !hit.rule.shown && !hit.rule.prints => {
                self.negate(hit)
            }
            (Kind::One, Negation::No) => self.replace(hit, Some(&format!("no {}", hit.slot_words()))),
            (Kind::Many | Kind::Flag, Negation::No) => self.replace(hit, Some(&line.text)),
            (Kind::On, Negation::None) => self.replace(hit, None),
            (Kind::On, Negation::No) => self.replace(hit, Some(&line.text)),
            (Kind::Either, _) => self.replace(hit, Some(&line.text)),
        }
    }

    fn keyed(&self, node: &Node) -> Keyed<'_> {
        keyed(self.mode, &node.text)
    }

    fn place_of(&self, hit: &Hit<'_>) -> Option<usize> {
        self.nodes.iter().position(|node| may_meet(hit, &node.text) && self.keyed(node).slot == hit.slot)
    }

    /// A line without a row: it is added, its `no` takes it away, and what it does for sure is unknown.
    fn generic(&mut self, line: &Entered<'_>) -> Effect {
        if self.mode.is_some_and(|mode| mode.raw) {
            self.nodes.push(Node::new(line.text.clone()));
            return Effect { opened: Some(self.nodes.len() - 1), doubt: None };
        }
        let doubt = Some(Why::UnknownLine);
        match line.negation {
            Negation::None => {
                let denied = format!("no {}", line.body);
                self.nodes.retain(|node| node.text != denied);
                let at = self.nodes.iter().position(|node| node.text == line.text);
                let at = at.unwrap_or_else(|| self.insert(None, &line.text));
                Effect { opened: Some(at), doubt }
            }
            Negation::No | Negation::Default => {
                let exact = self.nodes.iter().position(|node| node.text == line.body);
                let longer = format!("{} ", line.body);
                let mut begin = self.nodes.iter().enumerate().filter(|(_, node)| node.text.starts_with(&longer));
                let only = begin.next().filter(|_| begin.next().is_none()).map(|(at, _)| at);
                if let Some(at) = exact.or(only) {
                    self.nodes.remove(at);
                }
                Effect { opened: None, doubt }
            }
        }
    }

    /// Opens a section, and makes it where there is none. A header with other words beside its name takes the new ones.
    fn open(&mut self, line: &Entered<'_>, hit: &Hit<'_>) -> Effect {
        let at = match self.place_of(hit) {
            Some(at) => at,
            None => self.insert(Some(hit), &line.text),
        };
        if let Some(node) = self.nodes.get_mut(at) {
            if node.text != line.text {
                node.text.clone_from(&line.text);
            }
            if hit.rule.kind == Kind::Block {
                node.children.clear();
            }
        }
        Effect { opened: Some(at), doubt: None }
    }

    fn remove_section(&mut self, line: &Entered<'_>, hit: &Hit<'_>) -> Effect {
        if hit.rule.fixed || hit.rule.given || line.stays {
            return Effect::doubt(Why::Refused);
        }
        self.take_away(hit);
        Effect::default()
    }

    /// Empties a slot, and says whether something stood there. A text may say a thing twice; a device has it once.
    fn take_away(&mut self, hit: &Hit<'_>) -> bool {
        let mut there = false;
        while let Some(at) = self.place_of(hit) {
            self.nodes.remove(at);
            there = true;
        }
        there
    }

    /// `default interface X` leaves it without a line.
    fn reset_section(&mut self, hit: &Hit<'_>) -> Effect {
        if let Some(node) = self.place_of(hit).and_then(|at| self.nodes.get_mut(at)) {
            node.children.clear();
        }
        Effect::default()
    }

    /// Removes every line that begins with the words.
    fn remove_group(&mut self, line: &Entered<'_>, hit: &Hit<'_>) -> Effect {
        if line.negation == Negation::None {
            return Effect::doubt(Why::UnknownLine);
        }
        let begin: Vec<String> = hit.full.iter().map(|word| word.to_ascii_lowercase()).collect();
        self.nodes.retain(|node| {
            let own = words(&node.text);
            let own = own.strip_prefix(&["no"]).unwrap_or(&own);
            !(own.len() >= begin.len()
                && own.iter().zip(&begin).all(|(word, wanted)| word.eq_ignore_ascii_case(wanted)))
        });
        Effect::default()
    }

    /// Puts a line into its slot, or empties the slot. What the row wipes goes when anything changed.
    fn replace(&mut self, hit: &Hit<'_>, text: Option<&str>) -> Effect {
        let at = self.place_of(hit);
        let changed = match (at, text) {
            (Some(at), Some(text)) => match self.nodes.get_mut(at) {
                Some(node) if node.text != text => {
                    node.text = text.to_owned();
                    true
                }
                _ => false,
            },
            (_, None) => self.take_away(hit),
            (None, Some(text)) => {
                self.insert(Some(hit), text);
                true
            }
        };
        if changed && !hit.rule.wipes.is_empty() {
            let own = text.unwrap_or_default();
            self.nodes.retain(|node| {
                let body = node.text.strip_prefix("no ").unwrap_or(&node.text);
                node.text == own || !hit.rule.wipes.iter().any(|wiped| begins(body, wiped))
            });
        }
        Effect::default()
    }

    /// `no` with or without the value. With another value than the one that stands there, a device takes most settings away
    /// all the same; a list's line is only taken away as it is, and what a part of one takes away is unknown.
    fn negate(&mut self, hit: &Hit<'_>) -> Effect {
        let body = hit.body();
        let part = |node: &Node| node.text != body && begins(&node.text, &body);
        if hit.rule.kind == Kind::Many && self.place_of(hit).is_none() && self.nodes.iter().any(part) {
            return Effect::doubt(Why::UnknownLine);
        }
        self.replace(hit, None)
    }

    /// A set of words: a line adds to it, its `no` takes from it.
    fn words(&mut self, line: &Entered<'_>, hit: &Hit<'_>) -> Effect {
        let given: Vec<&str> = hit.full.iter().skip(hit.value_at).map(String::as_str).collect();
        let there = self.place_of(hit).and_then(|at| self.nodes.get(at)).filter(|node| !node.text.starts_with("no "));
        let there = there.map(|node| node.text.clone()).unwrap_or_default();
        let mut set: Vec<&str> = words(&there).into_iter().skip(hit.value_at).collect();
        if line.negation == Negation::No {
            if given.is_empty() || hit.rule.shown {
                return self.replace(hit, hit.rule.shown.then_some(line.text.as_str()));
            }
            set.retain(|word| !given.contains(word));
            if set.is_empty() {
                return self.replace(hit, None);
            }
        } else {
            let new: Vec<&str> = given.into_iter().filter(|word| !set.contains(word)).collect();
            set.extend(new);
        }
        let text = format!("{} {}", hit.slot_words(), set.join(" "));
        self.replace(hit, Some(text.trim_end()))
    }

    /// `switchport trunk allowed vlan …`: a set, which `add` and `remove` change.
    fn vlans(&mut self, line: &Entered<'_>, hit: &Hit<'_>) -> Effect {
        let value = hit.value();
        if line.negation == Negation::No && (value.is_empty() || !hit.rule.adds) {
            return self.replace(hit, None);
        }
        let there = self.place_of(hit).and_then(|at| self.nodes.get(at)).map(|node| node.text.clone());
        let there = there.and_then(|text| self.allowed(&text));
        if hit.rule.adds {
            let (before, Some(list)) = (there.unwrap_or_default(), vlans::parse(&value)) else {
                return Effect::doubt(Why::UnknownLine);
            };
            let set = if line.negation == Negation::No { before.without(&list) } else { before.with(&list) };
            let text = format!("{} {set}", hit.slot_words());
            return self.replace(hit, (!set.is_empty()).then_some(text.as_str()));
        }
        let (word, list) = value.split_once(' ').unwrap_or((value.as_str(), ""));
        let before = there.unwrap_or_else(Vlans::all);
        let set = match (word.to_ascii_lowercase().as_str(), vlans::parse(list)) {
            ("all", _) => Some(Vlans::all()),
            ("none", _) => Some(Vlans::default()),
            ("add", Some(list)) => Some(before.with(&list)),
            ("remove", Some(list)) => Some(before.without(&list)),
            ("except", Some(list)) => Some(Vlans::all().without(&list)),
            _ => vlans::parse(&value),
        };
        let Some(set) = set else { return Effect::doubt(Why::UnknownLine) };
        if set == Vlans::all() {
            return self.replace(hit, None);
        }
        let written = if set.is_empty() { "none".to_owned() } else { set.to_string() };
        self.replace(hit, Some(&format!("{} {written}", hit.slot_words())))
    }

    fn allowed(&self, text: &str) -> Option<Vlans> {
        let hit = keyed(self.mode, text).hit?;
        let value = hit.value();
        if value == "none" { Some(Vlans::default()) } else { vlans::parse(&value) }
    }

    /// Puts a new line where a device would print it, as far as that is known: by its number, after the last line of its
    /// kind, after the last line with the same first word, at the end.
    fn insert(&mut self, hit: Option<&Hit<'_>>, text: &str) -> usize {
        let own = keyed(self.mode, text);
        let (rule, number) = match (&own.hit, hit) {
            (Some(own), _) => (Some(own.rule), own.number().filter(|_| own.rule.is_sorted())),
            (None, Some(hit)) => (Some(hit.rule), None),
            (None, None) => (None, None),
        };
        let word = |text: &str| words(text).first().map(|word| (*word).to_owned());
        let first = word(text);
        let mut after_kind = None;
        let mut after_word = None;
        for (at, node) in self.nodes.iter().enumerate() {
            if word(&node.text) == first {
                after_word = Some(at + 1);
            }
            if own.hit.as_ref().is_some_and(|own| !may_meet(own, &node.text)) {
                continue;
            }
            let Some(other) = self.keyed(node).hit else { continue };
            if rule.is_none_or(|rule| rule.id != other.rule.id) {
                continue;
            }
            if let (Some((group, number)), Some((others, next))) = (&number, other.number())
                && *group == others
                && next > *number
            {
                after_kind = Some(at);
                break;
            }
            after_kind = Some(at + 1);
        }
        // The class that catches the rest stays the last one.
        let last = self.nodes.iter().position(|node| first_line(&node.text) == "class class-default");
        let end = if first.as_deref() == Some("class") { last.unwrap_or(self.nodes.len()) } else { self.nodes.len() };
        let at = after_kind.or(after_word).unwrap_or(end);
        let at = if first.as_deref() == Some("class") { at.min(end) } else { at };
        self.nodes.insert(at, Node::new(text));
        at
    }
}

/// Removes what begins with the words, here and below.
pub(super) fn sweep(nodes: &mut Vec<Node>, start: &str) {
    nodes.retain(|node| !begins(node.text.strip_prefix("no ").unwrap_or(&node.text), start));
    nodes.iter_mut().for_each(|node| sweep(&mut node.children, start));
}

/// Whether a line of this text could have the hit's slot: a quick look before the whole table is asked.
fn may_meet(hit: &Hit<'_>, text: &str) -> bool {
    use crate::rules::Word;
    let Some(Word::OneOf { in_slot: true, .. }) = hit.rule.pattern.first() else { return true };
    let Some(first) = hit.full.first() else { return true };
    let body = text.strip_prefix("no ").unwrap_or(text);
    body.get(..first.len()).is_some_and(|start| start.eq_ignore_ascii_case(first))
}

/// Whether a text begins with whole words.
pub(crate) fn begins(text: &str, start: &str) -> bool {
    text.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\n']))
}
