//! The nouns of change control (T14). They are data, stored and hashed: a field that is renamed is a new version of a plan.
//!
//! - [`change`]: the record that everything hangs on
//! - [`state`]: where a change is and what may follow
//! - [`plan`]: what will be done, public and sealed, and its hash (T15)
//! - [`submission`]: what an approval binds
//! - [`approval`]: a person's act (T16)
//! - [`grant`]: what a run holds instead of a token (T19)
//! - [`attempt`]: one try to write to one device (T20)

pub mod approval;
pub mod attempt;
pub mod change;
pub mod grant;
pub mod plan;
pub mod state;
pub mod submission;
