//! Connections: how they are made, and what every one of them must be.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Hook, HookError, Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime};
use platform::{Error, ErrorKind, Secret};
use tokio_postgres::config::{SslMode, TargetSessionAttrs};
use tokio_postgres::{Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::Database;
use crate::address::{Address, Host};
use crate::error::DatabaseError;

/// For TCP, TLS and the sign-in together.
const CONNECTING: Duration = Duration::from_secs(5);
/// For a free connection of the pool.
const WAITING: Duration = Duration::from_secs(10);
/// Oldest PostgreSQL that is known to work.
const OLDEST: i32 = 130_000;

/// How a database is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where.
    pub address: Address,
    /// Password of the role, where the server asks for one.
    pub password: Option<Secret>,
    /// PEM of the only certificate authorities to trust for it, instead of the system's.
    pub ca_pem: Option<Vec<u8>>,
    /// Name under which `pg_stat_activity` shows us, for example `interlock`.
    pub application_name: &'static str,
    /// Most connections at a time; at least 1.
    pub connections: usize,
}

impl Options {
    /// Connections of one process by default. Sixteen writers share enough commits to keep a disk busy, and a hundred of
    /// them, which is PostgreSQL's own default, serve six processes.
    pub const CONNECTIONS: usize = 16;

    /// From a URL, the file of `ca_file` and the password.
    ///
    /// Errors: `store_url_has_password`, `store_url_invalid`, `ca_file_unreadable`.
    pub fn new(url: &str, ca_file: Option<&Path>, password: Option<Secret>) -> Result<Self, Error> {
        let ca_pem = ca_file.map(|path| {
            std::fs::read(path).map_err(|error| {
                Error::new(
                    ErrorKind::InvalidInput,
                    "ca_file_unreadable",
                    "The file with the certificate authorities of PostgreSQL cannot be read.",
                )
                .with_detail(format!("{}: {error}", path.display()))
            })
        });
        Ok(Self {
            address: Address::parse(url)?,
            password,
            ca_pem: ca_pem.transpose()?,
            application_name: "interlock",
            connections: Self::CONNECTIONS,
        })
    }

    fn config(&self) -> Config {
        let mut config = Config::new();
        match &self.address.host {
            Host::Name(name) => config.host(name),
            Host::Socket(folder) => config.host_path(folder),
        };
        config.port(self.address.port).user(&self.address.user).dbname(&self.address.database);
        if let Some(password) = &self.password {
            config.password(password.expose());
        }
        config.application_name(self.application_name).connect_timeout(CONNECTING);
        config.ssl_mode(if self.address.encrypted { SslMode::Require } else { SslMode::Disable });
        // A standby answers reads of the past: never it.
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        // A peer that has gone without a word is noticed in half a minute.
        config.keepalives_idle(Duration::from_secs(10)).keepalives_interval(Duration::from_secs(5));
        config.keepalives_retries(3).tcp_user_timeout(Duration::from_secs(20));
        // The server gives up before we do (`transaction`), so that it tells us why; and it notices when our machine has
        // gone without a word, so that what a session holds is free again.
        config.options(
            "-c statement_timeout=10s -c lock_timeout=8s -c idle_in_transaction_session_timeout=30s \
             -c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3",
        );
        config
    }

    fn manager(&self) -> Result<Manager, Error> {
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        if !self.address.encrypted {
            return Ok(Manager::from_config(self.config(), NoTls, recycling));
        }
        let tls = platform::http::verified_tls(self.ca_pem.as_deref())?;
        Ok(Manager::from_config(self.config(), MakeRustlsConnect::new(tls), recycling))
    }
}

impl Database {
    /// Opens the database: one connection is made at once, so that a wrong address, a wrong password or a server that does
    /// not fit is told now. Later connections come and go by themselves, also over restarts of the server.
    ///
    /// Errors: `store_unavailable`, `store_denied`, `store_unsuitable`, and those of TLS.
    pub async fn open(options: &Options) -> Result<Self, Error> {
        let pool = Pool::builder(options.manager()?)
            .max_size(options.connections.max(1))
            .wait_timeout(Some(WAITING))
            .create_timeout(Some(CONNECTING * 2))
            .recycle_timeout(Some(CONNECTING))
            .runtime(Runtime::Tokio1)
            .post_create(Hook::async_fn(|client, _| {
                Box::pin(async move {
                    // Durable means on disk when it returns. What asks for more, such as a standby's copy, is left alone.
                    let durable = "SELECT set_config('synchronous_commit', 'on', false) \
                                   WHERE current_setting('synchronous_commit') = 'off'";
                    client.simple_query(durable).await.map(drop).map_err(HookError::Backend)
                })
            }))
            .build()
            .map_err(Error::internal)?;
        let database = Self { pool, address: Arc::new(options.address.clone()) };
        database.check().await?;
        Ok(database)
    }

    /// A connection of the pool. `Unavailable`: nothing happened.
    pub(crate) async fn connection(&self) -> Result<Object, DatabaseError> {
        self.pool.get().await.map_err(|error| match error {
            PoolError::Backend(error) => DatabaseError::before_commit(error),
            PoolError::PostCreateHook(HookError::Backend(error)) => DatabaseError::before_commit(error),
            other => DatabaseError::Unavailable(other.to_string()),
        })
    }

    /// Whether the server answers, for a health check. Errors: as [`open`](Self::open).
    pub async fn check(&self) -> Result<(), Error> {
        let connection = self.connection().await?;
        let row = connection
            .query_one(
                "SELECT current_setting('server_version_num')::int, current_setting('server_encoding'),
                        current_setting('fsync') = 'on' AND current_setting('full_page_writes') = 'on'",
                &[],
            )
            .await
            .map_err(DatabaseError::before_commit)?;
        let read = |error| DatabaseError::Defect(format!("a setting cannot be read: {error}"));
        let version: i32 = row.try_get(0).map_err(read)?;
        let encoding: String = row.try_get(1).map_err(read)?;
        let durable: bool = row.try_get(2).map_err(read)?;
        if version < OLDEST || encoding != "UTF8" {
            let found = format!("version {version}, encoding {encoding}");
            return Err(DatabaseError::Unsuitable(found).into());
        }
        if !durable {
            tracing::warn!(database = %self.address, "the server runs without fsync or full_page_writes: a crash of its machine loses what was acknowledged");
        }
        Ok(())
    }
}
