//! `change_plan`: one activity that may be repeated. It is a workflow because a plan takes longer than a request, and outlives
//! the process that began it.

use std::time::Duration;

use change_control::run::contract::{MAKE_PLAN, Of, PLAN_WORKFLOW};
use workflow_api::{ActivityOptions, Json, WorkflowContext, WorkflowDefinition, WorkflowError};

/// Longest time of one try: three devices, each read, rendered, observed and staged.
const LONGEST: Duration = Duration::from_secs(900);

/// Makes a plan.
pub struct ChangePlan;

impl WorkflowDefinition for ChangePlan {
    const NAME: &'static str = PLAN_WORKFLOW;

    async fn run<C: WorkflowContext>(context: C, input: Json) -> Result<Json, WorkflowError> {
        let of: Of = serde_json::from_value(input)?;
        // Without end: a target that is away for an hour only makes the plan late, and what is hopeless is no error of the
        // activity but a plan that failed.
        let options = ActivityOptions::idempotent(0, LONGEST);
        context.activity(MAKE_PLAN, serde_json::to_value(of)?, options).await
    }
}
