//! Device configurations, understood without touching a device: pure functions, no I/O.
//!
//! Today: [`mask`], which hides the secrets of an IOS-XE running configuration. Parsing, merging, predicted differences,
//! generated undo and command classes join it here.

mod mask;

pub use mask::{MASK, Masked, mask};

/// The platforms whose configurations are understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Platform {
    /// Cisco IOS XE.
    IosXe,
}
