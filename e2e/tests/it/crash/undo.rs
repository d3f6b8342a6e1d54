//! What a power loss leaves: reads the undo log that the storage shim kept of a killed process, takes back what no sync
//! made safe, and puts some of it down again as the disk may have done.
//!
//! The model is stricter than most file systems: a sync vouches for one file's bytes or one folder's names and for nothing
//! else. Names are lost from the end, as journals lose them; bytes are lost in any choice of writes and sectors.
//! The records' form is that of `e2e/crash/storage_shim.c`.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore as _, SeedableRng as _};

const MAGIC: u32 = 0x5544_4f31;
const HEAD: usize = 96;
/// What a disk writes whole or not at all.
const SECTOR: usize = 512;

/// How much of what was not synced is gone.
#[derive(Clone, Copy)]
pub(crate) enum Loss {
    /// All of it.
    All,
    /// Nothing: the disk was just in time.
    Nothing,
    /// Any of it, writes in part, as this seed says.
    Some(u64),
}

/// What was found and what was lost, in numbers.
#[derive(Debug, Default)]
pub(crate) struct Lost {
    /// Changes that the process made.
    pub(crate) changes: usize,
    /// Writes and truncations that no sync covered.
    pub(crate) unsynced_writes: usize,
    /// Names made, moved or removed that no sync of their folder covered.
    pub(crate) unsynced_names: usize,
    /// Of them, those taken back.
    pub(crate) writes: usize,
    pub(crate) torn: usize,
    pub(crate) names: usize,
}

impl Lost {
    /// Adds another power loss to the sum.
    pub(crate) fn add(&mut self, other: &Self) {
        self.changes += other.changes;
        self.unsynced_writes += other.unsynced_writes;
        self.unsynced_names += other.unsynced_names;
        self.writes += other.writes;
        self.torn += other.torn;
        self.names += other.names;
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Write,
    Truncate,
    Create,
    Remove,
    Rename,
    RemoveFolder,
    Sync,
    SyncAll,
}

struct Record {
    kind: Kind,
    seq: u64,
    ino: u64,
    /// Folder whose sync makes the name safe: the new one of a rename.
    folder: u64,
    replaced: u64,
    offset: u64,
    length: u64,
    old_size: u64,
    trash: u64,
    name: PathBuf,
    to: PathBuf,
    data: Vec<u8>,
}

fn number(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

fn half(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

/// The whole records of a log; the last may be cut short by the kill, and then its change was never made.
fn read(bytes: &[u8]) -> Vec<Record> {
    let mut records = Vec::new();
    let mut rest = bytes;
    while rest.len() >= HEAD {
        assert_eq!(half(rest, 0), MAGIC, "the undo log is damaged after {} records", records.len());
        let kind = match half(rest, 4) {
            1 => Kind::Write,
            2 => Kind::Truncate,
            3 => Kind::Create,
            4 => Kind::Remove,
            5 => Kind::Rename,
            6 => Kind::RemoveFolder,
            7 => Kind::Sync,
            8 => Kind::SyncAll,
            other => panic!("a record of kind {other}"),
        };
        let (name, to) = (half(rest, 80) as usize, half(rest, 84) as usize);
        let data = usize::try_from(number(rest, 88)).unwrap();
        if rest.len() < HEAD + name + to + data {
            break;
        }
        let text =
            |from: usize, length: usize| PathBuf::from(String::from_utf8(rest[from..from + length].to_vec()).unwrap());
        let folder = number(rest, if kind == Kind::Rename { 40 } else { 24 });
        records.push(Record {
            kind,
            seq: number(rest, 8),
            ino: number(rest, 16),
            folder,
            replaced: number(rest, 32),
            offset: number(rest, 48),
            length: number(rest, 56),
            old_size: number(rest, 64),
            trash: number(rest, 72),
            name: text(HEAD, name),
            to: text(HEAD + name, to),
            data: rest[HEAD + name + to..HEAD + name + to + data].to_vec(),
        });
        rest = &rest[HEAD + name + to + data..];
    }
    records
}

/// Applies the log that stands in `place` to `root`, and empties it.
pub(crate) fn apply(root: &Path, place: &Path, loss: Loss) -> Lost {
    let mut chance = match loss {
        Loss::Some(seed) => Some(ChaCha8Rng::seed_from_u64(seed)),
        Loss::All | Loss::Nothing => None,
    };
    let all = matches!(loss, Loss::All);
    let log = place.join("log");
    let records = read(&fs::read(&log).unwrap_or_default());
    let safe = syncs(&records);
    let covered = |key: u64, seq: u64| {
        safe.get(&key).is_some_and(|upto| seq <= *upto) || safe.get(&0).is_some_and(|upto| seq <= *upto)
    };
    let (mut writes, mut names) = (BTreeMap::<u64, Vec<&Record>>::new(), Vec::new());
    let mut lost = Lost::default();
    for record in &records {
        match record.kind {
            Kind::Write | Kind::Truncate => {
                lost.changes += 1;
                if !covered(record.ino, record.seq) {
                    writes.entry(record.ino).or_default().push(record);
                }
            }
            Kind::Sync | Kind::SyncAll => {}
            _ => {
                lost.changes += 1;
                if !covered(record.folder, record.seq) {
                    names.push(record);
                }
            }
        }
    }
    let files = by_inode(root, &place.join("trash"));
    lost.unsynced_writes = writes.values().map(Vec::len).sum();
    lost.unsynced_names = names.len();
    for (ino, unsynced) in &writes {
        // A file without a name any more, in the folder or in the trash, is nobody's.
        if let Some(path) = files.get(ino) {
            take_back(path, unsynced, all, chance.as_mut(), &mut lost);
        }
    }
    let kept = match &mut chance {
        _ if all => 0,
        None => names.len(),
        Some(chance) => usize::try_from(chance.next_u64()).unwrap() % (names.len() + 1),
    };
    for (n, record) in names[kept..].iter().enumerate().rev() {
        lost.names += usize::from(rename_back(record, place, n));
    }
    drop(fs::remove_dir_all(place.join("trash")));
    fs::create_dir(place.join("trash")).unwrap();
    drop(fs::remove_file(log));
    lost
}

/// Up to which change each file or folder is safe; 0 stands for all.
fn syncs(records: &[Record]) -> HashMap<u64, u64> {
    let mut safe = HashMap::new();
    for record in records {
        let key = match record.kind {
            Kind::Sync => record.ino,
            Kind::SyncAll => 0,
            _ => continue,
        };
        let upto: &mut u64 = safe.entry(key).or_default();
        *upto = record.offset.max(*upto);
    }
    safe
}

/// Every file by the number of its inode: those of the folder, then those whose names went.
fn by_inode(root: &Path, trash: &Path) -> HashMap<u64, PathBuf> {
    let mut found = HashMap::new();
    let mut folders = vec![trash.to_owned(), root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            let metadata = entry.path().symlink_metadata().unwrap();
            if metadata.is_dir() {
                folders.push(entry.path());
            } else {
                found.insert(metadata.ino(), entry.path());
            }
        }
    }
    found
}

/// Takes back one file's unsynced changes, newest first, and repeats those that the disk got after all.
fn take_back(path: &Path, unsynced: &[&Record], all: bool, mut chance: Option<&mut ChaCha8Rng>, lost: &mut Lost) {
    let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut after: Vec<Vec<u8>> = Vec::new();
    for record in unsynced.iter().rev() {
        after.push(match record.kind {
            Kind::Write => part(&file, record.offset, record.length),
            _ => Vec::new(),
        });
        let end = if record.kind == Kind::Write { record.offset } else { record.offset.min(record.old_size) };
        file.set_len(record.old_size).unwrap();
        file.write_all_at(&record.data, end).unwrap();
    }
    after.reverse();
    for (record, bytes) in unsynced.iter().zip(&after) {
        match &mut chance {
            _ if all => lost.writes += 1,
            None => repeat(&file, record, bytes, |_| true),
            Some(chance) => match chance.next_u32() % 3 {
                0 => lost.writes += 1,
                1 => repeat(&file, record, bytes, |_| true),
                _ => {
                    lost.torn += usize::from(record.kind == Kind::Write);
                    repeat(&file, record, bytes, |_| chance.next_u32().is_multiple_of(2));
                }
            },
        }
    }
}

/// What stands in a file from `offset`, at most `length` bytes.
fn part(file: &File, offset: u64, length: u64) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(length).unwrap()];
    let mut got = 0;
    while got < bytes.len() {
        match file.read_at(&mut bytes[got..], offset + got as u64).unwrap() {
            0 => break,
            n => got += n,
        }
    }
    bytes.truncate(got);
    bytes
}

