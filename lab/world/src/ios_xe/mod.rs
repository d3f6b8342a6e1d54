//! The simulated devices' own understanding of IOS-XE: what the parser of each mode accepts ([`grammar`]), what tables cannot
//! say ([`dialect`]), the first configuration of a device ([`generate`]) and what `show` answers ([`show`]).
//!
//! Where next: [`crate::lines`], which applies the tables.

pub(crate) mod dialect;
pub(crate) mod generate;
pub(crate) mod grammar;
pub(crate) mod protocols;
pub(crate) mod show;

pub use crate::lines::{Config, LineOutcome, Merge, Node, merge};
