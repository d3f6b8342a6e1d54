//! The log's keys where the platform keeps them, in the secret store (T28): made at the first start, sealed there, replaced
//! by a new version. Older versions open the log that was made with them, once, to close it. Next: [`crate::keys`].

use std::collections::BTreeMap;
use std::sync::Arc;

use platform::clock::SharedClock;
use platform::error::{Error, ErrorKind, Result};
use platform::secret::{Secret, SecretKey};
use platform::secrets::SecretStore;
use platform::store::Store;

use crate::cosign::Cosigner;
use crate::keys::AuditKeys;
use crate::registry::Registry;

/// Path of the keys of the log that is written: fields `signing` and `hmac`.
pub const LOG_KEYS: &str = "platform/keys/audit";
/// Path of the countersigning key: field `signing`.
pub const COUNTERSIGN_KEY: &str = "platform/keys/countersign";

type Fields = BTreeMap<String, Secret>;

/// The keys at [`LOG_KEYS`].
#[derive(Debug, Clone)]
pub struct KeptKeys {
    /// Of the current version.
    pub current: AuditKeys,
    /// Of the versions before it that are not destroyed, the newest first.
    pub retired: Vec<AuditKeys>,
}

impl KeptKeys {
    /// Reads them; makes them where there are none.
    pub async fn open(secrets: &dyn SecretStore) -> Result<Self> {
        let current = keys_of(&kept(secrets, LOG_KEYS, || fields_of(&AuditKeys::generate()?)).await?)?;
        let metadata = secrets.metadata(LOG_KEYS).await?;
        let mut retired = Vec::new();
        let readable = |version: &&platform::secrets::VersionMetadata| {
            version.version < metadata.current_version && !version.destroyed && version.deleted_at.is_none()
        };
        for version in metadata.versions.iter().rev().filter(readable) {
            retired.push(keys_of(&secrets.get(LOG_KEYS, Some(version.version)).await?.data)?);
        }
        Ok(Self { current, retired })
    }

    /// Writes new keys as the next version and returns them: what [`crate::AuditLogFile::rotate`] takes. A process that
    /// dies before that does it at its next start.
    pub async fn replace(secrets: &dyn SecretStore) -> Result<AuditKeys> {
        let keys = AuditKeys::generate()?;
        let current = secrets.metadata(LOG_KEYS).await?.current_version;
        secrets.put(LOG_KEYS, fields_of(&keys)?, Some(current)).await?;
        Ok(keys)
    }
}

impl Registry {
    /// A registry in `store` with the countersigning key at [`COUNTERSIGN_KEY`], which is made where there is none. Must be
    /// called on the runtime that serves the store.
    pub async fn kept(store: Arc<dyn Store>, secrets: &dyn SecretStore, clock: SharedClock) -> Result<Self> {
        let made = || Ok(Fields::from([("signing".to_owned(), Cosigner::generate()?)]));
        let fields = kept(secrets, COUNTERSIGN_KEY, made).await?;
        Ok(Self::new(store, Cosigner::new(field(&fields, "signing")?)?, clock))
    }

    /// Writes a new countersigning key as the next version and signs with it from now on (T28).
    pub async fn replace_cosigner(&self, secrets: &dyn SecretStore) -> Result<()> {
        let signing = Cosigner::generate()?;
        let current = secrets.metadata(COUNTERSIGN_KEY).await?.current_version;
        let cosigner = Cosigner::new(&signing)?;
        secrets.put(COUNTERSIGN_KEY, Fields::from([("signing".to_owned(), signing)]), Some(current)).await?;
        self.use_cosigner(cosigner);
        Ok(())
    }
}

fn fields_of(keys: &AuditKeys) -> Result<Fields> {
    Ok(Fields::from([
        ("signing".to_owned(), keys.signing.clone()),
        ("hmac".to_owned(), Secret::new(hex::encode(keys.hmac.expose()))),
    ]))
}

fn keys_of(fields: &Fields) -> Result<AuditKeys> {
    let mut hmac = [0; 32];
    hex::decode_to_slice(field(fields, "hmac")?.expose(), &mut hmac).map_err(Error::internal)?;
    Ok(AuditKeys { signing: field(fields, "signing")?.clone(), hmac: SecretKey::new(hmac) })
}

fn field<'a>(fields: &'a Fields, name: &str) -> Result<&'a Secret> {
    fields.get(name).ok_or_else(|| Error::internal(format!("a kept key of the audit log has no field {name}")))
}

// What is kept at a path; made and kept at the first start. Of two that start at once, the first one's is kept.
async fn kept(secrets: &dyn SecretStore, path: &str, make: impl FnOnce() -> Result<Fields>) -> Result<Fields> {
    match secrets.get(path, None).await {
        Ok(found) => return Ok(found.data),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    match secrets.put(path, make()?, Some(0)).await {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::Conflict => {}
        Err(error) => return Err(error),
    }
    Ok(secrets.get(path, None).await?.data)
}
