//! The signing keys, and what is sealed, as operators manage them over `interlock keys` (T28). The keys themselves stand in
//! `key_ring`; the same rotation is reached by the administration (`admin/signing.rs`).

use async_trait::async_trait;
use platform::Error;
use platform::keys::{self, KeyReport, KeyVersion, ManagedKey, Reseal, Rotation};
use platform::revocation::Revoked;

use crate::issuer::{Issuer, State};
use crate::key_ring::{KeyState, Rotated};

impl State {
    /// Rotates the signing keys; what a dropped one signed is revoked. Errors: those of the ring, of the revocations.
    pub(crate) async fn rotate_keys(&self, compromised: bool) -> Result<Rotated, Error> {
        let rotated = self.keys.rotate(self.clock.epoch_seconds(), compromised).await?;
        for kid in &rotated.dropped {
            self.revoke(Revoked::Key(kid.clone())).await?;
        }
        Ok(rotated)
    }
}

#[async_trait]
impl ManagedKey for Issuer {
    fn name(&self) -> &'static str {
        "issuer"
    }

    async fn report(&self) -> Result<KeyReport, Error> {
        let published = self.0.keys.list(self.0.clock.epoch_seconds());
        let version = |key: &crate::KeyInfo| {
            let state = match key.state {
                KeyState::Next => keys::KeyState::Next,
                KeyState::Current => keys::KeyState::Current,
                KeyState::Retired => keys::KeyState::Old,
            };
            KeyVersion::new(&key.kid, state, jiff::Timestamp::from_second(key.since).ok())
        };
        Ok(KeyReport {
            name: "issuer".to_owned(),
            source: "random, platform/keys/issuer".to_owned(),
            readers: "the built-in issuer; the public halves: everybody".to_owned(),
            versions: published.iter().map(version).collect(),
        })
    }

    async fn rotate(&self, rotation: &Rotation) -> Result<keys::Rotated, Error> {
        let Rotated { current, dropped } = self.0.rotate_keys(rotation.compromised).await?;
        Ok(keys::Rotated { current, retired: dropped, ..keys::Rotated::default() })
    }
}

#[async_trait]
impl Reseal for Issuer {
    /// The second factors; nothing else that is sealed outlives the overlap.
    async fn reseal(&self) -> Result<u64, Error> {
        self.0.users.reseal(&self.0.sealer).await
    }
}
