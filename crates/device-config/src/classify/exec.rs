//! Commands of the prompt: separators, filters and redirections around a command, then the command itself. Next:
//! [`super::tree`] for the words.

use std::sync::LazyLock;

use super::Class::{Change, Disruptive, Read};
use super::tree::{Tree, Verdict, shown};
use super::{Class, hygiene};
use crate::Platform;

/// The commands of a platform's prompt.
pub(super) const fn text(platform: Platform) -> &'static str {
    match platform {
        Platform::IosXe => include_str!("trees/ios-xe-exec.txt"),
        Platform::NxOs => include_str!("trees/nx-os-exec.txt"),
        Platform::IosXr => include_str!("trees/ios-xr-exec.txt"),
        Platform::Asa => include_str!("trees/asa-exec.txt"),
    }
}

pub(super) fn tree(platform: Platform) -> &'static Tree {
    static IOS_XE: LazyLock<Tree> = LazyLock::new(|| Tree::read(text(Platform::IosXe), None));
    static NX_OS: LazyLock<Tree> = LazyLock::new(|| Tree::read(text(Platform::NxOs), None));
    static IOS_XR: LazyLock<Tree> = LazyLock::new(|| Tree::read(text(Platform::IosXr), None));
    static ASA: LazyLock<Tree> = LazyLock::new(|| Tree::read(text(Platform::Asa), None));
    match platform {
        Platform::IosXe => &IOS_XE,
        Platform::NxOs => &NX_OS,
        Platform::IosXr => &IOS_XR,
        Platform::Asa => &ASA,
    }
}

/// What a line does at the prompt.
pub(super) fn line(platform: Platform, line: &str) -> Verdict {
    if let Some(fault) = hygiene::fault(line, false) {
        return Verdict::disruptive(fault);
    }
    let readings = hygiene::readings(line);
    let verdicts = readings.iter().map(|reading| one_reading(platform, reading));
    verdicts.reduce(Verdict::or_worse).unwrap_or_else(nothing)
}

/// Whether the lines after this one are configuration.
pub(super) fn enters_configuration(platform: Platform, line: &str) -> bool {
    let words: Vec<String> = line.split_whitespace().map(str::to_ascii_lowercase).collect();
    let mut words = words.iter().map(String::as_str).peekable();
    words.next_if(|word| platform == Platform::IosXr && is_admin(word));
    let configure = words.next().is_some_and(|word| tree(platform).command(word) == Some("configure"));
    let how = words.next().unwrap_or("terminal");
    configure && ["terminal", "exclusive", "session", "profile"].iter().any(|name| name.starts_with(how))
}

fn is_admin(word: &str) -> bool {
    word.len() >= 2 && "admin".starts_with(word)
}

pub(super) fn nothing() -> Verdict {
    Verdict::new(Read, "an empty line")
}

/// A comment does nothing on any of the platforms.
pub(super) fn is_comment(platform: Platform, line: &str) -> bool {
    line.starts_with('!') || (platform == Platform::Asa && line.starts_with(':'))
}

/// A line of plain characters, without tabs.
fn one_reading(platform: Platform, line: &str) -> Verdict {
    if line.is_empty() {
        return nothing();
    }
    if is_comment(platform, line) {
        return Verdict::new(Read, "a comment");
    }
    if line.contains('`') || line.contains("$(") || line.contains("${") {
        return Verdict::disruptive("a part that the device replaces before it reads the line");
    }
    if line.ends_with('\\') {
        return Verdict::disruptive("a backslash at the end, which joins the next line to this one");
    }
    let commands: Vec<&str> = line.split(';').flat_map(|part| part.split("&&")).map(str::trim).collect();
    let verdicts = commands.iter().filter(|part| !part.is_empty()).map(|part| with_filters(platform, part));
    let verdict = verdicts.reduce(Verdict::or_worse).unwrap_or_else(|| Verdict::disruptive("only separators"));
    if commands.len() > 1 { verdict.at_least(Class::Probe, "several commands in one line") } else { verdict }
}

/// One command with what its output goes through.
fn with_filters(platform: Platform, text: &str) -> Verdict {
    let parts = between_pipes(platform, text);
    let Some((command, filters)) = parts.split_first() else { return nothing() };
    let (command, redirected) = match command.split_once('>') {
        Some((command, _)) => (command, true),
        None => (*command, platform == Platform::NxOs && filters.iter().any(|filter| filter.contains('>'))),
    };
    if command.contains('\\') {
        return Verdict::disruptive("an escape in a command");
    }
    let mut verdict = bare(platform, command.split_whitespace().collect());
    if redirected {
        verdict = verdict.at_least(Change, "the output is written to a file");
    }
    for (place, filter) in filters.iter().enumerate() {
        verdict = verdict.or_worse(of_filter(platform, filter, place == 0));
    }
    verdict
}

/// The parts of a line between its pipes. On platforms where a quoted text may hold one, it does, if all quotes close.
fn between_pipes(platform: Platform, text: &str) -> Vec<&str> {
    let quoting = matches!(platform, Platform::NxOs | Platform::IosXr)
        && text.matches('"').count().is_multiple_of(2)
        && text.matches('\'').count().is_multiple_of(2);
    let mut within: Option<char> = None;
    text.split(move |c: char| {
        match within {
            Some(quote) if c == quote => within = None,
            None if quoting && (c == '"' || c == '\'') => within = Some(c),
            _ => {}
        }
        c == '|' && within.is_none()
    })
    .collect()
}

