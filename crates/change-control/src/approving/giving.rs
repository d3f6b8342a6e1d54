//! The grant that the last approval gives (T19): what the run may do, in whose name, until when, and who said so.

use platform::Error;
use tool_runtime::ports::config_changer::SAVE;

use crate::model::approval::{Approval, Verdict};
use crate::model::change::Change;
use crate::model::grant::Grant;
use crate::model::plan::{PublicPlan, SaveStartup};
use crate::model::submission::Submission;
use crate::planning::change_type::change_type;

/// How long after a run's last forward step its undo may be made, seconds. The run's own end, that of the soak, ends it
/// sooner; a run that is held or parked waits for a person that long (T19: at most a day).
const UNDO_S: u64 = 24 * 3_600;

/// The grant of a change whose approvals are complete. Its window is the submission's, its targets are the plan's, one
/// forward step for each; its tools are those of the plan's type, and nothing is saved where the plan says so. Error:
/// `change_type_unknown`.
pub(super) fn grant(
    change: &Change,
    submission: &Submission,
    digest: &str,
    plan: &PublicPlan,
    now_ms: i64,
) -> Result<Grant, Error> {
    let saves = plan.save_startup == SaveStartup::AfterSoak;
    let tools = change_type(&plan.change_type.name)?.tools().iter().filter(|tool| saves || **tool != SAVE);
    let tools = tools.map(|tool| (*tool).to_owned()).collect();
    let targets: Vec<String> = plan.order.iter().flatten().cloned().collect();
    Ok(Grant {
        change: change.id.to_string(),
        submission: digest.to_owned(),
        plan: submission.plan.clone(),
        requester: change.requester.clone(),
        approvals: approvals_of(&change.approvals, digest),
        server: plan.instance.name.clone(),
        tools,
        writes: u32::try_from(targets.len()).unwrap_or(u32::MAX),
        targets,
        window: submission.window,
        undo_for_s: UNDO_S,
        issued_at_ms: now_ms,
    })
}

/// The approvals of this very submission.
pub(super) fn approvals_of(all: &[Approval], digest: &str) -> Vec<Approval> {
    all.iter().filter(|a| a.verdict == Verdict::Approve && a.submission == digest).cloned().collect()
}
