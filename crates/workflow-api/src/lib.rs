//! What the body of a durable workflow may touch, and what an engine that runs bodies promises. No engine, clock, randomness
//! or I/O is named here, so that the embedded journal and Temporal's SDK can implement the same trait.
//!
//! - [`context`]: what a body sees, and the semantics every engine keeps
//! - [`activity`]: options, errors and the registry of activities, which do what a body must not
//! - [`engine`]: starting, signalling, cancelling and describing runs from outside

pub mod activity;
pub mod context;
pub mod engine;

pub use activity::{Activities, ActivityContext, ActivityError, ActivityOptions, Effect};
pub use context::{LocalBoxFuture, WorkflowContext, WorkflowDefinition, WorkflowError};
pub use engine::{RunPage, RunState, RunSummary, WorkflowClient};

/// JSON.
pub type Json = serde_json::Value;
