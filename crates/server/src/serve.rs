//! `interlock serve`: production. Refuses what only a lab may do (T30), then serves.

use std::sync::Arc;
use std::time::Duration;

use platform::clock::SystemClock;
use platform::config::Config;
use platform::{Error, ErrorKind, Result, SharedClock};
use tokio::net::TcpListener;

use crate::compose::{Composed, Given, compose, open_stores};
use crate::{production, running};

/// Serves until SIGTERM. `show` writes to the local terminal, and is called only with the code for the first administrator
/// (T5), when nobody can sign in; none where there is no such terminal.
pub async fn serve(config: Config, show: Option<&(dyn Fn(&str) + Sync)>) -> Result<()> {
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
    let master = production::master_key(&config)?;
    let stores = open_stores(&config, &master, &clock).await?;
    let (fixtures, documents_from) = (Vec::new(), Vec::new());
    let given = Given { config: &config, master: &master, clock, address, with_echo: false, fixtures, documents_from };
    let composed = compose(given, stores).await?;
    if let Some(issuer) = &composed.issuer {
        production::no_lab_people(issuer).await?;
    }
    let drain = Duration::from_secs(config.platform.drain_s);
    running::run(composed, listener, drain, async |composed: &Composed| {
        tracing::info!(server.address = %address, "serving");
        match &composed.issuer {
            Some(issuer) => issuer.offer_setup(show).await,
            None => Ok(()),
        }
    })
    .await
}
