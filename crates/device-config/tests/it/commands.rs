//! Classes of commands: the table, the properties, and what makes lines something else than they look like.

use std::collections::{BTreeMap, BTreeSet};

use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;

use device_config::{Class, Mode, Platform, class_of, classify};

use crate::table::rows;

fn class(platform: Platform, mode: Mode, text: &str) -> Class {
    class_of(&classify(platform, mode, text))
}

#[test]
fn every_command_of_the_table_has_its_class() {
    let mut wrong = Vec::new();
    let mut counts: BTreeMap<(&str, &str), BTreeMap<Class, usize>> = BTreeMap::new();
    let rows = rows();
    for row in &rows {
        let found = &classify(row.platform, row.mode, row.command)[0];
        if found.class != row.class {
            let (platform, mode) = (row.platform, row.mode);
            wrong.push(format!(
                "{platform} {mode}: `{}` is {}, not {}: {}",
                row.command, found.class, row.class, found.reason
            ));
        }
        assert!(!found.reason.is_empty(), "{}", row.command);
        *counts.entry((row.platform.name(), row.mode.name())).or_default().entry(row.class).or_default() += 1;
    }
    for ((platform, mode), classes) in &counts {
        let classes: Vec<_> = classes.iter().map(|(class, count)| format!("{class} {count}")).collect();
        println!("command table: {platform} {mode}: {}", classes.join(", "));
    }
    println!("command table: {} commands", rows.len());
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
    assert!(rows.len() >= 400, "{}", rows.len());
    assert_eq!(counts.len(), 8, "four platforms, two modes");
    let distinct: BTreeSet<_> = rows.iter().map(|r| (r.platform.name(), r.mode.name(), r.command)).collect();
    assert_eq!(distinct.len(), rows.len(), "a command stands twice");
}

fn classes(platform: Platform, mode: Mode, text: &str) -> Vec<&'static str> {
    classify(platform, mode, text).iter().map(|line| line.class.name()).collect()
}

fn reason(platform: Platform, mode: Mode, line: &str) -> String {
    classify(platform, mode, line)[0].reason.to_string()
}

#[test]
fn a_configuration_mode_begins_and_ends_with_the_lines_that_say_so() {
    let text = "show clock\nconf t\ninterface Gi1/0/1\n shutdown\nend\nwr\nreload";
    let expected = ["read", "change", "change", "change", "read", "change", "disruptive"];
    assert_eq!(classes(Platform::IosXe, Mode::Exec, text), expected);
    let admin = classes(Platform::IosXr, Mode::Exec, "admin configure\nhostname x\nend\nhostname x");
    assert_eq!(admin, ["change", "change", "read", "disruptive"]);
    let left = classes(Platform::IosXe, Mode::Config, "end\nclear counters\ny");
    assert_eq!(left, ["read", "change", "disruptive"], "an answer to a question is no command");
}

#[test]
fn the_text_of_a_banner_is_no_command_and_what_follows_it_is() {
    let banner = "banner motd #\n reload\n do write erase\n#\ndo reload";
    let expected = ["change", "change", "change", "change", "disruptive"];
    for platform in [Platform::IosXe, Platform::NxOs, Platform::IosXr] {
        assert_eq!(classes(platform, Mode::Config, banner), expected, "{platform}");
    }
    let one_line = classes(Platform::IosXe, Mode::Config, "banner login ^C no entry ^C\ndo reload");
    assert_eq!(one_line, ["change", "disruptive"]);
}

#[test]
fn no_banner_hides_a_command() {
    // Never closed.
    let open = classify(Platform::IosXe, Mode::Config, "banner motd #\nhello\ndo reload");
    assert_eq!(open[0].class, Class::Disruptive);
    assert!(open[0].reason.contains("never closed"), "{}", open[0].reason);
    // A device takes `^` for the delimiter where it is given `^C` as two characters.
    let early = classes(Platform::IosXe, Mode::Config, "banner motd ^C\n a^b\ndo reload\n^C");
    assert_eq!(early[2], "disruptive");
    // A kind that the platform does not know, or a platform without delimiters: the text would be read as commands.
    assert_eq!(classes(Platform::NxOs, Mode::Config, "banner login #\nreload\n#")[1], "disruptive");
    assert_eq!(classes(Platform::Asa, Mode::Config, "banner motd #\nreload\n#")[1], "disruptive");
    // At the prompt there are no banners.
    assert_eq!(classes(Platform::IosXe, Mode::Exec, "banner motd #\nreload\n#")[1], "disruptive");
    // Keys of the line editor work inside a banner too.
    assert_eq!(classes(Platform::IosXe, Mode::Config, "banner motd #\nx\u{1a}\n#")[1], "disruptive");
}

#[test]
fn a_line_that_is_not_what_it_looks_like_says_so() {
    for (line, says) in [
        ("show version\rreload", "a line break inside the line"),
        ("show version\u{8}", "a backspace"),
        ("show\u{1a}", "Ctrl-Z"),
        ("sh\u{43e}w version", "only look like a letter (U+043E)"),
        ("show\u{200b} version", "not seen (U+200B)"),
        ("show version\u{2028}reload", "a line break"),
        ("show \u{1b}[2K version", "an escape sequence"),
        ("\0show version", "NUL"),
        ("show version \\", "a backslash at the end"),
        ("re", "`re` is ambiguous: redundancy, release, reload, rename, renew, request or resume"),
        ("shw version", "`shw` is no known command"),
    ] {
        let found = &classify(Platform::IosXe, Mode::Exec, line)[0];
        assert_eq!(found.class, Class::Disruptive, "{line:?}");
        assert!(found.reason.contains(says), "{line:?}: {}", found.reason);
    }
    let strange = reason(Platform::IosXe, Mode::Exec, "\u{22}weird[0m x");
    assert!(strange.is_ascii() && !strange.contains('\u{1b}'), "{strange}");
}

