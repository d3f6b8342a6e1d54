//! The keys of a stopped platform's secret store: another master key, another data key (T28). Recorded in the audit log as
//! by the running platform.

use std::sync::Arc;

use platform::clock::SystemClock;
use platform::config::Config;
use platform::keys::{KeyRegistry, KeyReport, Rotated, Rotation};
use platform::{Result, SharedClock};
use secrets_local::LocalSecrets;

use super::local_file;
use crate::compose::{open_audit, open_stores};

fn open(config: &Config) -> Result<LocalSecrets> {
    let file = local_file(&config.secrets.url, "local", &config.platform.state)?;
    LocalSecrets::open(&file, &config.secrets.master_key.read()?.key, Arc::new(SystemClock))
}

/// What is known about them. Errors: those of the master key; `store_in_use` while a platform runs on it.
pub async fn list(config: &Config) -> Result<Vec<KeyReport>> {
    let mut reports = Vec::new();
    for key in open(config)?.managed(&config.secrets.master_key) {
        reports.push(key.report().await?);
    }
    Ok(reports)
}

/// Rotates `master` or `data`. Errors: those of [`list`], of the rotation, of the audit log.
pub async fn rotate(config: &Config, name: &str, rotation: &Rotation) -> Result<Rotated> {
    let clock: SharedClock = Arc::new(SystemClock);
    let master = config.secrets.master_key.read()?.key;
    let stores = open_stores(config, &master, &clock).await?;
    let (audit, _) = open_audit(config, &stores.store, stores.database, &stores.secrets, &clock).await?;
    let keys = KeyRegistry::new(audit.clone(), clock);
    keys.add(stores.keys);
    let rotated = keys.rotate(name, rotation, None).await;
    audit.close().await?;
    rotated
}
