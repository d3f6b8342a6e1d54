//! What the body of a durable workflow may touch, and what an engine that runs bodies promises. No engine, clock, randomness
//! or I/O is named here, so that the embedded journal and Temporal's SDK can implement the same trait.
//!
//! - [`context`]: what a body sees, and the semantics every engine keeps
//! - [`activity`]: options, errors and the registry of activities, which do what a body must not
//! - [`sugar`]: activities with types, and the list of what must be taken back
//! - [`engine`]: starting, signalling, cancelling and describing runs from outside

pub mod activity;
pub mod context;
pub mod engine;
pub mod sugar;

pub use activity::{Activities, ActivityContext, ActivityError, ActivityOptions, Effect};
pub use context::{LocalBoxFuture, WorkflowContext, WorkflowDefinition, WorkflowError};
pub use engine::{EngineError, RunPage, RunState, RunSummary, WorkflowClient};
pub use sugar::{Saga, Uncompensated, act};

/// JSON.
pub type Json = serde_json::Value;
