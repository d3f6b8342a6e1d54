//! An anchor read back: a file of notes, a folder of objects, a file that a syslog receiver wrote, or what a webhook's
//! receiver kept. All of them hold notes and verifier keys, of one log or several. Next: [`crate::offline::verify`].

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::syslog::{KEY, NOTE};
use crate::checkpoint::{NoteFile, SignedCheckpoint};
use crate::keys::PublicKey;

/// What anchors hold, by log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AnchorNotes {
    /// Notes of each log, in the order in which they were read.
    pub notes: BTreeMap<String, Vec<SignedCheckpoint>>,
    /// Verifier keys of each log; more than one is a finding.
    pub keys: BTreeMap<String, Vec<PublicKey>>,
    /// Blocks that are no notes.
    pub unreadable: usize,
}

impl AnchorNotes {
    /// Reads a place: a file or a folder with everything below it.
    pub fn read(place: &Path) -> io::Result<Self> {
        let mut found = Self::default();
        found.read_into(place)?;
        Ok(found)
    }

    /// Reads text: notes, keys, and lines of a syslog file, in any mixture.
    pub fn parse(text: &str) -> Self {
        let mut found = Self::default();
        found.take(text);
        found
    }

    fn read_into(&mut self, place: &Path) -> io::Result<()> {
        if !place.is_dir() {
            let bytes = std::fs::read(place)?;
            self.take(&String::from_utf8_lossy(&bytes));
            return Ok(());
        }
        let mut inside: Vec<_> = std::fs::read_dir(place)?.collect::<io::Result<Vec<_>>>()?;
        inside.sort_by_key(std::fs::DirEntry::file_name);
        for entry in inside {
            let path = entry.path();
            // What an interrupted writer left under another name was never published.
            if path.extension().is_none_or(|extension| extension != "part") {
                self.read_into(&path)?;
            }
        }
        Ok(())
    }

    fn take(&mut self, text: &str) {
        let mut rest = String::with_capacity(text.len());
        for line in text.lines() {
            if let Some(note) = word(line, NOTE) {
                let note = STANDARD.decode(note).ok().and_then(|note| String::from_utf8(note).ok());
                match note.as_deref().and_then(SignedCheckpoint::parse) {
                    Some(note) => self.note(note),
                    None => self.unreadable += 1,
                }
                if let Some(key) = word(line, KEY).and_then(|key| PublicKey::parse(key).ok()) {
                    self.key(key);
                }
            } else if let Some(key) = PublicKey::parse(line).ok().filter(|key| key.origin.is_some()) {
                self.key(key);
            } else {
                rest.push_str(line);
                rest.push('\n');
            }
        }
        let file = NoteFile::parse(&rest);
        self.unreadable += file.unreadable;
        file.notes.into_iter().for_each(|note| self.note(note));
    }

    fn note(&mut self, note: SignedCheckpoint) {
        self.notes.entry(note.checkpoint.origin.clone()).or_default().push(note);
    }

    fn key(&mut self, key: PublicKey) {
        let known = self.keys.entry(key.origin.clone().unwrap_or_default()).or_default();
        if !known.contains(&key) {
            known.push(key);
        }
    }

    /// Takes in what another place holds.
    pub fn join(&mut self, other: Self) {
        self.unreadable += other.unreadable;
        other.notes.into_values().flatten().for_each(|note| self.note(note));
        other.keys.into_values().flatten().for_each(|key| self.key(key));
    }

    /// The names of all logs that it knows.
    pub fn origins(&self) -> impl Iterator<Item = &String> {
        let keyed = self.keys.keys().filter(|origin| !self.notes.contains_key(*origin));
        self.notes.keys().chain(keyed)
    }
}

fn word<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    line.split_ascii_whitespace().find_map(|word| word.strip_prefix(name))
}
