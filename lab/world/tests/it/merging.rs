//! The form of the tables of line semantics: what stands there, what is entered, what stands there afterwards. Each operating
//! system has its own.

use interlock_world::lines::{Config, Merge, Node, merge};

/// Lines entered, lines that must be there afterwards (as printed, each level by one space), lines that must not.
pub(crate) type Accepted = (&'static str, &'static [&'static str], &'static [&'static str]);

/// Lines entered, the rejected line, a part of the device's message, a line that must be there all the same.
pub(crate) type Rejected = (&'static str, &'static str, &'static str, &'static str);

/// Every line with one space of indentation per level, whatever the operating system prints.
pub(crate) fn levelled(config: &Config) -> Vec<String> {
    fn walk(nodes: &[Node], depth: usize, out: &mut Vec<String>) {
        for node in nodes {
            for (at, line) in node.line.lines().enumerate() {
                out.push(format!("{}{line}", if at == 0 { " ".repeat(depth) } else { String::new() }));
            }
            walk(&node.children, depth + 1, out);
        }
    }
    let mut out = Vec::new();
    walk(config.roots(), 0, &mut out);
    out
}

pub(crate) fn enter(base: &Config, entered: &str) -> Merge {
    merge(base, entered.lines())
}

pub(crate) fn check_accepted(base: &Config, cases: &[Accepted]) {
    let mut failed = Vec::new();
    for (entered, there, gone) in cases {
        let merged = enter(base, entered);
        if let Some(refused) = merged.first_error() {
            failed.push(format!("{entered:?} is refused: {refused:?}"));
        }
        let lines = levelled(&merged.config);
        failed.extend(
            there
                .iter()
                .filter(|line| !lines.iter().any(|held| held == *line))
                .map(|line| format!("{entered:?} lacks {line:?}")),
        );
        failed.extend(
            gone.iter()
                .filter(|line| lines.iter().any(|held| held == *line))
                .map(|line| format!("{entered:?} keeps {line:?}")),
        );
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

pub(crate) fn check_rejected(base: &Config, cases: &[Rejected]) {
    let mut failed = Vec::new();
    for (entered, rejected, message, there) in cases {
        let merged = enter(base, entered);
        let errors: Vec<_> = merged.outcomes.iter().filter(|outcome| outcome.error.is_some()).collect();
        match errors.as_slice() {
            [one] if one.line == *rejected && one.error.as_deref().unwrap().contains(message) => {}
            other => failed.push(format!("{entered:?}: {other:?}")),
        }
        if !levelled(&merged.config).iter().any(|held| held == there) {
            failed.push(format!("{entered:?} lacks {there:?}"));
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

/// The order of lines that begin with one of `leads`.
pub(crate) fn order(config: &Config, leads: &[&str]) -> Vec<String> {
    levelled(config).into_iter().filter(|line| leads.iter().any(|lead| line.starts_with(lead))).collect()
}
