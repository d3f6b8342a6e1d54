//! The tamper-evident, append-only audit log behind [`platform::audit::AuditLog`] (rules T25 and T26).
//!
//! A record is one canonical JSON line with Elastic Common Schema names ([`record`]). One writer thread ([`writer`]) puts
//! lines into `audit.db`, many in one synced transaction, and carries a hash chain and an RFC 6962 tree over them
//! ([`tree`]). Signed checkpoints ([`checkpoint`]) leave the machine through [`checkpoint::CheckpointSink`]. [`log`] opens
//! and closes; [`offline`] verifies, exports and reads without the running process.
//!
//! Where to go next: [`log::AuditLogFile::open`] for a running platform, [`offline::verify`] for an auditor.

pub mod checkpoint;
mod error;
mod file;
pub mod keys;
pub mod log;
pub mod offline;
mod payload;
mod payload_retention;
mod publisher;
mod query;
pub mod record;
mod recovery;
mod schema;
pub mod tree;
mod writer;

pub use checkpoint::{CheckpointFile, CheckpointSink};
pub use error::AuditFault;
pub use keys::{AuditKeys, PublicKey};
pub use log::{AuditLogFile, AuditOptions, AuditStats};
pub use payload::Payloads;
pub use payload_retention::Destroyed;
pub use recovery::{OpenIntent, Opened, PreviousEnd};
