//! The keys of the platform itself (rule T28, `docs/keys.md`): where the master key comes from, and one random key per
//! purpose, in versions, in the secret store. Only the secret store is sealed under the master key; nothing else is derived
//! from it, so that a new master key rewraps the store's data keys and nothing more.
//!
//! Where next: [`Purpose`] for what there is, [`PurposeKeys`] for how it is kept and rotated, [`PurposeKey`] for the
//! handle that a [`crate::seal::Sealer`] works with, [`SigningKeys`] for a key that signs, [`KeyRegistry`] for what operators see, [`master`] for the master key's sources, [`environment`] for the one
//! that needs a second start of the process.

pub mod environment;
mod generated;
mod kept;
mod managed;
pub mod master;
mod purpose;
mod signing;
mod versions;

pub use generated::generated;
pub use kept::{KeptVersion, PurposeKeys};
pub use managed::{
    KeyRegistry, KeyReport, KeyState, KeyVersion, ManagedKey, ManagedPurpose, Reseal, Rotated, Rotation,
};
pub use purpose::Purpose;
pub use signing::{PublicKey, Signature, SigningKeys};
pub use versions::PurposeKey;
#[cfg(test)]
pub(crate) use versions::Versions;
