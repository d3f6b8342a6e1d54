//! Masking of what a plan shows (T27). Two rules together: what a platform's configuration is known to hide is hidden in its
//! place, and every secret that is known by value is hidden wherever it stands: a password in a description is still one.
//!
//! Known values are the secret parameters, and whatever the first rule hides in the running configuration, in the predicted
//! one and in the rendered lines.

use std::collections::BTreeSet;

use device_config::{MASK, Platform, mask, mask_line};
use platform::Json;

/// Shorter values are not looked for in texts: they would be found everywhere.
pub(super) const LEAST: usize = 4;

/// Hides the secrets of one device's plan.
pub(super) struct Masker {
    platform: Platform,
    /// Longest first, so that a value that holds another is hidden whole.
    known: Vec<String>,
}

impl Masker {
    /// Knows what `texts` hide by the platform's rules, and these values.
    pub(super) fn of(platform: Platform, texts: &[&str], values: impl IntoIterator<Item = String>) -> Self {
        let mut known: BTreeSet<String> = values.into_iter().filter(|value| value.len() >= LEAST).collect();
        for text in texts {
            known.extend(hidden_values(platform, text).into_iter().filter(|value| value.len() >= LEAST));
        }
        let mut known: Vec<String> = known.into_iter().collect();
        known.sort_by_key(|value| std::cmp::Reverse(value.len()));
        Self { platform, known }
    }

    /// A line that stands below others.
    pub(super) fn line(&self, parents: &[&str], line: &str) -> String {
        let masked = mask_line(self.platform, parents, line);
        self.words(masked.as_deref().unwrap_or(line))
    }

    /// A whole text, with as many lines as before.
    pub(super) fn text(&self, text: &str) -> String {
        self.words(&mask(self.platform, text).text)
    }

    /// Values that are known, wherever they stand.
    pub(super) fn words(&self, text: &str) -> String {
        self.known.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), MASK))
    }
}

/// What the platform's rules hide in a text.
pub(super) fn hidden_values(platform: Platform, text: &str) -> BTreeSet<String> {
    let masked = mask(platform, text).text;
    let pairs = text.lines().zip(masked.lines()).filter(|(line, masked)| line != masked);
    pairs.flat_map(|(line, masked)| hidden_in(line, masked)).collect()
}

/// What a masked line hides. Where that cannot be told apart, all that follows the first hidden place.
fn hidden_in(line: &str, masked: &str) -> Vec<String> {
    // Masking joins words by single spaces.
    let joined = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let (line, masked) = (joined(line), joined(masked));
    let parts: Vec<&str> = masked.split(MASK).collect();
    let Some((first, rest)) = parts.split_first() else { return Vec::new() };
    let Some(mut left) = line.strip_prefix(first) else { return vec![line] };
    let mut found = Vec::new();
    for (at, part) in rest.iter().enumerate() {
        let is_last = at + 1 == rest.len();
        let end =
            if is_last { left.len().checked_sub(part.len()) } else { left.find(part).filter(|_| !part.is_empty()) };
        let split = end.filter(|end| left.get(*end..).is_some_and(|tail| tail.starts_with(part)));
        match split.and_then(|end| left.split_at_checked(end)) {
            Some((secret, tail)) => {
                found.push(secret.to_owned());
                left = tail.get(part.len()..).unwrap_or_default();
            }
            None => {
                found.push(left.to_owned());
                break;
            }
        }
    }
    found.retain(|secret| !secret.is_empty() && !secret.contains(MASK));
    found
}

/// Whether a parameter's value is among what the rendered lines hide: a secret that nobody called one.
pub(super) fn is_hidden(hidden: &BTreeSet<String>, value: &Json) -> bool {
    let within = |text: &str| {
        !text.is_empty() && hidden.iter().any(|secret| secret == text || text.len() >= LEAST && secret.contains(text))
    };
    match value {
        Json::String(text) => within(&text.split_whitespace().collect::<Vec<_>>().join(" ")),
        Json::Number(number) => within(&number.to_string()),
        Json::Array(items) => items.iter().any(|item| is_hidden(hidden, item)),
        Json::Object(members) => members.values().any(|member| is_hidden(hidden, member)),
        Json::Null | Json::Bool(_) => false,
    }
}

/// The texts of a value that have to be hidden where they stand in lines.
pub(super) fn texts_of(value: &Json) -> Vec<String> {
    match value {
        Json::String(text) => vec![text.clone()],
        Json::Number(number) => vec![number.to_string()],
        Json::Array(items) => items.iter().flat_map(texts_of).collect(),
        Json::Object(members) => members.values().flat_map(texts_of).collect(),
        Json::Null | Json::Bool(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use device_config::Platform::IosXe;
    use serde_json::json;

    use super::{Masker, hidden_values, is_hidden};

    #[test]
    fn t27_what_a_configuration_hides_is_known_by_value() {
        let text = "username ops privilege 15 secret 9 $9$abc\nsnmp-server community c0mmunity RO 10\ninterface Vlan1\n \
                    description c0mmunity here\n";
        let hidden = hidden_values(IosXe, text);
        assert_eq!(hidden.iter().map(String::as_str).collect::<Vec<_>>(), ["$9$abc", "c0mmunity"]);
        let masker = Masker::of(IosXe, &[text], []);
        assert_eq!(masker.line(&["interface Vlan1"], "description c0mmunity here"), "description <masked> here");
        let shown = masker.text(text);
        assert!(!shown.contains("c0mmunity") && !shown.contains("$9$abc") && shown.contains("RO 10"), "{shown}");
    }

    #[test]
    fn t27_a_secret_parameter_is_hidden_wherever_it_stands() {
        let masker = Masker::of(IosXe, &[], ["hunter22".to_owned(), "hunter2".to_owned(), "20".to_owned()]);
        assert_eq!(masker.line(&[], "vlan 20"), "vlan 20", "too short to be looked for");
        assert_eq!(masker.words("name hunter22-x hunter2"), "name <masked>-x <masked>");
    }

    #[test]
    fn t27_a_parameter_that_ends_up_in_a_hidden_place_is_a_secret() {
        let hidden = hidden_values(IosXe, "snmp-server community pre-c0mm-post RO\n");
        assert!(is_hidden(&hidden, &json!("c0mm")) && is_hidden(&hidden, &json!(["x", "pre-c0mm-post"])));
        assert!(
            !is_hidden(&hidden, &json!("re")) && !is_hidden(&hidden, &json!("")) && !is_hidden(&hidden, &json!("RO"))
        );
    }
}
