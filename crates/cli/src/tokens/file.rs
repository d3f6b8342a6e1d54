//! Tokens in files: one per sign-in, mode 0600, in a folder of mode 0700, replaced whole. One that others could have read
//! or written is not used; [`platform::private_file`] checks that on the open file.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use platform::{Secret, private_file};

use super::store::unusable;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};

pub(super) fn path(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.json"))
}

pub(super) fn load(folder: &Path, name: &str) -> Outcome<Option<Secret>> {
    let path = path(folder, name);
    match private_file::read(&path) {
        Ok(bytes) => Ok(String::from_utf8(bytes).ok().map(Secret::from)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            let message = format!(
                "The token file {} could have been read or changed by others and is not used; remove it and sign in again.",
                path.display()
            );
            Err(Failure::new(Exit::NotSignedIn, "token_file_exposed", message).with_detail(&error))
        }
        Err(error) => {
            let message = format!("The token file {} cannot be read.", path.display());
            Err(Failure::new(Exit::Failed, "token_unreadable", message).with_detail(&error))
        }
    }
}

pub(super) fn save(folder: &Path, name: &str, text: &Secret) -> Outcome {
    let path = path(folder, name);
    private_file::folder(folder)
        .and_then(|()| private_file::write(&path, text.expose().as_bytes()))
        .map_err(|e| unusable(folder, &e))
}

pub(super) fn remove(folder: &Path, name: &str) -> Outcome {
    match std::fs::remove_file(path(folder, name)) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(unusable(folder, &error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use platform::Secret;

    use super::{load, path, save};

    #[test]
    fn t28_a_token_file_is_private_and_one_that_is_not_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("interlock");
        save(&folder, "t", &Secret::new("x")).unwrap();
        let file = path(&folder, "t");
        let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&file)), (0o700, 0o600));
        assert_eq!(load(&folder, "t").unwrap().unwrap().expose(), "x");
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o640)).unwrap();
        let exposed = load(&folder, "t").unwrap_err();
        assert_eq!(exposed.exit(), 3);
        assert!(format!("{exposed:?}").contains("token_file_exposed") && !format!("{exposed:?}").contains("\"x\""));
        symlink(&file, path(&folder, "linked")).unwrap();
        assert_eq!(load(&folder, "linked").unwrap_err().exit(), 3);
        std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o755)).unwrap();
        assert_eq!(save(&folder, "t", &Secret::new("y")).unwrap_err().exit(), 1, "the folder is open to others");
    }
}
