//! What differs between two configurations, section by section. Order counts only where it means something: in lists
//! without numbers, in policies, in blocks of text. Next: [`crate::undo`], which asks for the lines that mend a difference.

use std::collections::{BTreeSet, HashMap};

use crate::config::{Node, indentation};
use crate::rules::{Hit, Keyed, Kind, Mode, Table, keyed};
use crate::{Config, Platform, mask_changed, mask_line, vlans};

/// Everything in which two configurations differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diff {
    platform: Platform,
    /// In the order of the second configuration; what is gone stands where it stood.
    pub changes: Vec<Change>,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A line that is gone, with all that stood below it.
    Removed(Node),
    /// A line that is new, with all that stands below it.
    Added(Node),
    /// A section that both have.
    Inside {
        /// Its line.
        section: String,
        /// Its line before, where it was another.
        was: Option<String>,
        /// What differs in it.
        changes: Vec<Change>,
    },
}

/// Compares two configurations of one platform. Lines that say no more than their absence would, such as `no ip address`,
/// make no difference.
pub fn diff(before: &Config, after: &Config) -> Diff {
    let mode = Table::of(after.platform()).root();
    Diff { platform: after.platform(), changes: level(after.platform(), mode, before.nodes(), after.nodes()) }
}

/// Lines of one section with what they mean there.
pub(crate) struct Items<'n> {
    pub(crate) nodes: &'n [Node],
    pub(crate) keys: Vec<Keyed<'static>>,
    /// The slot of each, told apart from equal ones before it.
    slots: Vec<(String, usize)>,
}

impl<'n> Items<'n> {
    pub(crate) fn of(mode: Option<&'static Mode>, nodes: &'n [Node]) -> Self {
        let keys: Vec<Keyed<'static>> = nodes.iter().map(|node| keyed(mode, &node.text)).collect();
        let mut seen: HashMap<&str, usize> = HashMap::new();
        let slots = keys.iter().map(|key| {
            let count = seen.entry(key.slot.as_str()).or_default();
            *count += 1;
            (key.slot.clone(), *count)
        });
        let slots = slots.collect();
        Self { nodes, keys, slots }
    }

    /// Whether a line says no more than its absence would.
    pub(crate) fn is_silent(&self, at: usize) -> bool {
        let (Some(node), Some(key)) = (self.nodes.get(at), self.keys.get(at)) else { return false };
        key.is_silent() || node.children.is_empty() && key.is_given()
    }

    fn ordered_among(&self, mode: Option<&Mode>, at: usize) -> Option<String> {
        if mode.is_some_and(|mode| mode.raw) {
            return Some(String::new());
        }
        self.keys.get(at)?.ordered_among()
    }

    /// Places of the members of each ordered list, in order.
    pub(crate) fn lists(&self, mode: Option<&Mode>) -> HashMap<String, Vec<usize>> {
        let mut lists: HashMap<String, Vec<usize>> = HashMap::new();
        for at in 0..self.nodes.len() {
            if let Some(list) = self.ordered_among(mode, at) {
                lists.entry(list).or_default().push(at);
            }
        }
        lists
    }
}

/// Which line of the second is the same one, for each line of the first.
pub(crate) fn pairs(mode: Option<&Mode>, before: &Items<'_>, after: &Items<'_>) -> Vec<Option<usize>> {
    let places: HashMap<&(String, usize), usize> =
        after.slots.iter().enumerate().map(|(at, slot)| (slot, at)).collect();
    let mut pairs: Vec<Option<usize>> = before.slots.iter().map(|slot| places.get(slot).copied()).collect();
    let others = after.lists(mode);
    for (list, own) in before.lists(mode) {
        let other = others.get(&list).map(Vec::as_slice).unwrap_or_default();
        for at in &own {
            if let Some(pair) = pairs.get_mut(*at) {
                *pair = None;
            }
        }
        let same = |left: usize, right: usize| {
            before.keys.get(left).map(|key| &key.slot) == after.keys.get(right).map(|key| &key.slot)
        };
        for (left, right) in longest_common(&own, other, same) {
            if let Some(pair) = pairs.get_mut(left) {
                *pair = Some(right);
            }
        }
    }
    pairs
}

