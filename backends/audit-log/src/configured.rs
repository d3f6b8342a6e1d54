//! The audit log that a configuration names, with its registry, anchors, payload keys and retention. Next:
//! [`AuditLogFile::open`] for what happens then.

use std::path::PathBuf;
use std::sync::Arc;

use platform::audit_payload::StoredPayloadKeys;
use platform::clock::SharedClock;
use platform::config::Config;
use platform::error::Error;
use platform::private_file;
use platform::secrets::SecretStore;
use platform::store::Store;

use crate::anchor::{self, AnchorSecrets};
use crate::kept_keys::KeptKeys;
use crate::log::{AuditLogFile, AuditOptions};
use crate::payload::Payloads;
use crate::registry::Registry;
use crate::replica::Replica;

/// Opens the log in `folder`, which is made where it is missing, and begins to remove what has stood its time. Errors: those
/// of [`AuditLogFile::open`], `audit_anchor_invalid`, the secret store's.
pub async fn open_configured(
    config: &Config,
    folder: PathBuf,
    store: &Arc<dyn Store>,
    replica: Option<Replica>,
    secrets: &Arc<dyn SecretStore>,
    clock: &SharedClock,
) -> Result<(Arc<AuditLogFile>, Registry), Error> {
    private_file::make(&folder).map_err(Error::internal)?;
    let KeptKeys { current: keys, retired } = KeptKeys::open(secrets.as_ref()).await?;
    let registry = Registry::kept(Arc::clone(store), secrets.as_ref(), Arc::clone(clock)).await?;
    let payloads = Payloads::ready(Arc::new(StoredPayloadKeys::new(Arc::clone(secrets))), clock).await?;
    let kept = AnchorSecrets::read(secrets.as_ref()).await?;
    let anchors = anchor::configured(&config.audit.anchors, &folder, &config.platform.state, &kept, clock)?;
    let options = AuditOptions {
        payloads: Some(payloads),
        registry: Some(registry.clone()),
        replica,
        retired,
        ..AuditOptions::new(folder)
    }
    .anchored(anchors);
    let opening_clock = Arc::clone(clock);
    let opened = tokio::task::spawn_blocking(move || AuditLogFile::open(options, &keys, opening_clock)).await;
    let (audit, opened) = opened.map_err(Error::internal)??;
    for intent in opened.unknown_outcomes() {
        tracing::warn!(interlock.position = intent.position.0, "a write of the last run has no known outcome");
    }
    let audit = Arc::new(audit);
    audit.keep_payloads_for(config.audit.payload_keep_days, Arc::clone(clock));
    audit.keep_records_for(config.audit.keep_days, Arc::clone(clock));
    Ok((audit, registry))
}
