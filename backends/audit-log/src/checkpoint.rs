//! Signed checkpoints: size and root of the tree, and the chain value, as a C2SP tlog-checkpoint in signed-note form
//! (<https://c2sp.org/tlog-checkpoint>, <https://c2sp.org/signed-note>), and the seam through which they leave the
//! machine. Next: [`crate::offline`], which compares them with the records.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use platform::private_file::keep_name;

use crate::keys::PublicKey;
use crate::tree::Hash;

/// What a checkpoint says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Name of the log: `interlock.audit/<32 hexadecimal digits drawn when the log was made>`.
    pub origin: String,
    /// Number of records.
    pub size: u64,
    /// RFC 6962 root over their lines.
    pub root: Hash,
    /// Chain value of the last of them; an extension line of the note.
    pub chain: Hash,
}

/// A checkpoint as it was read, with its signatures still to be judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCheckpoint {
    /// What it says.
    pub checkpoint: Checkpoint,
    /// The text that is signed.
    pub(crate) text: String,
    // Name, key hash, signature.
    pub(crate) signatures: Vec<(String, [u8; 4], Vec<u8>)>,
}

/// What a signature turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureState {
    /// By this key.
    Good,
    /// Names this key and does not verify.
    Bad,
    /// By another key or for another log.
    OtherKey,
}

impl Checkpoint {
    fn text(&self) -> String {
        format!(
            "{}\n{}\n{}\nchain {}\n",
            self.origin,
            self.size,
            STANDARD.encode(self.root),
            STANDARD.encode(self.chain)
        )
    }

    /// The signed note.
    pub fn sign(&self, pair: &Ed25519KeyPair) -> String {
        let text = self.text();
        let mut blob = PublicKey::of(pair).key_hash(&self.origin).to_vec();
        blob.extend_from_slice(pair.sign(text.as_bytes()).as_ref());
        format!("{text}\n\u{2014} {} {}\n", self.origin, STANDARD.encode(blob))
    }
}

impl SignedCheckpoint {
    /// Reads one signed note. `None` when it is none.
    pub fn parse(note: &str) -> Option<Self> {
        let (text, signatures) = note.split_once("\n\n")?;
        let text = format!("{text}\n");
        let mut lines = text.lines();
        let checkpoint = Checkpoint {
            origin: lines.next()?.to_owned(),
            size: lines.next().filter(|n| !n.starts_with('0') || *n == "0")?.parse().ok()?,
            root: hash_of(lines.next()?)?,
            chain: hash_of(lines.next()?.strip_prefix("chain ")?)?,
        };
        let signatures = signatures
            .lines()
            .filter(|line| !line.is_empty())
            .map(|line| {
                let (name, blob) = line.strip_prefix("\u{2014} ")?.rsplit_once(' ')?;
                let blob = STANDARD.decode(blob).ok()?;
                let (hash, signature) = blob.split_first_chunk::<4>()?;
                // A shorter one under the log's own name was cut off by a full disk: no note, rather than a false one.
                if name == checkpoint.origin && signature.len() != 64 {
                    return None;
                }
                Some((name.to_owned(), *hash, signature.to_vec()))
            })
            .collect::<Option<Vec<_>>>()?;
        Some(Self { checkpoint, text, signatures })
    }

    /// Judges the log's own signature under `key`. Signatures of others (witnesses) are passed over.
    pub fn judge(&self, key: &PublicKey) -> SignatureState {
        let hash = key.key_hash(&self.checkpoint.origin);
        match self.signatures.iter().find(|(name, h, _)| *name == self.checkpoint.origin && *h == hash) {
            None => SignatureState::OtherKey,
            Some((_, _, signature)) if key.verifies(self.text.as_bytes(), signature) => SignatureState::Good,
            Some(_) => SignatureState::Bad,
        }
    }
}

fn hash_of(encoded: &str) -> Option<Hash> {
    STANDARD.decode(encoded).ok()?.try_into().ok()
}

