//! Making an archive.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use platform::secret::SecretKey;
use platform::{Error, ErrorKind};
use tar::{Builder, EntryType, Header};

use crate::manifest::{Keys, LogEnd, Manifest};
use crate::source::Staged;
use crate::unusable;

/// Writes the staged members to `out`, which must not exist, for its owner alone. It stands there whole and on disk, or not
/// at all. `facts` are version, platform and time of the manifest. Blocks.
///
/// Errors: `backup_unusable`.
pub fn write(
    out: &Path,
    master: &SecretKey,
    facts: (String, String, String),
    logs: Vec<LogEnd>,
    staged: &Staged,
) -> Result<Manifest, Error> {
    if out.exists() {
        let message = format!("{} exists already; name a file that does not.", out.display());
        return Err(Error::new(ErrorKind::InvalidInput, "backup_unusable", message));
    }
    let keys = Keys::of(master)?;
    let members = staged.members.iter().map(|(member, _)| member.clone()).collect();
    let manifest = Manifest::new(&keys, facts, logs, members);
    let bytes = serde_json::to_vec(&manifest).map_err(Error::internal)?;
    let mac = keys.mac(&bytes);
    // Beside the copies, so that it goes with them when this ends early.
    let partial = staged.at("archive");
    fill(&partial, &bytes, mac.as_bytes(), staged).map_err(unusable(&partial))?;
    std::fs::rename(&partial, out).map_err(unusable(out))?;
    let folder = out.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|f| f.sync_all()).map_err(unusable(folder))?;
    Ok(manifest)
}

fn fill(partial: &Path, manifest: &[u8], mac: &[u8], staged: &Staged) -> std::io::Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(partial)?;
    let mut archive = Builder::new(GzEncoder::new(BufWriter::new(file), Compression::fast()));
    archive.append_data(&mut header(manifest.len() as u64), "manifest.json", manifest)?;
    archive.append_data(&mut header(mac.len() as u64), "manifest.mac", mac)?;
    for (member, path) in &staged.members {
        archive.append_data(&mut header(member.bytes), &member.name, File::open(path)?)?;
    }
    let mut file = archive.into_inner()?.finish()?;
    file.flush()?;
    file.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()
}

fn header(bytes: u64) -> Header {
    let mut header = Header::new_ustar();
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o600);
    header.set_size(bytes);
    header
}
