//! Resolve: the tool behind (server, name). A tool that this caller could never use is as unknown as one that does not
//! exist (T10), so that names cannot be probed; and so is one that the called endpoint does not reach (T1).

use std::sync::Arc;

use platform::{CallContext, Error, ErrorKind};

use super::{CallRequest, Pipeline, Reach};
use crate::catalogue::RegisteredTool;
use crate::reach::reaches;

pub(super) async fn resolve(
    road: &Pipeline,
    cx: &CallContext,
    request: &CallRequest,
    reach: Reach,
) -> Result<Arc<RegisteredTool>, Error> {
    let visibility = &road.parts.visibility;
    let catalogue = visibility.catalogue();
    let found = catalogue.server(&request.server).and_then(|server| match reach {
        Reach::Listed => server.tool(&request.tool),
        Reach::Ports => server.tool_or_port(&request.tool),
    });
    // A run has no list to look at. Whether its call is allowed, change control and policy say, and an undo needs no policy
    // (T19).
    if let (Some(tool), true) = (found, cx.run.is_some()) {
        return Ok(Arc::clone(tool));
    }
    let visible = visibility.visible(&cx.principal).await?;
    let usable = |t: &RegisteredTool| visible.contains(&(t.server.name.clone(), t.name().to_owned()));
    match found {
        Some(tool) if usable(tool) && reaches(&catalogue, &cx.resource, tool, usable) => Ok(Arc::clone(tool)),
        _ => Err(tool_unknown()),
    }
}

/// What a tool answers that does not exist for a caller: the same words at every door.
pub fn tool_unknown() -> Error {
    Error::new(
        ErrorKind::NotFound,
        "tool_unknown",
        "There is no such tool on this server for you. List the tools to see what there is.",
    )
}
