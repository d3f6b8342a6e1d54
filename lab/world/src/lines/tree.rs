//! A running configuration as a tree of lines, read and printed in the form of its operating system. Order is kept;
//! separators and headers are not part of it.
//!
//! Where next: [`super::session`], which changes it.

use crate::lines::entries::{vlan_list, vlan_text};
use crate::os::Os;

/// One line and what stands below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// The line without indentation. A banner or a policy keeps its line breaks.
    pub line: String,
    /// Lines of its block.
    pub children: Vec<Node>,
}

impl Node {
    /// A line without a block.
    pub fn leaf(line: impl Into<String>) -> Self {
        Self { line: line.into(), children: Vec::new() }
    }

    /// The text after `key` of the first child that begins with it.
    pub fn child_value(&self, key: &str) -> Option<&str> {
        self.children.iter().find_map(|child| after(&child.line, key))
    }

    /// Whether its block holds exactly this line.
    pub fn has(&self, line: &str) -> bool {
        self.children.iter().any(|child| child.line == line)
    }

    /// The child whose line is exactly this.
    pub fn child(&self, line: &str) -> Option<&Node> {
        self.children.iter().find(|child| child.line == line)
    }
}

/// The line that ends an address family of IOS-XE.
const FAMILY_END: &str = "exit-address-family";

/// The rest of `line` after the whole words of `key`.
pub(crate) fn after<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    let rest = line.strip_prefix(key)?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix([' ', '\n']) }
}

/// A whole configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    os: Os,
    roots: Vec<Node>,
}

impl Config {
    /// Reads the text of a running configuration in the indentation of its operating system.
    pub fn parse(os: Os, text: &str) -> Self {
        let mut config = Self { os, roots: Vec::new() };
        let unit = if os == Os::NxOs { 2 } else { 1 };
        // The block that indented lines belong to: the last one, or one that was printed before.
        let mut current = 0;
        let mut lines = text.lines();
        while let Some(raw) = lines.next() {
            let line = raw.trim_start_matches(' ');
            let depth = (raw.len() - line.len()) / unit;
            let line = line.trim_end();
            if line.is_empty() || is_frame(os, line) || (depth == 0 && line == "end") {
                continue;
            }
            let line = gather(os, line, &mut lines);
            if depth == 0 {
                current = config.begin(line);
                continue;
            }
            let Some(mut node) = config.roots.get_mut(current) else {
                current = config.begin(line);
                continue;
            };
            for _ in 1..depth {
                if node.children.is_empty() {
                    break;
                }
                let last = node.children.len() - 1;
                node = &mut node.children[last];
            }
            // The end of an address family is printed beside its head and belongs into it.
            if line == FAMILY_END && node.children.last().is_some_and(|child| child.line.starts_with("address-family"))
            {
                let last = node.children.len() - 1;
                node = &mut node.children[last];
            }
            node.children.push(Node::leaf(line));
        }
        config
    }

    /// Takes a top-level line and says where it stands. Some are printed in two places, and some are several in one.
    fn begin(&mut self, line: String) -> usize {
        let known = |roots: &[Node], line: &str| roots.iter().position(|node| node.line == line);
        match self.os {
            Os::NxOs => {
                if let Some(ids) = line.strip_prefix("vlan ").and_then(vlan_list) {
                    let mut at = 0;
                    for id in ids.into_iter().filter(|id| *id != 1) {
                        let header = format!("vlan {id}");
                        at = known(&self.roots, &header).unwrap_or(self.roots.len());
                        if at == self.roots.len() {
                            self.roots.push(Node::leaf(header));
                        }
                    }
                    return at;
                }
            }
            Os::Asa if line.starts_with("object network ") => {
                if let Some(at) = known(&self.roots, &line) {
                    return at;
                }
            }
            _ => {}
        }
        self.roots.push(Node::leaf(line));
        self.roots.len() - 1
    }

    /// An empty configuration.
    pub fn empty(os: Os) -> Self {
        Self { os, roots: Vec::new() }
    }

    /// Its operating system.
    pub fn os(&self) -> Os {
        self.os
    }

    /// Top-level lines in order.
    pub fn roots(&self) -> &[Node] {
        &self.roots
    }

    /// The block whose header is exactly these words, joined with spaces.
    pub fn block(&self, words: &[&str]) -> Option<&Node> {
        let line = words.join(" ");
        self.roots.iter().find(|node| node.line == line)
    }

    /// The text after `key` of the first top-level line that begins with it.
    pub fn value(&self, key: &str) -> Option<&str> {
        self.roots.iter().find_map(|node| after(&node.line, key))
    }

    /// Whether a top-level line begins with these whole words.
    pub fn has(&self, key: &str) -> bool {
        self.value(key).is_some()
    }

