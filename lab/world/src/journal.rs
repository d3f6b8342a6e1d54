//! The append-only journal of a world: one JSON line per edit, handed to the operating system before the edit is
//! acknowledged, so that a killed process loses nothing that it promised.
//!
//! A torn last line (the process died while writing it) was never acknowledged and is dropped on opening.
//! Where next: [`crate::state`], which applies the entries.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// One edit.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Entry {
    /// The first line: when the world was born, in milliseconds of the lab's clock.
    Born { at_ms: i64 },
    /// The running configuration of a device, as text.
    Running { device: Uuid, at_ms: i64, text: String },
    /// The startup configuration equals the running one.
    Saved { device: Uuid, at_ms: i64 },
    /// The controller read the configuration; without text, it equals the running one.
    Collected { device: Uuid, at_ms: i64, text: Option<String> },
    /// Whether the controller reaches the device.
    Reach { device: Uuid, reachable: bool, at_ms: i64 },
    /// Whether a cable is plugged.
    Cable { link: Uuid, plugged: bool, at_ms: i64 },
    /// A document of a simulator; without value, it is gone.
    Document { space: String, key: String, value: Option<serde_json::Value> },
}

/// The open journal; without a file it forgets.
#[derive(Debug)]
pub(crate) struct Journal {
    file: Option<File>,
}

impl Journal {
    /// A journal that keeps nothing.
    pub(crate) fn forgetful() -> Self {
        Self { file: None }
    }

    /// Opens or creates the file and returns the entries that stand in it.
    pub(crate) fn open(path: &Path) -> io::Result<(Self, Vec<Entry>)> {
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        let mut entries = Vec::new();
        let mut good = 0;
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            match (line.ends_with(b"\n"), serde_json::from_slice(line)) {
                (true, Ok(entry)) => {
                    entries.push(entry);
                    good += line.len() as u64;
                }
                (true, Err(error)) => return Err(io::Error::new(io::ErrorKind::InvalidData, error)),
                (false, _) => break,
            }
        }
        file.set_len(good)?;
        file.seek(SeekFrom::Start(good))?;
        Ok((Self { file: Some(file) }, entries))
    }

    /// Writes one entry; when this returns, the operating system has it.
    pub(crate) fn append(&mut self, entry: &Entry) -> io::Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        file.write_all(&line)
    }
}
