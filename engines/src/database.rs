//! A fresh database for one test.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::process::Command;

use crate::error::EngineError;
use crate::postgres::{Postgres, run};

/// A database of its own. Dropped from the server with the value, whoever is still connected.
#[derive(Debug)]
pub struct Database {
    server: Postgres,
    name: String,
}

impl Database {
    pub(crate) fn create(server: Postgres) -> Result<Self, EngineError> {
        // Random, because a server may outlive the process whose number would have told them apart.
        let name = format!("t{:016x}", RandomState::new().build_hasher().finish());
        psql(&server, "postgres", &format!("CREATE DATABASE {name}"))?;
        Ok(Self { server, name })
    }

    /// Its URL: `postgres://postgres@127.0.0.1:<port>/<name>`.
    pub fn url(&self) -> String {
        format!("{}/{}", self.server.url(), self.name)
    }

    /// Its name on the server.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The server it is on.
    pub fn server(&self) -> &Postgres {
        &self.server
    }

    /// Runs SQL by `psql`, in one transaction, and returns its rows: one a line, columns parted by `|`.
    pub fn psql(&self, sql: &str) -> Result<String, EngineError> {
        psql(&self.server, &self.name, sql)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // A server that was killed has taken it along.
        drop(psql(&self.server, "postgres", &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name)));
    }
}

fn psql(server: &Postgres, database: &str, sql: &str) -> Result<String, EngineError> {
    let mut psql = Command::new(server.installation().program("psql"));
    psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql]);
    psql.arg(format!("{}/{database}?connect_timeout=10", server.url())).env("LC_ALL", "C.UTF-8");
    if let Some(password) = server.password() {
        psql.env("PGPASSWORD", password);
    }
    run(psql).map(|text| text.trim_end().to_owned())
}
