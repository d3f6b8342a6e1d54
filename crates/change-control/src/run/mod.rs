//! The run of a change: what the order of its steps and the steps themselves say to each other. The order is a body's
//! (`workflows`), which any engine that keeps the promises of `workflow-api` may drive; this crate names none. The change's row
//! is the truth at every moment.
//!
//! - [`contract`]: what body and activities say to each other

pub mod contract;
