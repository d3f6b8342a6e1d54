//! One suite per contract of the platform, run against the fake here and the real thing in `backends/` alike, and the
//! fakes themselves for tests elsewhere. Only ever a dev-dependency.
//!
//! Where next: the module named like the contract. A new one is one line below.
#![expect(clippy::unwrap_used, clippy::panic, reason = "this crate is test code: a broken contract ends the test")]

pub mod artifacts;
pub mod audit;
pub mod audit_memory;
pub mod audit_replica;
pub mod memory;
pub mod policy;
pub mod secrets;
pub mod shared;
pub mod signing_issuer;
pub mod store;
pub mod tokens;

pub use artifacts::{MemoryArtifacts, sealed_artifacts};
pub use audit_memory::MemoryAudit;
pub use audit_replica::MemoryReplica;
pub use policy::StaticPolicy;
pub use secrets::MemorySecrets;
pub use shared::MemoryShared;
pub use store::MemoryStore;
pub use tokens::StaticTokens;
