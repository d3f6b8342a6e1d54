//! Characters that make a line something else on a device than it looks like: controls, look-alikes, keys of the line
//! editor. Before any word of a line is read, it passes here.

/// What the line is, beyond doubt, not fit for; `None` when its characters are plain. `prose`: free text, where letters
/// outside ASCII are usual.
pub(super) fn fault(line: &str, prose: bool) -> Option<String> {
    line.chars().find_map(|c| {
        let name = match c {
            '\0' => "a NUL character",
            '\t' => return None,
            '\u{3}' => "Ctrl-C, which breaks the line off",
            '\u{8}' | '\u{7f}' => "a backspace, which takes back what was shown before it",
            '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => {
                "a line break inside the line, after which another command begins"
            }
            '\u{15}' | '\u{17}' | '\u{18}' => "a key that takes back what was shown before it",
            '\u{16}' => "Ctrl-V, which makes the next key mean something else",
            '\u{1a}' => "Ctrl-Z, which leaves configuration mode",
            '\u{1b}' => "an escape sequence",
            '?' if !prose => "a question mark, which asks for help and leaves what was typed for the next line",
            c if c.is_control() => "a control character",
            c if is_invisible(c) => "a character that is not seen",
            c if !c.is_ascii() && !prose => "a character outside ASCII, which may only look like a letter",
            _ => return None,
        };
        Some(if c == '?' { name.to_owned() } else { format!("{name} (U+{:04X})", u32::from(c)) })
    })
}

/// Characters without a shape, or that turn the direction of reading.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{a0}' | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}'
        | '\u{2000}'..='\u{200f}' | '\u{202a}'..='\u{202f}' | '\u{205f}'..='\u{206f}' | '\u{3000}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{ffff}' | '\u{e0000}'..='\u{e0fff}')
}

/// The readings of a line with tabs inside: a device completes the word before a tab, so it may part two words or join
/// them. One reading when there is none.
pub(super) fn readings(line: &str) -> Vec<String> {
    let line = line.trim_matches([' ', '\t']);
    if line.contains('\t') { vec![line.replace('\t', " "), line.replace('\t', "")] } else { vec![line.to_owned()] }
}
