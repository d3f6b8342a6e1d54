//! A signing key of the platform (T28): Ed25519 (RFC 8032), in versions, in the secret store. The current version signs. Of the
//! earlier ones only the public halves are kept, in the current version, so that what they signed still verifies and nothing
//! new can be signed with them; a rotation after a loss keeps none.
//!
//! A signature is made over `<context> 0x00 <bytes>`: what was signed for one purpose is worth nothing for another.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::managed::{KeyReport, KeyState, KeyVersion, ManagedKey, Rotated, Rotation};
use crate::error::{Error, ErrorKind, Result};
use crate::secret::Secret;
use crate::secrets::SecretStore;

const SIGNING: &str = "signing";
const EARLIER: &str = "earlier";

/// A signature with the version of the key that made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// Version of the key.
    pub key: u32,
    /// 64 bytes, base64url.
    pub signature: String,
}

/// The public half of a version: what is kept outside to verify by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublicKey {
    /// Version of the key.
    pub version: u32,
    /// The 32 bytes of RFC 8032, standard base64.
    pub key: String,
}

impl PublicKey {
    /// A key that was kept elsewhere, 32 bytes in standard base64. Which version it was is not known then, and is 0.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = STANDARD.decode(text).ok().filter(|bytes| bytes.len() == 32)?;
        Some(Self { version: 0, key: STANDARD.encode(bytes) })
    }

    /// Whether `signature` (base64url) is this key's over `bytes`, made for `context`.
    pub fn verifies(&self, context: &str, bytes: &[u8], signature: &str) -> bool {
        let Ok(signature) = URL_SAFE_NO_PAD.decode(signature) else { return false };
        let Ok(key) = STANDARD.decode(&self.key) else { return false };
        key.len() == 32 && UnparsedPublicKey::new(&ED25519, key).verify(&signed(context, bytes), &signature).is_ok()
    }
}

/// A signing key in its versions. Clones share them.
#[derive(Clone)]
pub struct SigningKeys(Arc<Inner>);

struct Inner {
    name: &'static str,
    readers: &'static str,
    secrets: Arc<dyn SecretStore>,
    held: ArcSwap<Held>,
    /// One rotation at a time in this process; the secret store guards against others.
    changing: tokio::sync::Mutex<()>,
}

struct Held {
    pair: Ed25519KeyPair,
    current: PublicKey,
    /// The oldest first.
    earlier: Vec<PublicKey>,
}

impl SigningKeys {
    /// Reads the key `platform/keys/<name>`, and makes it where there is none. Errors: `platform_key_damaged`, the secret
    /// store's.
    pub async fn open(secrets: Arc<dyn SecretStore>, name: &'static str, readers: &'static str) -> Result<Self> {
        let path = path(name);
        let held = match read(secrets.as_ref(), name).await {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                match secrets.put(&path, fields(&generate()?, &[])?, Some(0)).await {
                    // Another process was first.
                    Err(error) if error.kind() != ErrorKind::Conflict => return Err(error),
                    _ => read(secrets.as_ref(), name).await?,
                }
            }
            other => other?,
        };
        let held = ArcSwap::from_pointee(held);
        Ok(Self(Arc::new(Inner { name, readers, secrets, held, changing: tokio::sync::Mutex::default() })))
    }

    /// Signs `bytes` for `context` with the current version.
    pub fn sign(&self, context: &str, bytes: &[u8]) -> Signature {
        let held = self.0.held.load();
        let made = held.pair.sign(&signed(context, bytes));
        Signature { key: held.current.version, signature: URL_SAFE_NO_PAD.encode(made.as_ref()) }
    }

    /// Whether a kept version made this signature over `bytes`, for `context`. A version that this process does not know is
    /// looked for in the secret store, where another process may have put it. Errors: the secret store's.
    pub async fn verify(&self, context: &str, bytes: &[u8], signature: &Signature) -> Result<bool> {
        if !self.0.knows(signature.key) {
            self.0.held.store(Arc::new(read(self.0.secrets.as_ref(), self.0.name).await?));
        }
        let held = self.0.held.load();
        let key = held.all().find(|key| key.version == signature.key);
        Ok(key.is_some_and(|key| key.verifies(context, bytes, &signature.signature)))
    }

    /// The public halves by which something still verifies, the current one first.
    pub fn public_keys(&self) -> Vec<PublicKey> {
        self.0.held.load().all().cloned().collect()
    }
}

