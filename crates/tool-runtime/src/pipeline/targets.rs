//! Targets: what the arguments name becomes verified facts before policy is asked. A target that the system does not
//! know is refused, and so is one that cannot be looked up.

use std::sync::Arc;
use std::time::Instant;

use platform::policy::TargetFacts;
use platform::{CallContext, Error};

use super::validate::Validated;
use super::{Pipeline, lease};
use crate::artifacts::CallArtifacts;
use crate::targets::TargetDirectory;
use crate::tool::ToolCx;

pub(super) async fn load(
    road: &Pipeline,
    cx: &Arc<CallContext>,
    call: &Validated,
) -> Result<Arc<[TargetFacts]>, Error> {
    let named = TargetDirectory::named(&call.tool, &call.arguments);
    if named.is_empty() {
        return Ok(Arc::from([]));
    }
    let clock = &road.parts.clock;
    if let Some(known) = road.targets.known(&call.tool, &named, clock.epoch_seconds()) {
        return Ok(known);
    }
    let lease = lease::read_credential(road, &call.tool).await?;
    let look_up = ToolCx {
        call: Arc::clone(cx),
        lease: Arc::new(lease),
        targets: Arc::from([]),
        deadline: cx.deadline.min(Instant::now() + call.tool.tool.spec().timeout),
        clock: Arc::clone(clock),
        secrets: Arc::default(),
        artifacts: CallArtifacts::none(),
        journal: None,
    };
    road.targets.look_up(&call.tool, &named, &look_up).await
}
