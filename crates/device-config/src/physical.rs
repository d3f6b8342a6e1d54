//! Physical lines: what one line of a text is before anybody asks what it means. Indentation, comments, volatile lines,
//! values that go on over several lines. Next: `parse` and `merge` put the lines into a tree.

use crate::{Platform, banner};

/// Blanks of a configuration text. Other white space belongs to values.
const BLANK: [char; 3] = [' ', '\t', '\r'];

/// Words of a line: its first physical line, split at blanks.
pub(crate) fn words(text: &str) -> Vec<&str> {
    first_line(text).split([' ', '\t']).filter(|word| !word.is_empty()).collect()
}

/// The first physical line of a text that may hold several.
pub(crate) fn first_line(text: &str) -> &str {
    text.split('\n').next().unwrap_or_default()
}

/// A line with its indentation in columns; `text` has no blanks around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Physical<'a> {
    pub(crate) indent: usize,
    pub(crate) text: &'a str,
}

impl<'a> Physical<'a> {
    pub(crate) fn of(raw: &'a str) -> Self {
        let text = raw.trim_matches(BLANK);
        let mut indent = 0;
        for character in raw.chars() {
            match character {
                ' ' => indent += 1,
                '\t' => indent = (indent / 8 + 1) * 8,
                '\r' => {}
                _ => break,
            }
        }
        Self { indent, text }
    }
}

/// Whether a line says nothing about the configuration: empty, a comment, or one of the lines that change by themselves
/// from one reading to the next (rule T15): times, sizes, checksums, the clock's own correction.
pub(crate) fn is_noise(platform: Platform, text: &str) -> bool {
    if text.is_empty() || text.starts_with('!') {
        return true;
    }
    let volatile: &[&str] = match platform {
        Platform::IosXe | Platform::NxOs | Platform::IosXr => {
            &["Building configuration", "Current configuration", "ntp clock-period ", "Load for five secs"]
        }
        Platform::Asa => &["Cryptochecksum:", "ntp clock-period "],
    };
    if volatile.iter().any(|start| text.starts_with(start)) {
        return true;
    }
    // ASA writes its comments with a colon: `: Saved`, `: Serial Number: …`, `:`.
    platform == Platform::Asa && (text == ":" || text.starts_with(": ") || text == ": end")
        || is_time_of_day(text)
        || matches!(platform, Platform::IosXe | Platform::NxOs | Platform::IosXr) && text.starts_with("Time source is ")
}

/// `Mon Nov 30 08:24:23.101 UTC`, which IOS XR prints above every configuration.
fn is_time_of_day(text: &str) -> bool {
    const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let words = words(text);
    words.len() >= 4
        && words.len() <= 6
        && words.first().is_some_and(|day| DAYS.contains(day))
        && words
            .get(3)
            .is_some_and(|time| time.matches(':').count() == 2 && time.starts_with(|c: char| c.is_ascii_digit()))
}

/// Who wrote a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    /// A device printed it: `^C` stands for a control character.
    ByDevice,
    /// It is for a device, which takes the `^` of `^C` for the delimiter.
    ForDevice,
}

/// What ends a value that goes on over several lines, when `text` begins one: the delimiter of a banner. ASA writes a
/// banner line by line and has none.
pub(crate) fn opens_banner(platform: Platform, text: &str, written: Written) -> Option<String> {
    let rest = text.strip_prefix("banner ")?.trim_start_matches(BLANK);
    let (kind, message) = rest.split_once([' ', '\t'])?;
    if !banner::kinds(platform).iter().any(|known| known.starts_with(kind)) {
        return None;
    }
    let message = message.trim_start_matches(BLANK);
    let delimiter = match written {
        Written::ByDevice if message.starts_with("^C") => "^C".to_owned(),
        _ => message.chars().next()?.to_string(),
    };
    let inside = message.get(delimiter.len()..).unwrap_or_default();
    (!inside.contains(&delimiter)).then_some(delimiter)
}

/// Reads the lines of a banner up to the one that holds its delimiter, and gives the whole value.
pub(crate) fn banner_text<'a>(first: &str, delimiter: &str, lines: &mut impl Iterator<Item = &'a str>) -> String {
    let mut value = first.to_owned();
    for line in lines {
        let line = line.trim_end_matches('\r');
        value.push('\n');
        value.push_str(line);
        if line.contains(delimiter) {
            break;
        }
    }
    value
}

/// Whether a line only closes a section: `exit`, `exit-address-family`, `end-policy`, …
pub(crate) fn is_closing(text: &str) -> bool {
    let one_word =
        |rest: &str| !rest.is_empty() && rest.chars().all(|c| c.is_ascii_lowercase() || c == '-' || c.is_ascii_digit());
    text == "exit" || [text.strip_prefix("exit-"), text.strip_prefix("end-")].into_iter().flatten().any(one_word)
}

/// The line that closes a section whose lines could be taken for its parent's without it.
pub(crate) fn closing_of(platform: Platform, header: &str) -> Option<&'static str> {
    let begins = |start: &str| header.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
    match platform {
        Platform::IosXe if begins("address-family") => Some("exit-address-family"),
        Platform::IosXe if begins("template peer-policy") => Some("exit-peer-policy"),
        Platform::IosXe if begins("template peer-session") => Some("exit-peer-session"),
        Platform::IosXr if begins("route-policy") => Some("end-policy"),
        Platform::IosXr if header.split(' ').next().is_some_and(|word| word.ends_with("-set")) => Some("end-set"),
        Platform::IosXr if begins("policy-map") => Some("end-policy-map"),
        Platform::IosXr if begins("class-map") => Some("end-class-map"),
        Platform::IosXr if begins("template") => Some("end-template"),
        Platform::IosXr if begins("group") => Some("end-group"),
        _ => None,
    }
}