/// What a file of notes holds: an optional verifier key in its first line, then notes parted by empty lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NoteFile {
    /// The verifier key of the first line.
    pub key: Option<PublicKey>,
    /// The notes, in the file's order.
    pub notes: Vec<SignedCheckpoint>,
    /// Blocks that are no notes.
    pub unreadable: usize,
}

impl NoteFile {
    /// Reads the text of such a file.
    pub fn parse(text: &str) -> Self {
        let mut file = Self::default();
        let mut rest = text;
        if let Some((first, tail)) = text.split_once('\n')
            && let Ok(key) = PublicKey::parse(first)
        {
            file.key = Some(key);
            rest = tail;
        }
        let mut block = String::new();
        let (mut signed, mut parted) = (false, false);
        for line in rest.lines() {
            let signature = line.starts_with("\u{2014} ");
            // After its signatures a note is over; an empty line that no signature follows ends one that was cut short.
            if (signed || parted) && !signature {
                file.take(&block);
                block.clear();
                (signed, parted) = (false, false);
            }
            if line.is_empty() && block.is_empty() {
                continue;
            }
            signed |= signature;
            parted = line.is_empty();
            block.push_str(line);
            block.push('\n');
        }
        if !block.is_empty() {
            file.take(&block);
        }
        file
    }

    fn take(&mut self, block: &str) {
        match SignedCheckpoint::parse(block) {
            Some(note) => self.notes.push(note),
            None => self.unreadable += 1,
        }
    }

    /// Reads such a file; one that is not there is empty.
    pub fn read(path: &Path) -> io::Result<Self> {
        match std::fs::read_to_string(path) {
            Ok(text) => Ok(Self::parse(&text)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(e) => Err(e),
        }
    }

    /// The same of the file's last 64 KiB: what opening needs of a file that grows for years.
    pub(crate) fn read_end(path: &Path) -> io::Result<Self> {
        const END: u64 = 64 * 1024;
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(e) => return Err(e),
        };
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(END)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(Self::parse(&String::from_utf8_lossy(&bytes)))
    }
}

/// A second place for checkpoints (the anchor): an append-only file elsewhere, an object store, a witness.
pub trait CheckpointSink: Send + 'static {
    /// Puts a signed note there, durably. `verifier_key` is the log's C2SP verifier key. Called on a thread of its own, in
    /// order; an error means that the same note is handed in again later, before any newer one.
    fn publish(&mut self, note: &str, verifier_key: &str) -> io::Result<()>;
}

/// A file of notes: `audit.checkpoints` beside the log, or an anchor on another disk.
#[derive(Debug)]
pub struct CheckpointFile {
    path: PathBuf,
    file: Option<File>,
    // Verifier keys that stand in the file: one anchor may hold several logs.
    keys: HashSet<String>,
}

impl CheckpointFile {
    /// Appends to the file at `path`, which is made when the first note comes.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), file: None, keys: HashSet::new() }
    }

    fn append(&mut self, note: &str, verifier_key: &str) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            slot => {
                let file = OpenOptions::new().append(true).create(true).open(&self.path)?;
                // A note is published when it would be found after a power loss, and so must its file be.
                keep_name(&self.path)?;
                self.keys = BufReader::new(File::open(&self.path)?)
                    .lines()
                    .filter(|line| line.as_ref().map_or(true, |line| line.contains('+')))
                    .collect::<io::Result<_>>()?;
                slot.insert(file)
            }
        };
        let mut text = String::new();
        if !self.keys.contains(verifier_key) {
            text.push_str(if file.metadata()?.len() == 0 { "" } else { "\n" });
            text.push_str(verifier_key);
            text.push('\n');
        }
        // A first empty line parts this note from one that a full disk cut short.
        text.push('\n');
        text.push_str(note);
        file.write_all(text.as_bytes())?;
        file.sync_data()?;
        self.keys.insert(verifier_key.to_owned());
        Ok(())
    }
}

impl CheckpointSink for CheckpointFile {
    fn publish(&mut self, note: &str, verifier_key: &str) -> io::Result<()> {
        self.append(note, verifier_key).inspect_err(|_| self.file = None)
    }
}
