//! The log's keys as operators manage them over `interlock keys` (T28): what signs checkpoints and hashes arguments, what
//! countersigns, and the months' keys of payloads. Next: [`crate::kept_keys`], where they are kept.

use std::sync::Arc;

use async_trait::async_trait;
use platform::audit_payload::{PayloadKeys as _, StoredPayloadKeys};
use platform::error::{Error, ErrorKind, Result};
use platform::keys::{KeyReport, KeyState, KeyVersion, ManagedKey, Rotated, Rotation};
use platform::secrets::SecretStore;

use crate::kept_keys::{COUNTERSIGN_KEY, KeptKeys, LOG_KEYS};
use crate::log::AuditLogFile;
use crate::registry::Registry;

/// The keys of a running log, for the operator.
pub fn managed(
    log: &Arc<AuditLogFile>,
    registry: &Registry,
    secrets: &Arc<dyn SecretStore>,
) -> Vec<Arc<dyn ManagedKey>> {
    vec![
        Arc::new(LogKeys { log: Arc::clone(log), secrets: Arc::clone(secrets) }),
        Arc::new(Countersigning { registry: registry.clone(), secrets: Arc::clone(secrets) }),
        Arc::new(Payloads(Arc::clone(secrets))),
    ]
}

struct LogKeys {
    log: Arc<AuditLogFile>,
    secrets: Arc<dyn SecretStore>,
}

struct Countersigning {
    registry: Registry,
    secrets: Arc<dyn SecretStore>,
}

struct Payloads(Arc<dyn SecretStore>);

#[async_trait]
impl ManagedKey for LogKeys {
    fn name(&self) -> &'static str {
        "audit"
    }

    async fn report(&self) -> Result<KeyReport> {
        report(self.secrets.as_ref(), "audit", LOG_KEYS, "the audit log").await
    }

    /// The log ends and another begins: one key signs a log from its first record to its last.
    async fn rotate(&self, rotation: &Rotation) -> Result<Rotated> {
        let before = self.secrets.metadata(LOG_KEYS).await?.current_version;
        let keys = KeptKeys::replace(self.secrets.as_ref()).await?;
        let public = self.log.rotate(&keys).await?;
        // The former key may have to close the log of a process that died; those before it closed theirs.
        let kept = if rotation.compromised { before + 1 } else { before };
        let note = format!("The new log's public key, for who verifies it: {public}");
        rotated(self.secrets.as_ref(), LOG_KEYS, kept, note).await
    }
}

#[async_trait]
impl ManagedKey for Countersigning {
    fn name(&self) -> &'static str {
        "countersign"
    }

    async fn report(&self) -> Result<KeyReport> {
        report(self.secrets.as_ref(), "countersign", COUNTERSIGN_KEY, "the registry of logs").await
    }

    async fn rotate(&self, _: &Rotation) -> Result<Rotated> {
        let before = self.secrets.metadata(COUNTERSIGN_KEY).await?.current_version;
        self.registry.replace_cosigner(self.secrets.as_ref()).await?;
        let note = format!("The new public key, for who verifies logs: {}", self.registry.cosigner().key());
        // A private key that signs no more is worth nothing to us and much to a thief.
        rotated(self.secrets.as_ref(), COUNTERSIGN_KEY, before + 1, note).await
    }
}

#[async_trait]
impl ManagedKey for Payloads {
    fn name(&self) -> &'static str {
        "payloads"
    }

    async fn report(&self) -> Result<KeyReport> {
        let months = StoredPayloadKeys::new(Arc::clone(&self.0)).months().await?;
        let newest = months.last().cloned();
        let state = |month: &String| if Some(month) == newest.as_ref() { KeyState::Current } else { KeyState::Old };
        Ok(KeyReport {
            name: "payloads".to_owned(),
            source: "random, one a month, platform/keys/audit-payload".to_owned(),
            readers: "the audit log; auditors, on record".to_owned(),
            versions: months.iter().rev().map(|month| KeyVersion::new(month, state(month), None)).collect(),
        })
    }

    async fn rotate(&self, _: &Rotation) -> Result<Rotated> {
        Err(Error::new(
            ErrorKind::Conflict,
            "key_rotates_by_itself",
            "Payloads get a new key each month, and a month's key is destroyed with its payloads (`audit.payload_keep_days`).",
        ))
    }
}

async fn report(secrets: &dyn SecretStore, name: &str, path: &str, readers: &str) -> Result<KeyReport> {
    let found = secrets.metadata(path).await?;
    let kept = found.versions.iter().rev().filter(|version| !version.destroyed);
    let state = |version| if version == found.current_version { KeyState::Current } else { KeyState::Old };
    Ok(KeyReport {
        name: name.to_owned(),
        source: format!("random, {path}"),
        readers: readers.to_owned(),
        versions: kept.map(|v| KeyVersion::new(v.version, state(v.version), Some(v.created_at))).collect(),
    })
}

/// Destroys the versions below `kept`, and says what is in force.
async fn rotated(secrets: &dyn SecretStore, path: &str, kept: u64, note: String) -> Result<Rotated> {
    let found = secrets.metadata(path).await?;
    let mut retired = Vec::new();
    for version in found.versions.iter().filter(|version| !version.destroyed && version.version < kept) {
        secrets.destroy(path, version.version).await?;
        retired.push(version.version.to_string());
    }
    Ok(Rotated { current: found.current_version.to_string(), retired, resealed: 0, note: Some(note) })
}
