//! Rules about the text of any committed file: no promises for later, nothing that works on one machine only.

use super::{Finding, SourceFile};

/// A promise for later belongs in the tracker, where somebody sees it.
const LATER: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:")];

/// Folders of one person's or one builder's machine.
const MACHINE: &[&str] = &[concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/Us", "ers/"), concat!("/wo", "rk/")];

/// Where packages come from is the client's own configuration, never the repository's.
const HOSTS: &[&str] = &[
    concat!("registry.npm", "js.org"),
    concat!("pypi.", "org/simple"),
    concat!("files.python", "hosted.org"),
    concat!("index.crates", ".io"),
    concat!("static.crates", ".io"),
    concat!("proxy.golang", ".org"),
    concat!("/artifactory", "/"),
];

pub(super) fn check(files: &[SourceFile]) -> Vec<Finding> {
    files
        .iter()
        .flat_map(|f| f.text.lines().enumerate().filter_map(|(at, line)| judge(&f.path, at + 1, line)))
        .collect()
}

fn judge(path: &str, number: usize, line: &str) -> Option<Finding> {
    let place = format!("{path}:{number}");
    if let Some(word) = LATER.iter().find(|w| has_word(line, w)) {
        return Some(Finding::fail(place, format!("says {word}; do it now or put it into the tracker")));
    }
    if let Some(folder) = MACHINE.iter().find(|m| starts_path(line, m)) {
        return Some(Finding::fail(place, format!("names {folder}, a folder of one machine")));
    }
    if let Some(host) = HOSTS.iter().find(|h| line.contains(**h)) {
        return Some(Finding::fail(
            place,
            format!("names the package host {host}; leave that to the client's configuration"),
        ));
    }
    let lock = path.ends_with("package-lock.json") || path.ends_with("npm-shrinkwrap.json");
    if lock && line.trim_start().starts_with("\"resolved\"") {
        return Some(Finding::fail(
            place,
            "a lock file that names where a package was fetched; lock with `omit-lockfile-registry-resolved`",
        ));
    }
    None
}

fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        let part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        !part(before) && !part(after)
    })
}

/// Whether an absolute path begins with this folder somewhere in the line; `example.org/home/x` is a URL, not a path.
fn starts_path(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        line[..at].chars().next_back().is_none_or(|c| !(c.is_alphanumeric() || "-_.~/}>)$*".contains(c)))
    })
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::SourceFile;

    fn count(path: &str, text: &str) -> usize {
        check(&[SourceFile { path: path.to_owned(), text: text.to_owned() }]).len()
    }

    #[test]
    fn promises_machine_folders_package_hosts_and_resolved_locks_are_flagged() {
        for (path, text) in [
            ("a.rs", concat!("// TO", "DO: later")),
            ("a.md", concat!("FIX", "ME")),
            ("a.toml", concat!("path = \"/ho", "me/ann/x\"")),
            ("a.sh", concat!("cd /ro", "ot/x")),
            ("a.sh", concat!("A=/wo", "rk/target")),
            ("pip.conf", concat!("index-url = https://pypi.", "org/simple")),
            ("console/package-lock.json", "      \"resolved\": \"somewhere\","),
        ] {
            assert_eq!(count(path, text), 1, "{text}");
        }
    }

    #[test]
    fn words_and_paths_that_only_look_alike_pass() {
        for (path, text) in [
            ("a.rs", "let todos = METHODOLOGY;"),
            ("a.md", concat!("https://example.org/ho", "me/page")),
            ("a.sh", concat!("$DIR/wo", "rk/x")),
            ("Cargo.lock", "source = \"registry+https://github.com/rust-lang/crates.io-index\""),
            ("a.json", "\"resolved\": true"),
        ] {
            assert_eq!(count(path, text), 0, "{text}");
        }
    }
}
