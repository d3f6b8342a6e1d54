//! The simulated devices' own understanding of ASA: what the parser of each mode accepts ([`grammar`]), what tables cannot say
//! ([`dialect`], [`access`]), the first configuration of a device ([`generate`]) and what `show` answers ([`show`]).
//!
//! Where next: [`crate::lines`], which applies the tables.

pub(crate) mod access;
pub(crate) mod dialect;
pub(crate) mod generate;
pub(crate) mod grammar;
pub(crate) mod show;
