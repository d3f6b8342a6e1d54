//! What signs grants and evidence (T19, T28): the platform's key `changes`, in versions. A grant that an earlier version signed
//! still holds, unless the key was rotated because somebody else had it.

use std::sync::Arc;

use platform::Error;
use platform::canonical;
use platform::keys::{ManagedKey, PublicKey, Signature, SigningKeys};
use platform::secrets::SecretStore;

use super::invalid;
use crate::model::grant::{Grant, SignedGrant};

/// Its name: `platform/keys/changes`, and in `interlock keys`.
pub const CHANGES_KEY: &str = "changes";
/// What a grant is signed for.
pub const GRANT: &str = "interlock change grant v1";

/// The keys that sign grants. Clones share them.
#[derive(Debug, Clone)]
pub struct GrantKeys(SigningKeys);

impl GrantKeys {
    /// Reads them, or makes them. Errors: `platform_key_damaged`, the secret store's.
    pub async fn open(secrets: Arc<dyn SecretStore>) -> Result<Self, Error> {
        let readers = "change control: grants of runs, evidence; its public halves: whoever verifies evidence";
        SigningKeys::open(secrets, CHANGES_KEY, readers).await.map(Self)
    }

    /// Signs a grant: its RFC 8785 JSON, for [`GRANT`].
    pub fn sign(&self, grant: Grant) -> Result<SignedGrant, Error> {
        let Signature { key, signature } = self.0.sign(GRANT, &canonical::to_bytes(&grant)?);
        Ok(SignedGrant { grant, key, signature })
    }

    /// The grant, if its signature holds. Errors: `grant_invalid`, the secret store's.
    pub async fn verify<'a>(&self, signed: &'a SignedGrant) -> Result<&'a Grant, Error> {
        let signature = Signature { key: signed.key, signature: signed.signature.clone() };
        let holds = self.0.verify(GRANT, &canonical::to_bytes(&signed.grant)?, &signature).await?;
        if holds { Ok(&signed.grant) } else { Err(invalid(format!("no kept version {} made this", signed.key))) }
    }

    /// Signs other bytes for a purpose of their own: evidence. `context` is never [`GRANT`].
    pub fn sign_for(&self, context: &'static str, bytes: &[u8]) -> Signature {
        debug_assert!(context != GRANT, "grants are signed as grants");
        self.0.sign(context, bytes)
    }

    /// Whether a kept version signed these bytes for this purpose. Errors: the secret store's.
    pub async fn verify_for(&self, context: &str, bytes: &[u8], signature: &Signature) -> Result<bool, Error> {
        self.0.verify(context, bytes, signature).await
    }

    /// The public halves by which something still verifies, the current one first.
    pub fn public_keys(&self) -> Vec<PublicKey> {
        self.0.public_keys()
    }

    /// For `interlock keys`.
    pub fn managed(&self) -> Arc<dyn ManagedKey> {
        Arc::new(self.0.clone())
    }
}
