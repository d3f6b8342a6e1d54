//! A configuration as a tree: reading it, and writing it in canonical form.
//!
//! What a device prints decides by indentation what belongs to what; the few blocks that do not are known here. Next:
//! `merge` for lines that are still to be entered, `rules` for what lines mean.

use std::collections::HashMap;

use crate::physical::{self, Physical, Written};
use crate::{Platform, vlans};

/// A line and the lines below it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Node {
    /// The line without indentation. A value that goes on over several lines, as a banner's, is one text.
    pub text: String,
    /// What stands below it, in order.
    pub children: Vec<Node>,
    /// The line that closed it where it was read.
    pub(crate) closed_by: Option<String>,
}

impl Node {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// How many lines it has, itself included.
    pub fn lines(&self) -> usize {
        1 + self.children.iter().map(Self::lines).sum::<usize>()
    }
}

/// A device's configuration, understood as a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    platform: Platform,
    nodes: Vec<Node>,
}

/// Reads a configuration as a device prints it (`show running-config`). Every text can be read; what is no configuration
/// becomes lines without a meaning.
///
/// Volatile lines and comments are left out (rule T15), line ends and blanks at the end do not count, tabs are columns of
/// eight. VLAN lists become one section for each VLAN, and a list of allowed VLANs that goes on in a second line becomes one.
pub fn parse(platform: Platform, text: &str) -> Config {
    let mut reader = Reader { platform, open: Vec::new(), roots: Vec::new() };
    let mut lines = text.lines();
    while let Some(raw) = lines.next() {
        let line = Physical::of(raw);
        if physical::is_noise(platform, line.text) {
            continue;
        }
        reader.close_until(line.indent);
        if reader.open.is_empty()
            && let Some(delimiter) = physical::opens_banner(platform, line.text, Written::ByDevice)
        {
            let value = physical::banner_text(line.text, &delimiter, &mut lines);
            reader.roots.push(Node::new(value));
            continue;
        }
        if !reader.closes(line) {
            reader.open.push((line.indent, Node::new(line.text)));
        }
    }
    reader.close_until(0);
    let mut nodes = reader.roots;
    if matches!(platform, Platform::IosXe | Platform::NxOs) {
        join_allowed_vlans(&mut nodes);
        nodes = one_section_per_vlan(nodes);
    }
    Config { platform, nodes }
}

impl Config {
    pub(crate) fn from_nodes(platform: Platform, nodes: Vec<Node>) -> Self {
        Self { platform, nodes }
    }

    /// Whose configuration it is.
    pub fn platform(&self) -> Platform {
        self.platform
    }

    /// The lines without a parent, in order.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    pub(crate) fn nodes_mut(&mut self) -> &mut Vec<Node> {
        &mut self.nodes
    }

    /// How many lines it has.
    pub fn lines(&self) -> usize {
        self.nodes.iter().map(Node::lines).sum()
    }

    /// The canonical text: no volatile lines, no comments, one blank of indentation for each level (two on NX-OS), order kept.
    /// Two readings of an unchanged device give the same bytes; a digest of them is what a plan's baseline is (rule T15).
    pub fn text(&self) -> String {
        let mut out = String::new();
        for node in &self.nodes {
            write(&mut out, self.platform, 0, node);
        }
        out
    }
}

/// Blanks that a level is indented by.
pub(crate) fn indentation(platform: Platform) -> usize {
    if platform == Platform::NxOs { 2 } else { 1 }
}

fn write(out: &mut String, platform: Platform, depth: usize, node: &Node) {
    let column = depth * indentation(platform);
    write_line(out, column, &node.text);
    for child in &node.children {
        write(out, platform, depth + 1, child);
    }
    let own =
        physical::closing_of(platform, &node.text).filter(|_| node.closed_by.is_some() || !node.children.is_empty());
    if let Some(closing) = node.closed_by.as_deref().or(own) {
        write_line(out, column, closing);
    }
}

