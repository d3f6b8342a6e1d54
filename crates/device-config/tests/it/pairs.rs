//! Pairs of configurations (`fixtures/pairs`): from what runs to what is wanted and back again, each way proven. The same
//! pairs are what the independent oracle is asked about (`cargo xtask device-config`).

use std::collections::BTreeMap;
use std::path::Path;

use device_config::{Config, Lines, Platform, Undo, diff, lines_between, parse, undo};

/// A pair.
pub(crate) struct Pair {
    pub(crate) platform: Platform,
    pub(crate) name: String,
    pub(crate) running: String,
    pub(crate) intended: String,
}

fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/pairs").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn file_of(platform: Platform) -> String {
    format!("{}.txt", platform.name().replace('-', "_"))
}

/// The pairs that are written out for a platform.
fn written(platform: Platform) -> Vec<Pair> {
    let text = fixture(&file_of(platform));
    let cases = text.split("\n=== ").skip(1).map(|case| {
        let (name, rest) = case.split_once("\n--- running\n").unwrap();
        let (running, intended) = rest.split_once("--- intended\n").unwrap();
        Pair { platform, name: name.to_owned(), running: running.to_owned(), intended: intended.to_owned() }
    });
    cases.collect()
}

/// Every pair: those that are written out, and those that are put together of several (`platform name + name + …`).
pub(crate) fn all() -> Vec<Pair> {
    let mut pairs: Vec<Pair> =
        [Platform::IosXe, Platform::NxOs, Platform::IosXr].into_iter().flat_map(written).collect();
    let mut composed = Vec::new();
    for line in fixture("composed.txt").lines().filter(|line| line.contains(" + ")) {
        let (platform, names) = line.split_once(' ').unwrap();
        let platform: Platform = platform.parse().unwrap();
        let mut pair = Pair { platform, name: names.to_owned(), running: String::new(), intended: String::new() };
        for name in names.split(" + ") {
            let part = pairs.iter().find(|pair| pair.platform == platform && pair.name == name);
            let part = part.unwrap_or_else(|| panic!("no pair {name} for {platform}"));
            pair.running.push_str(&part.running);
            pair.intended.push_str(&part.intended);
        }
        composed.push(pair);
    }
    pairs.extend(composed);
    pairs
}

fn way(from: &Config, to: &Config) -> Result<Lines, String> {
    match lines_between(from, to) {
        Undo::Generated(lines) => Ok(lines),
        Undo::None(reason) => Err(format!("{}: {reason}", reason.name())),
    }
}

#[test]
fn t21_each_pair_is_led_to_and_undone_on_the_model_or_says_why_not() {
    let mut none: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut ways = 0;
    let all = all();
    for pair in &all {
        let place = format!("{} {}", pair.platform, pair.name);
        let (running, intended) = (parse(pair.platform, &pair.running), parse(pair.platform, &pair.intended));
        assert!(!diff(&running, &intended).is_empty(), "{place}: both sides say the same");
        ways += 1;
        let lines = match way(&running, &intended) {
            Ok(lines) => lines,
            Err(reason) => {
                none.entry("forward").or_default().push(format!("{place}: {reason}"));
                continue;
            }
        };
        let merged = running.merge(&lines);
        assert!(diff(&merged.after, &intended).is_empty(), "{place}:\n{}", diff(&merged.after, &intended).text());
        let again = merged.after.merge(&lines);
        assert_eq!(
            again.after.text(),
            merged.after.text(),
            "{place}: entered twice it gives something else\n{}",
            lines.text()
        );
        match undo(&running, &merged) {
            Undo::Generated(lines) => {
                let back = merged.after.merge(&lines);
                let left = diff(&running, &back.after);
                assert!(left.is_empty() && back.unmodelled.is_empty(), "{place}:\n{}\n{}", lines.text(), left.text());
            }
            Undo::None(reason) => none.entry("undo").or_default().push(format!("{place}: {}: {reason}", reason.name())),
        }
    }
    let count: usize = none.values().map(Vec::len).sum();
    println!("undo: {} of {ways} pairs proven, {count} none ({} %)", ways - count, count * 100 / ways);
    for (what, places) in &none {
        places.iter().for_each(|place| println!("  none ({what}): {place}"));
    }
    assert!(count * 5 <= ways, "more than 20 % of the pairs have no undo");
}

#[test]
fn a_line_whose_last_word_names_it_needs_no_value_to_be_known() {
    for (platform, lines, back) in [
        (Platform::IosXe, "ntp server 10.1.1.1\n", "no ntp server 10.1.1.1\n"),
        (Platform::IosXe, "logging host 10.2.2.2\n", "no logging host 10.2.2.2\n"),
        (Platform::IosXe, "logging host 10.2.2.2 vrf RED\n", "no logging host 10.2.2.2 vrf RED\n"),
        (Platform::NxOs, "ntp server 10.1.1.1\n", "no ntp server 10.1.1.1\n"),
        (Platform::NxOs, "logging server 10.2.2.2\n", "no logging server 10.2.2.2\n"),
        (Platform::Asa, "ntp server 10.1.1.1\n", "no ntp server 10.1.1.1\n"),
    ] {
        let before = parse(platform, "hostname a\n");
        let merged = before.merge(&Lines::new(lines));
        assert!(merged.unmodelled.is_empty(), "{platform} {lines} {:?}", merged.unmodelled);
        assert_eq!(undo(&before, &merged), Undo::Generated(Lines::new(back)), "{platform}");
    }
}
