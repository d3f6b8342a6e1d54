//! Lines that a configuration has already: which of them do nothing when they are entered once more, and which act all the
//! same. Where that is not known for sure, a line acts (rule T21). Next: [`super::stream`], which enters them.

use std::collections::BTreeSet;

use super::{Lines, stream};
use crate::classify::{Class, Mode, classify};
use crate::physical::words;
use crate::rules::split_negation;
use crate::{Config, Platform};

/// Settings of the whole device that are dangerous to change, and states that the configuration shows: a device that is in the
/// state does nothing.
const STATES: [&[&str]; 4] =
    [&["aaa", "new-model"], &["ip", "routing"], &["spanning-tree", "mode"], &["system", "mtu"]];

/// What a line may begin with that acts whenever it is entered: it makes keys, runs programs, or starts a timer anew.
const ACTS: [&str; 6] = ["crypto", "event", "kron", "license", "macro", "track"];

/// Values that the device asks somebody else for, and may ask for again.
const ASKED_FOR: [&str; 4] = ["dhcp", "autoconfig", "negotiated", "slaac"];

impl Config {
    /// Of the lines that are asked about (by their number in the text, from 0), those that are there already: the device has
    /// exactly this line, and entering it once more changes nothing and sets nothing going.
    ///
    /// Each is judged as things stand when its turn comes: a line that takes something away and one that puts it back both
    /// act. Never there is what the configuration does not show (`no shutdown` of a port that is up), what the model is not sure
    /// of, what takes other lines with it, a command of the prompt, and what the classes call disruptive, but for a few states
    /// of the whole device.
    pub fn already_there(&self, lines: &Lines, asked: &BTreeSet<usize>) -> BTreeSet<usize> {
        let platform = self.platform();
        let text = lines.text();
        let may: BTreeSet<usize> = classify(platform, Mode::Config, text)
            .iter()
            .enumerate()
            .filter(|(at, found)| {
                let quiet = found.class < Class::Disruptive || is_state(found.line);
                asked.contains(at) && found.mode == Mode::Config && quiet && !acts(platform, found.line)
            })
            .map(|(at, _)| at)
            .collect();
        if may.is_empty() { may } else { stream::Stream::idle(self, lines, &may) }
    }
}

fn is_state(line: &str) -> bool {
    let all = words(line);
    let (_, body) = split_negation(&all);
    STATES.iter().any(|state| body.starts_with(state))
}

/// Whether a line acts although nothing in the configuration changes.
fn acts(platform: Platform, line: &str) -> bool {
    let all = words(line);
    let first = all.first().copied().unwrap_or_default();
    let (_, body) = split_negation(&all);
    let begins = body.first().is_some_and(|word| ACTS.iter().any(|acts| is_short_for(word, acts)));
    // On NX-OS, `;` parts two commands.
    let several = platform == Platform::NxOs && line.contains(';');
    let asked_for = body.iter().any(|word| ASKED_FOR.iter().any(|known| word.eq_ignore_ascii_case(known)));
    is_short_for(first, "default") || begins || several || asked_for
}

/// Whether a word is a keyword or an abbreviation of it, of three letters at least.
fn is_short_for(word: &str, keyword: &str) -> bool {
    word.len() >= 3 && keyword.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
}
