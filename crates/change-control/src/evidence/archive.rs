//! Files in a tar (POSIX ustar), the same files always the same bytes: sorted by name, without times, owners or links. An archive
//! that was written in any other way is refused, so that nothing can hide between its files or behind them.

use std::collections::BTreeMap;
use std::io::Read as _;

use platform::Error;
use platform::artifacts::MAX_BYTES;
use tar::{Archive, Builder, EntryType, Header};

/// Files by name.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Most files of an archive.
const MOST_FILES: usize = 64;
/// Longest name of a file.
const LONGEST_NAME: usize = 64;

/// The archive of these files.
pub fn pack(files: &Files) -> Result<Vec<u8>, Error> {
    let mut builder = Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::Regular);
        header.set_size(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        header.set_mode(0o444);
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        builder.append_data(&mut header, name, bytes.as_slice()).map_err(Error::internal)?;
    }
    builder.into_inner().map_err(Error::internal)
}

/// The files of an archive, or what is wrong with it, in a sentence. Nothing is written to a disk.
pub fn unpack(bytes: &[u8]) -> Result<Files, String> {
    if bytes.len() > MAX_BYTES {
        return Err(format!("It is larger than an archive of evidence can be ({MAX_BYTES} bytes)."));
    }
    let unreadable = |error: std::io::Error| format!("It is no whole tar archive: {error}.");
    let mut files = Files::new();
    for entry in Archive::new(bytes).entries().map_err(unreadable)? {
        let mut entry = entry.map_err(unreadable)?;
        let name = entry.path_bytes().into_owned();
        let name = String::from_utf8(name).ok().filter(|name| is_name(name)).ok_or_else(|| {
            "It holds a file whose name is none of an archive of evidence; nothing of it was written.".to_owned()
        })?;
        if entry.header().entry_type() != EntryType::Regular {
            return Err(format!("`{name}` is no regular file."));
        }
        // The header says a size that the archive need not have.
        let mut content = Vec::new();
        entry.read_to_end(&mut content).map_err(|_| format!("It ends within `{name}`."))?;
        if u64::try_from(content.len()).ok() != Some(entry.size()) {
            return Err(format!("It ends within `{name}`."));
        }
        if files.len() >= MOST_FILES {
            return Err("It holds more files than an archive of evidence has.".to_owned());
        }
        if files.insert(name.clone(), content).is_some() {
            return Err(format!("`{name}` is in it twice."));
        }
    }
    match pack(&files) {
        Ok(again) if again == bytes => Ok(files),
        _ => {
            Err("It was not written as evidence is: there is more in it than its files, or its end is missing."
                .to_owned())
        }
    }
}

// A relative path of plain words: nothing that leads elsewhere.
fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '.' | '/');
    let part = |part: &str| !part.is_empty() && !part.starts_with('.');
    name.len() <= LONGEST_NAME && name.chars().all(plain) && name.split('/').all(part)
}
