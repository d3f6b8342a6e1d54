//! The one road, over fakes: every rule of T6 to T12 and T25 that the pipeline promises. `fixture.rs` builds a pipeline,
//! the other modules are named for what they prove.
#![cfg(test)]

extern crate interlock_tool_runtime as tool_runtime;

mod arguments;
mod caching;
mod combinators;
mod directory;
mod fixture;
mod gate;
mod idempotency;
mod offers;
mod order;
mod payloads;
mod reach;
mod recorders;
mod running;
mod secrets;
mod sharing;
mod step_up;
mod target;
mod tasks;
