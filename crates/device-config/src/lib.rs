//! Device configurations, understood without touching a device: pure functions, no I/O.
//!
//! [`classify()`] says what a command does, [`mask`] hides the secrets of a configuration.

mod banner;
mod classify;
mod mask;
mod platform;

pub use classify::{Class, Classified, Mode, UnknownName, class_of, classify};
pub use mask::{MASK, Masked, mask};
pub use platform::{Platform, UnknownPlatform};
