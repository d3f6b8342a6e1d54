//! The body of a run over a scripted world: what it asks for in which order, whatever the world answers. The activities
//! themselves, engines and crashes are tested where they live.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests end at the first broken promise")]

mod forward;
mod script;
mod settling;
mod undoing;