fn bare(platform: Platform, words: Vec<&str>) -> Verdict {
    let words = match words.as_slice() {
        [first, rest @ ..] if platform == Platform::IosXr && is_admin(&first.to_ascii_lowercase()) => {
            if rest.is_empty() {
                return Verdict::disruptive("goes to the system's own administration, and what follows is typed there");
            }
            rest
        }
        words => words,
    };
    tree(platform).judge(words)
}

/// A filter: its name, and the class of its use when that is more than a read.
type Filter = (&'static str, Class, &'static str);

const WRITES: &str = "the output is written to a file or a server";
const RUNS: &str = "the output goes through a program that can write files and run others";

const IOS_XE: &[Filter] = &[
    ("append", Change, WRITES),
    ("begin", Read, ""),
    ("count", Read, ""),
    ("exclude", Read, ""),
    ("format", Read, ""),
    ("include", Read, ""),
    ("redirect", Change, WRITES),
    ("section", Read, ""),
    ("tee", Change, WRITES),
];

const NX_OS: &[Filter] = &[
    ("awk", Disruptive, RUNS),
    ("begin", Read, ""),
    ("count", Read, ""),
    ("cut", Read, ""),
    ("diff", Change, "the output is kept in a file, to compare the next one with"),
    ("egrep", Read, ""),
    ("email", Change, "the output is sent away"),
    ("end", Read, ""),
    ("exclude", Read, ""),
    ("grep", Read, ""),
    ("head", Read, ""),
    ("human", Read, ""),
    ("include", Read, ""),
    ("json", Read, ""),
    ("json-pretty", Read, ""),
    ("last", Read, ""),
    ("less", Disruptive, "a pager waits for keys, and can run a shell"),
    ("no-more", Read, ""),
    ("nz", Read, ""),
    ("perl", Disruptive, RUNS),
    ("section", Read, ""),
    ("sed", Disruptive, RUNS),
    ("sort", Read, ""),
    ("source", Disruptive, RUNS),
    ("sscp", Change, "the output is sent away"),
    ("tee", Change, WRITES),
    ("tr", Read, ""),
    ("uniq", Read, ""),
    ("vsh", Disruptive, "the output is run as commands"),
    ("wc", Read, ""),
    ("xml", Read, ""),
    ("xmlin", Disruptive, "the command runs in a shell of its own"),
    ("xmlout", Read, ""),
];

const IOS_XR: &[Filter] = &[
    ("begin", Read, ""),
    ("exclude", Read, ""),
    ("file", Change, WRITES),
    ("include", Read, ""),
    ("json", Read, ""),
    ("last", Read, ""),
    ("section", Read, ""),
    ("utility", Disruptive, RUNS),
    ("xml", Read, ""),
];

const ASA: &[Filter] = &[
    ("append", Change, WRITES),
    ("begin", Read, ""),
    ("count", Read, ""),
    ("exclude", Read, ""),
    ("grep", Read, ""),
    ("include", Read, ""),
    ("redirect", Change, WRITES),
    ("tee", Change, WRITES),
];

/// Programs behind `| utility` of IOS XR that only print.
const PRINTING: [&str; 9] = ["cut", "egrep", "fgrep", "grep", "head", "sort", "tail", "uniq", "wc"];

/// Options of filters that name a file to write, or a program to run.
const WRITING_OPTIONS: [&str; 4] = ["-o", "--o", "--compress", "-t"];

/// A filter of the output. Behind the first one, an unknown word is the rest of an expression (`| include up|down`).
fn of_filter(platform: Platform, filter: &str, first: bool) -> Verdict {
    let known = match platform {
        Platform::IosXe => IOS_XE,
        Platform::NxOs => NX_OS,
        Platform::IosXr => IOS_XR,
        Platform::Asa => ASA,
    };
    let lower = filter.to_ascii_lowercase();
    let mut words = lower.split_whitespace();
    let Some(name) = words.next() else {
        let reason = "a filter without a name";
        return if first { Verdict::disruptive(reason) } else { Verdict::new(Read, "an empty alternative") };
    };
    let arguments: Vec<&str> = words.collect();
    let exact = known.iter().find(|(known, ..)| *known == name);
    let begun = known.iter().filter(|(known, ..)| known.starts_with(name));
    let meanings: Vec<&Filter> = exact.map_or_else(|| begun.collect(), |exact| vec![exact]);
    if meanings.is_empty() && first {
        return Verdict::disruptive(format!("`{}` is no known filter", shown(name)));
    }
    let verdicts = meanings.iter().map(|(known, class, reason)| match (*known, arguments.as_slice()) {
        ("utility", [name, arguments @ ..]) if PRINTING.contains(name) => printing(name, arguments),
        ("sort" | "uniq", arguments) => printing(known, arguments),
        // Part of an expression, unless it names a file.
        ("append" | "redirect" | "tee", []) if !first => Verdict::new(Read, ""),
        _ => Verdict::new(*class, *reason),
    });
    verdicts.reduce(Verdict::or_worse).unwrap_or_else(|| Verdict::new(Read, ""))
}

/// A program that prints, unless its arguments name a file to write or a program to run.
fn printing(name: &str, arguments: &[&str]) -> Verdict {
    let writing = |word: &&str| WRITING_OPTIONS.iter().any(|option| word.starts_with(option));
    match name {
        "sort" if arguments.iter().any(writing) => Verdict::disruptive(RUNS),
        "uniq" if arguments.iter().any(|word| !word.starts_with('-')) => Verdict::new(Change, WRITES),
        _ => Verdict::new(Read, ""),
    }
}