#[test]
fn letters_outside_ascii_are_usual_in_free_text_only() {
    assert_eq!(class(Platform::IosXe, Mode::Config, " description Z\u{fc}rich"), Class::Change);
    assert_eq!(class(Platform::IosXe, Mode::Config, "hostname Z\u{fc}rich"), Class::Disruptive);
    assert_eq!(class(Platform::IosXe, Mode::Config, " description a\u{202e}b"), Class::Disruptive);
    assert_eq!(class(Platform::IosXe, Mode::Config, "\u{b}shutdown\u{c}"), Class::Disruptive);
    assert_eq!(class(Platform::IosXe, Mode::Config, "no description r\u{e9}seau"), Class::Change);
    assert_eq!(class(Platform::IosXe, Mode::Config, "reload description \u{e9}"), Class::Disruptive);
}

#[test]
fn as_many_lines_come_back_as_went_in() {
    for text in ["", "\n", "a\n\nb", "a\r\nb\r\n", "banner motd #\nx", "banner motd #x#\n\n"] {
        for mode in [Mode::Exec, Mode::Config] {
            let lines: Vec<_> = classify(Platform::IosXe, mode, text).iter().map(|line| line.line).collect();
            assert_eq!(lines, text.lines().collect::<Vec<_>>());
        }
    }
}

/// Filters, separators and junk that may stand behind a command.
const BEHIND: [&str; 13] = [
    " foo",
    " | include x",
    " | no-more",
    "| count",
    " | section a|b",
    " ;",
    " ; show version",
    " && show clock",
    "\t",
    " \u{200b}",
    "\r",
    "?",
    " | begin reload",
];

/// What may stand before a command.
const BEFORE: [&str; 11] =
    [" ", "\t", "    ", "do ", "do  do ", "DO\t", "x ", "% ", "\u{8}", "\u{1b}[A", "show version ; "];

/// Characters that may stand in the middle of it.
const WITHIN: [&str; 6] = ["\t", "\0", "\u{8}", "\u{1a}", "\u{430}", "\u{ad}"];

/// Rows whose harm lies in the command itself: its keywords may be abbreviated, and it stays what it is.
fn destructive() -> Vec<crate::table::Row> {
    let plain = |command: &str| !command.contains(['|', ';', '&', '?', '`', '$', '\\']) && command.len() > 2;
    rows().into_iter().filter(|row| row.class == Class::Disruptive && plain(row.command)).collect()
}

/// A word, shorter by some letters at its end. `sh` is how everybody writes `show` on an ASA, never `shun`.
fn abbreviated(word: &str, cut: usize) -> &str {
    let least = if word == "shun" { 3 } else { 1 };
    word.get(..word.len().saturating_sub(cut).max(least)).unwrap_or(word)
}

/// A destructive command, written in another way. Shrinks towards the command as it stands in the table.
#[derive(Clone)]
struct Disguised {
    row: crate::table::Row,
    text: String,
}

impl std::fmt::Debug for Disguised {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}: {:?}, which is `{}`", self.row.platform, self.row.mode, self.text, self.row.command)
    }
}

fn disguises() -> impl Strategy<Value = Disguised> {
    let words = proptest::collection::vec((0_usize..8, any::<bool>(), select(vec![" ", "  ", "\t", " \t "])), 8);
    let seldom = |from: &[&'static str]| weighted(0.4, select(from.to_vec())).prop_map(Option::unwrap_or_default);
    let around = (seldom(&BEFORE), seldom(&WITHIN), seldom(&BEHIND));
    (select(destructive()), words, around, 0_usize..40).prop_map(|(row, edits, (before, within, behind), at)| {
        // A configuration line behind `do` is another command.
        let before =
            if row.mode == Mode::Config { before.trim_start_matches(['d', 'o', 'D', 'O', ' ']) } else { before };
        let mut text = String::from(before);
        for (word, (cut, upper, gap)) in row.command.split_whitespace().zip(edits.iter().cycle()) {
            let word = abbreviated(word, *cut);
            text.push_str(&if *upper { word.to_ascii_uppercase() } else { word.to_owned() });
            text.push_str(gap);
        }
        let text = text.trim_end().to_owned() + behind;
        let at = text.char_indices().map(|(at, _)| at).nth(at).unwrap_or(0);
        Disguised { row, text: format!("{}{within}{}", &text[..at], &text[at..]) }
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(20_000)
    })]

    #[test]
    fn no_destructive_command_is_a_read_in_any_disguise(disguised in disguises()) {
        for mode in [disguised.row.mode, Mode::Config] {
            let found = class(disguised.row.platform, mode, &disguised.text);
            prop_assert!(found >= Class::Change, "in {mode} it would be {found}");
        }
    }
}
