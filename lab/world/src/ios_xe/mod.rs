//! The simulated devices' own understanding of IOS-XE: a running configuration as a tree ([`tree`]), what the parser of
//! each mode accepts ([`grammar`]), how entered lines change the configuration ([`merge`]), template directives
//! ([`directives`]), the first configuration of a device ([`generate`]) and what `show` answers ([`show`]).
//!
//! It is written from the vendor's behaviour and shares no code with the platform's own reading of configurations: a
//! simulator must not agree with us by construction.

pub mod directives;
pub(crate) mod entries;
pub(crate) mod generate;
pub mod grammar;
pub mod merge;
pub(crate) mod negate;
pub(crate) mod show;
pub mod tree;

pub use merge::{LineOutcome, Merge, merge};
pub use tree::{Config, Node};
