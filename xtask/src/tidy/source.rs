//! Rules about Rust files: each says what it holds, stays small, has a name that means something, and no crate swallows
//! the others.

use std::collections::BTreeMap;

use super::{Finding, SourceFile};

const WARN_LINES: usize = 400;
const FAIL_LINES: usize = 800;
/// The composition root wires; what does more than wire belongs elsewhere.
const SERVER_LINES: usize = 1500;
/// Largest share of one crate, in percent.
const SHARE: usize = 25;

/// Names under which everything fits, and so nothing is found.
const BANNED: &[&str] =
    &["common", "util", "utils", "helper", "helpers", "misc", "manager", "stuff", "base", "core", "lib2", "types2"];

pub(super) fn check(files: &[SourceFile]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut by_crate: BTreeMap<&str, usize> = BTreeMap::new();
    for file in files.iter().filter(|f| f.path.ends_with(".rs")) {
        let lines = product_lines(file);
        if !outside_the_product(&file.path) {
            *by_crate.entry(crate_of(&file.path)).or_default() += lines;
        }
        findings.extend(opening(file));
        findings.extend(size(&file.path, lines));
        findings.extend(name(&file.path));
        findings.extend(silenced(file));
    }
    findings.extend(shares(&by_crate));
    findings
}

fn opening(file: &SourceFile) -> Option<Finding> {
    let first = file.text.lines().next().unwrap_or_default();
    let says = first.strip_prefix("//!").map(str::trim).unwrap_or_default();
    match says.to_lowercase().as_str() {
        "" => Some(Finding::fail(&file.path, "does not begin with a `//!` comment that says what lives here")),
        "placeholder" => Some(Finding::fail(&file.path, "begins with a placeholder instead of what lives here")),
        _ => None,
    }
}

fn size(path: &str, lines: usize) -> Option<Finding> {
    let message = format!("{lines} lines outside tests; split it by what its parts hold");
    match lines {
        _ if lines > FAIL_LINES => Some(Finding::fail(path, message)),
        _ if lines > WARN_LINES => Some(Finding::warn(path, message)),
        _ => None,
    }
}

fn name(path: &str) -> Option<Finding> {
    let bad = path.split('/').find(|part| {
        let stem = part.strip_suffix(".rs").unwrap_or(part);
        stem.split(['_', '-']).next_back().is_some_and(|last| BANNED.contains(&last))
    })?;
    Some(Finding::fail(path, format!("`{bad}` says nothing about what is inside; name it for what it holds")))
}

/// `expect` tells when it is no longer needed; `allow` stays for ever.
fn silenced(file: &SourceFile) -> Option<Finding> {
    let attribute = concat!("#[al", "low(");
    let inner = concat!("#![al", "low(");
    let at =
        file.text.lines().position(|l| l.trim_start().starts_with(attribute) || l.trim_start().starts_with(inner))?;
    Some(Finding::fail(
        format!("{}:{}", file.path, at + 1),
        "silences a lint with `allow`; use `expect` with a reason, or mend what it says",
    ))
}

fn shares(by_crate: &BTreeMap<&str, usize>) -> Vec<Finding> {
    let total: usize = by_crate.values().sum();
    let mut findings = Vec::new();
    for (name, lines) in by_crate {
        if lines * 100 > total * SHARE {
            let share = lines * 100 / total;
            findings.push(Finding::warn(*name, format!("holds {share} % of all lines; look for the room inside it")));
        }
        if *name == "crates/server" && *lines > SERVER_LINES {
            findings.push(Finding::fail(
                *name,
                format!("{lines} lines; it wires, and {SERVER_LINES} are enough for wiring"),
            ));
        }
    }
    findings
}

fn outside_the_product(path: &str) -> bool {
    ["xtask/", "bench/", "e2e/", "fuzz/"].iter().any(|d| path.starts_with(d))
}

/// The crate's folder: `crates/platform/src/x.rs` -> `crates/platform`, `xtask/src/x.rs` -> `xtask`.
fn crate_of(path: &str) -> &str {
    let depth = if ["crates/", "backends/", "connectors/", "lab/"].iter().any(|d| path.starts_with(d)) { 2 } else { 1 };
    path.match_indices('/').nth(depth - 1).map_or(path, |(at, _)| &path[..at])
}

/// Lines outside tests.
fn product_lines(file: &SourceFile) -> usize {
    if is_test_file(&file.path) { 0 } else { product_text(&file.text).lines().count() }
}

