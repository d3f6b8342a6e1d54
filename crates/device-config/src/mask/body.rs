//! Secrets of several lines: private keys between their marks, and the bodies of ASA's certificate chains, which hold the
//! keys of imported ones.

use crate::Platform;

/// What is open, from one line to the next.
#[derive(Default)]
pub(super) struct Body {
    private_key: bool,
}

impl Body {
    /// Whether this line is a part of a secret that goes on over lines.
    pub(super) fn holds(&mut self, platform: Platform, section: &str, line: &str) -> bool {
        if let Some(mark) = mark_of(line) {
            match mark.strip_prefix("BEGIN ") {
                Some(what) if what.contains("PRIVATE KEY") => {
                    self.private_key = true;
                    return false;
                }
                None if mark.starts_with("END ") => {
                    self.private_key = false;
                    return false;
                }
                _ => {}
            }
        }
        let hidden = self.private_key || in_certificate_chain(platform, section, line);
        hidden && !line.trim().is_empty()
    }
}

/// What stands behind the five dashes of a line that may begin or end a key, by one blank between two words, whatever stood there:
/// a secret is not less of one behind a tab.
fn mark_of(line: &str) -> Option<String> {
    let mark = line.trim_start().strip_prefix("-----")?;
    Some(mark.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn in_certificate_chain(platform: Platform, section: &str, line: &str) -> bool {
    let hexadecimal = |word: &str| word.len() <= 8 && word.bytes().all(|b| b.is_ascii_hexdigit());
    let masked = line.trim() == super::MASK;
    platform == Platform::Asa
        && section.starts_with("crypto ca certificate chain")
        && line.starts_with([' ', '\t'])
        && (masked || line.split_whitespace().all(hexadecimal))
}
