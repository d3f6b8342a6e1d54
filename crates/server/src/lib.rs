//! The composition root: a configuration becomes a running process. Wiring only; the one crate that names concrete
//! connectors, backends and simulators.
//!
//! Where to go next: [`compose`] for how the parts meet, [`serve`] for production, [`lab`] for the laptop,
//! [`offline`] for what the command line does without a running server.

pub mod compose;
mod connectors;
#[cfg(feature = "lab")]
pub mod lab;
pub mod offline;
mod production;
mod running;
mod serve;
pub mod workflows;

pub use self::production::{
    certificate_end, no_fixtures as no_fixtures_in_production, refusals as production_refusals,
};
pub use self::serve::serve;

/// Version of the product.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