impl Inner {
    fn knows(&self, version: u32) -> bool {
        self.held.load().all().any(|key| key.version == version)
    }
}

impl Held {
    fn all(&self) -> impl Iterator<Item = &PublicKey> {
        std::iter::once(&self.current).chain(self.earlier.iter().rev())
    }
}

impl std::fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKeys").field("name", &self.0.name).finish_non_exhaustive()
    }
}

#[async_trait]
impl ManagedKey for SigningKeys {
    fn name(&self) -> &'static str {
        self.0.name
    }

    async fn report(&self) -> Result<KeyReport> {
        let found = self.0.secrets.metadata(&path(self.0.name)).await?;
        let since = |number: u32| found.versions.iter().find(|v| v.version == u64::from(number)).map(|v| v.created_at);
        let held = self.0.held.load();
        let version = |key: &PublicKey| {
            let state = if key.version == held.current.version { KeyState::Current } else { KeyState::Old };
            KeyVersion::new(key.version, state, since(key.version))
        };
        Ok(KeyReport {
            name: self.0.name.to_owned(),
            source: format!("random, {}", path(self.0.name)),
            readers: self.0.readers.to_owned(),
            versions: held.all().map(version).collect(),
        })
    }

    async fn rotate(&self, rotation: &Rotation) -> Result<Rotated> {
        let _one = self.0.changing.lock().await;
        let (path, secrets) = (path(self.0.name), self.0.secrets.as_ref());
        let before = read(secrets, self.0.name).await?;
        let mut earlier = before.earlier.clone();
        earlier.push(before.current.clone());
        let retired: Vec<String> = match rotation.compromised {
            true => earlier.drain(..).map(|key| key.version.to_string()).collect(),
            false => Vec::new(),
        };
        secrets.put(&path, fields(&generate()?, &earlier)?, Some(u64::from(before.current.version))).await?;
        // A private half that signs no more is worth nothing to us and much to a thief.
        secrets.destroy(&path, u64::from(before.current.version)).await?;
        let held = read(secrets, self.0.name).await?;
        let note = format!("The new public key, for who verifies by it: {}", held.current.key);
        let current = held.current.version.to_string();
        self.0.held.store(Arc::new(held));
        Ok(Rotated { current, retired, resealed: 0, note: Some(note) })
    }
}

fn signed(context: &str, bytes: &[u8]) -> Vec<u8> {
    [context.as_bytes(), &[0], bytes].concat()
}

fn path(name: &str) -> String {
    format!("platform/keys/{name}")
}

fn generate() -> Result<Secret> {
    let pair = Ed25519KeyPair::generate().map_err(|_| Error::internal("no Ed25519 key was made"))?;
    let document = pair.to_pkcs8().map_err(|_| Error::internal("a new Ed25519 key has no PKCS#8 form"))?;
    Ok(Secret::new(STANDARD.encode(document.as_ref())))
}

fn fields(signing: &Secret, earlier: &[PublicKey]) -> Result<BTreeMap<String, Secret>> {
    let earlier = serde_json::to_string(earlier).map_err(Error::internal)?;
    Ok(BTreeMap::from([(SIGNING.to_owned(), signing.clone()), (EARLIER.to_owned(), Secret::new(earlier))]))
}

async fn read(secrets: &dyn SecretStore, name: &str) -> Result<Held> {
    let found = secrets.get(&path(name), None).await?;
    let damaged = || {
        Error::new(
            ErrorKind::Internal,
            "platform_key_damaged",
            format!(
                "The key `{name}` in the secret store was changed outside Interlock; restore the store from a backup."
            ),
        )
    };
    let (signing, earlier) = found.data.get(SIGNING).zip(found.data.get(EARLIER)).ok_or_else(damaged)?;
    let der = Zeroizing::new(STANDARD.decode(signing.expose()).map_err(|_| damaged())?);
    let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).map_err(|_| damaged())?;
    let earlier: Vec<PublicKey> = serde_json::from_str(earlier.expose()).map_err(|_| damaged())?;
    let version = u32::try_from(found.version).map_err(Error::internal)?;
    let current = PublicKey { version, key: STANDARD.encode(pair.public_key().as_ref()) };
    Ok(Held { pair, current, earlier })
}
