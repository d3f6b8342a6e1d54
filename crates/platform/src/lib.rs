//! What every room of Interlock shares: the error, the clock, the caller, configuration, the two outbound HTTP
//! clients, telemetry, and the small traits behind which an embedded and a real engine stand.
//!
//! No engine, database or server crate appears in this crate's tree; the implementations live in `backends/`, the
//! contract suites that both must pass in `crates/platform-suites`.
//!
//! Where to go next: [`context`] for what travels with a call, [`error`] for how anything is refused, then the trait of
//! the concern at hand: [`tokens`], [`policy`], [`secrets`], [`store`], [`shared`], [`audit`], [`artifacts`].

pub mod artifacts;
pub mod audit;
pub mod audit_payload;
pub mod audit_refusals;
pub mod canonical;
pub mod clock;
pub mod config;
pub mod context;
pub mod error;
pub mod failpoint;
pub mod http;
pub mod keyed_hash;
pub mod keys;
pub mod lab_state;
pub mod policy;
pub mod principal;
pub mod private_file;
pub mod process;
pub mod resource;
pub mod revocation;
pub mod seal;
pub mod secret;
pub mod secrets;
pub mod shared;
pub mod store;
pub mod strict_json;
pub mod telemetry;
pub mod tokens;

pub use clock::{Clock, SharedClock};
pub use context::CallContext;
pub use error::{Error, ErrorKind, Result};
pub use principal::Principal;
pub use secret::Secret;

/// Arbitrary JSON, as tools, policy and audit exchange it.
pub type Json = serde_json::Value;