pub(super) fn is_test_file(path: &str) -> bool {
    path.contains("/tests/") || path.starts_with("e2e/") || path.ends_with("/tests.rs")
}

/// The text before the test module, which stands last.
pub(super) fn product_text(text: &str) -> &str {
    let end = text.find("\n#[cfg(test)]\nmod ").map_or(text.len(), |at| at + 1);
    &text[..end]
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::{SERVER_LINES, check, crate_of, product_text};
    use crate::tidy::{Finding, SourceFile, Weight};

    fn file(path: &str, text: &str) -> SourceFile {
        SourceFile { path: path.to_owned(), text: text.to_owned() }
    }

    /// Findings about the file alone: with one file, its crate is all there is.
    fn judge(path: &str, text: &str) -> Vec<Finding> {
        check(&[file(path, text)]).into_iter().filter(|f| !f.message.contains("% of all lines")).collect()
    }

    fn long(lines: usize) -> String {
        let mut text = "//! Long.\n".to_owned();
        for n in 1..lines {
            writeln!(text, "const A{n}: u8 = 0;").unwrap();
        }
        text
    }

    #[test]
    fn a_file_that_does_not_say_what_it_holds_is_flagged() {
        assert_eq!(judge("crates/x/src/lib.rs", "use a;\n").len(), 1);
        assert_eq!(judge("crates/x/src/lib.rs", "//!\nuse a;\n").len(), 1);
        assert_eq!(judge("crates/x/src/lib.rs", "//! placeholder\n").len(), 1);
        assert_eq!(judge("crates/x/tests/it/main.rs", "use a;\n").len(), 1);
        assert!(judge("crates/x/src/lib.rs", "//! Holds x.\n").is_empty());
    }

    #[test]
    fn long_files_are_flagged_and_their_tests_do_not_count() {
        let weights = |text: &str| judge("crates/x/src/a.rs", text).iter().map(|f| f.weight).collect::<Vec<_>>();
        assert_eq!(weights(&long(400)), []);
        assert_eq!(weights(&long(401)), [Weight::Warn]);
        assert_eq!(weights(&long(801)), [Weight::Fail]);
        let tested = format!("{}\n#[cfg(test)]\nmod tests {{\n{}}}\n", long(300), long(700));
        assert_eq!(weights(&tested), []);
        assert!(judge("crates/x/tests/it/a.rs", &long(900)).is_empty());
    }

    #[test]
    fn names_that_say_nothing_are_flagged() {
        for path in [
            "crates/x/src/util.rs",
            "crates/x/src/helpers/mod.rs",
            "crates/common/src/lib.rs",
            "crates/x/src/task_manager.rs",
        ] {
            assert_eq!(judge(path, "//! X.\n").len(), 1, "{path}");
        }
        assert!(judge("crates/x/src/utility_meter.rs", "//! X.\n").is_empty());
    }

    #[test]
    fn a_lint_silenced_for_ever_is_flagged() {
        let text = concat!("//! X.\n#[al", "low(dead_code, reason = \"x\")]\nfn a() {}\n");
        assert_eq!(judge("crates/x/src/a.rs", text).len(), 1);
        assert!(judge("crates/x/src/a.rs", "//! X.\n#[expect(dead_code, reason = \"x\")]\nfn a() {}\n").is_empty());
    }

    #[test]
    fn a_crate_that_swallows_the_others_and_a_root_that_does_more_than_wire_are_flagged() {
        let small: Vec<_> = (0..4).map(|n| file(&format!("crates/c{n}/src/lib.rs"), &long(100))).collect();
        assert_eq!(check(&small), []);
        let mut files = small;
        files.push(file("crates/big/src/lib.rs", &long(390)));
        assert_eq!(check(&files).iter().map(|f| f.place.as_str()).collect::<Vec<_>>(), ["crates/big"]);
        let server: Vec<_> =
            (0..=SERVER_LINES / 390).map(|n| file(&format!("crates/server/src/p{n}.rs"), &long(390))).collect();
        assert!(check(&server).iter().any(|f| f.weight == Weight::Fail && f.place == "crates/server"));
    }

    #[test]
    fn crates_and_tests_are_told_apart() {
        assert_eq!(crate_of("lab/world/src/a/b.rs"), "lab/world");
        assert_eq!(crate_of("xtask/src/main.rs"), "xtask");
        assert_eq!(product_text("a\n#[cfg(test)]\nmod tests {}\n"), "a\n");
    }
}
