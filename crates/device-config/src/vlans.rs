//! Lists of VLANs: `1,10,20-24`. Next: `merge`, where lists are added to and taken from.

use std::collections::BTreeSet;
use std::fmt;

/// The highest number of a VLAN that a device takes (IEEE 802.1Q; 4095 is reserved).
const HIGHEST: u16 = 4094;

/// A set of VLANs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Vlans(BTreeSet<u16>);

/// Reads a list; nothing when it is none.
pub(crate) fn parse(text: &str) -> Option<Vlans> {
    let mut set = BTreeSet::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (number(first)?, number(last)?);
        if first > last {
            return None;
        }
        set.extend(first..=last);
    }
    Some(Vlans(set))
}

fn number(text: &str) -> Option<u16> {
    let text = text.trim_matches(' ');
    let digits = !text.is_empty() && text.len() <= 4 && text.chars().all(|c| c.is_ascii_digit());
    let id: u16 = digits.then(|| text.parse().ok()).flatten()?;
    (1..=HIGHEST).contains(&id).then_some(id)
}

impl Vlans {
    /// Every VLAN there is.
    pub(crate) fn all() -> Self {
        Self((1..=HIGHEST).collect())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = u16> + '_ {
        self.0.iter().copied()
    }

    pub(crate) fn with(&self, more: &Self) -> Self {
        Self(self.0.union(&more.0).copied().collect())
    }

    pub(crate) fn without(&self, less: &Self) -> Self {
        Self(self.0.difference(&less.0).copied().collect())
    }
}

/// As a device prints it: ranges with a hyphen from three numbers on, two neighbours with a comma.
impl fmt::Display for Vlans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut ids = self.0.iter().copied().peekable();
        let mut first = true;
        while let Some(start) = ids.next() {
            let mut end = start;
            while let Some(next) = ids.next_if(|id| *id == end + 1) {
                end = next;
            }
            if !first {
                f.write_str(",")?;
            }
            first = false;
            match end - start {
                0 => write!(f, "{start}")?,
                1 => write!(f, "{start},{end}")?,
                _ => write!(f, "{start}-{end}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Vlans, parse};

    #[test]
    fn lists_are_read_and_written_as_a_device_does() {
        for (text, written) in
            [("1,10,20-24", "1,10,20-24"), ("3,2,1", "1-3"), ("5-6", "5,6"), ("7", "7"), ("4, 9", "4,9")]
        {
            assert_eq!(parse(text).unwrap().to_string(), written);
        }
        for text in ["", "0", "4095", "5-1", "a", "1,,2", "+1", "00001"] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(Vlans::all().without(&parse("1-10").unwrap()).to_string(), "11-4094");
    }
}
