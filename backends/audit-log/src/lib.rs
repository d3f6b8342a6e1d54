//! The tamper-evident, append-only audit log behind [`platform::audit::AuditLog`] (rules T25 and T26).
//!
//! A record is one canonical JSON line with Elastic Common Schema names ([`record`]). One writer thread ([`writer`]) puts
//! lines into `audit.db`, many in one synced transaction, and carries a hash chain and an RFC 6962 tree over them
//! ([`tree`]). Signed checkpoints ([`checkpoint`]) are countersigned into the store of truth ([`registry`]) and leave the
//! machine for the places of [`anchor`]. [`log`] opens and closes; [`offline`] verifies, exports and reads without the
//! running process.
//!
//! Where to go next: [`log::AuditLogFile::open`] for a running platform, [`offline::verify`] for an auditor.

pub mod anchor;
mod bridge;
pub mod checkpoint;
mod configured;
pub mod cosign;
mod countersign;
mod error;
pub mod extension;
mod file;
mod following;
pub mod kept_keys;
pub mod keys;
pub mod log;
mod managed;
pub mod offline;
mod opening;
mod payload;
mod payload_retention;
mod publisher;
mod query;
pub mod record;
mod recovery;
pub mod registry;
mod replica;
mod retention;
mod rotation;
mod schema;
mod spool;
mod stats;
mod transaction;
pub mod tree;
mod writer;

pub use checkpoint::{CheckpointFile, CheckpointSink};
pub use configured::open_configured;
pub use cosign::{Cosigner, CosignerKey};
pub use error::AuditFault;
pub use kept_keys::KeptKeys;
pub use keys::{AuditKeys, PublicKey};
pub use log::{AuditLogFile, AuditOptions};
pub use managed::managed;
pub use payload::Payloads;
pub use payload_retention::Destroyed;
pub use recovery::{OpenIntent, Opened, PreviousEnd};
pub use registry::{Registry, record_fork};
pub use replica::Replica;
pub use retention::Removed;
pub use stats::AuditStats;
