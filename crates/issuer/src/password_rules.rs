//! Which passwords a person may choose (rule T5): long enough, and not one that everybody tries first (NIST SP 800-63B,
//! section 5.1.1.2). Nothing else is asked of them.

use platform::{Error, ErrorKind, Secret};

const SHORTEST: usize = 12;
const LONGEST: usize = 1_024;

/// Words that common passwords of twelve and more characters are made of; lower case, letters only.
const COMMON: [&str; 64] = [
    "password",
    "passwort",
    "passw",
    "passwd",
    "qwerty",
    "qwertyuiop",
    "qwertz",
    "qwertzuiop",
    "azerty",
    "asdfgh",
    "asdfghjkl",
    "zxcvbn",
    "zxcvbnm",
    "yxcvbnm",
    "letmein",
    "welcome",
    "willkommen",
    "admin",
    "administrator",
    "root",
    "superuser",
    "iloveyou",
    "sunshine",
    "princess",
    "football",
    "baseball",
    "basketball",
    "monkey",
    "dragon",
    "master",
    "shadow",
    "superman",
    "batman",
    "trustno",
    "starwars",
    "whatever",
    "freedom",
    "secret",
    "changeme",
    "default",
    "abc",
    "abcd",
    "abcde",
    "abcdef",
    "abcdefg",
    "abcdefgh",
    "abcdefghijkl",
    "login",
    "hello",
    "computer",
    "internet",
    "network",
    "cisco",
    "interlock",
    "company",
    "summer",
    "winter",
    "spring",
    "autumn",
    "monday",
    "january",
    "temp",
    "test",
    "guest",
];

/// Error: `password_weak`.
pub(crate) fn check(password: &Secret, name: &str) -> Result<(), Error> {
    let text = password.expose();
    let length = text.chars().count();
    let refused = |message: &str| Err(Error::new(ErrorKind::InvalidInput, "password_weak", message));
    if length < SHORTEST {
        return refused("A password has at least 12 characters.");
    }
    if length > LONGEST {
        return refused("A password has at most 1024 characters.");
    }
    if is_common(text, name) {
        return refused(
            "This password is one of the first that anybody would try. Choose another, a few unusual words.",
        );
    }
    Ok(())
}

/// Whether only common words, the person's own name, rows of digits and repetition are in it.
fn is_common(text: &str, name: &str) -> bool {
    let lower = text.to_lowercase();
    let distinct: std::collections::BTreeSet<char> = lower.chars().collect();
    if distinct.len() < 5 {
        return true;
    }
    // What people write for letters, back to letters, but for what they add at the ends; then only the letters count.
    let letters: String = lower
        .trim_matches(|c: char| !c.is_alphabetic())
        .chars()
        .filter_map(|c| match c {
            '0' => Some('o'),
            '1' | '!' => Some('i'),
            '3' => Some('e'),
            '4' | '@' => Some('a'),
            '5' | '$' => Some('s'),
            '7' => Some('t'),
            c if c.is_alphabetic() => Some(c),
            _ => None,
        })
        .collect();
    let plain: String = lower.chars().filter(|c| c.is_alphabetic()).collect();
    let name: String = name.split('@').next().unwrap_or_default().chars().filter(|c| c.is_alphabetic()).collect();
    [letters, plain].iter().any(|rest| made_of_common_words(rest, &name))
}

fn made_of_common_words(text: &str, name: &str) -> bool {
    if text.is_empty() {
        return true;
    }
    let words = COMMON.iter().copied().chain([name]).filter(|word| !word.is_empty());
    // Greedy is not enough (`passw` before `password`), so every word that fits is tried; texts are short.
    text.len() <= 64 && words.filter_map(|word| text.strip_prefix(word)).any(|rest| made_of_common_words(rest, name))
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn t5_short_and_common_passwords_are_refused_and_unusual_words_are_not() {
        for bad in [
            "short",
            "elevenchars",
            "password1234",
            "P@ssw0rd2026!",
            "Qwertyuiop12",
            "123456789012",
            "aaaaaaaaaaaa",
            "abababababab",
            "Welcome-2026-Welcome",
            "administrator!",
            "alice-alice-1",
            "letmeinletmein",
        ] {
            assert_eq!(check(&bad.into(), "alice").unwrap_err().code(), "password_weak", "{bad}");
        }
        for good in ["correct horse battery", "grünes Krokodil 7", "Tr0ub4dor&3-staple", "passwordless ferry"] {
            assert!(check(&good.into(), "alice").is_ok(), "{good}");
        }
        assert!(check(&"x1y2".repeat(400).as_str().into(), "alice").is_err());
    }
}
