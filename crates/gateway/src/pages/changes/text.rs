//! What others wrote, for eyes. A line of a configuration or a reason may hold characters that are not seen, or that change
//! the order in which the rest is read (Unicode TR 36, "bidirectional text spoofing"); a person decides by what they see, so
//! such a character is shown by its number.

use maud::{Markup, html};

/// The text with every invisible or reordering character made visible.
pub(super) fn plain(text: &str) -> Markup {
    let mut parts = Vec::new();
    let mut seen = String::new();
    for c in text.chars() {
        if hides(c) {
            parts.push((std::mem::take(&mut seen), Some(u32::from(c))));
        } else {
            seen.push(c);
        }
    }
    parts.push((seen, None));
    html! {
        @for (text, hidden) in &parts {
            (text) @if let Some(number) = hidden { span.hidden title="A character that is not seen" { (format!("U+{number:04X}")) } }
        }
    }
}

/// The same for a text of several lines.
pub(super) fn plain_lines(text: &str) -> Markup {
    html! { @for line in text.lines() { (plain(line)) "\n" } }
}

/// Controls, and the general category Cf as far as it hides or reorders: soft hyphen, Arabic and Mongolian marks, zero-width
/// and bidirectional characters, invisible operators, the byte-order mark, interlinear marks and tags.
fn hides(c: char) -> bool {
    (c.is_control() && c != '\t')
        || matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{3164}'
            | '\u{180b}'..='\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// The beginning of a hash, which is what people compare.
pub(super) fn short(hash: &str) -> &str {
    hash.get(..12).unwrap_or(hash)
}

/// A moment in milliseconds.
pub(super) fn moment(at_ms: i64) -> String {
    super::layout::moment(at_ms.div_euclid(1_000))
}

/// A length of time, roughly.
pub(super) fn span(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds.div_ceil(60)),
        _ => format!("{:.1} h", f64::from(u32::try_from(seconds).unwrap_or(u32::MAX)) / 3_600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn t16_a_line_that_reads_otherwise_than_it_is_shows_it() {
        let shown = plain("permit \u{202e}yna\u{202c} any\u{200b}\u{7}").into_string();
        for mark in ["U+202E", "U+202C", "U+200B", "U+0007"] {
            assert!(shown.contains(mark), "{shown}");
        }
        assert!(!shown.contains('\u{202e}') && !shown.contains('\u{200b}'), "{shown}");
        assert_eq!(plain(" ip address 10.0.0.1 <b>").into_string(), " ip address 10.0.0.1 &lt;b&gt;");
    }
}
