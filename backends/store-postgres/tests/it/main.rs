//! The store in PostgreSQL against its contract, against many callers at once, and against the death of its server.
#![cfg(test)]

mod contract;
mod death;
mod history;
mod holder;
mod rows;

use engines::Database as Fresh;
use interlock_store_postgres::{PostgresStore, Sharing};
use platform::SharedClock;
use postgres_database::{Database, Options};

/// Opens the store in this database.
async fn open(fresh: &Fresh, sharing: Sharing, clock: SharedClock) -> Result<PostgresStore, platform::Error> {
    let mut options = Options::new(&fresh.url(), None, None).unwrap();
    options.connections = 8;
    PostgresStore::open(Database::open(&options).await?, sharing, clock).await
}
