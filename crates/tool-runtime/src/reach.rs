//! What can be reached at which endpoint (rule T1). `/mcp/<server>` reaches its server's tools; `/readonly` and
//! `/x/<toolset>` only narrow that; the aggregate `/mcp` and REST reach every server. Listing asks here, and so does the
//! pipeline when it resolves a call: what an endpoint does not show does not exist there. The port that reads artifacts is
//! everywhere, because it asks here again for the tool that made one.

use platform::policy::Risk;
use platform::resource::Resource;

use crate::artifacts;
use crate::catalogue::RegisteredTool;

/// Whether `tool` exists at the endpoint of `resource`. Read-only means the risk class `read` alone: a `probe` reads too,
/// but touches devices.
pub fn reaches(resource: &Resource, tool: &RegisteredTool) -> bool {
    if artifacts::is_port(tool) {
        return true;
    }
    match resource {
        Resource::McpServer(server) => tool.server.name == *server,
        Resource::McpReadonly(server) => tool.server.name == *server && tool.risk == Risk::Read,
        Resource::McpToolset { server, toolset } => {
            tool.server.name == *server && tool.toolsets.iter().any(|name| name == toolset)
        }
        Resource::Platform | Resource::Mcp | Resource::Rest | Resource::Pages | Resource::Scim => true,
    }
}