    /// The lines of the block at `path` (header lines from the root), for change.
    pub(crate) fn lines_at(&mut self, path: &[String]) -> Option<&mut Vec<Node>> {
        let mut level = &mut self.roots;
        for header in path {
            level = &mut level.iter_mut().find(|node| node.line == *header)?.children;
        }
        Some(level)
    }

    /// The body as the device prints it between the header and the last line.
    pub fn text(&self) -> String {
        let mut out = String::with_capacity(self.roots.len() * 80);
        match self.os {
            Os::IosXe => self.print_xe(&mut out),
            Os::NxOs => self.print_nx(&mut out),
            Os::IosXr => {
                for node in &self.roots {
                    print_xr(&mut out, node, 0);
                }
            }
            Os::Asa => self.print_asa(&mut out),
        }
        out
    }

    fn print_xe(&self, out: &mut String) {
        let mut previous_family = "";
        for node in &self.roots {
            let family = node.line.split(' ').next().unwrap_or_default();
            if !node.children.is_empty() || family != previous_family {
                out.push_str("!\n");
            }
            previous_family = if node.children.is_empty() { family } else { "" };
            print_node(out, node, 0, 1);
        }
        out.push_str("!\n");
    }

    fn print_nx(&self, out: &mut String) {
        let ids: Vec<u16> =
            self.roots.iter().filter_map(|node| node.line.strip_prefix("vlan ")?.parse().ok()).collect();
        let mut listed = false;
        let mut previous_family = "";
        for node in &self.roots {
            let family = node.line.split(' ').next().unwrap_or_default();
            if family == "vlan" && node.line.strip_prefix("vlan ").is_some_and(|id| id.parse::<u16>().is_ok()) {
                if !listed {
                    let mut all = ids.clone();
                    all.push(1);
                    all.sort_unstable();
                    out.push_str(&format!("vlan {}\n", vlan_text(self.os, &all)));
                    listed = true;
                }
                if node.children.is_empty() {
                    continue;
                }
            } else if !node.children.is_empty() || family == "interface" || family != previous_family {
                out.push('\n');
            }
            previous_family = if node.children.is_empty() { family } else { "" };
            print_node(out, node, 0, 2);
        }
    }

    /// Address translation of objects is printed apart from what they are, behind the access lists.
    fn print_asa(&self, out: &mut String) {
        let is_nat = |child: &Node| child.line.starts_with("nat ");
        let mut translations: Vec<Node> = self
            .roots
            .iter()
            .filter(|node| node.line.starts_with("object network ") && node.children.iter().any(is_nat))
            .cloned()
            .collect();
        for node in &mut translations {
            node.children.retain(is_nat);
        }
        let behind = ["access-group ", "router ", "route ", "timeout ", "aaa", "user-identity", "http", "snmp-server"];
        for node in &self.roots {
            if behind.iter().any(|lead| node.line.starts_with(lead)) {
                for held in translations.drain(..) {
                    out.push_str("!\n");
                    print_node(out, &held, 0, 1);
                }
            }
            if node.line.starts_with("interface ") {
                out.push_str("!\n");
            }
            let mut shown = node.clone();
            if node.line.starts_with("object network ") {
                shown.children.retain(|child| !is_nat(child));
            }
            print_node(out, &shown, 0, 1);
        }
        for held in translations {
            out.push_str("!\n");
            print_node(out, &held, 0, 1);
        }
    }
}

fn print_node(out: &mut String, node: &Node, depth: usize, unit: usize) {
    let shown = if node.line == FAMILY_END { depth.saturating_sub(1) } else { depth };
    out.extend(std::iter::repeat_n(' ', shown * unit));
    out.push_str(&node.line);
    out.push('\n');
    for child in &node.children {
        print_node(out, child, depth + 1, unit);
    }
}

/// Every block ends with a mark in its own column; so does a text of several lines.
fn print_xr(out: &mut String, node: &Node, depth: usize) {
    print_line(out, &node.line, depth);
    for child in &node.children {
        print_xr(out, child, depth + 1);
    }
    if !node.children.is_empty() || node.line.contains('\n') || node.line.starts_with("interface ") {
        print_line(out, "!", depth);
    }
}

fn print_line(out: &mut String, line: &str, depth: usize) {
    out.extend(std::iter::repeat_n(' ', depth));
    out.push_str(line);
    out.push('\n');
}

/// Whether a line belongs to the frame that `show` prints around a configuration.
fn is_frame(os: Os, line: &str) -> bool {
    let lead = |words: &str| line.starts_with(words);
    lead("!")
        || lead("Building configuration")
        || lead("Current configuration")
        || (os == Os::Asa && (lead(":") || lead("ASA Version ") || lead("Cryptochecksum:")))
}

