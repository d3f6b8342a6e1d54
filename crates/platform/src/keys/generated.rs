//! Secrets of ours that nobody chooses: made at the first start and kept in the secret store. Next: [`super::PurposeKeys`]
//! for keys with a purpose and versions.

use std::collections::BTreeMap;

use crate::error::{Error, ErrorKind, Result};
use crate::seal;
use crate::secret::Secret;
use crate::secrets::SecretStore;

/// The field `name` of the secret at `path`; where there is none, 32 random bytes in hexadecimal, kept there. Errors: the
/// store's.
pub async fn generated(secrets: &dyn SecretStore, path: &str, name: &str) -> Result<Secret> {
    match secrets.get(path, None).await {
        Ok(mut found) => {
            found.data.remove(name).ok_or_else(|| Error::internal(format!("the secret {path} has no field {name}")))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let made = Secret::new(hex::encode(seal::random::<32>()?));
            secrets.put(path, BTreeMap::from([(name.to_owned(), made.clone())]), Some(0)).await?;
            Ok(made)
        }
        Err(error) => Err(error),
    }
}
