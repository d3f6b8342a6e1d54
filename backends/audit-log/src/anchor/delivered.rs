//! What each anchor has taken of each log, kept across restarts in `audit.published` in the log's folder: retention never
//! removes what no anchor vouches for. A lost file costs nothing but that wait. Next: [`super::lane`], which writes it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::error::AuditFault;

const FILE: &str = "audit.published";

// By anchor, by log: the size of the last checkpoint that was taken.
type Sizes = BTreeMap<String, BTreeMap<String, u64>>;

/// What the configured anchors have taken.
#[derive(Debug)]
pub struct Delivered {
    path: PathBuf,
    // By place; a digest, because an address may hold what only its receiver should know.
    names: Vec<String>,
    sizes: Mutex<Sizes>,
    // Per anchor: notes that wait.
    waiting: Mutex<Vec<u64>>,
}

impl Delivered {
    /// Reads what is known about `entries`.
    pub(super) fn open(folder: &Path, entries: &[String]) -> Result<Self, AuditFault> {
        let path = folder.join(FILE);
        let sizes = match std::fs::read(&path) {
            // One that cannot be read says nothing, as one that is not there.
            Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_default(),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Sizes::new(),
            Err(e) => return Err(AuditFault::io(&path, e)),
        };
        let waiting = Mutex::new(vec![0; entries.len()]);
        let name = |entry: &String| hex::encode(&platform::canonical::sha256(entry.as_bytes())[..16]);
        Ok(Self { path, names: entries.iter().map(name).collect(), sizes: Mutex::new(sizes), waiting })
    }

    /// The size up to which every anchor has taken this log; `None` when there are no anchors.
    pub fn everywhere(&self, origin: &str) -> Option<u64> {
        let sizes = self.sizes.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = |name: &String| sizes.get(name).and_then(|logs| logs.get(origin)).copied().unwrap_or(0);
        self.names.iter().map(taken).min()
    }

    /// Notes that wait for the anchor that is furthest behind.
    pub fn waiting(&self) -> u64 {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().max().unwrap_or(0)
    }

    pub(super) fn wait(&self, place: usize, notes: usize) {
        if let Some(slot) = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).get_mut(place) {
            *slot = notes as u64;
        }
    }

    pub(super) fn taken(&self, place: usize, origin: &str, size: u64) {
        let Some(name) = self.names.get(place) else { return };
        let mut sizes = self.sizes.lock().unwrap_or_else(PoisonError::into_inner);
        let known = sizes.entry(name.clone()).or_default().entry(origin.to_owned()).or_default();
        if *known >= size {
            return;
        }
        *known = size;
        if let Err(error) = self.write(&sizes) {
            tracing::warn!(%error, "what the anchors have taken of the audit log cannot be kept");
        }
    }

    fn write(&self, sizes: &Sizes) -> std::io::Result<()> {
        let next = self.path.with_extension("published.next");
        std::fs::write(&next, serde_json::to_vec(sizes)?)?;
        std::fs::rename(&next, &self.path)
    }
}
