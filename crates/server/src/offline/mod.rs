//! What the command line does without a running server: the audit log beside the process that writes it, evidence of changes, policy bundles,
//! the secret store of a stopped platform, device configurations, and the lab's one-time codes, tokens and tale. Thin on purpose: each module
//! opens the backend that the configuration names and hands it on, so that `cli` names no backend itself.

pub mod audit;
pub mod backup;
pub mod keys;
#[cfg(feature = "lab")]
pub mod lab;
pub mod policy;
pub mod secrets;
pub mod store;

pub use change_control::evidence;
pub use device_config;

use std::path::{Path, PathBuf};

use platform::{Error, ErrorKind, Result};

/// The file that a backend's URL names, below the state folder. Errors: `backend_unknown`.
pub(crate) fn local_file(url: &str, scheme: &str, state: &Path) -> Result<PathBuf> {
    match url.split_once(':') {
        Some((given, path)) if given == scheme && !path.is_empty() => Ok(state.join(path)),
        _ => Err(Error::new(
            ErrorKind::InvalidInput,
            "backend_unknown",
            format!("`{url}` names no engine of this build; here it is `{scheme}:<file>`."),
        )),
    }
}
