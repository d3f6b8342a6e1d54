//! The secret store of a platform that does not run: one process at a time has it (T24).

use std::sync::Arc;

use platform::clock::{SharedFileClock, SystemClock};
use platform::config::Config;
use platform::keys::master::MasterKeySource;
use platform::secrets::SecretStore;
use platform::{Error, Result, SharedClock};
use secrets_local::LocalSecrets;

use super::local_file;
use platform::lab_state::LabState;

/// The store that a configuration names. Errors: those of the master key; `store_in_use` while a platform runs on it.
pub fn open(config: &Config) -> Result<Arc<dyn SecretStore>> {
    let file = local_file(&config.secrets.url, "local", &config.platform.state)?;
    let master = config.secrets.master_key.read()?.key;
    Ok(Arc::new(LocalSecrets::open(&file, &master, Arc::new(SystemClock))?))
}

/// The store of a lab that was started before.
pub fn open_lab(state: &LabState) -> Result<Arc<dyn SecretStore>> {
    let master = MasterKeySource::File(state.master_key()).read()?.key;
    let clock: SharedClock = Arc::new(SharedFileClock::open(&state.clock()).map_err(Error::internal)?);
    Ok(Arc::new(LocalSecrets::open(&state.secrets(), &master, clock)?))
}
