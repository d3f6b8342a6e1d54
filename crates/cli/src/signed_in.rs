//! The tokens of `interlock login`: one file per platform, mode 0600, below the user's configuration folder
//! (`$XDG_CONFIG_HOME/interlock`, else `~/.config/interlock`).

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use platform::config::environment;
use platform::{Secret, canonical};
use serde::{Deserialize, Serialize};

use crate::exit::Exit;
use crate::failure::{Failure, Outcome};

/// What is kept of a sign-in; no `Debug`, it holds the token.
#[derive(Serialize, Deserialize)]
pub(crate) struct SignedIn {
    /// Public base URL of the platform, without trailing slash.
    pub(crate) url: String,
    /// Issuer identifier.
    pub(crate) issuer: String,
    /// The access token.
    pub(crate) token: String,
    /// Seconds since the epoch.
    pub(crate) expires_at: i64,
}

/// The folder that belongs to this user.
pub(crate) fn folder() -> Outcome<PathBuf> {
    folder_from(&environment()).ok_or_else(|| {
        Failure::new(Exit::Usage, "no_home", "There is no home folder to keep a token in; set HOME or XDG_CONFIG_HOME.")
    })
}

fn folder_from(environment: &[(String, String)]) -> Option<PathBuf> {
    let value =
        |name: &str| environment.iter().find(|(n, v)| n == name && !v.is_empty()).map(|(_, v)| PathBuf::from(v));
    let base = value("XDG_CONFIG_HOME").or_else(|| value("HOME").map(|home| home.join(".config")))?;
    Some(base.join("interlock"))
}

/// Keeps a sign-in; it is the current one from then on.
pub(crate) fn keep(folder: &Path, signed_in: &SignedIn) -> Outcome<PathBuf> {
    let unwritable = |e: std::io::Error| {
        let message = format!("The token cannot be kept in {}.", folder.display());
        Failure::new(Exit::Failed, "token_not_kept", message).with_detail(&e)
    };
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(unwritable)?;
    let file = file_of(folder, &signed_in.url);
    let text = serde_json::to_string(signed_in).map_err(|e| Failure::internal(&e))?;
    write_private(&file, &text).map_err(unwritable)?;
    write_private(&folder.join("current"), &signed_in.url).map_err(unwritable)?;
    Ok(file)
}

/// The URL of the last sign-in.
pub(crate) fn current(folder: &Path) -> Option<String> {
    std::fs::read_to_string(folder.join("current")).ok().map(|url| url.trim().to_owned()).filter(|url| !url.is_empty())
}

/// The token for a platform, if it is valid for some seconds more.
pub(crate) fn token(folder: &Path, url: &str, now: i64) -> Outcome<Secret> {
    let not_signed_in = |why: &str| {
        let message = format!("{why} Sign in with `interlock login --url {url}`.");
        Failure::new(Exit::NotSignedIn, "not_signed_in", message)
    };
    let text = std::fs::read(file_of(folder, url)).map_err(|_| not_signed_in("You are not signed in there."))?;
    let kept: SignedIn = serde_json::from_slice(&text).map_err(|_| not_signed_in("The kept token cannot be read."))?;
    if kept.expires_at - now < 5 {
        return Err(not_signed_in("Your sign-in has expired."));
    }
    Ok(Secret::new(kept.token))
}

fn file_of(folder: &Path, url: &str) -> PathBuf {
    let digest = canonical::sha256(url.trim_end_matches('/').as_bytes());
    let name: String = digest.iter().take(12).map(|b| format!("{b:02x}")).collect();
    folder.join(format!("token-{name}.json"))
}

/// Beside, then renamed; never readable by others, not even for a moment.
fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let beside = path.with_extension(format!("new-{}", std::process::id()));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(beside, path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;

    use super::{SignedIn, current, folder_from, keep, token};

    #[test]
    fn a_token_is_kept_for_its_platform_privately_and_not_beyond_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let url = "http://127.0.0.1:8080".to_owned();
        let signed_in = SignedIn { url: url.clone(), issuer: "i".to_owned(), token: "t".to_owned(), expires_at: 100 };
        let file = keep(folder.path(), &signed_in).unwrap();
        assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(current(folder.path()).as_deref(), Some(url.as_str()));
        assert_eq!(token(folder.path(), "http://127.0.0.1:8080/", 95).unwrap().expose(), "t");
        assert_eq!(token(folder.path(), &url, 96).unwrap_err().exit(), 3);
        assert_eq!(token(folder.path(), "http://127.0.0.1:8081", 0).unwrap_err().exit(), 3);
    }

    #[test]
    fn the_folder_is_the_users() {
        let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let (home, xdg) = (set("HOME", "/h"), set("XDG_CONFIG_HOME", "/x"));
        assert_eq!(folder_from(std::slice::from_ref(&home)).as_deref(), Some(Path::new("/h/.config/interlock")));
        assert_eq!(folder_from(&[home, xdg]).as_deref(), Some(Path::new("/x/interlock")));
        assert_eq!(folder_from(&[]), None);
    }
}
