//! `interlock serve`: production. Refuses what only a lab may do (T30), then serves.

use std::sync::Arc;
use std::time::Duration;

use platform::clock::SystemClock;
use platform::config::Config;
use platform::{Error, ErrorKind, Result, SharedClock};
use tokio::net::TcpListener;

use crate::compose::{Given, compose, open_stores};
use crate::{keys, production, running};

/// Serves until SIGTERM.
pub async fn serve(config: Config) -> Result<()> {
    if let Some(refusal) = production::refusals(&config).into_iter().next() {
        return Err(refusal);
    }
    let listen = config.platform.listen;
    let listener = TcpListener::bind(listen).await.map_err(|e| {
        Error::new(
            ErrorKind::Unavailable,
            "listen_failed",
            format!("The address {listen} cannot be used ({e}). Choose another with `platform.listen`."),
        )
    })?;
    let address = listener.local_addr().map_err(Error::internal)?;
    let clock: SharedClock = Arc::new(SystemClock);
    let master = keys::master(&config.secrets.master_key_file)?;
    let given = Given { config: &config, master: &master, clock, address, with_echo: false, fixtures: Vec::new() };
    let stores = open_stores(&given)?;
    let composed = compose(given, stores).await?;
    let drain = Duration::from_secs(config.platform.drain_s);
    running::run(composed, listener, drain, async |_| {
        tracing::info!(server.address = %address, "serving");
        Ok(())
    })
    .await
}
