//! Configuration lines. Every one is a change at least; what is listed is more; a line that is a command of the prompt
//! (`do reload`, or `reload` where the platform or a mode left early lets it run) has the class of that command.

use std::sync::LazyLock;

use super::tree::{Tree, Verdict};
use super::{Class, exec, hygiene};
use crate::Platform;

/// The listed configuration lines of a platform.
pub(super) const fn text(platform: Platform) -> &'static str {
    match platform {
        Platform::IosXe => include_str!("trees/ios-xe-config.txt"),
        Platform::NxOs => include_str!("trees/nx-os-config.txt"),
        Platform::IosXr => include_str!("trees/ios-xr-config.txt"),
        Platform::Asa => include_str!("trees/asa-config.txt"),
    }
}

fn tree(platform: Platform) -> &'static Tree {
    const OTHERWISE: Option<(Class, &str)> = Some((Class::Change, "a configuration line"));
    static IOS_XE: LazyLock<Tree> = LazyLock::new(|| Tree::read(text(Platform::IosXe), OTHERWISE));
    static NX_OS: LazyLock<Tree> = LazyLock::new(|| Tree::read(text(Platform::NxOs), OTHERWISE));
    static IOS_XR: LazyLock<Tree> = LazyLock::new(|| Tree::read(text(Platform::IosXr), OTHERWISE));
    static ASA: LazyLock<Tree> = LazyLock::new(|| Tree::read(text(Platform::Asa), OTHERWISE));
    match platform {
        Platform::IosXe => &IOS_XE,
        Platform::NxOs => &NX_OS,
        Platform::IosXr => &IOS_XR,
        Platform::Asa => &ASA,
    }
}

/// Words after which free text follows to the end of the line.
const PROSE: [&[&str]; 6] = [
    &["description"],
    &["remark"],
    &["name"],
    &["snmp-server", "location"],
    &["snmp-server", "contact"],
    &["access-list", "*", "remark"],
];

/// What a line does in configuration mode.
pub(super) fn line(platform: Platform, line: &str) -> Verdict {
    if let Some(fault) = hygiene::fault(line, is_prose(line.trim_start_matches([' ', '\t']))) {
        return Verdict::disruptive(fault);
    }
    let readings = hygiene::readings(line);
    readings
        .iter()
        .map(|reading| one_reading(platform, reading))
        .reduce(Verdict::or_worse)
        .unwrap_or_else(exec::nothing)
}

/// A comment, or a line of free text: `no` and the number of a filter's line may stand before.
fn is_prose(line: &str) -> bool {
    let numbered = |word: &&str| word.eq_ignore_ascii_case("no") || word.bytes().all(|b| b.is_ascii_digit());
    let words: Vec<&str> = line.split_whitespace().skip_while(numbered).take(3).collect();
    let begins = |prose: &&[&str]| {
        words.len() >= prose.len()
            && prose.iter().zip(&words).all(|(known, word)| *known == "*" || word.eq_ignore_ascii_case(known))
    };
    line.starts_with('!') || PROSE.iter().any(begins)
}

/// Whether the lines after this one are commands of the prompt.
pub(super) fn leaves_configuration(line: &str) -> bool {
    let first = line.split_whitespace().next().unwrap_or_default();
    first.eq_ignore_ascii_case("end") || first.eq_ignore_ascii_case("abort")
}

/// A line of plain characters, without tabs. On NX-OS, `;` parts two lines, whatever stands before it.
fn one_reading(platform: Platform, line: &str) -> Verdict {
    if platform == Platform::NxOs && !exec::is_comment(platform, line) && line.contains(';') {
        let parts = line.split(';').map(str::trim).filter(|part| !part.is_empty());
        let worst = parts.map(|part| one_line(platform, part)).reduce(Verdict::or_worse);
        return worst.unwrap_or_else(|| Verdict::disruptive("only separators"));
    }
    one_line(platform, line)
}

fn one_line(platform: Platform, line: &str) -> Verdict {
    if line.is_empty() {
        return exec::nothing();
    }
    if exec::is_comment(platform, line) {
        return Verdict::new(Class::Read, "a comment");
    }
    let words: Vec<&str> = line.split_whitespace().collect();
    if words.first().is_some_and(|word| word.eq_ignore_ascii_case("do")) {
        let command = line.get(2..).unwrap_or_default();
        return match command.trim() {
            "" => Verdict::disruptive("`do` without a command").into_command(),
            command => exec::line(platform, command).into_command(),
        };
    }
    let as_configuration = tree(platform).judge(&words);
    if is_prose(line) {
        return as_configuration;
    }
    let as_command = exec::line(platform, line);
    if as_command.depth <= as_configuration.depth {
        return as_configuration;
    }
    let runs_here = platform != Platform::IosXe;
    let command = as_command.into_command();
    if runs_here { command } else { command.at_least(Class::Change, "a command of the prompt in configuration mode") }
}

/// The line that opens a banner.
pub(super) fn banner_line(platform: Platform, line: &str, closed: bool) -> Verdict {
    if closed {
        let prose_fault = hygiene::fault(line, true);
        return prose_fault.map_or_else(|| tree(platform).judge(&["banner"]), Verdict::disruptive);
    }
    Verdict::disruptive("the banner is never closed, and swallows all lines that follow")
}

/// A line of a banner's text, which no device reads as a command.
pub(super) fn banner_text(line: &str) -> Verdict {
    let text = Verdict::new(Class::Change, "text of a banner");
    hygiene::fault(line, true).map_or(text, Verdict::disruptive)
}
