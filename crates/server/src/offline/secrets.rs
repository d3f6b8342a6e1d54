//! The secret store of a platform that does not run: one process at a time has it (T24).

use std::path::Path;
use std::sync::Arc;

use platform::clock::{SharedFileClock, SystemClock};
use platform::config::Config;
use platform::secret::SecretKey;
use platform::secrets::SecretStore;
use platform::{Error, Result, SharedClock};
use secrets_local::LocalSecrets;

use super::local_file;
use crate::keys;
use crate::lab_state::LabState;

/// Reads a master key as `serve` does. Errors: `master_key_missing`, `master_key_exposed`, `master_key_malformed`.
pub fn master_key(file: &Path) -> Result<SecretKey> {
    keys::master(file)
}

/// The store that a configuration names. Errors: those of the master key; `store_in_use` while a platform runs on it.
pub fn open(config: &Config) -> Result<Arc<dyn SecretStore>> {
    let file = local_file(&config.secrets.url, "local", &config.platform.state)?;
    let master = keys::master(&config.secrets.master_key_file)?;
    Ok(Arc::new(LocalSecrets::open(&file, &master, Arc::new(SystemClock))?))
}

/// The store of a lab that was started before.
pub fn open_lab(state: &LabState) -> Result<Arc<dyn SecretStore>> {
    let master = keys::master(&state.master_key())?;
    let clock: SharedClock = Arc::new(SharedFileClock::open(&state.clock()).map_err(Error::internal)?);
    Ok(Arc::new(LocalSecrets::open(&state.secrets(), &master, clock)?))
}
