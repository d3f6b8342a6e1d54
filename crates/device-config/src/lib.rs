//! Device configurations, understood without touching a device: pure functions, no I/O.
//!
//! [`parse`] reads a running configuration, [`Config::merge`] predicts what lines make of it, [`diff`] says what differs,
//! [`undo`] finds the lines that lead back and proves them on the model; what lines mean stands in tables, one per platform
//! (`rules`). [`mask`] hides the secrets of a running configuration.

mod config;
mod diff;
mod interfaces;
mod mask;
mod merge;
mod physical;
mod platform;
mod rules;
mod undo;
mod vlans;

pub use config::{Config, Node, parse};
pub use diff::{Change, Diff, diff};
pub use mask::{MASK, Masked, mask};
pub use merge::{Lines, Merged, Unmodelled, Why};
pub use platform::{Platform, UnknownPlatform};
pub use undo::{NoUndo, Undo, lines_between, undo};