/// Writes a line at its column.
pub(crate) fn write_line(out: &mut String, column: usize, text: &str) {
    out.extend(std::iter::repeat_n(' ', column));
    out.push_str(text);
    out.push('\n');
}

/// The sections that are open while a text is read, each with its column.
struct Reader {
    platform: Platform,
    open: Vec<(usize, Node)>,
    roots: Vec<Node>,
}

impl Reader {
    /// Closes every section that a line at this column does not belong to.
    fn close_until(&mut self, indent: usize) {
        while self.open.last().is_some_and(|(column, _)| *column >= indent) {
            self.close();
        }
    }

    fn close(&mut self) {
        if let Some((_, node)) = self.open.pop() {
            match self.open.last_mut() {
                Some((_, parent)) => parent.children.push(node),
                None => self.roots.push(node),
            }
        }
    }

    /// Whether the line only closes something, or is kept in another place than its column says.
    fn closes(&mut self, line: Physical<'_>) -> bool {
        if line.text == "end" && self.open.is_empty() {
            return true;
        }
        if line.text == "quit" {
            // The end of a certificate stands further to the right than its digits.
            let Some(at) = self.open.iter().rposition(|(_, node)| node.text.starts_with("certificate ")) else {
                return false;
            };
            while self.open.len() > at + 1 {
                self.close();
            }
            if let Some((_, certificate)) = self.open.last_mut() {
                certificate.children.push(Node::new("quit"));
            }
            return true;
        }
        if !physical::is_closing(line.text) {
            return false;
        }
        // The section that it closes stood at the same column, or is still open above a closing line that is indented.
        let last = match self.open.last_mut() {
            Some((_, parent)) if own_closing(self.platform, parent, line.text) => Some(parent),
            Some((_, parent)) => parent.children.last_mut(),
            None => self.roots.last_mut(),
        };
        if let Some(section) = last
            && line.text != "exit"
        {
            section.closed_by = Some(line.text.to_owned());
        }
        true
    }
}

fn own_closing(platform: Platform, node: &Node, text: &str) -> bool {
    physical::closing_of(platform, &node.text) == Some(text)
}

/// `switchport trunk allowed vlan add 30` below a first list is the same list, which the device broke over two lines.
fn join_allowed_vlans(nodes: &mut [Node]) {
    const LIST: &str = "switchport trunk allowed vlan ";
    for interface in nodes.iter_mut().filter(|node| node.text.starts_with("interface ")) {
        let mut first: Option<usize> = None;
        let mut at = 0;
        while let Some(child) = interface.children.get(at) {
            let more = child.text.strip_prefix(LIST).map(|list| list.strip_prefix("add ").map(str::to_owned));
            match (more, first) {
                (Some(Some(list)), Some(into)) => {
                    if let Some(line) = interface.children.get_mut(into)
                        && let Some(joined) = line
                            .text
                            .strip_prefix(LIST)
                            .and_then(|old| Some(vlans::parse(old)?.with(&vlans::parse(&list)?)))
                    {
                        line.text = format!("{LIST}{joined}");
                        interface.children.remove(at);
                        continue;
                    }
                }
                (Some(None), None) => first = Some(at),
                _ => {}
            }
            at += 1;
        }
    }
}

/// `vlan 10,20-22` becomes a section for each VLAN; what a later section says about one of them goes there.
fn one_section_per_vlan(nodes: Vec<Node>) -> Vec<Node> {
    let mut out: Vec<Node> = Vec::with_capacity(nodes.len());
    let mut places: HashMap<u16, usize> = HashMap::new();
    for node in nodes {
        let list = node.text.strip_prefix("vlan ").and_then(vlans::parse);
        let Some(list) = list.filter(|list| list.len() == 1 || node.children.is_empty()) else {
            out.push(node);
            continue;
        };
        for id in list.ids() {
            let at = *places.entry(id).or_insert_with(|| {
                out.push(Node::new(format!("vlan {id}")));
                out.len() - 1
            });
            if let Some(section) = out.get_mut(at) {
                section.children.extend(node.children.iter().cloned());
            }
        }
    }
    out
}
