//! The versions of one purpose's key in memory. Handles share them, so that everybody seals with a new version from the
//! moment it is there.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use aws_lc_rs::hmac;

use crate::secret::SecretKey;

/// The key of one purpose, in all the versions that are kept. Clones share them.
#[derive(Clone)]
pub struct PurposeKey(Arc<ArcSwap<Versions>>);

/// The version that seals, and those that only open.
pub(crate) struct Versions {
    current: (u32, SecretKey),
    older: BTreeMap<u32, SecretKey>,
}

impl PurposeKey {
    /// One key that never changes, as version 1: for what lives no longer than its process.
    pub fn fixed(key: SecretKey) -> Self {
        Self::of(Versions { current: (1, key), older: BTreeMap::new() })
    }

    pub(crate) fn of(versions: Versions) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(versions)))
    }

    pub(crate) fn replace(&self, versions: Versions) {
        self.0.store(Arc::new(versions));
    }

    pub(crate) fn versions(&self) -> Arc<Versions> {
        self.0.load_full()
    }

    /// The version that seals now.
    pub fn current(&self) -> u32 {
        self.0.load().current.0
    }
}

impl std::fmt::Debug for PurposeKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PurposeKey").field("current", &self.current()).finish_non_exhaustive()
    }
}

impl Versions {
    /// The highest number is the current version; nothing of nothing.
    pub(crate) fn of(mut all: BTreeMap<u32, SecretKey>) -> Option<Self> {
        let current = all.pop_last()?;
        Some(Self { current, older: all })
    }

    /// The current version, for `label` where one purpose has several uses.
    pub(crate) fn current(&self, label: Option<&'static str>) -> (u32, SecretKey) {
        (self.current.0, labelled(&self.current.1, label))
    }

    /// A kept version.
    pub(crate) fn get(&self, number: u32, label: Option<&'static str>) -> Option<SecretKey> {
        let key = if number == self.current.0 { Some(&self.current.1) } else { self.older.get(&number) };
        key.map(|key| labelled(key, label))
    }

    /// All kept versions, the current one first.
    pub(crate) fn newest_first(&self, label: Option<&'static str>) -> impl Iterator<Item = SecretKey> {
        std::iter::once(&self.current.1).chain(self.older.values().rev()).map(move |key| labelled(key, label))
    }
}

/// The key of one use: HMAC-SHA256 of its label (a pseudo-random function over a random key, NIST SP 800-108r1).
fn labelled(key: &SecretKey, label: Option<&'static str>) -> SecretKey {
    let Some(label) = label else { return key.clone() };
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.expose()), label.as_bytes());
    SecretKey::from_bytes(|bytes| bytes.copy_from_slice(tag.as_ref()))
}
