//! The body of a run over a scripted world: what it asks for in which order, whatever the world answers; and in `engine` whole
//! runs, with the activities themselves on the engine that ships.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests end at the first broken promise")]

mod engine;
mod forward;
mod script;
mod settling;
mod undoing;
