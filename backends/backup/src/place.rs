//! The state folder that a restore fills: claimed, so that nothing runs on it; old files moved aside and never deleted; new
//! files moved in under a mark, so that nothing starts on half of them.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use platform::{Error, ErrorKind};
use sqlite_file::Claim;

use crate::unusable;

/// Stands in the state folder while files are moved.
const UNFINISHED: &str = "RESTORE_UNFINISHED";

/// What a restore replaces: name in the archive, and where it stands.
pub struct Place {
    state: PathBuf,
    parts: Vec<(String, PathBuf)>,
}

/// Holds the databases against any other process.
pub struct Held {
    _claims: Vec<Claim>,
}

/// Refuses a state folder in which a restore was cut off: `restore_unfinished`. For whoever opens it.
pub fn refuse_unfinished(state: &Path) -> Result<(), Error> {
    if !state.join(UNFINISHED).exists() {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Unavailable,
        "restore_unfinished",
        "A restore was cut off in this state folder. Run `interlock restore --replace` again with the same archive.",
    ))
}

impl Place {
    /// The parts of a state folder, by their names in the archive.
    pub fn new(state: &Path, parts: Vec<(String, PathBuf)>) -> Self {
        Self { state: state.to_owned(), parts }
    }

    /// Claims the databases and looks whether something stands there. Errors: `restore_state_in_use` while a platform runs,
    /// `restore_not_empty` unless `replace`.
    pub fn claim(&self, replace: bool) -> Result<Held, Error> {
        std::fs::create_dir_all(&self.state).map_err(unusable(&self.state))?;
        let mut claims = Vec::new();
        for (_, path) in self.parts.iter().filter(|(_, path)| path.extension().is_some_and(|e| e == "db")) {
            claims.push(sqlite_file::claim(path).map_err(|error| match Error::from(error) {
                error if error.code() == "store_in_use" => Error::new(
                    ErrorKind::Unavailable,
                    "restore_state_in_use",
                    "A platform runs on this state folder. Stop it, and restore again.",
                ),
                error => error,
            })?);
        }
        let stands = |(_, path): &&(String, PathBuf)| holds_something(path);
        if let Some((_, path)) = self.parts.iter().find(stands)
            && !replace
        {
            let message = format!(
                "{} exists already. With --replace, what stands there is moved aside, and nothing is deleted.",
                path.display()
            );
            return Err(Error::new(ErrorKind::Conflict, "restore_not_empty", message));
        }
        Ok(Held { _claims: claims })
    }

    /// Where the archive is unpacked: on the same disk, so that moving is renaming.
    pub fn staging(&self, now: Timestamp) -> PathBuf {
        self.state.join(format!("restoring-{}", now.as_millisecond()))
    }

    /// Moves what stands there aside and the staged files in. Where it is cut off, nothing starts on the folder until a
    /// restore has ended. Says where the old files are, if there were any. Error: `backup_unusable`.
    pub fn exchange(&self, _held: &Held, staged: &Path, now: Timestamp) -> Result<Option<PathBuf>, Error> {
        let mark = self.state.join(UNFINISHED);
        File::create(&mark).and_then(|f| f.sync_all()).map_err(unusable(&mark))?;
        self.sync()?;
        let aside = self.state.join(format!("before-restore-{}", now.as_millisecond()));
        let mut moved = false;
        for (name, path) in &self.parts {
            for old in with_companions(path) {
                if old.symlink_metadata().is_ok() {
                    let tail = old.to_string_lossy().into_owned();
                    let tail = tail.strip_prefix(path.to_string_lossy().as_ref()).unwrap_or_default();
                    rename(&old, &aside.join(format!("{name}{tail}")))?;
                    moved = true;
                }
            }
            let new = staged.join(name);
            if new.symlink_metadata().is_ok() {
                rename(&new, path)?;
            }
        }
        std::fs::remove_dir_all(staged).map_err(unusable(staged))?;
        self.sync()?;
        std::fs::remove_file(&mark).map_err(unusable(&mark))?;
        self.sync()?;
        Ok(moved.then_some(aside))
    }

    fn sync(&self) -> Result<(), Error> {
        let folders = self.parts.iter().filter_map(|(_, path)| path.parent()).chain([self.state.as_path()]);
        for folder in folders {
            File::open(folder).and_then(|f| f.sync_all()).map_err(unusable(folder))?;
        }
        Ok(())
    }
}

/// A database with its write-ahead log. Its lock stays: it is what the claim holds.
fn with_companions(path: &Path) -> Vec<PathBuf> {
    let beside = |end: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        PathBuf::from(name)
    };
    vec![path.to_owned(), beside("-wal"), beside("-shm")]
}

/// Whether a file or a folder with anything in it but locks stands there.
fn holds_something(path: &Path) -> bool {
    if path.is_dir() {
        let lock = |name: &std::ffi::OsStr| name == "lock" || name.to_string_lossy().ends_with(".lock");
        return std::fs::read_dir(path).is_ok_and(|mut all| all.any(|e| e.is_ok_and(|e| !lock(&e.file_name()))));
    }
    path.symlink_metadata().is_ok()
}

fn rename(from: &Path, to: &Path) -> Result<(), Error> {
    if let Some(folder) = to.parent() {
        std::fs::create_dir_all(folder).map_err(unusable(folder))?;
    }
    std::fs::rename(from, to).map_err(|error| match error.kind() {
        io::ErrorKind::CrossesDevices => {
            unusable(to)(io::Error::other("it stands on another disk than the state folder"))
        }
        _ => unusable(to)(error),
    })
}
