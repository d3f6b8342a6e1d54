//! How a line meets a table: which row is meant, what its slot is, and what an abbreviated line says in full.

use super::{Kind, Mode, Rule, Word};
use crate::physical::words;

/// What stands before the words of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Negation {
    None,
    No,
    Default,
}

/// Takes `no` or `default` off the words.
pub(crate) fn split_negation<'w, 't>(words: &'w [&'t str]) -> (Negation, &'w [&'t str]) {
    match words {
        [first, rest @ ..] if !rest.is_empty() && first.eq_ignore_ascii_case("no") => (Negation::No, rest),
        [first, rest @ ..] if !rest.is_empty() && first.eq_ignore_ascii_case("default") => (Negation::Default, rest),
        all => (Negation::None, all),
    }
}

/// A row that a line meets.
#[derive(Debug, Clone)]
pub(crate) struct Hit<'t> {
    pub(crate) rule: &'t Rule,
    /// What two lines have in common that exclude each other.
    pub(crate) slot: String,
    /// The line in full, without `no`.
    pub(crate) full: Vec<String>,
    /// Where the value begins in it.
    pub(crate) value_at: usize,
}

impl Hit<'_> {
    pub(crate) fn body(&self) -> String {
        self.full.join(" ")
    }

    pub(crate) fn value(&self) -> String {
        self.full.get(self.value_at..).unwrap_or_default().join(" ")
    }

    /// The number by which the line is sorted, and what it is sorted among.
    pub(crate) fn number(&self) -> Option<(String, u32)> {
        let at = self.rule.pattern.iter().position(|word| *word == Word::Number)?;
        let number = self.full.get(at)?.parse().ok()?;
        Some((self.group(), number))
    }

    /// What the lines of one list have in common: the slot's words before the number.
    pub(crate) fn group(&self) -> String {
        let own = self.rule.pattern.iter().zip(&self.full).take_while(|(word, _)| **word != Word::Number);
        let words = own.filter(|(word, _)| in_slot(word)).map(|(_, text)| text.as_str());
        words.collect::<Vec<_>>().join(" ")
    }

    /// The words of the slot alone: what `no` needs where the value does not matter.
    pub(crate) fn slot_words(&self) -> String {
        self.full.get(..self.value_at).unwrap_or_default().join(" ")
    }
}

fn in_slot(word: &Word) -> bool {
    match word {
        Word::OneOf { in_slot, .. } | Word::Any { in_slot } => *in_slot,
        Word::Number => true,
    }
}

/// The row that a line in full words means: of those that fit, the one that names most words.
pub(crate) fn find<'t>(mode: &'t Mode, body: &[&str], negation: Negation) -> Option<Hit<'t>> {
    let first = body.first()?.to_ascii_lowercase();
    let mut best: Option<(usize, &Rule)> = None;
    for rule in mode.candidates(&first) {
        if let Some(weight) = fits(rule, body, negation, exactly)
            && best.is_none_or(|(most, _)| weight > most)
        {
            best = Some((weight, rule));
        }
    }
    best.map(|(_, rule)| hit(rule, body))
}

/// The row that an abbreviated line means, when there is only one way to read it.
pub(crate) fn find_abbreviated<'t>(mode: &'t Mode, body: &[&str], negation: Negation) -> Option<Hit<'t>> {
    let mut found: Option<(usize, Hit<'t>)> = None;
    for rule in &mode.rules {
        let Some(weight) = fits(rule, body, negation, as_prefix) else { continue };
        let hit = hit(rule, body);
        match &found {
            Some((most, best)) if best.full != hit.full && weight == *most => return None,
            Some((most, _)) if weight <= *most => {}
            _ => found = Some((weight, hit)),
        }
    }
    found.map(|(_, hit)| hit)
}

fn exactly(given: &str, word: &str) -> bool {
    given.eq_ignore_ascii_case(word)
}

fn as_prefix(given: &str, word: &str) -> bool {
    !given.is_empty() && word.get(..given.len()).is_some_and(|start| start.eq_ignore_ascii_case(given))
}

