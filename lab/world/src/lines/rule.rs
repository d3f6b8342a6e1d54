//! What a command parser accepts, as tables: one table per configuration mode. The order of a table is the order in which
//! the device prints its lines.
//!
//! A rule is the words of a command, how many arguments may follow, and what the line means for the lines that are there.
//! Where next: [`super::session`], which applies them; the `grammar` of each operating system, which holds them.

/// What an accepted line does to the lines of its mode.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// Replaces the line with the same words and the same first `n` arguments.
    One(usize),
    /// Stands beside others; an equal line is there once.
    Many,
    /// On by default: only its negation is printed.
    DefaultOn,
    /// Printed in both forms, one replacing the other.
    Both,
    /// An interface address: secondaries stand beside the first. `true` = its absence is printed as `no …`.
    Address(bool),
    /// A list of VLAN ids that `add`, `remove`, `except`, `all` and `none` edit.
    Trunk,
    /// A text of several lines that replaces the one of the same name.
    Text,
    /// Opens a block in another mode.
    Block(&'static Table),
}

/// What is particular about the lines of a mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Nothing.
    Plain,
    /// The block of an interface.
    Interface,
    /// The block of a VLAN, whose header may name a list.
    Vlan,
    /// The block of terminal lines, whose header may name a range.
    LineRange,
    /// Numbered entries in order. `true` = an entry with a number that is there takes its place; otherwise it is refused.
    Numbered(bool),
}

/// A configuration mode.
#[derive(Debug)]
pub struct Table {
    /// The word of the prompt: `config-if`.
    pub name: &'static str,
    /// What is particular.
    pub shape: Shape,
    /// The commands, in printing order.
    pub rules: &'static [Rule],
}

impl PartialEq for Table {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.rules, other.rules)
    }
}

/// A command: words, least and most arguments (`MANY` = free text), kind.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// The fixed words; `*` stands for a name.
    pub words: &'static str,
    /// Fewest arguments.
    pub least: usize,
    /// Most arguments.
    pub most: usize,
    /// Meaning.
    pub kind: Kind,
    /// The `feature` that must be on for the command to exist; empty for none.
    pub needs: &'static str,
}

/// No upper bound on arguments.
pub const MANY: usize = usize::MAX;

pub(crate) const fn rule(words: &'static str, least: usize, most: usize, kind: Kind) -> Rule {
    Rule { words, least, most, kind, needs: "" }
}
pub(crate) const fn one(words: &'static str, least: usize, most: usize) -> Rule {
    rule(words, least, most, Kind::One(0))
}
pub(crate) const fn keyed(words: &'static str, key: usize, least: usize) -> Rule {
    rule(words, least, MANY, Kind::One(key))
}
pub(crate) const fn flag(words: &'static str) -> Rule {
    rule(words, 0, 0, Kind::One(0))
}
pub(crate) const fn many(words: &'static str, least: usize) -> Rule {
    rule(words, least, MANY, Kind::Many)
}
pub(crate) const fn default_on(words: &'static str) -> Rule {
    rule(words, 0, 0, Kind::DefaultOn)
}
pub(crate) const fn both(words: &'static str, most: usize) -> Rule {
    rule(words, 0, most, Kind::Both)
}
pub(crate) const fn block(words: &'static str, least: usize, inner: &'static Table) -> Rule {
    rule(words, least, MANY, Kind::Block(inner))
}
/// The same command, which exists only while `feature` is on.
pub(crate) const fn gated(feature: &'static str, rule: Rule) -> Rule {
    Rule { needs: feature, ..rule }
}
pub(crate) const fn plain(name: &'static str, rules: &'static [Rule]) -> Table {
    Table { name, shape: Shape::Plain, rules }
}
pub(crate) const fn shaped(name: &'static str, shape: Shape, rules: &'static [Rule]) -> Table {
    Table { name, shape, rules }
}

/// A line understood: the rule, its position in the table and the arguments.
#[derive(Debug)]
pub struct Understood<'a> {
    /// The rule that fits.
    pub rule: &'static Rule,
    /// Its position, which is its rank in print.
    pub rank: usize,
    /// What stands for the fixed words, with names in the place of `*`.
    pub lead: Vec<&'a str>,
    /// Arguments as typed.
    pub arguments: Vec<&'a str>,
}

