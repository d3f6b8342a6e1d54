//! What can be reached at which endpoint (rule T1). `/mcp/<server>` reaches its server's tools; `/readonly` and
//! `/x/<toolset>` only narrow that; the aggregate `/mcp` and REST reach every server. Listing asks here, and so does the
//! pipeline when it resolves a call: what an endpoint does not show does not exist there. The port that reads artifacts is
//! everywhere, because it asks here again for the tool that made one.
//!
//! The tools for changes are reached wherever a caller may use a tool that needs a change: a refusal there names
//! `plan_change` as the next call, and the next call can always be made.

use platform::policy::Risk;
use platform::resource::Resource;

use crate::artifacts;
use crate::catalogue::{Catalogue, OWN_SERVER, RegisteredTool};

/// The platform's own tools by which changes are planned, followed, stopped, undone and shown. No other server has tools of
/// these names.
pub const CHANGE_TOOLS: [&str; 10] = [
    "cancel_change",
    "get_change",
    "get_change_plan",
    "get_evidence",
    "list_changes",
    "plan_change",
    "resume_change",
    "settle_change",
    "submit_change",
    "undo_change",
];

/// The ports behind resources of changes: reached where the tools are.
const CHANGE_PORTS: [&str; 2] = ["read_change_diff", "read_change_plan"];

/// Whether `tool` exists at the endpoint of `resource` for a caller who may use what `usable` says. Read-only means the risk
/// class `read` alone: a `probe` reads too, but touches devices.
pub fn reaches(
    catalogue: &Catalogue,
    resource: &Resource,
    tool: &RegisteredTool,
    usable: impl Fn(&RegisteredTool) -> bool,
) -> bool {
    artifacts::is_port(tool)
        || directly(resource, tool)
        || (is_for_changes(tool) && leads_to_changes(catalogue, resource, usable))
}

/// Whether a name is one of [`CHANGE_TOOLS`].
pub fn is_change_tool(name: &str) -> bool {
    CHANGE_TOOLS.contains(&name)
}

fn is_for_changes(tool: &RegisteredTool) -> bool {
    tool.server.name == OWN_SERVER && (is_change_tool(tool.name()) || CHANGE_PORTS.contains(&tool.name()))
}

fn directly(resource: &Resource, tool: &RegisteredTool) -> bool {
    match resource {
        Resource::McpServer(server) => tool.server.name == *server,
        Resource::McpReadonly(server) => tool.server.name == *server && tool.risk == Risk::Read,
        Resource::McpToolset { server, toolset } => {
            tool.server.name == *server && tool.toolsets.iter().any(|name| name == toolset)
        }
        Resource::Platform | Resource::Mcp | Resource::Rest | Resource::Pages | Resource::Scim => true,
    }
}

/// Whether the endpoint has a tool that needs a change.
fn leads_to_changes(catalogue: &Catalogue, resource: &Resource, usable: impl Fn(&RegisteredTool) -> bool) -> bool {
    let server = match resource {
        Resource::McpServer(server) | Resource::McpToolset { server, .. } => catalogue.server(server),
        _ => None,
    };
    let needs_one = |tool: &RegisteredTool| matches!(tool.risk, Risk::Change | Risk::Disruptive);
    server.is_some_and(|server| server.tools().any(|t| needs_one(t) && directly(resource, t) && usable(t)))
}
