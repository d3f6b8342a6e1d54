//! Where the members come from: databases are copied as of one moment beside the process that writes them, other files are
//! taken as they stand.

use std::fs::{DirBuilder, File};
use std::io::{self, Read as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};
use platform::{Error, seal};

use crate::manifest::{Member, is_safe};
use crate::unusable;

/// Something of the state folder.
#[derive(Debug, Clone)]
pub enum Part {
    /// A SQLite database; one that is not there is left out.
    Database {
        /// Name in the archive.
        name: String,
        /// The file.
        path: PathBuf,
    },
    /// A folder with what is below it; databases in it are copied as such. One that is not there is left out.
    Folder {
        /// Name in the archive.
        name: String,
        /// The folder.
        path: PathBuf,
    },
}

/// Copies on their way into an archive. They go when this does.
pub struct Staged {
    folder: PathBuf,
    /// Members and the files that hold them.
    pub(crate) members: Vec<(Member, PathBuf)>,
}

impl Staged {
    /// Where the copy of a part stands.
    pub fn at(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // What cannot be removed is sealed, and stands beside the archive for the operator to see.
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

/// Copies the parts, in their order, into a folder of their own beside `out`. Blocks. Errors: `backup_unusable`, those of
/// the databases.
pub fn stage(parts: &[Part], out: &Path) -> Result<Staged, Error> {
    let beside = out.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = beside.join(format!(".backup-{}", seal::random_text::<9>()?));
    make(&folder)?;
    let mut staged = Staged { folder, members: Vec::new() };
    for part in parts {
        match part {
            Part::Database { name, path } if path.is_file() => database(&mut staged, name, path)?,
            Part::Folder { name, path } if path.is_dir() => below(&mut staged, name, path)?,
            Part::Database { .. } | Part::Folder { .. } => {}
        }
    }
    Ok(staged)
}

fn make(folder: &Path) -> Result<(), Error> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(unusable(folder))
}

fn database(staged: &mut Staged, name: &str, path: &Path) -> Result<(), Error> {
    let copy = staged.at(name);
    if let Some(folder) = copy.parent() {
        make(folder)?;
    }
    sqlite_file::copy(path, &copy)?;
    let member = described(name, &copy).map_err(unusable(&copy))?;
    staged.members.push((member, copy));
    Ok(())
}

/// Plain files first: what they say of a database beside them, the copy of the database holds too.
fn below(staged: &mut Staged, name: &str, folder: &Path) -> Result<(), Error> {
    let mut entries: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unusable(folder))? {
        entries.push(entry.map_err(unusable(folder))?.path());
    }
    entries.sort();
    let named = |path: &Path| path.file_name().and_then(|n| n.to_str()).map(|n| format!("{name}/{n}"));
    let is_database = |path: &Path| path.extension().is_some_and(|e| e == "db");
    for path in entries.iter().filter(|path| path.is_file() && !is_database(path) && !is_passing(path)) {
        let Some(name) = named(path).filter(|name| is_safe(name)) else { continue };
        // A copy, so that what is hashed is what is written.
        let copy = staged.at(&name);
        if let Some(folder) = copy.parent() {
            make(folder)?;
        }
        match std::fs::copy(path, &copy) {
            Ok(_) => {}
            // A sweep of the running platform took it away.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(unusable(path)(error)),
        }
        let member = described(&name, &copy).map_err(unusable(&copy))?;
        staged.members.push((member, copy));
    }
    for path in &entries {
        let Some(name) = named(path).filter(|name| is_safe(name)) else { continue };
        if path.is_dir() {
            below(staged, &name, path)?;
        } else if is_database(path) {
            database(staged, &name, path)?;
        }
    }
    Ok(())
}

/// Locks, the write-ahead log, which is in the copy of its database, and files that are being written.
fn is_passing(path: &Path) -> bool {
    let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
    name == "lock" || name.starts_with(".new-") || [".lock", "-wal", "-shm"].iter().any(|end| name.ends_with(end))
}

fn described(name: &str, path: &Path) -> io::Result<Member> {
    let (mut file, mut context, mut bytes) = (File::open(path)?, Context::new(&SHA256), 0);
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        context.update(&buffer[..read]);
        bytes += read as u64;
    }
    Ok(Member { name: name.to_owned(), bytes, sha256: hex::encode(context.finish()) })
}
