//! The database of `[store]`, from the configuration and the secret store.

use platform::config::Config;
use platform::secrets::SecretStore;
use platform::{Error, ErrorKind};

use crate::Database;
use crate::address::Address;
use crate::connect::Options;

/// The member of the secret at `store.secret`.
const PASSWORD: &str = "password";

impl Options {
    /// What `[store]` says, where that is PostgreSQL; the password stands in the secret store, if there is one at all (a
    /// server may trust a socket or a certificate instead).
    ///
    /// Errors: `store_url_has_password`, `store_url_invalid`, `store_password_missing`, `ca_file_unreadable`, and those of the secret store.
    pub async fn configured(config: &Config, secrets: &dyn SecretStore) -> Result<Option<Self>, Error> {
        let store = &config.store;
        if !Address::is_one(&store.url) {
            return Ok(None);
        }
        let password = match secrets.get(&store.secret, None).await {
            Ok(found) => Some(found.data.get(PASSWORD).cloned().ok_or_else(|| {
                Error::new(
                    ErrorKind::InvalidInput,
                    "store_password_missing",
                    "The secret of the PostgreSQL store has no member `password`; put it there, or take the secret away.",
                )
            })?),
            Err(error) if error.code() == "secret_not_found" => None,
            Err(error) => return Err(error),
        };
        Self::new(&store.url, store.ca_file.as_deref(), password).map(Some)
    }
}

impl Database {
    /// Opens what [`Options::configured`] says. Errors: those, and those of [`Database::open`].
    pub async fn configured(config: &Config, secrets: &dyn SecretStore) -> Result<Option<Self>, Error> {
        match Options::configured(config, secrets).await? {
            Some(options) => Self::open(&options).await.map(Some),
            None => Ok(None),
        }
    }
}