/// Makes a change once more; of a write, the sectors that `keeps` says.
fn repeat(file: &File, record: &Record, bytes: &[u8], mut keeps: impl FnMut(usize) -> bool) {
    if record.kind == Kind::Truncate {
        return file.set_len(record.offset).unwrap();
    }
    let mut at = 0;
    while at < bytes.len() {
        // Sectors of the disk, not of the write.
        let aligned = SECTOR - usize::try_from(record.offset % SECTOR as u64).unwrap();
        let end = (if at == 0 { aligned } else { at + SECTOR }).min(bytes.len());
        if keeps(at) {
            file.write_all_at(&bytes[at..end], record.offset + at as u64).unwrap();
        }
        at = end;
    }
}

fn is(path: &Path, ino: u64) -> bool {
    path.symlink_metadata().is_ok_and(|found| found.ino() == ino)
}

/// Takes back a name; false where a later change that is safe has it.
fn rename_back(record: &Record, place: &Path, n: usize) -> bool {
    let kept = |number: u64| place.join("trash").join(number.to_string());
    match record.kind {
        Kind::Create if is(&record.name, record.ino) => {
            fs::rename(&record.name, place.join("trash").join(format!("unborn-{n}-{}", record.seq))).unwrap();
        }
        Kind::Remove if !record.name.exists() => fs::hard_link(kept(record.trash), &record.name).unwrap(),
        Kind::RemoveFolder if !record.name.exists() => fs::create_dir(&record.name).unwrap(),
        Kind::Rename if is(&record.to, record.ino) && !record.name.exists() => {
            fs::rename(&record.to, &record.name).unwrap();
            if record.replaced != 0 {
                fs::hard_link(kept(record.trash), &record.to).unwrap();
            }
        }
        _ => return false,
    }
    true
}
