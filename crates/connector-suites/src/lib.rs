//! What every connector's tests have in common: a pipeline over fakes with the connector in it, and the matrix of a
//! connector's calls and the faults of its system. Only ever a dev-dependency.
//!
//! Where to go next: [`rig`] for the pipeline, [`faults`] for the matrix and how a connector adds its rows.
#![expect(clippy::unwrap_used, clippy::panic, reason = "this crate is test code: a broken promise ends the test")]

pub mod faults;
pub mod lossy_store;
pub mod rig;

pub use lossy_store::LossyStore;
pub use rig::{Rig, RigOptions};
