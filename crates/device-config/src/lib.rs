//! Device configurations, understood without touching a device: pure functions, no I/O.
//!
//! [`classify()`] says what a command does, [`template_lines`] what the lines of a controller's template do, [`mask`] hides the secrets of a configuration.

mod banner;
mod classify;
mod mask;
mod platform;
mod template;

pub use classify::{Class, Classified, Mode, UnknownName, class_of, classify};
pub use mask::{MASK, Masked, mask};
pub use platform::{Platform, UnknownPlatform};
pub use template::{DirectiveFault, DirectiveFaultKind, TemplateLine, TemplateLines, template_lines};
