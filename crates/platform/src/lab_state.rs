//! The lab's state folder: where everything stands in it, and the mark that keeps it a lab's for ever (T30).

use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};
use crate::private_file;

/// The file that marks a folder.
const MARK: &str = "THIS_IS_A_LAB";
/// Folder of keys below the state folder.
const KEYS: &str = "keys";

/// Paths below a lab's state folder.
#[derive(Debug, Clone)]
pub struct LabState(PathBuf);

impl LabState {
    /// The paths of a folder; nothing is touched.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self(root.into())
    }

    /// Makes the folder, for its owner only, and marks it. Refuses a folder that holds something else.
    pub fn prepare(root: &Path) -> Result<Self> {
        let unusable = |e: io::Error| {
            Error::new(
                ErrorKind::Unavailable,
                "lab_state_unusable",
                format!("The state folder {} cannot be used: {e}. Choose another with --state.", root.display()),
            )
        };
        private_file::make(root).map_err(unusable)?;
        let root = root.canonicalize().map_err(unusable)?;
        if !is_marked(&root) {
            if std::fs::read_dir(&root).map_err(unusable)?.next().is_some() {
                return Err(unusable(io::Error::other("it holds files that are not a lab's")));
            }
            mark(&root).map_err(unusable)?;
        }
        private_file::make(&root.join(KEYS)).map_err(unusable)?;
        private_file::make(&root.join("world")).map_err(unusable)?;
        Ok(Self(root))
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.0
    }

    /// The line that the lab printed when it was ready; mode 0600.
    pub fn ready(&self) -> PathBuf {
        self.0.join("lab.json")
    }

    /// The lab's clock (`platform::clock::SharedFileClock`).
    pub fn clock(&self) -> PathBuf {
        self.0.join("clock")
    }

    /// The master key of a lab.
    pub fn master_key(&self) -> PathBuf {
        self.0.join(KEYS).join("lab-master.key")
    }

    /// People and clients with their secrets; mode 0600.
    pub fn people(&self) -> PathBuf {
        self.0.join("people.json")
    }

    /// The store of truth.
    pub fn store(&self) -> PathBuf {
        self.0.join("store.db")
    }

    /// The audit log's folder.
    pub fn audit(&self) -> PathBuf {
        self.0.join("audit")
    }

    /// The secret store.
    pub fn secrets(&self) -> PathBuf {
        self.0.join("secrets.db")
    }

    /// The last tokens of `lab token`; mode 0700.
    pub fn tokens(&self) -> PathBuf {
        self.0.join("tokens")
    }
}

/// Marks a folder as a lab's, before anything else stands in it: what a power loss leaves is still known as a lab's.
pub fn mark(folder: &Path) -> io::Result<()> {
    let text = "This folder belongs to an Interlock lab. Its keys and people are worth nothing; `interlock serve` refuses it.\n";
    private_file::create(&folder.join(MARK), text.as_bytes(), 0o644)
}

/// Whether a folder is a lab's.
pub fn is_marked(folder: &Path) -> bool {
    folder.join(MARK).exists()
}

/// Whether a key file stands in a lab's folder.
pub fn is_marked_key(file: &Path) -> bool {
    file.parent().and_then(Path::parent).is_some_and(is_marked)
}
