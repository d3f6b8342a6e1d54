//! What lines mean, as data: one table per platform (`*.rules`), read once. Next: [`find`] for how a line meets a table,
//! `merge` for what the kinds do.
//!
//! A table is a list of modes, as a device has them; the first is where a configuration begins. A row is
//!
//! ```text
//! kind words … [= values] [-> mode] [; attribute]…
//! ```
//!
//! A word is itself, `a|b` one of several, `*` any word, `#` a number; they make the line's *slot*: two lines of one slot
//! cannot stand beside each other. `~` and `~a|b` match without belonging to the slot. `= a|b` names the values that may be
//! abbreviated. `include m` takes the rows of a mode that stands above.
//!
//! | kind | meaning |
//! | --- | --- |
//! | `one` | a setting with one value; the next line replaces it |
//! | `many` | a list: the whole line is the slot |
//! | `flag` | off unless it is there |
//! | `on` | on unless its `no` is there |
//! | `either` | the device prints it and its `no` |
//! | `section` | opens a mode |
//! | `block` | a section that is replaced as a whole |
//! | `entry` | a numbered entry; the list is ordered by number |
//! | `listed` | an entry without a number; the order is that of entry |
//! | `words` | a set of words; the next line adds to it |
//! | `vlans` | a set of VLANs with `add`, `remove`, `all`, `none` |
//! | `group` | words by which `no` removes every line that begins so |
//!
//! Attributes: `short` (negated by its slot alone), `cut N` (negated by its first `N` words), `shown` (its `no` is a state, and the device prints it), `prints` (the device
//! prints its `no`, which says no more than its absence), `hides V` (the value that it
//! does not print), `bare` (needs no value), `wipes A / B` (what changes with it is lost), `fixed` (a section that cannot be
//! removed), `given` (a section that every device has: it cannot be removed, and its line alone says nothing), `ordered` (order matters among such lines), `numbering AT [WORD] STEP` (how an entry without a number gets one),
//! `always` (it gets one in an empty list too), `whole` (`no` of one entry removes all), `positions WORD` (the word and a number after the slot say where; without a word the number alone),
//! `held` (a section that is not removed while another line names it), `names` (its value names it elsewhere),
//! `adds` (a list of VLANs adds to the set), `replaces` (an entry's number may be used again), `drags A` (removing it changes lines that begin so and name it),
//! `takes A / B` (removing it removes what begins so, anywhere), `sweeps N` (removing it removes what begins with its first
//! `N` words, here and below). `...` after the words lets more follow, as part of the slot; after `~...` they are not.

mod find;

use std::collections::HashMap;
use std::sync::LazyLock;

pub(crate) use find::{Hit, Keyed, Negation, find, find_abbreviated, keyed, split_negation};

use crate::Platform;

/// What a row says about its lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    One,
    Many,
    Flag,
    On,
    Either,
    Section,
    Block,
    Entry,
    Listed,
    Words,
    Vlans,
    Group,
}

/// A word of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Word {
    OneOf { words: Vec<String>, in_slot: bool },
    Any { in_slot: bool },
    Number,
}

/// How an entry without a number gets one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Numbering {
    pub(crate) at: usize,
    pub(crate) word: Option<String>,
    pub(crate) step: u32,
    /// In an empty list too.
    pub(crate) always: bool,
}

/// A row.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub(crate) id: usize,
    pub(crate) kind: Kind,
    pub(crate) pattern: Vec<Word>,
    pub(crate) values: Vec<String>,
    /// Further words may follow.
    pub(crate) rest: bool,
    /// They belong to the slot.
    pub(crate) rest_in_slot: bool,
    pub(crate) mode: Option<String>,
    pub(crate) short: bool,
    pub(crate) shown: bool,
    pub(crate) prints: bool,
    pub(crate) hides: Option<String>,
    pub(crate) bare: bool,
    pub(crate) fixed: bool,
    pub(crate) given: bool,
    pub(crate) ordered: bool,
    pub(crate) whole: bool,
    pub(crate) positions: Option<String>,
    pub(crate) held: bool,
    pub(crate) names: bool,
    pub(crate) adds: bool,
    pub(crate) cut: Option<usize>,
    pub(crate) replaces: bool,
    pub(crate) wipes: Vec<String>,
    pub(crate) drags: Vec<String>,
    pub(crate) takes: Vec<String>,
    pub(crate) sweeps: usize,
    pub(crate) numbering: Option<Numbering>,
}

impl Rule {
    /// Whether the order among its lines means something that their slots do not say.
    pub(crate) fn is_ordered(&self) -> bool {
        self.ordered || self.kind == Kind::Listed
    }

