//! What is on the other end of a cable: `show cdp neighbors`, `show lldp neighbors`.

use super::{ShowFault, behind_heading, number, os, words};
use crate::Platform;

/// A neighbour on a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neighbor {
    /// Its name, as far as the device prints it.
    pub device: String,
    /// Our port, without the space that IOS XE prints in it: `Gig1/0/1`, `Eth1/1`.
    pub local_port: String,
    /// Its port, in the same form; free text where the neighbour says free text.
    pub remote_port: String,
    /// What it is, where CDP says it.
    pub platform: Option<String>,
}

/// Types of interfaces as CDP abbreviates them before a space and the number.
const TYPES: [&str; 14] =
    ["Gig", "Ten", "Fas", "Eth", "For", "Hun", "Twe", "Fou", "Two", "Fiv", "Port", "Ser", "Mgm", "App"];

/// Reads `show cdp neighbors`.
///
/// # Errors
///
/// An unsupported platform, or a text without the heading.
pub fn cdp_neighbors(platform: Platform, text: &str) -> Result<Vec<Neighbor>, ShowFault> {
    const COMMAND: &str = "show cdp neighbors";
    os(platform, COMMAND)?;
    // NX-OS writes `Device-ID`.
    let heading = if text.contains("Device-ID") { "Device-ID" } else { "Device ID" };
    let lines = behind_heading(text, &[heading, "Local Int", "Platform", "Port ID"], COMMAND)?;
    Ok(rows(&lines, cdp_row))
}

/// Reads `show lldp neighbors`.
///
/// # Errors
///
/// An unsupported platform, or a text without the heading.
pub fn lldp_neighbors(platform: Platform, text: &str) -> Result<Vec<Neighbor>, ShowFault> {
    const COMMAND: &str = "show lldp neighbors";
    os(platform, COMMAND)?;
    let lines = behind_heading(text, &["Device ID", "Local Intf", "Hold-time", "Capability", "Port ID"], COMMAND)?;
    Ok(rows(&lines, lldp_row))
}

/// Rows, where a long name stands alone on a line before the rest of its row.
fn rows(lines: &[&str], row: fn(&[&str]) -> Option<Neighbor>) -> Vec<Neighbor> {
    let (mut neighbors, mut name) = (Vec::new(), None);
    for line in lines {
        let mut parts = words(line);
        // IOS XE cuts a name at 20 letters, and the port follows without a blank.
        if let Some(first) = parts.first().copied()
            && parts.get(1).is_some_and(|word| number::<u32>(word).is_some())
            && let (Some(device), Some(port)) = (first.get(..20), first.get(20..))
            && !port.is_empty()
        {
            parts.splice(..1, [device, port]);
        }
        match parts.as_slice() {
            [] => {}
            [only] if !line.starts_with(' ') => name = Some(*only),
            _ => {
                let held = name.take().filter(|_| line.starts_with(' '));
                let parts: Vec<&str> = held.into_iter().chain(parts).collect();
                neighbors.extend(row(&parts));
            }
        }
    }
    neighbors
}

/// `name`, port of one or two words, hold time, capabilities of one letter, platform, port of one or two words.
fn cdp_row(words: &[&str]) -> Option<Neighbor> {
    let is_number = |word: &&str| number::<u32>(word).is_some();
    let is_letter = |word: &&str| word.len() == 1 && word.bytes().all(|b| b.is_ascii_alphabetic());
    let held =
        (2..words.len()).find(|at| words.get(*at).is_some_and(is_number) && words.get(at + 1).is_some_and(is_letter));
    let held = held.or_else(|| (2..words.len()).find(|at| words.get(*at).is_some_and(is_number)))?;
    let behind: Vec<&str> = words.get(held + 1..)?.iter().copied().skip_while(|word| is_letter(word)).collect();
    let (last, before) = behind.split_last()?;
    let (remote_port, platform) = match before.split_last() {
        Some((kind, platform)) if TYPES.contains(kind) => (format!("{kind}{last}"), platform),
        _ => ((*last).to_owned(), before),
    };
    Some(Neighbor {
        device: (*words.first()?).to_owned(),
        local_port: words.get(1..held)?.concat(),
        remote_port,
        platform: (!platform.is_empty()).then(|| platform.join(" ")),
    })
}

/// `name`, port, hold time, capabilities or nothing, port of any words.
fn lldp_row(words: &[&str]) -> Option<Neighbor> {
    let (device, local, behind) = match words {
        [device, local, hold, behind @ ..] if number::<u32>(hold).is_some() => (device, local, behind),
        _ => return None,
    };
    // `B,R` on IOS XE, `BR` on NX-OS.
    let is_capability = |word: &str| word.chars().all(|letter| "BRCTWPSO,".contains(letter));
    let remote = match behind {
        [first, rest @ ..] if !rest.is_empty() && is_capability(first) => rest,
        rest => rest,
    };
    let (device, local_port) = ((*device).to_owned(), (*local).to_owned());
    (!remote.is_empty()).then(|| Neighbor { device, local_port, remote_port: remote.join(" "), platform: None })
}
