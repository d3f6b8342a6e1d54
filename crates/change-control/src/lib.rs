//! Changes (T14): planned, approved, applied, verified, undone, and shown afterwards. This is their one home; the pipeline asks
//! it one question (`tool_runtime::change_gate`), doors call `Changes`, and a workflow engine that it does not know drives
//! its runs.
//!
//! - [`model`]: Change, Plan, Submission, Approval, Grant, Attempt and the state machine: types without behaviour elsewhere
//! - [`changes`]: the handle that doors and activities use
//! - [`run`]: how an approved change is done
//! - [`planning`]: from a wish to a plan with a hash, and whether devices still are what it says
//! - [`view`]: what doors show of a change, and to whom
//! - [`approving`]: handing a plan in, and deciding about it on the platform's page (T16)
//! - [`gate`]: what the road asks, keys of grants, who must approve, whether a run may go on
//! - [`evidence`]: what shows how a change went, to whoever was not there
//! - [`book`]: where changes are kept; the row there is the truth, and a journal only drives it

pub mod approving;
pub mod book;
pub mod changes;
pub mod evidence;
pub mod gate;
pub mod model;
pub mod planning;
pub mod run;
pub mod view;

pub use book::ChangeBook;
pub use changes::{ChangeParts, Changes, RunStarter};
pub use gate::keys::GrantKeys;
pub use model::change::{Change, ChangeId};
pub use model::state::State;
pub use planning::{PlanOptions, PlanRequest};
