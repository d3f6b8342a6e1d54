//! The lines that lead from one section's lines to another's. What they are worth is for [`super`] to prove.

use std::collections::HashSet;

use super::NoUndo;
use crate::config::Node;
use crate::diff::{Items, below, pairs};
use crate::physical::first_line;
use crate::rules::{Hit, Keyed, Kind, Mode, Table};
use crate::vlans::{self, Vlans};
use crate::{Config, Platform, diff, interfaces};

/// Lines as a tree, in the order in which they are entered.
pub(super) fn between(from: &Config, to: &Config) -> Result<Vec<Node>, NoUndo> {
    let platform = from.platform();
    level(platform, Table::of(platform).root(), 0, from.nodes(), to.nodes())
}

/// Both sides of one section.
struct Sides<'n> {
    platform: Platform,
    mode: Option<&'static Mode>,
    from: Items<'n>,
    to: Items<'n>,
    /// For each line of `to`, the line of `from` in its slot.
    partner: Vec<Option<usize>>,
    /// The lines of `from` whose slot `to` does not have.
    gone: Vec<usize>,
}

fn level(
    platform: Platform,
    mode: Option<&'static Mode>,
    depth: usize,
    from: &[Node],
    to: &[Node],
) -> Result<Vec<Node>, NoUndo> {
    let (from, to) = (Items::of(mode, from), Items::of(mode, to));
    let pairs = pairs(mode, &from, &to);
    let mut partner = vec![None; to.nodes.len()];
    let mut gone = Vec::new();
    for (left, right) in pairs.iter().enumerate() {
        match right.and_then(|right| partner.get_mut(right)) {
            Some(place) => *place = Some(left),
            None => gone.push(left),
        }
    }
    let sides = Sides { platform, mode, from, to, partner, gone };
    let mut removals = Vec::new();
    let mut additions = Vec::new();
    let mut done: HashSet<String> = HashSet::new();
    let (old_lists, new_lists) = (sides.from.lists(mode), sides.to.lists(mode));
    let list = |places: Option<&Vec<usize>>| places.cloned().unwrap_or_default();
    for at in 0..sides.to.nodes.len() {
        let among = sides.to.keys.get(at).and_then(Keyed::ordered_among);
        match among {
            Some(name) => {
                if done.insert(name.clone()) {
                    sides.list(depth, &list(old_lists.get(&name)), &list(new_lists.get(&name)), &mut additions)?;
                }
            }
            None => sides.one(depth, at, &mut removals, &mut additions)?,
        }
    }
    for at in &sides.gone {
        let Some(key) = sides.from.keys.get(*at) else { continue };
        match key.ordered_among() {
            Some(name) if new_lists.contains_key(&name) => {}
            Some(name) => {
                if done.insert(name.clone()) {
                    sides.list(depth, &list(old_lists.get(&name)), &[], &mut removals)?;
                }
            }
            None => removals.extend(sides.removal(*at)?),
        }
    }
    if depth == 0 {
        // What is used was there before what uses it, and goes after it.
        removals.reverse();
        additions.append(&mut removals);
        return Ok(additions);
    }
    // Within a section too, what was entered first is taken away last: it may be what the others hang on.
    removals.reverse();
    removals.append(&mut additions);
    Ok(removals)
}

/// The lines that take words from a set and add words to it.
fn words_between(old: &Keyed<'_>, new: &Keyed<'_>) -> (Option<String>, Option<String>) {
    let (Some(old), Some(new)) = (&old.hit, &new.hit) else { return (None, None) };
    let only = |of: &[String], other: &[String]| {
        let words: Vec<&str> = of.iter().filter(|word| !other.contains(word)).map(String::as_str).collect();
        (!words.is_empty()).then(|| format!("{} {}", new.slot_words(), words.join(" ")))
    };
    let (was, is) =
        (old.full.get(old.value_at..).unwrap_or_default(), new.full.get(new.value_at..).unwrap_or_default());
    // A set without words and one with some are two settings: the second replaces the first.
    if was.is_empty() || is.is_empty() {
        return (Some(format!("no {}", old.slot_words())), Some(new.body()));
    }
    (only(was, is).map(|line| format!("no {line}")), only(is, was))
}

