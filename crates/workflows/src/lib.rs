//! Bodies of durable workflows. They name no clock, no randomness, no engine and no I/O, so that they replay; what they need is
//! done by activities, which `change_control` implements (`change_control::run::contract` says what they are asked and answer).
//!
//! - [`plan`]: a plan is made
//! - [`run`]: an approved change is checked, applied, verified and, where it has to be, undone
//! - [`engine`]: what an engine is given beside the bodies

pub mod engine;
pub mod plan;
pub mod run;

pub use plan::ChangePlan;
pub use run::{ChangeRun, plan_id, run_id};
