//! A stateful Catalyst Center on a real socket, over the lab's simulated network. Shapes, envelopes, paging and the
//! controller's oddities follow the vendor's documentation, its SDK and recorded replies; nothing is shared with the
//! platform's connector.
//!
//! Where to go next: [`simulator`] for starting one, [`reply`] for envelopes and errors, [`deploy`] for the work that
//! changes devices. The lab's world process with all systems is a crate above this one, `lab/systems`.

mod assurance;
mod command_runner;
mod compliance;
mod deploy;
mod devices;
mod interfaces;
mod platform_facts;
mod query;
mod reply;
pub mod simulator;
mod sites;
mod tasks;
mod templates;
mod tokens;
mod topology;

pub use simulator::{Pace, Running, Simulator, SimulatorOptions};