/// The lines that take VLANs from a set and add VLANs to it.
fn vlans_between(old: &Keyed<'_>, new: &Keyed<'_>) -> (Option<String>, Option<String>) {
    let set = |key: &Keyed<'_>| key.hit.as_ref().and_then(|hit| vlans::parse(&hit.value()));
    let words = new.hit.as_ref().map(Hit::slot_words).unwrap_or_default();
    let (Some(was), Some(is)) = (set(old), set(new)) else { return (None, None) };
    let line = |set: Vlans, sign: &str| (!set.is_empty()).then(|| format!("{sign}{words} {set}"));
    (line(was.without(&is), "no "), line(is.without(&was), ""))
}

impl Sides<'_> {
    /// What makes a line of `to` out of what stands in its slot.
    fn one(&self, depth: usize, at: usize, removals: &mut Vec<Node>, additions: &mut Vec<Node>) -> Result<(), NoUndo> {
        let (Some(node), Some(key)) = (self.to.nodes.get(at), self.to.keys.get(at)) else { return Ok(()) };
        let partner = self.partner.get(at).copied().flatten();
        let Some((left, was, old)) =
            partner.and_then(|at| Some((at, self.from.nodes.get(at)?, self.from.keys.get(at)?)))
        else {
            if !self.to.is_silent(at) {
                additions.push(node.clone());
            }
            return Ok(());
        };
        let rule = key.hit.as_ref().map(|hit| hit.rule);
        if rule.is_some_and(|rule| rule.kind == Kind::Block) {
            if self.differs(was, node) {
                additions.push(node.clone());
            }
            return Ok(());
        }
        let mode = below(self.platform, self.mode, key);
        if mode.is_some_and(|mode| mode.raw) {
            if self.differs(was, node) {
                removals.extend(self.removal(left)?);
                additions.push(node.clone());
            }
            return Ok(());
        }
        let inside = level(self.platform, mode, depth + 1, &was.children, &node.children)?;
        if was.text == node.text || key.is_silent() && old.is_silent() {
            if !inside.is_empty() {
                additions.push(Node { text: node.text.clone(), children: inside, closed_by: None });
            }
            return Ok(());
        }
        if key.is_silent() && !key.negated {
            additions.push(Node::new(node.text.as_str()));
        } else if key.is_silent() {
            removals.extend(self.removal(left)?);
        } else if rule.is_some_and(|rule| rule.adds) {
            let (less, more) = vlans_between(old, key);
            removals.extend(less.map(Node::new));
            additions.extend(more.map(Node::new));
        } else if rule.is_some_and(|rule| rule.kind == Kind::Words) && !key.negated && !old.negated {
            let (less, more) = words_between(old, key);
            removals.extend(less.map(Node::new));
            additions.extend(more.map(Node::new));
        } else {
            // A number that is taken is refused until it is free.
            let taken = rule.is_some_and(|rule| rule.kind == Kind::Entry && !rule.replaces);
            if taken {
                additions.extend(self.removal(left)?);
            }
            additions.push(Node { text: node.text.clone(), children: inside, closed_by: None });
        }
        Ok(())
    }

    fn differs(&self, was: &Node, node: &Node) -> bool {
        let config = |node: &Node| Config::from_nodes(self.platform, vec![node.clone()]);
        was.text != node.text || !diff(&config(was), &config(node)).is_empty()
    }

    /// The lines that make one ordered list out of another.
    fn list(&self, depth: usize, old: &[usize], new: &[usize], out: &mut Vec<Node>) -> Result<(), NoUndo> {
        let text = |items: &Items<'_>, at: usize| items.keys.get(at).map(|key| key.slot.clone());
        let rule = old
            .first()
            .and_then(|at| self.from.keys.get(*at))
            .or_else(|| new.first().and_then(|at| self.to.keys.get(*at)));
        let rule = rule.and_then(|key| key.hit.as_ref()).map(|hit| hit.rule);
        let common: HashSet<usize> = new.iter().filter_map(|at| self.partner.get(*at).copied().flatten()).collect();
        if rule.is_some_and(|rule| rule.positions.is_some()) {
            for at in old.iter().filter(|at| !common.contains(at)) {
                out.extend(self.removal(*at)?);
            }
            let missing = new.iter().enumerate().filter(|(_, at)| self.partner.get(**at).is_some_and(Option::is_none));
            out.extend(missing.filter_map(|(place, at)| self.at_position(*at, place + 1, new.len())));
            return Ok(());
        }
        // What is left of the old one when its strangers are gone, is it how the new one begins?
        let kept: Vec<usize> = old.iter().copied().filter(|at| common.contains(at)).collect();
        let begins = kept.len() <= new.len()
            && kept.iter().zip(new).all(|(left, right)| text(&self.from, *left) == text(&self.to, *right));
        let whole = rule.is_some_and(|rule| rule.whole);
        let keep = if begins && (!whole || kept.len() == old.len()) {
            kept.len()
        } else if whole {
            0
        } else {
            old.iter().zip(new).take_while(|(left, right)| text(&self.from, **left) == text(&self.to, **right)).count()
        };
        let stays: HashSet<usize> = if begins && keep == kept.len() && !(whole && kept.len() != old.len()) {
            kept.iter().copied().collect()
        } else {
            old.iter().copied().take(keep).collect()
        };
        let goes: Vec<usize> = old.iter().copied().filter(|at| !stays.contains(at)).collect();
        if whole && !goes.is_empty() {
            out.extend(goes.first().and_then(|at| self.whole(*at)));
        } else {
            for at in goes.iter().rev() {
                out.extend(self.removal(*at)?);
            }
        }
        for (place, at) in new.iter().enumerate() {
            if place < keep {
                if rule.is_some_and(crate::rules::Rule::opens) {
                    let mut ignored = Vec::new();
                    self.one(depth, *at, &mut ignored, out)?;
                }
            } else {
                out.extend(self.to.nodes.get(*at).cloned());
            }
        }
        Ok(())
    }

    fn at_position(&self, at: usize, place: usize, all: usize) -> Option<Node> {
        let (node, hit) = (self.to.nodes.get(at)?, self.to.keys.get(at)?.hit.as_ref()?);
        if place == all {
            return Some(node.clone());
        }
        let rest = hit.full.get(hit.value_at..)?.join(" ");
        let word = hit.rule.positions.as_deref().filter(|word| !word.is_empty()).map(|word| format!("{word} "));
        Some(Node::new(format!("{} {}{place} {rest}", hit.slot_words(), word.unwrap_or_default())))
    }

    fn whole(&self, at: usize) -> Option<Node> {
        let hit = self.from.keys.get(at)?.hit.as_ref()?;
        Some(Node::new(format!("no {}", hit.slot_words())))
    }

    /// The line that takes another away; nothing when that line says nothing.
    fn removal(&self, at: usize) -> Result<Option<Node>, NoUndo> {
        let (Some(node), Some(key)) = (self.from.nodes.get(at), self.from.keys.get(at)) else { return Ok(None) };
        let defaults = matches!(self.platform, Platform::IosXe | Platform::NxOs);
        let line = first_line(&node.text);
        let positive = line.strip_prefix("no ").unwrap_or(line);
        let Some(hit) = &key.hit else {
            return Ok(Some(Node::new(if key.negated { positive.to_owned() } else { format!("no {line}") })));
        };
        if self.from.is_silent(at) {
            return Ok(None);
        }
        if hit.rule.given {
            // The section stays; what stands in it goes.
            let children = level(self.platform, below(self.platform, self.mode, key), 1, &node.children, &[])?;
            return Ok(Some(Node { text: line.to_owned(), children, closed_by: None }));
        }
        let interface = line.strip_prefix("interface ");
        let stays = interface.is_some_and(|name| hit.rule.opens() && !interfaces::is_removable(self.platform, name));
        if hit.rule.fixed || stays {
            return Err(NoUndo::SectionStays(line.to_owned()));
        }
        let text = match hit.rule.kind {
            Kind::Either if defaults => format!("default {positive}"),
            _ if key.negated && hit.rule.shown && defaults => format!("default {}", hit.slot_words()),
            _ if key.negated => positive.to_owned(),
            _ if hit.rule.cut.is_some() => {
                let words = hit.full.iter().take(hit.rule.cut.unwrap_or_default());
                format!("no {}", words.map(String::as_str).collect::<Vec<_>>().join(" "))
            }
            Kind::Vlans if hit.rule.adds => format!("no {line}"),
            Kind::Entry | Kind::Vlans => format!("no {}", hit.slot_words()),
            _ if hit.rule.short || node.text.contains('\n') => format!("no {}", hit.slot_words()),
            _ => format!("no {line}"),
        };
        Ok(Some(Node::new(text)))
    }
}
