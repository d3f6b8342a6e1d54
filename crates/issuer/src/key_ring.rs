//! The signing keys and their life (rule T28): *next* is published before it signs, *current* signs, *retired* is still
//! published until the last token it signed has ended. All of them stand in the secret store as one secret, so that a
//! rotation is one write; the running issuer sees it at once. One key stands in `keys`.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use platform::secrets::SecretStore;
use platform::{Error, ErrorKind, Json, Secret};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::claims::TOKEN_S;
use crate::keys::{PublicKey, SigningKey};

/// How long a retired key stays published, seconds: the longest token life, and what a clock may differ.
pub(crate) const OVERLAP_S: i64 = TOKEN_S + 300;
/// The field with what is known about all keys; each private half has a field of its own beside it.
const RING: &str = "ring";

/// Where a key is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    /// Published, and signs after the next rotation.
    Next,
    /// Signs.
    Current,
    /// Signs no more; what it signed still holds.
    Retired,
}

/// One key, as operators see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyInfo {
    /// Key id.
    pub kid: String,
    /// Where it is in its life.
    pub state: KeyState,
    /// Since when, seconds since the epoch.
    pub since: i64,
}

/// What a rotation changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rotated {
    /// The key that signs from now on.
    pub(crate) current: String,
    /// Keys that are worth nothing from now on; empty at an orderly rotation.
    pub(crate) dropped: Vec<String>,
}

/// The keys of one issuer, read from the secret store and written back there.
pub struct KeyRing {
    secrets: Arc<dyn SecretStore>,
    path: String,
    ring: RwLock<Arc<Ring>>,
    /// One change at a time; the version in the secret store guards against other processes.
    changing: tokio::sync::Mutex<()>,
}

struct Ring {
    version: u64,
    current: SigningKey,
    current_since: i64,
    next: SigningKey,
    next_since: i64,
    retired: Vec<(PublicKey, i64)>,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    current: KeptKey,
    next: KeptKey,
    #[serde(default)]
    retired: Vec<KeptPublic>,
}

#[derive(Serialize, Deserialize)]
struct KeptKey {
    kid: String,
    since: i64,
}

#[derive(Serialize, Deserialize)]
struct KeptPublic {
    x: String,
    y: String,
    since: i64,
}