/// The longest sequence that two lists have in common. Lists too long to be compared line by line are compared at their
/// ends only.
fn longest_common(left: &[usize], right: &[usize], same: impl Fn(usize, usize) -> bool) -> Vec<(usize, usize)> {
    /// Cells of the table; 4 million take 16 MiB for a moment.
    const MOST: usize = 4_000_000;
    let both = left.iter().zip(right).take_while(|(l, r)| same(**l, **r)).count();
    let tail = left.iter().skip(both).rev().zip(right.iter().skip(both).rev());
    let end = tail.take_while(|(l, r)| same(**l, **r)).count();
    let mut found: Vec<(usize, usize)> = left.iter().copied().zip(right.iter().copied()).take(both).collect();
    let (mid_left, mid_right) =
        (left.get(both..left.len() - end).unwrap_or_default(), right.get(both..right.len() - end).unwrap_or_default());
    let width = mid_right.len() + 1;
    if (mid_left.len() + 1).saturating_mul(width) <= MOST {
        let mut table = vec![0_u32; (mid_left.len() + 1) * width];
        let cell = |table: &[u32], row: usize, column: usize| table.get(row * width + column).copied().unwrap_or(0);
        for (row, l) in mid_left.iter().enumerate().rev() {
            for (column, r) in mid_right.iter().enumerate().rev() {
                let value = if same(*l, *r) {
                    cell(&table, row + 1, column + 1) + 1
                } else {
                    cell(&table, row + 1, column).max(cell(&table, row, column + 1))
                };
                if let Some(place) = table.get_mut(row * width + column) {
                    *place = value;
                }
            }
        }
        let (mut row, mut column) = (0, 0);
        while let (Some(l), Some(r)) = (mid_left.get(row), mid_right.get(column)) {
            if same(*l, *r) {
                found.push((*l, *r));
                row += 1;
                column += 1;
            } else if cell(&table, row + 1, column) >= cell(&table, row, column + 1) {
                row += 1;
            } else {
                column += 1;
            }
        }
    }
    let ends = left.iter().skip(left.len() - end).copied().zip(right.iter().skip(right.len() - end).copied());
    found.extend(ends);
    found
}

/// The mode below a line.
pub(crate) fn below(platform: Platform, mode: Option<&'static Mode>, key: &Keyed<'static>) -> Option<&'static Mode> {
    if mode.is_some_and(|mode| mode.raw) {
        return mode;
    }
    Table::of(platform).opened_by(key.hit.as_ref()?.rule)
}

fn level(platform: Platform, mode: Option<&'static Mode>, before: &[Node], after: &[Node]) -> Vec<Change> {
    let (old, new) = (Items::of(mode, before), Items::of(mode, after));
    let pairs = pairs(mode, &old, &new);
    let mut partner: Vec<Option<usize>> = vec![None; after.len()];
    for (left, right) in pairs.iter().enumerate() {
        if let Some(place) = right.and_then(|right| partner.get_mut(right)) {
            *place = Some(left);
        }
    }
    let mut changes = Vec::new();
    let mut shown = 0;
    let gone = |changes: &mut Vec<Change>, shown: &mut usize, until: usize| {
        while *shown < until {
            if let (Some(None), Some(node), false) = (pairs.get(*shown), before.get(*shown), old.is_silent(*shown)) {
                changes.push(Change::Removed(node.clone()));
            }
            *shown += 1;
        }
    };
    for (at, ((node, key), left)) in after.iter().zip(&new.keys).zip(&partner).enumerate() {
        let Some((left, was, old_key)) = left.and_then(|at| Some((at, before.get(at)?, old.keys.get(at)?))) else {
            if !new.is_silent(at) {
                changes.push(Change::Added(node.clone()));
            }
            continue;
        };
        gone(&mut changes, &mut shown, left);
        changes.extend(same_slot(platform, mode, (was, old_key), (node, key)));
    }
    gone(&mut changes, &mut shown, before.len());
    changes
}

