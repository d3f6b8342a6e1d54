//! The embedded workflow engine: bodies of `workflow-api` over a journal in one SQLite file (rules T7, T20, T24). It needs no
//! server and survives `kill -9` at any moment: a body is run again from its beginning over what the journal says.
//!
//! Where next: [`WorkflowEngine`] for opening, driving and asking; `driver` for the loop; `body` and `context` for what a body
//! sees and how it is replayed; `attempts` for activities; `journal` for every statement; docs/workflows.md for operators.

mod attempts;
mod body;
mod context;
mod driver;
mod engine;
mod error;
mod journal;
mod restored;
mod schema;
mod trouble;

pub use self::body::Definitions;
pub use self::engine::{Driver, WorkflowEngine};
pub use self::restored::void_after_restore;
