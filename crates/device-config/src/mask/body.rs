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
        let mark = line.trim().trim_start_matches('-');
        if line.trim().starts_with("-----BEGIN ") && mark.contains("PRIVATE KEY") {
            self.private_key = true;
            return false;
        }
        if line.trim().starts_with("-----END ") {
            self.private_key = false;
            return false;
        }
        let hidden = self.private_key || in_certificate_chain(platform, section, line);
        hidden && !line.trim().is_empty()
    }
}

fn in_certificate_chain(platform: Platform, section: &str, line: &str) -> bool {
    let hexadecimal = |word: &str| word.len() <= 8 && word.bytes().all(|b| b.is_ascii_hexdigit());
    let masked = line.trim() == super::MASK;
    platform == Platform::Asa
        && section.starts_with("crypto ca certificate chain")
        && line.starts_with([' ', '\t'])
        && (masked || line.split_whitespace().all(hexadecimal))
}
