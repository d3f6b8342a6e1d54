//! Reading an archive: nothing of it is believed before the manifest's MAC, and no byte of a member before its digest.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{BufReader, Read, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};
use flate2::read::GzDecoder;
use platform::Error;
use platform::secret::SecretKey;
use tar::{Entry, EntryType};

use crate::manifest::{Keys, Manifest, Member, is_safe};
use crate::{damaged, unusable};

/// Most bytes of a manifest: some hundred thousand members.
const MOST: u64 = 64 << 20;

/// An archive of a backup.
pub struct Archive {
    path: PathBuf,
    keys: Keys,
}

type Reading = GzDecoder<BufReader<File>>;

impl Archive {
    /// The archive at `path`, under this master key. Nothing is read.
    pub fn at(path: &Path, master: &SecretKey) -> Result<Self, Error> {
        Ok(Self { path: path.to_owned(), keys: Keys::of(master)? })
    }

    /// What it says of itself. Errors: `backup_damaged`, `backup_other_key`, `backup_too_new`, `backup_unusable`.
    pub fn manifest(&self) -> Result<Manifest, Error> {
        let mut archive = self.open()?;
        let mut entries = archive.entries().map_err(damaged)?;
        self.head(&mut entries)
    }

    /// Unpacks every member below `into`, which it makes, and holds each against the manifest. Blocks. Errors as
    /// [`Archive::manifest`]; then what stands below `into` is worth nothing.
    pub fn unpack(&self, into: &Path) -> Result<Manifest, Error> {
        let mut archive = self.open()?;
        let mut entries = archive.entries().map_err(damaged)?;
        let manifest = self.head(&mut entries)?;
        make(into)?;
        for member in &manifest.members {
            let entry = entries.next().ok_or_else(|| damaged("the archive ends before its last member"))?;
            one(entry.map_err(damaged)?, member, into)?;
        }
        if entries.next().is_some() {
            return Err(damaged("the archive holds more than its manifest names"));
        }
        Ok(manifest)
    }

    fn open(&self) -> Result<tar::Archive<Reading>, Error> {
        let file = File::open(&self.path).map_err(unusable(&self.path))?;
        Ok(tar::Archive::new(GzDecoder::new(BufReader::new(file))))
    }

    fn head(&self, entries: &mut tar::Entries<'_, Reading>) -> Result<Manifest, Error> {
        let manifest = small(entries, "manifest.json")?;
        let mac = small(entries, "manifest.mac")?;
        Manifest::read(&self.keys, &manifest, &mac)
    }
}

/// The next entry, which must have this name and fit into memory.
fn small(entries: &mut tar::Entries<'_, Reading>, name: &str) -> Result<Vec<u8>, Error> {
    let entry = entries.next().ok_or_else(|| damaged("it holds no manifest"))?.map_err(damaged)?;
    if name_of(&entry)? != name || entry.size() > MOST {
        return Err(damaged(format!("`{name}` is not where it belongs")));
    }
    let mut bytes = Vec::new();
    entry.take(MOST).read_to_end(&mut bytes).map_err(damaged)?;
    Ok(bytes)
}

fn name_of(entry: &Entry<'_, Reading>) -> Result<String, Error> {
    if entry.header().entry_type() != EntryType::Regular {
        return Err(damaged("it holds something that is no plain file"));
    }
    let name = entry.path_bytes();
    std::str::from_utf8(&name).map(str::to_owned).map_err(damaged)
}

fn one(mut entry: Entry<'_, Reading>, member: &Member, into: &Path) -> Result<(), Error> {
    let name = name_of(&entry)?;
    if name != member.name || !is_safe(&name) || entry.size() != member.bytes {
        return Err(damaged(format!("`{}` is not where the manifest says", member.name)));
    }
    let path = into.join(&name);
    let failed = unusable(&path);
    if let Some(folder) = path.parent() {
        make(folder)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(&failed)?;
    let (mut context, mut buffer) = (Context::new(&SHA256), vec![0; 1 << 16]);
    loop {
        let read = entry.read(&mut buffer).map_err(damaged)?;
        if read == 0 {
            break;
        }
        context.update(&buffer[..read]);
        file.write_all(&buffer[..read]).map_err(&failed)?;
    }
    file.sync_all().map_err(&failed)?;
    if hex::encode(context.finish()) != member.sha256 {
        return Err(damaged(format!("`{name}` has other bytes than the manifest says")));
    }
    Ok(())
}

fn make(folder: &Path) -> Result<(), Error> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(unusable(folder))
}
