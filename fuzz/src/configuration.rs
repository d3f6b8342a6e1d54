//! Device configurations: running configurations come from devices, lines from templates that anybody may have written.

use device_config::{Lines, Platform, Undo, diff, parse, undo};

use crate::Verdict;

/// The first byte chooses the platform; a line `---` parts what runs from what is entered. Everything can be read; what
/// counts as refused is a change that has no undo.
pub fn device_config(data: &[u8]) -> Verdict {
    let Some((first, rest)) = data.split_first() else { return Verdict::Refused };
    let Ok(text) = std::str::from_utf8(rest) else { return Verdict::Refused };
    let platform = Platform::ALL[usize::from(*first) % Platform::ALL.len()];
    let (running, lines) = text.split_once("\n---\n").unwrap_or((text, ""));
    let before = parse(platform, running);
    let canonical = before.text();
    assert_eq!(parse(platform, &canonical).text(), canonical, "the canonical form is read as something else");
    assert!(diff(&before, &before).is_empty());
    let merged = before.merge(&Lines::new(lines));
    match undo(&before, &merged) {
        Undo::Generated(way) => {
            let back = merged.after.merge(&way);
            assert!(back.unmodelled.is_empty() && diff(&before, &back.after).is_empty(), "an undo that was not proven");
            Verdict::Read
        }
        Undo::None(_) => Verdict::Refused,
    }
}
