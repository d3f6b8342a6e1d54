//! What the PostgreSQL backends share: the address, a pool of connections, TLS, migrations forward, transactions that are
//! repeated only when they are known not to stand, and what a failure means.
//!
//! Where next: [`Database`] for the handle, [`Options`] for how it is opened, [`Component`] for the migrations of one
//! backend, `transaction` for what is repeated and what is not, `error` for what callers read. The store over it is
//! `backends/store-postgres`.

mod address;
mod configured;
mod connect;
mod error;
mod migrate;
mod session;
mod transaction;

use std::sync::Arc;

use deadpool_postgres::Pool;

pub use self::address::Address;
pub use self::connect::Options;
pub use self::error::DatabaseError;
pub use self::migrate::Component;
pub use self::session::Session;
pub use self::transaction::{Failure, Transaction, Work};
pub use tokio_postgres::Row;
pub use tokio_postgres::types;

/// A PostgreSQL database that is the primary of its cluster. Clones share its connections.
#[derive(Clone)]
pub struct Database {
    pool: Pool,
    address: Arc<Address>,
}

impl Database {
    /// Where it is, for a line in a log. There is no password in it.
    pub fn address(&self) -> &Address {
        &self.address
    }
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").field("address", &self.address).finish_non_exhaustive()
    }
}
