//! Device configurations, understood without touching a device: pure functions, no I/O.
//!
//! [`classify()`] says what a command does, [`template_lines`] what the lines of a controller's template do, [`dangers`] marks the lines
//! that may cost the way of management, [`show`] reads what commands print, [`mask`] hides the secrets of a configuration.

mod banner;
mod classify;
mod danger;
mod mask;
mod platform;
pub mod show;
mod template;

pub use classify::{Class, Classified, Mode, UnknownName, class_of, classify};
pub use danger::{Danger, DangerKind, PlacedLine, dangers, placed_lines};
pub use mask::{CHANGED, MASK, Masked, mask, mask_changed, mask_line};
pub use platform::{Platform, UnknownPlatform};
pub use template::{DirectiveFault, DirectiveFaultKind, TemplateLine, TemplateLines, template_lines};
