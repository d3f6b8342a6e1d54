//! Words as engineers abbreviate them, and names of interfaces in their short and long forms.

use crate::vlans;

/// Whether a word stands for a keyword: it is the keyword, or its beginning of at least so many letters.
pub(super) fn is(word: &str, keyword: &str, least: usize) -> bool {
    word == keyword || (word.len() >= least.min(keyword.len()) && keyword.starts_with(word))
}

/// Whether two names are of one interface: the same numbers, and the letters of one begin the other's.
pub(super) fn same_interface(one: &str, other: &str) -> bool {
    let (one, other) = (split(one), split(other));
    let begins = one.0.starts_with(&other.0) || other.0.starts_with(&one.0);
    one.1 == other.1 && begins && !one.0.is_empty() && !other.0.is_empty()
}

fn split(name: &str) -> (String, String) {
    let lower: String = name.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_ascii_lowercase();
    let numbers = lower.find(|c: char| c.is_ascii_digit()).unwrap_or(lower.len());
    let (letters, numbers) = lower.split_at(numbers);
    (letters.to_owned(), numbers.to_owned())
}

/// Whether a list of VLANs (`1,10,20-24`) has this one; nothing when it is no such list.
pub(super) fn lists(list: &str, vlan: u16) -> Option<bool> {
    vlans::parse(list).map(|listed| listed.ids().any(|id| id == vlan))
}
