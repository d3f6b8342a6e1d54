//! Resolve: the tool behind (server, name). A tool that this caller could never use is as unknown as one that does not
//! exist (T10), so that names cannot be probed.

use std::sync::Arc;

use platform::{CallContext, Error, ErrorKind};

use super::{CallRequest, Pipeline};
use crate::catalogue::RegisteredTool;

pub(super) async fn resolve(
    road: &Pipeline,
    cx: &CallContext,
    request: &CallRequest,
) -> Result<Arc<RegisteredTool>, Error> {
    let visibility = &road.parts.visibility;
    let catalogue = visibility.catalogue();
    let found = catalogue.server(&request.server).and_then(|s| s.tool(&request.tool));
    let visible = visibility.visible(&cx.principal).await?;
    match found {
        Some(tool) if visible.contains(&(tool.server.name.clone(), tool.name().to_owned())) => Ok(Arc::clone(tool)),
        _ => Err(Error::new(
            ErrorKind::NotFound,
            "tool_unknown",
            "There is no such tool on this server for you. List the tools to see what there is.",
        )),
    }
}