/// Two lines of one slot: another value, or another inside.
fn same_slot(
    platform: Platform,
    mode: Option<&'static Mode>,
    (was, old): (&Node, &Keyed<'static>),
    (node, new): (&Node, &Keyed<'static>),
) -> Vec<Change> {
    let inside = level(platform, below(platform, mode, new), &was.children, &node.children);
    if was.text == node.text || same_set(old, new) {
        if inside.is_empty() {
            return Vec::new();
        }
        return vec![Change::Inside { section: node.text.clone(), was: None, changes: inside }];
    }
    match (old.is_silent(), new.is_silent()) {
        (true, true) => Vec::new(),
        (true, false) => vec![Change::Added(node.clone())],
        (false, true) => vec![Change::Removed(was.clone())],
        (false, false) if was.children.is_empty() && node.children.is_empty() => {
            vec![Change::Removed(was.clone()), Change::Added(node.clone())]
        }
        (false, false) => {
            vec![Change::Inside { section: node.text.clone(), was: Some(was.text.clone()), changes: inside }]
        }
    }
}

/// Whether two lines name the same set, in another order or another spelling.
fn same_set(old: &Keyed<'_>, new: &Keyed<'_>) -> bool {
    let (Some(left), Some(right)) = (&old.hit, &new.hit) else { return false };
    if old.negated != new.negated {
        return false;
    }
    match left.rule.kind {
        Kind::Words => {
            let sorted = |hit: &Hit<'_>| hit.full.iter().skip(hit.value_at).cloned().collect::<BTreeSet<_>>();
            sorted(left) == sorted(right)
        }
        Kind::Vlans => vlans::parse(&left.value()).is_some_and(|set| vlans::parse(&right.value()) == Some(set)),
        _ => false,
    }
}

impl Diff {
    /// Whether the configurations say the same.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// How many lines are gone, and how many are new.
    pub fn counts(&self) -> (usize, usize) {
        let mut counts = (0, 0);
        count(&self.changes, &mut counts);
        counts
    }

    /// As an engineer reads it: `-` before what is gone, `+` before what is new, and the sections around it.
    pub fn text(&self) -> String {
        let mut out = String::new();
        write(&mut out, self.platform, 0, &self.changes);
        out
    }

    /// The same with secrets hidden. Values are compared before they are hidden: a changed secret shows as changed (rule T27).
    pub fn masked_text(&self) -> String {
        let mut out = String::new();
        write(&mut out, self.platform, 0, &masked(self.platform, &mut Vec::new(), &self.changes));
        out
    }

    /// The same difference with secrets hidden in every line.
    pub fn masked(&self) -> Self {
        Self { platform: self.platform, changes: masked(self.platform, &mut Vec::new(), &self.changes) }
    }
}

fn count(changes: &[Change], counts: &mut (usize, usize)) {
    for change in changes {
        match change {
            Change::Removed(node) => counts.0 += node.lines(),
            Change::Added(node) => counts.1 += node.lines(),
            Change::Inside { was, changes, .. } => {
                counts.0 += usize::from(was.is_some());
                counts.1 += usize::from(was.is_some());
                count(changes, counts);
            }
        }
    }
}

fn write(out: &mut String, platform: Platform, depth: usize, changes: &[Change]) {
    for change in changes {
        match change {
            Change::Removed(node) => write_node(out, platform, depth, '-', node),
            Change::Added(node) => write_node(out, platform, depth, '+', node),
            Change::Inside { section, was, changes } => {
                match was {
                    Some(was) => {
                        write_text(out, platform, depth, '-', was);
                        write_text(out, platform, depth, '+', section);
                    }
                    None => write_text(out, platform, depth, ' ', section),
                }
                write(out, platform, depth + 1, changes);
            }
        }
    }
}

fn write_node(out: &mut String, platform: Platform, depth: usize, sign: char, node: &Node) {
    write_text(out, platform, depth, sign, &node.text);
    for child in &node.children {
        write_node(out, platform, depth + 1, sign, child);
    }
}

fn write_text(out: &mut String, platform: Platform, depth: usize, sign: char, text: &str) {
    for line in text.split('\n') {
        out.push(sign);
        out.extend(std::iter::repeat_n(' ', depth * indentation(platform)));
        out.push_str(line);
        out.push('\n');
    }
}

fn masked<'c>(platform: Platform, parents: &mut Vec<&'c str>, changes: &'c [Change]) -> Vec<Change> {
    let mut out: Vec<Change> = Vec::with_capacity(changes.len());
    let mut gone: Option<&str> = None;
    for change in changes {
        let was_gone = gone.take();
        out.push(match change {
            Change::Removed(node) => {
                gone = Some(node.text.as_str()).filter(|_| node.children.is_empty());
                Change::Removed(masked_node(platform, parents, node))
            }
            Change::Added(node) => {
                let mut shown = masked_node(platform, parents, node);
                let changed = was_gone.and_then(|was| mask_changed(platform, parents, was, &node.text));
                if let Some(text) = changed.filter(|_| !node.text.contains('\n')) {
                    shown.text = text;
                }
                Change::Added(shown)
            }
            Change::Inside { section, was, changes } => {
                let was = was.as_deref().map(|was| masked_text(platform, parents, was));
                let shown = masked_text(platform, parents, section);
                parents.push(section);
                let changes = masked(platform, parents, changes);
                parents.pop();
                Change::Inside { section: shown, was, changes }
            }
        });
    }
    out
}

/// Some words are a secret only below certain sections.
fn masked_node<'c>(platform: Platform, parents: &mut Vec<&'c str>, node: &'c Node) -> Node {
    let text = masked_text(platform, parents, &node.text);
    parents.push(&node.text);
    let children = node.children.iter().map(|child| masked_node(platform, parents, child)).collect();
    parents.pop();
    Node { text, children, closed_by: None }
}

