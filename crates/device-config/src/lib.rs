//! Device configurations, understood without touching a device: pure functions, no I/O.
//!
//! [`parse`] reads a running configuration, [`Config::merge`] predicts what lines make of it, [`diff()`] says what differs,
//! [`undo()`] finds the lines that lead back and proves them on the model; what lines mean stands in tables, one per platform
//! (`rules`).
//!
//! [`classify()`] says what a command does, [`template_lines`] what the lines of a controller's template do, [`dangers`] marks
//! the lines that may cost the way of management, [`show`] reads what commands print, [`mask`] hides the secrets of a configuration.

mod banner;
mod classify;
mod config;
mod danger;
mod diff;
mod interfaces;
mod mask;
mod merge;
mod physical;
mod platform;
mod rules;
pub mod show;
mod template;
mod undo;
mod vlans;

pub use classify::{Class, Classified, Mode, UnknownName, class_of, classify};
pub use config::{Config, Node, parse};
pub use danger::{Danger, DangerKind, PlacedLine, dangers, numbered_lines, placed_lines};
pub use diff::{Change, Diff, diff};
pub use mask::{CHANGED, MASK, Masked, mask, mask_changed, mask_line};
pub use merge::{Lines, Merged, Unmodelled, Why};
pub use platform::{Platform, UnknownPlatform};
pub use template::{DirectiveFault, DirectiveFaultKind, TemplateLine, TemplateLines, template_lines};
pub use undo::{NoUndo, Undo, lines_between, undo};