/// How well a row fits; nothing when it does not.
fn fits(rule: &Rule, body: &[&str], negation: Negation, same: fn(&str, &str) -> bool) -> Option<usize> {
    if rule.kind == Kind::Group && negation == Negation::None {
        return None;
    }
    let mut weight = 0;
    for (word, at) in rule.pattern.iter().zip(0..) {
        let given = body.get(at)?;
        match word {
            Word::OneOf { words, .. } => {
                words.iter().find(|word| same(given, word))?;
                weight += 100;
            }
            Word::Any { .. } => weight += 10,
            Word::Number => {
                given.parse::<u32>().ok()?;
                weight += 20;
            }
        }
    }
    let more = body.len() > rule.pattern.len();
    let allowed = match rule.kind {
        Kind::Flag | Kind::On | Kind::Either | Kind::Section | Kind::Block | Kind::Group => !more || rule.rest,
        Kind::One | Kind::Vlans | Kind::Words => {
            // A value may stand inside the words: `ip access-group NAME in`.
            more || rule.bare || negation != Negation::None || !rule.pattern.iter().all(in_slot)
        }
        Kind::Many | Kind::Entry | Kind::Listed => true,
    };
    // A row that must end here says more than one that may go on.
    let ends = usize::from(!more && !matches!(rule.kind, Kind::Many | Kind::Group)) * 5;
    allowed.then_some(weight + ends)
}

fn hit<'t>(rule: &'t Rule, body: &[&str]) -> Hit<'t> {
    let mut full: Vec<String> = Vec::with_capacity(body.len());
    let mut slot = rule.id.to_string();
    for (at, given) in body.iter().enumerate() {
        let text = match rule.pattern.get(at) {
            Some(Word::OneOf { words, .. }) => {
                let exact = words.iter().find(|word| exactly(given, word));
                let chosen = exact.or_else(|| words.iter().find(|word| as_prefix(given, word)));
                chosen.cloned().unwrap_or_else(|| (*given).to_owned())
            }
            Some(_) => (*given).to_owned(),
            None if at == rule.pattern.len() && !rule.values.is_empty() => in_full(&rule.values, given),
            None => (*given).to_owned(),
        };
        let rest = matches!(rule.kind, Kind::Many | Kind::Listed) || rule.rest_in_slot;
        if rule.pattern.get(at).map_or(rest, in_slot) {
            slot.push('\u{1f}');
            slot.push_str(&text);
        }
        full.push(text);
    }
    Hit { rule, slot, full, value_at: rule.pattern.len().min(body.len()) }
}

/// A value of a short list, when only one begins so.
fn in_full(values: &[String], given: &str) -> String {
    if values.iter().any(|value| exactly(given, value)) {
        return given.to_ascii_lowercase();
    }
    let mut fitting = values.iter().filter(|value| as_prefix(given, value));
    match (fitting.next(), fitting.next()) {
        (Some(only), None) => only.clone(),
        _ => given.to_owned(),
    }
}

/// A line of a configuration, with the row that it meets in its mode.
#[derive(Debug, Clone)]
pub(crate) struct Keyed<'t> {
    pub(crate) slot: String,
    pub(crate) hit: Option<Hit<'t>>,
    pub(crate) negated: bool,
}

impl Keyed<'_> {
    /// Whether the line says no more than its absence would: a default that somebody wrote down.
    pub(crate) fn is_silent(&self) -> bool {
        let Some(hit) = &self.hit else { return false };
        match hit.rule.kind {
            Kind::On => !self.negated,
            Kind::One | Kind::Many | Kind::Flag | Kind::Vlans | Kind::Words | Kind::Entry | Kind::Listed
                if self.negated =>
            {
                !hit.rule.shown
            }
            Kind::One => hit.rule.hides.as_deref() == Some(hit.value().as_str()),
            _ => false,
        }
    }

    /// Whether it opens a section that every device has, printed or not.
    pub(crate) fn is_given(&self) -> bool {
        self.hit.as_ref().is_some_and(|hit| hit.rule.given)
    }

    /// What keeps the order of entry with it, if anything does.
    pub(crate) fn ordered_among(&self) -> Option<String> {
        let hit = self.hit.as_ref().filter(|hit| hit.rule.is_ordered() && !self.negated)?;
        let among = if hit.rule.kind == Kind::Listed { hit.group_of_listed() } else { String::new() };
        Some(format!("{} {among}", hit.rule.id))
    }
}

/// The slot of a line as it stands in a configuration. A line without a row is its own slot.
pub(crate) fn keyed<'t>(mode: Option<&'t Mode>, text: &str) -> Keyed<'t> {
    let all = words(text);
    let (negation, body) = split_negation(&all);
    let negated = negation == Negation::No;
    let hit = mode.filter(|mode| !mode.raw).and_then(|mode| find(mode, body, negation));
    let hit = hit.filter(|hit| hit.rule.kind != Kind::Group && negation != Negation::Default);
    let unknown = || match (negated, text.contains('\n')) {
        (true, _) => body.join(" "),
        (false, true) => text.to_owned(),
        (false, false) => all.join(" "),
    };
    let slot = hit.as_ref().map_or_else(unknown, |hit| hit.slot.clone());
    Keyed { slot, hit, negated }
}
