//! Lines that the device does not store as they were typed: interface names, VLAN lists, numbered access-list entries,
//! passwords.
//!
//! Where next: [`super::merge`], which asks these before it stores a line.

use crate::ios_xe::tree::Node;
use crate::seed::fnv;

static INTERFACE_KINDS: &[&str] = &[
    "GigabitEthernet",
    "TenGigabitEthernet",
    "TwentyFiveGigE",
    "FortyGigabitEthernet",
    "HundredGigE",
    "TwoGigabitEthernet",
    "FastEthernet",
    "AppGigabitEthernet",
    "Loopback",
    "Vlan",
    "Port-channel",
    "Tunnel",
];

/// The full name of `gi1/0/1`, `Gi 1/0/1`, `vlan10`; nothing when no kind fits.
pub(crate) fn interface_name(typed: &str) -> Option<String> {
    let joined: String = typed.split_whitespace().collect();
    let at = joined.find(|c: char| c.is_ascii_digit())?;
    let (kind, number) = joined.split_at_checked(at)?;
    let lower = kind.to_ascii_lowercase();
    if lower.is_empty() || !number.chars().all(|c| c.is_ascii_digit() || matches!(c, '/' | '.')) {
        return None;
    }
    let full = INTERFACE_KINDS.iter().find(|known| known.to_ascii_lowercase().starts_with(&lower))?;
    Some(format!("{full}{number}"))
}

/// Whether an interface of this name is created by naming it.
pub(crate) fn is_logical(name: &str) -> bool {
    ["Loopback", "Vlan", "Port-channel", "Tunnel"].iter().any(|kind| name.starts_with(kind))
}

/// The names of an `interface range`: `gi1/0/1 - 4, te1/1/1`.
pub(crate) fn interface_range(typed: &str) -> Option<Vec<String>> {
    let mut names = Vec::new();
    for part in typed.split(',') {
        let (first, last) = match part.split_once('-').filter(|(kind, _)| !kind.trim().eq_ignore_ascii_case("port")) {
            Some((first, last)) => (first, Some(last.trim())),
            None => (part, None),
        };
        let name = interface_name(first)?;
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

/// Orders interface names as the device prints them: by kind, then by numbers.
pub(crate) fn interface_order(name: &str) -> (usize, Vec<u32>) {
    let at = name.find(|c: char| c.is_ascii_digit()).unwrap_or(name.len());
    let (kind, numbers) = name.split_at(at);
    let printed = [
        "Loopback",
        "Tunnel",
        "Port-channel",
        "FastEthernet",
        "GigabitEthernet",
        "TwoGigabitEthernet",
        "TenGigabitEthernet",
        "TwentyFiveGigE",
        "FortyGigabitEthernet",
        "HundredGigE",
        "AppGigabitEthernet",
        "Vlan",
    ];
    let rank = printed.iter().position(|known| *known == kind).unwrap_or(printed.len());
    (rank, numbers.split(['/', '.', ':']).filter_map(|n| n.parse().ok()).collect())
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

/// `10,20-22` from a sorted set; two neighbours stay apart, as on the device.
pub(crate) fn vlan_text(ids: &[u16]) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut rest = ids;
    while let Some(first) = rest.first().copied() {
        let run = rest.iter().zip(first..).take_while(|(id, expected)| **id == *expected).count();
        let last = first + u16::try_from(run).unwrap_or(1) - 1;
        match run {
            1 => parts.push(first.to_string()),
            2 => parts.extend([first.to_string(), last.to_string()]),
            _ => parts.push(format!("{first}-{last}")),
        }
        rest = rest.get(run..).unwrap_or_default();
    }
    parts.join(",")
}

/// What `switchport trunk allowed vlan <typed>` makes of the list that stands there. `Ok(None)` removes the line.
pub(crate) fn trunk_vlans(held: Option<&str>, typed: &str) -> Option<Option<String>> {
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
        _ => Some(vlan_text(&result)),
    })
}

/// Splits `10 permit ip any any` into number and entry.
pub(crate) fn numbered(entry: &str) -> (Option<u32>, &str) {
    match entry.split_once(' ') {
        Some((number, rest)) if number.chars().all(|c| c.is_ascii_digit()) => (number.parse().ok(), rest),
        _ => (None, entry),
    }
}

/// Puts an entry into an access list: numbered by hand, or ten after the last; an equal entry is there once. The error is
/// the device's sentence.
pub(crate) fn add_entry(lines: &mut Vec<Node>, number: Option<u32>, entry: &str) -> Result<bool, &'static str> {
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
    lines.insert(at, Node::leaf(format!("{number} {entry}")));
    Ok(true)
}

/// What the device stores for a line with a clear-text password: a hash for secrets, type 7 for reversible ones where
/// `service password-encryption` is on. Other lines come back as they are.
pub(crate) fn stored_secret(line: &str, encrypts: bool) -> String {
    for (lead, hashed) in [("enable secret", true), ("enable password", false), ("password", false), ("key", false)] {
        if let Some(rest) = super::tree::after(line, lead) {
            return replace_secret(lead, rest, hashed, encrypts);
        }
    }
    if line.starts_with("username ") {
        for (word, hashed) in [(" secret ", true), (" password ", false)] {
            if let Some((lead, rest)) = line.split_once(word) {
                return replace_secret(&format!("{lead}{}", word.trim_end()), rest, hashed, encrypts);
            }
        }
    }
    line.to_owned()
}

fn replace_secret(lead: &str, rest: &str, hashed: bool, encrypts: bool) -> String {
    let (kind, text) = match rest.split_once(' ') {
        Some((kind @ ("0" | "5" | "6" | "7" | "8" | "9"), text)) => (kind, text),
        _ => ("0", rest),
    };
    if kind != "0" {
        return format!("{lead} {kind} {text}");
    }
    if hashed {
        return format!("{lead} 9 $9${}", scramble(text, 58));
    }
    if encrypts { format!("{lead} 7 {}", type_seven(text)) } else { format!("{lead} {text}") }
}

/// A stand-in for the device's one-way hash: looks like one, and tells nothing of the text.
fn scramble(text: &str, length: usize) -> String {
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
fn type_seven(text: &str) -> String {
    let state = fnv(text.as_bytes());
    let body: String =
        text.bytes().zip(state.to_le_bytes().iter().cycle()).map(|(a, b)| format!("{:02X}", a ^ b)).collect();
    format!("{:02}{body}", state % 16)
}
