//! `audit.spool`: room that was taken in advance, for the records of steps that undo a change (T25). When the disk is full,
//! every call is refused except those; their records wait here, synced, and stand in the log first thing when it can be
//! written again, once. Next: [`crate::writer`].
//!
//! An entry is its length (4 bytes, little-endian), the generation (8 bytes), the first 16 bytes of
//! `SHA256(generation || text)`, and the text, a [`PreparedRecord`] as JSON. What does not carry the generation of the first
//! entry is left over from before; what does not fit its digest was torn, and nobody was told that it stands.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use rustix::fs::FallocateFlags;
use serde::{Deserialize, Serialize};

use crate::error::AuditFault;
use crate::opening::private_file;
use crate::record::PreparedRecord;

/// Name of the file within the log's folder.
pub(crate) const SPOOL: &str = "audit.spool";
/// Its size: some hundred records with their payloads.
pub(crate) const SPOOL_BYTES: u64 = 1 << 20;

const HEAD: usize = 4 + 8 + 16;

#[derive(Serialize, Deserialize)]
struct Entry<T> {
    /// Records that the log had: the record is not among them.
    base: u64,
    record: T,
}

/// The open file.
pub(crate) struct Spool {
    path: PathBuf,
    file: File,
    size: u64,
    generation: u64,
    end: u64,
    waiting: Vec<PreparedRecord>,
    base: u64,
}

impl Spool {
    /// Opens it, takes its room where that is not taken, and reads what waits in it.
    pub(crate) fn open(path: &Path, size: u64) -> Result<Self, AuditFault> {
        let fault = |e| AuditFault::io(path, e);
        let file = private_file(path)?;
        if file.metadata().map_err(fault)?.len() < size {
            rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, size).map_err(|e| fault(e.into()))?;
            file.sync_all().map_err(fault)?;
        }
        let mut spool = Self {
            path: path.to_owned(),
            file,
            size,
            generation: random()?,
            end: 0,
            waiting: Vec::new(),
            base: u64::MAX,
        };
        spool.read().map_err(fault)?;
        Ok(spool)
    }

    /// The records that wait, oldest first.
    pub(crate) fn waiting(&self) -> &[PreparedRecord] {
        &self.waiting
    }

    /// Whether the file holds something, waiting or not.
    pub(crate) fn is_used(&self) -> bool {
        self.end > 0
    }

    /// The log held this many records when the first that waits came.
    pub(crate) fn base(&self) -> u64 {
        self.base
    }

    /// Forgets of the waiting ones what stands in the log.
    pub(crate) fn drop_line(&mut self, line: &str) {
        self.waiting.retain(|record| !record.is_line(line));
    }

    /// Puts records behind those that wait; synced when it returns. All of them or none; none when there is no room.
    pub(crate) fn put(&mut self, records: &[&PreparedRecord], base: u64) -> Result<(), AuditFault> {
        let mut bytes = Vec::new();
        for record in records {
            let text = serde_json::to_vec(&Entry { base, record }).map_err(|e| AuditFault::Record(e.to_string()))?;
            let length = u32::try_from(text.len()).map_err(|e| AuditFault::Record(e.to_string()))?;
            bytes.extend_from_slice(&length.to_le_bytes());
            bytes.extend_from_slice(&self.generation.to_le_bytes());
            bytes.extend_from_slice(&digest(self.generation, &text));
            bytes.extend_from_slice(&text);
        }
        if self.end + bytes.len() as u64 > self.size {
            return Err(AuditFault::Write("the room for undo steps is used up".to_owned()));
        }
        let write = || {
            self.file.write_all_at(&bytes, self.end)?;
            self.file.sync_data()
        };
        write().map_err(|e| AuditFault::io(&self.path, e))?;
        self.end += bytes.len() as u64;
        self.base = self.base.min(base);
        self.waiting.extend(records.iter().map(|record| (*record).clone()));
        Ok(())
    }

    /// Empties it: everything stands in the log.
    pub(crate) fn clear(&mut self) -> Result<(), AuditFault> {
        self.waiting.clear();
        let write = || {
            self.file.write_all_at(&[0; HEAD], 0)?;
            self.file.sync_data()
        };
        write().map_err(|e| AuditFault::io(&self.path, e))?;
        self.generation = random()?;
        self.end = 0;
        self.base = u64::MAX;
        Ok(())
    }

    fn read(&mut self) -> std::io::Result<()> {
        let mut all = vec![0; usize::try_from(self.size).unwrap_or(usize::MAX)];
        self.file.read_exact_at(&mut all, 0)?;
        let mut rest = all.as_slice();
        let mut generation = None;
        while let Some((head, tail)) = rest.split_at_checked(HEAD) {
            let (length, head) = head.split_at(4);
            let (written, sum) = head.split_at(8);
            let length = length.try_into().map_or(0, u32::from_le_bytes) as usize;
            let written = written.try_into().map_or(0, u64::from_le_bytes);
            let Some((text, next)) = tail.split_at_checked(length).filter(|_| length > 0) else { break };
            if generation.is_some_and(|known| known != written) || digest(written, text) != sum {
                break;
            }
            let Ok(entry) = serde_json::from_slice::<Entry<PreparedRecord>>(text) else { break };
            generation = Some(written);
            self.base = self.base.min(entry.base);
            self.waiting.push(entry.record);
            self.end += (HEAD + length) as u64;
            rest = next;
        }
        if let Some(generation) = generation {
            self.generation = generation;
        }
        Ok(())
    }
}

fn digest(generation: u64, text: &[u8]) -> [u8; 16] {
    let mut bytes = generation.to_le_bytes().to_vec();
    bytes.extend_from_slice(text);
    let whole = platform::canonical::sha256(&bytes);
    let mut half = [0; 16];
    half.copy_from_slice(&whole[..16]);
    half
}

fn random() -> Result<u64, AuditFault> {
    let mut bytes = [0; 8];
    SystemRandom::new().fill(&mut bytes).map_err(|_| AuditFault::Key("no random bytes for the spool"))?;
    Ok(u64::from_le_bytes(bytes))
}
