//! Real servers for tests: found on this machine, started on loopback and a free port in a folder of their own, stopped
//! with the value that holds them.
//!
//! Where next: [`Postgres`] for the server, [`Database`] for a fresh one per test, `installation` for where programs are
//! looked for, `process` for how a server ends.

mod database;
mod error;
mod installation;
mod postgres;
mod process;

pub use self::database::Database;
pub use self::error::EngineError;
pub use self::installation::{Installation, POSTGRES_INSTALL};
pub use self::postgres::{Certificate, Postgres, Settings, TEST_POSTGRES};