/// Takes the further lines of a banner or a policy out of `lines` and joins them to the first.
pub(crate) fn gather<'a>(os: Os, line: &str, lines: &mut impl Iterator<Item = &'a str>) -> String {
    let mut whole = line.to_owned();
    if let Some(mark) = banner_mark(os, line).map(str::to_owned) {
        while whole.matches(&mark).count() < 2 {
            let Some(more) = lines.next() else { break };
            whole.push('\n');
            whole.push_str(more);
        }
    } else if let Some(last) = policy_end(os, line) {
        let mut depth = 1;
        for more in lines {
            let more = more.trim();
            if more.is_empty() || more.starts_with('!') {
                continue;
            }
            // The device indents the text anew: by two spaces, and two more below each `if`.
            if ["endif", "else", "elseif"].iter().any(|word| after(more, word).is_some()) {
                depth -= usize::from(depth > 1);
            }
            whole.push('\n');
            if more == last {
                whole.push_str(last);
                break;
            }
            whole.extend(std::iter::repeat_n(' ', 2 * depth));
            whole.push_str(more);
            if more.ends_with(" then") || more == "else" {
                depth += 1;
            }
        }
    }
    whole
}

/// The line that ends a policy or a set of IOS-XR which `line` begins.
fn policy_end(os: Os, line: &str) -> Option<&'static str> {
    if os != Os::IosXr || line.contains('\n') {
        return None;
    }
    match line.split(' ').next()? {
        "route-policy" if line.split(' ').count() == 2 => Some("end-policy"),
        "prefix-set" | "as-path-set" | "community-set" | "extcommunity-set" => Some("end-set"),
        _ => None,
    }
}

/// The delimiter of a banner line: the two characters `^C`, or the first character of the text.
fn banner_mark(os: Os, line: &str) -> Option<&str> {
    if os == Os::Asa {
        return None;
    }
    let rest = line.strip_prefix("banner ")?;
    let (_, text) = rest.split_once(' ')?;
    let text = text.trim_start();
    if text.starts_with("^C") {
        text.get(..2)
    } else {
        text.char_indices().nth(1).map_or(Some(text), |(at, _)| text.get(..at))
    }
}

#[cfg(test)]
mod tests {
    use super::Config;
    use crate::os::Os;

    #[test]
    fn text_survives_a_round_trip_with_blocks_and_banners() {
        let text = "hostname a\ninterface Gi1\n description x\n shutdown\nrouter bgp 1\n address-family ipv4\n  network 10.0.0.0\n exit-address-family\nbanner login ^C\nkeep out\n  please\n^C\nend\n";
        let config = Config::parse(Os::IosXe, text);
        assert_eq!(config.roots().len(), 4);
        assert_eq!(config, Config::parse(Os::IosXe, &config.text()));
        assert_eq!(config.value("hostname"), Some("a"));
        assert!(config.text().contains("keep out\n  please\n^C"));
        assert!(config.text().contains("  network 10.0.0.0\n exit-address-family"));
    }

    #[test]
    fn nx_os_lists_its_vlans_before_their_blocks() {
        let config = Config::parse(Os::NxOs, "vlan 1,10,20-21\nvlan 10\n  name DATA\nvlan 20\n  name VOICE\n");
        assert_eq!(config.block(&["vlan", "20"]).and_then(|vlan| vlan.child_value("name")), Some("VOICE"));
        let text = config.text();
        assert!(text.contains("vlan 1,10,20-21\nvlan 10\n  name DATA\nvlan 20\n  name VOICE\n"), "{text}");
        assert!(!text.contains("vlan 21\n"));
    }

    #[test]
    fn ios_xr_marks_the_end_of_blocks_and_indents_policies_anew() {
        let text = "hostname r\nroute-policy P\nif destination in (10.0.0.0/8) then\npass\nelse\ndrop\nendif\nend-policy\nrouter bgp 1\n neighbor 10.0.0.1\n  remote-as 2\n";
        let config = Config::parse(Os::IosXr, text);
        let printed = config.text();
        assert!(printed.contains("route-policy P\n  if destination in (10.0.0.0/8) then\n    pass\n  else\n    drop\n  endif\nend-policy\n!\n"), "{printed}");
        assert!(printed.contains("router bgp 1\n neighbor 10.0.0.1\n  remote-as 2\n !\n!\n"), "{printed}");
        assert_eq!(Config::parse(Os::IosXr, &printed), config);
    }

    #[test]
    fn asa_prints_translations_of_objects_apart() {
        let text = "object network WEB\n host 10.0.0.5\naccess-list A extended permit ip any any\nobject network WEB\n nat (inside,outside) static 203.0.113.5\naccess-group A in interface outside\n";
        let config = Config::parse(Os::Asa, text);
        let printed = config.text();
        assert!(printed.find("host 10.0.0.5").unwrap() < printed.find("access-list A").unwrap());
        assert!(printed.find("access-list A").unwrap() < printed.find("nat (inside").unwrap());
        assert!(printed.find("nat (inside").unwrap() < printed.find("access-group").unwrap());
    }
}
