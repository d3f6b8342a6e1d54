//! Looks for secrets in this process's own memory (T28): everything that the process can write to, read through
//! `/proc/self/mem`. A [`Needle`] is kept masked, so that the search never finds itself.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::FileExt as _;

/// Any byte but zero: what is looked for must not stand in memory as it is.
const MASK: u8 = 0xA7;
const PIECE: usize = 1 << 20;

/// A secret to look for.
pub struct Needle(Vec<u8>);

impl Needle {
    /// Remembers what to look for: the second half, at least 16 bytes, so that nothing is found by chance. The first half
    /// does not tell: an allocator writes its own links over the beginning of what is freed, and leaves the rest.
    pub fn of(secret: &[u8]) -> Self {
        let half = &secret[secret.len() / 2..];
        assert!(half.len() >= 16, "too short to be told from chance");
        Self(half.iter().map(|byte| byte ^ MASK).collect())
    }

    fn stands_in(&self, bytes: &[u8]) -> bool {
        let first = self.0[0] ^ MASK;
        let is_here = |window: &[u8]| window.iter().zip(&self.0).all(|(byte, masked)| byte ^ MASK == *masked);
        bytes.windows(self.0.len()).any(|window| window[0] == first && is_here(window))
    }
}

/// Which of these stand somewhere in the memory that this process can write to.
pub fn found(needles: &[(&'static str, Needle)]) -> Vec<&'static str> {
    let longest = needles.iter().map(|(_, needle)| needle.0.len()).max().unwrap_or(0);
    let (memory, mut found) = (File::open("/proc/self/mem").unwrap(), Vec::new());
    let mut buffer = vec![0; PIECE + longest];
    for (from, to) in writable() {
        let mut at = from;
        while at < to {
            let length = usize::try_from(to - at).unwrap().min(buffer.len());
            // A region may be gone by now, or not be readable in truth.
            if memory.read_exact_at(&mut buffer[..length], at).is_ok() {
                let here = needles.iter().filter(|(_, needle)| needle.stands_in(&buffer[..length]));
                found.extend(here.map(|(name, _)| *name));
            }
            // What was read must not be found once more in the buffer itself.
            buffer.fill(0);
            at += PIECE as u64;
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

fn writable() -> Vec<(u64, u64)> {
    let lines = BufReader::new(File::open("/proc/self/maps").unwrap()).lines().map(Result::unwrap);
    let region = |line: String| {
        let mut words = line.split_whitespace();
        let (range, rights) = (words.next()?, words.next()?);
        let (from, to) = range.split_once('-')?;
        let number = |text| u64::from_str_radix(text, 16).ok();
        rights.starts_with("rw").then_some((number(from)?, number(to)?))
    };
    lines.filter_map(region).collect()
}
