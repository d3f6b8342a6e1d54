//! `find_targets` and `list_target_sources`: which devices there are on all servers, and how young that knowledge is. Nobody
//! sees what only servers know on which they may use nothing (T10).

use std::collections::BTreeSet;
use std::sync::Arc;

use platform::{Error, SharedClock};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tool_runtime::combinators::{Page, PageOf, PageRequest, paged};
use tool_runtime::targets::search::{FoundTarget, FoundTargets, TargetQuery};
use tool_runtime::targets::{FILE, STALE_S};
use tool_runtime::tool::typed;
use tool_runtime::{TargetDirectory, Tool, ToolCx, ToolSpec, Visibility};

/// The tools over a directory.
pub(super) fn tools(
    directory: &Arc<TargetDirectory>,
    visibility: &Arc<Visibility>,
    clock: &SharedClock,
) -> Vec<Arc<dyn Tool>> {
    vec![
        find_targets(Arc::clone(directory), Arc::clone(visibility), Arc::clone(clock)),
        list_target_sources(Arc::clone(directory), Arc::clone(visibility), Arc::clone(clock)),
    ]
}

/// Servers on which the caller may use at least one listed tool.
async fn usable(visibility: &Visibility, cx: &ToolCx) -> Result<BTreeSet<String>, Error> {
    let visible = visibility.visible(&cx.call.principal).await?;
    let catalogue = visibility.catalogue();
    let mut usable = BTreeSet::new();
    for (server, tool) in visible.iter() {
        if !usable.contains(server) && catalogue.server(server).is_some_and(|known| known.tool(tool).is_some()) {
            usable.insert(server.clone());
        }
    }
    Ok(usable)
}

fn find_targets(directory: Arc<TargetDirectory>, visibility: Arc<Visibility>, clock: SharedClock) -> Arc<dyn Tool> {
    let spec = ToolSpec::new::<TargetQuery, Page>(
        "find_targets",
        "Find devices",
        "Finds devices on all servers that you may use, by host name, serial number, site, role, redundancy group or \
         configuration item. `known_as` gives the id that each server's tools take. The answer comes from an index; `age_s` \
         says how old it is.",
    )
    .example(json!({"hostname": "core", "limit": 5}));
    paged(spec, move |cx: ToolCx, query: TargetQuery, page: PageRequest| {
        let (directory, visibility, clock) = (Arc::clone(&directory), Arc::clone(&visibility), Arc::clone(&clock));
        async move {
            let usable = usable(&visibility, &cx).await?;
            let servers: BTreeSet<&str> = usable.iter().map(String::as_str).collect();
            let FoundTargets { rows, total } =
                directory.search(&query, &servers, (page.offset, page.limit), clock.epoch_seconds());
            let more = page.offset + (rows.len() as u64) < total;
            Ok(PageOf::<FoundTarget> { rows, total: Some(total), more })
        }
    })
}

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

#[derive(Serialize, JsonSchema)]
struct Sources {
    /// The sources; `file` is the operator's own list.
    sources: Vec<Source>,
    /// Devices, after the rows of all sources were joined by serial number.
    devices: usize,
    /// Devices whose records contradict each other: they are not changed. `find_targets` with `ambiguous` shows them.
    ambiguous: usize,
    /// Whether changes can rest on what is known: every source was read within the last 15 minutes.
    fit_for_changes: bool,
}

#[derive(Serialize, JsonSchema)]
struct Source {
    /// Server, or `file`.
    name: String,
    /// Seconds since it was read; nothing before the first time.
    age_s: Option<i64>,
    /// Its devices.
    devices: usize,
    /// Code of the failure, where the last reading failed.
    failed: Option<String>,
}

fn list_target_sources(
    directory: Arc<TargetDirectory>,
    visibility: Arc<Visibility>,
    clock: SharedClock,
) -> Arc<dyn Tool> {
    let spec = ToolSpec::new::<Nothing, Sources>(
        "list_target_sources",
        "List sources of devices",
        "Shows which systems the platform knows devices from, how long ago each was read, and whether its last reading failed.",
    );
    typed(spec, move |cx: ToolCx, Nothing {}| {
        let (directory, visibility, clock) = (Arc::clone(&directory), Arc::clone(&visibility), Arc::clone(&clock));
        async move {
            let usable = usable(&visibility, &cx).await?;
            let status = directory.status(clock.epoch_seconds());
            let fit_for_changes = status.iter().all(|s| s.age_s.is_some_and(|age_s| age_s <= STALE_S));
            let shown = status.into_iter().filter(|s| s.name == FILE || usable.contains(&s.name));
            let sources = shown.map(|s| Source { name: s.name, age_s: s.age_s, devices: s.devices, failed: s.failed });
            let (devices, ambiguous) = directory.size();
            Ok(Sources { sources: sources.collect(), devices, ambiguous, fit_for_changes })
        }
    })
}
