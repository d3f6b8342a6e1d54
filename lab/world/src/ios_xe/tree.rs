//! A running configuration as a tree of lines. Order is kept; `!` lines and the header are not part of it.
//!
//! Where next: [`super::merge`], which changes it.

/// One line and what stands below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// The line without indentation. A banner keeps its line breaks.
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
}

/// The rest of `line` after the whole words of `key`.
pub(crate) fn after<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    let rest = line.strip_prefix(key)?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix(' ') }
}

/// A whole configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    roots: Vec<Node>,
}

impl Config {
    /// Reads the text of a running configuration: one space of indentation per level.
    pub fn parse(text: &str) -> Self {
        let mut roots: Vec<Node> = Vec::new();
        let mut lines = text.lines();
        while let Some(raw) = lines.next() {
            let line = raw.trim_start_matches(' ');
            let depth = raw.len() - line.len();
            let line = line.trim_end();
            if line.is_empty() || line.starts_with('!') || is_header(line) || (depth == 0 && line == "end") {
                continue;
            }
            let mut line = line.to_owned();
            if let Some(mark) = banner_mark(&line).map(str::to_owned) {
                while line.matches(&mark).count() < 2 {
                    let Some(more) = lines.next() else { break };
                    line.push('\n');
                    line.push_str(more);
                }
            }
            let mut level = &mut roots;
            for _ in 0..depth {
                if level.is_empty() {
                    break;
                }
                let last = level.len() - 1;
                level = &mut level[last].children;
            }
            level.push(Node::leaf(line));
        }
        Self { roots }
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

    /// The lines of the block at `path` (header lines from the root), for change.
    pub(crate) fn lines_at(&mut self, path: &[String]) -> Option<&mut Vec<Node>> {
        let mut level = &mut self.roots;
        for header in path {
            level = &mut level.iter_mut().find(|node| node.line == *header)?.children;
        }
        Some(level)
    }

    /// The body as the device prints it between the header and `end`.
    pub fn text(&self) -> String {
        let mut out = String::with_capacity(self.roots.len() * 80);
        let mut previous_family = "";
        for node in &self.roots {
            let family = node.line.split(' ').next().unwrap_or_default();
            if !node.children.is_empty() || family != previous_family {
                out.push_str("!\n");
            }
            previous_family = if node.children.is_empty() { family } else { "" };
            write_node(&mut out, node, 0);
        }
        out.push_str("!\n");
        out
    }
}

fn write_node(out: &mut String, node: &Node, depth: usize) {
    out.extend(std::iter::repeat_n(' ', depth));
    out.push_str(&node.line);
    out.push('\n');
    for child in &node.children {
        write_node(out, child, depth + 1);
    }
}

fn is_header(line: &str) -> bool {
    line.starts_with("Building configuration") || line.starts_with("Current configuration")
}

/// The delimiter of a banner line: the two characters `^C`, or the first character of the text.
pub(crate) fn banner_mark(line: &str) -> Option<&str> {
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

    #[test]
    fn text_survives_a_round_trip_with_blocks_and_banners() {
        let text = "hostname a\ninterface Gi1\n description x\n shutdown\nrouter bgp 1\n address-family ipv4\n  network 10.0.0.0\n exit-address-family\nbanner login ^C\nkeep out\n  please\n^C\nend\n";
        let config = Config::parse(text);
        assert_eq!(config.roots().len(), 4);
        assert_eq!(config, Config::parse(&config.text()));
        assert_eq!(config.value("hostname"), Some("a"));
        assert!(config.text().contains("keep out\n  please\n^C"));
        assert!(config.text().contains("  network 10.0.0.0\n exit-address-family"));
    }
}
