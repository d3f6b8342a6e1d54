//! How simulated devices take lines: a running configuration as a tree ([`tree`]), the tables of a parser ([`rule`]), the
//! way of entered lines through the modes ([`session`]), where a line is stored ([`place`]), `no` ([`negate`]), and lines
//! that are not stored as typed ([`entries`]). What differs between operating systems is a [`dialect::Dialect`].
//!
//! It is written from the vendor's behaviour and shares no code with the platform's own reading of configurations: a
//! simulator must not agree with us by construction.
//!
//! Where next: [`crate::ios_xe`], [`crate::nx_os`], [`crate::ios_xr`], [`crate::asa`], each with its grammar.

pub(crate) mod dialect;
pub(crate) mod entries;
pub(crate) mod negate;
pub(crate) mod place;
pub mod rule;
pub mod session;
pub mod tree;

pub use session::{LineOutcome, Merge, merge, merge_until_refused};
pub use tree::{Config, Node};
