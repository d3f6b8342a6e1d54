//! A key as operators see and rotate it, and the list of all of them. Whoever keeps a key implements [`ManagedKey`]; the
//! server collects them in one [`KeyRegistry`], which the tools `list_keys` and `rotate_key` ask.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Purpose, PurposeKeys};
use crate::audit::{AuditActor, AuditEntry, AuditLog, Outcome};
use crate::clock::SharedClock;
use crate::error::{Error, ErrorKind, Result};

/// Where a version is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    /// Known, and in force after the next step.
    Next,
    /// Seals or signs.
    Current,
    /// Opens or verifies what it made before, and makes nothing more.
    Old,
}

/// One version of a key: never the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyVersion {
    /// Number or id.
    pub version: String,
    /// Where it is in its life.
    pub state: KeyState,
    /// Since when; nothing where it was not recorded.
    pub since: Option<Timestamp>,
}

impl KeyVersion {
    /// A version.
    pub fn new(version: impl ToString, state: KeyState, since: Option<Timestamp>) -> Self {
        Self { version: version.to_string(), state, since }
    }
}

/// What is known about a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyReport {
    /// Its name.
    pub name: String,
    /// Where it comes from.
    pub source: String,
    /// Who reads it.
    pub readers: String,
    /// Its versions, the current one first.
    pub versions: Vec<KeyVersion>,
}

impl KeyReport {
    /// Since when the version in force is.
    pub fn in_force_since(&self) -> Option<Timestamp> {
        self.versions.iter().find(|v| v.state == KeyState::Current)?.since
    }
}

/// How a key is rotated.
#[derive(Debug, Clone, Default)]
pub struct Rotation {
    /// Somebody else may have it: old versions are worth nothing at once, whatever that ends.
    pub compromised: bool,
    /// For the master key: file on the platform's machine that holds the new one.
    pub new_key_file: Option<PathBuf>,
}

/// What a rotation changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotated {
    /// The version in force.
    pub current: String,
    /// Versions that open, sign or verify nothing any more.
    pub retired: Vec<String>,
    /// How many things were sealed again.
    pub resealed: u64,
    /// What is left to do, in a sentence.
    pub note: Option<String>,
}

/// A key that somebody keeps.
#[async_trait]
pub trait ManagedKey: Send + Sync + 'static {
    /// Its name in `interlock keys`.
    fn name(&self) -> &'static str;

    /// What is known about it. Errors: those of where it is kept.
    async fn report(&self) -> Result<KeyReport>;

    /// Puts another version in force. Errors: those of where it is kept, of the rotation itself.
    async fn rotate(&self, rotation: &Rotation) -> Result<Rotated>;
}

/// Seals again what outlives its key's overlap.
#[async_trait]
pub trait Reseal: Send + Sync + 'static {
    /// Seals everything of that sort under the current version, and returns how much there is. Errors: those of where it is
    /// kept.
    async fn reseal(&self) -> Result<u64>;
}

/// The key of one purpose, with what has to be sealed again when it rotates.
pub struct ManagedPurpose {
    keys: PurposeKeys,
    purpose: Purpose,
    reseal: Option<Arc<dyn Reseal>>,
    clock: SharedClock,
}

impl ManagedPurpose {
    /// The key of `purpose`.
    pub fn new(keys: &PurposeKeys, purpose: Purpose, reseal: Option<Arc<dyn Reseal>>, clock: SharedClock) -> Self {
        Self { keys: keys.clone(), purpose, reseal, clock }
    }

    /// Seals again what must be, then lets old versions go. Without the first the second does not happen.
    async fn retire(&self, all: bool) -> Result<(Vec<String>, u64)> {
        let nothing_seals_again = self.reseal.is_none() && self.purpose.must_be_sealed_again() && !all;
        if nothing_seals_again || self.keys.versions(self.purpose).await?.len() < 2 {
            return Ok((Vec::new(), 0));
        }
        let resealed = match &self.reseal {
            Some(reseal) => reseal.reseal().await?,
            None => 0,
        };
        let retired = self.keys.retire(self.purpose, self.clock.now(), all).await?;
        Ok((retired.iter().map(u32::to_string).collect(), resealed))
    }

    /// Retires what has ended; for a start. Errors: the secret store's.
    pub async fn retire_ended(&self) -> Result<()> {
        self.retire(false).await.map(drop)
    }
}

