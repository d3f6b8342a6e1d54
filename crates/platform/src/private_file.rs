//! Files that only their owner may read: tokens, keys of a lab, what a person keeps of a sign-in.
//!
//! Written beside and renamed, so that a reader never sees half of one and others never see any of it. When a call has
//! returned, bytes and names outlive a power loss: a file's own sync says nothing about the folder that names it. Read only
//! when nobody else can have read or written it: a regular file of this user without a right for others, never through a
//! symbolic link. Where next: [`crate::secret`] for the same care in memory.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

/// The rights of anybody but the owner.
const OTHERS: u32 = 0o077;
/// Larger is no file of ours.
const LARGEST: u64 = 4 << 20;

/// Makes a folder (and those above it) that only its owner may enter, or checks that the one that is there is such a
/// one. Errors: [`ErrorKind::PermissionDenied`] for a folder that others may enter, that is somebody else's or a link.
pub fn folder(path: &Path) -> io::Result<()> {
    make(path)?;
    let found = path.symlink_metadata()?;
    if !found.is_dir() {
        return Err(exposed(path, "is not a folder"));
    }
    check(path, found.uid(), found.mode())
}

/// Makes a folder, and those above it that are missing, for the owner alone. One that is there is left as it is.
pub fn make(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(above) = above(path) {
        make(above)?;
    }
    match DirBuilder::new().mode(0o700).create(path) {
        // Somebody else was faster; whether it is a folder, its user will see.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        made => made.and_then(|()| keep_name(path)),
    }
}

/// Makes a new file with these bytes and this mode; one that is there is an error of kind [`ErrorKind::AlreadyExists`].
/// Under its own name from the first moment: after a kill there may be less than all of the bytes.
pub fn create(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    fill(path, bytes, mode).and_then(|()| keep_name(path))
}

/// Syncs the folder that names `path`, so that a name that was just made or moved is there after a power loss.
pub fn keep_name(path: &Path) -> io::Result<()> {
    File::open(above(path).unwrap_or(Path::new(".")))?.sync_all()
}

fn above(path: &Path) -> Option<&Path> {
    path.parent().filter(|above| !above.as_os_str().is_empty())
}

/// Replaces a file whole, readable by its owner only. Folders above it that are missing are made for the owner alone.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_as(path, bytes, 0o600)
}

/// The same with another mode: 0400 for a key.
pub fn write_as(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    if let Some(above) = above(path) {
        make(above)?;
    }
    let beside = beside(path);
    // What a killed process of the same number left behind is nobody's.
    match std::fs::remove_file(&beside) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let written = fill(&beside, bytes, mode).and_then(|()| std::fs::rename(&beside, path));
    if written.is_err() {
        drop(std::fs::remove_file(&beside));
    }
    written.and_then(|()| keep_name(path))
}

/// Reads a file after checking, on the open file, that it is regular, this user's, and closed to others. Errors:
/// [`ErrorKind::NotFound`]; [`ErrorKind::PermissionDenied`] with the reason when it may not be trusted.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let flags = i32::try_from(OFlags::NOFOLLOW.bits()).map_err(io::Error::other)?;
    let mut file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(|error| {
        // A link in its place answers ELOOP, which has no stable kind.
        if path.is_symlink() { exposed(path, "is a symbolic link") } else { error }
    })?;
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(exposed(path, "is not a regular file"));
    }
    check(path, found.uid(), found.mode())?;
    if found.len() > LARGEST {
        return Err(io::Error::new(ErrorKind::FileTooLarge, format!("{} is larger than 4 MiB", path.display())));
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn fill(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut file: File = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".new-{}", std::process::id()));
    PathBuf::from(name)
}

fn check(path: &Path, owner: u32, mode: u32) -> io::Result<()> {
    if owner != rustix::process::geteuid().as_raw() {
        return Err(exposed(path, "belongs to somebody else"));
    }
    if mode & OTHERS != 0 {
        return Err(exposed(path, &format!("has mode {:03o}, open to others", mode & 0o777)));
    }
    Ok(())
}

fn exposed(path: &Path, why: &str) -> io::Error {
    io::Error::new(ErrorKind::PermissionDenied, format!("{} {why}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::Path;

    use super::{create, folder, read, write, write_as};

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    fn set_mode(path: &Path, mode: u32) {
        std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_written_file_and_the_folders_made_for_it_are_the_owners_alone() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("a/b/token");
        write(&file, b"one").unwrap();
        write(&file, b"two").unwrap();
        assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));
        assert_eq!(read(&file).unwrap(), b"two");
        assert_eq!(std::fs::read_dir(file.parent().unwrap()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn a_new_file_has_its_mode_and_never_replaces_one() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("mark");
        create(&file, b"one", 0o640).unwrap();
        assert_eq!(create(&file, b"two", 0o640).unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!((mode(&file), std::fs::read(&file).unwrap().as_slice()), (0o640, &b"one"[..]));
        write_as(&file, b"key", 0o400).unwrap();
        assert_eq!((mode(&file), read(&file).unwrap().as_slice()), (0o400, &b"key"[..]));
    }

    #[test]
    fn a_file_that_others_may_read_or_that_is_a_link_is_not_read() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("token");
        write(&file, b"x").unwrap();
        for open in [0o640, 0o604, 0o660, 0o610] {
            set_mode(&file, open);
            let error = read(&file).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{open:o}");
            assert!(error.to_string().contains("open to others"), "{error}");
        }
        set_mode(&file, 0o600);
        let link = place.path().join("link");
        symlink(&file, &link).unwrap();
        assert_eq!(read(&link).unwrap_err().kind(), ErrorKind::PermissionDenied);
        assert_eq!(read(place.path()).unwrap_err().kind(), ErrorKind::PermissionDenied);
        assert_eq!(read(&place.path().join("none")).unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[test]
    fn writing_replaces_a_link_and_leaves_what_it_pointed_to() {
        let place = tempfile::tempdir().unwrap();
        let (other, link) = (place.path().join("other"), place.path().join("link"));
        std::fs::write(&other, b"other").unwrap();
        symlink(&other, &link).unwrap();
        write(&link, b"mine").unwrap();
        assert_eq!(
            (std::fs::read(&other).unwrap().as_slice(), read(&link).unwrap().as_slice()),
            (&b"other"[..], &b"mine"[..])
        );
    }

    #[test]
    fn a_folder_is_made_closed_and_an_open_one_or_a_link_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let made = place.path().join("a/b");
        folder(&made).unwrap();
        assert_eq!(mode(&made), 0o700);
        set_mode(&made, 0o750);
        assert_eq!(folder(&made).unwrap_err().kind(), ErrorKind::PermissionDenied);
        set_mode(&made, 0o700);
        let link = place.path().join("link");
        symlink(&made, &link).unwrap();
        assert_eq!(folder(&link).unwrap_err().kind(), ErrorKind::PermissionDenied);
    }
}