impl KeyRing {
    /// Reads the keys at `path`, or makes them at the first start. A secret with a single key in the field `signing`, as
    /// earlier versions kept it, becomes a ring whose current key that is. Errors: `signing_key_invalid`, the secret
    /// store's.
    pub async fn open(secrets: Arc<dyn SecretStore>, path: &str, now: i64) -> Result<Self, Error> {
        let found = match secrets.get(path, None).await {
            Ok(found) => Some(found),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let version = found.as_ref().map_or(0, |f| f.version);
        let ring = match &found {
            Some(found) if found.data.contains_key(RING) => Ring::read(version, &found.data)?,
            other => {
                let current = match other.as_ref().and_then(|f| f.data.get("signing")) {
                    Some(single) => SigningKey::from_pkcs8(single)?,
                    None => SigningKey::generate()?,
                };
                let next = SigningKey::generate()?;
                let ring = Ring { version, current, current_since: now, next, next_since: now, retired: Vec::new() };
                write(secrets.as_ref(), path, ring, now).await?
            }
        };
        Ok(Self {
            secrets,
            path: path.to_owned(),
            ring: RwLock::new(Arc::new(ring)),
            changing: tokio::sync::Mutex::default(),
        })
    }

    fn ring(&self) -> Arc<Ring> {
        Arc::clone(&self.ring.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Signs claims with the current key.
    pub(crate) fn sign<T: Serialize>(&self, typ: &str, claims: &T) -> Result<Secret, Error> {
        self.ring().current.sign(typ, claims)
    }

    /// Claims of a token that one of these keys signed under this `typ`, with the key's id; the caller checks every claim.
    pub(crate) fn verify<T: DeserializeOwned + Clone>(&self, typ: &str, token: &str, now: i64) -> Option<T> {
        let kid = jsonwebtoken::decode_header(token).ok()?.kid?;
        let ring = self.ring();
        let held = ring.published(now).find(|(key, state, _)| *state != KeyState::Next && key.kid() == kid);
        held.and_then(|(key, ..)| key.verify(typ, token))
    }

    /// The key set (RFC 7517).
    pub(crate) fn jwks(&self, now: i64) -> Json {
        serde_json::json!({ "keys": self.ring().published(now).map(|(key, ..)| key.jwk()).collect::<Vec<_>>() })
    }

    /// All published keys: the current one, the next one, then the retired ones, latest first.
    pub(crate) fn list(&self, now: i64) -> Vec<KeyInfo> {
        let info =
            |(key, state, since): (&PublicKey, KeyState, i64)| KeyInfo { kid: key.kid().to_owned(), state, since };
        self.ring().published(now).map(info).collect()
    }

    /// Makes the next key the current one and a new one the next. With `compromised`, no key that stood in the secret
    /// store is trusted any more: both are new, and the old ones are not published from then on. Errors:
    /// `secret_version_mismatch` when somebody else rotated at the same moment, the secret store's.
    pub(crate) async fn rotate(&self, now: i64, compromised: bool) -> Result<Rotated, Error> {
        let _one = self.changing.lock().await;
        let found = self.secrets.get(&self.path, None).await?;
        let Ring { version, current, next, mut retired, .. } = Ring::read(found.version, &found.data)?;
        retired.retain(|(_, since)| now - since < OVERLAP_S);
        let (ring, dropped) = if compromised {
            let mut dropped = vec![current.kid().to_owned(), next.kid().to_owned()];
            dropped.extend(retired.iter().map(|(key, _)| key.kid().to_owned()));
            let (current, next) = (SigningKey::generate()?, SigningKey::generate()?);
            (Ring { version, current, current_since: now, next, next_since: now, retired: Vec::new() }, dropped)
        } else {
            retired.insert(0, (current.public().clone(), now));
            let (current, next) = (next, SigningKey::generate()?);
            (Ring { version, current, current_since: now, next, next_since: now, retired }, Vec::new())
        };
        let ring = write(self.secrets.as_ref(), &self.path, ring, now).await?;
        let current = ring.current.kid().to_owned();
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(ring);
        Ok(Rotated { current, dropped })
    }
}

impl Ring {
    fn published(&self, now: i64) -> impl Iterator<Item = (&PublicKey, KeyState, i64)> {
        let live = [
            (self.current.public(), KeyState::Current, self.current_since),
            (self.next.public(), KeyState::Next, self.next_since),
        ];
        let retired = self.retired.iter().filter(move |(_, since)| now - since < OVERLAP_S);
        live.into_iter().chain(retired.map(|(key, since)| (key, KeyState::Retired, *since)))
    }

    fn read(version: u64, fields: &BTreeMap<String, Secret>) -> Result<Self, Error> {
        let missing = || Error::internal("the issuer's key ring is damaged");
        let kept = fields.get(RING).ok_or_else(missing)?;
        let kept: Kept = serde_json::from_str(kept.expose()).map_err(Error::internal)?;
        let private = |key: &KeptKey| SigningKey::from_pkcs8(fields.get(&field(&key.kid)).ok_or_else(missing)?);
        let mut retired = Vec::new();
        for key in kept.retired {
            retired.push((PublicKey::from_coordinates(key.x, key.y)?, key.since));
        }
        Ok(Self {
            version,
            current: private(&kept.current)?,
            current_since: kept.current.since,
            next: private(&kept.next)?,
            next_since: kept.next.since,
            retired,
        })
    }

    fn fields(&self) -> Result<BTreeMap<String, Secret>, Error> {
        let kept = Kept {
            current: KeptKey { kid: self.current.kid().to_owned(), since: self.current_since },
            next: KeptKey { kid: self.next.kid().to_owned(), since: self.next_since },
            retired: self
                .retired
                .iter()
                .map(|(key, since)| {
                    let (x, y) = key.coordinates();
                    KeptPublic { x: x.to_owned(), y: y.to_owned(), since: *since }
                })
                .collect(),
        };
        let ring = serde_json::to_string(&kept).map_err(Error::internal)?;
        Ok(BTreeMap::from([
            (RING.to_owned(), Secret::new(ring)),
            (field(self.current.kid()), self.current.to_pkcs8()),
            (field(self.next.kid()), self.next.to_pkcs8()),
        ]))
    }
}

fn field(kid: &str) -> String {
    format!("key.{kid}")
}

/// Writes the ring in place of the version that was read, and destroys that version: a private key that signs no more is
/// worth nothing to us and much to a thief.
async fn write(secrets: &dyn SecretStore, path: &str, mut ring: Ring, now: i64) -> Result<Ring, Error> {
    let before = ring.version;
    ring.retired.retain(|(_, since)| now - since < OVERLAP_S);
    ring.version = secrets.put(path, ring.fields()?, Some(before)).await?;
    if before > 0
        && let Err(error) = secrets.destroy(path, before).await
    {
        tracing::warn!(code = error.code(), detail = error.detail(), "old signing keys are still in the secret store");
    }
    Ok(ring)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use platform::clock::AdjustableClock;
    use platform::secrets::SecretStore as _;
    use platform_suites::MemorySecrets;

    use super::{KeyRing, KeyState, OVERLAP_S};
    use crate::keys::{ACCESS_TOKEN, SigningKey};

    const PATH: &str = "platform/keys/issuer";

    fn secrets() -> Arc<MemorySecrets> {
        Arc::new(MemorySecrets::new(Arc::new(AdjustableClock::default())))
    }

    fn claims() -> platform::Json {
        serde_json::json!({"sub": "x"})
    }

    #[tokio::test]
    async fn t28_a_rotation_signs_with_the_key_that_was_published_before_and_the_old_one_still_verifies() {
        let secrets = secrets();
        let ring = KeyRing::open(secrets.clone(), PATH, 0).await.unwrap();
        let before = ring.list(0);
        assert_eq!(before.iter().map(|k| k.state).collect::<Vec<_>>(), [KeyState::Current, KeyState::Next]);
        let old = ring.sign(ACCESS_TOKEN, &claims()).unwrap();
        let rotated = ring.rotate(10, false).await.unwrap();
        assert_eq!((rotated.current.as_str(), rotated.dropped.len()), (before[1].kid.as_str(), 0));
        let verifies = |now| ring.verify::<platform::Json>(ACCESS_TOKEN, old.expose(), now).is_some();
        assert!(verifies(10 + OVERLAP_S - 1));
        assert!(!verifies(10 + OVERLAP_S));
        assert_eq!(ring.jwks(10)["keys"].as_array().unwrap().len(), 3);
        assert_eq!(ring.jwks(10 + OVERLAP_S)["keys"].as_array().unwrap().len(), 2);
        let again = KeyRing::open(secrets.clone(), PATH, 20).await.unwrap();
        assert_eq!(again.list(20), ring.list(20), "a restart finds the same keys");
        assert!(secrets.get(PATH, Some(1)).await.is_err(), "the version with the old private key is gone");
    }

    #[tokio::test]
    async fn t28_a_compromise_drops_every_key_that_was_kept() {
        let ring = KeyRing::open(secrets(), PATH, 0).await.unwrap();
        let token = ring.sign(ACCESS_TOKEN, &claims()).unwrap();
        ring.rotate(1, false).await.unwrap();
        let before: Vec<String> = ring.list(1).into_iter().map(|k| k.kid).collect();
        let rotated = ring.rotate(2, true).await.unwrap();
        assert_eq!(rotated.dropped, before);
        assert!(ring.list(2).iter().all(|k| !before.contains(&k.kid)));
        assert!(ring.verify::<platform::Json>(ACCESS_TOKEN, token.expose(), 2).is_none());
    }

    #[tokio::test]
    async fn a_single_key_of_an_earlier_version_becomes_the_current_one() {
        let (secrets, key) = (secrets(), SigningKey::generate().unwrap());
        secrets.put(PATH, BTreeMap::from([("signing".to_owned(), key.to_pkcs8())]), None).await.unwrap();
        let ring = KeyRing::open(secrets, PATH, 0).await.unwrap();
        assert_eq!(ring.list(0)[0].kid, key.kid());
    }
}
