//! Keys that are no purpose's own (`platform::keys` has those): made at the first start and kept in the secret store (T28).

use std::collections::BTreeMap;
use std::sync::Arc;

use issuer::KeyRing;
use platform::secrets::SecretStore;
use platform::{Error, ErrorKind, Result, Secret, seal};

const ISSUER: &str = "platform/keys/issuer";

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
