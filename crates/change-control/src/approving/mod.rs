//! Handing a plan in and deciding about it (T16). An approval is one act of a person on the platform's page: their own
//! session, and a new factor that was given after the plan was shown, for exactly this submission. There is no other way,
//! and no tool.
//!
//! - [`submit`]: a plan becomes a submission, with a window, a ticket where one is named, and who has to approve
//! - [`decide`]: one decision, recorded and checked in one transaction
//! - [`rules`]: what a decision has to meet; pure
//! - [`giving`]: the grant that the last approval builds
//! - [`ticket`]: which facts of a ticket an approval rests on (T17)
//! - [`desk`]: what waits for whom
//! - `expiry`: what nobody decided about in time

pub mod decide;
pub mod desk;
mod expiry;
mod giving;
pub mod rules;
pub mod submit;
pub mod ticket;

pub use self::decide::{Decision, Factor};
pub use self::submit::SubmitRequest;

use crate::changes::Changes;
use crate::model::change::ChangeId;

impl Changes {
    /// The page where people see a change and decide about it.
    pub fn page_url(&self, id: &ChangeId) -> String {
        format!("{}/changes/{id}", self.parts.base)
    }

    /// Now, milliseconds since the epoch.
    pub(crate) fn now_ms(&self) -> i64 {
        self.parts.clock.now().as_millisecond()
    }
}
