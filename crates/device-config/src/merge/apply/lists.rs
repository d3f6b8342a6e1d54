//! Lines that are entries of a list: by number, in the order of entry, or where `line N` says. Next: [`super`] for all other
//! lines.

use super::{Effect, Level};
use crate::config::Node;
use crate::merge::Why;
use crate::rules::{Hit, Kind, Numbering, Word};

impl Level<'_> {
    pub(super) fn entry(&mut self, hit: &Hit<'_>, text: &str) -> Effect {
        let content = entry_content(hit);
        if let Some(at) = self.place_of(hit) {
            let there = self.nodes.get(at).map(|node| node.text.clone()).unwrap_or_default();
            return if there == text {
                Effect::default()
            } else if hit.rule.replaces {
                self.replace(hit, Some(text))
            } else {
                Effect::doubt(Why::Refused)
            };
        }
        let twice = self.nodes.iter().any(|node| self.same_entry(node, &content));
        if twice && !hit.rule.replaces {
            return Effect::doubt(Why::Refused);
        }
        self.insert(Some(hit), text);
        Effect::default()
    }

    /// Whether a node is an entry of the same list with the same content under any number, or none.
    fn same_entry(&self, node: &Node, content: &str) -> bool {
        let other = self.keyed(node);
        let Some(other) = other.hit.filter(|_| !other.negated) else { return false };
        match other.rule.kind {
            Kind::Entry => entry_content(&other) == content,
            Kind::Listed => other.body() == content,
            _ => false,
        }
    }

    pub(super) fn remove_entry(&mut self, hit: &Hit<'_>) -> Effect {
        let Some(at) = self.place_of(hit) else { return Effect::default() };
        let content = entry_content(hit);
        let same = self.nodes.get(at).is_some_and(|node| {
            let bare = hit.full.len() <= hit.rule.pattern.len() || content.is_empty();
            bare || self.keyed(node).hit.is_some_and(|other| entry_content(&other) == content)
        });
        if !same && !hit.rule.replaces {
            return Effect::doubt(Why::Refused);
        }
        self.nodes.remove(at);
        Effect::default()
    }

    /// An entry without a number goes to the end, or where `line N` says, or gets the next number of a numbered list.
    pub(super) fn listed(&mut self, hit: &Hit<'_>, text: &str) -> Effect {
        let (place, text) = if hit.rule.positions.is_some() { position(hit, text) } else { (None, text.to_owned()) };
        if self.nodes.iter().any(|node| node.text == text) {
            return Effect::default();
        }
        if let Some(numbering) = &hit.rule.numbering {
            if self.nodes.iter().any(|node| self.same_entry(node, &hit.body())) {
                return Effect::default();
            }
            let numbers = self.numbers(hit, numbering);
            let last = numbers.iter().max().copied();
            if numbering.always || last.is_some() {
                let number = last.unwrap_or(0).saturating_add(numbering.step);
                let number = if last.is_some() { number } else { numbering.step };
                let text = numbered(hit, numbering, number);
                self.insert(None, &text);
                return Effect::default();
            }
        }
        match place {
            Some(place) => {
                let own: Vec<usize> = self.listed_places(hit);
                let at = own.get(place.saturating_sub(1)).copied().or_else(|| own.last().map(|at| at + 1));
                let at = at.unwrap_or(self.nodes.len());
                self.nodes.insert(at, Node::new(text));
            }
            None => {
                self.insert(Some(hit), &text);
            }
        }
        Effect::default()
    }

    fn listed_places(&self, hit: &Hit<'_>) -> Vec<usize> {
        let group = hit.group_of_listed();
        let own = |node: &Node| {
            self.keyed(node).hit.is_some_and(|other| other.rule.id == hit.rule.id && other.group_of_listed() == group)
        };
        self.nodes.iter().enumerate().filter(|(_, node)| own(node)).map(|(at, _)| at).collect()
    }

    /// The numbers of the list that an entry belongs to.
    fn numbers(&self, hit: &Hit<'_>, numbering: &Numbering) -> Vec<u32> {
        let head: Vec<&String> = hit.full.iter().take(numbering.at).collect();
        let number = |node: &Node| {
            let other = self.keyed(node).hit?;
            if other.rule.kind != Kind::Entry || other.full.iter().take(numbering.at).ne(head.iter().copied()) {
                return None;
            }
            other.number().map(|(_, number)| number)
        };
        self.nodes.iter().filter_map(number).collect()
    }

    pub(super) fn remove_listed(&mut self, hit: &Hit<'_>) -> Effect {
        if hit.rule.whole {
            let places = self.listed_places(hit);
            let mut at = 0;
            self.nodes.retain(|_| {
                at += 1;
                !places.contains(&(at - 1))
            });
            return Effect::default();
        }
        let (_, body) = if hit.rule.positions.is_some() { position(hit, &hit.body()) } else { (None, hit.body()) };
        let found = self.nodes.iter().position(|node| node.text == body || self.same_entry(node, &body));
        if let Some(at) = found {
            self.nodes.remove(at);
        }
        Effect::default()
    }
}

impl Hit<'_> {
    /// What the entries of one list without numbers have in common.
    pub(crate) fn group_of_listed(&self) -> String {
        let named = self.rule.pattern.iter().zip(&self.full);
        let names = named.filter(|(word, _)| matches!(word, Word::Any { in_slot: true }));
        names.map(|(_, text)| text.as_str()).collect::<Vec<_>>().join(" ")
    }
}

/// An entry without its number and the word before it.
fn entry_content(hit: &Hit<'_>) -> String {
    let Some(at) = hit.rule.pattern.iter().position(|word| *word == Word::Number) else { return hit.body() };
    let named = at > 0 && hit.full.get(at - 1).is_some_and(|word| matches!(word.as_str(), "seq" | "sequence"));
    let skip = if named { at - 1..at + 1 } else { at..at + 1 };
    let kept = hit.full.iter().enumerate().filter(|(at, _)| !skip.contains(at)).map(|(_, word)| word.as_str());
    kept.collect::<Vec<_>>().join(" ")
}

fn numbered(hit: &Hit<'_>, numbering: &Numbering, number: u32) -> String {
    let mut words = hit.full.clone();
    let at = numbering.at.min(words.len());
    words.insert(at, number.to_string());
    if let Some(word) = &numbering.word {
        words.insert(at, word.clone());
    }
    words.join(" ")
}

/// Takes the position out of an entry: where it goes, and what it says.
fn position(hit: &Hit<'_>, text: &str) -> (Option<usize>, String) {
    let at = hit.rule.pattern.len();
    let word = hit.rule.positions.as_deref().unwrap_or_default();
    let number_at = if word.is_empty() { at } else { at + 1 };
    let named = word.is_empty() || hit.full.get(at).is_some_and(|given| given == word);
    let number = hit.full.get(number_at).and_then(|number| number.parse().ok());
    let Some(number) = number.filter(|_| named) else { return (None, text.to_owned()) };
    let kept = hit.full.iter().enumerate().filter(|(word, _)| !(at..=number_at).contains(word));
    (Some(number), kept.map(|(_, word)| word.as_str()).collect::<Vec<_>>().join(" "))
}
