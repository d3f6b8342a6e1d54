//! One of the 256 folders: its files, and how they are written, read and removed. Whoever calls has its lock.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use platform::artifacts::{ArtifactFacts, StoredReference, Swept};
use serde::{Deserialize, Serialize};

use crate::sync;

/// Ends the name of a reference.
const REFERENCE: &str = ".ref";
/// Begins the name of a file that is being written.
const UNFINISHED: &str = ".new-";

/// A reference as its file holds it. Its name is the file's.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    facts: ArtifactFacts,
    /// Base64.
    sealed: String,
}

/// A folder.
pub(crate) struct Shard(PathBuf);

impl Shard {
    pub(crate) fn at(path: PathBuf) -> Self {
        Self(path)
    }

    /// Makes the folder, and says whether it was missing.
    pub(crate) fn make(&self) -> io::Result<bool> {
        match DirBuilder::new().mode(0o700).create(&self.0) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Removes what a crash left half-written.
    pub(crate) fn remove_unfinished(&self) -> io::Result<()> {
        for name in self.names()? {
            if name.starts_with(UNFINISHED) {
                std::fs::remove_file(self.0.join(name))?;
            }
        }
        sync(&self.0)
    }

    pub(crate) fn content(&self, rest: &str) -> io::Result<Option<Vec<u8>>> {
        read(&self.0.join(rest))
    }

    pub(crate) fn write_content(&self, rest: &str, bytes: &[u8], number: usize) -> io::Result<()> {
        self.write(rest, bytes, number)
    }

    pub(crate) fn reference(&self, rest: &str, name: &str) -> io::Result<Option<StoredReference>> {
        let bytes = read(&self.0.join(format!("{rest}.{name}{REFERENCE}")))?;
        Ok(bytes.and_then(|bytes| readable(name, &bytes)))
    }

    pub(crate) fn write_reference(&self, rest: &str, reference: &StoredReference, number: usize) -> io::Result<()> {
        let written = Written { facts: reference.facts.clone(), sealed: STANDARD.encode(&reference.sealed) };
        let bytes = serde_json::to_vec(&written).map_err(io::Error::other)?;
        self.write(&format!("{rest}.{}{REFERENCE}", reference.name), &bytes, number)
    }

    /// All references of a content, by name. One that cannot be read is left out: it was changed by somebody else, and the
    /// next put of its call writes it anew.
    pub(crate) fn references(&self, rest: &str) -> io::Result<Vec<StoredReference>> {
        let mut found = Vec::new();
        for file in self.names()? {
            let name = file.strip_prefix(rest).and_then(|name| name.strip_prefix('.')?.strip_suffix(REFERENCE));
            if let Some(name) = name {
                found.extend(self.reference(rest, name)?);
            }
        }
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    /// Removes references that are over, `limit` at most, and then contents without one. `false` when some are left.
    pub(crate) fn sweep(&self, now: i64, limit: usize, swept: &mut Swept) -> io::Result<bool> {
        // Content to the names of its references; whatever is named otherwise is not ours to remove.
        let mut contents: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for file in self.names()? {
            if file.starts_with('.') {
                continue;
            }
            match file.split_once('.') {
                None => drop(contents.entry(file).or_default()),
                Some((rest, name)) => {
                    if let Some(name) = name.strip_suffix(REFERENCE) {
                        contents.entry(rest.to_owned()).or_default().push(name.to_owned());
                    }
                }
            }
        }
        let (mut removed, mut done) = (0, true);
        for (rest, names) in contents {
            let mut left = 0;
            for name in names {
                // One that cannot be read keeps nothing alive: it opens to nobody.
                let over = self.reference(&rest, &name)?.is_none_or(|reference| reference.facts.keep_until <= now);
                if !over {
                    left += 1;
                } else if removed == limit {
                    (left, done) = (left + 1, false);
                } else {
                    std::fs::remove_file(self.0.join(format!("{rest}.{name}{REFERENCE}")))?;
                    removed += 1;
                    swept.references += 1;
                }
            }
            if left == 0 && remove(&self.0.join(&rest))? {
                swept.contents += 1;
            }
            if !done {
                break;
            }
        }
        if removed > 0 {
            sync(&self.0)?;
        }
        Ok(done)
    }

    fn names(&self) -> io::Result<Vec<String>> {
        let entries = match self.0.read_dir() {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut names = Vec::new();
        for entry in entries {
            names.extend(entry?.file_name().into_string());
        }
        Ok(names)
    }

    /// Puts a whole file in its place, durably. What fails leaves nothing behind.
    fn write(&self, name: &str, bytes: &[u8], number: usize) -> io::Result<()> {
        let beside = self.0.join(format!("{UNFINISHED}{number}"));
        let written = fill(&beside, bytes).and_then(|()| std::fs::rename(&beside, self.0.join(name)));
        if let Err(error) = written {
            drop(std::fs::remove_file(&beside));
            return Err(error);
        }
        sync(&self.0)
    }
}

fn fill(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Removes a file, and says whether it was there.
fn remove(path: &Path) -> io::Result<bool> {
    match std::fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn readable(name: &str, bytes: &[u8]) -> Option<StoredReference> {
    let Written { facts, sealed } = serde_json::from_slice(bytes).ok()?;
    Some(StoredReference { name: name.to_owned(), facts, sealed: STANDARD.decode(sealed).ok()? })
}
