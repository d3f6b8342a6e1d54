//! A stateful Catalyst Center on a real socket, over the lab's simulated network. Shapes, envelopes, paging and the
//! controller's oddities follow the vendor's documentation, its SDK and recorded replies; nothing is shared with the
//! platform's connector.
//!
//! Where to go next: [`simulator`] for starting one, [`reply`] for envelopes and errors, [`deploy`] for the work that
//! changes devices, [`effects`] for what faults do to it. The lab's world process with all systems is a crate above this
//! one, `lab/systems`.

mod advisories;
mod assurance;
mod client_rows;
mod clients;
mod command_runner;
mod compliance;
mod conditions;
mod config_files;
mod deploy;
mod devices;
mod discovery;
mod effects;
mod events;
mod flow;
mod hardware;
mod interface_update;
mod interfaces;
mod inventory;
mod issues;
mod modern_devices;
mod platform_facts;
mod query;
mod remembered;
mod reply;
mod saving;
pub mod simulator;
mod site_health;
mod sites;
mod swim;
mod tasks;
mod templates;
mod tokens;
mod topology;

pub use simulator::{Pace, Running, Simulator, SimulatorOptions};
