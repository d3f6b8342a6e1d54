//! Changes as tools: planned, handed in, followed, stopped, undone, settled and shown. There is no tool that approves: that is
//! a person's act on the change's page (T16). Who sees a change is decided in `change_control::view`; who may use which of
//! these tools is policy's answer (T6).
//!
//! Where to go next: `plan` for the wish that a change begins with, `submit` for handing it in, `steps` for what moves one on,
//! `look` for those that only show.

mod look;
mod plan;
mod steps;
mod submit;

use std::sync::Arc;

use change_control::Changes;
use tool_runtime::Tool;

pub(super) use self::look::{CHANGE, DIFF, EVIDENCE, PLAN};

/// The tools over changes, and the ports behind their resources.
pub(super) fn tools(changes: &Arc<Changes>) -> Vec<Arc<dyn Tool>> {
    vec![
        plan::plan_change(changes),
        submit::submit_change(changes),
        steps::cancel_change(changes),
        steps::resume_change(changes),
        steps::undo_change(changes),
        steps::settle_change(changes),
        look::get_change(changes),
        look::list_changes(changes),
        look::get_change_plan(changes),
        look::get_evidence(changes),
        look::read_change_plan(changes),
        look::read_change_diff(changes),
    ]
}
