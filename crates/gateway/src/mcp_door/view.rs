//! Which endpoints there are, and what servers and tools are called there. A view is named by its resource; which tools
//! it reaches is `tool_runtime::reaches`, which the pipeline asks too.

use mcp::ServerDescription;
use platform::resource::Resource;
use tool_runtime::Catalogue;
use tool_runtime::catalogue::{RegisteredTool, Server};

/// What the model is told at `/mcp`; less than 1 kB, like every server's instructions.
const AGGREGATE_INSTRUCTIONS: &str = "All network systems behind Interlock. Tools of a system carry its name as prefix, \
     for example `catalyst_center__list_devices`. When a tool that you need is not listed, find it with `search_tools`, \
     read its arguments with `describe_tool`, then call it with `call_read_tool`, or with `call_write_tool` when it \
     changes something. A result with `next` names the call that follows the work. A refusal says why and what to do; \
     `explain_refusal` says more. Lists come in pages: pass `next_cursor` as `cursor`.";

/// The resources of all MCP endpoints: the aggregate, then each server with its narrower views.
pub(crate) fn endpoints(catalogue: &Catalogue) -> Vec<Resource> {
    let mut all = vec![Resource::Mcp];
    for server in catalogue.servers() {
        let name = &server.facts.name;
        all.push(Resource::McpServer(name.clone()));
        all.push(Resource::McpReadonly(name.clone()));
        let toolset =
            |set: &tool_runtime::Toolset| Resource::McpToolset { server: name.clone(), toolset: set.name.to_owned() };
        all.extend(server.connector.toolsets().iter().map(toolset));
    }
    all
}

/// What a person calls an MCP endpoint's resource.
pub(crate) fn title(resource: &Resource) -> String {
    match resource {
        Resource::McpServer(server) => format!("Interlock: {server}"),
        Resource::McpReadonly(server) => format!("Interlock: {server}, reads only"),
        Resource::McpToolset { server, toolset } => format!("Interlock: {server}, {toolset} only"),
        _ => "Interlock".to_owned(),
    }
}

/// The server instance of a view; `None` for the aggregate.
pub(super) fn server_name(resource: &Resource) -> Option<&str> {
    match resource {
        Resource::McpServer(server) | Resource::McpReadonly(server) | Resource::McpToolset { server, .. } => {
            Some(server)
        }
        _ => None,
    }
}

/// The servers of a view.
pub(super) fn servers<'a>(resource: &'a Resource, catalogue: &'a Catalogue) -> impl Iterator<Item = &'a Server> {
    let wanted = server_name(resource);
    catalogue.servers().filter(move |s| wanted.is_none_or(|name| s.facts.name == name))
}

/// What a view says of itself.
pub(super) fn describe(resource: &Resource, catalogue: &Catalogue, version: &str) -> ServerDescription {
    let server = server_name(resource).and_then(|name| catalogue.server(name));
    let name = match resource {
        Resource::McpReadonly(server) => format!("{server}-readonly"),
        Resource::McpToolset { server, toolset } => format!("{server}-{toolset}"),
        Resource::McpServer(server) => server.clone(),
        _ => "interlock-all".to_owned(),
    };
    let instructions = server.map_or(AGGREGATE_INSTRUCTIONS, |s| s.connector.instructions());
    ServerDescription {
        name,
        title: Some(title(resource)),
        version: version.to_owned(),
        instructions: Some(instructions.to_owned()),
    }
}

/// What a tool is called in a view.
pub(super) fn tool_name(resource: &Resource, catalogue: &Catalogue, tool: &RegisteredTool) -> String {
    shown(resource, catalogue, &tool.server.name, tool.name())
}

/// What a tool or prompt of a server is called in a view: by its own name, or at the aggregate with the server's.
pub(super) fn shown(resource: &Resource, catalogue: &Catalogue, server: &str, name: &str) -> String {
    match (server_name(resource), catalogue.server(server)) {
        (None, Some(server)) => server.aggregate_name(name),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::AGGREGATE_INSTRUCTIONS;

    #[test]
    fn the_instructions_of_the_aggregate_are_short() {
        assert!(AGGREGATE_INSTRUCTIONS.len() < 1_000, "{}", AGGREGATE_INSTRUCTIONS.len());
    }
}
