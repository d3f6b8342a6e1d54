//! Text as PostgreSQL can keep it: a NUL character, which its `text` has no room for, is written in two characters.
//!
//! `\0` becomes `\1` `0`, and `\1` becomes `\1` `1`: no two texts become one, and their order stays.

use std::borrow::Cow;

const MARK: char = '\u{1}';

/// The text for a column.
pub(crate) fn to_column(text: &str) -> Cow<'_, str> {
    if !text.contains(['\0', MARK]) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\0' => out.extend([MARK, '0']),
            MARK => out.extend([MARK, '1']),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// The text of a column.
pub(crate) fn from_column(text: String) -> String {
    if !text.contains(MARK) {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        out.push(match c {
            MARK if characters.next() == Some('0') => '\0',
            c => c,
        });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{from_column, to_column};

    #[test]
    fn every_text_comes_back_and_keeps_its_place() {
        let texts = ["", "\0", "\0a", "\u{1}", "\u{1}0", "\u{1}1\0", "\u{2}", "0", "a\0b", "a\u{1}", "ab", "ü"];
        for pair in texts.windows(2) {
            assert!(pair[0] < pair[1], "the list is in order");
            assert!(to_column(pair[0]) < to_column(pair[1]), "{pair:?}");
        }
        for text in texts {
            let column = to_column(text);
            assert!(!column.contains('\0'));
            assert_eq!(from_column(column.into_owned()), text);
        }
    }
}
