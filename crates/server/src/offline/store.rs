//! The store of truth as `doctor` sees it: whether the database that the configuration names lets us in.

use platform::Result;
use platform::config::Config;
use postgres_database::{Address, Database};

use super::secrets;

/// Whether `[store]` names a database at all; a SQLite file is looked at with the state folder.
pub fn is_database(config: &Config) -> bool {
    Address::is_one(&config.store.url)
}

/// Opens the database, and says where it is. Changes nothing in it. Errors: `store_in_use` when the running platform has
/// the secret store with the password, and those of [`Database::configured`].
pub async fn look(config: &Config) -> Result<Option<String>> {
    let secrets = secrets::open(config)?;
    Ok(Database::configured(config, secrets.as_ref()).await?.map(|database| database.address().to_string()))
}
