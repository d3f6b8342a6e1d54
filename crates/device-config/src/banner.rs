//! Banners: text between two delimiters inside a configuration, whose lines are no commands.

use crate::Platform;

/// The text of a banner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Body {
    /// How many lines after the first belong to the banner; the last of them closes it.
    pub(crate) lines: usize,
    /// Whether it is closed at all.
    pub(crate) closed: bool,
}

/// The banners that a platform knows. Another word would make it refuse the line, and read the text as commands.
pub(crate) const fn kinds(platform: Platform) -> &'static [&'static str] {
    match platform {
        Platform::IosXe | Platform::IosXr => &["motd", "login", "exec", "incoming", "slip-ppp", "prompt-timeout"],
        Platform::NxOs => &["motd", "exec"],
        // No delimiters: each of its banner lines stands by itself.
        Platform::Asa => &[],
    }
}

/// The banner that the first of these lines opens; `None` when it opens none.
///
/// The delimiter is the first character after the kind. `^C` is how a running configuration shows the control character:
/// a device that is given the two characters takes `^`, so the text ends at the first `^`, and no line is taken for text
/// that a device may take for a command.
pub(crate) fn body(platform: Platform, lines: &[&str]) -> Option<Body> {
    let (first, rest) = lines.split_first()?;
    let (command, after) = first.trim_start().split_once([' ', '\t'])?;
    if !command.eq_ignore_ascii_case("banner") {
        return None;
    }
    let after = after.trim_start();
    let (kind, after) = after.split_once([' ', '\t'])?;
    let kind = kind.to_ascii_lowercase();
    if !kinds(platform).iter().any(|known| known.starts_with(&kind)) {
        return None;
    }
    let after = after.trim_start();
    let delimiter = after.chars().next()?;
    if after.get(delimiter.len_utf8()..)?.contains(delimiter) {
        return Some(Body { lines: 0, closed: true });
    }
    let end = rest.iter().position(|line| line.contains(delimiter));
    Some(end.map_or(Body { lines: rest.len(), closed: false }, |end| Body { lines: end + 1, closed: true }))
}
