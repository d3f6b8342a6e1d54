//! Keys (rule T28): the master key comes from a file and is never invented by `serve`; the others are made at the first
//! start and kept in the secret store, sealed under it.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use issuer::KeyRing;
use platform::secret::SecretKey;
use platform::secrets::SecretStore;
use platform::{Error, ErrorKind, Result, Secret, seal};
use zeroize::Zeroizing;

const ISSUER: &str = "platform/keys/issuer";

/// Reads the master key: 64 hexadecimal digits in a file that only its owner can read.
pub(crate) fn master(path: &Path) -> Result<SecretKey> {
    let refused = |code, message: String| Error::new(ErrorKind::Unavailable, code, message);
    let shown = path.display();
    let metadata = std::fs::metadata(path).map_err(|e| {
        refused(
            "master_key_missing",
            format!("The master key {shown} cannot be read ({e}). Point `secrets.master_key_file` at it."),
        )
    })?;
    if metadata.permissions().mode() & 0o077 != 0 {
        let message = format!("The master key {shown} can be read by others. Run `chmod 0400 {shown}`.");
        return Err(refused("master_key_exposed", message));
    }
    let text = Zeroizing::new(std::fs::read_to_string(path).map_err(Error::internal)?);
    let mut bytes = [0; 32];
    hex::decode_to_slice(text.trim(), &mut bytes).map_err(|_| {
        refused(
            "master_key_malformed",
            format!("The master key {shown} is not 64 hexadecimal digits. Make one with `openssl rand -hex 32`."),
        )
    })?;
    Ok(SecretKey::new(bytes))
}

/// The lab's master key: made at the first start of a state folder, which is marked as a lab's for ever (T30).
#[cfg(feature = "lab")]
pub(crate) fn lab_master(path: &Path) -> Result<SecretKey> {
    if !path.exists() {
        let text = Zeroizing::new(hex::encode(seal::random::<32>()?));
        // Whole and under its name on the disk before the first secret is sealed under it.
        platform::private_file::write_as(path, text.as_bytes(), 0o400).map_err(Error::internal)?;
    }
    master(path)
}

/// The built-in issuer's signing keys.
pub(crate) async fn issuer(secrets: &Arc<dyn SecretStore>, now: i64) -> Result<KeyRing> {
    KeyRing::open(Arc::clone(secrets), ISSUER, now).await
}

/// The secret with which the platform's pages sign people in at the built-in issuer.
pub(crate) async fn pages_client(secrets: &dyn SecretStore, path: &str) -> Result<Secret> {
    let made = || {
        let secret = Secret::new(hex::encode(seal::random::<32>()?));
        Ok(BTreeMap::from([("client_secret".to_owned(), secret)]))
    };
    Ok(field(&kept(secrets, path, made).await?, "client_secret")?.clone())
}

type Fields = BTreeMap<String, Secret>;

/// What is kept at a path; made and kept at the first start.
async fn kept(secrets: &dyn SecretStore, path: &str, make: impl FnOnce() -> Result<Fields>) -> Result<Fields> {
    match secrets.get(path, None).await {
        Ok(found) => Ok(found.data),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let made = make()?;
            secrets.put(path, made.clone(), Some(0)).await?;
            Ok(made)
        }
        Err(error) => Err(error),
    }
}

fn field<'a>(fields: &'a Fields, name: &str) -> Result<&'a Secret> {
    fields.get(name).ok_or_else(|| Error::internal(format!("a kept key has no field {name}")))
}