impl Understood<'_> {
    /// The line in full words.
    pub fn line(&self) -> String {
        self.with(self.arguments.len())
    }

    /// The words that identify the line among its neighbours.
    pub fn key(&self) -> String {
        self.with(match self.rule.kind {
            Kind::One(count) => count,
            Kind::Text => 1,
            Kind::DefaultOn | Kind::Address(_) | Kind::Trunk => 0,
            Kind::Many | Kind::Both | Kind::Block(_) => self.arguments.len(),
        })
    }

    fn with(&self, count: usize) -> String {
        let mut line = self.lead.join(" ");
        for argument in self.arguments.iter().take(count) {
            line.push(' ');
            line.push_str(argument);
        }
        line
    }
}

/// Why a line was not understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotUnderstood {
    /// No rule fits; the byte where the marker stands.
    Invalid(usize),
    /// The words fit, and arguments are missing.
    Incomplete,
    /// An abbreviation that fits several commands.
    Ambiguous,
}

/// Whether a typed word is the fixed one or an abbreviation of it.
fn abbreviates(word: &str, fixed: &str) -> bool {
    word.len() <= fixed.len() && word.bytes().zip(fixed.bytes()).all(|(a, b)| a.eq_ignore_ascii_case(&b))
}

/// Finds the rule of a table for a line. Words may be abbreviated as on the device; `least` arguments are not asked of a
/// negated line. Rules for which `exists` is false are not there.
pub fn understand<'a>(
    table: &'static Table,
    line: &'a str,
    negated: bool,
    exists: impl Fn(&Rule) -> bool,
) -> Result<Understood<'a>, NotUnderstood> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let mut best: Option<(usize, usize, usize)> = None;
    let mut furthest = 0;
    let mut ambiguous = false;
    let mut incomplete = false;
    let mut last_words: Vec<&str> = Vec::new();
    for (rank, rule) in table.rules.iter().enumerate() {
        let first = rule.words.split(' ').next().unwrap_or_default();
        if !words.first().is_some_and(|word| abbreviates(word, first)) || !exists(rule) {
            continue;
        }
        let length = rule.words.split(' ').count();
        let (mut matched, mut exact) = (0, 0);
        for (fixed, word) in rule.words.split(' ').zip(&words) {
            if *word == fixed {
                exact += 1;
            } else if fixed == "*" {
                matched += 1;
                continue;
            } else if !abbreviates(word, fixed) {
                break;
            }
            matched += 1;
        }
        furthest = furthest.max(matched);
        if matched < length {
            if matched == words.len() {
                incomplete = true;
                last_words.extend(rule.words.split(' ').nth(matched.saturating_sub(1)));
            }
            continue;
        }
        let arguments = words.len() - length;
        if arguments > rule.most {
            furthest = furthest.max(length + rule.most);
            continue;
        }
        if arguments < rule.least && !negated {
            incomplete = true;
            continue;
        }
        match best {
            Some((held_exact, held_length, _)) if (held_exact, held_length) > (exact, length) => {}
            Some((held_exact, held_length, _)) if (held_exact, held_length) == (exact, length) && exact < length => {
                ambiguous = true;
            }
            _ => {
                ambiguous = false;
                best = Some((exact, length, rank));
            }
        }
    }
    if ambiguous {
        return Err(NotUnderstood::Ambiguous);
    }
    if let Some((_, length, rank)) = best
        && let Some(rule) = table.rules.get(rank)
    {
        let lead = rule.words.split(' ').zip(&words).map(|(fixed, word)| if fixed == "*" { *word } else { fixed });
        return Ok(Understood {
            rule,
            rank,
            lead: lead.collect(),
            arguments: words.iter().skip(length).copied().collect(),
        });
    }
    if incomplete && !words.is_empty() {
        last_words.dedup();
        let typed = words.last().copied().unwrap_or_default();
        if last_words.len() > 1 && !last_words.contains(&typed) {
            return Err(NotUnderstood::Ambiguous);
        }
        return Err(NotUnderstood::Incomplete);
    }
    let at = words.get(furthest).map_or(line.len(), |word| word.as_ptr() as usize - line.as_ptr() as usize);
    Err(NotUnderstood::Invalid(at))
}