#[async_trait]
impl ManagedKey for ManagedPurpose {
    fn name(&self) -> &'static str {
        self.purpose.name()
    }

    async fn report(&self) -> Result<KeyReport> {
        let kept = self.keys.versions(self.purpose).await?;
        let current = self.keys.key(self.purpose).current();
        let state = |version| if version == current { KeyState::Current } else { KeyState::Old };
        let version = |v: &super::KeptVersion| KeyVersion::new(v.version, state(v.version), Some(v.created_at));
        Ok(KeyReport {
            name: self.purpose.name().to_owned(),
            source: format!("random, {}", self.purpose.path()),
            readers: self.purpose.readers().to_owned(),
            versions: kept.iter().rev().map(version).collect(),
        })
    }

    async fn rotate(&self, rotation: &Rotation) -> Result<Rotated> {
        let current = self.keys.rotate(self.purpose).await?.to_string();
        let (retired, resealed) = self.retire(rotation.compromised).await?;
        Ok(Rotated { current, retired, resealed, note: None })
    }
}

/// All keys of a running platform. Clones share the list.
#[derive(Clone)]
pub struct KeyRegistry(Arc<Inner>);

struct Inner {
    keys: RwLock<Vec<Arc<dyn ManagedKey>>>,
    audit: Arc<dyn AuditLog>,
    clock: SharedClock,
}

impl KeyRegistry {
    /// An empty list; rotations are recorded in `audit`.
    pub fn new(audit: Arc<dyn AuditLog>, clock: SharedClock) -> Self {
        Self(Arc::new(Inner { keys: RwLock::default(), audit, clock }))
    }

    /// Adds keys at the end of the list.
    pub fn add(&self, keys: impl IntoIterator<Item = Arc<dyn ManagedKey>>) {
        self.0.keys.write().unwrap_or_else(PoisonError::into_inner).extend(keys);
    }

    /// Adds every purpose's key, after retiring the versions that have ended. `reseal` knows what has to be sealed again
    /// when a key rotates. Errors: the secret store's, those of sealing again.
    pub async fn add_purposes(
        &self,
        keys: &PurposeKeys,
        reseal: impl Fn(Purpose) -> Option<Arc<dyn Reseal>>,
    ) -> Result<()> {
        for purpose in Purpose::ALL {
            let key = ManagedPurpose::new(keys, purpose, reseal(purpose), Arc::clone(&self.0.clock));
            key.retire_ended().await?;
            self.add([Arc::new(key) as Arc<dyn ManagedKey>]);
        }
        Ok(())
    }

    fn all(&self) -> Vec<Arc<dyn ManagedKey>> {
        self.0.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What is known about every key. Errors: those of where one is kept.
    pub async fn list(&self) -> Result<Vec<KeyReport>> {
        let mut reports = Vec::new();
        for key in self.all() {
            reports.push(key.report().await?);
        }
        Ok(reports)
    }

    /// Rotates a key, between a record that says so and one of what came of it. Errors: `key_unknown`, those of the key and
    /// of the audit log.
    pub async fn rotate(&self, name: &str, rotation: &Rotation, actor: Option<AuditActor>) -> Result<Rotated> {
        let all = self.all();
        let key = all.iter().find(|key| key.name() == name).ok_or_else(|| {
            let names: Vec<&str> = all.iter().map(|key| key.name()).collect();
            let message = format!("There is no key of this name; there are {}.", names.join(", "));
            Error::new(ErrorKind::NotFound, "key_unknown", message)
        })?;
        self.record(name, rotation, &actor, Outcome::Pending, |_| ()).await?;
        let rotated = key.rotate(rotation).await;
        match &rotated {
            Ok(done) => {
                let facts = |entry: &mut AuditEntry| {
                    entry.facts.insert("version".into(), done.current.clone().into());
                    entry.facts.insert("retired".into(), done.retired.clone().into());
                };
                self.record(name, rotation, &actor, Outcome::Success, facts).await?;
            }
            Err(error) => {
                let code = |entry: &mut AuditEntry| entry.code = Some(error.code().to_owned());
                self.record(name, rotation, &actor, Outcome::Failure, code).await?;
            }
        }
        rotated
    }

    async fn record(
        &self,
        name: &str,
        rotation: &Rotation,
        actor: &Option<AuditActor>,
        outcome: Outcome,
        more: impl FnOnce(&mut AuditEntry),
    ) -> Result<()> {
        let mut entry = AuditEntry::event(self.0.clock.now(), "key.rotated", outcome);
        entry.actor.clone_from(actor);
        entry.facts.insert("key".into(), name.into());
        entry.facts.insert("compromised".into(), rotation.compromised.into());
        more(&mut entry);
        self.0.audit.append(entry).await.map(drop)
    }
}