    /// Whether its lines stand in the order of a number in them.
    pub(crate) fn is_sorted(&self) -> bool {
        self.kind == Kind::Entry || matches!(self.kind, Kind::Section) && self.pattern.contains(&Word::Number)
    }

    pub(crate) fn opens(&self) -> bool {
        matches!(self.kind, Kind::Section | Kind::Block)
    }
}

/// Where a line can be entered: the rows for its lines.
#[derive(Debug, Clone, Default)]
pub(crate) struct Mode {
    pub(crate) rules: Vec<Rule>,
    first: HashMap<String, Vec<usize>>,
    other: Vec<usize>,
    /// Its lines mean nothing by themselves, and their order counts.
    pub(crate) raw: bool,
}

/// A platform's modes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table {
    modes: HashMap<String, Mode>,
}

/// The mode in which a configuration begins.
const ROOT: &str = "global";

impl Table {
    /// The table of a platform.
    pub(crate) fn of(platform: Platform) -> &'static Self {
        static IOS_XE: LazyLock<Table> = LazyLock::new(|| read_or_empty(include_str!("ios_xe.rules")));
        static NX_OS: LazyLock<Table> = LazyLock::new(|| read_or_empty(include_str!("nx_os.rules")));
        static IOS_XR: LazyLock<Table> = LazyLock::new(|| read_or_empty(include_str!("ios_xr.rules")));
        static ASA: LazyLock<Table> = LazyLock::new(|| read_or_empty(include_str!("asa.rules")));
        match platform {
            Platform::IosXe => &IOS_XE,
            Platform::NxOs => &NX_OS,
            Platform::IosXr => &IOS_XR,
            Platform::Asa => &ASA,
        }
    }

    pub(crate) fn root(&self) -> Option<&Mode> {
        self.modes.get(ROOT)
    }

    /// The mode that a section opens.
    pub(crate) fn opened_by(&self, rule: &Rule) -> Option<&Mode> {
        self.modes.get(rule.mode.as_deref()?)
    }
}

/// A table that cannot be read knows nothing, and then every line is unmodelled; a test reads all of them.
fn read_or_empty(text: &str) -> Table {
    read(text).unwrap_or_default()
}

fn read(text: &str) -> Result<Table, String> {
    let mut table = Table::default();
    let mut current: Option<(String, Mode)> = None;
    let mut next_id = 0;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with("--") {
            continue;
        }
        let wrong = |what: &str| format!("line {}: {what}: {line}", number + 1);
        let (kind, rest) = line.split_once(' ').ok_or_else(|| wrong("one word"))?;
        if kind == "mode" {
            if let Some((name, mode)) = current.take() {
                table.modes.insert(name, mode);
            }
            let (name, raw) = rest.split_once(' ').map_or((rest, false), |(name, word)| (name, word == "raw"));
            if table.modes.contains_key(name) {
                return Err(wrong("a second mode of this name"));
            }
            current = Some((name.to_owned(), Mode { raw, ..Mode::default() }));
            continue;
        }
        let (_, mode) = current.as_mut().ok_or_else(|| wrong("no mode above"))?;
        if kind == "include" {
            let rules = table.modes.get(rest).ok_or_else(|| wrong("no such mode"))?.rules.clone();
            rules.into_iter().for_each(|rule| mode.push(rule));
            continue;
        }
        next_id += 1;
        mode.push(row(next_id, kind, rest).map_err(|what| wrong(&what))?);
    }
    if let Some((name, mode)) = current {
        table.modes.insert(name, mode);
    }
    for rule in table.modes.values().flat_map(|mode| &mode.rules) {
        if let Some(mode) = &rule.mode
            && !table.modes.contains_key(mode)
        {
            return Err(format!("no mode {mode}"));
        }
    }
    Ok(table)
}

impl Mode {
    fn push(&mut self, rule: Rule) {
        let at = self.rules.len();
        match rule.pattern.first() {
            Some(Word::OneOf { words, .. }) => {
                words.iter().for_each(|word| self.first.entry(word.clone()).or_default().push(at));
            }
            _ => self.other.push(at),
        }
        self.rules.push(rule);
    }

    /// The rows that a line beginning with this word may meet.
    fn candidates(&self, first: &str) -> impl Iterator<Item = &Rule> {
        let named = self.first.get(first).into_iter().flatten();
        named.chain(&self.other).filter_map(|at| self.rules.get(*at))
    }
}

