//! The database on a real server: who is let in, what migrations refuse, what is repeated and what is not.
#![cfg(test)]

mod migrations;
mod opening;
mod transactions;

use engines::Database as Fresh;
use interlock_postgres_database::{Database, Options};

/// Opens a fresh database.
async fn open(fresh: &Fresh) -> Database {
    Database::open(&Options::new(&fresh.url(), None, None).unwrap()).await.unwrap()
}