fn masked_text(platform: Platform, parents: &[&str], text: &str) -> String {
    let line = |line: &str| mask_line(platform, parents, line).unwrap_or_else(|| line.to_owned());
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::diff;
    use crate::{Platform, parse};

    fn compared(before: &str, after: &str) -> super::Diff {
        diff(&parse(Platform::IosXe, before), &parse(Platform::IosXe, after))
    }

    #[test]
    fn t27_a_changed_secret_shows_as_changed_and_nowhere_as_itself() {
        let before = "tacacs server A\n key 7 0011\n timeout 4\nusername a secret 9 $9$old\n";
        let after = "tacacs server A\n key 7 0022\n timeout 5\nusername a secret 9 $9$new\n";
        let found = compared(before, after);
        assert!(found.text().contains("0022") && found.text().contains("$9$old"));
        let shown = found.masked_text();
        assert!(!["0011", "0022", "$9$"].iter().any(|secret| shown.contains(secret)), "{shown}");
        assert_eq!(shown.matches("changed (masked)").count(), 2, "{shown}");
        assert!(shown.contains("+ timeout 5"), "{shown}");
    }

    #[test]
    fn order_counts_only_where_it_means_something() {
        let lines = |a: &str, b: &str| format!("interface Vlan1\n {a}\n {b}\n");
        let (name, address) = ("description x", "ip address 10.0.0.1 255.255.255.0");
        assert!(compared(&lines(name, address), &lines(address, name)).is_empty());
        let list = |a: &str, b: &str| format!("ip access-list extended A\n {a}\n {b}\n");
        let moved =
            compared(&list("permit ip any any", "deny tcp any any"), &list("deny tcp any any", "permit ip any any"));
        assert_eq!(moved.counts(), (1, 1));
        assert_eq!(moved.text().lines().next(), Some(" ip access-list extended A"));
    }
}