fn row(id: usize, kind: &str, rest: &str) -> Result<Rule, String> {
    let kind = match kind {
        "one" => Kind::One,
        "many" => Kind::Many,
        "flag" => Kind::Flag,
        "on" => Kind::On,
        "either" => Kind::Either,
        "section" => Kind::Section,
        "block" => Kind::Block,
        "entry" => Kind::Entry,
        "listed" => Kind::Listed,
        "words" => Kind::Words,
        "vlans" => Kind::Vlans,
        "group" => Kind::Group,
        other => return Err(format!("no kind {other}")),
    };
    let mut parts = rest.split(" ; ").map(str::trim);
    let head = parts.next().unwrap_or_default();
    let (head, mode) =
        head.split_once(" -> ").map_or((head, None), |(head, mode)| (head, Some(mode.trim().to_owned())));
    let (words, values) = head.split_once(" = ").unwrap_or((head, ""));
    let mut rule = Rule {
        id,
        kind,
        pattern: Vec::new(),
        values: values.split('|').filter(|value| !value.is_empty()).map(str::to_owned).collect(),
        rest: false,
        rest_in_slot: false,
        mode,
        short: false,
        shown: false,
        prints: false,
        hides: None,
        bare: false,
        fixed: false,
        given: false,
        ordered: false,
        whole: false,
        positions: None,
        held: false,
        names: false,
        adds: false,
        cut: None,
        replaces: false,
        wipes: Vec::new(),
        drags: Vec::new(),
        takes: Vec::new(),
        sweeps: 0,
        numbering: None,
    };
    for word in words.split_whitespace() {
        if rule.rest {
            return Err("words after …".to_owned());
        }
        let (in_slot, bare) = word.strip_prefix('~').map_or((true, word), |bare| (false, bare));
        match bare {
            "..." => (rule.rest, rule.rest_in_slot) = (true, in_slot),
            "#" => rule.pattern.push(Word::Number),
            "*" | "" => rule.pattern.push(Word::Any { in_slot }),
            _ => rule.pattern.push(Word::OneOf { words: bare.split('|').map(str::to_owned).collect(), in_slot }),
        }
    }
    if rule.pattern.is_empty() || rule.opens() != rule.mode.is_some() {
        return Err("no words, or a mode where none is opened".to_owned());
    }
    parts.try_for_each(|part| attribute(&mut rule, part))?;
    Ok(rule)
}

fn attribute(rule: &mut Rule, text: &str) -> Result<(), String> {
    let (name, value) = text.split_once(' ').unwrap_or((text, ""));
    let list = || value.split(" / ").map(|item| item.trim().to_owned()).collect();
    match name {
        "short" => rule.short = true,
        "shown" => rule.shown = true,
        "prints" => rule.prints = true,
        "bare" => rule.bare = true,
        "fixed" => rule.fixed = true,
        "given" => rule.given = true,
        "ordered" => rule.ordered = true,
        "whole" => rule.whole = true,
        "positions" => rule.positions = Some(value.to_owned()),
        "held" => rule.held = true,
        "names" => rule.names = true,
        "adds" => rule.adds = true,
        "cut" => rule.cut = Some(value.parse().map_err(|_| "no number of words".to_owned())?),
        "replaces" => rule.replaces = true,
        "hides" => rule.hides = Some(value.to_owned()),
        "wipes" => rule.wipes = list(),
        "drags" => rule.drags = list(),
        "takes" => rule.takes = list(),
        "sweeps" => rule.sweeps = value.parse().map_err(|_| "no number of words".to_owned())?,
        "numbering" => {
            let words: Vec<&str> = value.split(' ').collect();
            let (at, word, step) = match words.as_slice() {
                [at, step] => (at, None, step),
                [at, word, step] => (at, Some((*word).to_owned()), step),
                _ => return Err("numbering takes a place, a word and a step".to_owned()),
            };
            let at = at.parse().map_err(|_| "no place".to_owned())?;
            let step = step.parse().map_err(|_| "no step".to_owned())?;
            rule.numbering = Some(Numbering { at, word, step, always: false });
        }
        "always" => match &mut rule.numbering {
            Some(numbering) => numbering.always = true,
            None => return Err("always without numbering".to_owned()),
        },
        other => return Err(format!("no attribute {other}")),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Table, read};
    use crate::Platform;

    #[test]
    fn every_table_is_read_and_begins_with_the_global_mode() {
        for text in [
            include_str!("ios_xe.rules"),
            include_str!("nx_os.rules"),
            include_str!("ios_xr.rules"),
            include_str!("asa.rules"),
        ] {
            let table = read(text).unwrap();
            assert!(table.root().is_some());
        }
        for platform in Platform::ALL {
            assert!(Table::of(platform).root().is_some());
        }
    }

    #[test]
    fn a_row_that_means_nothing_is_refused() {
        for row in ["many", "perhaps x", "one x ; maybe", "section x", "one x -> y", "include y", "one", "many a ... b"]
        {
            assert!(read(&format!("mode global\n{row}\n")).is_err(), "{row}");
        }
        assert!(read("one x\n").is_err());
        assert!(read("mode a\nmode a\nmode b\n").is_err());
    }
}
