//! Device configurations, understood without touching a device: pure functions, no I/O.
//!
//! Today: [`mask`], which hides the secrets of a running configuration. Parsing, merging, predicted differences,
//! generated undo and command classes join it here.

mod mask;
mod platform;

pub use mask::{MASK, Masked, mask};
pub use platform::{Platform, UnknownPlatform};
