//! Lines that the device does not store as they were typed: interface names, VLAN lists, numbered access-list entries,
//! stand-ins for what a device makes of a password.
//!
//! Where next: [`super::session`], which asks these before it stores a line.

use crate::lines::dialect::Dialect;
use crate::lines::tree::Node;
use crate::os::Os;
use crate::seed::fnv;

/// Splits an interface name into its kind and its numbers: `MgmtEth0/RP0/CPU0/0` → `MgmtEth`, `0/RP0/CPU0/0`.
pub(crate) fn split_name(name: &str) -> (&str, &str) {
    let at = name.find(|c: char| c.is_ascii_digit()).unwrap_or(name.len());
    name.split_at_checked(at).unwrap_or((name, ""))
}

/// The full name of `gi1/0/1`, `Gi 1/0/1`, `vlan10`; nothing when no kind fits.
pub(crate) fn interface_name(kinds: &[(&'static str, bool)], typed: &str) -> Option<String> {
    let joined: String = typed.split_whitespace().collect();
    let (kind, number) = split_name(&joined);
    let lower = kind.to_ascii_lowercase();
    let numbers =
        |c: char| c.is_ascii_digit() || matches!(c, '/' | '.') || (c.is_ascii_uppercase() && number.contains("/RP"));
    if lower.is_empty() || number.is_empty() || !number.chars().all(numbers) {
        return None;
    }
    let exact = kinds.iter().find(|(known, _)| known.eq_ignore_ascii_case(&lower));
    let full = exact.or_else(|| kinds.iter().find(|(known, _)| known.to_ascii_lowercase().starts_with(&lower)))?.0;
    Some(format!("{full}{number}"))
}

/// The names of an `interface range`: `gi1/0/1 - 4, te1/1/1`.
pub(crate) fn interface_range(dialect: &Dialect, typed: &str) -> Option<Vec<String>> {
    let mut names = Vec::new();
    for part in typed.split(',') {
        // `port-channel` has a hyphen of its own.
        let split = part.rsplit_once('-').filter(|(first, _)| first.contains(|c: char| c.is_ascii_digit()));
        let (first, last) = match split {
            Some((first, last)) => (first, Some(last.trim())),
            None => (part, None),
        };
        let name = dialect.interface_name(first)?;
        let digits = name.rfind(|c: char| !c.is_ascii_digit())? + 1;
        let (stem, number) = name.split_at_checked(digits)?;
        let from: u32 = number.parse().ok()?;
        let to: u32 = match last {
            Some(text) => text.rsplit('/').next()?.parse().ok()?,
            None => from,
        };
        if to < from || to - from > 512 {
            return None;
        }
        names.extend((from..=to).map(|n| format!("{stem}{n}")));
    }
    Some(names)
}

/// A set of VLAN ids from `10,20-22`; nothing when a part is no id between 1 and 4094.
pub(crate) fn vlan_list(text: &str) -> Option<Vec<u16>> {
    let mut ids = Vec::new();
    for part in text.split(',') {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        let (from, to): (u16, u16) = (from.trim().parse().ok()?, to.trim().parse().ok()?);
        if from == 0 || to > 4094 || to < from {
            return None;
        }
        ids.extend(from..=to);
    }
    ids.sort_unstable();
    ids.dedup();
    Some(ids)
}

/// `10,20-22` from a sorted set. Two neighbours stay apart on IOS-XE and are a range on NX-OS.
pub(crate) fn vlan_text(os: Os, ids: &[u16]) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut rest = ids;
    while let Some(first) = rest.first().copied() {
        let run = rest.iter().zip(first..).take_while(|(id, expected)| **id == *expected).count();
        let last = first + u16::try_from(run).unwrap_or(1) - 1;
        match run {
            1 => parts.push(first.to_string()),
            2 if os != Os::NxOs => parts.extend([first.to_string(), last.to_string()]),
            _ => parts.push(format!("{first}-{last}")),
        }
        rest = rest.get(run..).unwrap_or_default();
    }
    parts.join(",")
}

/// What `switchport trunk allowed vlan <typed>` makes of the list that stands there. `Ok(None)` removes the line.
pub(crate) fn trunk_vlans(os: Os, held: Option<&str>, typed: &str) -> Option<Option<String>> {
    let all = || (1..=4094).collect::<Vec<u16>>();
    let current = match held {
        None | Some("all") => all(),
        Some("none") => Vec::new(),
        Some(text) => vlan_list(text)?,
    };
    let (verb, list) = typed.split_once(' ').unwrap_or((typed, ""));
    let result = match verb {
        "add" => {
            let mut ids = current;
            ids.extend(vlan_list(list)?);
            ids.sort_unstable();
            ids.dedup();
            ids
        }
        "remove" => {
            let gone = vlan_list(list)?;
            current.into_iter().filter(|id| !gone.contains(id)).collect()
        }
        "except" => {
            let gone = vlan_list(list)?;
            all().into_iter().filter(|id| !gone.contains(id)).collect()
        }
        "all" => all(),
        "none" => Vec::new(),
        _ if list.is_empty() => vlan_list(typed)?,
        _ => return None,
    };
    Some(match result.len() {
        4094 => None,
        0 => Some("none".to_owned()),
        _ => Some(vlan_text(os, &result)),
    })
}

/// Splits `10 permit ip any any` into number and entry.
pub(crate) fn numbered(entry: &str) -> (Option<u32>, &str) {
    match entry.split_once(' ') {
        Some((number, rest)) if number.chars().all(|c| c.is_ascii_digit()) => (number.parse().ok(), rest),
        _ => (None, entry),
    }
}

/// Puts an entry into an access list: numbered by hand, or ten after the last; an equal entry is there once. An entry with
/// a number that is taken overwrites the one that is there, or is refused with the device's sentence.
pub(crate) fn add_entry(
    lines: &mut Vec<Node>,
    number: Option<u32>,
    entry: &str,
    overwrites: bool,
) -> Result<bool, &'static str> {
    let new = |number: u32| format!("{number} {entry}");
    if overwrites
        && let Some(number) = number
        && let Some(node) = lines.iter_mut().find(|node| numbered(&node.line).0 == Some(number))
    {
        node.line = new(number);
        return Ok(true);
    }
    if lines.iter().any(|node| numbered(&node.line).1 == entry) {
        return Ok(false);
    }
    let number = match number {
        Some(number) if lines.iter().any(|node| numbered(&node.line).0 == Some(number)) => {
            return Err("% Duplicate sequence number");
        }
        Some(number) => number,
        None => lines.iter().filter_map(|node| numbered(&node.line).0).max().unwrap_or(0) + 10,
    };
    let at = lines.iter().position(|node| numbered(&node.line).0 > Some(number)).unwrap_or(lines.len());
    lines.insert(at, Node::leaf(new(number)));
    Ok(true)
}

/// A stand-in for a device's one-way hash: looks like one, and tells nothing of the text.
pub(crate) fn scramble(text: &str, length: usize) -> String {
    const ALPHABET: &[u8] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut state = fnv(text.as_bytes());
    (0..length)
        .map(|n| {
            state = fnv(&state.to_le_bytes()) ^ n as u64;
            char::from(ALPHABET.get((state % 64) as usize).copied().unwrap_or(b'.'))
        })
        .collect()
}

/// Looks like the vendor's reversible form.
pub(crate) fn type_seven(text: &str) -> String {
    let state = fnv(text.as_bytes());
    let body: String =
        text.bytes().zip(state.to_le_bytes().iter().cycle()).map(|(a, b)| format!("{:02X}", a ^ b)).collect();
    format!("{:02}{body}", state % 16)
}
