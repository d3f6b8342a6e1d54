//! The simulated network that every simulator of the lab shows: one seeded state of sites, devices, cables, interfaces and
//! running configurations, generated on demand, with edits kept in memory and in an append-only journal.
//!
//! It depends on the platform's contracts only, never on a connector or on the platform's own reading of configurations:
//! a simulator must not agree with us by construction.
//!
//! Where to go next: [`state::World`] for what can be asked and changed, [`lines`] for how devices take lines, [`faults`] for
//! what can go wrong on demand, [`wire`] for serving on a socket, [`admin`] for the lab's admin door, [`accounts`] for who may
//! sign in at a system; [`people`], [`cmdb`] and [`tickets`] for what systems of record know.

pub mod accounts;
pub mod admin;
pub mod asa;
pub(crate) mod cable;
pub(crate) mod cabling;
pub mod cmdb;
pub mod commands;
pub mod condition;
pub(crate) mod data_centre;
pub mod device;
pub mod devices_in_use;
pub(crate) mod directives;
pub mod endpoints;
pub mod faults;
pub(crate) mod fleet;
pub mod interfaces;
pub mod ios_xe;
pub mod ios_xr;
pub(crate) mod journal;
pub mod knobs;
pub mod lines;
pub(crate) mod network_door;
pub mod nx_os;
pub mod os;
pub mod people;
pub(crate) mod platforms;
pub mod redundancy;
pub(crate) mod seed;
pub(crate) mod show;
pub mod sites;
pub mod state;
pub mod tickets;
pub mod wire;

pub use commands::{CommandLog, DeviceCommand};
pub use condition::{Health, Issue};
pub use device::{Device, Family, Reachability, Role};
pub use devices_in_use::{Applied, Bend, Unusable};
pub use endpoints::Endpoint;
pub use faults::{Fault, Faults, Match, Occasion};
pub use fleet::Link;
pub use interfaces::Interface;
pub use lines::{Config, Node};
pub use os::Os;
pub use redundancy::{RedundancyGroup, RedundancyKind};
pub use sites::{Region, Site, SiteKind};
pub use state::{World, WorldOptions};
