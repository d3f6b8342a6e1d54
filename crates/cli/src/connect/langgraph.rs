//! LangGraph has no configuration file of its own: it gets a Python module that names the servers and hands out their
//! tools through `langchain-mcp-adapters`. The servers stand in it as JSON, which Python reads as it is.

use platform::Json;
use serde_json::{Map, json};

use super::entry::Entry;

/// The module, in the current folder.
pub(super) const FILE: &str = "interlock_mcp.py";

const HEAD: &str = r#""""MCP servers of Interlock for LangGraph. Written by `interlock connect langgraph`, which also changes it."""

from langchain_mcp_adapters.client import MultiServerMCPClient

SERVERS = "#;
const TAIL: &str = r#"


async def tools():
    """The tools that the person who is signed in may use."""
    return await MultiServerMCPClient(SERVERS).get_tools()
"#;

/// The module with this server, or without it.
pub(super) fn edit(text: &str, name: &str, entry: Option<&Entry>) -> Result<String, String> {
    let mut servers = if text.trim().is_empty() { Map::new() } else { servers(text)? };
    let changed = match entry {
        None => servers.remove(name).is_some(),
        Some(entry) => {
            let value = member(entry);
            servers.insert(name.to_owned(), value.clone()) != Some(value)
        }
    };
    if !changed {
        return Ok(text.to_owned());
    }
    let body = serde_json::to_string_pretty(&servers).map_err(|e| e.to_string())?;
    // Four spaces, as Python is written.
    let lines = body.lines().map(|line| {
        let bare = line.trim_start();
        format!("{}{bare}", " ".repeat((line.len() - bare.len()) * 2))
    });
    Ok(format!("{HEAD}{}{TAIL}", lines.collect::<Vec<_>>().join("\n")))
}

/// The servers of a module that we wrote; what somebody else wrote or changed is theirs.
fn servers(text: &str) -> Result<Map<String, Json>, String> {
    let inside = text.strip_prefix(HEAD).and_then(|rest| rest.strip_suffix(TAIL));
    let inside = inside.ok_or("it is not the module that this command writes")?;
    serde_json::from_str(inside).map_err(|e| format!("its SERVERS cannot be read: {e}"))
}

fn member(entry: &Entry) -> Json {
    match entry {
        Entry::Direct { url } => json!({"transport": "streamable_http", "url": url}),
        Entry::Bridge { program, arguments } => json!({"transport": "stdio", "command": program, "args": arguments}),
    }
}
