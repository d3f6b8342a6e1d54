//! The lab's simulated systems together: one process with every simulator on its socket over one world, one admin door and
//! one clock.
//!
//! Where to go next: [`process`] for what runs in it, [`lab_world`] for how a lab starts it and finds it again.

mod approvals;
pub mod lab_world;
pub mod process;

pub use process::{InstanceOptions, RunningWorld, System, WorldProcessOptions, WorldReady, run_world, start_world};
